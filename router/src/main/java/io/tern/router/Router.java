package io.tern.router;

import io.tern.store.Command;
import io.tern.store.Shard;
import io.tern.store.Storage;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/// The shards of this process at work: a ring and two threads each, and the readers. The shell
/// around [io.tern.store.Shard], [Dispatcher] and [io.tern.store.Reads].
///
/// Any thread may call any method.
public final class Router implements Commands, AutoCloseable {

  /// One shard, opened: its state machine and what readers see of it.
  public record Opened(Shard shard, Storage storage) {}

  /// What the process does when a shard cannot go on: it must end, because nothing that shard would
  /// say can be trusted. Called once, on the thread that failed.
  @FunctionalInterface
  public interface Fatal {
    void onFatal(String what, Throwable cause);
  }

  /// A shard as the operator sees it.
  ///
  /// @param ringDepth commands that are in the ring
  /// @param ringBytes bytes of their bodies
  /// @param idle whether nothing waits for a commit
  /// @param sinceCommitMillis since the last commit returned, or since the start
  /// @param failed whether it has stopped for good
  public record Health(
      int shard,
      long ringDepth,
      long ringBytes,
      boolean idle,
      long sinceCommitMillis,
      boolean failed) {}

  /// Starts the threads. What the shards' outboxes hold is dispatched first.
  ///
  /// @param shards all shards of the store, in order
  /// @param clock wall time for entries
  public Router(
      RouterConfig config,
      List<Opened> shards,
      Directory directory,
      Bus bus,
      PushQueue pushQueue,
      RouterMetrics metrics,
      InstantSource clock,
      Fatal fatal) {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean submit(Command command, Origin origin) {
    throw new UnsupportedOperationException();
  }

  /// The readers of this process.
  public Readers readers() {
    throw new UnsupportedOperationException();
  }

  public List<Health> health() {
    throw new UnsupportedOperationException();
  }

  /// Completes when every shard has made a batch durable that was begun after this call, and
  /// exceptionally when a ring is full or has failed. Give it a timeout.
  public CompletableFuture<Void> probe() {
    throw new UnsupportedOperationException();
  }

  /// Lets what is in the rings be committed and dispatched, then stops the threads. The store is
  /// the caller's to close.
  @Override
  public void close() {
    throw new UnsupportedOperationException();
  }
}

package io.tern.router;

import io.tern.store.KeyValues;
import io.tern.store.Slots;
import io.tern.store.Storage;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Reader threads over the shards of this process. Platform threads: a call into RocksDB would pin
/// a virtual thread's carrier.
final class ReaderPool implements Readers, AutoCloseable {

  private final List<Storage> shards;
  private final RouterMetrics metrics;
  private final ThreadPoolExecutor pool;

  /// @param shards all shards, in order; to be closed after this pool
  ReaderPool(List<Storage> shards, int threads, int queueMax, RouterMetrics metrics) {
    this.shards = List.copyOf(shards);
    this.metrics = metrics;
    var number = new AtomicInteger();
    pool =
        new ThreadPoolExecutor(
            threads,
            threads,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(queueMax),
            work -> new Thread(work, "tern-reader-" + number.getAndIncrement()));
  }

  @Override
  public <T> boolean ask(
      Function<Shards, T> question, Consumer<? super T> then, Consumer<Throwable> failed) {
    try {
      pool.execute(() -> answer(question, then, failed));
      return true;
    } catch (RejectedExecutionException e) {
      metrics.onReadersRefused();
      return false;
    }
  }

  @Override
  public <T> @Nullable T fromMemory(Function<Shards, T> question) {
    try {
      return question.apply(slot -> shards.get(Slots.shardOf(slot, shards.size())).inMemory());
    } catch (Storage.NotInMemory | UncheckedIOException e) {
      return null;
    }
  }

  /// The part of the queue that is in use, 0 to 1.
  double fill() {
    int waiting = pool.getQueue().size();
    return (double) waiting / (waiting + pool.getQueue().remainingCapacity());
  }

  /// Answers what has been asked, then ends the threads.
  @Override
  public void close() {
    pool.shutdown();
    boolean interrupted = false;
    while (true) {
      try {
        if (pool.awaitTermination(1, TimeUnit.MINUTES)) {
          break;
        }
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private <T> void answer(
      Function<Shards, T> question, Consumer<? super T> then, Consumer<Throwable> failed) {
    T answer;
    try (var views = new Views()) {
      answer = question.apply(views);
    } catch (Throwable t) {
      failed.accept(t);
      return;
    }
    then.accept(answer);
  }

  /// The snapshots of one question.
  private final class Views implements Shards, AutoCloseable {

    private final Storage.@Nullable Snapshot[] open = new Storage.@Nullable Snapshot[shards.size()];

    @Override
    public KeyValues of(int slot) {
      int shard = Slots.shardOf(slot, open.length);
      var view = open[shard];
      if (view == null) {
        view = shards.get(shard).snapshot();
        open[shard] = view;
      }
      return view;
    }

    @Override
    public void close() {
      for (var view : open) {
        if (view != null) {
          view.close();
        }
      }
    }
  }
}

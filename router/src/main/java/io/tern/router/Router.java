package io.tern.router;

import io.tern.store.Command;

/// The shards of this process at work: a ring and two threads each, and the readers. The shell
/// around [io.tern.store.Shard], [Dispatcher] and [io.tern.store.Reads].
///
/// Any thread may call any method.
public final class Router implements Commands, AutoCloseable {

  @Override
  public boolean submit(Command command, Origin origin) {
    throw new UnsupportedOperationException();
  }

  /// The readers of this process.
  public Readers readers() {
    throw new UnsupportedOperationException();
  }

  /// Lets what is in the rings be committed and dispatched, then stops the threads. The store is
  /// the caller's to close.
  @Override
  public void close() {
    throw new UnsupportedOperationException();
  }
}

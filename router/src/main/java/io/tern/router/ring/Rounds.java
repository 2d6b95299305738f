package io.tern.router.ring;

import io.tern.router.Origin;
import io.tern.store.Command;
import io.tern.store.Outcome;

/// What hears of committed batches: an [io.tern.router.Dispatcher]. Only the dispatch thread calls
/// it; times are monotonic.
public interface Rounds {

  void on(Command command, Origin origin, Outcome outcome, long nowMillis);

  /// How the batch that ends next was committed, by [System#nanoTime].
  ///
  /// @param events commands in it
  /// @param syncNanos how long the commit took
  /// @param committedNanos when it was done
  default void committed(int events, long syncNanos, long committedNanos) {}

  void endOfBatch(long n, long nowMillis);

  void tick(long nowMillis);

  /// Whether no further sends may be taken before rounds and ticks have made room. Rounds go on:
  /// what makes room may be in them.
  boolean isFull();
}

package io.tern.router.ring;

import io.tern.router.Origin;
import io.tern.store.Command;
import io.tern.store.Outcome;
import org.jspecify.annotations.Nullable;

/// A place in the ring: a producer writes command and origin, prepare the rest, dispatch clears it.
final class ShardEvent {

  @Nullable Command command;
  Origin origin = Origin.NOBODY;
  int bytes;
  @Nullable Outcome outcome;

  /// Whether this is the last of its commit; then `batch` is the commit's number and
  /// `committedNanos` when it returned, `syncNanos` how long it took.
  boolean last;

  long batch;
  long committedNanos;
  long syncNanos;

  /// So that a quiet ring does not keep messages alive.
  void clear() {
    command = null;
    origin = Origin.NOBODY;
    bytes = 0;
    outcome = null;
    last = false;
    batch = 0;
  }
}

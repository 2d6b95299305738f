package io.tern.router.ring;

import io.tern.store.Command;
import io.tern.store.Outcome;

/// What a ring drives: a [io.tern.store.Shard]. Only the prepare thread calls it.
public interface Machine {

  Outcome prepare(Command command, long nowMillis);

  void settle(long n);

  int openBytes();

  long commit();
}

package io.tern.accounts;

import io.tern.store.Command;
import io.tern.store.KeyValues;
import io.tern.store.Outcome;
import java.util.function.Function;

/// The shards, as the user service needs them. Any thread; both methods block until there is an
/// answer, so callers are virtual threads.
public interface Shards {

  /// Executes a command; its outcome is durable.
  ///
  /// @throws Unavailable when the shard has no room for it or does not answer in time; it may have
  ///   been executed all the same
  Outcome execute(Command command);

  /// Answers a question from snapshots, which must not be kept.
  ///
  /// @throws Unavailable when too many questions wait
  <T> T read(Function<Snapshots, T> question);

  /// By slot.
  interface Snapshots {
    KeyValues of(int slot);
  }
}

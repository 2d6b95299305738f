package io.tern.store;

import io.tern.protocol.UserId;
import java.util.List;

/// What the batch `n` still owes to others, read back after a restart.
///
/// @param duties what other shards are to do, as in [Outcome.Sent]; they may have done it already
public record OutboxRecord(long n, List<Due> entries, List<Command> duties) {

  /// An entry, the members who see it, and those of them who have not acknowledged it (never the
  /// sender). Neighbouring entries of a chat share a list that is the same.
  public record Due(Entry entry, List<UserId> members, List<UserId> waiting) {}
}

package io.tern.router;

import io.tern.store.Command;

/// The way into the shards: the ring of a local one, or the bus to a remote leader.
public interface Commands {

  /// Offers a command to its shard. Any thread; never blocks. `false` means the ring is full: stop
  /// reading where the command came from and answer BUSY.
  boolean submit(Command command, Origin origin);
}

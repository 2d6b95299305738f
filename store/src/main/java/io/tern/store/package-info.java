/// Shards: the state of chats and users, and the log that makes a batch durable before anyone is
/// told about it.
///
/// [Shard] is the one to start with: it owns a shard's state, and its parts do the commands. State
/// machines here are plain objects that take a command and the time and return effects. Only
/// `io.tern.store.rocks` knows RocksDB.
@NullMarked
package io.tern.store;

import org.jspecify.annotations.NullMarked;

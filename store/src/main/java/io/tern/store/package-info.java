/// Shards: the state of chats and users, and the log that makes a batch durable before anyone is
/// told about it.
///
/// State machines here are plain objects that take a command and the time and return effects. Only
/// `io.tern.store.rocks` knows RocksDB.
@NullMarked
package io.tern.store;

import org.jspecify.annotations.NullMarked;

/// Shards on RocksDB: one database each in a data folder, one budget of memory for all. The only
/// package that knows RocksDB.
@NullMarked
package io.tern.store.rocks;

import org.jspecify.annotations.NullMarked;

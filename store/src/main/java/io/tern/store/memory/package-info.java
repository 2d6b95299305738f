/// A shard's storage in memory, over a simulated disk that can lose power: what the simulation and
/// tests run on. Passes the same contract suite as RocksDB's.
@NullMarked
package io.tern.store.memory;

import org.jspecify.annotations.NullMarked;

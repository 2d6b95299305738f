package io.tern.bench.micro;

import io.tern.store.Batch;
import io.tern.store.KeyValues;
import io.tern.store.Storage;
import org.jspecify.annotations.Nullable;

/// A storage without storage: what is left of a shard's cost is the shard's own. Encodes the batch,
/// as every storage has to, and drops it. Empty to read, so chats must stay in memory.
final class Discarding implements Storage {

  private long bytes;

  @Override
  public void write(Batch batch, boolean sync) {
    bytes += batch.encoded().length;
  }

  /// What was written, so that no compiler finds the encoding useless.
  long bytes() {
    return bytes;
  }

  @Override
  public byte @Nullable [] get(byte[] key) {
    return null;
  }

  @Override
  public void scan(byte[] from, byte[] to, Visitor visitor) {
    // Nothing there.
  }

  @Override
  public void scanDown(byte[] from, byte[] to, Visitor visitor) {
    // Nothing there.
  }

  @Override
  public KeyValues inMemory() {
    return this;
  }

  @Override
  public Snapshot snapshot() {
    throw new UnsupportedOperationException("a benchmark of writing");
  }

  @Override
  public void close() {
    // Nothing held.
  }
}

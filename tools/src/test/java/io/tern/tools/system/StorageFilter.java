package io.tern.tools.system;

import io.tern.store.Batch;
import io.tern.store.KeyValues;
import io.tern.store.Storage;
import org.jspecify.annotations.Nullable;

/// A storage that passes everything on to another, to be changed in parts.
class StorageFilter implements Storage {
  private final Storage disk;

  StorageFilter(Storage disk) {
    this.disk = disk;
  }

  @Override
  public void write(Batch batch, boolean sync) {
    disk.write(batch, sync);
  }

  @Override
  public byte @Nullable [] get(byte[] key) {
    return disk.get(key);
  }

  @Override
  public void scan(byte[] from, byte[] to, Visitor visitor) {
    disk.scan(from, to, visitor);
  }

  @Override
  public void scanDown(byte[] from, byte[] to, Visitor visitor) {
    disk.scanDown(from, to, visitor);
  }

  @Override
  public KeyValues inMemory() {
    return disk.inMemory();
  }

  @Override
  public Snapshot snapshot() {
    return disk.snapshot();
  }

  @Override
  public void close() {
    disk.close();
  }
}

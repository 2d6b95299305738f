package io.tern.store.rocks;

import io.tern.store.KeyValues;
import io.tern.store.Slots;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;

/// A data folder opened to look at, with [io.tern.store.Inspect]. Changes nothing and takes no
/// lock, so it may look at the folder of a running server: then it shows the moment it was opened,
/// and a read fails once the server has compacted away what it needs.
public final class Inspection implements AutoCloseable {

  private final RocksOptions options;
  private final int schema;
  private final List<RocksStorage> shards = new ArrayList<>();
  private final List<Long> acknowledged = new ArrayList<>();

  /// Opens all shards of the folder.
  ///
  /// @throws CannotOpen with the reason, when it will not
  public static Inspection open(Path data) {
    if (!Files.isDirectory(data)) {
      throw new CannotOpen(data, "there is no such folder");
    }
    Manifest manifest = Manifest.read(data);
    if (manifest == null) {
      throw new CannotOpen(data, "is not a data folder of Tern: it has no tern.json");
    }
    RocksStoreConfig config = RocksStoreConfig.of(data);
    var inspection = new Inspection(RocksOptions.readOnly(config, manifest.shards()), manifest);
    try {
      for (int i = 0; i < manifest.shards(); i++) {
        inspection.openShard(RocksStore.shardFolder(data, i));
      }
    } catch (RuntimeException e) {
      inspection.close();
      throw e;
    }
    return inspection;
  }

  private Inspection(RocksOptions options, Manifest manifest) {
    this.options = options;
    this.schema = manifest.schema();
  }

  private void openShard(Path folder) {
    try {
      shards.add(
          new RocksStorage(
              folder,
              RocksDB.openReadOnly(
                  options.forShard(false), RocksStore.dbFolder(folder).toString())));
      acknowledged.add(HighWater.read(RocksStore.ackedFile(folder)));
    } catch (RocksDBException e) {
      throw new CannotOpen(folder, "RocksDB refuses to open it: " + e.getMessage(), e);
    } catch (IOException e) {
      throw new CannotOpen(folder, "cannot use 'acked': " + e.getMessage(), e);
    }
  }

  /// Version of everything on disk.
  public int schema() {
    return schema;
  }

  public int shards() {
    return shards.size();
  }

  public KeyValues shard(int shard) {
    return shards.get(shard);
  }

  /// Number of the newest batch that the shard is known to have acknowledged.
  public long acknowledged(int shard) {
    return acknowledged.get(shard);
  }

  /// The shard that has this slot.
  public KeyValues shardOfSlot(int slot) {
    return shards.get(Slots.shardOf(slot, shards.size()));
  }

  @Override
  public void close() {
    shards.forEach(RocksStorage::close);
    options.close();
  }
}

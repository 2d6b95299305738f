package io.tern.store.rocks;

import io.tern.store.Inspect;
import io.tern.store.Keys;
import io.tern.store.LocalLog;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The shards of a data folder, opened by one process.
///
/// ```
/// DATA/lock              held while a process has the folder open
/// DATA/tern.json         schema version and number of shards, fixed at creation
/// DATA/shards/000/acked  how far shard 0 has acknowledged, see HighWater
/// DATA/shards/000/db/    its RocksDB
/// ```
///
/// One keeper thread, once a second: notes how far each shard has acknowledged, and looks whether
/// the disk has room. What it finds wrong makes the next commit of the shard fail, so that there is
/// one place where a lost disk ends the process.
///
/// Memory: one block cache and one write-buffer budget for all shards, see [RocksStoreConfig]. Any
/// thread; [#close] after everyone who uses the shards has stopped.
public final class RocksStore implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(RocksStore.class);
  private static final long KEEPER_PERIOD_MILLIS = 1000;

  /// One shard's parts.
  private record Open(RocksStorage storage, LocalLog log, HighWater highWater) {}

  private final RocksStoreConfig config;
  private final FileChannel lockFile;
  private final RocksOptions options;
  private final List<Open> shards = new ArrayList<>();
  private final LongSupplier usableBytes;
  private final ScheduledExecutorService keeper;
  private volatile boolean hasRoom = true;
  private boolean closed;

  /// Opens the folder, or creates it.
  ///
  /// @throws CannotOpen with the reason, when it will not
  public static RocksStore open(RocksStoreConfig config) {
    return open(config, null);
  }

  /// @param usableBytes room left on the disk; null = ask it
  static RocksStore open(RocksStoreConfig config, @Nullable LongSupplier usableBytes) {
    Path data = config.data();
    FileChannel lockFile = null;
    try {
      Folders.create(data);
      lockFile = lock(data);
      Manifest manifest = manifest(config);
      var store =
          new RocksStore(
              config,
              lockFile,
              RocksOptions.create(config, manifest.shards()),
              usableBytes == null ? usableBytesOf(data) : usableBytes);
      lockFile = null;
      try {
        store.openShards(manifest.shards());
      } catch (IOException | RuntimeException e) {
        store.close();
        throw e;
      }
      return store;
    } catch (IOException e) {
      throw new CannotOpen(data, "cannot use the folder: " + e.getMessage(), e);
    } finally {
      closeQuietly(lockFile);
    }
  }

  private RocksStore(
      RocksStoreConfig config,
      FileChannel lockFile,
      RocksOptions options,
      LongSupplier usableBytes) {
    this.config = config;
    this.lockFile = lockFile;
    this.options = options;
    this.usableBytes = usableBytes;
    this.keeper =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("tern-store-keeper").daemon().factory());
  }

  /// How many shards the folder has.
  public int shards() {
    return shards.size();
  }

  public Storage storage(int shard) {
    return shards.get(shard).storage;
  }

  /// The state machine of a shard, on its storage and the local log. To be asked for once each.
  public Shard shard(int shard) {
    Open open = shards.get(shard);
    return new Shard(
        open.storage,
        open.log,
        new ShardConfig(
            shard,
            shards.size(),
            Math.max(1, config.hotChatsMax() / shards.size()),
            Math.max(1, config.hotMembersMax() / shards.size()),
            config.groupMembersMax(),
            config.editWindow(),
            config.revokeWindow()),
        this::hasRoom);
  }

  /// The log of a shard, for who puts something between it and the shard.
  public LocalLog log(int shard) {
    return shards.get(shard).log;
  }

  /// Whether the disk has more room than the reserve, as of the keeper's last look.
  public boolean hasRoom() {
    return hasRoom;
  }

  /// Notes how far every shard has acknowledged, then closes them. Waits for reads under way.
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    keeper.shutdown();
    try {
      // A pass is short, unless the disk hangs; then the mark stays a little behind, which is safe.
      if (keeper.awaitTermination(10, TimeUnit.SECONDS)) {
        noteAcknowledged();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    for (Open shard : shards) {
      shard.storage.close();
      closeQuietly(shard.highWater);
    }
    options.close();
    closeQuietly(lockFile);
  }

  // ---- opening --------------------------------------------------------------------------------

  private static FileChannel lock(Path data) throws IOException {
    FileChannel channel =
        FileChannel.open(data.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      channel.close();
      throw new CannotOpen(data, "in use by another process: stop it first, or use another folder");
    }
    return channel;
  }

  private static Manifest manifest(RocksStoreConfig config) throws IOException {
    Path data = config.data();
    Manifest found = Manifest.read(data);
    if (found == null) {
      if (Files.exists(data.resolve("shards"))) {
        throw new CannotOpen(data, "has shards but no tern.json: put the file back");
      }
      int shards =
          config.shards() == 0
              ? Math.min(Runtime.getRuntime().availableProcessors(), RocksStoreConfig.SHARDS_MAX)
              : config.shards();
      var created = new Manifest(Keys.SCHEMA, shards);
      created.write(data, Instant.now());
      return created;
    }
    if (config.shards() != 0 && config.shards() != found.shards()) {
      throw new CannotOpen(
          data,
          "has "
              + found.shards()
              + " shards, not "
              + config.shards()
              + ": their number is fixed when the folder is created");
    }
    return found;
  }

  private void openShards(int count) throws IOException {
    requireAll(count);
    for (int i = 0; i < count; i++) {
      shards.add(openShard(i, shardFolder(config.data(), i)));
    }
    look();
    var _ =
        keeper.scheduleWithFixedDelay(
            this::look, KEEPER_PERIOD_MILLIS, KEEPER_PERIOD_MILLIS, TimeUnit.MILLISECONDS);
  }

  /// All shards are created before any of them acknowledges something: later, one that is not there
  /// is lost, not new.
  private void requireAll(int count) throws IOException {
    Path missing = null;
    boolean acknowledged = false;
    for (int i = 0; i < count; i++) {
      Path folder = shardFolder(config.data(), i);
      if (HighWater.exists(ackedFile(folder))) {
        acknowledged |= HighWater.read(ackedFile(folder)) > 0;
      } else if (!Files.exists(dbFolder(folder))) {
        missing = folder;
      }
    }
    if (missing != null && acknowledged) {
      throw new CannotOpen(
          missing, "is missing, and other shards have data: restore the folder from a copy");
    }
  }

  static Path shardFolder(Path data, int shard) {
    return data.resolve("shards").resolve("%03d".formatted(shard));
  }

  static Path ackedFile(Path shardFolder) {
    return shardFolder.resolve("acked");
  }

  static Path dbFolder(Path shardFolder) {
    return shardFolder.resolve("db");
  }

  private Open openShard(int index, Path folder) throws IOException {
    Folders.create(folder);
    Path ackedFile = ackedFile(folder);
    boolean isNew = !HighWater.exists(ackedFile);
    RocksStorage storage = openDb(folder, isNew);
    HighWater highWater = null;
    try {
      int schema = Inspect.shard(storage).schema();
      // 0 is a new one's.
      if (schema != 0 && schema != Keys.SCHEMA) {
        throw Manifest.otherVersion(folder, schema);
      }
      long n = Shard.batchNumber(storage);
      if (isNew && n > 0) {
        throw new CannotOpen(folder, "the file 'acked' is missing: put it back");
      }
      highWater = isNew ? HighWater.create(ackedFile) : HighWater.open(ackedFile);
      if (n < highWater.n()) {
        throw new CannotOpen(
            folder,
            "acknowledged data is lost: batch "
                + highWater.n()
                + " was acknowledged, the newest"
                + " one found is "
                + n
                + ". Restore the folder from a copy");
      }
      LOG.info("shard {} is open at batch {}", index, n);
      return new Open(storage, new LocalLog(storage), highWater);
    } catch (IOException | RuntimeException e) {
      closeQuietly(highWater);
      storage.close();
      if (e instanceof CannotOpen) {
        throw e;
      }
      throw new CannotOpen(folder, "cannot use 'acked': " + e.getMessage(), e);
    }
  }

  private RocksStorage openDb(Path folder, boolean isNew) {
    try {
      return new RocksStorage(
          folder, RocksDB.open(options.forShard(isNew), dbFolder(folder).toString()));
    } catch (RocksDBException e) {
      throw new CannotOpen(
          folder,
          "RocksDB refuses to open it, because it may have lost data: "
              + e.getMessage()
              + ". Restore the folder from a copy",
          e);
    }
  }

  // ---- the keeper -----------------------------------------------------------------------------

  /// One pass of the keeper.
  void look() {
    noteAcknowledged();
    boolean room;
    try {
      room = usableBytes.getAsLong() >= config.diskReserveBytes();
    } catch (RuntimeException e) {
      LOG.warn("cannot tell how much room {} has", config.data(), e);
      return;
    }
    if (room != hasRoom) {
      hasRoom = room;
      if (room) {
        LOG.info("{} has room again: new messages are taken", config.data());
      } else {
        LOG.error(
            "{} has less room than the reserve of {} bytes: new messages are refused",
            config.data(),
            config.diskReserveBytes());
      }
    }
  }

  private void noteAcknowledged() {
    for (Open shard : shards) {
      try {
        shard.highWater.raise(shard.log.durable());
      } catch (IOException e) {
        LOG.error("the acked-high-water file cannot be written: no more commits", e);
        shard.storage.fail("acked-high-water file", e);
      }
    }
  }

  private static LongSupplier usableBytesOf(Path data) throws IOException {
    var disk = Files.getFileStore(data);
    return () -> {
      try {
        return disk.getUsableSpace();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    };
  }

  private static void closeQuietly(@Nullable AutoCloseable resource) {
    if (resource == null) {
      return;
    }
    try {
      resource.close();
    } catch (Exception e) {
      // What it held is on the disk or was never promised; the descriptor goes with the process.
      LOG.debug("cannot close {}", resource, e);
    }
  }
}

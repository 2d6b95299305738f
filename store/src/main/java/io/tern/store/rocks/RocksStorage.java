package io.tern.store.rocks;

import io.tern.store.Batch;
import io.tern.store.KeyValues;
import io.tern.store.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ReadOptions;
import org.rocksdb.ReadTier;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Status;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One shard's RocksDB. Opened by [RocksStore], which owns the options and closes it.
///
/// Every call and every open snapshot counts as a user; [#close] refuses new ones and waits for the
/// rest, because a native object touched after its database is gone takes the process down. For the
/// same reason it leaves the database open when somebody does not finish within 10 s: all it has
/// promised is on the disk.
final class RocksStorage implements Storage {

  private static final Logger LOG = LoggerFactory.getLogger(RocksStorage.class);
  private static final long CLOSE_PARK_NANOS = 1_000_000;
  private static final long CLOSE_WAIT_NANOS = 10_000_000_000L;

  private final Path folder;
  private final RocksDB db;
  private final WriteOptions synced = new WriteOptions().setSync(true);
  private final WriteOptions unsynced = new WriteOptions().setSync(false);
  private final ReadOptions readOptions = new ReadOptions();
  private final ReadOptions cachedOptions =
      new ReadOptions().setReadTier(ReadTier.BLOCK_CACHE_TIER);
  private final KeyValues newest = new Newest(readOptions);

  /// From memtables and cached blocks.
  private final KeyValues inMemory = new Newest(cachedOptions);

  /// Users, or negative once closed.
  private final AtomicInteger users = new AtomicInteger();

  private volatile @Nullable LostDurability lost;

  /// Takes `db` over.
  RocksStorage(Path folder, RocksDB db) {
    this.folder = folder;
    this.db = db;
  }

  @Override
  public void write(Batch batch, boolean sync) {
    LostDurability before = lost;
    if (before != null) {
      throw new LostDurability("an earlier failure: " + before.getMessage(), before);
    }
    enter();
    try (var nativeBatch = new WriteBatch(batch.encoded())) {
      db.write(sync ? synced : unsynced, nativeBatch);
    } catch (RocksDBException e) {
      throw fail("write to " + folder + " failed", e);
    } finally {
      leave();
    }
  }

  /// Makes every later write fail: what else the disk did shows that it cannot be trusted.
  LostDurability fail(String what, Throwable cause) {
    var failure = new LostDurability(what + ": " + cause.getMessage(), cause);
    lost = failure;
    return failure;
  }

  @Override
  public byte @Nullable [] get(byte[] key) {
    return newest.get(key);
  }

  @Override
  public void scan(byte[] from, byte[] to, Visitor visitor) {
    newest.scan(from, to, visitor);
  }

  @Override
  public void scanDown(byte[] from, byte[] to, Visitor visitor) {
    newest.scanDown(from, to, visitor);
  }

  @Override
  public KeyValues inMemory() {
    return inMemory;
  }

  @Override
  public Snapshot snapshot() {
    enter();
    return new RocksSnapshot(db.getSnapshot());
  }

  @Override
  public void close() {
    int before = users.getAndUpdate(n -> n < 0 ? n : n + Integer.MIN_VALUE);
    if (before < 0) {
      return;
    }
    long deadline = System.nanoTime() + CLOSE_WAIT_NANOS;
    while (users.get() != Integer.MIN_VALUE) {
      if (System.nanoTime() - deadline > 0) {
        LOG.error("{} is still being read: left open for the process to end", folder);
        return;
      }
      LockSupport.parkNanos(CLOSE_PARK_NANOS);
    }
    readOptions.close();
    cachedOptions.close();
    synced.close();
    unsynced.close();
    db.close();
  }

  // For who has entered, or holds a snapshot.

  private byte @Nullable [] get(ReadOptions options, byte[] key) {
    try {
      return db.get(options, key);
    } catch (RocksDBException e) {
      throw unreadable(e);
    }
  }

  private void scan(ReadOptions options, byte[] from, byte[] to, Visitor visitor) {
    try (RocksIterator it = db.newIterator(options)) {
      it.seek(from);
      while (it.isValid()) {
        byte[] key = it.key();
        if (Arrays.compareUnsigned(key, to) >= 0 || !visitor.visit(key, it.value())) {
          return;
        }
        it.next();
      }
      it.status();
    } catch (RocksDBException e) {
      throw unreadable(e);
    }
  }

  private void scanDown(ReadOptions options, byte[] from, byte[] to, Visitor visitor) {
    try (RocksIterator it = db.newIterator(options)) {
      it.seekForPrev(to);
      if (it.isValid() && Arrays.equals(it.key(), to)) {
        it.prev();
      }
      while (it.isValid()) {
        byte[] key = it.key();
        if (Arrays.compareUnsigned(key, from) < 0 || !visitor.visit(key, it.value())) {
          return;
        }
        it.prev();
      }
      it.status();
    } catch (RocksDBException e) {
      throw unreadable(e);
    }
  }

  /// What was not to be read from the disk; else a damaged block, or a disk that does not answer:
  /// ends the question that asked, or the shard, if it was its owner who needed it; what lies
  /// elsewhere can still be read.
  private RuntimeException unreadable(RocksDBException e) {
    if (e.getStatus() != null && e.getStatus().getCode() == Status.Code.Incomplete) {
      return new NotInMemory();
    }
    return new UncheckedIOException(new IOException("cannot read " + folder, e));
  }

  private void enter() {
    if (users.getAndIncrement() < 0) {
      users.getAndDecrement();
      throw new IllegalStateException("storage is closed: " + folder);
    }
  }

  private void leave() {
    users.getAndDecrement();
  }

  /// The newest values. Each call is a user.
  private final class Newest implements KeyValues {

    private final ReadOptions options;

    Newest(ReadOptions options) {
      this.options = options;
    }

    @Override
    public byte @Nullable [] get(byte[] key) {
      enter();
      try {
        return RocksStorage.this.get(options, key);
      } finally {
        leave();
      }
    }

    @Override
    public void scan(byte[] from, byte[] to, Visitor visitor) {
      enter();
      try {
        RocksStorage.this.scan(options, from, to, visitor);
      } finally {
        leave();
      }
    }

    @Override
    public void scanDown(byte[] from, byte[] to, Visitor visitor) {
      enter();
      try {
        RocksStorage.this.scanDown(options, from, to, visitor);
      } finally {
        leave();
      }
    }
  }

  private final class RocksSnapshot implements Snapshot, KeyValues {

    private final org.rocksdb.Snapshot snapshot;
    private final ReadOptions options;
    private boolean open = true;

    RocksSnapshot(org.rocksdb.Snapshot snapshot) {
      this.snapshot = snapshot;
      this.options = new ReadOptions().setSnapshot(snapshot);
    }

    @Override
    public byte @Nullable [] get(byte[] key) {
      requireOpen();
      return RocksStorage.this.get(options, key);
    }

    @Override
    public void scan(byte[] from, byte[] to, Visitor visitor) {
      requireOpen();
      RocksStorage.this.scan(options, from, to, visitor);
    }

    @Override
    public void scanDown(byte[] from, byte[] to, Visitor visitor) {
      requireOpen();
      RocksStorage.this.scanDown(options, from, to, visitor);
    }

    @Override
    public void close() {
      if (open) {
        open = false;
        options.close();
        db.releaseSnapshot(snapshot);
        leave();
      }
    }

    private void requireOpen() {
      if (!open) {
        throw new IllegalStateException("snapshot is closed");
      }
    }
  }
}

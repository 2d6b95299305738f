package io.tern.bench.yardstick;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import org.rocksdb.Options;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.WALRecoveryMode;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;

/// RocksDB with one key a message, `slot 'M' chat seq` as in Tern's own store, written in batches
/// that are on the disk when [#commit] returns. The batch is encoded in Java, so that RocksDB is
/// entered once a batch. Confined to the committer.
final class BareLog implements AutoCloseable {

  static {
    RocksDB.loadLibrary();
  }

  private static final int HEADER_BYTES = 12;
  private static final int KEY_BYTES = 19;
  private static final byte PUT = 1;

  private final Options options =
      new Options()
          .setCreateIfMissing(true)
          .setWalRecoveryMode(WALRecoveryMode.TolerateCorruptedTailRecords)
          .setAllowConcurrentMemtableWrite(false);
  private final WriteOptions synced = new WriteOptions().setSync(true);
  private final RocksDB db;

  // RocksDB's WriteBatch: fixed64 sequence, fixed32 count, records `01 klen key vlen value`.
  private ByteBuffer batch = ByteBuffer.allocate(64 * 1024).order(ByteOrder.LITTLE_ENDIAN);
  private int count;

  BareLog(Path folder) throws RocksDBException {
    this.db = RocksDB.open(options, folder.toString());
    batch.position(HEADER_BYTES);
  }

  void add(long chat, long seq, byte[] body) {
    if (batch.remaining() < KEY_BYTES + body.length + 16) {
      grow(KEY_BYTES + body.length + 16);
    }
    batch.put(PUT).put((byte) KEY_BYTES);
    batch.order(ByteOrder.BIG_ENDIAN);
    batch.putShort((short) ((chat * 0x9E37_79B9_7F4A_7C15L) >>> 50)).put((byte) 'M');
    batch.putLong(chat).putLong(seq);
    batch.order(ByteOrder.LITTLE_ENDIAN);
    putVarint(body.length);
    batch.put(body);
    count++;
  }

  void commit() {
    batch.putInt(8, count);
    byte[] encoded = Arrays.copyOf(batch.array(), batch.position());
    try (var writeBatch = new WriteBatch(encoded)) {
      db.write(synced, writeBatch);
    } catch (RocksDBException e) {
      // Nothing may be answered after a failed sync, and a yardstick has nobody to tell.
      throw new IllegalStateException("cannot write", e);
    }
    batch.clear().position(HEADER_BYTES);
    count = 0;
  }

  @Override
  public void close() {
    db.close();
    synced.close();
    options.close();
  }

  private void putVarint(int value) {
    int rest = value;
    while (rest >= 0x80) {
      batch.put((byte) (rest | 0x80));
      rest >>>= 7;
    }
    batch.put((byte) rest);
  }

  private void grow(int bytes) {
    batch =
        ByteBuffer.allocate(Math.max(2 * batch.capacity(), batch.position() + bytes))
            .order(ByteOrder.LITTLE_ENDIAN)
            .put(batch.flip());
  }
}

package io.tern.store;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Writes gathered to be applied at once, in RocksDB's own WriteBatch encoding: built in Java, it
/// crosses to native code once a batch instead of once a put, and it is what a replica applies byte
/// for byte.
///
/// ```
/// fixed64 sequence (0)   fixed32 count   count x record        (fixed: little-endian)
/// record:  01 varint32 keyBytes key varint32 valueBytes value      put
///          00 varint32 keyBytes key                                delete
///          0F varint32 fromBytes from varint32 toBytes to          delete [from, to)
/// ```
///
/// Confined to its owner; reused after [#clear]. Bounded by its owner, which commits at 512 KiB;
/// the array grows as needed and shrinks back to [#KEPT_BYTES_MAX] when cleared.
public final class Batch {

  /// Space kept for the next batch.
  static final int KEPT_BYTES_MAX = 1 << 20;

  private static final int HEADER_BYTES = 12;
  private static final int COUNT_OFFSET = 8;
  private static final byte DELETE = 0x00;
  private static final byte PUT = 0x01;
  private static final byte DELETE_RANGE = 0x0F;

  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private byte[] bytes = new byte[16 * 1024];
  private int size = HEADER_BYTES;
  private int count;
  private long number;

  public void put(byte[] key, byte[] value) {
    put(key, value, 0, value, 0, value.length);
  }

  /// Puts a value that comes in two pieces: the first `headBytes` of `head`, then `tailBytes` of
  /// `tail` from `tailOffset`.
  public void put(
      byte[] key, byte[] head, int headBytes, byte[] tail, int tailOffset, int tailBytes) {
    int valueBytes = headBytes + tailBytes;
    ensure(1 + 5 + key.length + 5 + valueBytes);
    bytes[size++] = PUT;
    slice(key, 0, key.length);
    size = Varints.put(bytes, size, valueBytes);
    System.arraycopy(head, 0, bytes, size, headBytes);
    size += headBytes;
    System.arraycopy(tail, tailOffset, bytes, size, tailBytes);
    size += tailBytes;
    count++;
  }

  public void delete(byte[] key) {
    ensure(1 + 5 + key.length);
    bytes[size++] = DELETE;
    slice(key, 0, key.length);
    count++;
  }

  /// Deletes the keys in [from, to).
  ///
  /// @throws IllegalArgumentException when `from` is above `to`: RocksDB would refuse the batch
  public void deleteRange(byte[] from, byte[] to) {
    if (Arrays.compareUnsigned(from, to) > 0) {
      throw new IllegalArgumentException("range ends before it starts");
    }
    ensure(1 + 5 + from.length + 5 + to.length);
    bytes[size++] = DELETE_RANGE;
    slice(from, 0, from.length);
    slice(to, 0, to.length);
    count++;
  }

  /// How many records there are.
  public int count() {
    return count;
  }

  /// Size of the encoding so far.
  public int bytes() {
    return size;
  }

  /// The batch's number in the shard's log: 1, 2, 3… over restarts; 0 while it has none. Not part
  /// of the encoding (the shard's `Z` record holds it).
  public long number() {
    return number;
  }

  void number(long n) {
    number = n;
  }

  /// The encoding: a copy, owned by the caller.
  public byte[] encoded() {
    INT.set(bytes, COUNT_OFFSET, count);
    return Arrays.copyOf(bytes, size);
  }

  public void clear() {
    if (bytes.length > KEPT_BYTES_MAX) {
      bytes = new byte[KEPT_BYTES_MAX];
    }
    size = HEADER_BYTES;
    count = 0;
    number = 0;
  }

  /// The value that the newest put of `key` in this batch has; null when there is none. A walk over
  /// the whole batch, for the rare question about what is not committed yet. Knows nothing of
  /// deletes.
  byte @Nullable [] find(byte[] key) {
    int pos = HEADER_BYTES;
    int foundAt = -1;
    int foundBytes = 0;
    while (pos < size) {
      byte type = bytes[pos++];
      int keyBytes = (int) Varints.get(bytes, pos);
      pos += Varints.bytes(keyBytes);
      boolean same =
          type == PUT
              && keyBytes == key.length
              && Arrays.equals(bytes, pos, pos + keyBytes, key, 0, keyBytes);
      pos += keyBytes;
      if (type == DELETE) {
        continue;
      }
      int valueBytes = (int) Varints.get(bytes, pos);
      pos += Varints.bytes(valueBytes);
      if (same) {
        foundAt = pos;
        foundBytes = valueBytes;
      }
      pos += valueBytes;
    }
    return foundAt < 0 ? null : Arrays.copyOfRange(bytes, foundAt, foundAt + foundBytes);
  }

  /// Sees the records of an encoding, in order. Arrays are the visitor's.
  public interface Visitor {
    void put(byte[] key, byte[] value);

    void delete(byte[] key);

    void deleteRange(byte[] from, byte[] to);
  }

  /// Walks the records of `encoded`, as [#encoded] made it.
  ///
  /// @throws IllegalArgumentException when it is not such an encoding; records before the fault
  ///   have been visited
  public static void decode(byte[] encoded, Visitor visitor) {
    if (encoded.length < HEADER_BYTES) {
      throw new IllegalArgumentException("batch of " + encoded.length + " bytes");
    }
    var in = new Decoder(encoded, HEADER_BYTES);
    int left = (int) INT.get(encoded, COUNT_OFFSET);
    while (in.pos < encoded.length) {
      byte type = encoded[in.pos++];
      switch (type) {
        case PUT -> visitor.put(in.slice(), in.slice());
        case DELETE -> visitor.delete(in.slice());
        case DELETE_RANGE -> visitor.deleteRange(in.slice(), in.slice());
        default -> throw new IllegalArgumentException("batch record of type " + type);
      }
      left--;
    }
    if (left != 0) {
      throw new IllegalArgumentException("batch count is off by " + left);
    }
  }

  private static final class Decoder {
    final byte[] bytes;
    int pos;

    Decoder(byte[] bytes, int pos) {
      this.bytes = bytes;
      this.pos = pos;
    }

    byte[] slice() {
      long length = 0;
      int shift = 0;
      byte b;
      do {
        if (pos == bytes.length || shift > 28) {
          throw new IllegalArgumentException("batch cut off at " + pos);
        }
        b = bytes[pos++];
        length |= (b & 0x7FL) << shift;
        shift += 7;
      } while (b < 0);
      if (length > bytes.length - pos) {
        throw new IllegalArgumentException("batch cut off at " + pos);
      }
      byte[] slice = Arrays.copyOfRange(bytes, pos, pos + (int) length);
      pos += (int) length;
      return slice;
    }
  }

  private void slice(byte[] from, int offset, int length) {
    size = Varints.put(bytes, size, length);
    System.arraycopy(from, offset, bytes, size, length);
    size += length;
  }

  private void ensure(int more) {
    if (bytes.length - size < more) {
      bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + more));
    }
  }
}

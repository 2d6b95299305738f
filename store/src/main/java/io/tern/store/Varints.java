package io.tern.store;

/// Base-128 varints, least significant group first, as protobuf and RocksDB write them.
final class Varints {

  /// Longest encoding of a long.
  static final int BYTES_MAX = 10;

  private Varints() {}

  /// Writes `value` as unsigned; returns the position behind it.
  static int put(byte[] to, int pos, long value) {
    long rest = value;
    int at = pos;
    while ((rest & ~0x7FL) != 0) {
      to[at++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    to[at++] = (byte) rest;
    return at;
  }

  /// The varint at `pos`.
  static long get(byte[] from, int pos) {
    long value = 0;
    int at = pos;
    for (int shift = 0; shift < 64; shift += 7) {
      byte b = from[at++];
      value |= (b & 0x7FL) << shift;
      if (b >= 0) {
        return value;
      }
    }
    throw new IllegalStateException("varint of more than 64 bits at " + pos);
  }

  /// How many bytes the varint at `pos` takes, minimal or not.
  static int length(byte[] from, int pos) {
    int at = pos;
    while (from[at] < 0) {
      at++;
    }
    return at + 1 - pos;
  }

  /// Length of the encoding.
  static int bytes(long value) {
    return (70 - Long.numberOfLeadingZeros(value | 1)) / 7;
  }
}

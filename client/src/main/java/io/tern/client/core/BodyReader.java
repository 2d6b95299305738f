package io.tern.client.core;

import io.netty.buffer.ByteBuf;

/// Walks over the fields of a protobuf message that lies in a buffer, without building anything:
/// for the bodies that come once per message. Used again for every frame; confined to one thread.
///
/// A message that is not well-formed ends the walk with [#isMalformed].
final class BodyReader {

  static final int END = 0;

  private ByteBuf in;
  private int pos;
  private int end;
  private boolean malformed;
  private int offset;
  private int length;

  BodyReader(ByteBuf empty) {
    in = empty;
  }

  /// Starts at the buffer's reader index. The buffer stays the caller's and is not changed.
  void start(ByteBuf body, int from, int bytes) {
    in = body;
    pos = from;
    end = from + bytes;
    malformed = false;
  }

  /// The next field's tag (number << 3 | wire type), or [#END].
  int nextTag() {
    if (pos >= end) {
      return END;
    }
    long tag = varint();
    // Field 0 and tags beyond 32 bits do not exist.
    if (malformed || tag >>> 32 != 0 || tag >>> 3 == 0) {
      malformed = true;
      return END;
    }
    return (int) tag;
  }

  long varint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (pos >= end) {
        return fail();
      }
      byte b = in.getByte(pos++);
      value |= (b & 0x7FL) << shift;
      if (b >= 0) {
        return value;
      }
    }
    return fail();
  }

  /// A length-delimited field: its place is [#offset] and [#length] then.
  void bytes() {
    long n = varint();
    if (n < 0 || n > end - pos) {
      fail();
      offset = pos;
      length = 0;
      return;
    }
    offset = pos;
    length = (int) n;
    pos += length;
  }

  void skip(int tag) {
    switch (tag & 7) {
      case 0 -> varint();
      case 1 -> advance(8);
      case 2 -> bytes();
      case 5 -> advance(4);
      default -> fail();
    }
  }

  int offset() {
    return offset;
  }

  int length() {
    return length;
  }

  boolean isMalformed() {
    return malformed;
  }

  private void advance(int bytes) {
    if (bytes > end - pos) {
      fail();
    } else {
      pos += bytes;
    }
  }

  private long fail() {
    malformed = true;
    pos = end;
    return 0;
  }
}

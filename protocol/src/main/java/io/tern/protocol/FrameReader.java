package io.tern.protocol;

import io.netty.buffer.ByteBuf;

/// Reads frames off a byte stream. No state: what is incomplete is left in the buffer.
public final class FrameReader {

  /// What [#read] found.
  public enum Result {
    /// The header is filled in and the reader index stands at the first of `bodyBytes` body bytes,
    /// all of which are in the buffer.
    FRAME,
    /// Nothing was consumed; call again with more bytes.
    INCOMPLETE,
    /// Fatal: LEN of 0 or 1, a varint that is not minimal or too long, a reserved flag, a header
    /// longer than LEN.
    MALFORMED,
    /// Fatal: LEN over `frameBytesMax`.
    TOO_LARGE
  }

  private static final int VARINT_INCOMPLETE = -1;
  private static final int VARINT_MALFORMED = -2;

  private FrameReader() {}

  /// Reads the next frame's header from `in`, whose ownership stays with the caller. Refuses as
  /// soon as the bytes at hand prove the frame wrong, before its body has arrived.
  ///
  /// @param frameBytesMax largest LEN to accept
  public static Result read(ByteBuf in, int frameBytesMax, FrameHeader header) {
    int start = in.readerIndex();
    int end = in.writerIndex();
    int pos = start;

    int len = 0;
    int lenBytes = 0;
    while (true) {
      if (pos == end) {
        return Result.INCOMPLETE;
      }
      byte b = in.getByte(pos++);
      len |= (b & 0x7F) << (7 * lenBytes++);
      if (b >= 0) {
        if (b == 0 && lenBytes > 1) {
          return Result.MALFORMED;
        }
        break;
      }
      if (lenBytes == 3) {
        return Result.MALFORMED;
      }
    }
    if (len < 2) {
      return Result.MALFORMED;
    }
    if (len > frameBytesMax) {
      return Result.TOO_LARGE;
    }

    int frameEnd = pos + len;
    int available = Math.min(end, frameEnd);
    if (available - pos < 2) {
      return Result.INCOMPLETE;
    }
    header.type = in.getByte(pos++) & 0xFF;
    int flags = in.getByte(pos++) & 0xFF;
    if ((flags & FrameHeader.RESERVED) != 0) {
      return Result.MALFORMED;
    }
    header.flags = flags;
    header.rid = 0;
    header.chat = 0;
    header.seq = 0;

    if ((flags & FrameHeader.RID) != 0) {
      int bytes = varintBytes(in, pos, available, frameEnd, 5);
      if (bytes < 0) {
        return bytes == VARINT_INCOMPLETE ? Result.INCOMPLETE : Result.MALFORMED;
      }
      long rid = varint(in, pos, bytes);
      if (rid >>> 32 != 0) {
        return Result.MALFORMED;
      }
      header.rid = (int) rid;
      pos += bytes;
    }
    if ((flags & FrameHeader.CHAT) != 0) {
      int bytes = varintBytes(in, pos, available, frameEnd, 10);
      if (bytes < 0) {
        return bytes == VARINT_INCOMPLETE ? Result.INCOMPLETE : Result.MALFORMED;
      }
      header.chat = varint(in, pos, bytes);
      pos += bytes;
    }
    if ((flags & FrameHeader.SEQ) != 0) {
      int bytes = varintBytes(in, pos, available, frameEnd, 10);
      if (bytes < 0) {
        return bytes == VARINT_INCOMPLETE ? Result.INCOMPLETE : Result.MALFORMED;
      }
      header.seq = varint(in, pos, bytes);
      pos += bytes;
    }
    if (end < frameEnd) {
      return Result.INCOMPLETE;
    }
    header.bodyBytes = frameEnd - pos;
    in.readerIndex(pos);
    return Result.FRAME;
  }

  /// Length of the varint at `pos`, or why there is none.
  private static int varintBytes(ByteBuf in, int pos, int available, int frameEnd, int bytesMax) {
    for (int i = 0; i < bytesMax; i++) {
      if (pos + i >= available) {
        return available < frameEnd ? VARINT_INCOMPLETE : VARINT_MALFORMED;
      }
      byte b = in.getByte(pos + i);
      if (b >= 0) {
        boolean overlong = b == 0 && i > 0;
        boolean over64 = i == 9 && b > 1;
        return overlong || over64 ? VARINT_MALFORMED : i + 1;
      }
    }
    return VARINT_MALFORMED;
  }

  private static long varint(ByteBuf in, int pos, int bytes) {
    long value = 0;
    for (int i = 0; i < bytes; i++) {
      value |= (in.getByte(pos + i) & 0x7FL) << (7 * i);
    }
    return value;
  }
}

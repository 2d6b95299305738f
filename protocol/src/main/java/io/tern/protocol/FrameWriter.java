package io.tern.protocol;

import io.netty.buffer.ByteBuf;

/// Writes frames. No state; which header parts are written follows from `flags`.
public final class FrameWriter {

  private static final byte[] NO_BODY = {};

  private FrameWriter() {}

  /// Writes one frame without a body.
  public static void write(ByteBuf out, FrameType type, int flags, int rid, long chat, long seq) {
    write(out, type, flags, rid, chat, seq, NO_BODY);
  }

  /// Writes one frame. Ownership of `out` and `body` stays with the caller.
  public static void write(
      ByteBuf out, FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    int len = lenOf(flags, rid, chat, seq, body.length);
    out.ensureWritable(3 + len);
    Varint.write(out, len);
    out.writeByte(type.code());
    out.writeByte(flags);
    if ((flags & FrameHeader.RID) != 0) {
      Varint.write(out, rid & 0xFFFF_FFFFL);
    }
    if ((flags & FrameHeader.CHAT) != 0) {
      Varint.write(out, chat);
    }
    if ((flags & FrameHeader.SEQ) != 0) {
      Varint.write(out, seq);
    }
    out.writeBytes(body);
  }

  /// Bytes that [#write] will take, LEN included.
  public static int frameBytes(int flags, int rid, long chat, long seq, int bodyBytes) {
    int len = lenOf(flags, rid, chat, seq, bodyBytes);
    return Varint.bytes(len) + len;
  }

  private static int lenOf(int flags, int rid, long chat, long seq, int bodyBytes) {
    int len = 2 + bodyBytes;
    if ((flags & FrameHeader.RID) != 0) {
      len += Varint.bytes(rid & 0xFFFF_FFFFL);
    }
    if ((flags & FrameHeader.CHAT) != 0) {
      len += Varint.bytes(chat);
    }
    if ((flags & FrameHeader.SEQ) != 0) {
      len += Varint.bytes(seq);
    }
    return len;
  }
}

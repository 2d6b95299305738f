package io.tern.client.core;

import io.netty.buffer.ByteBuf;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;

/// Writes the frames that a client sends once per message, straight into the output buffer, whose
/// ownership stays with the caller.
final class FrameOut {

  private static final int SEND_CSN = 1 << 3;
  private static final int SEND_CONTENT = 2 << 3 | 2;

  private FrameOut() {}

  /// SEND [RID CHAT]. Its body is `Send{csn, content}`, whose content has been encoded before.
  static void send(ByteBuf out, int rid, int chatFlags, long chat, long csn, byte[] content) {
    int body = 1 + varintBytes(csn) + 1 + varintBytes(content.length) + content.length;
    header(out, FrameType.SEND, chatFlags | FrameHeader.RID, rid, chat, 0, body);
    out.writeByte(SEND_CSN);
    varint(out, csn);
    out.writeByte(SEND_CONTENT);
    varint(out, content.length);
    out.writeBytes(content);
  }

  /// Bytes of SEND at most.
  static int sendBytesMax(int contentBytes) {
    return contentBytes + 3 + 2 + 5 + 10 + 1 + 10 + 1 + 5;
  }

  /// A frame of [CHAT SEQ] without a body: ACK, READ.
  static void place(ByteBuf out, FrameType type, int chatFlags, long chat, long seq) {
    header(out, type, chatFlags | FrameHeader.SEQ, 0, chat, seq, 0);
  }

  /// Everything in front of the body; makes room for the body too.
  static void header(
      ByteBuf out, FrameType type, int flags, int rid, long chat, long seq, int bodyBytes) {
    int len = 2 + bodyBytes;
    if ((flags & FrameHeader.RID) != 0) {
      len += varintBytes(rid & 0xFFFF_FFFFL);
    }
    if ((flags & FrameHeader.CHAT) != 0) {
      len += varintBytes(chat);
    }
    if ((flags & FrameHeader.SEQ) != 0) {
      len += varintBytes(seq);
    }
    out.ensureWritable(len + 3);
    varint(out, len);
    out.writeByte(type.code());
    out.writeByte(flags);
    if ((flags & FrameHeader.RID) != 0) {
      varint(out, rid & 0xFFFF_FFFFL);
    }
    if ((flags & FrameHeader.CHAT) != 0) {
      varint(out, chat);
    }
    if ((flags & FrameHeader.SEQ) != 0) {
      varint(out, seq);
    }
  }

  private static int varintBytes(long value) {
    return (63 - Long.numberOfLeadingZeros(value | 1)) / 7 + 1;
  }

  private static void varint(ByteBuf out, long value) {
    while ((value & ~0x7FL) != 0) {
      out.writeByte((int) (value & 0x7F) | 0x80);
      value >>>= 7;
    }
    out.writeByte((int) value);
  }
}

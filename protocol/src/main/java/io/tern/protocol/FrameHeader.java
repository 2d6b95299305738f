package io.tern.protocol;

/// The header of one frame, filled in by [FrameReader] and meant to be used again: reading a header
/// allocates nothing. Confined to its owner's thread.
///
/// ```
/// LEN    varint, 1-3 bytes     counts all that follows
/// TYPE   u8
/// FLAGS  u8
/// RID    varint32              with flag 01
/// CHAT   varint64              with flag 02
/// SEQ    varint64              with flag 04
/// BODY   one protobuf message  `bodyBytes` long
/// ```
public final class FrameHeader {

  public static final int RID = 0x01;
  public static final int CHAT = 0x02;
  public static final int SEQ = 0x04;

  /// The entry is the receiving user's own, sent by another device.
  public static final int OWN = 0x08;

  /// CHAT is a group's id.
  public static final int GROUP = 0x10;

  /// BODY is Zstandard-compressed; pages from the server only, when the client announced it.
  public static final int ZSTD = 0x20;

  /// Must be 0.
  public static final int RESERVED = 0xC0;

  int type;
  int flags;
  int rid;
  long chat;
  long seq;
  int bodyBytes;

  /// The TYPE byte; see [FrameType#of].
  public int type() {
    return type;
  }

  public int flags() {
    return flags;
  }

  public boolean has(int flag) {
    return (flags & flag) != 0;
  }

  /// Chosen by the requester and echoed in the reply; 0 when absent. An unsigned 32-bit number.
  public int rid() {
    return rid;
  }

  /// The other user's id or, with [#GROUP], the group's; 0 when absent.
  public long chat() {
    return chat;
  }

  /// Position in the chat; 0 when absent.
  public long seq() {
    return seq;
  }

  public int bodyBytes() {
    return bodyBytes;
  }
}

package io.tern.protocol;

import org.jspecify.annotations.Nullable;

/// The frame types of protocol 1 (SPEC section 5, `registry.json`).
///
/// Ranges: 00-1F session, 20-5F requests (their reply is TYPE + 80), 60-7F ignorable client to
/// server, E0-EF pushes, F0-F7 ignorable pushes, F8-FF private.
public enum FrameType {
  HELLO(0x01, Sender.CLIENT, 0, 0),
  HELLO_ACK(0x02, Sender.SERVER, 0, 0),
  GOAWAY(0x03, Sender.SERVER, 0, 0),
  PING(0x04, Sender.BOTH, 0, 0),
  PONG(0x05, Sender.BOTH, 0, 0),
  ERROR(0x06, Sender.SERVER, 0, FrameHeader.RID),
  ACK(0x07, Sender.CLIENT, FrameHeader.CHAT | FrameHeader.SEQ, FrameHeader.GROUP),
  CLIENT_STATE(0x08, Sender.CLIENT, 0, 0),
  REAUTH(0x0A, Sender.CLIENT, 0, 0),
  BYE(0x0D, Sender.CLIENT, 0, 0),
  SEND(0x20, Sender.CLIENT, FrameHeader.RID | FrameHeader.CHAT, FrameHeader.GROUP),
  CATCH_UP(0x21, Sender.CLIENT, FrameHeader.RID, FrameHeader.CHAT | FrameHeader.GROUP),
  HISTORY(0x22, Sender.CLIENT, FrameHeader.RID | FrameHeader.CHAT, FrameHeader.GROUP),
  READ(0x23, Sender.CLIENT, FrameHeader.CHAT | FrameHeader.SEQ, FrameHeader.GROUP),
  TYPING(0x24, Sender.CLIENT, FrameHeader.CHAT, FrameHeader.GROUP),
  CHATS(0x25, Sender.CLIENT, FrameHeader.RID, 0),
  CHAT_INFO(0x26, Sender.CLIENT, FrameHeader.RID | FrameHeader.CHAT, FrameHeader.GROUP),
  GROUP_CREATE(0x27, Sender.CLIENT, FrameHeader.RID, 0),
  GROUP_EDIT(0x28, Sender.CLIENT, FrameHeader.RID | FrameHeader.CHAT | FrameHeader.GROUP, 0),
  ENTRY_INFO(
      0x29, Sender.CLIENT, FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ, FrameHeader.GROUP),
  PRESENCE_SUB(0x2A, Sender.CLIENT, FrameHeader.RID, 0),
  SETTINGS(0x2B, Sender.CLIENT, FrameHeader.RID, 0),
  PUSH_REGISTER(0x2C, Sender.CLIENT, FrameHeader.RID, 0),
  NACK(0x2D, Sender.CLIENT, FrameHeader.CHAT | FrameHeader.SEQ, FrameHeader.GROUP),
  DEVICES(0x2E, Sender.CLIENT, FrameHeader.RID, 0),
  DEVICE_REMOVE(0x2F, Sender.CLIENT, FrameHeader.RID, 0),
  SENT(
      0xA0, Sender.SERVER, FrameHeader.RID | FrameHeader.SEQ, FrameHeader.CHAT | FrameHeader.GROUP),
  CATCH_UP_PAGE(
      0xA1,
      Sender.SERVER,
      0,
      FrameHeader.RID | FrameHeader.CHAT | FrameHeader.GROUP | FrameHeader.ZSTD),
  HISTORY_PAGE(
      0xA2,
      Sender.SERVER,
      FrameHeader.RID,
      FrameHeader.CHAT | FrameHeader.GROUP | FrameHeader.ZSTD),
  CHATS_PAGE(0xA5, Sender.SERVER, FrameHeader.RID, FrameHeader.ZSTD),
  CHAT_INFO_PAGE(
      0xA6,
      Sender.SERVER,
      FrameHeader.RID,
      FrameHeader.CHAT | FrameHeader.GROUP | FrameHeader.ZSTD),
  GROUP_CREATED(
      0xA7,
      Sender.SERVER,
      FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ | FrameHeader.GROUP,
      0),
  GROUP_EDITED(
      0xA8, Sender.SERVER, FrameHeader.RID | FrameHeader.SEQ, FrameHeader.CHAT | FrameHeader.GROUP),
  ENTRY_INFO_PAGE(
      0xA9,
      Sender.SERVER,
      FrameHeader.RID,
      FrameHeader.CHAT | FrameHeader.SEQ | FrameHeader.GROUP | FrameHeader.ZSTD),
  PRESENCE_PAGE(0xAA, Sender.SERVER, FrameHeader.RID, FrameHeader.ZSTD),
  SETTINGS_SET(0xAB, Sender.SERVER, FrameHeader.RID, FrameHeader.SEQ),
  PUSH_REGISTERED(0xAC, Sender.SERVER, FrameHeader.RID, 0),
  DEVICES_PAGE(0xAE, Sender.SERVER, FrameHeader.RID, 0),
  DEVICE_REMOVED(0xAF, Sender.SERVER, FrameHeader.RID, 0),
  DELIVER(
      0xE0, Sender.SERVER, FrameHeader.CHAT | FrameHeader.SEQ, FrameHeader.OWN | FrameHeader.GROUP),
  RECEIPT(0xE1, Sender.SERVER, FrameHeader.CHAT, FrameHeader.GROUP),
  TYPING_PUSH(0xE2, Sender.SERVER, FrameHeader.CHAT, FrameHeader.GROUP),
  PRESENCE(0xE3, Sender.SERVER, 0, 0),
  RESET(0xE5, Sender.SERVER, FrameHeader.CHAT | FrameHeader.SEQ, FrameHeader.GROUP),
  BEHIND(0xE6, Sender.SERVER, 0, 0);

  /// Who may send a type.
  public enum Sender {
    CLIENT,
    SERVER,
    BOTH
  }

  private static final @Nullable FrameType[] BY_CODE = new @Nullable FrameType[256];

  static {
    for (FrameType type : values()) {
      BY_CODE[type.code] = type;
    }
  }

  private final int code;
  private final Sender sender;
  private final int requiredFlags;
  private final int optionalFlags;

  FrameType(int code, Sender sender, int requiredFlags, int optionalFlags) {
    this.code = code;
    this.sender = sender;
    this.requiredFlags = requiredFlags;
    this.optionalFlags = optionalFlags;
  }

  /// The TYPE byte, 0 to 255.
  public int code() {
    return code;
  }

  public Sender sender() {
    return sender;
  }

  public boolean isFromClient() {
    return sender != Sender.SERVER;
  }

  public boolean isFromServer() {
    return sender != Sender.CLIENT;
  }

  /// Flags without which a frame of this type is malformed.
  public int requiredFlags() {
    return requiredFlags;
  }

  /// Flags that a frame of this type may have or not.
  public int optionalFlags() {
    return optionalFlags;
  }

  /// Whether a frame of this type may have exactly these flags; if not, it is malformed.
  public boolean acceptsFlags(int flags) {
    return (flags & requiredFlags) == requiredFlags
        && (flags & ~(requiredFlags | optionalFlags)) == 0
        && ((flags & FrameHeader.GROUP) == 0 || (flags & FrameHeader.CHAT) != 0);
  }

  /// The type with this TYPE byte, or null for one that this version does not know.
  public static @Nullable FrameType of(int code) {
    return BY_CODE[code & 0xFF];
  }

  /// The TYPE byte of a reply to the request `code`.
  public static int replyOf(int code) {
    return (code & 0xFF) + 0x80;
  }

  /// Whether frames of this TYPE byte, known or not, are requests: with a RID they are answered, by
  /// [#replyOf] or by ERROR.
  public static boolean isRequest(int code) {
    return code >= 0x20 && code <= 0x5F;
  }

  /// Whether a receiver that does not know this TYPE byte may drop the frame.
  public static boolean isIgnorable(int code) {
    return (code >= 0x60 && code <= 0x7F) || (code >= 0xF0 && code <= 0xF7);
  }
}

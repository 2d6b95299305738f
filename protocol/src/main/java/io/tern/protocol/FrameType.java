package io.tern.protocol;

import org.jspecify.annotations.Nullable;

/// The frame types of protocol 1 (SPEC section 5, `registry.json`).
///
/// Ranges: 00-1F session, 20-5F requests (their reply is TYPE + 80), 60-7F ignorable client to
/// server, E0-EF pushes, F0-F7 ignorable pushes, F8-FF private.
public enum FrameType {
  HELLO(0x01),
  HELLO_ACK(0x02),
  GOAWAY(0x03),
  PING(0x04),
  PONG(0x05),
  ERROR(0x06),
  ACK(0x07),
  CLIENT_STATE(0x08),
  REAUTH(0x0A),
  BYE(0x0D),
  SEND(0x20),
  CATCH_UP(0x21),
  HISTORY(0x22),
  READ(0x23),
  TYPING(0x24),
  CHATS(0x25),
  CHAT_INFO(0x26),
  GROUP_CREATE(0x27),
  GROUP_EDIT(0x28),
  ENTRY_INFO(0x29),
  PRESENCE_SUB(0x2A),
  SETTINGS(0x2B),
  PUSH_REGISTER(0x2C),
  NACK(0x2D),
  SENT(0xA0),
  CATCH_UP_PAGE(0xA1),
  HISTORY_PAGE(0xA2),
  CHATS_PAGE(0xA5),
  CHAT_INFO_PAGE(0xA6),
  GROUP_CREATED(0xA7),
  GROUP_EDITED(0xA8),
  ENTRY_INFO_PAGE(0xA9),
  PRESENCE_PAGE(0xAA),
  SETTINGS_SET(0xAB),
  PUSH_REGISTERED(0xAC),
  DELIVER(0xE0),
  RECEIPT(0xE1),
  TYPING_PUSH(0xE2),
  PRESENCE(0xE3),
  RESET(0xE5),
  BEHIND(0xE6);

  private static final @Nullable FrameType[] BY_CODE = new @Nullable FrameType[256];

  static {
    for (FrameType type : values()) {
      BY_CODE[type.code] = type;
    }
  }

  private final int code;

  FrameType(int code) {
    this.code = code;
  }

  /// The TYPE byte, 0 to 255.
  public int code() {
    return code;
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

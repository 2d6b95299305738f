package io.tern.store;

import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;

/// What the number of a kind says, known or not: 1 to 15 are messages, 16 to 31 events of clients,
/// 32 to 47 events of servers. What a later version adds elsewhere passes and counts as nothing.
final class Kinds {

  private static final int MESSAGES_END = 16;
  private static final int CLIENT_EVENTS_END = 32;
  private static final int SERVER_EVENTS_END = 48;

  private static final int KIND_TAG = Content.KIND_FIELD_NUMBER << 3;

  private Kinds() {}

  /// Whether entries of this kind count as unread, and can be edited, taken back, reacted to.
  static boolean isMessage(int kind) {
    return kind > 0 && kind < MESSAGES_END;
  }

  static boolean isClientEvent(int kind) {
    return kind >= MESSAGES_END && kind < CLIENT_EVENTS_END;
  }

  /// Whether a client may send it.
  static boolean isForClients(int kind) {
    return kind > 0
        && kind != Kind.KIND_TOMBSTONE_VALUE
        && (kind < CLIENT_EVENTS_END || kind >= SERVER_EVENTS_END);
  }

  /// The kind in an encoded `Content` that has been scanned before it was stored; 0 when it has
  /// none.
  static int of(byte[] content) {
    int pos = 0;
    while (pos < content.length) {
      long tag = Varints.get(content, pos);
      pos += Varints.length(content, pos);
      if (tag == KIND_TAG) {
        return (int) Varints.get(content, pos);
      }
      pos +=
          switch ((int) tag & 7) {
            case 0 -> Varints.length(content, pos);
            case 1 -> 8;
            case 2 -> Varints.length(content, pos) + (int) Varints.get(content, pos);
            default -> 4;
          };
    }
    return Kind.KIND_UNSPECIFIED_VALUE;
  }
}

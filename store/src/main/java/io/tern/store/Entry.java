package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;

/// One position of a chat's log. Immutable; `content` is the sender's `Content` message, byte for
/// byte (but for what was edited or erased later), and must not be changed.
///
/// @param csn the sending device's number for it; 0 for what the server made of another command
/// @param tsMillis server time, never below an earlier entry's of the chat
/// @param ordinal how many entries up to and including this one count as unread
/// @param editedMillis when `content` was last edited; 0 = it is as it was sent
public record Entry(
    ChatId chat,
    long seq,
    DeviceId sender,
    long csn,
    long tsMillis,
    long ordinal,
    byte[] content,
    long editedMillis) {

  /// One that is as it was sent.
  public Entry(
      ChatId chat,
      long seq,
      DeviceId sender,
      long csn,
      long tsMillis,
      long ordinal,
      byte[] content) {
    this(chat, seq, sender, csn, tsMillis, ordinal, content, 0);
  }

  /// Number of the content's kind.
  public int kind() {
    return Kinds.of(content);
  }

  /// Whether it counts as unread: whether it is a message, not an event.
  public boolean isMessage() {
    return Kinds.isMessage(kind());
  }
}

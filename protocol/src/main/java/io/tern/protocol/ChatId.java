package io.tern.protocol;

/// A chat, named the same by everyone: a direct chat by its two users (the smaller first), a self
/// chat by its user twice, a group by its own id (`low` is 0).
///
/// On the wire a chat is named from a user's point of view: see [#wireId] and [#fromWire].
public record ChatId(long low, long high) {

  public ChatId {
    if (low < 0 || high <= 0 || low > high || high > UserId.VALUE_MAX) {
      throw new IllegalArgumentException("chat id out of range: " + low + ", " + high);
    }
  }

  /// The chat of two users, or with oneself.
  public static ChatId direct(UserId one, UserId other) {
    return new ChatId(Math.min(one.value(), other.value()), Math.max(one.value(), other.value()));
  }

  public static ChatId group(long id) {
    return new ChatId(0, id);
  }

  /// The chat that `viewer` means by the header's CHAT and GROUP. `wireId` must be valid.
  public static ChatId fromWire(UserId viewer, long wireId, boolean group) {
    return group ? group(wireId) : direct(viewer, new UserId(wireId));
  }

  public boolean isGroup() {
    return low == 0;
  }

  public boolean isSelf() {
    return low == high;
  }

  /// What the header's CHAT says to `viewer`: the group's id, or the other user's.
  public long wireId(UserId viewer) {
    if (low == 0) {
      return high;
    }
    return viewer.value() == low ? high : low;
  }

  /// The other user of a direct chat, oneself in a self chat. Not for groups.
  public UserId peerOf(UserId viewer) {
    assert !isGroup();
    return new UserId(wireId(viewer));
  }

  /// The chat that [#toString] wrote so.
  ///
  /// @throws IllegalArgumentException when it is none
  public static ChatId parse(String text) {
    int dash = text.indexOf('-');
    if (text.startsWith("g") && dash < 0) {
      return group(Long.parseLong(text.substring(1), 36));
    }
    if (text.startsWith("d") && dash > 0) {
      var chat =
          new ChatId(
              Long.parseLong(text.substring(1, dash), 36),
              Long.parseLong(text.substring(dash + 1), 36));
      if (!chat.isGroup()) {
        return chat;
      }
    }
    throw new IllegalArgumentException("no chat: " + text);
  }

  @Override
  public String toString() {
    return isGroup()
        ? "g" + Long.toString(high, 36)
        : "d" + Long.toString(low, 36) + "-" + Long.toString(high, 36);
  }
}

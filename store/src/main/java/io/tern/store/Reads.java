package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The questions that pass no ring: history, chat list, catch-up. Pure functions of a snapshot;
/// called by readers, one page at a time. Every page is bounded by entries and by bytes (at least
/// one entry is returned where there is one).
public final class Reads {

  /// A contiguous, ascending piece of a chat's log, and its head.
  public record Page(List<Entry> entries, boolean more, long head) {}

  /// What one device sees of one chat.
  ///
  /// @param position what this device has acknowledged
  /// @param delivered the user's watermark: the most any device of theirs acknowledged
  /// @param peerDelivered direct chats: the other user's watermarks; else 0
  public record Summary(
      ChatId chat,
      long head,
      long position,
      long delivered,
      long read,
      long unread,
      @Nullable Entry last,
      long lastCsn,
      long peerDelivered,
      long peerRead) {}

  private Reads() {}

  /// Whether `user` may see `chat`.
  public static boolean isMember(KeyValues shard, ChatId chat, UserId user) {
    throw new UnsupportedOperationException();
  }

  /// Entries from `fromSeq` on, that `viewer` may see.
  public static Page after(
      KeyValues shard, ChatId chat, UserId viewer, long fromSeq, int entriesMax, int bytesMax) {
    throw new UnsupportedOperationException();
  }

  /// The newest entries below `beforeSeq` (exclusive; Long.MAX_VALUE for the newest of all).
  public static Page before(
      KeyValues shard, ChatId chat, UserId viewer, long beforeSeq, int entriesMax, int bytesMax) {
    throw new UnsupportedOperationException();
  }

  /// Head, watermarks and unread of one chat as one device sees them; null when there is no chat or
  /// the viewer is not in it.
  public static @Nullable Summary summary(KeyValues shard, ChatId chat, DeviceId viewer) {
    throw new UnsupportedOperationException();
  }

  /// Chats in a user's list after `after` (null: from the start), in key order. `shard` is the
  /// user's shard.
  public static List<ChatId> chatsOf(
      KeyValues shard, UserId user, @Nullable ChatId after, int chatsMax) {
    throw new UnsupportedOperationException();
  }

  /// Whether the user has been created. `shard` is the user's shard.
  public static boolean userExists(KeyValues shard, UserId user) {
    throw new UnsupportedOperationException();
  }
}

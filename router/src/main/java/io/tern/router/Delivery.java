package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.Outcome;
import java.util.List;

/// One thing for an edge to do. A session that is gone, or has a newer epoch, is passed over.
public sealed interface Delivery {

  /// The outcome of a command, for the session that sent it.
  record Answer(Origin to, Command command, Outcome outcome) implements Delivery {}

  /// A committed entry.
  ///
  /// @param body the DELIVER body, encoded once; the same array for every recipient
  /// @param ownBody the body for the sender's other devices (it has the csn)
  /// @param to recipients' sessions on this edge; those of the sender's user are its other devices
  record Entries(
      ChatId chat, long seq, UserId sender, byte[] body, byte[] ownBody, List<Attachment> to)
      implements Delivery {}

  /// A member's watermarks, merged by max. At most one for a chat and member in a ring batch.
  record Receipts(ChatId chat, UserId member, long delivered, long read, List<Attachment> to)
      implements Delivery {}

  /// How far the members of a group have got, for the author of one of its entries.
  ///
  /// @param delivered every entry up to here has been delivered to everyone
  /// @param read every entry up to here has been read by everyone
  /// @param seq the author's newest entry; what follows counts the members who could see it
  record Progress(
      ChatId chat,
      long delivered,
      long read,
      long seq,
      int total,
      int deliveredTo,
      int readBy,
      List<Attachment> to)
      implements Delivery {}

  /// A newer session of the same device has taken over: close this one with SESSION_REPLACED.
  record Replaced(Attachment session) implements Delivery {}

  /// The device has been removed or its user erased (REVOKED), or the user is banned (BANNED):
  /// close its session with that.
  record Revoked(Attachment session, ErrorCode why) implements Delivery {}

  /// The same as [Revoked], to every edge, for sessions that the directory does not name: it may be
  /// away, or have lost them.
  ///
  /// @param device of this device; 0 = of every device of the user
  record Gone(UserId user, int device, ErrorCode why) implements Delivery {}

  /// An entry that this session's device should have acknowledged by now has not been: catch the
  /// chat up from the store, if nothing of it is in flight.
  ///
  /// @param from the first entry that the session has certainly not been given: from it on the chat
  ///   is caught up whatever is in flight; 0 = not known
  record Nudge(ChatId chat, Attachment to, long from) implements Delivery {
    public Nudge(ChatId chat, Attachment to) {
      this(chat, to, 0);
    }
  }

  /// `member` types in a chat (or records a voice message), or has stopped. Never stored, sent by
  /// an edge and not by a shard; the first thing to be dropped.
  record Typing(ChatId chat, UserId member, boolean on, boolean recording, List<Attachment> to)
      implements Delivery {}

  /// A user has come or gone, for sessions that watch them. As [Typing].
  ///
  /// @param lastSeenMillis when a device of theirs was last there; 0 = not known
  /// @param lapsed instead of that: what they show has changed, and the watch has ended
  record Presence(
      UserId user, boolean online, long lastSeenMillis, boolean lapsed, List<Attachment> to)
      implements Delivery {}
}

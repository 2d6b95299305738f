package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What became of a [Command]. Not to be told to anyone before the batch that holds it has been
/// committed.
public sealed interface Outcome {

  /// An entry has its place: of a send, a change of a group or of settings. `entry` is also there
  /// for a repeat (then it is the first one's, and nothing is to be delivered again).
  ///
  /// To be answered when it is committed; if a [Command.SetBlock] is among the duties, when that
  /// has been committed too.
  ///
  /// @param members everyone who sees the entry, the sender included; for the entry that removes a
  ///   member, that member too
  /// @param duties what other shards are to do about it: [Command.ListChat] for each user to whom
  ///   the chat is new, [Command.SetBlock]. The outbox record of the batch repeats them after a
  ///   restart
  record Sent(Entry entry, boolean repeat, List<UserId> members, List<Command> duties)
      implements Outcome {}

  /// A member's watermarks moved. The series on disk has the time.
  ///
  /// What others may know can be less: reading may be hidden, and between two users of whom one has
  /// blocked the other nothing is told.
  ///
  /// @param delivered the member's own position, for the member's devices
  /// @param read likewise
  /// @param shownDelivered what the other observers are told; at most `delivered`
  /// @param shownRead likewise; at most `read`
  /// @param observers who is told: own devices (when `read` moved), the other side of a direct
  ///   chat. In a group nobody else: see [GroupProgress]
  record Moved(
      UserId member,
      long delivered,
      long read,
      long shownDelivered,
      long shownRead,
      List<UserId> observers)
      implements Outcome {}

  /// Final or for later, by the code's class.
  ///
  /// For a send: OUT_OF_ORDER when earlier csns are missing, to be sent first. CONFLICT when the
  /// csn was used for another content, or so long ago that no client can still be waiting for its
  /// answer: the client's counter is behind, and this message has no place yet. BUSY when the disk
  /// has less room than its reserve.
  ///
  /// @param csn with OUT_OF_ORDER and CONFLICT: the csn to go on from; else 0
  record Refused(ErrorCode code, long csn, String detail) implements Outcome {

    /// Without a csn.
    public Refused(ErrorCode code, String detail) {
      this(code, 0, detail);
    }
  }

  /// The user and the device are there. A banned user is refused with BANNED. A user's eleventh
  /// device is refused with QUOTA, one that was removed with REVOKED.
  ///
  /// @param created whether the device was not there before
  /// @param userExisted whether the user was: with `created`, a new device of a user who has others
  record Enrolled(boolean created, boolean userExisted) implements Outcome {}

  /// The device is removed (or had been before): its sessions are to end.
  record DeviceRemoved(DeviceId device) implements Outcome {}

  /// What became of a [Command.PutRecord].
  ///
  /// @param stored false: the record is not as it was read, and nothing was changed
  /// @param version the record's version now; 0 = there is none
  record Recorded(boolean stored, long version) implements Outcome {}

  /// The user is erased (or had been): their sessions are to end. Also what becomes of a
  /// [Command.ListChat] that comes too late for them.
  ///
  /// To be answered when the duties have been committed too.
  ///
  /// @param duties [Command.Leave] for a piece of the chat list, or for the chat that came too late
  /// @param more there are chats left: the same command again goes on
  record UserErased(UserId user, List<Command> duties, boolean more) implements Outcome {}

  /// Direct chats of the user are to tell of a registration. To be answered at once: the outbox
  /// record of the batch repeats the duties until they have been committed.
  ///
  /// @param duties [Command.TellRegistered] for a piece of the chat list
  /// @param next where the next piece begins; null = that was all
  record Announced(List<Command> duties, @Nullable ChatId next) implements Outcome {}

  /// The user is banned: their sessions are to end.
  record UserBanned(UserId user) implements Outcome {}

  /// Housekeeping is done.
  ///
  /// @param progress groups in which something moved that is to be told; at most
  ///   [GroupMarks#GROUPS_PER_TICK]
  /// @param more what has expired is more than one tick erases: the next should follow at once
  /// @param dueMillis when the next tick has something to do, if no other command comes before it;
  ///   Long.MIN_VALUE = it has already, Long.MAX_VALUE = never
  record Ticked(List<GroupProgress> progress, boolean more, long dueMillis) implements Outcome {
    public static final Ticked NOTHING = new Ticked(List.of(), false, Long.MAX_VALUE);
  }

  /// Done, or had been done before, and nobody is waiting to hear more.
  record Done() implements Outcome {
    public static final Done DONE = new Done();
  }
}

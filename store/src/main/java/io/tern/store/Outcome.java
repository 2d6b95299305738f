package io.tern.store;

import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.util.List;

/// What became of a [Command]. Not to be told to anyone before the batch that holds it has been
/// committed.
public sealed interface Outcome {

  /// A message has its place. `entry` is also there for a repeat (then it is the first one's, and
  /// nothing is to be delivered again). With seq 1 the chat is new: it is to appear in its members'
  /// lists ([Command.ListChat], which the outbox record of the batch repeats after a restart).
  ///
  /// @param members everyone who sees the entry, the sender included
  record Sent(Entry entry, boolean repeat, List<UserId> members) implements Outcome {}

  /// A member's watermarks moved. `delivered` and `read` are the new positions; the series on disk
  /// has the time.
  ///
  /// @param observers the members who are told
  record Moved(UserId member, long delivered, long read, List<UserId> observers)
      implements Outcome {}

  /// Final or for later, by the code's class.
  ///
  /// For a send: OUT_OF_ORDER when earlier csns are missing, to be sent first. CONFLICT when the
  /// csn was used for another content, or so long ago that no client can still be waiting for its
  /// answer: the client's counter is behind, and this message has no place yet. BUSY when the disk
  /// has less room than its reserve.
  ///
  /// @param csn with OUT_OF_ORDER and CONFLICT: the csn to go on from; else 0
  record Refused(ErrorCode code, long csn, String detail) implements Outcome {}

  /// The user and the device are there. A user's eleventh device is refused with QUOTA.
  ///
  /// @param created whether the device was not there before
  record Enrolled(boolean created) implements Outcome {}

  /// Done, or had been done before, and nobody is waiting to hear more.
  record Done() implements Outcome {
    public static final Done DONE = new Done();
  }
}

package io.tern.tools.load;

import java.util.ArrayDeque;
import java.util.TreeSet;

/// One user's side of a direct chat: the messages they send ([Flow]), those that wait for a place
/// in flight, and how far they have every entry of the chat. Confined to the load's event loop.
///
/// Bounded: the backlog by `BACKLOG_MAX`, over which the run ends, since a server that far behind
/// will not catch up within it.
final class Conversation {

  static final int BACKLOG_MAX = 1_000_000;

  final LoadUser owner;
  final LoadUser peer;

  /// Names this conversation in the request ids of its owner.
  final int ordinal;

  final Flow flow = new Flow();

  /// Intended times of messages that are due and have not been sent.
  private final ArrayDeque<Long> backlog = new ArrayDeque<>();

  // Entries of the chat that are here, own ones included: all up to `head`, and some beyond it.
  private long head;
  private final TreeSet<Long> beyond = new TreeSet<>();
  private long deliveredMax;
  private long acknowledged;

  /// Sends without an answer of any kind.
  int attemptsOut;

  /// The first number the server put off, 0 when none; everything from it on is sent again at
  /// `retryAtNanos`, once the answers to all attempts are in.
  long resendFrom;

  long retryAtNanos;
  boolean isListedForAck;

  Conversation(LoadUser owner, LoadUser peer, int ordinal) {
    this.owner = owner;
    this.peer = peer;
    this.ordinal = ordinal;
  }

  void plan(long intendedNanos) {
    backlog.add(intendedNanos);
  }

  int planned() {
    return backlog.size();
  }

  /// Gives the next planned message its number.
  long sendNext() {
    return flow.send(backlog.remove());
  }

  boolean isBlocked() {
    return resendFrom != 0;
  }

  /// Notes an entry; false when it was here already.
  boolean enter(long seq) {
    if (seq == head + 1) {
      head = seq;
      while (!beyond.isEmpty() && beyond.first() == head + 1) {
        beyond.pollFirst();
        head++;
      }
      return true;
    }
    return seq > head && beyond.add(seq);
  }

  /// Entries up to `seq` will not come.
  void skipTo(long seq) {
    head = Math.max(head, seq);
    beyond.headSet(head, true).clear();
  }

  void delivered(long seq) {
    deliveredMax = Math.max(deliveredMax, seq);
  }

  /// The position to acknowledge now, or 0 when there is nothing new without a hole before it.
  long ackDue() {
    if (deliveredMax <= acknowledged || head <= acknowledged) {
      return 0;
    }
    acknowledged = head;
    return head;
  }

  boolean hasHole() {
    return !beyond.isEmpty();
  }
}

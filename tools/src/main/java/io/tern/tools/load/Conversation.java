package io.tern.tools.load;

import io.tern.protocol.FrameHeader;
import java.util.ArrayDeque;
import java.util.TreeSet;

/// One user's side of a chat, direct or of a group: the messages they send ([Flow]), those that
/// wait for a place in flight, and how far they have every entry of the chat. Confined to the
/// load's event loop.
///
/// Bounded: the backlog by `BACKLOG_MAX`, over which the run ends, since a server that far behind
/// will not catch up within it.
final class Conversation {

  static final int BACKLOG_MAX = 1_000_000;

  final LoadUser owner;

  /// The chat as its owner calls it on the wire, and the flags that go with it.
  final long chat;

  final int chatFlags;

  /// To whom its messages are, as their stamps say: [Stamp#recipient].
  final int addressee;

  /// Names this conversation in the request ids of its owner.
  final int ordinal;

  final Flow flow;

  /// Intended times of messages that are due and have not been sent.
  private final ArrayDeque<Long> backlog = new ArrayDeque<>();

  // Entries of the chat that are here, own ones included: all up to `head`, and some beyond it.
  private long head;
  private final TreeSet<Long> beyond = new TreeSet<>();
  private long deliveredMax;
  private long acknowledged;
  private boolean isBegun;

  /// Sends without an answer of any kind.
  int attemptsOut;

  /// The first number the server put off, 0 when none; everything from it on is sent again at
  /// `retryAtNanos`, once the answers to all attempts are in.
  long resendFrom;

  long retryAtNanos;
  boolean isListedForAck;

  Conversation(LoadUser owner, long chat, int chatFlags, int addressee, int ordinal, Flow flow) {
    this.owner = owner;
    this.chat = chat;
    this.chatFlags = chatFlags;
    this.addressee = addressee;
    this.ordinal = ordinal;
    this.flow = flow;
  }

  static Conversation direct(LoadUser owner, LoadUser peer, int ordinal) {
    return new Conversation(
        owner, peer.id.value(), FrameHeader.CHAT, peer.index, ordinal, new Flow());
  }

  /// @param id of the group on the wire
  static Conversation in(LoadGroup group, long id, LoadUser owner) {
    int chatFlags = FrameHeader.CHAT | FrameHeader.GROUP;
    int recipients = group.isSender(owner) ? group.size() - 1 : 0;
    return new Conversation(
        owner, id, chatFlags, Stamp.group(group.ordinal), 0, Flow.toGroup(recipients));
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

  /// Notes an entry of one's own, of which the server tells by an answer. What a group had before
  /// its member came does not come.
  void enterOwn(long seq) {
    begin(seq);
    enter(seq);
  }

  /// The first entry of a group that its member gets is the one that brought them in.
  void begin(long seq) {
    if (!isBegun) {
      isBegun = true;
      skipTo(seq - 1);
    }
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

  /// Every entry up to here has come.
  long head() {
    return head;
  }

  boolean hasHole() {
    return !beyond.isEmpty();
  }
}

package io.tern.tools.load;

import java.util.stream.Stream;

/// The messages of one user in one chat: what was sent, acknowledged, delivered to each of the
/// others and receipted, and whether all of that fits together. Numbers are 1, 2, 3… and equal the
/// csns.
///
/// A message to one user is complete when its SENT and the delivered receipt are here; one to a
/// group, whose receipts come once a second, when its SENT is here and every recipient has it.
///
/// Judges by content, not by what the protocol says: a number that arrives twice is doubled, even
/// at two different seqs; one that arrives after a later one is reordered; one whose SENT came and
/// that never arrived is lost; one that was never sent, or arrives at another seq than its SENT
/// named, is wrong.
///
/// Plain object without a clock; confined to the load's event loop. Bounded by the messages that
/// are not complete, and by what [Arrivals] keeps of each recipient.
final class Flow {

  // Rings indexed by number; a slot is in use from send to completion.
  private long[] intended = new long[32];
  private long[] sentSeq = new long[32];
  private long[] deliveredSeq = new long[32];
  private int[] arrived = new int[32];

  private final Arrivals[] recipients;
  private final boolean isReceipted;

  /// Last number given, last one acknowledged, last one complete: completed <= acked <= sent.
  private long sent;

  private long acked;
  private long completed;

  /// The sender's view of the recipient's watermark.
  private long receipted;

  private long wrong;

  /// To one user.
  Flow() {
    this(1, true);
  }

  private Flow(int recipients, boolean isReceipted) {
    this.recipients = Stream.generate(Arrivals::new).limit(recipients).toArray(Arrivals[]::new);
    this.isReceipted = isReceipted;
  }

  /// To a group with so many members besides the sender; 0: of somebody who sends nothing.
  static Flow toGroup(int recipients) {
    return new Flow(recipients, false);
  }

  /// Takes the next number for a message that should go out at `intendedNanos`.
  long send(long intendedNanos) {
    if (sent - completed == intended.length) {
      grow();
    }
    sent++;
    int slot = slot(sent);
    intended[slot] = intendedNanos;
    sentSeq[slot] = 0;
    deliveredSeq[slot] = 0;
    arrived[slot] = 0;
    return sent;
  }

  /// SENT came for `number`. Answers in another order than the csns are a fault of their own.
  void acked(long number, long seq) {
    if (number <= completed || number > sent || sentSeq[slot(number)] != 0) {
      wrong++;
      return;
    }
    if (number != acked + 1 || (acked > completed && seq <= sentSeq[slot(acked)])) {
      wrong++;
    }
    acked = Math.max(acked, number);
    int slot = slot(number);
    sentSeq[slot] = seq;
    if (deliveredSeq[slot] != 0 && deliveredSeq[slot] != seq) {
      wrong++;
    }
  }

  /// `number` arrived at the one recipient, as the entry `seq`.
  void delivered(long number, long seq) {
    delivered(0, number, seq);
  }

  /// `number` arrived at a recipient, as the entry `seq`.
  void delivered(int recipient, long number, long seq) {
    if (recipient >= recipients.length || number < 1 || number > sent) {
      wrong++;
      return;
    }
    if (!recipients[recipient].arrive(number) || number <= completed) {
      return;
    }
    int slot = slot(number);
    long known = deliveredSeq[slot] != 0 ? deliveredSeq[slot] : sentSeq[slot];
    if (known != 0 && known != seq) {
      wrong++;
    }
    deliveredSeq[slot] = seq;
    arrived[slot]++;
  }

  /// The recipient's delivered watermark, as told to the sender, reached `seq`.
  void receipted(long seq) {
    receipted = Math.max(receipted, seq);
  }

  /// The next message that is complete: its number, once; 0 when there is none. Its times are to be
  /// read before the next [#send].
  long nextComplete() {
    long next = completed + 1;
    if (next > sent) {
      return 0;
    }
    int slot = slot(next);
    long seq = sentSeq[slot];
    boolean hasArrived = isReceipted ? seq <= receipted : arrived[slot] == recipients.length;
    if (seq == 0 || !hasArrived) {
      return 0;
    }
    completed = next;
    return next;
  }

  /// When `number`, which is not complete or has just been completed, should have been sent.
  long intendedNanos(long number) {
    return intended[slot(number)];
  }

  long sent() {
    return sent;
  }

  long acked() {
    return acked;
  }

  /// Sent and not complete.
  long inFlight() {
    return sent - completed;
  }

  /// Sent and not acknowledged.
  long unacked() {
    return sent - acked;
  }

  /// Acknowledged and not arrived, so far, summed over the recipients.
  long lost() {
    long lost = 0;
    for (var recipient : recipients) {
      lost += recipient.lost(acked);
    }
    return lost;
  }

  long doubled() {
    long doubled = 0;
    for (var recipient : recipients) {
      doubled += recipient.doubled();
    }
    return doubled;
  }

  long reordered() {
    long reordered = 0;
    for (var recipient : recipients) {
      reordered += recipient.reordered();
    }
    return reordered;
  }

  /// Arrivals and answers that contradict what was sent.
  long wrong() {
    return wrong;
  }

  private int slot(long number) {
    return (int) number & (intended.length - 1);
  }

  private void grow() {
    var oldIntended = intended;
    var oldSent = sentSeq;
    var oldDelivered = deliveredSeq;
    var oldArrived = arrived;
    int oldMask = oldIntended.length - 1;
    intended = new long[oldIntended.length * 2];
    sentSeq = new long[intended.length];
    deliveredSeq = new long[intended.length];
    arrived = new int[intended.length];
    for (long n = completed + 1; n <= sent; n++) {
      int from = (int) n & oldMask;
      int to = slot(n);
      intended[to] = oldIntended[from];
      sentSeq[to] = oldSent[from];
      deliveredSeq[to] = oldDelivered[from];
      arrived[to] = oldArrived[from];
    }
  }
}

package io.tern.tools.load;

import java.util.TreeSet;

/// The messages from one user to another: what was sent, acknowledged, delivered and receipted, and
/// whether all of that fits together. Numbers are 1, 2, 3… and equal the csns.
///
/// Judges by content, not by what the protocol says: a number that arrives twice is doubled, even
/// at two different seqs; one that arrives after a later one is reordered; one whose SENT came and
/// that never arrived is lost; one that was never sent, or arrives at another seq than its SENT
/// named, is wrong.
///
/// Plain object without a clock; confined to the load's event loop. Bounded by the messages that
/// are not complete, and by the missing numbers, at most `MISSING_MAX` of which are told apart.
final class Flow {

  static final int MISSING_MAX = 100_000;

  // Rings indexed by number; a slot is in use from send to completion.
  private long[] intended = new long[32];
  private long[] sentSeq = new long[32];
  private long[] deliveredSeq = new long[32];

  /// Last number given, last one acknowledged, last one complete: completed <= acked <= sent.
  private long sent;

  private long acked;
  private long completed;

  /// The highest number that arrived.
  private long arrived;

  /// The sender's view of the recipient's watermark.
  private long receipted;

  private final TreeSet<Long> missing = new TreeSet<>();
  private long missingNotKept;

  private long doubled;
  private long reordered;
  private long wrong;

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

  /// `number` arrived at the recipient, as the entry `seq`.
  void delivered(long number, long seq) {
    if (number < 1 || number > sent) {
      wrong++;
      return;
    }
    if (number == arrived + 1) {
      arrived = number;
    } else if (number > arrived) {
      for (long n = arrived + 1; n < number; n++) {
        if (missing.size() < MISSING_MAX) {
          missing.add(n);
        } else {
          missingNotKept++;
        }
      }
      arrived = number;
    } else if (missing.remove(number)) {
      reordered++;
    } else {
      doubled++;
      return;
    }
    if (number > completed) {
      int slot = slot(number);
      deliveredSeq[slot] = seq;
      if (sentSeq[slot] != 0 && sentSeq[slot] != seq) {
        wrong++;
      }
    }
  }

  /// The recipient's delivered watermark, as told to the sender, reached `seq`.
  void receipted(long seq) {
    receipted = Math.max(receipted, seq);
  }

  /// The next message whose SENT and delivered receipt are both here: its number, once; 0 when
  /// there is none. Its times are to be read before the next [#send].
  long nextComplete() {
    long next = completed + 1;
    if (next > sent) {
      return 0;
    }
    long seq = sentSeq[slot(next)];
    if (seq == 0 || seq > receipted) {
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

  /// Acknowledged and not arrived, so far.
  long lost() {
    return missing.headSet(acked, true).size() + missingNotKept + Math.max(0, acked - arrived);
  }

  long doubled() {
    return doubled;
  }

  long reordered() {
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
    int oldMask = oldIntended.length - 1;
    intended = new long[oldIntended.length * 2];
    sentSeq = new long[intended.length];
    deliveredSeq = new long[intended.length];
    for (long n = completed + 1; n <= sent; n++) {
      int from = (int) n & oldMask;
      int to = slot(n);
      intended[to] = oldIntended[from];
      sentSeq[to] = oldSent[from];
      deliveredSeq[to] = oldDelivered[from];
    }
  }
}

package io.tern.client.core;

import io.tern.client.ClientListener.Message;
import io.tern.protocol.ChatId;
import io.tern.protocol.FrameHeader;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// What a client knows of one chat. There is one for each chat that this process has seen something
/// of; parts that most chats do not need are created when needed.
final class Chat {

  /// Key bit of groups in [ClientCore]'s map; ids have 48 bits.
  static final long GROUP_BIT = 1L << 62;

  final ChatId id;

  /// What the header's CHAT says to this user.
  final long wireId;

  final int wireFlags;

  // ---- receiving

  /// Every entry up to here has been stored; -1: the server has yet to say where to start.
  long position;

  /// Entries stored since the last ACK, and whether an ACK is due at all.
  int unacknowledged;

  boolean ackDue;

  /// A page has said where to begin, and nothing of the chat has come since. Not in the store until
  /// then: whether RESET follows, which the app is told, the next start has to hear again.
  boolean begun;

  /// Places of this device's own sends beyond `position`, as ascending pairs (first, last).
  long @Nullable [] ownRuns;

  int ownRunCount;

  @Nullable Repair repair;

  // ---- watermarks, merged by max. Those of others are the other user's; in a group what everyone
  // has reached.

  long othersDelivered;
  long othersRead;
  long ownDelivered;
  long ownRead;

  // ---- sending: the list in csn order, [first .. ) in flight up to `unsent`

  @Nullable Outgoing first;
  @Nullable Outgoing last;
  @Nullable Outgoing unsent;
  int inFlight;

  /// Highest csn given; provisional while not `numbered`.
  long lastCsn;

  /// Whether the server's count of this device's sends is known.
  boolean numbered;

  boolean numberingAsked;

  /// A send was refused for now: nothing goes out until all in flight is answered, for the server
  /// takes them in order only. Then everything unanswered goes out again.
  boolean rewinding;

  int refusals;
  long notBeforeMillis;

  @Nullable Chat nextReady;
  boolean isReady;

  // ---- reading

  /// The highest READ the app asked for, when it was written, and what is known to be taken.
  long readWanted;

  long readWrittenAtMillis;
  long readTaken;
  boolean readDue;
  boolean readListed;

  Chat(ChatId id, long wireId, long position, long lastCsn) {
    this.id = id;
    this.wireId = wireId;
    this.wireFlags = FrameHeader.CHAT | (id.isGroup() ? FrameHeader.GROUP : 0);
    this.position = position;
    this.numbered = lastCsn >= 0;
    this.lastCsn = Math.max(0, lastCsn);
  }

  static long keyOf(long wireId, boolean group) {
    return group ? wireId | GROUP_BIT : wireId;
  }

  void append(Outgoing send) {
    send.previous = last;
    if (last == null) {
      first = send;
    } else {
      last.next = send;
    }
    last = send;
    if (unsent == null) {
      unsent = send;
    }
  }

  void remove(Outgoing send) {
    if (unsent == send) {
      unsent = send.next;
    }
    if (send.previous == null) {
      first = send.next;
    } else {
      send.previous.next = send.next;
    }
    if (send.next == null) {
      last = send.previous;
    } else {
      send.next.previous = send.previous;
    }
    send.previous = null;
    send.next = null;
  }

  /// This device's own entry `seq` is in the chat. Keeps it until `position` arrives there; with
  /// too many of them apart, the lowest is forgotten and will be read by HISTORY.
  void addOwn(long seq) {
    int n = ownRunCount;
    long[] runs = ownRuns;
    if (runs != null && n > 0 && runs[2 * n - 1] + 1 == seq) {
      runs[2 * n - 1] = seq;
      return;
    }
    for (int i = 0; i < n; i++) {
      if (runs != null && seq >= runs[2 * i] && seq <= runs[2 * i + 1]) {
        return;
      }
    }
    if (runs == null) {
      runs = new long[2 * OWN_RUNS_MAX];
      ownRuns = runs;
    }
    if (n == OWN_RUNS_MAX) {
      System.arraycopy(runs, 2, runs, 0, 2 * (n - 1));
      n--;
    }
    int at = n;
    while (at > 0 && runs[2 * at - 2] > seq) {
      at--;
    }
    System.arraycopy(runs, 2 * at, runs, 2 * at + 2, 2 * (n - at));
    runs[2 * at] = seq;
    runs[2 * at + 1] = seq;
    ownRunCount = n + 1;
  }

  /// Where `position` gets from `from` by own entries alone. Forgets the runs it has used.
  long passOwn(long from) {
    long[] runs = ownRuns;
    if (runs == null) {
      return from;
    }
    long at = from;
    int used = 0;
    while (used < ownRunCount && runs[2 * used] <= at + 1) {
      at = Math.max(at, runs[2 * used + 1]);
      used++;
    }
    if (used > 0) {
      System.arraycopy(runs, 2 * used, runs, 0, 2 * (ownRunCount - used));
      ownRunCount -= used;
    }
    if (ownRunCount == 0) {
      ownRuns = null;
    }
    return at;
  }

  private static final int OWN_RUNS_MAX = 8;

  /// A hole between `position` and what came behind it, being read by HISTORY.
  static final class Repair {

    /// The highest seq that is known to exist: the repair goes on until `position` is there.
    long until;

    /// A few entries that came behind the hole, without holes among them. What does not fit is read
    /// by HISTORY too.
    final ArrayDeque<Message> behind = new ArrayDeque<>(4);

    /// Pages that brought nothing, in a row.
    int failures;

    boolean asked;
    long notBeforeMillis;
  }
}

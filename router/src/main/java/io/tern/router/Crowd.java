package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The members of a group, as they are for some of its entries, and which of these each of them has
/// not acknowledged: a bit for each member and entry, where a [Watch.Pending] takes 40 bytes. Plain
/// data structure of the [Watch], for groups in which most are there and acknowledge soon.
final class Crowd {

  /// An entry, and who has not acknowledged it.
  static final class Waiting {
    private final Crowd crowd;
    final long seq;
    final Watch.Round round;
    private final BitSet members;
    private int left;

    /// Of the same round.
    @Nullable Waiting nextOfRound;

    private Waiting(Crowd crowd, long seq, Watch.Round round) {
      this.crowd = crowd;
      this.seq = seq;
      this.round = round;
      members = new BitSet(crowd.members.size());
    }

    ChatId chat() {
      return crowd.chat;
    }

    Crowd crowd() {
      return crowd;
    }

    /// How many have not acknowledged it.
    int left() {
      return left;
    }

    /// The member with this place in the list has not acknowledged it. Before
    /// [Watch#close(Waiting)], once for each.
    void add(int member) {
      members.set(member);
      left++;
      if (crowd.upTo[member] >= seq) {
        crowd.upTo[member] = seq - 1;
      }
    }

    /// As the other, by whom it is: one of the members.
    void add(UserId user) {
      add(crowd.numbers.number(user));
    }

    /// Whether it was there.
    boolean remove(int member) {
      if (!members.get(member)) {
        return false;
      }
      members.clear(member);
      left--;
      return true;
    }

    /// The first member from this place on who has not acknowledged it; -1 = there is none.
    int next(int member) {
      return members.nextSetBit(member);
    }

    UserId user(int member) {
      return crowd.members.get(member);
    }

    /// In the unit of [Watch#weight].
    int weight() {
      return 2 + crowd.members.size() / 400;
    }
  }

  private static final int CAPACITY_MIN = 16;

  final ChatId chat;

  /// By identity: a change of the group makes another list, and another crowd.
  final List<UserId> members;

  /// The same group before its members changed, while entries of then wait.
  @Nullable Crowd older;

  private final UserTable numbers = new UserTable();

  /// What each has acknowledged; 0 = nothing since there is this crowd.
  private final long[] upTo;

  /// The tick in which each was nudged last; made by the first one.
  private long[] nudgedAt = {};

  // A ring of entries, in the order of their seqs. The first one waits for somebody.
  private @Nullable Waiting[] entries = new @Nullable Waiting[CAPACITY_MIN];
  private int first;
  private int size;

  Crowd(ChatId chat, List<UserId> members, @Nullable Crowd older) {
    this.chat = chat;
    this.members = members;
    this.older = older;
    for (UserId member : members) {
      numbers.add(member);
    }
    upTo = new long[members.size()];
  }

  /// Whether nothing waits.
  boolean isEmpty() {
    return size == 0;
  }

  Waiting add(long seq, Watch.Round round) {
    assert size == 0 || at(size - 1).seq < seq : "seqs rise";
    if (size == entries.length) {
      var more = Arrays.copyOfRange(entries, first, first + 2 * size);
      System.arraycopy(entries, 0, more, size - first, first);
      entries = more;
      first = 0;
    }
    var waiting = new Waiting(this, seq, round);
    entries[(first + size) & (entries.length - 1)] = waiting;
    size++;
    return waiting;
  }

  /// Whether it is the tick's first nudge of the member.
  boolean nudge(int member, long tick) {
    if (nudgedAt.length == 0) {
      nudgedAt = new long[members.size()];
      Arrays.fill(nudgedAt, Long.MIN_VALUE);
    }
    boolean isFirst = nudgedAt[member] != tick;
    nudgedAt[member] = tick;
    return isFirst;
  }

  /// `user` has acknowledged everything up to `delivered`.
  void acknowledge(UserId user, long delivered, Watch watch) {
    int member = numbers.number(user);
    if (member < 0 || delivered <= upTo[member]) {
      return;
    }
    int i = firstAfter(upTo[member]);
    upTo[member] = delivered;
    for (; i < size; i++) {
      var waiting = at(i);
      if (waiting.seq > delivered) {
        break;
      }
      if (waiting.remove(member)) {
        watch.removed(waiting);
      }
    }
  }

  /// Entries for which nobody waits need not be kept, once those before them are done. Returns what
  /// they weighed.
  int dropDone() {
    int weight = 0;
    while (size > 0 && at(0).left == 0) {
      weight += at(0).weight();
      entries[first] = null;
      first = (first + 1) & (entries.length - 1);
      size--;
    }
    if (size == 0 && entries.length > CAPACITY_MIN) {
      entries = new @Nullable Waiting[CAPACITY_MIN];
      first = 0;
    }
    return weight;
  }

  private Waiting at(int i) {
    return Objects.requireNonNull(entries[(first + i) & (entries.length - 1)]);
  }

  /// Which entry is the first with a seq above this one.
  private int firstAfter(long seq) {
    int low = 0;
    int high = size;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (at(middle).seq <= seq) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}

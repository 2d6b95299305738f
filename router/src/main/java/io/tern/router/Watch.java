package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/// Which recipients have not acknowledged which entries, and what each outbox record still waits
/// for. Plain data structure of the [Dispatcher].
///
/// An entry that waits is in two lists: that of its (chat, member), oldest first, from which an
/// acknowledgement takes everything up to its seq; and that of its round, of which all became due
/// at the same time. So starting, acknowledging and expiring cost the same for any number of
/// waiting entries, and only what waits takes memory: about 50 bytes each.
///
/// In a large group that would be a thousand objects for each message, of which the collector
/// copies what waits: there an entry has a bit for each member ([Crowd]).
///
/// What is done lets go of its neighbours. One that had grown old before would else keep all that
/// came after it from the collector until the next full collection, each through the one before.
final class Watch {

  /// An outbox record and what it waits for.
  static final class Round {
    final long n;
    final long since;

    /// Pending entries, pushes and chat lists that are not done, and 1 while the round is being
    /// built.
    private int open = 1;

    @Nullable Pending first;

    /// Entries of large groups; those that nobody waits for any longer too.
    Crowd.@Nullable Waiting firstOfCrowds;

    private @Nullable Round previous;
    @Nullable Round next;
    private boolean timed;

    /// Whether the sessions of what waits have been nudged.
    boolean nudged;

    private Round(long n, long since) {
      this.n = n;
      this.since = since;
    }
  }

  /// One entry that one member has not acknowledged.
  static final class Pending {
    final Member member;
    final long seq;
    final Round round;
    private @Nullable Pending nextOfMember;
    private @Nullable Pending previousOfRound;
    @Nullable Pending nextOfRound;
    private boolean done;

    /// The push queue has not taken it: it waits for that, no longer for a clock.
    boolean refused;

    private Pending(Member member, long seq, Round round) {
      this.member = member;
      this.seq = seq;
      this.round = round;
    }

    boolean isDone() {
      return done;
    }
  }

  /// A member of a chat with something pending.
  static final class Member {
    final ChatId chat;
    final UserId user;
    private final int hash;
    private @Nullable Pending first;
    private @Nullable Pending last;

    /// The tick that nudged this member last.
    long nudgedAt = Long.MIN_VALUE;

    private Member(ChatId chat, UserId user, int hash) {
      this.chat = chat;
      this.user = user;
      this.hash = hash;
    }
  }

  private static final int CAPACITY_MIN = 1024;

  private final LongConsumer settle;

  // Members by (chat, user): open addressing, linear probing, deletion by shifting back.
  private @Nullable Member[] members = new @Nullable Member[CAPACITY_MIN];
  private int memberCount;

  // Rounds whose time runs, oldest first.
  private @Nullable Round oldest;
  private @Nullable Round newest;
  private int size;

  // Large groups in which something waits, or has until the last tick; their members count for one
  // of `weight` each.
  private final Map<ChatId, Crowd> crowds = new HashMap<>();
  private int weight;

  Watch(LongConsumer settle) {
    this.settle = settle;
  }

  /// Recipients of entries that wait.
  int size() {
    return size;
  }

  /// What it takes, in pending entries of about 50 bytes.
  int weight() {
    return weight;
  }

  /// Begins a round; [#close(Round)] ends its building.
  Round open(long n, long nowMillis) {
    var round = new Round(n, nowMillis);
    round.timed = true;
    round.previous = newest;
    if (newest == null) {
      oldest = round;
    } else {
      newest.next = round;
    }
    newest = round;
    return round;
  }

  void close(Round round) {
    release(round);
  }

  /// The oldest round whose time runs.
  @Nullable Round oldest() {
    return oldest;
  }

  /// One more thing that `round` waits for, until [#release].
  void hold(Round round) {
    round.open++;
  }

  void release(Round round) {
    if (--round.open == 0) {
      stopTime(round);
      settle.accept(round.n);
    }
  }

  /// Many members of a group are about to get `seq`: to be told which, and closed.
  ///
  /// @param members recognised by identity: the same list for the same members
  @SuppressWarnings("ReferenceEquality")
  Crowd.Waiting addMany(Round round, ChatId chat, List<UserId> members, long seq) {
    var crowd = crowds.get(chat);
    if (crowd == null || crowd.members != members) {
      crowd = new Crowd(chat, members, crowd);
      crowds.put(chat, crowd);
      weight += members.size();
    }
    var waiting = crowd.add(seq, round);
    waiting.nextOfRound = round.firstOfCrowds;
    round.firstOfCrowds = waiting;
    round.open++;
    return waiting;
  }

  /// All who wait have been added.
  void close(Crowd.Waiting waiting) {
    size += waiting.left();
    weight += waiting.weight();
    if (waiting.left() == 0) {
      release(waiting.round);
      dropDone(waiting.crowd());
    }
  }

  /// A push intent stands for the member's acknowledgement.
  void pushed(Crowd.Waiting waiting, int member) {
    if (waiting.remove(member)) {
      removed(waiting);
      dropDone(waiting.crowd());
    }
  }

  /// One member less waits.
  void removed(Crowd.Waiting waiting) {
    size--;
    if (waiting.left() == 0) {
      release(waiting.round);
    }
  }

  private void dropDone(Crowd crowd) {
    weight -= crowd.dropDone();
  }

  /// Lets go of groups in which nothing waits; once a tick.
  void trim() {
    for (var crowds = this.crowds.values().iterator(); crowds.hasNext(); ) {
      var crowd = crowds.next();
      dropEmpty(crowd);
      if (crowd.isEmpty() && crowd.older == null) {
        crowds.remove();
        weight -= crowd.members.size();
      }
    }
  }

  /// Lets go of what the group was before, where nothing waits any longer.
  private void dropEmpty(Crowd crowd) {
    var newer = crowd;
    for (var older = crowd.older; older != null; older = older.older) {
      if (older.isEmpty()) {
        newer.older = older.older;
        weight -= older.members.size();
      } else {
        newer = older;
      }
    }
  }

  private void acknowledgeInCrowds(ChatId chat, UserId user, long delivered) {
    var newest = crowds.get(chat);
    for (var crowd = newest; crowd != null; crowd = crowd.older) {
      crowd.acknowledge(user, delivered, this);
      dropDone(crowd);
    }
    if (newest != null && newest.older != null) {
      dropEmpty(newest);
    }
  }

  /// `user` has not acknowledged `seq`; rises with each call for the same chat and user.
  Pending add(Round round, ChatId chat, UserId user, long seq) {
    var member = member(chat, user);
    var pending = new Pending(member, seq, round);
    if (member.last == null) {
      member.first = pending;
    } else {
      assert member.last.seq < seq : "seqs rise";
      member.last.nextOfMember = pending;
    }
    member.last = pending;
    pending.nextOfRound = round.first;
    if (round.first != null) {
      round.first.previousOfRound = pending;
    }
    round.first = pending;
    round.open++;
    size++;
    weight++;
    return pending;
  }

  /// `user` has acknowledged everything up to `delivered`.
  void acknowledge(ChatId chat, UserId user, long delivered) {
    if (chat.isGroup() && !crowds.isEmpty()) {
      acknowledgeInCrowds(chat, user, delivered);
    }
    int at = find(chat, user, hash(chat, user));
    var member = members[at];
    if (member == null) {
      return;
    }
    var pending = member.first;
    while (pending != null && pending.seq <= delivered) {
      var next = pending.nextOfMember;
      finish(pending);
      pending = next;
    }
    member.first = pending;
    if (pending == null) {
      member.last = null;
      remove(at);
    }
  }

  /// A push intent stands for the acknowledgement.
  void pushed(Pending pending) {
    var member = pending.member;
    Pending before = null;
    var at = member.first;
    // The first of its member, but for pushes that were refused.
    while (at != pending) {
      before = Objects.requireNonNull(at);
      at = before.nextOfMember;
    }
    if (before == null) {
      member.first = pending.nextOfMember;
    } else {
      before.nextOfMember = pending.nextOfMember;
    }
    if (member.last == pending) {
      member.last = before;
    }
    if (member.first == null) {
      remove(find(member.chat, member.user, member.hash));
    }
    finish(pending);
  }

  /// The time of `round` is over: what it waits for no longer depends on a clock.
  void stopTime(Round round) {
    if (!round.timed) {
      return;
    }
    round.timed = false;
    if (round.previous == null) {
      oldest = round.next;
    } else {
      round.previous.next = round.next;
    }
    if (round.next == null) {
      newest = round.previous;
    } else {
      round.next.previous = round.previous;
    }
    round.previous = null;
    round.next = null;
  }

  private void finish(Pending pending) {
    pending.done = true;
    size--;
    weight--;
    var round = pending.round;
    if (pending.previousOfRound == null) {
      round.first = pending.nextOfRound;
    } else {
      pending.previousOfRound.nextOfRound = pending.nextOfRound;
    }
    if (pending.nextOfRound != null) {
      pending.nextOfRound.previousOfRound = pending.previousOfRound;
    }
    pending.nextOfMember = null;
    pending.previousOfRound = null;
    pending.nextOfRound = null;
    release(round);
  }

  private Member member(ChatId chat, UserId user) {
    int hash = hash(chat, user);
    int at = find(chat, user, hash);
    var member = members[at];
    if (member == null) {
      member = new Member(chat, user, hash);
      members[at] = member;
      if (++memberCount * 2 > members.length) {
        resize(members.length * 2);
      }
    }
    return member;
  }

  private static int hash(ChatId chat, UserId user) {
    long h = chat.low() * 0x9E37_79B9_7F4A_7C15L ^ chat.high();
    h = h * 0xFF51_AFD7_ED55_8CCDL ^ user.value();
    h = (h ^ (h >>> 29)) * 0xC4CE_B9FE_1A85_EC53L;
    return (int) (h >>> 32);
  }

  private int find(ChatId chat, UserId user, int hash) {
    int mask = members.length - 1;
    int at = hash & mask;
    while (true) {
      var member = members[at];
      if (member == null
          || (member.hash == hash
              && member.user.value() == user.value()
              && member.chat.low() == chat.low()
              && member.chat.high() == chat.high())) {
        return at;
      }
      at = (at + 1) & mask;
    }
  }

  private void remove(int at) {
    int mask = members.length - 1;
    memberCount--;
    int free = at;
    members[free] = null;
    for (int i = (free + 1) & mask; ; i = (i + 1) & mask) {
      var member = members[i];
      if (member == null) {
        break;
      }
      int home = member.hash & mask;
      // Move it back unless its home lies behind the free place.
      if (((i - home) & mask) >= ((i - free) & mask)) {
        members[free] = member;
        members[i] = null;
        free = i;
      }
    }
    if (members.length > CAPACITY_MIN && memberCount * 16 < members.length) {
      resize(members.length / 2);
    }
  }

  private void resize(int capacity) {
    @Nullable Member[] old = members;
    members = new @Nullable Member[capacity];
    for (var member : old) {
      if (member != null) {
        members[find(member.chat, member.user, member.hash)] = member;
      }
    }
  }
}

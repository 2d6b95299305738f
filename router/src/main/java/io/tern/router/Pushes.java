package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Which entries become push intents, and when: at once when nobody is there, else when nobody has
/// acknowledged within the watch. What the push queue refuses is offered again each tick, and an
/// acknowledgement still makes it unnecessary.
///
/// Confined to the dispatcher's thread. Bounds: `watchedMax` recipients of entries are watched;
/// beyond, an entry becomes a push intent at once. How many may be refused is the dispatcher's to
/// say ([Dispatcher#isFull]).
final class Pushes {

  /// When more members than this may have to acknowledge, a group is watched as a whole ([Crowd]).
  private static final int FEW = 64;

  /// An entry that becomes a push intent when the edges have been served.
  private record PushNow(Watch.Round round, ChatId chat, UserId user, long seq) {}

  /// An entry, and to how many of its members the queue had not taken it.
  private record RefusedToMany(Crowd.Waiting waiting, int members) {}

  private final PushQueue queue;
  private final Watch watch;
  private final RouterMetrics metrics;
  private final Trace.Writer trace;
  private final long ackWatchMillis;
  private final int watchedMax;

  private final ArrayList<PushNow> pushesNow = new ArrayList<>();

  /// Oldest first; acknowledged ones are passed over when their turn comes.
  private final ArrayDeque<Watch.Pending> refused = new ArrayDeque<>();

  /// Of large groups, likewise: an entry stays until all its members are done.
  private final ArrayDeque<RefusedToMany> refusedToMany = new ArrayDeque<>();

  /// Their members.
  private int refusedMembers;

  Pushes(
      PushQueue queue,
      Watch watch,
      RouterMetrics metrics,
      Trace.Writer trace,
      DispatchConfig config) {
    this.queue = queue;
    this.watch = watch;
    this.metrics = metrics;
    this.trace = trace;
    ackWatchMillis = config.ackWatch().toMillis();
    watchedMax = config.watchedMax();
  }

  /// The user has no session: a push intent with the next [#flush].
  void add(Watch.Round round, ChatId chat, UserId user, long seq) {
    pushesNow.add(new PushNow(round, chat, user, seq));
  }

  /// An entry of a group with many members; null when each of them is to be added by itself.
  ///
  /// @param members recognised by identity
  /// @param most as many of them may have to acknowledge it
  Crowd.@Nullable Waiting addMany(
      Watch.Round round, ChatId chat, List<UserId> members, int most, long seq) {
    return most > FEW && watch.weight() < watchedMax
        ? watch.addMany(round, chat, members, seq)
        : null;
  }

  /// The user has a session, or may have: a push intent only if the entry is not acknowledged in
  /// time.
  void addUnlessAcknowledged(Watch.Round round, ChatId chat, UserId user, long seq) {
    if (watch.weight() < watchedMax) {
      watch.add(round, chat, user, seq);
    } else {
      add(round, chat, user, seq);
    }
  }

  /// Offers what was added. What the push queue does not take is watched like the rest, so that an
  /// acknowledgement still makes it unnecessary.
  void flush() {
    for (var push : pushesNow) {
      if (waiting() > 0 || !offer(push.user, push.chat, push.seq)) {
        refuse(watch.add(push.round, push.chat, push.user, push.seq));
      }
    }
    pushesNow.clear();
  }

  private boolean offer(UserId user, ChatId chat, long seq) {
    boolean accepted = queue.offer(user, chat, seq);
    metrics.onPush(accepted);
    if (trace.isOn()) {
      trace.pushed(chat, seq, user, accepted, System.nanoTime());
    }
    return accepted;
  }

  /// What has not been acknowledged within the watch becomes a push intent.
  void expire(long nowMillis) {
    for (var round = watch.oldest();
        round != null && nowMillis - round.since >= ackWatchMillis;
        round = watch.oldest()) {
      watch.stopTime(round);
      var pending = round.first;
      while (pending != null) {
        var next = pending.nextOfRound;
        if (!pending.refused) {
          expire(pending);
        }
        pending = next;
      }
      for (var crowd = round.firstOfCrowds; crowd != null; crowd = crowd.nextOfRound) {
        expire(crowd);
      }
    }
  }

  private void expire(Watch.Pending pending) {
    metrics.onWatchExpired();
    if (waiting() == 0 && offer(pending.member.user, pending.member.chat, pending.seq)) {
      watch.pushed(pending);
    } else {
      refuse(pending);
    }
  }

  private void refuse(Watch.Pending pending) {
    pending.refused = true;
    refused.add(pending);
  }

  private void expire(Crowd.Waiting entry) {
    for (int left = entry.left(); left > 0; left--) {
      metrics.onWatchExpired();
    }
    if (waiting() > 0 || !offer(entry)) {
      refusedToMany.add(new RefusedToMany(entry, entry.left()));
      refusedMembers += entry.left();
    }
  }

  /// Offers the entry to all who have not acknowledged it, until the queue refuses. Whether it took
  /// all.
  private boolean offer(Crowd.Waiting entry) {
    for (int member = entry.next(0); member >= 0; member = entry.next(member + 1)) {
      if (!offer(entry.user(member), entry.chat(), entry.seq)) {
        return false;
      }
      watch.pushed(entry, member);
    }
    return true;
  }

  /// Offers again what was refused, until the queue refuses.
  void retry() {
    for (var push = refused.peek(); push != null; push = refused.peek()) {
      if (!push.isDone()) {
        if (!offer(push.member.user, push.member.chat, push.seq)) {
          return;
        }
        watch.pushed(push);
      }
      refused.remove();
    }
    for (var many = refusedToMany.peek(); many != null; many = refusedToMany.peek()) {
      if (!offer(many.waiting)) {
        return;
      }
      refusedToMany.remove();
      refusedMembers -= many.members;
    }
  }

  /// How many wait for the push queue, at most.
  int waiting() {
    return refused.size() + refusedMembers;
  }
}

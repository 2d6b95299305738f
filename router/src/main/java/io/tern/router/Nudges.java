package io.tern.router;

import io.tern.router.Directory.News;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Who is told, outside the round of an entry, to look into the store: sessions that do not
/// acknowledge, users who were owed a look while the directory was away, and devices that came
/// between a chat's first entry and its place in their list. Each by looking up where they are now,
/// [#LOOKUP_MAX] users at a time.
///
/// Confined to the dispatcher's thread.
final class Nudges {

  /// Users asked about in one lookup.
  private static final int LOOKUP_MAX = 1_024;

  private final Whereabouts whereabouts;
  private final Watch watch;
  private final Outgoing outgoing;
  private final long nudgeAfterMillis;

  /// Of the lookup that is under way.
  private final UserTable users = new UserTable();

  Nudges(Whereabouts whereabouts, Watch watch, Outgoing outgoing, DispatchConfig config) {
    this.whereabouts = whereabouts;
    this.watch = watch;
    this.outgoing = outgoing;
    nudgeAfterMillis = config.nudgeAfter().toMillis();
  }

  /// Those who have not acknowledged for a while, once.
  void slow(long nowMillis) {
    var slow = new ArrayList<News>();
    for (var round = watch.oldest();
        round != null && nowMillis - round.since >= nudgeAfterMillis;
        round = round.next) {
      if (!round.nudged) {
        round.nudged = true;
        for (var pending = round.first; pending != null; pending = pending.nextOfRound) {
          if (pending.member.nudgedAt != nowMillis) {
            pending.member.nudgedAt = nowMillis;
            slow.add(new News(pending.member.user, pending.member.chat));
          }
        }
        for (var crowd = round.firstOfCrowds; crowd != null; crowd = crowd.nextOfRound) {
          addSlow(crowd, nowMillis, slow);
        }
      }
    }
    for (int from = 0; from < slow.size(); from += LOOKUP_MAX) {
      var some = slow.subList(from, Math.min(from + LOOKUP_MAX, slow.size()));
      some.forEach(member -> users.add(member.user()));
      boolean found = whereabouts.find(users);
      for (var member : some) {
        if (found) {
          outgoing.nudge(member.chat(), 0, users.routes(member.user()).sessions(), Set.of());
        } else {
          whereabouts.owe(member.user(), member.chat(), 0, null);
        }
      }
      outgoing.flush();
      users.clear();
    }
  }

  private static void addSlow(Crowd.Waiting waiting, long nowMillis, List<News> slow) {
    for (int member = waiting.next(0); member >= 0; member = waiting.next(member + 1)) {
      if (waiting.crowd().nudge(member, nowMillis)) {
        slow.add(new News(waiting.user(member), waiting.chat()));
      }
    }
  }

  /// What came while the directory did not answer. False: it still does not.
  boolean owed() {
    for (int left = whereabouts.owed(); left > 0; left -= LOOKUP_MAX) {
      var some = whereabouts.some(Math.min(left, LOOKUP_MAX));
      some.keySet().forEach(one -> users.add(one.user()));
      boolean told = whereabouts.find(users) && addNews(some.keySet());
      if (told) {
        some.forEach((one, what) ->
            outgoing.nudge(one.chat(), what.from(), users.routes(one.user()).sessions(), Set.of()));
        outgoing.flush();
        whereabouts.settle(some);
      }
      users.clear();
      if (!told) {
        return false;
      }
    }
    return true;
  }

  /// A device that attached after its chat's first entry was dispatched and before the chat was in
  /// its user's list has found the entry in neither way; it may even have left again.
  void listed(List<Duties.Listed> listed) {
    for (int from = 0; from < listed.size(); from += LOOKUP_MAX) {
      var some = listed.subList(from, Math.min(from + LOOKUP_MAX, listed.size()));
      var news = new LinkedHashSet<News>();
      for (var list : some) {
        users.add(list.command().user());
        news.add(new News(list.command().user(), list.command().chat()));
      }
      if (!whereabouts.find(users) || !addNews(news)) {
        for (var list : some) {
          whereabouts.owe(list.command().user(), list.command().chat(), 0, list.round());
        }
      }
      for (var list : some) {
        outgoing.nudge(
            list.command().chat(),
            0,
            users.routes(list.command().user()).sessions(),
            new HashSet<>(list.served()));
      }
      outgoing.flush();
      users.clear();
    }
  }

  /// Of those who have absent devices. False when the directory did not take them.
  private boolean addNews(Set<News> all) {
    var news = new LinkedHashSet<>(all);
    news.removeIf(one -> !users.routes(one.user()).absentDevices());
    return whereabouts.note(news, users);
  }
}

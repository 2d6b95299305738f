package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.router.Directory.News;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The [Directory] as dispatch uses it: it answers or it does not, and when it does not, nothing
/// fails. Who should have been told of something meanwhile is *owed* a look: when the directory
/// answers again, the chat goes into the news of the user's absent devices, and their sessions are
/// nudged. So a directory that is away costs latency, never an entry.
///
/// Confined to the dispatcher's thread. Bounds: a chat is owed to a user once; how many such pairs
/// there may be is the dispatcher's to say ([Dispatcher#isFull]).
final class Whereabouts {

  private static final Logger LOG = LoggerFactory.getLogger(Whereabouts.class);

  private final Directory directory;
  private final RouterMetrics metrics;
  private final Watch watch;
  private final LinkedHashMap<News, Owed> owed = new LinkedHashMap<>();
  private boolean isAway;

  /// What a member has not been told of in a chat.
  static final class Owed {
    /// From this entry on; 0 = not known.
    private long from;

    /// Their outbox records stay until it is told, over crashes too.
    private final List<Watch.Round> rounds = new ArrayList<>(1);

    long from() {
      return from;
    }
  }

  Whereabouts(Directory directory, RouterMetrics metrics, Watch watch) {
    this.directory = directory;
    this.metrics = metrics;
    this.watch = watch;
  }

  /// Asks for the routes of all of `users`. False: nobody knows where anybody is.
  boolean find(UserTable users) {
    if (users.isEmpty()) {
      return true;
    }
    try {
      long began = System.nanoTime();
      users.lookUp(directory);
      metrics.onLookedUp(System.nanoTime() - began);
      answered();
      return true;
    } catch (RuntimeException e) {
      users.nowhere();
      failed(e);
      return false;
    }
  }

  /// The sessions of one user; none when the directory does not say.
  List<Attachment> sessions(UserId user) {
    try {
      return directory.lookup(List.of(user)).getFirst().sessions();
    } catch (RuntimeException e) {
      failed(e);
      return List.of();
    }
  }

  /// From then on `users` has the routes of the instant at which the news were added: see
  /// [Directory#addNews]. False when that failed; the routes are then those of the lookup.
  boolean note(Collection<News> news, UserTable users) {
    if (news.isEmpty()) {
      return true;
    }
    try {
      directory.addNews(news).forEach(users::correct);
      return true;
    } catch (RuntimeException e) {
      failed(e);
      return false;
    }
  }

  /// The user has not been told of something in the chat.
  ///
  /// @param from the first entry; 0 = not known
  /// @param round is not settled before; null = none
  void owe(UserId user, ChatId chat, long from, Watch.@Nullable Round round) {
    var what = owed.computeIfAbsent(new News(user, chat), one -> new Owed());
    if (from > 0 && (what.from == 0 || from < what.from)) {
      what.from = from;
    }
    if (round != null && (what.rounds.isEmpty() || what.rounds.getLast() != round)) {
      watch.hold(round);
      what.rounds.add(round);
    }
  }

  /// How many are owed something.
  int owed() {
    return owed.size();
  }

  /// Up to `max` of what is owed; each stays owed until [#settle].
  Map<News, Owed> some(int max) {
    var some = new LinkedHashMap<News, Owed>();
    for (var one : owed.entrySet()) {
      if (some.size() == max) {
        break;
      }
      some.put(one.getKey(), one.getValue());
    }
    return some;
  }

  /// These have been told.
  void settle(Map<News, Owed> told) {
    for (var one : told.entrySet()) {
      owed.remove(one.getKey());
      one.getValue().rounds.forEach(watch::release);
    }
  }

  private void failed(RuntimeException e) {
    metrics.onDirectoryFailed();
    if (!isAway) {
      isAway = true;
      LOG.warn("the directory does not answer: entries come late until it does", e);
    }
  }

  private void answered() {
    if (isAway) {
      isAway = false;
      LOG.info("the directory answers again; {} wait to be told", owed.size());
    }
  }
}

package io.tern.router.directory;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import io.tern.router.Directory;
import io.tern.router.EdgeId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// The directory of one process. Any thread may call any method; none blocks for longer than
/// another call takes. A lookup takes no lock.
///
/// A user's routes are one immutable value that is replaced in its bin of the map; news of absent
/// devices are in a second map with one lock. Lock order: bin, then news. A session that comes or
/// goes and news that are added are each one step in the user's bin, so a device is always either
/// connected or has its news kept, and whoever adds news sees which.
///
/// About 110 bytes for an attached user with one device, beside the ids it shares with the session.
public final class MemoryDirectory implements Directory {

  /// How much is remembered of absent devices.
  ///
  /// @param chatsPerDeviceMax news of one device; beyond, they are unknown
  /// @param usersMax users with absent devices; beyond, the one that has been absent longest is
  ///   forgotten
  /// @param chatsMax news of all devices; beyond, the same
  public record Config(int chatsPerDeviceMax, int usersMax, int chatsMax) {

    public static final Config DEFAULT = new Config(128, 200_000, 1_000_000);

    public Config {
      atLeastOne("chatsPerDeviceMax", chatsPerDeviceMax);
      atLeastOne("usersMax", usersMax);
      atLeastOne("chatsMax", chatsMax);
    }

    private static void atLeastOne(String key, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(key + " is " + value + "; it must be at least 1");
      }
    }
  }

  private static final Routes ONLY_ABSENT = new Routes(List.of(), List.of(), true);

  private final Config config;
  private final AtomicLong epoch;
  private final ConcurrentHashMap<UserId, Routes> routes = new ConcurrentHashMap<>();

  /// Users with a session, and those with one that is active: changed in the user's bin.
  private final LongAdder usersConnected = new LongAdder();

  private final LongAdder usersActive = new LongAdder();

  /// By user, the one that has been absent longest first. Its own lock.
  private final LinkedHashMap<UserId, List<Absent>> absent = new LinkedHashMap<>();

  /// News in [#absent], under its lock.
  private int chats;

  /// One device that is not connected, and its news. Under the lock of [#absent].
  private record Absent(int device, Set<ChatId> news) {}

  /// @param firstEpoch of the first session; above any epoch of an earlier life
  public MemoryDirectory(Config config, long firstEpoch) {
    this.config = config;
    epoch = new AtomicLong(firstEpoch - 1);
  }

  @Override
  public CompletableFuture<Attached> attach(
      DeviceId device, EdgeId edge, long session, boolean active) {
    var user = device.user();
    var attached = new Attached[1];
    routes.compute(
        user,
        (key, was) -> {
          var now = new Attachment(device, edge, session, epoch.incrementAndGet());
          if (was == null) {
            attached[0] = new Attached(now, null, null);
            return counted(
                Routes.NONE, routes(key, List.of(now), active ? List.of(now) : List.of()));
          }
          var replaced = sessionOf(was, device.index());
          var news = was.absentDevices() ? takeNews(user, device.index()) : null;
          // A session that was replaced without a detach may have left anything unacknowledged.
          attached[0] = new Attached(now, replaced, replaced == null ? news : null);
          var others = without(was.active(), replaced);
          return counted(
              was,
              routes(
                  key,
                  with(without(was.sessions(), replaced), now),
                  active ? with(others, now) : others));
        });
    return CompletableFuture.completedFuture(Objects.requireNonNull(attached[0]));
  }

  @Override
  public void setActive(Attachment attachment, boolean active) {
    routes.computeIfPresent(
        attachment.device().user(),
        (user, was) -> {
          if (!was.sessions().contains(attachment) || was.active().contains(attachment) == active) {
            return was;
          }
          return counted(
              was,
              routes(
                  user,
                  was.sessions(),
                  active ? with(was.active(), attachment) : without(was.active(), attachment)));
        });
  }

  @Override
  public void detach(Attachment attachment, @Nullable Set<ChatId> due) {
    var device = attachment.device();
    routes.computeIfPresent(
        device.user(),
        (user, was) -> {
          var current = sessionOf(was, device.index());
          if (current == null || current.epoch() != attachment.epoch()) {
            return was;
          }
          if (due != null && due.size() <= config.chatsPerDeviceMax()) {
            keepNews(user, device.index(), due);
          }
          return counted(
              was, routes(user, without(was.sessions(), current), without(was.active(), current)));
        });
    forgetBeyondBounds();
  }

  @Override
  public List<Routes> lookup(List<UserId> users) {
    var found = new Routes[users.size()];
    for (int i = 0; i < found.length; i++) {
      found[i] = routes.getOrDefault(users.get(i), Routes.NONE);
    }
    return List.of(found);
  }

  @Override
  public Map<UserId, Routes> addNews(Collection<News> news) {
    var byUser = new HashMap<UserId, List<ChatId>>();
    for (var piece : news) {
      byUser.computeIfAbsent(piece.user(), user -> new ArrayList<>(1)).add(piece.chat());
    }
    var found = new HashMap<UserId, Routes>();
    byUser.forEach((user, chats) -> {
      var now =
          routes.computeIfPresent(
              user,
              (key, was) -> {
                if (!was.absentDevices()) {
                  return was;
                }
                addNews(key, chats);
                return routes(key, was.sessions(), was.active());
              });
      found.put(user, now == null ? Routes.NONE : now);
    });
    forgetBeyondBounds();
    return found;
  }

  /// Users with a session or with news.
  public int users() {
    return routes.size();
  }

  /// Users with a session.
  public int connected() {
    return usersConnected.intValue();
  }

  /// Users with a session that is active: who are online for others.
  public int active() {
    return usersActive.intValue();
  }

  /// `now`, which follows `was`, with the counts right. Called in the user's bin.
  private @Nullable Routes counted(Routes was, @Nullable Routes now) {
    Routes next = now == null ? Routes.NONE : now;
    usersConnected.add(one(!next.sessions().isEmpty()) - one(!was.sessions().isEmpty()));
    usersActive.add(one(next.isOnline()) - one(was.isOnline()));
    return now;
  }

  private static int one(boolean is) {
    return is ? 1 : 0;
  }

  private void addNews(UserId user, List<ChatId> added) {
    synchronized (absent) {
      var devices = absent.get(user);
      if (devices == null) {
        return;
      }
      for (int i = devices.size() - 1; i >= 0; i--) {
        var news = devices.get(i).news;
        int before = news.size();
        news.addAll(added);
        chats += news.size() - before;
        if (news.size() > config.chatsPerDeviceMax()) {
          devices.remove(i);
          chats -= news.size();
        }
      }
      if (devices.isEmpty()) {
        absent.remove(user);
      }
    }
  }

  private @Nullable Set<ChatId> takeNews(UserId user, int device) {
    synchronized (absent) {
      var devices = absent.get(user);
      if (devices == null) {
        return null;
      }
      for (int i = 0; i < devices.size(); i++) {
        if (devices.get(i).device == device) {
          var news = devices.remove(i).news;
          chats -= news.size();
          if (devices.isEmpty()) {
            absent.remove(user);
          }
          return news;
        }
      }
      return null;
    }
  }

  private void keepNews(UserId user, int device, Set<ChatId> due) {
    synchronized (absent) {
      takeNews(user, device);
      // Back at the end: this user is the last to have gone.
      var devices = absent.remove(user);
      if (devices == null) {
        devices = new ArrayList<>(1);
      }
      devices.add(new Absent(device, due.isEmpty() ? new HashSet<>(4) : new HashSet<>(due)));
      chats += due.size();
      absent.put(user, devices);
    }
  }

  private void forgetBeyondBounds() {
    while (true) {
      UserId longest;
      synchronized (absent) {
        if (absent.size() <= config.usersMax() && chats <= config.chatsMax()) {
          return;
        }
        Map.Entry<UserId, List<Absent>> eldest = absent.firstEntry();
        longest = eldest.getKey();
        for (var device : eldest.getValue()) {
          chats -= device.news.size();
        }
        absent.remove(longest);
      }
      routes.computeIfPresent(longest, (user, was) -> routes(user, was.sessions(), was.active()));
    }
  }

  /// The value for a user with `sessions`, null when there is nothing to keep. Called in the user's
  /// bin.
  private @Nullable Routes routes(UserId user, List<Attachment> sessions, List<Attachment> active) {
    boolean hasAbsent;
    synchronized (absent) {
      hasAbsent = absent.containsKey(user);
    }
    if (sessions.isEmpty()) {
      return hasAbsent ? ONLY_ABSENT : null;
    }
    // Mostly the same ones: one list for both.
    return new Routes(sessions, active.size() == sessions.size() ? sessions : active, hasAbsent);
  }

  private static @Nullable Attachment sessionOf(Routes routes, int device) {
    for (var session : routes.sessions()) {
      if (session.device().index() == device) {
        return session;
      }
    }
    return null;
  }

  private static List<Attachment> without(List<Attachment> sessions, @Nullable Attachment session) {
    if (session == null || !sessions.contains(session)) {
      return sessions;
    }
    if (sessions.size() == 1) {
      return List.of();
    }
    var rest = new ArrayList<Attachment>(sessions);
    rest.remove(session);
    return List.copyOf(rest);
  }

  private static List<Attachment> with(List<Attachment> sessions, Attachment session) {
    if (sessions.isEmpty()) {
      return List.of(session);
    }
    var all = new ArrayList<Attachment>(sessions);
    all.add(session);
    return List.copyOf(all);
  }
}

package io.tern.edge.session;

import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Setting;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.router.Directory;
import io.tern.router.EdgeId;
import io.tern.router.Readers;
import io.tern.router.presence.PresenceHub;
import io.tern.router.presence.PresenceHub.Topic;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// Tells those who watch when a user of this edge has come or gone, and when what they may see has
/// changed. One for the edge; any thread may call any method; none blocks.
///
/// Coming and going are looked at together, once a second at most: whoever has come is online at
/// the next [#tick], whoever has gone is looked for after [#GRACE_NANOS], so that a reconnect does
/// not flicker. What is told is what the directory says then, so a change that was taken back costs
/// a look and no frame. A session counts while a person looks at it, and to put it in the
/// background is to go.
///
/// Bounds: [#USERS_MAX] users wait; beyond, a change is not told (counted), and the watchers learn
/// it when they watch again.
public final class PresenceDesk {

  static final int USERS_MAX = 100_000;

  /// From the last that a user looked at a session to "offline".
  static final long GRACE_NANOS = 5_000_000_000L;

  /// Users in one question to a reader.
  private static final int PAGE_USERS = 512;

  private static final long AGAIN_NANOS = 1_000_000_000L;

  private final PresenceHub hub;
  private final Directory directory;
  private final Readers readers;
  private final Relay relay;
  private final Counters counters;

  /// When each user is to be looked at.
  private final ConcurrentHashMap<UserId, Long> due = new ConcurrentHashMap<>();

  /// Roughly the size of [#due], which counts its bins for every answer.
  private final AtomicInteger waiting = new AtomicInteger();

  /// What a reader found of a user somebody watches.
  private record Found(
      UserId user, boolean online, long lastSeenMillis, List<Attachment> watchers) {}

  public PresenceDesk(
      PresenceHub hub, Directory directory, Readers readers, Relay relay, Counters counters) {
    this.hub = hub;
    this.directory = directory;
    this.readers = readers;
    this.relay = relay;
    this.counters = counters;
  }

  PresenceHub hub() {
    return hub;
  }

  /// A session of the user has come up, or to the front.
  void arrived(UserId user, long now) {
    lookAt(user, now);
  }

  /// A session of the user has ended, or gone to the background.
  void left(UserId user, long now) {
    lookAt(user, now + GRACE_NANOS);
  }

  private void lookAt(UserId user, long at) {
    if (waiting.get() >= USERS_MAX) {
      counters.add(Count.PRESENCE_DROPPED);
    } else if (due.put(user, at) == null) {
      waiting.incrementAndGet();
    }
  }

  /// Looks at whoever is due; about once a second, on any one thread.
  public void tick(long now) {
    if (due.isEmpty()) {
      return;
    }
    var page = new ArrayList<UserId>();
    for (Map.Entry<UserId, Long> entry : due.entrySet()) {
      if (now - entry.getValue() >= 0 && due.remove(entry.getKey(), entry.getValue())) {
        waiting.decrementAndGet();
        page.add(entry.getKey());
        if (page.size() == PAGE_USERS) {
          look(page, now);
          page = new ArrayList<>();
        }
      }
    }
    if (!page.isEmpty()) {
      look(page, now);
    }
  }

  private void look(List<UserId> users, long now) {
    boolean asked =
        readers.<List<Found>>ask(
            shards -> find(shards, users),
            found -> found.forEach(this::tell),
            failure -> again(users, now));
    if (!asked) {
      again(users, now);
    }
  }

  private void again(List<UserId> users, long now) {
    for (UserId user : users) {
      if (waiting.get() < USERS_MAX && due.putIfAbsent(user, now + AGAIN_NANOS) == null) {
        waiting.incrementAndGet();
      }
    }
  }

  /// On a reader.
  private List<Found> find(Readers.Shards shards, List<UserId> users) {
    List<List<Attachment>> watchers = hub.watchers(users.stream().map(Topic::of).toList());
    var watched = new ArrayList<UserId>();
    var by = new ArrayList<List<Attachment>>();
    for (int i = 0; i < users.size(); i++) {
      if (!watchers.get(i).isEmpty()) {
        watched.add(users.get(i));
        by.add(watchers.get(i));
      }
    }
    if (watched.isEmpty()) {
      return List.of();
    }
    var found = new ArrayList<Found>();
    List<Directory.Routes> routes = directory.lookup(watched);
    for (int i = 0; i < watched.size(); i++) {
      UserId user = watched.get(i);
      boolean online = routes.get(i).isOnline();
      long lastSeen = Reads.lastSeen(shards.of(Slots.of(user)), user);
      found.add(new Found(user, online, lastSeen, by.get(i)));
    }
    return found;
  }

  private void tell(Found found) {
    byEdge(found.watchers)
        .forEach((edge, sessions) ->
            relay.tell(
                edge,
                new Delivery.Presence(
                    found.user, found.online, found.lastSeenMillis, false, sessions)));
  }

  /// What `settings` of `user` change for those who watch the user, and for what the user watches:
  /// completes when no watch that they end is told anything any more.
  CompletableFuture<Void> settingsChanged(UserId user, List<Setting> settings) {
    var lapses = new ArrayList<CompletableFuture<Void>>();
    for (Setting setting : settings) {
      switch (setting.getWhatCase()) {
        case PRIVACY -> lapses.add(lapse(user, null));
        case BLOCK -> lapseBetween(user, setting.getBlock().getUser(), lapses);
        case CONTACT -> lapseBetween(user, setting.getContact().getUser(), lapses);
        case CHAT, STAR, HIDE, WHAT_NOT_SET -> {}
      }
    }
    return CompletableFuture.allOf(lapses.toArray(CompletableFuture[]::new));
  }

  private void lapseBetween(UserId user, long other, List<CompletableFuture<Void>> lapses) {
    if (UserId.isValid(other)) {
      lapses.add(lapse(user, new UserId(other)));
      lapses.add(lapse(new UserId(other), user));
    }
  }

  private CompletableFuture<Void> lapse(UserId watched, @Nullable UserId by) {
    return hub.lapse(Topic.of(watched), by)
        .thenAccept(sessions ->
            byEdge(sessions)
                .forEach((edge, those) ->
                    relay.tell(edge, new Delivery.Presence(watched, false, 0, true, those))));
  }

  /// One list for each edge, to be told with one message.
  static Map<EdgeId, List<Attachment>> byEdge(List<Attachment> sessions) {
    var byEdge = new LinkedHashMap<EdgeId, List<Attachment>>();
    for (Attachment session : sessions) {
      byEdge.computeIfAbsent(session.edge(), e -> new ArrayList<>(2)).add(session);
    }
    return byEdge;
  }
}

package io.tern.router.presence;

import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// The hub of one process. Any thread may call any method; none blocks for longer than another call
/// takes, and [#watchers] takes no lock.
///
/// A topic's watchers are one immutable list that is replaced in its bin of the map; what each
/// session watches is in a second map with one lock, in the order of the last renewal. Lock order:
/// that lock, then bin.
///
/// About 100 bytes a watch.
public final class MemoryPresenceHub implements PresenceHub {

  /// Watches of all sessions, unless said otherwise: about 100 MB.
  public static final int WATCHES_MAX = 1_000_000;

  private final int watchesMax;
  private final LongSupplier millis;
  private final ConcurrentHashMap<Topic, List<Watch>> byTopic = new ConcurrentHashMap<>();

  /// By session, the one that renewed longest ago first. Its own lock, which also guards `watches`.
  private final LinkedHashMap<Attachment, Lease> leases = new LinkedHashMap<>();

  private int watches;

  private record Watch(Attachment session, long untilMillis) {}

  private record Lease(List<Topic> topics, long untilMillis) {}

  /// @param millis a clock that never goes back
  public MemoryPresenceHub(int watchesMax, LongSupplier millis) {
    if (watchesMax < 1) {
      throw new IllegalArgumentException("watchesMax is " + watchesMax + "; it must be at least 1");
    }
    this.watchesMax = watchesMax;
    this.millis = millis;
  }

  @Override
  public void watch(Attachment session, List<Topic> topics, Duration lease) {
    long now = millis.getAsLong();
    synchronized (leases) {
      forget(session, leases.remove(session));
      if (!topics.isEmpty()) {
        long until = now + lease.toMillis();
        leases.put(session, new Lease(List.copyOf(topics), until));
        watches += topics.size();
        var watch = new Watch(session, until);
        for (Topic topic : topics) {
          byTopic.compute(topic, (key, was) -> with(was, watch));
        }
      }
      while (!leases.isEmpty()) {
        Map.Entry<Attachment, Lease> eldest = leases.firstEntry();
        if (eldest.getValue().untilMillis > now && watches <= watchesMax) {
          break;
        }
        leases.remove(eldest.getKey());
        forget(eldest.getKey(), eldest.getValue());
      }
    }
  }

  @Override
  public List<List<Attachment>> watchers(List<Topic> topics) {
    long now = millis.getAsLong();
    var found = new ArrayList<List<Attachment>>(topics.size());
    for (Topic topic : topics) {
      List<Watch> watches = byTopic.get(topic);
      if (watches == null) {
        found.add(List.of());
        continue;
      }
      var sessions = new ArrayList<Attachment>(watches.size());
      for (Watch watch : watches) {
        if (watch.untilMillis > now) {
          sessions.add(watch.session);
        }
      }
      found.add(sessions);
    }
    return found;
  }

  @Override
  public CompletableFuture<List<Attachment>> lapse(Topic topic, @Nullable UserId by) {
    List<Attachment> lapsed;
    synchronized (leases) {
      lapsed =
          byTopic.getOrDefault(topic, List.of()).stream()
              .map(Watch::session)
              .filter(session -> by == null || session.device().user().equals(by))
              .toList();
      remove(topic, Set.copyOf(lapsed));
      watches -= lapsed.size();
      for (Attachment session : lapsed) {
        // In its place: this is no renewal.
        leases.computeIfPresent(
            session,
            (key, lease) -> {
              var rest = new ArrayList<Topic>(lease.topics);
              rest.remove(topic);
              return rest.isEmpty() ? null : new Lease(List.copyOf(rest), lease.untilMillis);
            });
      }
    }
    return CompletableFuture.completedFuture(lapsed);
  }

  /// Watches that are kept, ended ones included until somebody watches again.
  public int watches() {
    synchronized (leases) {
      return watches;
    }
  }

  /// Under the lock.
  private void forget(Attachment session, @Nullable Lease lease) {
    if (lease != null) {
      watches -= lease.topics.size();
      for (Topic topic : lease.topics) {
        remove(topic, Set.of(session));
      }
    }
  }

  private void remove(Topic topic, Set<Attachment> sessions) {
    byTopic.computeIfPresent(
        topic,
        (key, was) -> {
          var rest = new ArrayList<Watch>(was.size());
          for (Watch watch : was) {
            if (!sessions.contains(watch.session)) {
              rest.add(watch);
            }
          }
          return rest.isEmpty() ? null : List.copyOf(rest);
        });
  }

  private static List<Watch> with(@Nullable List<Watch> was, Watch watch) {
    if (was == null) {
      return List.of(watch);
    }
    var all = new ArrayList<Watch>(was.size() + 1);
    all.addAll(was);
    all.add(watch);
    return List.copyOf(all);
  }
}

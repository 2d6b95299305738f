package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.router.EdgeId;
import io.tern.router.Readers;
import io.tern.router.directory.MemoryDirectory;
import io.tern.router.presence.MemoryPresenceHub;
import io.tern.router.presence.PresenceHub.Topic;
import io.tern.store.memory.MemoryStorage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Who is told of coming and going, without sessions.
class PresenceDeskTest {

  private static final EdgeId HERE = new EdgeId("here", 1);
  private static final EdgeId THERE = new EdgeId("there", 1);
  private static final UserId BOB = new UserId(2_002);
  private static final Duration LEASE = Duration.ofMinutes(10);

  private record Told(EdgeId edge, Delivery.Presence presence) {}

  private final Counters counters = new Counters();
  private final MemoryDirectory directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
  private final MemoryPresenceHub hub = new MemoryPresenceHub(1_000, () -> 0);
  private final MemoryStorage storage = new MemoryStorage();
  private final List<Told> told = new ArrayList<>();
  private boolean readersAreFull;
  private int questions;

  private final PresenceDesk desk =
      new PresenceDesk(
          hub,
          directory,
          new Readers() {
            @Override
            public <T> boolean ask(
                Function<Shards, T> question,
                Consumer<? super T> then,
                Consumer<Throwable> failed) {
              if (readersAreFull) {
                return false;
              }
              questions++;
              then.accept(question.apply(slot -> storage));
              return true;
            }

            @Override
            public <T> @Nullable T fromMemory(Function<Shards, T> question) {
              return null;
            }
          },
          (edge, delivery) -> told.add(new Told(edge, (Delivery.Presence) delivery)),
          counters);

  private static Attachment watcher(long user, EdgeId edge) {
    return new Attachment(new DeviceId(new UserId(user), 1), edge, user, user);
  }

  private static long seconds(long seconds) {
    return seconds * 1_000_000_000L;
  }

  @Test
  void allWatchersOfAnEdgeAreToldWithOneMessage() {
    var one = watcher(1, HERE);
    var two = watcher(2, HERE);
    var far = watcher(3, THERE);
    for (var session : List.of(one, two, far)) {
      hub.watch(session, List.of(Topic.of(BOB)), LEASE);
    }
    directory.attach(new DeviceId(BOB, 1), HERE, 9, true);
    desk.arrived(BOB, seconds(1));
    assertThat(told).as("coalesced").isEmpty();
    desk.tick(seconds(1));

    assertThat(told)
        .containsExactlyInAnyOrder(
            new Told(HERE, new Delivery.Presence(BOB, true, 0, false, List.of(one, two))),
            new Told(THERE, new Delivery.Presence(BOB, true, 0, false, List.of(far))));
    desk.tick(seconds(2));
    assertThat(told).hasSize(2);
  }

  @Test
  void manyWhoComeTogetherCostFewQuestionsAndNobodyIsAskedAboutTwice() {
    for (int i = 1; i <= 1_100; i++) {
      desk.arrived(new UserId(i), seconds(1));
      desk.arrived(new UserId(i), seconds(1));
    }
    desk.tick(seconds(1));
    assertThat(questions).isEqualTo(3);
    assertThat(told).isEmpty();
  }

  @Test
  void whatReadersHaveNoPlaceForIsLookedAtAgain() {
    hub.watch(watcher(1, HERE), List.of(Topic.of(BOB)), LEASE);
    readersAreFull = true;
    desk.left(BOB, seconds(1));
    desk.tick(seconds(6));
    assertThat(told).isEmpty();
    readersAreFull = false;
    desk.tick(seconds(7));
    assertThat(told).hasSize(1);
  }

  @Test
  void beyondTheBoundAChangeIsNotToldAndCounted() {
    for (int i = 1; i <= PresenceDesk.USERS_MAX + 5; i++) {
      desk.left(new UserId(i), seconds(1));
    }
    assertThat(counters.get(Count.PRESENCE_DROPPED)).isEqualTo(5);
    desk.tick(seconds(6));
    desk.arrived(BOB, seconds(6));
    assertThat(counters.get(Count.PRESENCE_DROPPED)).isEqualTo(5);
  }
}

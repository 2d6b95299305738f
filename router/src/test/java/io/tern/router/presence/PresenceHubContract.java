package io.tern.router.presence;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import io.tern.router.EdgeId;
import io.tern.router.presence.PresenceHub.Topic;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What every [PresenceHub] must do. A subclass per implementation.
abstract class PresenceHubContract {

  protected static final EdgeId EDGE = new EdgeId("edge", 1);
  protected static final Duration LEASE = Duration.ofMinutes(10);
  protected static final UserId ALICE = new UserId(11);
  protected static final UserId BOB = new UserId(22);
  protected static final Topic OF_ALICE = Topic.of(ALICE);
  protected static final Topic OF_BOB = Topic.of(BOB);
  protected static final Topic OF_GROUP = Topic.ofGroup(ChatId.group(11));

  protected PresenceHub hub;

  /// An empty hub that keeps `watchesMax` watches.
  abstract PresenceHub create(int watchesMax);

  /// Lets so much time pass for the hub.
  abstract void pass(Duration time);

  @BeforeEach
  void createHub() {
    hub = create(1_000);
  }

  protected static Attachment session(UserId user, long number) {
    return new Attachment(new DeviceId(user, 1), EDGE, number, number);
  }

  protected List<Attachment> watchers(Topic topic) {
    return hub.watchers(List.of(topic)).getFirst();
  }

  @Test
  void aWatcherIsFoundUnderEachTopicAndUnderNoOther() {
    var bob = session(BOB, 1);
    hub.watch(bob, List.of(OF_ALICE, OF_GROUP), LEASE);

    assertThat(hub.watchers(List.of(OF_BOB, OF_GROUP, OF_ALICE)))
        .containsExactly(List.of(), List.of(bob), List.of(bob));
  }

  @Test
  void aUserAndAGroupOfTheSameNumberAreTwoTopics() {
    hub.watch(session(BOB, 1), List.of(OF_GROUP), LEASE);
    assertThat(watchers(OF_ALICE)).isEmpty();
  }

  @Test
  void watchingAgainReplacesWhatWasWatched() {
    var bob = session(BOB, 1);
    hub.watch(bob, List.of(OF_ALICE, OF_BOB), LEASE);
    hub.watch(bob, List.of(OF_BOB, OF_GROUP), LEASE);

    assertThat(watchers(OF_ALICE)).isEmpty();
    assertThat(watchers(OF_BOB)).containsExactly(bob);
    assertThat(watchers(OF_GROUP)).containsExactly(bob);
  }

  @Test
  void aSessionThatEndsWatchesNothingAndOthersStay() {
    var bob = session(BOB, 1);
    var other = session(BOB, 2);
    hub.watch(bob, List.of(OF_ALICE), LEASE);
    hub.watch(other, List.of(OF_ALICE), LEASE);
    hub.drop(bob);
    hub.drop(bob);

    assertThat(watchers(OF_ALICE)).containsExactly(other);
  }

  @Test
  void aWatchEndsWithItsLeaseUnlessItIsRenewed() {
    var bob = session(BOB, 1);
    var other = session(BOB, 2);
    hub.watch(bob, List.of(OF_ALICE), LEASE);
    hub.watch(other, List.of(OF_ALICE), LEASE);
    pass(LEASE.minusSeconds(1));
    assertThat(watchers(OF_ALICE)).containsExactlyInAnyOrder(bob, other);
    hub.watch(other, List.of(OF_ALICE), LEASE);
    pass(Duration.ofSeconds(2));

    assertThat(watchers(OF_ALICE)).containsExactly(other);
  }

  @Test
  void aLapseOfOneUserEndsTheirWatchesOfThatTopicOnly() {
    var phone = session(BOB, 1);
    var laptop = new Attachment(new DeviceId(BOB, 2), EDGE, 2, 2);
    var carol = session(new UserId(33), 3);
    for (var session : List.of(phone, laptop, carol)) {
      hub.watch(session, List.of(OF_ALICE, OF_GROUP), LEASE);
    }

    assertThat(hub.lapse(OF_ALICE, BOB).join()).containsExactlyInAnyOrder(phone, laptop);
    assertThat(watchers(OF_ALICE)).containsExactly(carol);
    assertThat(watchers(OF_GROUP)).containsExactlyInAnyOrder(phone, laptop, carol);
    assertThat(hub.lapse(OF_ALICE, BOB).join()).isEmpty();
  }

  @Test
  void aLapseForEveryoneEndsAllAndTheyMayWatchAgain() {
    var bob = session(BOB, 1);
    hub.watch(bob, List.of(OF_ALICE), LEASE);
    assertThat(hub.lapse(OF_ALICE, null).join()).containsExactly(bob);
    assertThat(watchers(OF_ALICE)).isEmpty();

    hub.watch(bob, List.of(OF_ALICE), LEASE);
    assertThat(watchers(OF_ALICE)).containsExactly(bob);
  }

  @Test
  void beyondTheBoundTheWatchesRenewedLongestAgoEnd() {
    hub = create(4);
    var first = session(BOB, 1);
    var second = session(BOB, 2);
    hub.watch(first, List.of(OF_ALICE, OF_GROUP), LEASE);
    hub.watch(second, List.of(OF_ALICE, OF_GROUP), LEASE);
    hub.watch(first, List.of(OF_ALICE, OF_GROUP), LEASE);
    var third = session(BOB, 3);
    hub.watch(third, List.of(OF_ALICE), LEASE);

    assertThat(watchers(OF_ALICE)).containsExactlyInAnyOrder(first, third);
    assertThat(watchers(OF_GROUP)).containsExactly(first);
  }

  @Test
  void itDoesWhatAModelDoes() {
    long seed = 20261124;
    var random = new Random(seed);
    Map<Attachment, Set<Topic>> model = new HashMap<>();
    var sessions = new ArrayList<Attachment>();
    for (int i = 0; i < 12; i++) {
      sessions.add(session(new UserId(1 + i % 4), i));
    }
    var topics = List.of(OF_ALICE, OF_BOB, OF_GROUP, Topic.of(new UserId(33)));
    for (int step = 0; step < 5_000; step++) {
      var session = sessions.get(random.nextInt(sessions.size()));
      switch (random.nextInt(4)) {
        case 0 -> {
          hub.drop(session);
          model.remove(session);
        }
        case 1 -> {
          var topic = topics.get(random.nextInt(topics.size()));
          var by = random.nextBoolean() ? null : session.device().user();
          Set<Attachment> lapsed = new HashSet<>();
          model.forEach((watcher, watched) -> {
            if ((by == null || watcher.device().user().equals(by)) && watched.remove(topic)) {
              lapsed.add(watcher);
            }
          });
          assertThat(hub.lapse(topic, by).join())
              .as("seed %d, step %d", seed, step)
              .containsExactlyInAnyOrderElementsOf(lapsed);
        }
        default -> {
          Set<Topic> some = new HashSet<>();
          topics.forEach(topic -> {
            if (random.nextBoolean()) {
              some.add(topic);
            }
          });
          hub.watch(session, List.copyOf(some), LEASE);
          model.put(session, some);
        }
      }
      for (Topic topic : topics) {
        Set<Attachment> expected = new HashSet<>();
        model.forEach((watcher, watched) -> {
          if (watched.contains(topic)) {
            expected.add(watcher);
          }
        });
        assertThat(watchers(topic))
            .as("seed %d, step %d", seed, step)
            .containsExactlyInAnyOrderElementsOf(expected);
      }
    }
  }

  @Test
  void threadsThatWatchAndDropLeaveNothingBehind() throws InterruptedException {
    int threads = 4;
    var failure = new AtomicReference<Throwable>();
    var done = new CountDownLatch(threads);
    for (int t = 0; t < threads; t++) {
      int thread = t;
      Thread.ofPlatform()
          .start(() -> {
            try {
              for (int i = 0; i < 1_000; i++) {
                var session = session(BOB, thread * 10_000L + i);
                hub.watch(session, List.of(OF_ALICE, OF_GROUP), LEASE);
                assertThat(watchers(OF_ALICE)).contains(session);
                if (i % 2 == 0) {
                  hub.lapse(OF_GROUP, new UserId(99)).join();
                }
                hub.drop(session);
              }
            } catch (Throwable e) {
              failure.set(e);
            } finally {
              done.countDown();
            }
          });
    }
    assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(failure.get()).isNull();
    assertThat(watchers(OF_ALICE)).isEmpty();
    assertThat(watchers(OF_GROUP)).isEmpty();
  }
}

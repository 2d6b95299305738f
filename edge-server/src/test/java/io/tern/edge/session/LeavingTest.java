package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import io.tern.edge.metrics.Count;
import io.tern.protocol.FrameType;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// How sessions are told to leave, tick by tick.
class LeavingTest {

  private static final Duration GRACE = Duration.ofSeconds(5);
  private static final long TICK = TimeUnit.MILLISECONDS.toNanos(50);

  private static Leaving leaving(SessionWorld world) {
    var leaving = new Leaving(world.drain, world.table);
    world.drain.runBy(List.of(leaving), () -> {});
    return leaving;
  }

  private static List<FrameType> types(SessionWorld world) {
    return world.out.stream().map(FakeHost.Out::type).toList();
  }

  @Test
  void aLoginThatWasUnderWayComesUpAndIsTold() {
    var world = new SessionWorld();
    Leaving leaving = leaving(world);
    world.input(SessionWorld.preface(), SessionWorld.hello());
    world.drain.begin(Duration.ZERO, GRACE);
    world.now += TimeUnit.SECONDS.toNanos(1);
    assertThat(leaving.tick(world.now)).isTrue();
    assertThat(world.drain.progress().state()).isEqualTo(Drain.State.DRAINING);

    world.enrolled();
    world.settle();
    assertThat(world.session.isLive()).isTrue();
    world.out.clear();
    assertThat(leaving.tick(world.now)).isTrue();
    assertThat(types(world)).containsExactly(FrameType.GOAWAY);
    assertThat(world.session.isLive()).isTrue();

    world.now += GRACE.toNanos();
    assertThat(leaving.tick(world.now)).isFalse();
    assertThat(world.session.isLive()).isFalse();
    assertThat(world.drain.progress().state()).isEqualTo(Drain.State.DRAINED);
  }

  @Test
  void whoLeavesBeforeTheEndOfTheGraceIsNotClosed() {
    var world = SessionWorld.live();
    Leaving leaving = leaving(world);
    world.drain.begin(Duration.ZERO, GRACE);
    world.now += TimeUnit.SECONDS.toNanos(1);
    leaving.tick(world.now);
    world.session.onClosed();
    world.table.remove(world.session);

    assertThat(leaving.tick(world.now)).isFalse();
    Drain.Progress end = world.drain.progress();
    assertThat(end.state()).isEqualTo(Drain.State.DRAINED);
    assertThat(end.left()).isEqualTo(1);
    assertThat(end.closed()).isZero();
    assertThat(end.remaining()).isZero();
  }

  @Test
  void aCancelledDrainClosesNobody() {
    var world = SessionWorld.live();
    Leaving leaving = leaving(world);
    world.drain.begin(Duration.ZERO, GRACE);
    world.now += TimeUnit.SECONDS.toNanos(1);
    leaving.tick(world.now);
    world.drain.cancel();

    world.now += GRACE.toNanos() + 1;
    assertThat(leaving.tick(world.now)).isFalse();
    assertThat(world.session.isLive()).isTrue();
  }

  @Test
  void thePaceIsSessionsOverTheTimeAndNeverMoreThanTheMaximum() {
    assertPace(Duration.ofSeconds(10), 1_000, 10_000);
    assertPace(Duration.ofSeconds(1), 50, 20_000);
    assertPace(Duration.ZERO, 50, 20_000);
  }

  @Test
  void howLongADrainTakesAtTheLongestFollowsFromItsPace() {
    // 1,000 sessions, told at 100, 50, 50 a second.
    assertLongest(1_000, Duration.ofSeconds(10), 1_000, Duration.ofSeconds(10));
    assertLongest(1_000, Duration.ofSeconds(1), 50, Duration.ofSeconds(20));
    assertLongest(1_000, Duration.ZERO, 50, Duration.ofSeconds(20));
    // A few are told one a second, whatever time there is.
    assertLongest(3, Duration.ofHours(1), 50, Duration.ofSeconds(3));
    assertLongest(0, Duration.ofHours(1), 50, Duration.ZERO);
  }

  private static void assertLongest(long sessions, Duration over, int rateMax, Duration telling) {
    var world = new SessionWorld("drain.rate-max=" + rateMax);
    assertThat(world.drain.longest()).isZero();
    world.counters.add(Count.HELLOS, sessions);
    world.drain.begin(over, GRACE);
    assertThat(world.drain.longest()).isEqualTo(telling.plus(GRACE).plusSeconds(1));
    // Those who have left need not be told.
    world.counters.add(Count.SESSIONS_ENDED, sessions);
    assertThat(world.drain.longest()).isEqualTo(GRACE.plusSeconds(1));
    world.drain.cancel();
    assertThat(world.drain.longest()).isZero();
  }

  @Test
  void anEdgeThatIsAboutToEndGoesOnFasterWithTheDrainUnderWayAndNeverSlower() {
    var world = new SessionWorld("drain.rate-max=50");
    world.counters.add(Count.HELLOS, 1_000);
    world.drain.begin(Duration.ofSeconds(1_000), GRACE);
    assertThat(world.drain.progress().rate()).isEqualTo(1);
    world.drain.beginLast(Duration.ofSeconds(100), Duration.ZERO);
    assertThat(world.drain.progress().rate()).isEqualTo(10);
    assertThat(world.drain.progress().grace()).isEqualTo(GRACE);
    assertThat(world.drain.longest()).isEqualTo(Duration.ofSeconds(100).plus(GRACE).plusSeconds(1));
    world.drain.beginLast(Duration.ofSeconds(500), Duration.ZERO);
    assertThat(world.drain.progress().rate()).isEqualTo(10);
    world.drain.beginLast(Duration.ZERO, Duration.ZERO);
    assertThat(world.drain.progress().rate()).isEqualTo(50);
  }

  private static void assertPace(Duration over, int rateMax, long millis) {
    var world = new SessionWorld("drain.rate-max=" + rateMax);
    world.counters.add(Count.HELLOS, 1_000);
    world.drain.begin(over, GRACE);
    long began = world.now;
    for (int told = 0; told < 1_000; ) {
      world.now += TICK;
      while (world.drain.tellsOne(world.now)) {
        told++;
      }
    }
    assertThat(TimeUnit.NANOSECONDS.toMillis(world.now - began))
        .as("over %s at %s a second at most", over, rateMax)
        .isCloseTo(millis, withPercentage(2));
  }
}

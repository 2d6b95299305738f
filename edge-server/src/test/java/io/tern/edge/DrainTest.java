package io.tern.edge;

import static io.tern.edge.RawClient.hello;
import static io.tern.edge.RawClient.id;
import static io.tern.edge.RawClient.preface;
import static io.tern.edge.RawClient.send;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.metrics.Count;
import io.tern.edge.session.Drain;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A server that is taken out of service while it runs, over real sockets.
@Timeout(60)
class DrainTest {

  private static final Duration AT_ONCE = Duration.ZERO;
  private static final Duration LONG = Duration.ofSeconds(30);

  @TempDir Path data;

  // TERN-9-7
  @Test
  void whoIsToldFinishesWhatIsUnderWayAndWhoStaysIsClosedAfterTheGrace() {
    try (var server = TestServer.start(data);
        var alice = server.login("alice");
        var bob = server.login("bob")) {
      Drain drain = server.server.drain();

      assertThat(drain.begin(AT_ONCE, Duration.ofMillis(1_500))).isTrue();
      assertThat(drain.begin(AT_ONCE, LONG)).as("a second time").isFalse();

      GoAway goAway = alice.until(FrameType.GOAWAY).goAway();
      assertThat(goAway.getCode()).isEqualTo(ErrorCode.DRAIN.number());
      assertThat(goAway.getGraceMs()).isEqualTo(1_500);
      assertThat(goAway.getAfterMinMs()).isEqualTo(100);
      assertThat(goAway.getAfterMaxMs()).isEqualTo(200);
      bob.until(FrameType.GOAWAY);
      alice.write(send(1, id("bob"), 1, "one more"));
      assertThat(alice.read().type()).isEqualTo(FrameType.SENT);
      assertThat(bob.read().type()).isEqualTo(FrameType.DELIVER);
      assertThat(drain.progress().state()).isEqualTo(Drain.State.DRAINING);

      bob.close();
      assertThat(alice.read().goAway().getGraceMs()).as("the end").isZero();
      alice.assertEnd();

      Drain.Progress end = drained(drain);
      assertThat(end.sessions()).isEqualTo(2);
      assertThat(end.told()).isEqualTo(2);
      assertThat(end.left()).isEqualTo(1);
      assertThat(end.closed()).isEqualTo(1);
      assertThat(end.remaining()).isZero();
      assertThat(server.server.counters().get(Count.DRAIN_CLOSED)).isEqualTo(1);
    }
  }

  // TERN-4-12
  @Test
  void newcomersAreRefusedWithATimeToComeBackUntilItIsCancelled() {
    try (var server = TestServer.start(data);
        var alice = server.login("alice")) {
      Drain drain = server.server.drain();
      drain.begin(LONG, LONG);
      alice.until(FrameType.GOAWAY);

      try (var bob = server.connect()) {
        bob.write(preface(), hello("bob", 1));
        Error refusal = bob.read().error();
        assertThat(refusal.getCode()).isEqualTo(ErrorCode.DRAIN.number());
        assertThat(refusal.getRetryMs()).isBetween(100, 200);
        bob.assertEnd();
      }
      assertThat(drain.progress().refused()).isEqualTo(1);

      assertThat(drain.cancel()).isTrue();
      assertThat(drain.cancel()).as("a second time").isFalse();
      assertThat(drain.progress().state()).isEqualTo(Drain.State.IN_SERVICE);
      try (var bob = server.login("bob")) {
        // Who was told and did not leave is served on.
        alice.write(send(1, id("bob"), 1, "still here"));
        assertThat(alice.read().type()).isEqualTo(FrameType.SENT);
        assertThat(bob.read().type()).isEqualTo(FrameType.DELIVER);
      }
    }
  }

  @Test
  void whoStayedThroughOneDrainIsToldByTheNext() {
    try (var server = TestServer.start(data);
        var alice = server.login("alice")) {
      Drain drain = server.server.drain();
      drain.begin(AT_ONCE, LONG);
      alice.until(FrameType.GOAWAY);
      drain.cancel();

      drain.begin(AT_ONCE, Duration.ZERO);
      assertThat(alice.read().goAway().getGraceMs()).isZero();
      assertThat(alice.read().goAway().getGraceMs()).isZero();
      alice.assertEnd();
      assertThat(drained(drain).told()).isEqualTo(1);
    }
  }

  @Test
  void sessionsOfAllLoopsAreToldAtThePace() {
    try (var server = TestServer.start(data, "net.loops=3", "drain.rate-max=50")) {
      var devices = new ArrayList<RawClient>();
      for (int device = 1; device <= 20; device++) {
        devices.add(server.login("user-" + device));
      }
      long began = System.nanoTime();
      server.server.drain().begin(AT_ONCE, Duration.ofMillis(50));
      Drain.Progress end = drained(server.server.drain());
      long took = System.nanoTime() - began;
      devices.forEach(RawClient::close);

      assertThat(end.rate()).isEqualTo(50);
      assertThat(end.told()).isEqualTo(20);
      assertThat(took).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(300));
    }
  }

  @Test
  void aServerWithoutSessionsIsDrainedAtOnceAndServesAgainWhenCancelled() {
    try (var server = TestServer.start(data)) {
      Drain drain = server.server.drain();
      drain.begin(LONG, LONG);
      assertThat(drained(drain).sessions()).isZero();
      drain.cancel();
      server.login("alice").close();
    }
  }

  @Test
  void anOrderlyEndDrainsFirstWhenItIsGivenTime() {
    var server =
        TestServer.start(data, "shutdown.drain=200 ms", "drain.grace=20 s", "drain.rate-max=1000");
    try (var alice = server.login("alice");
        var bob = server.login("bob")) {
      var closing = CompletableFuture.runAsync(server::close);
      assertThat(alice.until(FrameType.GOAWAY).goAway().getGraceMs()).isEqualTo(20_000);
      alice.write(send(1, id("bob"), 1, "last words"));
      alice.until(FrameType.SENT);
      alice.close();
      bob.until(FrameType.GOAWAY);
      bob.close();
      closing.join();
      assertThat(server.server.drain().progress().left()).isEqualTo(2);
    }
  }

  @Test
  void anOrderlyEndWaitsForNobodyWhoIsNotThere() {
    // The class has less time than this drain would.
    var server = TestServer.start(data, "shutdown.drain=1 h", "drain.grace=60 s");
    try (var alice = server.login("alice")) {
      var closing = CompletableFuture.runAsync(server::close);
      alice.until(FrameType.GOAWAY);
      alice.close();
      closing.join();
    }
    assertThat(server.server.drain().progress().state()).isEqualTo(Drain.State.DRAINED);
  }

  @Test
  void anOrderlyEndWaitsNoLongerForADrainThatIsCancelled() {
    var server = TestServer.start(data, "shutdown.drain=1 h", "drain.grace=60 s");
    try (var alice = server.login("alice")) {
      var closing = CompletableFuture.runAsync(server::close);
      assertThat(alice.until(FrameType.GOAWAY).goAway().getGraceMs()).isEqualTo(60_000);
      server.server.drain().cancel();
      assertThat(alice.until(FrameType.GOAWAY).goAway().getGraceMs()).isZero();
      alice.assertEnd();
      closing.join();
    }
  }

  @Test
  void anOrderlyEndGoesOnWithTheDrainThatIsUnderWay() {
    var server =
        TestServer.start(data, "shutdown.drain=50 ms", "drain.grace=60 s", "drain.rate-max=1000");
    try (var alice = server.login("alice");
        var bob = server.login("bob")) {
      server.server.drain().begin(Duration.ofHours(1), Duration.ofMillis(100));
      var closing = CompletableFuture.runAsync(server::close);
      // With the grace of the drain that was there.
      assertThat(alice.until(FrameType.GOAWAY).goAway().getGraceMs()).isEqualTo(100);
      assertThat(bob.until(FrameType.GOAWAY).goAway().getGraceMs()).isEqualTo(100);
      closing.join();
    }
    Drain.Progress end = server.server.drain().progress();
    assertThat(end.state()).isEqualTo(Drain.State.DRAINED);
    assertThat(end.closed()).isEqualTo(2);
  }

  private static Drain.Progress drained(Drain drain) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (drain.progress().state() != Drain.State.DRAINED) {
      assertThat(System.nanoTime()).as("%s", drain.progress()).isLessThan(deadline);
      LockSupport.parkNanos(1_000_000);
    }
    return drain.progress();
  }
}

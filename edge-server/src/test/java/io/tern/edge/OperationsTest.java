package io.tern.edge;

import static io.tern.edge.RawClient.id;
import static io.tern.edge.RawClient.send;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tern.edge.admin.Stats;
import io.tern.edge.metrics.Count;
import io.tern.edge.session.Drain;
import io.tern.edge.session.LiveSession;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What an operator sees of a running server, and does to sessions; over real sockets.
@Timeout(60)
class OperationsTest {

  @TempDir Path data;

  @Test
  void statsSayHowTheServerIsDoing() {
    try (var server = TestServer.start(data, "net.websocket.listen=127.0.0.1:0", "net.loops=2");
        var alice = server.login("alice");
        var tablet = server.login("alice", 2);
        var bob = server.login("bob");
        var stranger = server.connect()) {
      alice.write(send(1, id("bob"), 1, "hello"));
      alice.until(FrameType.SENT);
      bob.until(FrameType.DELIVER);
      tablet.until(FrameType.DELIVER);
      await().until(() -> server.server.connections() == 4);

      Stats stats = server.server.stats();

      assertThat(stats.name()).isEqualTo("tern");
      assertThat(stats.version()).isNotEmpty();
      assertThat(stats.uptimeMillis()).isPositive();
      assertThat(stats.state()).isEqualTo(Drain.State.IN_SERVICE);
      assertThat(stats.connectionsByDoor())
          .containsExactlyInAnyOrderEntriesOf(Map.of("plain", 4, "tls", 0, "websocket", 0));
      assertThat(stats.sessions()).isEqualTo(3);
      assertThat(stats.usersConnected()).isEqualTo(2);
      assertThat(stats.usersActive()).isEqualTo(2);
      assertThat(stats.rates().sent()).isPositive();
      assertThat(stats.rates().delivered()).isGreaterThan(stats.rates().sent());
      assertThat(stats.rates().logins()).isPositive();
      assertThat(stats.rates().refused()).isZero();
      assertThat(stats.shards()).hasSize(2).noneMatch(shard -> shard.failed());
      assertThat(stats.disk().dataBytes()).isPositive();
      assertThat(stats.disk().freeBytes()).isPositive();
      assertThat(stats.disk().hasRoom()).isTrue();
      assertThat(stats.memory().heapUsedBytes())
          .isPositive()
          .isLessThan(stats.memory().heapMaxBytes());
      assertThat(stats.memory().directBytes()).isPositive();
      assertThat(stats.sms()).isNotNull().matches(sms -> sms.sent() == 0 && sms.max() == 10_000);
      assertThat(stats.waiting().rate()).isPositive();
      assertThat(stats.waiting().logins()).isZero();
      assertThat(stats.budgetKeys()).containsEntry("logins", 3).containsKey("addresses");

      bob.close();
      stranger.close();
      await().until(() -> server.server.stats().sessions() == 2);
      await()
          .until(() ->
              Integer.valueOf(2).equals(server.server.stats().connectionsByDoor().get("plain")));
      assertThat(server.server.stats().usersConnected()).isEqualTo(1);
    }
  }

  @Test
  void aUsersSessionsAreListedAndEnded() throws InterruptedException {
    try (var server = TestServer.start(data, "net.loops=2");
        var phone = server.login("alice", 1);
        var tablet = server.login("alice", 2);
        var bob = server.login("bob")) {
      var sessions = server.server.sessions();
      assertThat(sessions.of(id("nobody"))).isEmpty();
      assertThat(sessions.end(id("nobody"), 0)).isZero();

      var live = sessions.of(id("alice"));
      assertThat(live)
          .extracting(LiveSession::device)
          .containsExactly(new DeviceId(id("alice"), 1), new DeviceId(id("alice"), 2));
      LiveSession first = live.getFirst();
      assertThat(first.door()).isEqualTo("plain");
      assertThat(first.peer()).isNotNull().matches(peer -> peer.isLoopbackAddress());
      assertThat(first.waitingBytes()).isZero();
      long now = System.currentTimeMillis();
      assertThat(first.sinceMillis()).isBetween(now - 60_000, now + 1);
      assertThat(first.lastInputMillis()).isBetween(now - 60_000, now + 1);
      assertThat(first.toString()).doesNotContain("127.0.0.1");

      assertThat(sessions.end(id("alice"), 3)).as("no such device").isZero();
      assertThat(sessions.end(id("alice"), 2)).isEqualTo(1);
      var farewell = tablet.until(FrameType.GOAWAY).goAway();
      assertThat(farewell.getCode()).isEqualTo(ErrorCode.DRAIN.number());
      assertThat(farewell.getAfterMaxMs()).as("it may come back").isPositive();
      tablet.assertEnd();
      assertThat(sessions.of(id("alice"))).hasSize(1);
      try (var again = server.login("alice", 2)) {
        assertThat(sessions.end(id("alice"), 0)).isEqualTo(2);
        again.until(FrameType.GOAWAY);
        phone.until(FrameType.GOAWAY);
      }
      bob.write(send(1, id("alice"), 1, "still here"));
      assertThat(bob.until(FrameType.SENT).seq()).isEqualTo(1);
    }
  }

  @Test
  void bytesThatWaitForASlowClientAreSeen() throws InterruptedException {
    try (var server = TestServer.start(data, "limits.send.rate=0");
        var alice = server.login("alice");
        var bob = server.login("bob")) {
      assertThat(bob.socket.isConnected()).isTrue();
      String text = "x".repeat(8_000);
      long csn = 0;
      var sessions = server.server.sessions();
      long deadline = System.nanoTime() + Duration.ofSeconds(40).toNanos();
      while (sessions.of(id("bob")).getFirst().waitingBytes() == 0) {
        assertThat(System.nanoTime()).isLessThan(deadline);
        alice.write(send((int) ++csn, id("bob"), csn, text));
        alice.until(FrameType.SENT);
        // The window bounds what is sent to who does not acknowledge: presence is no entry.
        bob.write(RawClient.ack(id("alice"), csn));
      }
      assertThat(server.server.counters().get(Count.SENT)).isPositive();
    }
  }
}

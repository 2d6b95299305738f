package io.tern.edge;

import static io.tern.edge.RawClient.id;
import static io.tern.edge.RawClient.send;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.GoAway;
import io.tern.store.rocks.CannotOpen;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The whole server: its end, its admin port, what it does beside the protocol.
class TernServerTest {

  @TempDir Path data;

  private static HttpResponse<String> get(InetSocketAddress admin, String path)
      throws IOException, InterruptedException {
    try (var http = HttpClient.newHttpClient()) {
      return http.send(
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + admin.getPort() + path)).build(),
          BodyHandlers.ofString());
    }
  }

  @Test
  void theReadyLineNamesWhatWasBound() {
    try (var server = TestServer.start(data)) {
      assertThat(server.server.readyLine())
          .matches("ready listen=127\\.0\\.0\\.1:\\d+ admin=127\\.0\\.0\\.1:\\d+ data=.+")
          .doesNotContain(":0 ");
    }
  }

  @Test
  void anOrderlyEndAnswersWhatWasTakenAndSaysWhenToComeBack() {
    var server = TestServer.start(data, "limits.send.rate=0");
    try (var alice = server.login("alice");
        var bob = server.login("bob")) {
      for (int csn = 1; csn <= 20; csn++) {
        alice.write(send(csn, id("bob"), csn, "text " + csn));
      }
      var closing = CompletableFuture.runAsync(server::close);
      int sent = 0;
      RawClient.Frame frame = alice.read();
      while (frame.type() == FrameType.SENT) {
        assertThat(frame.seq()).isEqualTo(++sent);
        frame = alice.read();
      }
      GoAway goAway = frame.goAway();
      assertThat(goAway.getCode()).isEqualTo(ErrorCode.DRAIN.number());
      assertThat(goAway.getAfterMinMs()).isEqualTo(100);
      assertThat(goAway.getAfterMaxMs()).isEqualTo(200);
      alice.assertEnd();
      bob.until(FrameType.GOAWAY);
      bob.assertEnd();
      alice.close();
      bob.close();
      closing.join();

      // What was answered is there.
      try (var again = TestServer.start(data);
          var reader = again.connect()) {
        reader.write(RawClient.preface(), RawClient.hello("bob", 1));
        reader.helloAck();
        int delivered = 0;
        RawClient.Frame next = reader.read();
        while (delivered < sent) {
          if (next.type() == FrameType.DELIVER) {
            delivered++;
          }
          if (delivered < sent) {
            next = reader.read();
          }
        }
        assertThat(delivered).isEqualTo(sent);
      }
    }
  }

  @Test
  void closingTwiceIsClosingOnceAndTheFolderCanBeOpenedAgain() {
    var server = TestServer.start(data);
    assertThatThrownBy(() -> TestServer.start(data))
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("in use by another process");
    server.close();
    server.close();
    TestServer.start(data).close();
  }

  @Test
  void whenThePortIsTakenNothingStaysOpen(@TempDir Path other) {
    try (var server = TestServer.start(data)) {
      int port = server.address().getPort();
      assertThatThrownBy(() -> TestServer.start(other, "net.listen=\"127.0.0.1:" + port + "\""))
          .hasRootCauseInstanceOf(IOException.class);
      // The folder is free: the second server gave everything back.
      TestServer.start(other).close();
    }
  }

  @Test
  void healthMakesEveryShardCommitAndMetricsCount() throws IOException, InterruptedException {
    try (var server = TestServer.start(data);
        var alice = server.login("alice");
        var bob = server.login("bob")) {
      alice.write(send(1, id("bob"), 1, "hello"));
      alice.until(FrameType.SENT);
      bob.until(FrameType.DELIVER);

      HttpResponse<String> health = get(server.server.admin(), "/health");
      assertThat(health.statusCode()).isEqualTo(200);
      assertThat(health.body())
          .contains("\"status\":\"ok\"", "\"disk_has_room\":true", "\"shard\":1", "probe_ms");

      String metrics = get(server.server.admin(), "/metrics").body();
      assertThat(metrics)
          .contains(
              "tern_sent_total 1.0",
              "tern_connections 2.0",
              "tern_commit_seconds_bucket",
              "tern_stage_seconds_bucket",
              "tern_ring_depth{shard=\"0\"}",
              "tern_disconnects_total{reason=\"idle\"} 0.0",
              "tern_errors_total{code=\"300\"",
              "jvm_memory_used_bytes");
      assertThat(get(server.server.admin(), "/other").statusCode()).isEqualTo(404);
      assertThat(get(server.server.admin(), "/health/more").statusCode()).isEqualTo(404);
    }
  }

  @Test
  void whoIsTakenOutOfServiceIsNotReadyButHealthy() throws IOException, InterruptedException {
    try (var server = TestServer.start(data)) {
      server.server.drain().begin(Duration.ofSeconds(1), Duration.ofSeconds(1));
      HttpResponse<String> ready = get(server.server.admin(), "/ready");
      assertThat(ready.statusCode()).isEqualTo(503);
      assertThat(ready.body()).contains("\"ready\":false", "draining");
      assertThat(get(server.server.admin(), "/health").statusCode()).isEqualTo(200);
      server.server.drain().cancel();
      assertThat(get(server.server.admin(), "/ready").statusCode()).isEqualTo(200);
    }
  }

  @Test
  void whoIsAboutToEndIsNotReady() throws IOException, InterruptedException {
    var server = TestServer.start(data);
    try (var alice = server.login("alice")) {
      assertThat(get(server.server.admin(), "/ready").body()).contains("\"ready\":true");
      // She does not go when she is told to, so the end takes a second.
      var closing = CompletableFuture.runAsync(server::close);
      alice.until(FrameType.GOAWAY);
      HttpResponse<String> ready = get(server.server.admin(), "/ready");
      assertThat(ready.statusCode()).isEqualTo(503);
      assertThat(ready.body()).contains("\"ready\":false", "shutting down");
      assertThat(get(server.server.admin(), "/health").statusCode()).isEqualTo(503);
      closing.join();
    }
  }

  @Test
  void aDiskWithoutRoomIsNotHealthyAndRefusesSends() throws IOException, InterruptedException {
    try (var server = TestServer.start(data, "store.disk-reserve=1048576 MiB");
        var alice = server.login("alice")) {
      HttpResponse<String> health = get(server.server.admin(), "/health");
      assertThat(health.statusCode()).isEqualTo(503);
      assertThat(health.body()).contains("\"disk_has_room\":false", "less room than the reserve");
      alice.write(send(1, id("alice"), 1, "note"));
      ErrorCode code = ErrorCode.of(alice.read().error().getCode());
      assertThat(code).isIn(ErrorCode.BUSY, ErrorCode.QUOTA);
    }
  }

  @Test
  void badClientsLeaveBystandersUnharmed() {
    try (var server = TestServer.start(data, "limits.send.rate=0");
        var alice = server.login("alice");
        var bob = server.login("bob")) {
      List<byte[]> bad =
          List.of(
              new byte[] {0x00},
              new byte[] {0x01, 0x04},
              new byte[] {(byte) 0x82, 0x00, 0x04, 0x00},
              new byte[] {(byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 0x7F},
              new byte[] {0x02, 0x04, 0x40},
              new byte[] {0x03, 0x20, 0x01, (byte) 0x80},
              new byte[] {0x02, 0x1E, 0x00},
              RawClient.hello("mallory", 1));
      for (int i = 0; i < bad.size(); i++) {
        try (var mallory = server.login("mallory")) {
          mallory.write(bad.get(i));
          assertThat(mallory.read().error().getCode()).as("input %d", i).isBetween(100, 103);
          mallory.assertEnd();
        }
        alice.write(send(i + 1, id("bob"), i + 1, "still here"));
        assertThat(alice.read().type()).isEqualTo(FrameType.SENT);
        assertThat(bob.read().seq()).isEqualTo(i + 1);
      }
    }
  }

  @Test
  void atTheConnectionLimitNewcomersWaitUntilSomeoneLeaves() {
    try (var server = TestServer.start(data, "limits.connections-max=2");
        var alice = server.login("alice")) {
      var bob = server.login("bob");
      try (var carol = server.connect()) {
        carol.write(RawClient.preface(), RawClient.hello("carol", 1));
        carol.assertSilentFor(300);
        bob.close();
        carol.helloAck();
      }
      assertThat(alice.socket.isConnected()).isTrue();
    }
  }

  @Test
  void anAddressThatFailsTooOftenIsTurnedAway() {
    try (var server =
        TestServer.start(
            data, "limits.loopback-exempt=false", "limits.failures-per-minute-max=3")) {
      for (int i = 0; i < 3; i++) {
        try (var stranger = server.connect()) {
          stranger.write("GET / HTTP/1.1\r\n".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
          endOrReset(stranger);
        }
      }
      try (var late = server.connect()) {
        endOrReset(late);
      }
    }
  }

  /// A connection that is closed over unread bytes may be reset.
  private static void endOrReset(RawClient client) {
    try {
      client.assertEnd();
    } catch (java.io.UncheckedIOException e) {
      assertThat(e).hasMessageContaining("reset");
    }
  }

  @Test
  void sendsToTenDevicesAtOnceAreAllInOrder() {
    try (var server = TestServer.start(data, "limits.send.rate=0", "net.loops=3")) {
      var devices = new ArrayList<RawClient>();
      for (int device = 1; device <= 6; device++) {
        devices.add(server.login("bob", device));
      }
      try (var alice = server.login("alice")) {
        for (int csn = 1; csn <= 50; csn++) {
          alice.write(send(csn, id("bob"), csn, "n" + csn));
          alice.until(FrameType.SENT);
        }
        for (RawClient device : devices) {
          for (int seq = 1; seq <= 50; seq++) {
            assertThat(device.until(FrameType.DELIVER).seq()).isEqualTo(seq);
          }
        }
      } finally {
        devices.forEach(RawClient::close);
      }
    }
  }
}

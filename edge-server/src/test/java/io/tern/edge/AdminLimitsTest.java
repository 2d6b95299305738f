package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the admin port does not take.
class AdminLimitsTest {

  @TempDir Path folder;

  @Test
  void whatIsNoRequestIsRefusedWithACode() throws IOException {
    try (var world = new AdminWorld(folder)) {
      HttpDoor door = world.door;
      assertThat(door.ask("GET", "/v1/nothing", world.actor, null).code())
          .isEqualTo(ErrorCode.NOT_FOUND.number());
      assertThat(door.ask("GET", "/v2/credential", world.actor, null).code())
          .isEqualTo(ErrorCode.VERSION.number());
      assertThat(door.ask("GET", "/health/more", null, null).status()).isEqualTo(404);
      HttpResponse<String> method = door.send("POST", "/v1/credential", world.actor, "{}");
      assertThat(method.statusCode()).isEqualTo(405);
      assertThat(method.headers().firstValue("allow")).hasValue("GET");
      // Whoever asks: the body is not read further than its bound.
      assertThat(door.send("GET", "/v1/credential", null, "x".repeat(70_000)).statusCode())
          .isEqualTo(413);
      try (Socket socket = door.connect()) {
        socket.setSoTimeout(10_000);
        socket
            .getOutputStream()
            .write(
                ("GET /health HTTP/1.1\r\nhost: x\r\nx: " + "a".repeat(20_000) + "\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
        String answer =
            new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII);
        assertThat(answer).isIn("HTTP/1.1 431", "HTTP/1.1 400", "");
      } catch (java.net.SocketException e) {
        // Closed before all of it was written.
      }
      assertThat(door.ask("GET", "/health", null, null).status()).isEqualTo(200);
      Counters counters = world.people.server.counters();
      assertThat(counters.get(Count.ADMIN_REFUSED)).isGreaterThan(4);
      assertThat(counters.get(Count.ADMIN_REQUESTS))
          .isGreaterThan(counters.get(Count.ADMIN_REFUSED));
      assertThat(counters.get(Count.HTTP_REFUSED)).isZero();
    }
  }

  @Test
  void everyMemberOfEveryRequestIsChecked() throws IOException {
    try (var world = new AdminWorld(folder)) {
      long user = world.people.register("Olga").user();
      assertThat(MembersCheck.members(world.door, world.actor, user)).isGreaterThan(3);
      // What was no request was no act.
      assertThat(world.ask("GET", "/v1/audit", null).body().get("acts")).isEmpty();
    }
  }

  @Test
  void whoGuessesIsMadeToWaitAndNothingIsToldMeanwhile() throws IOException {
    try (var world =
        new AdminWorld(folder, "limits.loopback-exempt=false", "admin.wrong-per-minute=3")) {
      HttpDoor door = world.door;
      // What is right, and what is not shown at all, costs nothing.
      for (int i = 0; i < 5; i++) {
        assertThat(door.ask("GET", "/v1/credential", world.reader, null).status()).isEqualTo(200);
        assertThat(door.ask("GET", "/v1/credential", null, null).status()).isEqualTo(401);
      }
      for (int i = 0; i < 3; i++) {
        assertThat(door.ask("GET", "/v1/credential", "guess-" + i, null).status()).isEqualTo(401);
      }
      for (String secret : new String[] {"guess-3", world.reader, world.actor}) {
        Answer answer = door.ask("GET", "/v1/credential", secret, null);
        assertThat(answer.status()).isEqualTo(429);
        assertThat(answer.code()).isEqualTo(ErrorCode.RATE.number());
        assertThat(answer.body().at("/error/retry_ms").longValue()).isBetween(1L, 20_000L);
      }
      // What needs none is there.
      assertThat(door.ask("GET", "/health", null, null).status()).isEqualTo(200);
      assertThat(world.people.server.counters().get(Count.ADMIN_CREDENTIALS_WRONG)).isEqualTo(3);
      assertThat(world.people.server.counters().get(Count.ADMIN_REQUESTS_RATE)).isEqualTo(3);
    }
  }

  @Test
  void whoAsksTooOftenIsToldWhenToComeBack() throws IOException {
    try (var world =
        new AdminWorld(
            folder, "limits.loopback-exempt=false", "admin.rate.rate=1", "admin.rate.burst=8")) {
      int asked = 0;
      Answer answer = world.door.ask("GET", "/health", null, null);
      while (answer.status() == 200 && asked++ < 20) {
        answer = world.door.ask("GET", "/health", null, null);
      }
      assertThat(answer.status()).isEqualTo(429);
      assertThat(answer.body().at("/error/retry_ms").longValue()).isBetween(1L, 10_000L);
      assertThat(world.people.server.counters().get(Count.ADMIN_REQUESTS_RATE)).isPositive();
      // The doors count apart.
      assertThat(world.people.ask("GET", "/openapi.json", null, null).status()).isEqualTo(200);
    }
  }

  /// A scraper keeps its connection; the server's end does not wait for it to go.
  @Test
  void idleConnectionsDoNotHoldUpTheEnd() throws IOException {
    long fastest = Long.MAX_VALUE;
    for (int i = 0; i < 3; i++) {
      var world = new AdminWorld(folder.resolve("data" + i));
      try (Socket scraper = world.door.connect();
          Socket client = world.people.connect()) {
        for (Socket socket : new Socket[] {scraper, client}) {
          socket.setSoTimeout(10_000);
          socket
              .getOutputStream()
              .write(
                  "GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
          assertThat(socket.getInputStream().readNBytes(12)).hasSize(12);
        }
        long began = System.nanoTime();
        world.close();
        fastest = Math.min(fastest, System.nanoTime() - began);
        for (Socket socket : new Socket[] {scraper, client}) {
          // The rest of the answer, and the end.
          assertThat(socket.getInputStream().readAllBytes()).isNotNull();
        }
      }
    }
    assertThat(Duration.ofNanos(fastest)).isLessThan(Duration.ofMillis(900));
  }

  @Test
  void oneAddressHasSoManyConnections() throws IOException {
    try (var world = new AdminWorld(folder, "limits.loopback-exempt=false")) {
      var open = new Socket[70];
      int closed = 0;
      for (int i = 0; i < open.length; i++) {
        open[i] = world.door.connect();
        open[i].setSoTimeout(i < 60 ? 1 : 2_000);
      }
      for (Socket socket : open) {
        try (socket) {
          closed += socket.getInputStream().read() == -1 ? 1 : 0;
        } catch (java.net.SocketTimeoutException e) {
          // Open, and waits for a request.
        }
      }
      assertThat(closed).isPositive();
      assertThat(world.people.server.counters().get(Count.ADMIN_CONNECTIONS_REFUSED_PER_IP))
          .isPositive();
    }
  }
}

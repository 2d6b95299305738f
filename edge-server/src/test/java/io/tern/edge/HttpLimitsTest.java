package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpWorld.Person;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the gateway does not take: every answer has a code, and nothing waits without an end.
class HttpLimitsTest {

  @TempDir Path folder;

  @Test
  void everyMemberOfEveryRequestIsChecked() throws IOException {
    try (var world = new HttpWorld(folder, "http.rate.device.rate=0", "http.rate.account.rate=0")) {
      Person person = world.register("Olga");
      assertThat(MembersCheck.members(world.door, person.token, person.user())).isGreaterThan(30);
    }
  }

  private static void assertRefused(HttpResponse<String> response, int status, ErrorCode code) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    JsonNode error = HttpWorld.tree(response.body()).get("error");
    assertThat(error.get("code").intValue()).isEqualTo(code.number());
    assertThat(error.get("name").textValue()).isEqualTo(code.name());
  }

  @Test
  void whatIsNoRequestIsRefusedWithACode() throws IOException {
    try (var world = new HttpWorld(folder)) {
      String code = "/v1/registration/code";
      for (String bad :
          new String[] {
            "",
            "{",
            "[]",
            "null",
            "7",
            "{\"number\":\"+49151\",\"number\":\"+49152\"}",
            "{\"number\":\"+4915112345678\"} {}",
            "[".repeat(10_000),
            "{\"number\":" + "[".repeat(9) + "]".repeat(9) + "}",
            "{\"x\":" + "1".repeat(100) + "}",
            "{\"" + "n".repeat(100) + "\":1}",
            "\u0000"
          }) {
        assertRefused(world.send("POST", code, null, bad), 400, ErrorCode.ARGUMENT);
      }
      assertRefused(
          world.send("POST", code, null, "{\"number\":\"" + "1".repeat(70_000) + "\"}"),
          413,
          ErrorCode.BODY_TOO_LARGE);
      assertRefused(world.send("GET", "/v1/nothing", null, null), 404, ErrorCode.NOT_FOUND);
      assertRefused(world.send("GET", "/v2/profile", null, null), 404, ErrorCode.VERSION);
      assertRefused(world.send("GET", "/v1/profile/", null, null), 404, ErrorCode.NOT_FOUND);
      HttpResponse<String> method = world.send("DELETE", "/v1/profile", null, null);
      assertRefused(method, 405, ErrorCode.UNSUPPORTED);
      assertThat(method.headers().firstValue("allow")).hasValue("GET, PATCH");
      Person person = world.register("Olga");
      for (String device : new String[] {"0", "x", "-1", "99999999", "1%2F2", "%00"}) {
        assertThat(world.send("DELETE", "/v1/devices/" + device, person.token, null).statusCode())
            .as(device)
            .isIn(400, 404);
      }
      // What is not known is passed over: a newer client may send it.
      assertThat(
              world
                  .send("PATCH", "/v1/profile", person.token, "{\"about\":\"hi\",\"later\":[1,{}]}")
                  .statusCode())
          .isEqualTo(204);
      assertRefused(
          raw(
              world,
              "POST "
                  + code
                  + " HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n"
                  + "content-type: text/plain\r\n\r\n{}"),
          415,
          ErrorCode.UNSUPPORTED);
      // Heads: too large, or no HTTP at all; each has an answer or an end.
      assertThat(
              rawStatus(
                  world,
                  "GET /v1/profile HTTP/1.1\r\nhost: x\r\nx: " + "a".repeat(20_000) + "\r\n\r\n"))
          .isIn(431, 400, -1);
      assertThat(rawStatus(world, "GET /" + "a".repeat(20_000) + " HTTP/1.1\r\nhost: x\r\n\r\n"))
          .isIn(414, 400, -1);
      assertThat(rawStatus(world, "\u0001\u0002\u0003\r\n\r\n")).isIn(400, -1);
      assertThat(world.ask("GET", "/v1/profile", person.token, null).status()).isEqualTo(200);
    }
  }

  @Test
  void aHeadThatTricklesIsCutOffAndSoIsABodyThatDoes() throws IOException {
    try (var world =
        new HttpWorld(folder, "http.head-timeout=400 ms", "http.request-timeout=600 ms")) {
      try (Socket socket = world.connect()) {
        socket.setSoTimeout(10_000);
        long began = System.nanoTime();
        socket.getOutputStream().write("GET /v1/profile HT".getBytes(StandardCharsets.US_ASCII));
        assertThat(socket.getInputStream().read()).isEqualTo(-1);
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(5));
      }
      assertThat(world.server.counters().get(Count.HTTP_HEADS_TOO_SLOW)).isPositive();
      // The head is whole, the body never comes.
      assertThat(
              rawStatus(
                  world,
                  "POST /v1/registration/code HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n"
                      + "content-type: application/json\r\n\r\n{"))
          .isIn(503, -1);
      assertThat(world.server.counters().get(Count.HTTP_REQUESTS_TIMED_OUT)).isPositive();
    }
  }

  @Test
  void whoAsksTooOftenIsToldWhenToComeBack() throws IOException {
    try (var world =
        new HttpWorld(
            folder,
            "limits.loopback-exempt=false",
            "http.rate.address.rate=1",
            "http.rate.address.burst=12",
            "http.rate.device.rate=1",
            "http.rate.device.burst=3",
            "http.connections-per-address-max=3")) {
      Person person = world.register("Olga");
      int before = 0;
      Answer answer = world.ask("GET", "/v1/profile", person.token, null);
      while (answer.status() == 200 && before++ < 20) {
        answer = world.ask("GET", "/v1/profile", person.token, null);
      }
      assertThat(answer.status()).isEqualTo(429);
      assertThat(answer.code()).isEqualTo(ErrorCode.RATE.number());
      assertThat(answer.body().at("/error/retry_ms").longValue()).isBetween(1L, 15_000L);
      assertThat(answer.http().headers().firstValueAsLong("retry-after").getAsLong())
          .isBetween(1L, 15L);
      // Then the address, whatever it asks for.
      while (answer.status() == 429 && before++ < 40) {
        answer = world.ask("GET", "/openapi.json", null, null);
        if (answer.status() == 429) {
          break;
        }
        answer = world.ask("GET", "/v1/nothing", null, null);
        if (answer.status() == 404) {
          answer = new Answer("", 429, answer.body(), "", answer.http());
        }
      }
      assertThat(answer.code()).isEqualTo(ErrorCode.RATE.number());
      assertThat(world.server.counters().get(Count.HTTP_REQUESTS_RATE)).isPositive();

      var open = new Socket[4];
      int closed = 0;
      for (int i = 0; i < open.length; i++) {
        open[i] = world.connect();
        open[i].setSoTimeout(200);
      }
      for (Socket socket : open) {
        try (socket) {
          closed += socket.getInputStream().read() == -1 ? 1 : 0;
        } catch (java.net.SocketTimeoutException e) {
          // Open, and waits for a request.
        }
      }
      assertThat(closed).isPositive();
      assertThat(world.server.counters().get(Count.HTTP_CONNECTIONS_REFUSED_PER_IP)).isPositive();
    }
  }

  @Test
  void connectionsBeyondTheirNumberAreClosedAndCountedUntilOneLeaves() throws IOException {
    // The world's own client has one.
    try (var world = new HttpWorld(folder, "http.connections-max=3")) {
      try (Socket first = world.connect()) {
        try (Socket second = world.connect()) {
          await(() -> world.server.counters().get(Count.HTTP_CONNECTIONS) == 3);
          try (Socket third = world.connect()) {
            third.setSoTimeout(10_000);
            assertThat(readsToTheEnd(third)).isEmpty();
          }
          assertThat(count(world, Count.HTTP_CONNECTIONS_REFUSED_TOTAL_MAX)).isEqualTo(1);
          assertThat(count(world, Count.HTTP_CONNECTIONS_REFUSED_PER_IP)).isZero();
          assertThat(count(world, Count.HTTP_CONNECTIONS)).isEqualTo(3);
          assertThat(ask(second)).startsWith("HTTP/1.1 200");
        }
        // Its place is free when the server has seen that it left.
        await(() -> {
          try (Socket next = world.connect()) {
            return ask(next).startsWith("HTTP/1.1 200");
          }
        });
        assertThat(ask(first)).startsWith("HTTP/1.1 200");
      }
    }
  }

  @Test
  void aConnectionWithoutARequestIsClosedAndCountedAsIdle() throws Exception {
    try (var world = new HttpWorld(folder, "http.idle-timeout=1 s")) {
      try (Socket socket = world.connect()) {
        assertThat(ask(socket)).startsWith("HTTP/1.1 200");
        assertThat(readsToTheEnd(socket)).doesNotContain("HTTP/1.1");
      }
      assertThat(count(world, Count.HTTP_CONNECTIONS_IDLE)).isPositive();
      try (var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build()) {
        HttpResponse<String> first = askByHttp2(client, world);
        assertThat(first.version()).isEqualTo(HttpClient.Version.HTTP_2);
        long connections = count(world, Count.HTTP_CONNECTIONS);
        // All of them, that of the world's own client too: which is idle first is not said.
        await(() -> count(world, Count.HTTP_CONNECTIONS_IDLE) == connections);
        assertThat(askByHttp2(client, world).statusCode()).isEqualTo(200);
        assertThat(count(world, Count.HTTP_CONNECTIONS)).isGreaterThan(connections);
      }
      assertThat(count(world, Count.HTTP_CONNECTIONS_OLD)).isZero();
      assertThat(count(world, Count.HTTP_HEADS_TOO_SLOW)).isZero();
    }
  }

  @Test
  void anOldConnectionIsEndedAfterItsAnswerAndCounted() throws IOException {
    try (var world = new HttpWorld(folder, "http.connection-age-max=1 s")) {
      try (Socket idle = world.connect();
          Socket busy = world.connect()) {
        assertThat(ask(idle)).startsWith("HTTP/1.1 200");
        busy.setSoTimeout(10_000);
        write(
            busy,
            "POST /v1/registration/code HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n"
                + "content-type: application/json\r\n\r\n{");
        assertThat(readsToTheEnd(idle)).doesNotContain("HTTP/1.1");
        // The world's own client, and these two.
        await(() -> count(world, Count.HTTP_CONNECTIONS_OLD) == 3);
        write(busy, "}");
        assertThat(readsToTheEnd(busy)).startsWith("HTTP/1.1 400").contains("connection: close");
      }
      assertThat(count(world, Count.HTTP_CONNECTIONS_IDLE)).isZero();
    }
  }

  @Test
  void anHttp2ClientThatOnlyPingsIsIdleAndNotSlow() throws IOException {
    try (var world = new HttpWorld(folder, "http.head-timeout=300 ms")) {
      try (var client = new Http2Socket(world.connect())) {
        client.ping(Duration.ofMillis(1_200));
        assertThat(client.get("/.well-known/jwks.json")).isEqualTo(200);
        client.ping(Duration.ofMillis(1_200));
        assertThat(client.get("/.well-known/jwks.json")).isEqualTo(200);
      }
      assertThat(count(world, Count.HTTP_HEADS_TOO_SLOW)).isZero();
      assertThat(count(world, Count.HTTP_CONNECTIONS_IDLE)).isZero();
    }
  }

  @Test
  void pingsKeepNoConnectionThatAsksNothing() throws IOException {
    try (var world = new HttpWorld(folder, "http.idle-timeout=1 s")) {
      try (var client = new Http2Socket(world.connect())) {
        client.pingUntilClosed();
      }
      await(() -> count(world, Count.HTTP_CONNECTIONS_IDLE) > 0);
      assertThat(count(world, Count.HTTP_HEADS_TOO_SLOW)).isZero();
    }
  }

  @Test
  void anHttp2HeadThatTricklesIsCutOffTheFirstAsALaterOne() throws IOException {
    try (var world = new HttpWorld(folder, "http.head-timeout=300 ms")) {
      try (var client = new Http2Socket(world.connect())) {
        client.ping(Duration.ZERO);
        client.trickleHeadUntilClosed();
      }
      await(() -> count(world, Count.HTTP_HEADS_TOO_SLOW) == 1);
      try (var client = new Http2Socket(world.connect())) {
        assertThat(client.get("/.well-known/jwks.json")).isEqualTo(200);
        client.trickleHeadUntilClosed();
      }
      await(() -> count(world, Count.HTTP_HEADS_TOO_SLOW) == 2);
      assertThat(count(world, Count.HTTP_CONNECTIONS_IDLE)).isZero();
    }
  }

  @Test
  void anHttp2HeadThatTricklesIsCutOffWhileARequestIsUnderWay() throws IOException {
    try (var world = new HttpWorld(folder, "http.head-timeout=300 ms")) {
      Person person = world.register("Olga");
      try (var client = Http2Socket.withoutWindow(world.connect())) {
        assertThat(client.head("/v1/export", person.token)).isEqualTo(200);
        client.trickleHeadUntilClosed();
      }
      await(() -> count(world, Count.HTTP_HEADS_TOO_SLOW) == 1);
    }
  }

  // ---- exports ---------------------------------------------------------------------------------

  @Test
  void exportsThatNobodyReadsKeepTheDoorOpenForOthers() throws IOException {
    try (var world = new HttpWorld(folder, "http.requests-max=4")) {
      Person olga = world.register("Olga");
      Person ivan = world.register("Ivan");
      try (var client = Http2Socket.withoutWindow(world.connect());
          var other = Http2Socket.withoutWindow(world.connect())) {
        assertThat(client.head("/v1/export", olga.token)).isEqualTo(200);
        for (int i = 0; i < 8; i++) {
          assertThat(client.head("/v1/export", olga.token)).isNotEqualTo(200);
          assertThat(other.head("/v1/export", ivan.token)).isNotEqualTo(200);
        }
        assertRefused(world.send("GET", "/v1/export", olga.token, null), 429, ErrorCode.RATE);
        assertRefused(world.send("GET", "/v1/export", ivan.token, null), 503, ErrorCode.BUSY);
        assertThat(world.ask("GET", "/v1/profile", ivan.token, null).status()).isEqualTo(200);
      }
      // Whoever leaves makes room.
      await(() -> world.send("GET", "/v1/export", ivan.token, null).statusCode() == 200);
      await(() -> world.send("GET", "/v1/export", olga.token, null).statusCode() == 200);
    }
  }

  // ---- by hand ---------------------------------------------------------------------------------

  private static HttpResponse<String> raw(HttpWorld world, String request) {
    // The JDK's client sets the type of a text body by the header it is given.
    assertThat(request).contains("text/plain");
    try {
      return HttpClient.newHttpClient()
          .send(
              HttpRequest.newBuilder(
                      URI.create("http://127.0.0.1:" + world.port() + "/v1/registration/code"))
                  .header("content-type", "text/plain")
                  .POST(HttpRequest.BodyPublishers.ofString("{}"))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static long count(HttpWorld world, Count count) {
    return world.server.counters().get(count);
  }

  private static void await(Callable<Boolean> condition) {
    Awaitility.await().atMost(Duration.ofSeconds(20)).until(condition);
  }

  /// The answer is a short one: a long one that follows the upgrade has made the JDK's client read
  /// its text as the head of a frame.
  private static HttpResponse<String> askByHttp2(HttpClient client, HttpWorld world)
      throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + world.port() + "/.well-known/jwks.json"))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private static void write(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    socket.getOutputStream().flush();
  }

  /// Asks for what is open to anyone; the beginning of the answer, or nothing when the connection
  /// ends.
  private static String ask(Socket socket) throws IOException {
    socket.setSoTimeout(10_000);
    try {
      write(socket, "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n");
      return new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII);
    } catch (SocketException e) {
      return "";
    }
  }

  private static String readsToTheEnd(Socket socket) throws IOException {
    try {
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
    } catch (SocketException e) {
      return "";
    }
  }

  /// The status of what comes back; -1 when the connection ends without an answer.
  private static int rawStatus(HttpWorld world, String request) throws IOException {
    try (Socket socket = world.connect()) {
      socket.setSoTimeout(10_000);
      socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
      socket.getOutputStream().flush();
      InputStream in = socket.getInputStream();
      byte[] head = in.readNBytes(12);
      if (head.length < 12) {
        return -1;
      }
      return Integer.parseInt(new String(head, StandardCharsets.US_ASCII).substring(9, 12));
    } catch (SocketException e) {
      return -1;
    }
  }
}

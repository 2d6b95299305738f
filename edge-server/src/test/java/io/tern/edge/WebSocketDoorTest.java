package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tern.edge.metrics.Count;
import io.tern.protocol.FrameType;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The door for browsers, as a client of bytes sees it.
class WebSocketDoorTest {

  private static final String ORIGINS =
      "net.websocket.origins=[\"https://app.example.org\", \"https://app.example.org:8443\","
          + " \"http://localhost:5173\"]";

  @TempDir static Path shared;

  /// For the tests that need nothing special: a start costs more than they do.
  private static TestServer common;

  @TempDir Path data;

  @BeforeAll
  static void startCommon() {
    common = TestServer.start(shared, "net.websocket.listen=127.0.0.1:0");
  }

  @AfterAll
  static void stopCommon() {
    common.close();
  }

  private TestServer start(String... more) {
    var settings = new ArrayList<>(List.of("net.websocket.listen=127.0.0.1:0"));
    settings.addAll(Arrays.asList(more));
    return TestServer.start(data, settings.toArray(String[]::new));
  }

  private static InetSocketAddress address(TestServer server) {
    return server.server.listening().webSocket().getFirst();
  }

  private static Socket socket(TestServer server) throws IOException {
    var socket = new Socket();
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(RawClient.PATIENCE_MILLIS);
    socket.connect(address(server), RawClient.PATIENCE_MILLIS);
    return socket;
  }

  private static WebSocketSocket open(TestServer server) throws IOException {
    return WebSocketSocket.over(socket(server), "");
  }

  private static RawClient login(WebSocketSocket socket, String user) {
    var client = RawClient.over(socket);
    client.write(RawClient.hello(user, 1));
    client.helloAck();
    client.until(FrameType.CATCH_UP_PAGE);
    return client;
  }

  /// TERN-2-6: the subprotocol stands for the preface.
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void messagesGoBetweenWebSocketAndPlain(boolean tls) throws IOException {
    try (var server = start("net.websocket.tls=" + (tls ? "always" : "auto"));
        var bob = server.login("bob")) {
      Socket below =
          tls
              ? TlsSockets.connect(
                  address(server), String.valueOf(server.server.fingerprint()), "TLSv1.3")
              : socket(server);
      try (var alice = login(WebSocketSocket.over(below, ""), "alice")) {
        for (int csn = 1; csn <= 3; csn++) {
          String text = "x".repeat(csn * 5_000);
          alice.write(RawClient.send(csn, RawClient.id("bob"), csn, text));
          assertThat(alice.until(FrameType.SENT).rid()).isEqualTo(csn);
          assertThat(bob.until(FrameType.DELIVER).seq()).isEqualTo(csn);
        }
        bob.write(RawClient.send(1, RawClient.id("alice"), 1, "hi"));
        assertThat(alice.until(FrameType.DELIVER).seq()).isEqualTo(4);
        assertThat(server.server.readyLine()).contains(tls ? " wss=127" : " websocket=127");
      }
    }
  }

  /// TERN-2-7: whatever the cuts, as long as a message is whole frames.
  @Test
  void messagesMayBeFragmentedAndHoldSeveralFrames() throws IOException {
    try (var server = start()) {
      WebSocketSocket socket = open(server);
      try (var alice = login(socket, "alice")) {
        var all = new ByteArrayOutputStream();
        all.writeBytes(RawClient.send(1, RawClient.id("alice"), 1, "one"));
        all.writeBytes(RawClient.send(2, RawClient.id("alice"), 2, "two ".repeat(100)));
        byte[] bytes = all.toByteArray();
        for (int i = 0; i < bytes.length; i++) {
          int opcode = i == 0 ? WebSocketSocket.BINARY : WebSocketSocket.CONTINUATION;
          byte[] frame =
              WebSocketSocket.frame(i == bytes.length - 1, opcode, new byte[] {bytes[i]});
          if (i % 7 == 0) {
            for (byte b : frame) {
              socket.raw(new byte[] {b});
            }
          } else {
            socket.raw(frame);
          }
          if (i == 10) {
            // Between the fragments of a message.
            socket.frames(true, WebSocketSocket.PING, "hello".getBytes(StandardCharsets.UTF_8));
          }
        }
        assertThat(alice.until(FrameType.SENT).rid()).isEqualTo(1);
        assertThat(alice.until(FrameType.SENT).rid()).isEqualTo(2);
        assertThat(socket.pongs).isEqualTo(1);
      }
    }
  }

  /// TERN-2-8: each what is wrong with the framing, as hexadecimal bytes, and the close code.
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          text                          | 81 81 00 00 00 00 41                | 1003
          not masked                    | 82 01 41                            | 1002
          reserved bit 1 (compressed)   | C2 81 00 00 00 00 41                | 1002
          reserved bit 2                | A2 81 00 00 00 00 41                | 1002
          reserved bit 3                | 92 81 00 00 00 00 41                | 1002
          opcode 3                      | 83 81 00 00 00 00 41                | 1002
          opcode 15                     | 8F 81 00 00 00 00 41                | 1002
          continuation of nothing       | 80 81 00 00 00 00 41                | 1002
          empty message                 | 82 80 00 00 00 00                   | 1002
          empty fragment                | 02 80 00 00 00 00                   | 1002
          message in a message          | 02 81 00 00 00 00 02 82             | 1002
          fragmented ping               | 09 80 00 00 00 00                   | 1002
          long ping                     | 89 FE 00 7E 00 00 00 00             | 1002
          length not shortest, 2 bytes  | 82 FE 00 7D                         | 1002
          length not shortest, 8 bytes  | 82 FF 00 00 00 00 00 00 FF FF       | 1002
          negative length               | 82 FF 80 00 00 00 00 00 00 00       | 1002
          message over 1 MiB            | 82 FF 00 00 00 00 00 10 00 01       | 1009
          message of 2^62               | 82 FF 40 00 00 00 00 00 00 00       | 1009
          frame cut by the message's end| 82 82 00 00 00 00 05 04             | 1002
          LEN cut by the message's end  | 82 81 00 00 00 00 85                | 1002
          frame LEN 0                   | 82 81 00 00 00 00 00                | 4100
          frame over 64 KiB             | 82 83 00 00 00 00 FF FF 7F          | 4102
          unknown frame type            | 82 83 00 00 00 00 02 1F 00          | 4103
          second HELLO                  | 82 83 00 00 00 00 02 01 00          | 4103
          goodbye                       | 88 82 00 00 00 00 03 E8             | 1000
          goodbye without a code        | 88 80 00 00 00 00                   | 1005
          """)
  void whoBreaksTheFramingIsToldByCloseCode(String what, String hex, int code) throws IOException {
    var bytes = new ByteArrayOutputStream();
    for (String b : hex.strip().split(" ", -1)) {
      bytes.write(Integer.parseInt(b, 16));
    }
    long before = common.server.counters().get(Count.WEBSOCKET_VIOLATIONS);
    WebSocketSocket socket = open(common);
    try (var alice = login(socket, "alice")) {
      socket.raw(bytes.toByteArray());
      assertThat(socket.readClose()).as(what).isEqualTo(code);
    }
    await().until(() -> common.server.connections() == 0);
    assertThat(common.server.counters().get(Count.WEBSOCKET_VIOLATIONS) - before)
        .isEqualTo(code >= 1002 && code != 1005 && code < 4000 ? 1 : 0);
  }

  /// TERN-2-9.
  @Test
  void tooManyControlFramesEndTheConnection() throws IOException {
    try (var server = start()) {
      WebSocketSocket socket = open(server);
      try (var alice = login(socket, "alice")) {
        for (int i = 0; i < 61; i++) {
          socket.frames(true, WebSocketSocket.PING, new byte[125]);
        }
        assertThat(socket.readClose()).isEqualTo(1008);
        assertThat(socket.pongs).isBetween(1, 60);
      }
    }
  }

  /// TERN-2-10: what is wrong with the request.
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          POST            | GET                     | POST                        | 405
          another path    | /v1/websocket           | /                           | 404
          token in URL    | /v1/websocket           | /v1/websocket?token=secret  | 400
          HTTP/1.0        | HTTP/1.1                | HTTP/1.0                    | 400
          nonsense        | GET /v1/websocket       | \\u0000                      | 400
          no host         | Host: localhost         | X: y                        | 400
          no upgrade      | Upgrade: websocket      | X: y                        | 426
          h2c             | Upgrade: websocket      | Upgrade: h2c                | 426
          no connection   | keep-alive, Upgrade     | keep-alive                  | 426
          version 8       | Version: 13             | Version: 8                  | 426
          short key       | dGhlIHNhbXBsZSBub25jZQ==| c2hvcnQ=                    | 400
          bad key         | dGhlIHNhbXBsZSBub25jZQ==| !!!!IHNhbXBsZSBub25jZQ==    | 400
          no subprotocol  | chat, tern.v1           | chat                        | 400
          other version   | chat, tern.v1           | tern.v2                     | 400
          a body          | Host: localhost         | Host: localhost~Content-Length: 4   | 400
          chunks          | Host: localhost         | Host: localhost~Transfer-Encoding: chunked | 400
          two hosts       | Host: localhost         | Host: localhost~Host: b     | 400
          """)
  void aBadRequestIsRefusedBeforeThereIsASession(String what, String good, String bad, int status)
      throws IOException {
    long before = common.server.counters().get(Count.WEBSOCKETS_REFUSED);
    String request =
        (WebSocketSocket.REQUEST_LINE + WebSocketSocket.HEADERS + "\r\n")
            .replace(good, bad.replace("~", "\r\n"));
    try (Socket socket = socket(common)) {
      var in = new DataInputStream(socket.getInputStream());
      assertThat(WebSocketSocket.ask(socket, in, request))
          .as(what)
          .startsWith("HTTP/1.1 " + status + " ")
          .doesNotContain("secret");
      assertThat(new String(in.readAllBytes(), StandardCharsets.US_ASCII))
          .startsWith("{\"error\":{\"code\":4")
          .doesNotContain("secret");
    }
    assertThat(common.server.counters().get(Count.WEBSOCKETS_REFUSED)).isEqualTo(before + 1);
    await().until(() -> common.server.connections() == 0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"line", "header", "headers"})
  void floodsOfHeadersAreCutShort(String where) throws IOException {
    try (Socket socket = socket(common)) {
      long before = common.server.counters().get(Count.WEBSOCKETS_REFUSED);
      String flood =
          switch (where) {
            case "line" -> "GET /" + "a".repeat(2_000);
            case "header" -> WebSocketSocket.REQUEST_LINE + "X: " + "a".repeat(10_000);
            default -> WebSocketSocket.REQUEST_LINE + "X: y\r\n".repeat(4_000);
          };
      var in = new DataInputStream(socket.getInputStream());
      assertThat(WebSocketSocket.ask(socket, in, flood)).startsWith("HTTP/1.1 431 ");
      assertThat(common.server.counters().get(Count.WEBSOCKETS_REFUSED)).isEqualTo(before + 1);
    }
  }

  /// TERN-2-5.
  @Test
  void theDeadlineOfTheDoorHoldsForTheRequest() throws IOException {
    try (var server = start("net.door-timeout=300 ms");
        Socket silent = socket(server);
        Socket slow = socket(server)) {
      slow.getOutputStream().write("GET /v1/web".getBytes(StandardCharsets.US_ASCII));
      assertThat(silent.getInputStream().read()).isEqualTo(-1);
      assertThat(slow.getInputStream().read()).isEqualTo(-1);
      assertThat(server.server.counters().get(Count.DOOR_TIMEOUTS)).isEqualTo(2);
      await().until(() -> server.server.connections() == 0);
    }
  }

  /// TERN-2-11: compression is not agreed to.
  @Test
  void compressionIsNotAgreedTo() throws IOException {
    try (var server = start()) {
      // `over` fails when the answer names an extension.
      try (var socket =
          WebSocketSocket.over(
              socket(server),
              "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")) {
        login(socket, "alice").close();
      }
    }
  }

  /// TERN-2-12: only what is on the list, byte for byte.
  @Test
  void anOriginMustBeOnTheList() throws IOException {
    Set<String> forms = otherForms();
    assertThat(forms).hasSizeGreaterThanOrEqualTo(200);
    try (var server = start(ORIGINS)) {
      for (String good :
          List.of(
              "https://app.example.org", "https://app.example.org:8443", "http://localhost:5173")) {
        WebSocketSocket.over(socket(server), "Origin: " + good + "\r\n").close();
      }
      for (String bad : forms) {
        assertThat(statusFor(server, "Origin: " + bad + "\r\n")).as(bad).isEqualTo(403);
      }
      assertThat(
              statusFor(
                  server, "Origin: https://app.example.org\r\nOrigin: https://app.example.org\r\n"))
          .isEqualTo(403);
      assertThat(server.server.counters().get(Count.WEBSOCKET_ORIGINS_REFUSED))
          .isEqualTo(forms.size() + 1);
    }
  }

  @Test
  void withoutAListNoWebPageConnects() throws IOException {
    try (var server = start()) {
      assertThat(statusFor(server, "Origin: http://localhost\r\n")).isEqualTo(403);
      open(server).close();
    }
  }

  private static int statusFor(TestServer server, String header) throws IOException {
    try (Socket socket = socket(server)) {
      String answer =
          WebSocketSocket.ask(
              socket,
              new DataInputStream(socket.getInputStream()),
              WebSocketSocket.REQUEST_LINE + WebSocketSocket.HEADERS + header + "\r\n");
      return answer.isEmpty() ? 0 : Integer.parseInt(answer.substring(9, 12));
    }
  }

  /// What is not on the list but looks like it.
  private static Set<String> otherForms() {
    var hosts =
        List.of(
            "app.example.org.",
            "app.example.org.evil.test",
            "evil.test/app.example.org",
            "app.example.org@evil.test",
            "evilapp.example.org",
            "evil-app.example.org",
            "example.org",
            "www.app.example.org",
            "app.example.org%00.evil.test",
            "app.example.org%2eevil.test",
            "app.example.org\\evil.test",
            "app.example.org#evil",
            "app.example.org?evil",
            "app.example.org/",
            "app.example.org:443",
            "app.example.org:80",
            "app.example.org:",
            "app.example.org:08443",
            "app.example.org:8443/",
            "app.example.org:84430",
            "app.example.org:8444",
            "APP.example.org",
            "app.EXAMPLE.org",
            "app.example.orgs",
            "app.example.or",
            "pp.example.org",
            "app_example.org",
            "app.exampleXorg",
            "xn--pp-7ka.example.org",
            "app.example.org:8443@evil.test",
            "user:pass@app.example.org",
            "[::1]",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "localhost",
            "localhost:5174",
            "localhost.",
            "*",
            "*.example.org",
            "app.example.org, https://evil.test",
            "evil.test, https://app.example.org");
    var schemes = List.of("https://", "http://", "HTTPS://", "ws://", "wss://", "https:", "//", "");
    var forms = new LinkedHashSet<String>();
    for (String scheme : schemes) {
      for (String host : hosts) {
        forms.add(scheme + host);
      }
    }
    forms.addAll(
        List.of(
            "null",
            "file://",
            "about:blank",
            "data:text/html,x",
            "chrome-extension://abcdefgh",
            "moz-extension://abcdefgh",
            "https://app.example.org https://app.example.org",
            "\"https://app.example.org\"",
            "<https://app.example.org>",
            "'https://app.example.org'",
            "https://app.example.org".toUpperCase(Locale.ROOT)));
    return forms;
  }
}

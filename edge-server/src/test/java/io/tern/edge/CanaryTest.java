package io.tern.edge;

import static io.tern.edge.HttpWorld.body;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.ByteString;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.tern.accounts.sms.smpp.SmppSms;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpWorld.Person;
import io.tern.edge.admin.AdminCredentials;
import io.tern.protocol.ChatId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/// No secret, number, code or body comes out where it does not belong: not in a log of anyone at
/// DEBUG (our own at TRACE), not in a metric, an error, a thread's name or RocksDB's own log.
///
/// A real server with all its doors; people do everything that people do, and everything that goes
/// wrong goes wrong with what must not be told in it.
class CanaryTest {

  private static final String BAD_JSON = "{\"number\": ";

  @TempDir Path folder;

  private final Canaries canaries = new Canaries();
  private final AtomicReference<HttpWorld> hears = new AtomicReference<>();
  private final AtomicInteger provider = new AtomicInteger(200);
  private final AtomicInteger texts = new AtomicInteger();
  private HttpServer sms;
  private HttpWorld world;

  private final PrintStream out = System.out;
  private final PrintStream err = System.err;
  private final ByteArrayOutputStream printed = new ByteArrayOutputStream();

  @BeforeEach
  void start() throws IOException {
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(printed, true, StandardCharsets.UTF_8));
    sms = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16);
    sms.createContext("/", this::onText);
    sms.start();
    Path bearer = folder.resolve("bearer");
    Files.writeString(
        bearer, canaries.canary("provider's token", "sms-provider-bearer-8842") + "\n");
    world =
        new HttpWorld(
            folder.resolve("data"),
            "net.tls.listen=127.0.0.1:0",
            "net.websocket.listen=127.0.0.1:0",
            "accounts.sms.provider=webhook",
            "accounts.sms.webhook.url=\"http://127.0.0.1:" + sms.getAddress().getPort() + "/x\"",
            "accounts.sms.webhook.bearer-file=\"" + bearer + "\"",
            "accounts.sms.timeout=2 s",
            "accounts.resend-after=1 s",
            "accounts.search=true",
            "limits.send.rate=0",
            "limits.cheap.rate=0",
            "http.rate.account.rate=0",
            "http.rate.device.rate=0",
            "router.nudge-after=100 ms",
            "router.ack-watch=300 ms");
    hears.set(world);
  }

  @AfterEach
  void stop() {
    world.close();
    sms.stop(0);
    canaries.close();
    System.setOut(out);
    System.setErr(err);
  }

  /// The provider: takes a text, or says no and quotes everything.
  private void onText(HttpExchange exchange) throws IOException {
    String sent = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    JsonNode text = HttpWorld.tree(sent);
    String code = text.get("text").textValue().substring(0, 6);
    canaries.canary("code " + texts.incrementAndGet(), code);
    canaries.canary("text " + texts.get(), text.get("text").textValue());
    HttpWorld to = hears.get();
    if (to != null) {
      to.heard(text.get("to").textValue(), text.get("text").textValue());
    }
    int status = provider.get();
    exchange.getResponseHeaders().set("X-Quote", code);
    exchange.getResponseHeaders().set("Location", "http://127.0.0.1:1/" + code);
    if (status == 0) {
      // No HTTP at all: what the client makes of it is in its exception.
      exchange.getResponseHeaders().set("Content-Length", "-" + code);
      exchange.close();
      return;
    }
    byte[] quote = sent.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, quote.length);
    exchange.getResponseBody().write(quote);
    exchange.close();
  }

  private Answer ask(String method, String path, @Nullable String token, @Nullable JsonNode body) {
    Answer answer = world.ask(method, path, token, body);
    if (answer.status() >= 400) {
      canaries.look("error of " + method + " " + path.replaceAll("\\?.*", ""), answer.raw());
      canaries.look("headers of an error", answer.http().headers().map().toString());
    }
    return answer;
  }

  /// Registers, and notes everything that is secret about it.
  private Person person(String name) {
    String number = canaries.number("number of " + name, world.newNumber());
    String ticket = canaries.canary("ticket of " + name, world.ticket(number));
    String photo = canaries.canary("photo of " + name, "photo-reference-of-" + name);
    Answer registered =
        ask(
            "POST",
            "/v1/registration",
            null,
            body(
                "number",
                number,
                "ticket",
                ticket,
                "device_name",
                canaries.canary("device name of " + name, name + "'s own telephone"),
                "photo",
                photo,
                "name",
                canaries.canary("name of " + name, name + " Kanarienvogel")));
    assertThat(registered.status()).as(registered.raw()).isEqualTo(201);
    var person = new Person(number, registered.body());
    canaries.canary("secret of " + name, person.secret);
    canaries.canary("token of " + name, person.token);
    return person;
  }

  private void login(RawClient client, Person person, String name) {
    client.write(RawClient.preface(), RawClient.hello(HttpWorld.hello(person)));
    HelloAck ack = client.helloAck();
    canaries.canary("ticket " + name, ack.getResume().toByteArray());
    client.until(FrameType.CATCH_UP_PAGE);
  }

  private void lookAtErrors(RawClient client) {
    RawClient.Frame frame = client.readOrEnd();
    while (frame != null) {
      if (frame.type() == FrameType.ERROR || frame.type() == FrameType.GOAWAY) {
        canaries.look("ERROR frame", new String(frame.body(), StandardCharsets.UTF_8));
        canaries.look("ERROR frame", frame.error().toString());
      }
      frame = client.readOrEnd();
    }
  }

  @Test
  void nothingOfItComesOut() throws Exception {
    Person anna = person("Anna");
    Person bert = person("Bert");
    wrongCodesAndPins(anna);
    tokensAndDevices(anna, bert);
    messages(anna, bert);
    badFrames(anna);
    badHttp(anna);
    administrators(anna, bert);
    providersThatFail();
    texting();
    canaries.look("metrics", get(world.server.admin(), "/metrics"));
    canaries.look("health", get(world.server.admin(), "/health"));
    Thread.getAllStackTraces().keySet().forEach(t -> canaries.look("thread", t.getName()));
    world.close();
    rocksLogs();
    System.out.flush();
    canaries.look("standard output", printed.toString(StandardCharsets.UTF_8));

    assertThat(canaries.places()).isGreaterThan(1_000);
    assertThat(canaries.found()).isEmpty();
  }

  /// That the test can fail: one line of somebody who does not know the rules, in each form.
  @Test
  void aLeakIsFound() {
    String number = canaries.number("number", "+4915155512345");
    String pin = canaries.canary("pin", "pin-is-90210");
    String code = canaries.canary("code", "731946");
    canaries.canary("ticket", new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    var log = LoggerFactory.getLogger("io.tern.some.Thing");
    assertThat(canaries.found()).isEmpty();

    log.trace("sent to {}", number.substring(1));
    log.error("failed", new IllegalStateException("outer", new IOException("of " + pin)));
    var suppressed = new IllegalStateException("outer");
    suppressed.addSuppressed(new IOException("code " + code));
    LoggerFactory.getLogger("org.other.Library").debug("failed", suppressed);
    log.debug("x {}", "AQIDBAUGBwgJCgsM");
    canaries.look("error frame", "0102030405060708090a0b0c");
    canaries.look("metrics", "tern_x_total{who=\"015155512345\"} 1.0");

    assertThat(canaries.found())
        .extracting(found -> found.substring(0, found.indexOf(" in ")))
        .contains(
            "number, without +",
            "number, as at home",
            "pin, as it is",
            "code as it is",
            "ticket, base64",
            "ticket, hex");
  }

  /// An exception that says what it was about, in the middle of a request.
  @Test
  void whatAnExceptionSaysIsNotTold() throws Exception {
    String number = canaries.number("number", "+4915177700001");
    Consumer<String> breaks =
        line -> {
          canaries.canary("text", line);
          canaries.canary("code", line.replaceAll(".*: ([0-9]{6}) .*", "$1"));
          throw new IllegalStateException(line, new IOException(line));
        };
    try (var server =
        TernServer.start(
            TestServer.config(folder.resolve("breaks"), "http.listen=127.0.0.1:0"),
            (what, cause) -> {},
            breaks)) {
      try (var client = HttpClient.newHttpClient()) {
        HttpResponse<String> response =
            client.send(
                HttpRequest.newBuilder(
                        URI.create(
                            "http://127.0.0.1:"
                                + Objects.requireNonNull(server.http()).getPort()
                                + "/v1/registration/code"))
                    .header("content-type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString(body("number", number).toString()))
                    .build(),
                HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).isEqualTo(500);
        canaries.look("error", response.headers().map() + response.body());
      }
    }
    assertThat(canaries.said("a request failed")).isTrue();
    assertThat(canaries.found()).isEmpty();
  }

  // ---- accounts --------------------------------------------------------------------------------

  private void wrongCodesAndPins(Person anna) {
    String pin = canaries.canary("PIN", "8040201070");
    assertThat(ask("PUT", "/v1/pin", anna.token, body("pin", pin)).status()).isEqualTo(204);
    Answer made = ask("POST", "/v1/recovery/key", anna.token, body("pin", pin));
    String key = canaries.canary("recovery key", made.body().get("key").textValue());
    String wrong = canaries.canary("wrong PIN", "9090807060");
    assertThat(ask("POST", "/v1/pin/remove", anna.token, body("old", wrong)).status())
        .isGreaterThanOrEqualTo(400);
    String number = canaries.number("another number", world.newNumber());
    Answer asked = ask("POST", "/v1/registration/code", null, body("number", number));
    String request = asked.body().get("request").textValue();
    for (int i = 0; i < 7; i++) {
      ask(
          "POST",
          "/v1/registration/verify",
          null,
          body("number", number, "request", request, "code", "00000" + i));
    }
    // Too soon, and to numbers that are none.
    ask("POST", "/v1/registration/code", null, body("number", number));
    for (String none :
        new String[] {"+4912", "+999151123456789", "0151 99887766", "+49151abcdefgh"}) {
      canaries.canary("no number " + none, none + "-is-no-number");
      ask("POST", "/v1/registration/code", null, body("number", none + "-is-no-number"));
    }
    // Anna's number again, without her PIN and with a wrong one.
    String again = canaries.canary("Anna's ticket again", ticketAgain(anna.number));
    ask(
        "POST",
        "/v1/registration",
        null,
        body("number", anna.number, "ticket", again, "device_name", "x", "pin", wrong));
    ask(
        "POST",
        "/v1/registration",
        null,
        body("number", anna.number, "ticket", wrong + wrong, "device_name", "x"));
    // To another number, with the wrong PIN and the right one.
    String moved = canaries.number("a third number", world.newNumber());
    String ticket = world.ticket(moved);
    ask("POST", "/v1/number", anna.token, body("number", moved, "ticket", ticket, "pin", wrong));
    ask(
        "POST",
        "/v1/recovery",
        null,
        body("user", anna.user(), "key", key.substring(1) + "x", "device_name", "x"));
    String username = canaries.canary("username", "kanarien_name_7");
    ask("PUT", "/v1/username", anna.token, body("username", username));
    ask("GET", "/v1/usernames/" + username, anna.token, null);
    ask("GET", "/v1/usernames/" + username + "%0d%0a", anna.token, null);
    ask(
        "POST",
        "/v1/contacts/lookup",
        anna.token,
        body("numbers", new String[] {number, moved, anna.number}));
    ask("GET", "/v1/export", anna.token, null);
  }

  /// As soon as another code may be asked for.
  private String ticketAgain(String number) {
    var ticket = new AtomicReference<String>();
    await()
        .untilAsserted(() ->
            assertThatCode(() -> ticket.set(world.ticket(number))).doesNotThrowAnyException());
    return Objects.requireNonNull(ticket.get());
  }

  private void tokensAndDevices(Person anna, Person bert) {
    // Linking, with a wrong key too.
    JsonNode opened = ask("POST", "/v1/links", null, body("device_name", "tablet")).body();
    String link = opened.get("link").textValue();
    String key = canaries.canary("link key", opened.get("key").textValue());
    ask("POST", "/v1/links/" + link + "/claim", bert.token, body("key", key + "x"));
    ask("POST", "/v1/links/" + link + "/complete", null, body("key", key));
    Person tablet = world.link(bert);
    canaries.canary("secret of the tablet", tablet.secret);
    canaries.canary("token of the tablet", tablet.token);
    Answer pair = ask("POST", "/v1/token", null, tablet.proof("attempt-0000000000000001"));
    canaries.canary("next secret", pair.body().get("secret").textValue());
    canaries.canary("next token", pair.body().get("token").textValue());
    // A secret that never was, and one of somebody else.
    var wrong = tablet.proof("attempt-0000000000000002");
    wrong.put("secret", anna.secret);
    ask("POST", "/v1/token", null, wrong);
    ask("GET", "/v1/profile", tablet.token + "AAAA", null);
    ask("GET", "/v1/profile", tablet.token.replace('.', '!'), null);
    ask("DELETE", "/v1/devices/" + tablet.device.index(), bert.token, null);
    ask("GET", "/v1/profile", tablet.token, null);
    RawClient gone = RawClient.connect(world.server.listen());
    gone.write(RawClient.preface(), RawClient.hello(HttpWorld.hello(tablet)));
    lookAtErrors(gone);
  }

  // ---- sessions --------------------------------------------------------------------------------

  private void messages(Person anna, Person bert) throws IOException {
    RawClient a = RawClient.connect(world.server.listen());
    login(a, anna, "over TCP");
    RawClient b = RawClient.over(TlsSockets.tern(world.server));
    login(b, bert, "over TLS");
    String text = canaries.canary("message", "meet me behind the lighthouse at midnight");
    a.write(RawClient.send(1, bert.device.user(), 1, text));
    a.until(FrameType.SENT);
    b.until(FrameType.DELIVER);
    b.write(RawClient.ack(anna.device.user(), 1));
    a.until(FrameType.RECEIPT);
    // A csn used twice for different texts, one out of order, one to nobody, one too long.
    a.write(
        RawClient.send(
            2, bert.device.user(), 1, canaries.canary("conflict", "another text with csn one")));
    canaries.look("ERROR frame", a.until(FrameType.ERROR).error().toString());
    a.write(
        RawClient.send(
            3, bert.device.user(), 9, canaries.canary("gap", "a text far out of order")));
    canaries.look("ERROR frame", a.until(FrameType.ERROR).error().toString());
    a.write(
        RawClient.send(
            4, RawClient.id("nobody"), 1, canaries.canary("nobody", "a text to nobody at all")));
    canaries.look("ERROR frame", a.until(FrameType.ERROR).error().toString());
    String title = canaries.canary("group title", "Conspiracy of the lamplighters");
    a.write(
        RawClient.frame(
            FrameType.GROUP_CREATE,
            FrameHeader.RID,
            5,
            0,
            0,
            GroupCreate.newBuilder()
                .setOpId(ByteString.copyFromUtf8("0123456789abcdef"))
                .setTitle(title)
                .addMembers(bert.user())
                .build()));
    RawClient.Frame created = a.read();
    while (created.type() != FrameType.GROUP_CREATED && created.type() != FrameType.ERROR) {
      created = a.read();
    }
    a.write(
        RawClient.frame(
            FrameType.GROUP_EDIT,
            FrameHeader.RID | FrameHeader.CHAT | FrameHeader.GROUP,
            6,
            4711,
            0,
            GroupEdit.newBuilder()
                .setOpId(ByteString.copyFromUtf8("0123456789abcdeg"))
                .setTitle(
                    canaries.canary("title of no group", "Title of a group that is not there"))
                .build()));
    canaries.look("ERROR frame", a.until(FrameType.ERROR).error().toString());
    a.write(
        RawClient.frame(
            FrameType.SETTINGS,
            FrameHeader.RID,
            7,
            0,
            0,
            Settings.newBuilder()
                .addSet(
                    Setting.newBuilder()
                        .setContact(
                            io.tern.protocol.v1.Contact.newBuilder()
                                .setUser(bert.user())
                                .setName(canaries.canary("contact", "The one with the parrot"))))
                .build()));
    a.until(FrameType.SETTINGS_SET);
    // Bert goes away: news, nudge, push.
    b.close();
    a.write(
        RawClient.send(
            8, bert.device.user(), 2, canaries.canary("offline", "a text for who is away")));
    a.until(FrameType.SENT);
    // Back over WebSocket, which is caught up; then everything breaks off in the middle of a frame.
    var socket = new Socket();
    socket.connect(world.server.listening().webSocket().getFirst());
    RawClient w = RawClient.over(WebSocketSocket.over(socket, ""));
    w.write(RawClient.hello(HttpWorld.hello(bert)));
    RawClient.Frame ack = w.read();
    assertThat(ack.type() == FrameType.ERROR ? ack.error().toString() : "").isEmpty();
    canaries.canary(
        "ticket over WebSocket",
        ack.parsed(HelloAck.getDefaultInstance()).getResume().toByteArray());
    w.until(FrameType.CATCH_UP_PAGE);
    byte[] cut =
        RawClient.send(
            9, anna.device.user(), 1, canaries.canary("cut", "a text that breaks off here"));
    w.write(java.util.Arrays.copyOf(cut, cut.length - 3));
    w.close();
    a.close();
  }

  private static Hello.Builder hello(byte[] token) {
    return Hello.newBuilder()
        .setVerMin(1)
        .setVerMax(1)
        .setDevice(1)
        .setToken(ByteString.copyFrom(token))
        .setState(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
  }

  private void badFrames(Person anna) throws IOException {
    String token = canaries.canary("bad token", "not-a-token-but-a-secret-all-the-same");
    byte[] ascii = token.getBytes(StandardCharsets.US_ASCII);
    byte[] bad = RawClient.hello(hello(ascii).build());
    byte[] good = RawClient.hello(HttpWorld.hello(anna));
    byte[] frameOfText =
        RawClient.frame(FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, 1, 77, 0, ascii);
    byte[] pingOfText = RawClient.frame(FrameType.PING, 0, 0, 0, 0, ascii);
    byte[][] inputs = {
      bad,
      RawClient.hello(
          Hello.newBuilder(hello(ascii).build())
              .setResume(ByteString.copyFrom(ascii))
              .clearToken()
              .build()),
      RawClient.hello(Hello.newBuilder(HttpWorld.hello(anna)).setDevice(99).build()),
      RawClient.hello(Hello.newBuilder(HttpWorld.hello(anna)).setVerMin(7).setVerMax(9).build()),
      RawClient.frame(FrameType.HELLO, 0, 0, 0, 0, ascii),
      frameOfText,
      ascii,
      join(good, good),
      join(good, frameOfText),
      join(good, pingOfText),
      join(good, ascii),
      join(
          good,
          RawClient.frame(
              FrameType.REAUTH,
              0,
              0,
              0,
              0,
              io.tern.protocol.v1.Reauth.newBuilder()
                  .setToken(ByteString.copyFrom(ascii))
                  .build())),
      join(good, RawClient.frame(FrameType.TYPING, 0, 0, 0, 0, ascii)),
      join(good, RawClient.frame(FrameType.HISTORY, FrameHeader.RID, 3, 0, 0, ascii)),
    };
    for (byte[] input : inputs) {
      for (String door : new String[] {"tcp", "tls", "websocket"}) {
        try (RawClient client = connect(door)) {
          client.write(door.equals("websocket") ? new byte[0] : RawClient.preface(), input);
          client.socket.shutdownOutput();
          lookAtErrors(client);
        } catch (UncheckedIOException
            | IOException
            | UnsupportedOperationException
            | AssertionError e) {
          // Cut off: what the server thinks of it is in its log.
        }
      }
      // What is meant for one door, at each of the others, without its ceremony.
      for (InetSocketAddress door :
          new InetSocketAddress[] {
            world.server.listen(),
            world.server.listening().tls().getFirst(),
            world.server.listening().webSocket().getFirst(),
            Objects.requireNonNull(world.server.http()),
            world.server.admin()
          }) {
        raw(door, join(RawClient.preface(), input));
        raw(door, input);
        raw(
            door,
            join(
                ("GET /v1/websocket?token="
                        + token
                        + " HTTP/1.1\r\n"
                        + WebSocketSocket.HEADERS
                        + "Cookie: t="
                        + token
                        + "\r\nOrigin: https://"
                        + token
                        + "\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII),
                input));
        raw(
            door,
            ("POST /v1/"
                    + token
                    + "?"
                    + token
                    + " HTTP/1.1\r\nHost: "
                    + token
                    + "\r\nAuthorization: Bearer "
                    + token
                    + "\r\n"
                    + token
                    + ": "
                    + token
                    + "\r\nContent-Length: 12"
                    + token
                    + "\r\n\r\n"
                    + token)
                .getBytes(StandardCharsets.US_ASCII));
        raw(
            door,
            ("GET / HTTP/1.1\r\nHost: x\r\nX-" + token + "\u0001: " + token + "\r\n\r\n")
                .getBytes(StandardCharsets.ISO_8859_1));
        raw(
            door,
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + token + token)
                .getBytes(StandardCharsets.US_ASCII));
      }
    }
    // What looks like TLS and is not, and what follows a good handshake in plain text.
    for (int type = 20; type <= 24; type++) {
      raw(
          world.server.listening().tls().getFirst(),
          join(new byte[] {(byte) type, 3, 1, 0, (byte) ascii.length}, ascii, ascii));
    }
    try (var below = new Socket();
        Socket tls = TlsSockets.over(below, world.server)) {
      assertThat(tls.isConnected()).isTrue();
      below.getOutputStream().write(join(ascii, ascii));
      below.setSoTimeout(2_000);
      below.getInputStream().readNBytes(10_000);
    } catch (IOException e) {
      // Cut off.
    }
    // Handshakes that are refused.
    shakeHands("TLSv1.2", "tern/1");
    shakeHands("TLSv1.3", token);
  }

  private void shakeHands(String protocol, String alpn) {
    try (Socket socket =
        TlsSockets.connect(
            world.server.listening().tls().getFirst(),
            String.valueOf(world.server.fingerprint()),
            protocol,
            alpn)) {
      socket.getInputStream().readNBytes(100);
    } catch (IOException e) {
      // Refused.
    }
  }

  private RawClient connect(String door) throws IOException {
    return switch (door) {
      case "tcp" -> RawClient.connect(world.server.listen());
      case "tls" -> RawClient.over(TlsSockets.tern(world.server));
      default -> {
        var socket = new Socket();
        socket.connect(world.server.listening().webSocket().getFirst());
        yield RawClient.over(WebSocketSocket.over(socket, ""));
      }
    };
  }

  /// Writes, and looks at what comes back, until the server or half a second has had enough.
  private void raw(InetSocketAddress door, byte[] bytes) {
    try (var socket = new Socket()) {
      socket.connect(door, 2_000);
      socket.setSoTimeout(2_000);
      socket.getOutputStream().write(bytes);
      socket.shutdownOutput();
      byte[] answer = socket.getInputStream().readNBytes(64 * 1024);
      canaries.look("answer to a stranger", new String(answer, StandardCharsets.ISO_8859_1));
    } catch (IOException e) {
      // Cut off.
    }
  }

  private static byte[] join(byte[]... pieces) {
    var all = new ByteArrayOutputStream();
    for (byte[] piece : pieces) {
      all.writeBytes(piece);
    }
    return all.toByteArray();
  }

  // ---- HTTP ------------------------------------------------------------------------------------

  private void badHttp(Person anna) throws Exception {
    String secret = canaries.canary("secret in bad HTTP", "a-secret-in-the-wrong-place");
    canaries.look(
        "answer", world.send("POST", "/v1/registration/code", null, BAD_JSON + secret).body());
    canaries.look(
        "answer",
        world
            .send("POST", "/v1/registration/code", null, "{\"number\":\"" + secret + "\"}")
            .body());
    canaries.look(
        "answer",
        world
            .send("POST", "/v1/registration/code", null, "{\"number\":{\"" + secret + "\":1}}")
            .body());
    canaries.look(
        "answer",
        world
            .send(
                "POST",
                "/v1/registration/code",
                null,
                "{\"number\":\"" + secret + "\",\"number\":\"" + secret + "\"}")
            .body());
    canaries.look(
        "answer", world.send("POST", "/v1/registration/code", null, "[\"" + secret + "\"]").body());
    canaries.look(
        "answer", world.send("POST", "/v1/registration/code", null, "\"" + secret).body());
    canaries.look("answer", world.send("POST", "/v1/registration/code", null, secret).body());
    canaries.look(
        "answer",
        world
            .send(
                "POST",
                "/v1/token",
                null,
                "{\"user\":" + "9".repeat(30) + ",\"secret\":\"" + secret + "\"}")
            .body());
    canaries.look(
        "answer",
        world
            .send("POST", "/v1/token", secret, "{\"secret\":\"" + secret.repeat(4_000) + "\"}")
            .body());
    canaries.look(
        "answer", world.send("GET", "/v1/links/" + secret + "/status", secret, null).body());
    canaries.look("answer", world.send("PUT", "/v1/pin?pin=" + secret, secret, null).body());
    canaries.look("answer", world.send("GET", "/" + secret, secret, null).body());
    world.send("GET", "/v1/profile?x=" + secret, anna.token, null);
    canaries.look("answer", get(world.server.admin(), "/" + secret + "?token=" + secret));
    canaries.look("answer", get(world.server.admin(), "/metrics/" + secret));
  }

  /// What operators send, right and wrong, and what is kept of it.
  private void administrators(Person anna, Person bert) throws Exception {
    Path data = folder.resolve("data");
    String secret =
        canaries.canary(
            "secret of an administrator",
            AdminCredentials.in(data)
                .add("anna", AdminCredentials.Role.ACT, Instant.now(), new SecureRandom())
                .reveal());
    int port = world.server.admin().getPort();
    try (var door = new HttpDoor(port, secret);
        var client = HttpClient.newHttpClient()) {
      String user = "/v1/users/" + anna.user();
      String unknown = canaries.number("number of nobody", world.newNumber());
      for (String body :
          new String[] {
            body("number", anna.number).toString(),
            body("number", unknown).toString(),
            body("number", secret).toString(),
            body("username", secret).toString(),
            BAD_JSON + secret
          }) {
        canaries.look("answer", door.send("POST", "/v1/users/find", secret, body).body());
      }
      for (String path : new String[] {user, "/v1/users/" + secret, "/v1/audit?x=" + secret}) {
        canaries.look("answer", door.send("GET", path, secret, null).body());
        canaries.look("answer", door.send("GET", path, secret + "x", null).body());
      }
      ChatId chat = ChatId.direct(anna.device.user(), bert.device.user());
      int traced = 0;
      for (int seq = 1; seq <= 12; seq++) {
        String way = door.send("GET", "/v1/trace/" + chat + "/" + seq, secret, null).body();
        canaries.look("trace", way);
        traced += way.contains("\"committed\"") ? 1 : 0;
      }
      assertThat(traced).isPositive();
      for (String path : new String[] {"/v1/trace/" + secret + "/1", "/v1/trace/g1/" + secret}) {
        canaries.look("answer", door.send("GET", path, secret, null).body());
      }
      String ban = body("reason", "spam", "until_ms", Long.MAX_VALUE >> 10).toString();
      canaries.look("answer", door.send("PUT", user + "/ban", secret, ban).body());
      canaries.look("answer", door.send("DELETE", user + "/ban", secret, null).body());
      canaries.look("answer", door.send("GET", "/v1/audit", secret, null).body());
      // With the wish for HTTP/2 that the JDK's client has by itself.
      var asked =
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/v1/credential"))
              .header("authorization", "Bearer " + secret)
              .build();
      canaries.look("answer", client.send(asked, HttpResponse.BodyHandlers.ofString()).body());
    }
    // Its hash is there, the secret is not.
    assertThat(Files.readString(data.resolve("admin-credentials"))).doesNotContain(secret);
    try (var files = Files.list(data.resolve("audit"))) {
      for (Path file : files.toList()) {
        canaries.look("audit log", Files.readString(file));
      }
    }
  }

  private static String get(InetSocketAddress address, String path) throws Exception {
    try (var client = HttpClient.newHttpClient()) {
      HttpResponse<String> response =
          client.send(
              HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + address.getPort() + path))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
      return response.headers().map() + response.body();
    }
  }

  // ---- SMS -------------------------------------------------------------------------------------

  private void providersThatFail() {
    for (int status : new int[] {500, 429, 400, 302, 0}) {
      provider.set(status);
      String number = canaries.number("number for status " + status, world.newNumber());
      ask("POST", "/v1/registration/code", null, body("number", number));
    }
    sms.stop(0);
    String number = canaries.number("number for nobody", world.newNumber());
    ask("POST", "/v1/registration/code", null, body("number", number));
  }

  /// The other provider, whose library logs for itself.
  private void texting() throws IOException {
    String number = canaries.number("number by SMPP", "+4915199990001");
    String text = canaries.canary("text by SMPP", "804020 is your code for nothing");
    String password = canaries.canary("password by SMPP", "pA55w0rD");
    try (var center = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual().start(() -> smsc(center));
      for (int i = 0; i < 3; i++) {
        try (var sender =
            new SmppSms(
                new SmppSms.Config(
                    "127.0.0.1",
                    center.getLocalPort(),
                    new SmppSms.Security.Plain(),
                    "tern",
                    password,
                    "",
                    "Tern",
                    Duration.ofSeconds(2)))) {
          canaries.look("outcome", sender.send(number, text).toString());
          canaries.look("outcome", sender.send(number, text).toString());
        }
      }
    }
  }

  /// An SMSC: takes the first text of a session, refuses the second, and then talks nonsense.
  private static void smsc(ServerSocket center) {
    while (!center.isClosed()) {
      try (Socket socket = center.accept()) {
        var in = new DataInputStream(socket.getInputStream());
        var answer = new DataOutputStream(socket.getOutputStream());
        int texts = 0;
        while (true) {
          int length = in.readInt();
          int command = in.readInt();
          in.readInt();
          int sequence = in.readInt();
          byte[] body = in.readNBytes(length - 16);
          boolean refuses = command == 4 && texts++ > 0;
          byte[] says = refuses ? body : new byte[] {'m', '1', 0};
          answer.writeInt(16 + says.length);
          answer.writeInt(command | 0x8000_0000);
          answer.writeInt(refuses ? 0x0B : 0);
          answer.writeInt(sequence);
          answer.write(says);
          answer.flush();
        }
      } catch (IOException e) {
        // The next one.
      }
    }
  }

  // ---- what RocksDB writes ---------------------------------------------------------------------

  private void rocksLogs() throws IOException {
    try (var files = Files.walk(folder.resolve("data"))) {
      var logs =
          files
              .filter(file -> file.getFileName().toString().startsWith("LOG"))
              .filter(Files::isRegularFile)
              .toList();
      assertThat(logs).isNotEmpty();
      for (Path log : logs) {
        canaries.look(
            "RocksDB's " + log.getFileName(), Files.readString(log, StandardCharsets.ISO_8859_1));
      }
    }
  }
}

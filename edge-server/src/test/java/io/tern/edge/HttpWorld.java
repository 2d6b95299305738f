package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpDoor.Operation;
import io.tern.edge.config.TokensConfig;
import io.tern.edge.token.SigningKeys;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Hello;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A server with accounts, and what a client does over HTTP. Every request and every answer is held
/// against the OpenAPI document that the server itself gives out.
final class HttpWorld implements AutoCloseable {

  private static final Pattern SMS = Pattern.compile("SMS to (\\+\\d+): (\\d{6}) .*");

  /// A device that has come in, and the secret that it would use next.
  static final class Person {
    final String number;
    final DeviceId device;
    String secret;
    long secretNumber;
    String token;

    Person(String number, JsonNode registered) {
      this.number = number;
      device =
          new DeviceId(
              new UserId(registered.get("user").longValue()), registered.get("device").intValue());
      secret = registered.get("secret").textValue();
      secretNumber = registered.get("secret_number").longValue();
      token = registered.get("token").textValue();
    }

    long user() {
      return device.user().value();
    }

    ObjectNode proof(String attempt) {
      return body(
          "user",
          user(),
          "device",
          device.index(),
          "secret",
          secret,
          "secret_number",
          secretNumber,
          "attempt",
          attempt);
    }
  }

  final TernServer server;
  final Path data;
  private final ConcurrentLinkedDeque<String> console = new ConcurrentLinkedDeque<>();
  private int numbers = 1_000_000;

  /// Where accounts are.
  final HttpDoor door;

  final JsonNode document;
  final List<Operation> operations;

  /// Operations that succeeded so far.
  final Set<String> succeeded;

  HttpWorld(Path data, String... settings) throws IOException {
    this.data = data;
    var all = new ArrayList<String>();
    all.add("http.listen=127.0.0.1:0");
    // What is counted by address would count all tests as one.
    for (String budget :
        List.of("per-address", "per-network", "per-block", "per-prefix", "wrong-per-address")) {
      all.add("accounts.sms." + budget + "=1000000");
    }
    all.addAll(List.of(settings));
    server =
        TernServer.start(
            TestServer.config(data, all.toArray(String[]::new)),
            (what, cause) -> {
              throw new AssertionError(what, cause);
            },
            console::add);
    door = new HttpDoor(port(), null);
    document = door.document;
    operations = door.operations;
    succeeded = door.succeeded;
  }

  /// A token of the device that the server itself signed, an hour ago.
  String expiredToken(DeviceId device) {
    Instant now = Instant.now();
    try {
      return SigningKeys.open(
              data.resolve("token-keys"),
              new TokensConfig(Duration.ofMinutes(15), Duration.ofDays(30), Duration.ofMinutes(10)),
              now,
              new SecureRandom())
          .sign(device, now.minusSeconds(3600))
          .value();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  // ---- requests --------------------------------------------------------------------------------

  static ObjectNode body(Object... keysAndValues) {
    return HttpDoor.body(keysAndValues);
  }

  /// As [HttpDoor#ask].
  Answer ask(String method, String path, @Nullable String token, @Nullable JsonNode body) {
    return door.ask(method, path, token, body);
  }

  /// As [HttpDoor#send].
  HttpResponse<String> send(
      String method, String path, @Nullable String token, @Nullable String body) {
    return door.send(method, path, token, body);
  }

  int port() {
    return Objects.requireNonNull(server.http()).getPort();
  }

  /// A connection to do by hand with.
  Socket connect() throws IOException {
    return door.connect();
  }

  static JsonNode tree(String json) {
    return HttpDoor.tree(json);
  }

  // ---- what people do --------------------------------------------------------------------------

  String newNumber() {
    return "+49151" + (20_000_000 + numbers++);
  }

  /// A text that a provider of the test took, in place of the console.
  void heard(String number, String text) {
    console.add("SMS to " + number + ": " + text);
  }

  /// The code that was sent to `number` last.
  String code(String number) {
    for (var lines = console.descendingIterator(); lines.hasNext(); ) {
      Matcher sms = SMS.matcher(lines.next());
      if (sms.matches() && sms.group(1).equals(number)) {
        return sms.group(2);
      }
    }
    throw new AssertionError("no text to " + number + " in " + console);
  }

  /// Proves the number: the ticket.
  String ticket(String number) {
    Answer sent = ask("POST", "/v1/registration/code", null, body("number", number));
    assertThat(sent.status()).as(sent.raw()).isEqualTo(200);
    Answer verified =
        ask(
            "POST",
            "/v1/registration/verify",
            null,
            body(
                "number",
                number,
                "request",
                sent.body().get("request").textValue(),
                "code",
                code(number)));
    assertThat(verified.status()).as(verified.raw()).isEqualTo(200);
    return verified.body().get("ticket").textValue();
  }

  Person register(String name) {
    String number = newNumber();
    Answer registered =
        ask(
            "POST",
            "/v1/registration",
            null,
            body("number", number, "ticket", ticket(number), "device_name", "phone", "name", name));
    assertThat(registered.status()).as(registered.raw()).isEqualTo(201);
    return new Person(number, registered.body());
  }

  /// Another device of the same account.
  Person link(Person first) {
    JsonNode opened = ask("POST", "/v1/links", null, body("device_name", "tablet")).body();
    String path = "/v1/links/" + opened.get("link").textValue();
    String key = opened.get("key").textValue();
    JsonNode claimed = ask("POST", path + "/claim", first.token, body("key", key)).body();
    JsonNode status = ask("POST", path + "/status", null, body("key", key)).body();
    assertThat(status.get("compare")).isEqualTo(claimed.get("compare"));
    assertThat(ask("POST", path + "/confirm", first.token, body("yes", true)).status())
        .isEqualTo(204);
    Answer complete = ask("POST", path + "/complete", null, body("key", key));
    assertThat(complete.status()).as(complete.raw()).isEqualTo(201);
    return new Person(first.number, complete.body());
  }

  /// The device's session over TCP, live.
  RawClient session(Person person) {
    RawClient session = RawClient.connect(server.listen());
    session.write(RawClient.preface(), RawClient.hello(hello(person)));
    session.helloAck();
    return session;
  }

  static Hello hello(Person person) {
    return Hello.newBuilder()
        .setVerMin(1)
        .setVerMax(1)
        .setDevice(person.device.index())
        .setToken(ByteString.copyFromUtf8(person.token))
        .setState(ClientActivity.CLIENT_ACTIVITY_ACTIVE)
        .build();
  }

  @Override
  public void close() {
    door.close();
    server.close();
  }
}

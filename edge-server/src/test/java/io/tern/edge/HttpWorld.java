package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Hello;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A server with accounts, and what a client does over HTTP. Every request and every answer is held
/// against the OpenAPI document that the server itself gives out.
final class HttpWorld implements AutoCloseable {

  static final ObjectMapper JSON = new ObjectMapper();

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

  /// @param operation its id in the document; empty where there is none
  record Answer(String operation, int status, JsonNode body, String raw, HttpResponse<?> http) {
    int code() {
      return body.at("/error/code").intValue();
    }

    String field() {
      return body.at("/error/field").asText();
    }
  }

  /// An operation of the document.
  record Operation(String id, String method, String path, JsonNode node) {
    boolean isOpen() {
      return node.get("security").isEmpty();
    }

    boolean matches(String asked, String by) {
      String pattern = path.replace(".", "\\.").replaceAll("\\{[a-z]+\\}", "[^/]+");
      return method.equals(by) && asked.matches(pattern);
    }
  }

  final TernServer server;
  final Path data;
  private final ConcurrentLinkedDeque<String> console = new ConcurrentLinkedDeque<>();
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private int numbers = 1_000_000;

  final JsonNode document;
  final List<Operation> operations = new ArrayList<>();
  private final SchemaCheck check;

  /// Operations that succeeded so far.
  final Set<String> succeeded = new TreeSet<>();

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
    document = tree(send("GET", "/openapi.json", null, null).body());
    document
        .get("paths")
        .properties()
        .forEach(path ->
            path.getValue()
                .properties()
                .forEach(method ->
                    operations.add(
                        new Operation(
                            method.getValue().get("operationId").textValue(),
                            method.getKey().toUpperCase(Locale.ROOT),
                            path.getKey(),
                            method.getValue()))));
    check = new SchemaCheck(document);
  }

  // ---- requests --------------------------------------------------------------------------------

  static ObjectNode body(Object... keysAndValues) {
    ObjectNode body = JSON.createObjectNode();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      body.set((String) keysAndValues[i], JSON.valueToTree(keysAndValues[i + 1]));
    }
    return body;
  }

  /// Asks, and holds request and answer against the document.
  Answer ask(String method, String path, @Nullable String token, @Nullable JsonNode body) {
    HttpResponse<String> response =
        send(
            method,
            path,
            token,
            body == null ? null : body.toString().replace("\ud800", "\\ud800"));
    Operation operation =
        operations.stream().filter(o -> o.matches(path, method)).findFirst().orElse(null);
    String name = method + " " + path;
    String type = response.headers().firstValue("content-type").orElse("");
    assertThat(response.headers().firstValue("cache-control")).hasValue("no-store");
    assertThat(response.headers().firstValue("x-content-type-options")).hasValue("nosniff");
    assertThat(response.headers().map()).doesNotContainKeys("server", "date");
    int status = response.statusCode();
    boolean isGood = status / 100 == 2;
    JsonNode answer =
        type.startsWith("application/json") ? tree(response.body()) : JSON.createObjectNode();
    if (operation == null || !isGood) {
      assertThat(isGood).as("%s is in the document", name).isFalse();
      JsonNode schema = document.at("/components/schemas/Error");
      assertThat(check.faults(answer, schema)).as("%s: %s", name, response.body()).isEmpty();
      return new Answer(
          operation == null ? "" : operation.id(), status, answer, response.body(), response);
    }
    JsonNode takes = operation.node().at("/requestBody/content/application~1json/schema");
    if (!takes.isMissingNode()) {
      Objects.requireNonNull(body, name);
      assertThat(check.faults(body, takes)).as("request %s", name).isEmpty();
    }
    JsonNode responses = operation.node().get("responses");
    assertThat(responses.has(Integer.toString(status))).as("%s: %d", name, status).isTrue();
    JsonNode content = responses.get(Integer.toString(status)).path("content");
    if (content.has("application/json")) {
      assertThat(type).isEqualTo("application/json; charset=utf-8");
      assertThat(check.faults(answer, content.at("/application~1json/schema")))
          .as("answer of %s", name)
          .isEmpty();
    } else if (content.isMissingNode()) {
      assertThat(response.body()).as(name).isEmpty();
    }
    succeeded.add(operation.id());
    return new Answer(operation.id(), status, answer, response.body(), response);
  }

  HttpResponse<String> send(
      String method, String path, @Nullable String token, @Nullable String body) {
    var request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path))
            .timeout(Duration.ofSeconds(30))
            .method(
                method,
                body == null
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofString(body));
    if (body != null) {
      request.header("content-type", "application/json");
    }
    if (token != null) {
      request.header("authorization", "Bearer " + token);
    }
    try {
      return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  int port() {
    return Objects.requireNonNull(server.http()).getPort();
  }

  /// A connection to do by hand with.
  Socket connect() throws IOException {
    return new Socket(InetAddress.getLoopbackAddress(), port());
  }

  static JsonNode tree(String json) {
    try {
      return JSON.readTree(json);
    } catch (JsonProcessingException e) {
      throw new AssertionError(json, e);
    }
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
    client.close();
    server.close();
  }
}

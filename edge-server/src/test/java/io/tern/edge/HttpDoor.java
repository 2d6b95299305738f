package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// One HTTP port of a server, and whoever asks there. Every request and every answer is held
/// against the OpenAPI document that the port itself gives out.
final class HttpDoor implements AutoCloseable {

  static final ObjectMapper JSON = new ObjectMapper();

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

    /// What a credential must be allowed to do, on the admin port: read or act.
    String role() {
      return node.at("/security/0/bearer/0").asText();
    }

    boolean matches(String asked, String by) {
      String pattern = path.replace(".", "\\.").replaceAll("\\{[a-z]+\\}", "[^/]+");
      return method.equals(by) && asked.matches(pattern);
    }
  }

  private final int port;
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  final JsonNode document;
  final List<Operation> operations = new ArrayList<>();
  private final SchemaCheck check;

  /// Operations that succeeded so far.
  final Set<String> succeeded = new TreeSet<>();

  /// @param token with which the document can be had
  HttpDoor(int port, @Nullable String token) {
    this.port = port;
    document = tree(send("GET", "/openapi.json", token, null).body());
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
    if (operation == null || !operation.node().get("responses").has(Integer.toString(status))) {
      assertThat(isGood).as("%s is in the document", name).isFalse();
      JsonNode schema = document.at("/components/schemas/Error");
      assertThat(check.faults(answer, schema)).as("%s: %s", name, response.body()).isEmpty();
      return new Answer(
          operation == null ? "" : operation.id(), status, answer, response.body(), response);
    }
    JsonNode takes = operation.node().at("/requestBody/content/application~1json/schema");
    boolean leftOut = body == null && !operation.node().at("/requestBody/required").asBoolean();
    if (!takes.isMissingNode() && !leftOut) {
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
    if (isGood) {
      succeeded.add(operation.id());
    }
    return new Answer(operation.id(), status, answer, response.body(), response);
  }

  HttpResponse<String> send(
      String method, String path, @Nullable String token, @Nullable String body) {
    var request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
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

  /// A connection to do by hand with.
  Socket connect() throws IOException {
    return new Socket(InetAddress.getLoopbackAddress(), port);
  }

  static JsonNode tree(String json) {
    try {
      return JSON.readTree(json);
    } catch (JsonProcessingException e) {
      throw new AssertionError(json, e);
    }
  }

  @Override
  public void close() {
    client.close();
  }
}

package io.tern.edge;

import static io.tern.edge.HttpDoor.body;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpDoor.Operation;
import io.tern.edge.HttpWorld.Person;
import io.tern.edge.admin.AdminCredentials.Role;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/// Who may do what on the admin port: every operation of the served OpenAPI document × everyone who
/// may ask. An operation without a row here fails, so a new one needs its own.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AdminMatrixTest {

  @TempDir static Path folder;

  private AdminWorld world;
  private Person person;
  private final Map<String, @Nullable String> outsiders = new LinkedHashMap<>();

  /// What is asked in one cell.
  private record Request(String path, @Nullable ObjectNode body) {}

  @FunctionalInterface
  private interface Maker {
    Request make();
  }

  /// One operation's row.
  ///
  /// @param status for whoever may
  /// @param make a fresh request that is valid if the right one asks
  private record Row(int status, Maker make) {}

  private final Map<String, Row> rows = new LinkedHashMap<>();

  @BeforeAll
  void start() throws IOException {
    world = new AdminWorld(folder);
    person = world.people.register("Olga");
    String removed = world.secret("gone", Role.ACT);
    assertThat(world.door.ask("GET", "/v1/credential", removed, null).status()).isEqualTo(200);
    assertThat(world.credentials.remove("gone")).isTrue();
    outsiders.put("nobody", null);
    outsiders.put("a wrong secret", world.actor.substring(0, world.actor.length() - 4) + "AAAA");
    outsiders.put("no secret at all", "x");
    outsiders.put("a removed credential", removed);
    outsiders.put("an account", person.token);
    rows();
  }

  @AfterAll
  void end() {
    world.close();
  }

  private void row(String operation, int status, Maker make) {
    rows.put(operation, new Row(status, make));
  }

  private void rows() {
    row("health", 200, () -> new Request("/health", null));
    row("ready", 200, () -> new Request("/ready", null));
    row("metrics", 200, () -> new Request("/metrics", null));
    row("credential", 200, () -> new Request("/v1/credential", null));
    row("openApi", 200, () -> new Request("/openapi.json", null));
    row("audit", 200, () -> new Request("/v1/audit", null));
    row("auditBefore", 200, () -> new Request("/v1/audit/17", null));
    row("looks", 200, () -> new Request("/v1/looks", null));
    row("looksBefore", 200, () -> new Request("/v1/looks/17", null));
    row("findUser", 200, () -> new Request("/v1/users/find", body("number", person.number)));
    row("user", 200, () -> new Request(user(person), null));
    row("userDevices", 200, () -> new Request(user(person) + "/devices", null));
    row(
        "revokeDevice",
        204,
        () ->
            new Request(
                user(person) + "/devices/" + world.people.link(person).device.index(), null));
    row("revokeDevices", 200, () -> new Request(user(register()) + "/devices", null));
    row("ban", 204, () -> new Request(user(register()) + "/ban", body("reason", "spam")));
    row("unban", 204, () -> new Request(user(person) + "/ban", null));
    row("erase", 204, () -> new Request(user(register()), null));
    row("trace", 200, () -> new Request("/v1/trace/" + entry(), null));
    row("stats", 200, () -> new Request("/v1/stats", null));
    row("drain", 200, () -> new Request("/v1/drain", null));
    row("beginDrain", 200, () -> new Request("/v1/drain", body()));
    row("cancelDrain", 200, () -> new Request("/v1/drain", null));
    row("userSessions", 200, () -> new Request(user(person) + "/sessions", null));
    row(
        "endSession",
        200,
        () -> {
          Person here = register();
          world.people.session(here);
          return new Request(
              user(here) + "/sessions/" + here.device.index(), body("reason", "stuck"));
        });
    row("endSessions", 200, () -> new Request(user(person) + "/sessions", body("reason", "stuck")));
    row("logLevels", 200, () -> new Request("/v1/log-levels", null));
    row(
        "setLogLevel",
        200,
        () -> new Request("/v1/log-levels", body("logger", "io.tern.none", "level", "INFO")));
    row("certificates", 200, () -> new Request("/v1/certificates", null));
    row("reloadCertificates", 200, () -> new Request("/v1/certificates/reload", null));
    row("rotateKeys", 200, () -> new Request("/v1/keys/rotate", null));
  }

  /// An entry of the person's own chat.
  private String entry() {
    try (var client = RawClient.connect(world.people.server.listen())) {
      client.write(RawClient.preface(), RawClient.hello(HttpWorld.hello(person)));
      client.until(FrameType.CATCH_UP_PAGE);
      client.write(RawClient.send(1, person.device.user(), 1, "a note"));
      client.until(FrameType.SENT);
    }
    var user = person.device.user();
    return ChatId.direct(user, user) + "/1";
  }

  private static String user(Person person) {
    return "/v1/users/" + person.user();
  }

  private Person register() {
    return world.people.register("Nina");
  }

  private Answer ask(Operation operation, Request request, @Nullable String secret) {
    assertThat(operation.matches(request.path(), operation.method()))
        .as("%s is %s", request.path(), operation.path())
        .isTrue();
    return world.door.ask(operation.method(), request.path(), secret, request.body());
  }

  private Row row(Operation operation) {
    return Objects.requireNonNull(rows.get(operation.id()), operation.id());
  }

  @Test
  void everyOperationHasItsRow() {
    assertThat(rows.keySet())
        .containsExactlyInAnyOrderElementsOf(
            world.door.operations.stream().map(Operation::id).collect(Collectors.toSet()));
  }

  /// On loopback tools read health, readiness and metrics without a credential, and nothing else.
  @Test
  void onlyWhatToolsReadIsOpen() {
    assertThat(world.door.operations.stream().filter(Operation::isOpen).map(Operation::id))
        .containsExactlyInAnyOrder("health", "ready", "metrics");
    assertThat(world.door.operations)
        .allMatch(operation -> operation.isOpen() || operation.role().matches("read|act"));
  }

  @Test
  void nobodyGetsInWithoutAGoodCredential() {
    var wrong = new TreeSet<String>();
    for (Operation operation : world.door.operations) {
      Request request = row(operation).make().make();
      for (var outsider : outsiders.entrySet()) {
        Answer answer = ask(operation, request, outsider.getValue());
        ErrorCode code =
            outsider.getValue() == null ? ErrorCode.IDENTITY_REQUIRED : ErrorCode.TOKEN_INVALID;
        boolean right =
            operation.isOpen()
                ? answer.status() == row(operation).status()
                : answer.status() == 401 && answer.code() == code.number();
        if (!right) {
          wrong.add(operation.id() + " × " + outsider.getKey() + ": " + answer.raw());
        }
      }
    }
    assertThat(wrong).isEmpty();
    assertThat(world.people.server.counters().get(Count.ADMIN_CREDENTIALS_WRONG)).isPositive();
    assertThat(world.people.server.counters().get(Count.ADMIN_UNAUTHENTICATED))
        .isGreaterThan(world.people.server.counters().get(Count.ADMIN_CREDENTIALS_WRONG));
  }

  @Test
  void whoMayReadReadsAndOnlyWhoMayActActs() {
    var wrong = new TreeSet<String>();
    for (Operation operation : world.door.operations) {
      Row row = row(operation);
      Request request = row.make().make();
      Answer byReader = ask(operation, request, world.reader);
      boolean mayRead = operation.isOpen() || operation.role().equals("read");
      boolean right =
          mayRead
              ? byReader.status() == row.status()
              : byReader.status() == 403 && byReader.code() == ErrorCode.NOT_ALLOWED.number();
      if (!right) {
        wrong.add(operation.id() + " × reader: " + byReader.raw());
      }
      Answer byActor = ask(operation, request, world.actor);
      if (byActor.status() != row.status()) {
        wrong.add(operation.id() + " × actor: " + byActor.raw());
      }
    }
    assertThat(wrong).isEmpty();
    // Each act is in the audit log once, under its operation's name: nobody else's try is.
    var acts = new ArrayList<String>();
    for (JsonNode act : world.door.ask("GET", "/v1/audit", world.reader, null).body().get("acts")) {
      assertThat(act.get("who").textValue()).isEqualTo("anna");
      assertThat(act.get("outcome").textValue()).isEqualTo("done");
      acts.add(act.get("what").textValue());
    }
    assertThat(acts)
        .containsExactlyInAnyOrderElementsOf(
            world.door.operations.stream()
                .filter(operation -> operation.role().equals("act"))
                .map(Operation::id)
                .toList());
    assertThat(world.door.ask("GET", "/v1/credential", world.reader, null).body())
        .isEqualTo(HttpDoor.body("name", "rita", "role", "read"));
    assertThat(world.door.ask("GET", "/v1/credential", world.actor, null).body())
        .isEqualTo(HttpDoor.body("name", "anna", "role", "act"));
  }

  /// An administrator is nobody on the other doors.
  @Test
  void anAdministratorHasNoAccount() {
    Answer answer = world.people.ask("GET", "/v1/profile", world.actor, null);
    assertThat(answer.status()).isEqualTo(401);
    assertThat(answer.code()).isEqualTo(ErrorCode.TOKEN_INVALID.number());
  }

  @Test
  void beyondLoopbackEvenHealthNeedsACredential(@TempDir Path elsewhere) throws IOException {
    try (var far =
        new AdminWorld(elsewhere, "admin.listen=\"0.0.0.0:0\"", "admin.plain=anywhere")) {
      for (Operation operation : far.door.operations) {
        assertThat(operation.isOpen()).as(operation.id()).isFalse();
      }
      for (String path : new String[] {"/health", "/ready", "/metrics"}) {
        assertThat(far.door.ask("GET", path, null, null).status()).as(path).isEqualTo(401);
        assertThat(far.door.ask("GET", path, far.reader, null).status()).as(path).isEqualTo(200);
      }
    }
  }
}

package io.tern.edge;

import static io.tern.edge.HttpWorld.body;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpDoor.Operation;
import io.tern.edge.HttpWorld.Person;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/// Who may do what over HTTP: every operation of the served OpenAPI document × everyone who may
/// ask. An operation without a row here fails, so a new one needs its cells.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HttpMatrixTest {

  @TempDir static Path folder;

  private HttpWorld world;
  private Person owner;
  private Person other;
  private Person stranger;
  private Person revoked;
  private Person banned;
  private String expired;

  /// What is asked in one cell, and what it is about.
  private record Request(String path, @Nullable ObjectNode body) {}

  @FunctionalInterface
  private interface Maker {
    Request make();
  }

  /// One operation's row.
  ///
  /// @param make a fresh request about the owner's things, valid if the right one asks
  /// @param owner status for the owner's device
  /// @param other for another device of the same account
  /// @param stranger for somebody else's
  private record Row(Maker make, int owner, int other, int stranger) {
    /// Each for themselves: everyone may, and reaches their own account only.
    static Row own(int status, Maker make) {
      return new Row(make, status, status, status);
    }
  }

  private final Map<String, Row> rows = new LinkedHashMap<>();

  @BeforeAll
  void start() throws IOException {
    world =
        new HttpWorld(
            folder,
            "http.rate.device.rate=0",
            "http.rate.account.rate=0",
            "accounts.search=true",
            "accounts.resend-after=1 s");
    owner = world.register("Olga");
    other = world.link(owner);
    stranger = world.register("Sam");
    revoked = world.link(owner);
    assertThat(
            world
                .ask("DELETE", "/v1/devices/" + revoked.device.index(), owner.token, null)
                .status())
        .isEqualTo(204);
    banned = world.register("Bart");
    world.server.accounts().admin().ban(banned.device.user(), Long.MAX_VALUE);
    expired = world.expiredToken(owner.device);
    rows();
  }

  @AfterAll
  void end() {
    world.close();
  }

  private void rows() {
    rows.put(
        "requestCode",
        Row.own(
            200, () -> new Request("/v1/registration/code", body("number", world.newNumber()))));
    rows.put(
        "verifyCode",
        Row.own(
            200,
            () -> {
              String number = world.newNumber();
              String request =
                  world
                      .ask("POST", "/v1/registration/code", null, body("number", number))
                      .body()
                      .get("request")
                      .textValue();
              return new Request(
                  "/v1/registration/verify",
                  body("number", number, "request", request, "code", world.code(number)));
            }));
    rows.put(
        "register",
        Row.own(
            201,
            () -> {
              String number = world.newNumber();
              return new Request(
                  "/v1/registration",
                  body(
                      "number",
                      number,
                      "ticket",
                      world.ticket(number),
                      "device_name",
                      "phone",
                      "name",
                      "Nina"));
            }));
    rows.put(
        "recover",
        Row.own(
            201,
            () -> {
              Person person = world.register("Rita");
              String key =
                  world
                      .ask("POST", "/v1/recovery/key", person.token, null)
                      .body()
                      .get("key")
                      .textValue();
              return new Request(
                  "/v1/recovery", body("user", person.user(), "key", key, "device_name", "found"));
            }));
    rows.put(
        "createRecoveryKey",
        Row.own(201, () -> new Request("/v1/recovery/key", body("pin", "204060"))));
    rows.put(
        "refreshToken",
        Row.own(
            200,
            () -> new Request("/v1/token", world.register("Tina").proof("attempt-0123456789"))));
    rows.put("listDevices", Row.own(200, () -> new Request("/v1/devices", null)));
    // The stranger has no such device.
    rows.put(
        "renameDevice",
        new Row(
            () -> new Request("/v1/devices/" + other.device.index(), body("name", "renamed")),
            204,
            204,
            404));
    rows.put(
        "revokeDevice",
        new Row(
            () -> new Request("/v1/devices/" + world.link(owner).device.index(), null),
            204,
            204,
            404));
    rows.put("openLink", Row.own(201, () -> new Request("/v1/links", body("device_name", "pad"))));
    // Who has the key may claim it, for their own account: the new device shows whose.
    rows.put(
        "claimLink",
        Row.own(
            200,
            () -> {
              JsonNode link = open();
              return new Request(path(link) + "/claim", key(link));
            }));
    // Only the device that claimed it confirms it.
    rows.put(
        "confirmLink",
        new Row(
            () -> {
              JsonNode link = open();
              world.ask("POST", path(link) + "/claim", owner.token, key(link));
              return new Request(path(link) + "/confirm", body("yes", true));
            },
            204,
            403,
            403));
    rows.put(
        "linkStatus",
        Row.own(
            200,
            () -> {
              JsonNode link = open();
              return new Request(path(link) + "/status", key(link));
            }));
    // Before it is confirmed, nobody comes in with it.
    rows.put(
        "completeLink",
        Row.own(
            403,
            () -> {
              JsonNode link = open();
              return new Request(path(link) + "/complete", key(link));
            }));
    // Who has set none may set one; it is set and removed by the same call's twin below.
    rows.put(
        "setPin",
        new Row(
            () -> new Request("/v1/pin", body("pin", "204060", "old", "204060")), 204, 204, 204));
    rows.put("removePin", Row.own(204, () -> new Request("/v1/pin/remove", body("old", "204060"))));
    // The number is proved by the ticket; the account is the asking device's.
    rows.put(
        "changeNumber",
        Row.own(
            204,
            () -> {
              String number = world.newNumber();
              return new Request(
                  "/v1/number",
                  body("number", number, "ticket", world.ticket(number), "pin", "204060"));
            }));
    rows.put("export", Row.own(200, () -> new Request("/v1/export", null)));
    rows.put("ownProfile", Row.own(200, () -> new Request("/v1/profile", null)));
    rows.put("setProfile", Row.own(204, () -> new Request("/v1/profile", body("about", "hi"))));
    rows.put(
        "profileOf",
        Row.own(200, () -> new Request("/v1/users/" + owner.user() + "/profile", null)));
    rows.put(
        "setUsername",
        Row.own(
            204,
            () ->
                new Request(
                    "/v1/username", body("username", "name" + world.newNumber().substring(6)))));
    rows.put("releaseUsername", Row.own(204, () -> new Request("/v1/username", null)));
    rows.put(
        "lookUp",
        Row.own(
            200,
            () ->
                new Request("/v1/contacts/lookup", body("numbers", new String[] {owner.number}))));
    rows.put(
        "setDiscoverable",
        Row.own(204, () -> new Request("/v1/discoverable", body("by", "nobody"))));
    rows.put("byUsername", Row.own(200, () -> new Request("/v1/usernames/nobody_here", null)));
    rows.put("tokenKeys", Row.own(200, () -> new Request("/.well-known/jwks.json", null)));
    rows.put("openApi", Row.own(200, () -> new Request("/openapi.json", null)));
    rows.put(
        "deleteAccount",
        Row.own(204, () -> new Request("/v1/account/delete", body("pin", "204060"))));
  }

  private JsonNode open() {
    return world.ask("POST", "/v1/links", null, body("device_name", "pad")).body();
  }

  private static String path(JsonNode link) {
    return "/v1/links/" + link.get("link").textValue();
  }

  private static ObjectNode key(JsonNode link) {
    return body("key", link.get("key").textValue());
  }

  private Answer ask(Operation operation, Request request, @Nullable String token) {
    assertThat(operation.matches(request.path(), operation.method()))
        .as("%s is %s", request.path(), operation.path())
        .isTrue();
    return world.ask(operation.method(), request.path(), token, request.body());
  }

  @Test
  void everyOperationHasItsRow() {
    assertThat(rows.keySet())
        .containsExactlyInAnyOrderElementsOf(
            world.operations.stream().map(Operation::id).collect(Collectors.toSet()));
  }

  /// Rows of what everyone may: a token, good or bad, changes nothing. Of the others: nobody gets
  /// in without a token that is good now, whose device is there and whose user is not banned.
  @Test
  void nobodyGetsInWithoutAGoodToken() {
    Map<String, String> tokens = new LinkedHashMap<>();
    tokens.put("nobody", null);
    tokens.put("bad token", owner.token.substring(0, owner.token.length() - 6) + "AAAAAA");
    tokens.put("no token at all", "x");
    tokens.put("expired", expired);
    tokens.put("revoked device", revoked.token);
    tokens.put("banned", banned.token);
    Map<String, Integer> codes =
        Map.of(
            "nobody",
            200,
            "bad token",
            202,
            "no token at all",
            202,
            "expired",
            201,
            "revoked device",
            203,
            "banned",
            204);
    var wrong = new TreeSet<String>();
    for (Operation operation : world.operations) {
      Row row = row(operation.id());
      // What is refused at the door is not used up.
      Request unused = operation.isOpen() ? null : row.make().make();
      for (var token : tokens.entrySet()) {
        Request request = unused == null ? row.make().make() : unused;
        Answer answer = ask(operation, request, token.getValue());
        boolean right =
            operation.isOpen()
                ? answer.status() == row.owner()
                : answer.code() == codes.getOrDefault(token.getKey(), 0)
                    && answer.status() == (token.getKey().equals("banned") ? 403 : 401);
        if (!right) {
          wrong.add(operation.id() + " × " + token.getKey() + ": " + answer.raw());
        }
      }
    }
    assertThat(wrong).isEmpty();
  }

  /// The owner, another device of theirs, and a stranger, in an order in which nothing is gone
  /// before it is needed.
  @Test
  void everyoneReachesTheirOwn() {
    for (Person person : new Person[] {owner, stranger}) {
      world.ask("PUT", "/v1/pin", person.token, body("pin", "204060"));
    }
    var wrong = new TreeSet<String>();
    for (var entry : rows.entrySet()) {
      Operation operation =
          world.operations.stream()
              .filter(o -> o.id().equals(entry.getKey()))
              .findFirst()
              .orElseThrow();
      if (operation.isOpen()) {
        continue;
      }
      Row row = entry.getValue();
      // Deleting needs somebody else to be deleted.
      Person theirs = operation.id().equals("deleteAccount") ? world.register("Dora") : stranger;
      if (theirs != stranger) {
        world.ask("PUT", "/v1/pin", theirs.token, body("pin", "204060"));
      }
      JsonNode before = ofOwner();
      Answer byStranger = ask(operation, row.make().make(), theirs.token);
      expect(operation, "stranger", row.stranger(), byStranger, wrong);
      assertThat(ofOwner()).as("%s by a stranger", operation.id()).isEqualTo(before);
      if (!operation.id().equals("lookUp")) {
        assertThat(byStranger.raw()).as(operation.id()).doesNotContain(owner.number);
      }
      if (operation.id().equals("deleteAccount")) {
        assertThat(world.ask("GET", "/v1/profile", theirs.token, null).code()).isEqualTo(203);
        continue;
      }
      restorePin(operation, stranger);
      expect(
          operation,
          "other device",
          row.other(),
          ask(operation, row.make().make(), other.token),
          wrong);
      restorePin(operation, owner);
      expect(
          operation, "owner", row.owner(), ask(operation, row.make().make(), owner.token), wrong);
      restorePin(operation, owner);
    }
    Operation delete =
        world.operations.stream()
            .filter(o -> o.id().equals("deleteAccount"))
            .findFirst()
            .orElseThrow();
    expect(
        delete,
        "other device",
        204,
        ask(delete, row(delete.id()).make().make(), other.token),
        wrong);
    assertThat(wrong).isEmpty();
    assertThat(world.ask("GET", "/v1/profile", owner.token, null).code()).isEqualTo(203);
  }

  private Row row(String id) {
    return Objects.requireNonNull(rows.get(id), id);
  }

  private void restorePin(Operation operation, Person person) {
    if (operation.id().equals("removePin")) {
      world.ask("PUT", "/v1/pin", person.token, body("pin", "204060"));
    }
  }

  /// What of the owner's nobody else may change.
  private JsonNode ofOwner() {
    ObjectNode all = (ObjectNode) world.ask("GET", "/v1/profile", owner.token, null).body();
    for (JsonNode device :
        world.ask("GET", "/v1/devices", owner.token, null).body().get("devices")) {
      if (device.get("device").intValue() <= 2) {
        all.put("device" + device.get("device"), device.get("name").textValue());
      }
    }
    return all;
  }

  private static void expect(
      Operation operation, String who, int status, Answer answer, Set<String> wrong) {
    if (answer.status() != status) {
      wrong.add(
          operation.id()
              + " × "
              + who
              + ": "
              + answer.status()
              + ", not "
              + status
              + ": "
              + answer.raw());
    }
  }
}

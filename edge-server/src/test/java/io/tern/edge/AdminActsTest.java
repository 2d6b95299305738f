package io.tern.edge;

import static io.tern.edge.HttpDoor.body;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpWorld.Person;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/// What operators do, as those it is done to see it, and as the audit log tells it.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AdminActsTest {

  private static final Duration OUT_WITHIN = Duration.ofSeconds(5);

  @TempDir static Path folder;

  private AdminWorld world;

  @BeforeAll
  void start() throws IOException {
    world = new AdminWorld(folder, "tokens.publish-ahead=0 s");
  }

  @AfterAll
  void end() {
    world.close();
  }

  private static String of(Person person) {
    return "/v1/users/" + person.user();
  }

  private static void assertDone(Answer answer) {
    assertThat(answer.status()).as(answer.raw()).isIn(200, 204);
  }

  private static void assertRefused(Answer answer, ErrorCode code, String field) {
    assertThat(answer.code()).as(answer.raw()).isEqualTo(code.number());
    assertThat(answer.field()).isEqualTo(field);
  }

  /// The session ends with this code, in time.
  private static void assertEnds(RawClient session, ErrorCode code, long sinceNanos) {
    RawClient.Frame frame = session.until(FrameType.ERROR);
    assertThat(frame.error().getCode()).isEqualTo(code.number());
    assertThat(Duration.ofNanos(System.nanoTime() - sinceNanos)).isLessThan(OUT_WITHIN);
    session.assertEnd();
    session.close();
  }

  private void assertStaysOut(Person person, ErrorCode code) {
    try (RawClient again = RawClient.connect(world.people.server.listen())) {
      again.write(RawClient.preface(), RawClient.hello(HttpWorld.hello(person)));
      assertThat(again.read().error().getCode()).isEqualTo(code.number());
    }
  }

  private static void assertLives(RawClient session) {
    session.write(RawClient.frame(FrameType.PING, 0, 0, 0, 0, new byte[0]));
    session.until(FrameType.PONG);
  }

  private JsonNode user(Person person) {
    Answer answer = world.ask("GET", of(person), null);
    assertThat(answer.status()).as(answer.raw()).isEqualTo(200);
    return answer.body();
  }

  /// Without what the end of a session changes, a moment later.
  private static JsonNode unseen(JsonNode user) {
    ObjectNode unseen = user.deepCopy();
    unseen.remove("last_seen_ms");
    return unseen;
  }

  private JsonNode lastAct() {
    return world.door.ask("GET", "/v1/audit", world.reader, null).body().at("/acts/0");
  }

  @Test
  void aUserIsFoundByNumberNameAndIdAndNothingPrivateIsShown() {
    Person olga = world.people.register("Olga");
    world.people.ask("PUT", "/v1/username", olga.token, body("username", "olga_o"));
    Person tablet = world.people.link(olga);
    world.people.session(tablet).close();
    Answer byNumber = world.ask("POST", "/v1/users/find", body("number", olga.number));
    assertThat(unseen(byNumber.body())).isEqualTo(unseen(user(olga)));
    assertThat(unseen(world.ask("POST", "/v1/users/find", body("username", "Olga_O")).body()))
        .isEqualTo(unseen(byNumber.body()));
    assertThat(byNumber.body().get("state").textValue()).isEqualTo("active");
    assertThat(byNumber.body().get("account").booleanValue()).isTrue();
    assertThat(byNumber.body().get("number").booleanValue()).isTrue();
    assertThat(byNumber.body().get("pin").booleanValue()).isFalse();
    assertThat(byNumber.body().get("created_ms").longValue()).isPositive();
    assertThat(byNumber.body().get("devices").intValue()).isEqualTo(2);
    assertThat(byNumber.raw()).doesNotContain(olga.number, "Olga", "olga");

    JsonNode devices = world.ask("GET", of(olga) + "/devices", null).body().get("devices");
    assertThat(devices).hasSize(2);
    assertThat(devices.get(1).get("name").textValue()).isEqualTo("tablet");
    assertThat(devices.get(1).get("last_used_ms").longValue()).isPositive();
    assertThat(devices.get(1).get("last_seen_ms").longValue()).isPositive();

    assertRefused(
        world.ask("POST", "/v1/users/find", body("number", "+4915199999999")),
        ErrorCode.NOT_FOUND,
        "number");
    assertRefused(
        world.ask("POST", "/v1/users/find", body("username", "nobody_here")),
        ErrorCode.NOT_FOUND,
        "username");
    assertRefused(world.ask("POST", "/v1/users/find", body()), ErrorCode.ARGUMENT, "number");
    assertRefused(
        world.ask("POST", "/v1/users/find", body("number", olga.number, "username", "olga_o")),
        ErrorCode.ARGUMENT,
        "number");
    assertRefused(world.ask("GET", "/v1/users/77", null), ErrorCode.NOT_FOUND, "user");
    assertRefused(world.ask("GET", "/v1/users/77/devices", null), ErrorCode.NOT_FOUND, "user");
  }

  @Test
  void aBannedUsersSessionsEndAndNobodyOfThemComesInUntilTheBanDoes() {
    Person bart = world.people.register("Bart");
    Person tablet = world.people.link(bart);
    RawClient first = world.people.session(bart);
    RawClient second = world.people.session(tablet);
    long began = System.nanoTime();
    assertDone(world.ask("PUT", of(bart) + "/ban", body("reason", "spam")));
    assertEnds(first, ErrorCode.BANNED, began);
    assertEnds(second, ErrorCode.BANNED, began);
    assertStaysOut(bart, ErrorCode.BANNED);
    assertThat(world.people.ask("GET", "/v1/profile", bart.token, null).code())
        .isEqualTo(ErrorCode.BANNED.number());
    assertThat(user(bart).get("state").textValue()).isEqualTo("banned");
    assertThat(user(bart).get("banned_until_ms").longValue()).isEqualTo((1L << 53) - 1);

    assertDone(world.ask("DELETE", of(bart) + "/ban", null));
    assertThat(user(bart).get("state").textValue()).isEqualTo("active");
    world.people.session(bart).close();

    // A ban with an end ends by itself.
    long until = System.currentTimeMillis() + 1_500;
    assertDone(world.ask("PUT", of(bart) + "/ban", body("reason", "rude", "until_ms", until)));
    assertStaysOut(bart, ErrorCode.BANNED);
    await()
        .atMost(Duration.ofSeconds(10))
        .until(() ->
            world.people.ask("GET", "/v1/profile", bart.token, null).status() == 200
                && user(bart).get("state").textValue().equals("active"));
    world.people.session(bart).close();

    assertRefused(
        world.ask("PUT", of(bart) + "/ban", body("reason", "x", "until_ms", 1)),
        ErrorCode.ARGUMENT,
        "until_ms");
    assertRefused(
        world.ask("PUT", "/v1/users/77/ban", body("reason", "x")), ErrorCode.NOT_FOUND, "user");
  }

  @Test
  void aDeviceIsPutOutAndTheOthersStay() {
    Person olga = world.people.register("Olga");
    Person tablet = world.people.link(olga);
    RawClient stays = world.people.session(olga);
    RawClient goes = world.people.session(tablet);
    long began = System.nanoTime();
    assertDone(world.ask("DELETE", of(olga) + "/devices/" + tablet.device.index(), null));
    assertEnds(goes, ErrorCode.REVOKED, began);
    assertStaysOut(tablet, ErrorCode.REVOKED);
    assertThat(
            world
                .people
                .ask("POST", "/v1/token", null, tablet.proof("attempt-0000000000000001"))
                .status())
        .isEqualTo(401);
    assertLives(stays);
    assertThat(user(olga).get("devices").intValue()).isEqualTo(1);
    assertRefused(
        world.ask("DELETE", of(olga) + "/devices/" + tablet.device.index(), null),
        ErrorCode.NOT_FOUND,
        "device");

    Person phone = world.people.link(olga);
    RawClient another = world.people.session(phone);
    began = System.nanoTime();
    Answer all = world.ask("DELETE", of(olga) + "/devices", null);
    assertThat(all.body()).isEqualTo(body("revoked", 2));
    assertEnds(stays, ErrorCode.REVOKED, began);
    assertEnds(another, ErrorCode.REVOKED, began);
    assertThat(world.ask("GET", of(olga) + "/devices", null).body().get("devices")).isEmpty();
    assertRefused(world.ask("DELETE", "/v1/users/77/devices", null), ErrorCode.NOT_FOUND, "user");
  }

  @Test
  void anErasedUserIsGoneAndTheirNumberIsFree() {
    Person olga = world.people.register("Olga");
    RawClient session = world.people.session(olga);
    long began = System.nanoTime();
    assertDone(world.ask("DELETE", of(olga), null));
    assertEnds(session, ErrorCode.REVOKED, began);
    assertStaysOut(olga, ErrorCode.REVOKED);
    assertRefused(world.ask("GET", of(olga), null), ErrorCode.NOT_FOUND, "user");
    assertRefused(
        world.ask("POST", "/v1/users/find", body("number", olga.number)),
        ErrorCode.NOT_FOUND,
        "number");
    // An id that nobody has stays free to be given.
    assertRefused(world.ask("DELETE", "/v1/users/77", null), ErrorCode.NOT_FOUND, "user");
  }

  @Test
  void keysRotateUnderLiveSessions() {
    Person olga = world.people.register("Olga");
    RawClient session = world.people.session(olga);
    int keys = publishedKeys();
    Answer rotated = world.ask("POST", "/v1/keys/rotate", null);
    assertDone(rotated);
    assertThat(publishedKeys()).isEqualTo(keys + 1);
    assertThat(world.people.ask("GET", "/v1/profile", olga.token, null).status()).isEqualTo(200);
    String token =
        world
            .people
            .ask("POST", "/v1/token", null, olga.proof("attempt-0000000000000001"))
            .body()
            .get("token")
            .textValue();
    String head =
        new String(
            java.util.Base64.getUrlDecoder().decode(token.substring(0, token.indexOf('.'))),
            java.nio.charset.StandardCharsets.UTF_8);
    assertThat(head).contains(rotated.body().get("key").textValue());
    assertLives(session);
    session.close();
    while (rotated.status() == 200) {
      rotated = world.ask("POST", "/v1/keys/rotate", null);
    }
    assertRefused(rotated, ErrorCode.CONFLICT, "keys");
  }

  private int publishedKeys() {
    return world.people.ask("GET", "/.well-known/jwks.json", null, null).body().get("keys").size();
  }

  @Test
  void everyActIsInTheAuditLogWithWhoWhatWhomAndOutcome() throws IOException {
    Person olga = world.people.register("Olga");
    String reason = "spam\r\n{\"act\":1}\u001b[31m\u202E";
    assertDone(world.ask("PUT", of(olga) + "/ban", body("reason", reason)));
    JsonNode act = lastAct();
    assertThat(act.get("who").textValue()).isEqualTo("anna");
    assertThat(act.get("from").textValue()).isEqualTo("127.0.0.1");
    assertThat(act.get("what").textValue()).isEqualTo("ban");
    assertThat(act.get("about"))
        .isEqualTo(body("user", Long.toString(olga.user()), "reason", reason));
    assertThat(act.get("outcome").textValue()).isEqualTo("done");
    long number = act.get("act").longValue();

    world.ask("PUT", "/v1/users/77/ban", body("reason", "nobody"));
    assertThat(lastAct().get("outcome").textValue()).isEqualTo("refused NOT_FOUND");
    assertThat(lastAct().get("act").longValue()).isEqualTo(number + 1);

    // What is not let in, or is no request, is no act; nor is looking.
    world.door.ask("DELETE", of(olga), world.reader, null);
    world.door.ask("DELETE", of(olga), "wrong", null);
    world.ask("PUT", of(olga) + "/ban", body("reason", ""));
    world.ask("POST", "/v1/users/find", body("number", olga.number));
    assertThat(lastAct().get("act").longValue()).isEqualTo(number + 1);

    var all = new ArrayList<Long>();
    String path = "/v1/audit";
    while (true) {
      JsonNode page = world.door.ask("GET", path, world.reader, null).body();
      page.get("acts").forEach(one -> all.add(one.get("act").longValue()));
      if (page.get("next").longValue() == 0) {
        break;
      }
      path = "/v1/audit/" + page.get("next").longValue();
    }
    assertThat(all).hasSize((int) number + 1).doesNotHaveDuplicates();
    String files = "";
    try (var list = Files.list(folder.resolve("audit"))) {
      for (Path file : list.toList()) {
        files += Files.readString(file);
      }
    }
    assertThat(files).doesNotContain(olga.number, world.actor, olga.token, "\u001b");
    assertThat(world.people.server.counters().get(Count.ADMIN_ACTS)).isEqualTo(number + 1);
  }

  @Test
  void anActThatCannotBeWrittenDoesNotHappen(@TempDir Path elsewhere) throws IOException {
    try (var small = new AdminWorld(elsewhere, "admin.audit.file-max=4 KiB")) {
      Person olga = small.people.register("Olga");
      RawClient session = small.people.session(olga);
      String ban = of(olga) + "/ban";
      String reason = "x".repeat(500);
      for (int i = 0; i < 10; i++) {
        small.ask("DELETE", ban, null);
      }
      // The places of the next files are taken.
      for (int i = 11; i < 40; i++) {
        Files.createDirectories(
            elsewhere.resolve("audit").resolve("acts-%012d.jsonl".formatted(i)));
      }
      Answer answer = small.ask("DELETE", ban, null);
      for (int i = 0; i < 40 && answer.status() == 204; i++) {
        answer = small.ask("DELETE", ban, null);
      }
      assertThat(answer.status()).isEqualTo(503);
      assertRefused(answer, ErrorCode.BUSY, "audit");
      assertThat(small.ask("PUT", ban, body("reason", reason)).status()).isEqualTo(503);
      assertThat(small.ask("DELETE", of(olga), null).status()).isEqualTo(503);
      assertLives(session);
      session.close();
      assertThat(small.ask("GET", of(olga), null).body().get("state").textValue())
          .isEqualTo("active");
      assertThat(small.people.server.counters().get(Count.ADMIN_ACTS_UNWRITTEN)).isPositive();
      // Looking needs no line.
      assertThat(small.ask("GET", "/v1/audit", null).status()).isEqualTo(200);
    }
  }
}

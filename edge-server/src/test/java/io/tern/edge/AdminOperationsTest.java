package io.tern.edge;

import static io.tern.edge.HttpDoor.body;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpWorld.Person;
import io.tern.edge.logging.Logging;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What operators see of a running server and do to it, over the admin port.
@Timeout(60)
class AdminOperationsTest {

  @TempDir Path folder;

  private AdminWorld world;

  @BeforeEach
  void start() throws IOException {
    world =
        new AdminWorld(folder, "net.tls.listen=127.0.0.1:0", "admin.tls=false", "tls.reload=1 d");
  }

  @AfterEach
  void end() {
    world.close();
  }

  private JsonNode done(String method, String path, @Nullable JsonNode body) {
    Answer answer = world.ask(method, path, body);
    assertThat(answer.status()).as(answer.raw()).isEqualTo(200);
    return answer.body();
  }

  private JsonNode get(String path) {
    Answer answer = world.door.ask("GET", path, world.reader, null);
    assertThat(answer.status()).as(answer.raw()).isEqualTo(200);
    return answer.body();
  }

  private static String of(Person person) {
    return "/v1/users/" + person.user();
  }

  private int ready() {
    return world.door.ask("GET", "/ready", null, null).status();
  }

  @Test
  void aServerIsTakenOutOfServiceAndPutBack() {
    Person olga = world.people.register("Olga");
    try (RawClient session = world.people.session(olga)) {
      assertThat(get("/v1/drain").get("state").textValue()).isEqualTo("in_service");
      assertThat(ready()).isEqualTo(200);

      JsonNode begun = done("POST", "/v1/drain", body("over_ms", 0, "grace_ms", 60_000));
      assertThat(begun.get("state").textValue()).isEqualTo("draining");
      assertThat(begun.get("sessions").intValue()).isEqualTo(1);
      assertThat(ready()).isEqualTo(503);
      assertThat(world.ask("POST", "/v1/drain", body()).code())
          .isEqualTo(ErrorCode.CONFLICT.number());
      assertThat(session.until(FrameType.GOAWAY).goAway().getGraceMs()).isEqualTo(60_000);
      assertThat(get("/v1/stats").get("state").textValue()).isEqualTo("draining");
    }
    await().until(() -> get("/v1/drain").get("state").textValue().equals("drained"));
    JsonNode end = get("/v1/drain");
    assertThat(end.get("left").intValue()).isEqualTo(1);
    assertThat(end.get("remaining").intValue()).isZero();
    assertThat(get("/health").get("status").textValue()).as("not to be killed").isEqualTo("ok");

    assertThat(done("DELETE", "/v1/drain", null).get("state").textValue()).isEqualTo("in_service");
    assertThat(ready()).isEqualTo(200);
    world.people.session(olga).close();
  }

  @Test
  void theSessionsOfAUserAreSeenAndEnded() {
    Person olga = world.people.register("Olga");
    Person tablet = world.people.link(olga);
    try (RawClient first = world.people.session(olga);
        RawClient second = world.people.session(tablet)) {
      JsonNode sessions = get(of(olga) + "/sessions").get("sessions");
      assertThat(sessions).hasSize(2);
      assertThat(sessions.get(0).get("device").intValue()).isEqualTo(olga.device.index());
      assertThat(sessions.get(0).get("door").textValue()).isEqualTo("plain");
      assertThat(sessions.get(0).get("address").textValue()).isEqualTo("127.0.0.1");
      JsonNode stats = get("/v1/stats");
      assertThat(stats.get("sessions").intValue()).isEqualTo(2);
      assertThat(stats.get("sms").get("sent").intValue()).as("Olga's code").isEqualTo(1);
      assertThat(stats.get("users_connected").intValue()).isEqualTo(1);
      assertThat(stats.get("users_active").intValue()).isEqualTo(1);
      assertThat(stats.get("connections").get("plain").intValue()).isEqualTo(2);

      String path = of(olga) + "/sessions/" + tablet.device.index();
      assertThat(done("DELETE", path, body("reason", "stuck")).get("ended").intValue()).isOne();
      assertThat(second.until(FrameType.GOAWAY).goAway().getCode())
          .isEqualTo(ErrorCode.DRAIN.number());
      Answer again = world.ask("DELETE", path, body("reason", "stuck"));
      assertThat(again.code()).isEqualTo(ErrorCode.NOT_FOUND.number());
      assertThat(again.field()).isEqualTo("session");
      assertThat(
              done("DELETE", of(olga) + "/sessions", body("reason", "all")).get("ended").intValue())
          .isOne();
      first.until(FrameType.GOAWAY);
    }
    JsonNode act = get("/v1/audit").get("acts").get(0);
    assertThat(act.get("what").textValue()).isEqualTo("endSessions");
    assertThat(act.get("about").get("reason").textValue()).isEqualTo("all");
    assertThat(act.get("outcome").textValue()).isEqualTo("done");
  }

  @Test
  void whetherTheAppIsInFrontIsSeenOfEachSession() {
    Person olga = world.people.register("Olga");
    Person tablet = world.people.link(olga);
    try (RawClient first = world.people.session(olga);
        RawClient second = world.people.session(tablet)) {
      assertThat(states(olga)).containsExactly("active", "active");
      become(first, ClientActivity.CLIENT_ACTIVITY_INACTIVE);
      await().until(() -> states(olga).equals(List.of("background", "active")));
      assertThat(get("/v1/stats").get("users_active").intValue()).isOne();

      become(second, ClientActivity.CLIENT_ACTIVITY_INACTIVE);
      await().until(() -> states(olga).equals(List.of("background", "background")));
      assertThat(get("/v1/stats").get("users_active").intValue()).isZero();
      assertThat(get("/v1/stats").get("users_connected").intValue()).isOne();
      assertThat(world.door.send("GET", "/metrics", null, null).body())
          .contains("\ntern_users_connected 1.0\n", "\ntern_users_active 0.0\n");
    }
    await().until(() -> get("/v1/stats").get("users_connected").intValue() == 0);
  }

  private List<String> states(Person person) {
    return get(of(person) + "/sessions")
        .get("sessions")
        .valueStream()
        .map(session -> session.get("state").textValue())
        .toList();
  }

  private static void become(RawClient client, ClientActivity activity) {
    client.write(
        RawClient.frame(
            FrameType.CLIENT_STATE,
            0,
            0,
            0,
            0,
            ClientState.newBuilder().setState(activity).build()));
  }

  @Test
  void aLogLevelIsSetForATimeAndPutBack() {
    String logger = "io.tern.edge.admin.operations.test";
    String before = Logging.level(logger);
    JsonNode set =
        done(
            "PUT", "/v1/log-levels", body("logger", logger, "level", "DEBUG", "for_ms", 3_600_000));
    assertThat(set.get("level").textValue()).isEqualTo("DEBUG");
    assertThat(set.get("until_ms").longValue()).isGreaterThan(System.currentTimeMillis());
    assertThat(Logging.level(logger)).isEqualTo("DEBUG");
    assertThat(get("/v1/log-levels").get("levels")).contains(set);

    done("PUT", "/v1/log-levels", body("logger", logger, "level", "DEFAULT"));
    assertThat(Logging.level(logger)).isEqualTo(before);
    assertThat(get("/v1/log-levels").get("levels")).isEmpty();

    done("PUT", "/v1/log-levels", body("logger", logger, "level", "TRACE", "for_ms", 1));
    await().until(() -> Logging.level(logger).equals(before));

    Answer foreign =
        world.ask("PUT", "/v1/log-levels", body("logger", "com.example", "level", "DEBUG"));
    assertThat(foreign.code()).isEqualTo(ErrorCode.ARGUMENT.number());
    assertThat(foreign.field()).isEqualTo("logger");
    Answer talkative =
        world.ask("PUT", "/v1/log-levels", body("logger", "org.jsmpp", "level", "DEBUG"));
    assertThat(talkative.code()).isEqualTo(ErrorCode.ARGUMENT.number());
    assertThat(talkative.field()).startsWith("level");
  }

  @Test
  void everyDoorWithTlsSaysWhatItShowsAndLooksAgainWhenAsked() {
    JsonNode doors = get("/v1/certificates").get("doors");
    assertThat(doors).hasSize(1);
    assertThat(doors.get(0).get("door").textValue()).isEqualTo("tls");
    JsonNode certificate = doors.get(0).get("certificate");
    assertThat(certificate.get("development").booleanValue()).isTrue();
    assertThat(certificate.get("names").toString()).contains("\"localhost\"");
    assertThat(certificate.get("fingerprint").textValue())
        .isEqualTo(world.people.server.fingerprint());
    assertThat(certificate.get("not_after_ms").longValue())
        .isGreaterThan(System.currentTimeMillis());

    JsonNode reload = done("POST", "/v1/certificates/reload", null);
    assertThat(reload.get("outcome").textValue()).isEqualTo("unchanged");
    assertThat(reload.get("fingerprint").textValue()).isEqualTo(world.people.server.fingerprint());
  }
}

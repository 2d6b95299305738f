package io.tern.edge;

import static io.tern.edge.HttpDoor.body;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpWorld.Person;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Whom operators look at, as the audit log tells it.
class AdminLooksTest {

  @TempDir Path folder;

  /// The newest first, as `what {about} outcome`.
  private static List<String> looks(AdminWorld world) {
    var looks = new ArrayList<String>();
    for (JsonNode look : world.ask("GET", "/v1/looks", null).body().get("looks")) {
      assertThat(look.get("from").textValue()).isEqualTo("127.0.0.1");
      looks.add(
          look.get("who").textValue()
              + " "
              + look.get("what").textValue()
              + " "
              + look.get("about").toString().replace("\"", "")
              + " "
              + look.get("outcome").textValue());
    }
    return looks;
  }

  private String files() throws IOException {
    var all = new StringBuilder();
    try (var list = Files.list(folder.resolve("audit"))) {
      for (Path file : list.sorted().toList()) {
        all.append(Files.readString(file));
      }
    }
    return all.toString();
  }

  @Test
  void whoeverLooksAtSomebodyIsWrittenDownWithoutWhatTheyLookedFor() throws IOException {
    try (var world = new AdminWorld(folder)) {
      Person olga = world.people.register("Olga");
      world.people.ask("PUT", "/v1/username", olga.token, body("username", "olga_o"));
      var self = ChatId.direct(olga.device.user(), olga.device.user());
      try (RawClient session = world.people.session(olga)) {
        session.write(RawClient.send(1, olga.device.user(), 1, "a note"));
        session.until(FrameType.SENT);
      }
      String path = "/v1/users/" + olga.user();

      world.ask("POST", "/v1/users/find", body("number", olga.number));
      world.ask("POST", "/v1/users/find", body("username", "olga_o"));
      world.ask("POST", "/v1/users/find", body("number", "+4915199999999"));
      world.door.ask("GET", path, world.reader, null);
      world.ask("GET", path + "/devices", null);
      world.ask("GET", path + "/sessions", null);
      world.ask("GET", "/v1/users/77", null);
      world.ask("GET", "/v1/trace/" + self + "/1", null);

      String user = "user:" + olga.user();
      assertThat(looks(world).reversed())
          .containsExactly(
              "anna findUser {by:number," + user + "} done",
              "anna findUser {by:username," + user + "} done",
              "anna findUser {by:number} refused NOT_FOUND",
              "rita user {" + user + "} done",
              "anna userDevices {" + user + "} done",
              "anna userSessions {" + user + "} done",
              "anna user {user:77} refused NOT_FOUND",
              "anna trace {chat:" + self + ",seq:1} done");
      assertThat(world.people.server.counters().get(Count.ADMIN_LOOKS)).isEqualTo(8);
      assertThat(files()).doesNotContain(olga.number, "99999999", "olga", "Olga", "a note");
      assertThat(world.ask("GET", "/v1/audit", null).body().get("acts")).isEmpty();
    }
  }

  @Test
  void looksAtTheServerAndTriesOfStrangersAreNot() throws IOException {
    try (var world = new AdminWorld(folder)) {
      Person olga = world.people.register("Olga");
      for (String path :
          List.of(
              "/health",
              "/metrics",
              "/v1/stats",
              "/v1/drain",
              "/v1/certificates",
              "/v1/log-levels",
              "/v1/credential",
              "/v1/audit",
              "/v1/looks",
              "/v1/looks/5")) {
        assertThat(world.door.send("GET", path, world.reader, null).statusCode()).isEqualTo(200);
      }
      world.door.ask("GET", "/v1/users/" + olga.user(), "wrong", null);
      world.door.ask("GET", "/v1/users/" + olga.user(), olga.token, null);
      assertThat(looks(world)).isEmpty();
    }
  }

  @Test
  void olderOnesComePageByPage() throws IOException {
    try (var world = new AdminWorld(folder, "admin.rate.rate=0")) {
      for (int i = 1; i <= 230; i++) {
        world.ask("GET", "/v1/users/" + (1000 + i), null);
      }
      var numbers = new ArrayList<Long>();
      String path = "/v1/looks";
      for (long next = 1; next != 0; path = "/v1/looks/" + next) {
        JsonNode page = world.ask("GET", path, null).body();
        page.get("looks").forEach(look -> numbers.add(look.get("look").longValue()));
        next = page.get("next").longValue();
      }
      assertThat(numbers).hasSize(230).doesNotHaveDuplicates().startsWith(230L).endsWith(1L);
    }
  }

  @Test
  void nobodyIsShownWhenTheLookCannotBeWritten() throws IOException {
    try (var world = new AdminWorld(folder)) {
      Person olga = world.people.register("Olga");
      // Its place is taken.
      Files.createDirectory(folder.resolve("audit").resolve("looks-%012d.jsonl".formatted(1)));
      Answer answer = world.ask("GET", "/v1/users/" + olga.user(), null);
      assertThat(answer.status()).isEqualTo(503);
      assertThat(answer.code()).isEqualTo(ErrorCode.BUSY.number());
      assertThat(answer.field()).isEqualTo("audit");
      assertThat(world.people.server.counters().get(Count.ADMIN_LOOKS_UNWRITTEN)).isEqualTo(1);
      assertThat(world.people.server.counters().get(Count.ADMIN_LOOKS)).isZero();
      assertThat(world.ask("GET", "/v1/stats", null).status()).isEqualTo(200);
      // Acts have a book of their own.
      assertThat(world.ask("DELETE", "/v1/users/" + olga.user() + "/ban", null).status())
          .isEqualTo(204);
    }
  }

  @Test
  void theBookCanBeTurnedOff() throws IOException {
    try (var world = new AdminWorld(folder, "admin.audit.looks=false")) {
      Person olga = world.people.register("Olga");
      assertThat(world.ask("GET", "/v1/users/" + olga.user(), null).status()).isEqualTo(200);
      assertThat(world.ask("GET", "/v1/looks", null).code())
          .isEqualTo(ErrorCode.NOT_FOUND.number());
      assertThat(files()).isEmpty();
    }
  }
}

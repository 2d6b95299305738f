package io.tern.edge;

import static io.tern.edge.RawClient.id;
import static io.tern.edge.RawClient.send;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AdminCredentials.Role;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `GET /v1/trace/{chat}/{seq}`: the way of an entry is told as it was.
class TraceRouteTest {

  private static final ChatId CHAT = ChatId.direct(id("alice"), id("bob"));
  private static final byte[] NO_BODY = {};

  @TempDir Path data;

  /// A server and its operator.
  private static final class Operated implements AutoCloseable {
    final TestServer server;
    final HttpDoor door;
    final String secret;

    Operated(Path data, String... settings) throws IOException {
      server = TestServer.start(data, settings);
      try {
        secret =
            AdminCredentials.in(data)
                .add(
                    "rita" + Instant.now().toEpochMilli(),
                    Role.READ,
                    Instant.now(),
                    new SecureRandom())
                .reveal();
      } catch (AdminCredentials.Unusable e) {
        throw new AssertionError(e);
      }
      door = new HttpDoor(server.server.admin().getPort(), secret);
    }

    Answer trace(Object chat, long seq) {
      return door.ask("GET", "/v1/trace/" + chat + "/" + seq, secret, null);
    }

    @Override
    public void close() {
      door.close();
      server.close();
    }
  }

  private static void read(RawClient client, String chat, long seq) {
    client.write(
        RawClient.frame(
            FrameType.READ, FrameHeader.CHAT | FrameHeader.SEQ, 0, id(chat).value(), seq, NO_BODY));
  }

  /// As `step user.device`.
  private static List<String> steps(Answer answer) {
    return StreamSupport.stream(answer.body().get("steps").spliterator(), false)
        .map(step ->
            step.get("step").asText()
                + (step.has("device") ? " " + name(step) + "." + step.get("device") : ""))
        .toList();
  }

  private static String name(JsonNode of) {
    long user = of.get("user").asLong();
    return List.of("alice", "bob", "carol").stream()
        .filter(name -> id(name).value() == user)
        .findFirst()
        .orElse("?");
  }

  private static JsonNode member(Answer answer, String name) {
    return StreamSupport.stream(answer.body().get("members").spliterator(), false)
        .filter(member -> name(member).equals(name))
        .findFirst()
        .orElseThrow();
  }

  private static void assertMonotone(Answer answer) {
    var at = new ArrayList<Long>();
    var after = new ArrayList<Long>();
    answer
        .body()
        .get("steps")
        .forEach(step -> {
          at.add(step.get("at_us").asLong());
          after.add(step.get("after_us").asLong());
        });
    assertThat(after).isSorted().first().isEqualTo(0L);
    // Each is reckoned from the wall clock by itself, to a millisecond.
    for (int i = 1; i < at.size(); i++) {
      assertThat(at.get(i)).isGreaterThan(at.get(i - 1) - 2_000);
    }
  }

  @Test
  void theWayOfAnEntryIsToldInOrder() throws IOException {
    try (var operated = new Operated(data);
        var alice = operated.server.login("alice");
        var phone = operated.server.login("bob", 1);
        var laptop = operated.server.login("bob", 2)) {
      // A third device, which is away.
      operated.server.login("bob", 3).close();
      alice.write(send(7, id("bob"), 1, "Where are you?"));
      alice.until(FrameType.SENT);
      phone.until(FrameType.DELIVER);
      laptop.until(FrameType.DELIVER);
      phone.write(RawClient.ack(id("alice"), 1));
      alice.until(FrameType.RECEIPT);
      laptop.write(RawClient.ack(id("alice"), 1));
      read(laptop, "alice", 1);
      alice.until(FrameType.RECEIPT);

      Answer answer = operated.trace(CHAT, 1);

      assertThat(answer.status()).isEqualTo(200);
      assertThat(answer.raw()).doesNotContain("Where");
      JsonNode way = answer.body();
      assertThat(way.get("memory").asText()).isEqualTo("whole");
      assertThat(way.get("unknown")).isEmpty();
      assertThat(name(way)).isEqualTo("alice");
      assertThat(way.get("csn").asLong()).isEqualTo(1);
      List<String> steps = steps(answer);
      assertThat(steps.subList(0, 3)).containsExactly("accepted alice.1", "committed", "routed");
      assertThat(steps.subList(3, 6))
          .containsExactlyInAnyOrder("answered alice.1", "written bob.1", "written bob.2");
      assertThat(steps.subList(6, steps.size()))
          .containsExactly("acknowledged bob.1", "acknowledged bob.2", "read bob.2");
      assertMonotone(answer);
      JsonNode accepted = way.get("steps").get(0);
      assertThat(accepted.get("edge").asText()).isEqualTo("tern");
      assertThat(accepted.get("session").asLong()).isPositive();
      JsonNode routed = way.get("steps").get(2);
      assertThat(routed.get("sessions").asInt()).isEqualTo(2);
      assertThat(routed.get("absent").asInt()).isZero();
      assertThat(routed.get("batch").asInt()).isPositive();
      assertThat(member(answer, "alice").get("devices").toString())
          .isEqualTo("[{\"device\":1,\"acknowledged\":true}]");
      assertThat(member(answer, "bob").get("delivered_ms").asLong()).isPositive();
      assertThat(member(answer, "bob").get("read_ms").asLong()).isPositive();
      assertThat(member(answer, "bob").get("devices").toString())
          .isEqualTo(
              "[{\"device\":1,\"acknowledged\":true},{\"device\":2,\"acknowledged\":true},"
                  + "{\"device\":3,\"acknowledged\":false}]");
    }
  }

  @Test
  void whoIsAwayIsSentAPushAndGetsItByCatchUp() throws IOException {
    try (var operated = new Operated(data);
        var alice = operated.server.login("alice")) {
      operated.server.login("carol").close();
      ChatId chat = ChatId.direct(id("alice"), id("carol"));
      alice.write(send(7, id("carol"), 1, "hello"));
      alice.until(FrameType.SENT);
      await().until(() -> steps(operated.trace(chat, 1)).contains("pushed"));
      Answer away = operated.trace(chat, 1);
      assertThat(away.body().at("/steps/2/absent").asInt()).isEqualTo(1);
      assertThat(steps(away)).doesNotContain("written carol.1");
      assertThat(member(away, "carol").get("delivered_ms").asLong()).isZero();

      try (var carol = operated.server.login("carol")) {
        carol.until(FrameType.DELIVER);
        carol.write(RawClient.ack(id("alice"), 1));
        alice.until(FrameType.RECEIPT);
        Answer back = operated.trace(chat, 1);
        assertThat(steps(back)).endsWith("written carol.1", "acknowledged carol.1");
        JsonNode steps = back.body().get("steps");
        assertThat(steps.get(steps.size() - 2).get("caught_up").asBoolean()).isTrue();
        assertMonotone(back);
      }
    }
  }

  @Test
  void whatIsTooOldIsToldFromTheStoreAndTheRestIsNotKnown() throws IOException {
    try (var operated = new Operated(data, "trace.steps=8", "limits.send.rate=0");
        var alice = operated.server.login("alice");
        var bob = operated.server.login("bob")) {
      alice.write(send(1, id("bob"), 1, "the first"));
      alice.until(FrameType.SENT);
      bob.until(FrameType.DELIVER);
      bob.write(RawClient.ack(id("alice"), 1));
      alice.until(FrameType.RECEIPT);
      for (int csn = 2; csn <= 40; csn++) {
        alice.write(send(csn, id("bob"), csn, "more"));
        alice.until(FrameType.SENT);
        bob.until(FrameType.DELIVER);
        bob.write(RawClient.ack(id("alice"), csn));
      }
      await()
          .untilAsserted(() -> {
            JsonNode way = operated.trace(CHAT, 1).body();
            assertThat(way.get("memory").asText()).isEqualTo("none");
            assertThat(way.get("steps")).isEmpty();
            assertThat(way.get("unknown").toString())
                .isEqualTo(
                    "[\"accepted\",\"committed\",\"routed\",\"answered\",\"written\","
                        + "\"acknowledged\"]");
          });
      Answer old = operated.trace(CHAT, 1);
      assertThat(name(old.body())).isEqualTo("alice");
      assertThat(old.body().get("ts_ms").asLong()).isPositive();
      assertThat(member(old, "bob").get("delivered_ms").asLong()).isPositive();
      assertThat(member(old, "bob").at("/devices/0/acknowledged").asBoolean()).isTrue();
    }
    // After a restart likewise; and where no trace is kept, that is said.
    try (var operated = new Operated(data, "trace.steps=0")) {
      assertThat(operated.trace(CHAT, 40).body().get("memory").asText()).isEqualTo("off");
    }
  }

  @Test
  void whatIsNotThereIsNotFound() throws IOException {
    try (var operated = new Operated(data)) {
      assertThat(operated.trace(CHAT, 1).code()).isEqualTo(ErrorCode.NOT_FOUND.number());
      assertThat(operated.trace("g77", 1).code()).isEqualTo(ErrorCode.NOT_FOUND.number());
      assertThat(operated.trace("x77", 1).code()).isEqualTo(ErrorCode.ARGUMENT.number());
      assertThat(operated.trace("g0", 1).code()).isEqualTo(ErrorCode.ARGUMENT.number());
      assertThat(operated.trace("d9-3", 1).code()).isEqualTo(ErrorCode.ARGUMENT.number());
      assertThat(operated.trace("d0-3", 1).code()).isEqualTo(ErrorCode.ARGUMENT.number());
    }
  }
}

package io.tern.tools.admin;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AdminCredentials.Role;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ChatId;
import io.tern.tools.ExitCode;
import io.tern.tools.LiveServer;
import io.tern.tools.LiveServer.Commands;
import io.tern.tools.LiveServer.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `tern trace` against a real server.
class TraceCommandTest {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final ChatId CHAT =
      ChatId.direct(DevelopmentIssuer.userId("alice"), DevelopmentIssuer.userId("bob"));

  @TempDir private Path folder;
  private LiveServer server;
  private Path secret;

  @BeforeEach
  void start() throws IOException, AdminCredentials.Unusable {
    server = new LiveServer(folder);
    secret =
        Files.writeString(
            folder.resolve("rita.secret"),
            AdminCredentials.in(server.data())
                .add("rita", Role.READ, Instant.now(), new SecureRandom())
                .reveal());
    assertThat(server.run("chats --user bob").exitCode()).isZero();
    assertThat(server.run("send --user alice --to bob secret-words").exitCode()).isZero();
  }

  @AfterEach
  void end() {
    server.close();
  }

  private Result trace(String... words) {
    var all = new ArrayList<>(List.of("trace"));
    all.addAll(List.of(words));
    all.addAll(
        List.of(
            "--admin",
            "127.0.0.1:" + server.admin().getPort(),
            "--secret-file",
            secret.toString()));
    return Commands.run(all.toArray(String[]::new));
  }

  @Test
  void theWayOfAnEntryIsPrintedStepByStep() {
    Result way = trace("alice,bob", "1");
    assertThat(way.exitCode()).as(way.err()).isZero();
    String alice = "@" + DevelopmentIssuer.userId("alice");
    String bob = "@" + DevelopmentIssuer.userId("bob");
    assertThat(way.lines().getFirst()).startsWith(CHAT + " #1 of 1, from " + alice + ".");
    assertThat(way.lines().get(1))
        .matches(" +0 µs  accepted +" + alice + "\\.\\d+, session \\d+ at .*");
    assertThat(way.lines().get(2)).matches(" +[0-9,]+ µs  committed +synced in [0-9,]+ µs");
    assertThat(way.lines().get(3))
        .matches(" +[0-9,]+ µs  routed +0 sessions, 1 recipient away, batch of \\d+");
    assertThat(way.out()).containsPattern("answered +" + alice + "\\.\\d+ over tcp");
    assertThat(way.out()).containsPattern("pushed +" + bob);
    assertThat(way.lines().getLast())
        .startsWith(bob + ": delivered never, read never; device ")
        .endsWith("has not");
    assertThat(way.out()).doesNotContain("secret-words").doesNotContain("not known");
    // By the chat's id it is the same.
    assertThat(trace(CHAT.toString(), "1").out()).isEqualTo(way.out());
  }

  @Test
  void programsGetWhatTheServerSaid() throws IOException {
    JsonNode way = JSON.readTree(trace(CHAT.toString(), "1", "--json").out());
    assertThat(way.get("chat").asText()).isEqualTo(CHAT.toString());
    assertThat(way.get("memory").asText()).isEqualTo("whole");
    assertThat(way.at("/steps/0/step").asText()).isEqualTo("accepted");
  }

  @Test
  void whatIsNotThereIsOneLine() {
    Result none = trace("alice,bob", "2");
    assertThat(none.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(none.err()).contains("no such entry").hasLineCount(1);
    assertThat(trace("harbour", "1").exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(trace("alice,bob", "0").exitCode()).isEqualTo(ExitCode.USAGE);
  }
}

package io.tern.tools.admin;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AdminCredentials.Role;
import io.tern.edge.token.DevelopmentIssuer;
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

/// `tern admin` against a real server, over TLS.
class AdminCommandTest {

  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;
  private LiveServer server;
  private Path actor;
  private Path reader;

  @BeforeEach
  void start() throws IOException, AdminCredentials.Unusable {
    server = new LiveServer(folder, "admin.tls", "true");
    actor = secret("anna", Role.ACT);
    reader = secret("rita", Role.READ);
  }

  @AfterEach
  void end() {
    server.close();
  }

  private Path secret(String name, Role role) throws IOException, AdminCredentials.Unusable {
    String secret =
        AdminCredentials.in(server.data())
            .add(name, role, Instant.now(), new SecureRandom())
            .reveal();
    return Files.writeString(folder.resolve(name + ".secret"), secret + "\n");
  }

  private Result as(Path secret, String... words) {
    var all = new ArrayList<>(List.of("admin"));
    all.addAll(List.of(words));
    all.addAll(
        List.of(
            "--admin",
            "https://127.0.0.1:" + server.admin().getPort(),
            "--admin-pin",
            server.fingerprint(),
            "--secret-file",
            secret.toString()));
    return Commands.run(all.toArray(String[]::new));
  }

  private String done(String... words) {
    Result result = as(actor, words);
    assertThat(result.exitCode()).as(result.err()).isZero();
    return result.out();
  }

  private JsonNode json(String... words) throws IOException {
    var all = new ArrayList<>(List.of(words));
    all.add("--json");
    return JSON.readTree(done(all.toArray(String[]::new)));
  }

  private static String idOf(String name) {
    return "@" + DevelopmentIssuer.userId(name);
  }

  @Test
  void anOperatorLooksBansAndLetsInAgain() throws IOException {
    assertThat(server.run("chats --user bob").exitCode()).isZero();
    String bob = idOf("bob");
    assertThat(done("whoami")).contains("anna (act)");
    assertThat(done("users", "get", bob)).startsWith(bob + "\tactive\t1 devices\t");
    assertThat(json("users", "get", bob).get("user").longValue())
        .isEqualTo(DevelopmentIssuer.userId("bob").value());
    String device = json("users", "devices", bob).get("device").asText();

    assertThat(done("users", "ban", bob, "--reason", "spam", "--for", "7d")).contains("until 20");
    assertThat(done("users", "get", bob)).contains("\tbanned until 20");
    assertThat(server.run("chats --user bob").exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(done("users", "unban", bob)).contains("may come in again");
    assertThat(server.run("chats --user bob").exitCode()).isZero();
    assertThat(done("users", "ban", bob, "--reason", "spam")).contains("for good");
    assertThat(done("users", "get", bob)).contains("\tbanned for good\t");

    assertThat(done("users", "revoke", bob, "--all")).contains("1 devices are out");
    assertThat(done("users", "devices", bob)).isEmpty();
    assertThat(as(actor, "users", "revoke", bob, "--device", device).err())
        .contains("no such device");
    assertThat(as(actor, "users", "erase", bob).exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(done("users", "erase", bob, "--yes")).contains("is erased");
    Result gone = as(actor, "users", "get", bob);
    assertThat(gone.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(gone.err()).contains("no such user").hasLineCount(1);
    assertThat(done("keys", "rotate")).matches("key [0-9a-f]{16} is next\n");

    Result audit = as(reader, "audit");
    assertThat(audit.lines().getFirst())
        .contains("\tanna from 127.0.0.1\trotateKeys")
        .endsWith("\tdone");
    assertThat(audit.lines()).hasSize(7);
    assertThat(audit.lines().getLast())
        .startsWith("1\t")
        .contains("\tban user=" + DevelopmentIssuer.userId("bob").value() + " reason=spam");
    assertThat(as(reader, "audit", "--max", "2").lines()).hasSize(2);
    String of = " user=" + DevelopmentIssuer.userId("bob").value() + "\t";
    Result looks = as(reader, "audit", "--looks");
    assertThat(looks.lines().getFirst())
        .contains("\tanna from 127.0.0.1\tuser" + of)
        .endsWith("\trefused NOT_FOUND");
    assertThat(looks.lines()).anyMatch(line -> line.contains("\tuserDevices" + of + "done"));
  }

  @Test
  void whatIsRefusedIsOneLineThatSaysWhy() throws IOException {
    String nobody = idOf("nobody");
    for (String[] words :
        new String[][] {
          {"users", "ban", nobody, "--reason", "x"},
          {"users", "erase", nobody, "--yes"},
          {"keys", "rotate"}
        }) {
      Result refused = as(reader, words);
      assertThat(refused.exitCode()).isEqualTo(ExitCode.REFUSED);
      assertThat(refused.err()).contains("may only look").hasLineCount(1);
    }
    Result wrong = as(Files.writeString(folder.resolve("wrong"), "guess"), "whoami");
    assertThat(wrong.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(wrong.err()).contains("not good there").hasLineCount(1);
    assertThat(as(actor, "users", "ban", nobody, "--reason", "x", "--for", "soon").exitCode())
        .isEqualTo(ExitCode.USAGE);
    assertThat(as(folder.resolve("none"), "whoami").exitCode()).isEqualTo(ExitCode.USAGE);
    Result far =
        Commands.run(
            "admin",
            "whoami",
            "--admin",
            "http://192.0.2.1:7421",
            "--secret-file",
            actor.toString());
    assertThat(far.exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(far.err()).contains("another machine");
    assertThat(Commands.run("admin", "users").exitCode()).isEqualTo(ExitCode.USAGE);
  }
}

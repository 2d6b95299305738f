package io.tern.tools.admin;

import static org.assertj.core.api.Assertions.assertThat;

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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `tern admin` against a real server, over TLS.
class AdminCommandTest {

  @TempDir private Path folder;
  private LiveServer server;
  private Operator anna;
  private Operator rita;

  @BeforeEach
  void start() throws IOException, AdminCredentials.Unusable {
    server = new LiveServer(folder, "admin.tls", "true");
    anna = Operator.of(server, "anna", Role.ACT);
    rita = Operator.of(server, "rita", Role.READ);
  }

  @AfterEach
  void end() {
    server.close();
  }

  private static String idOf(String name) {
    return "@" + DevelopmentIssuer.userId(name);
  }

  @Test
  void anOperatorLooksBansAndLetsInAgain() throws IOException {
    assertThat(server.run("chats --user bob").exitCode()).isZero();
    String bob = idOf("bob");
    assertThat(anna.done("whoami")).contains("anna (act)");
    assertThat(anna.done("users", "get", bob)).startsWith(bob + "\tactive\t1 devices\t");
    assertThat(anna.json("users", "get", bob).get("user").longValue())
        .isEqualTo(DevelopmentIssuer.userId("bob").value());
    String device = anna.json("users", "devices", bob).get("device").asText();

    assertThat(anna.done("users", "ban", bob, "--reason", "spam", "--for", "7d"))
        .contains("until 20");
    assertThat(anna.done("users", "get", bob)).contains("\tbanned until 20");
    assertThat(server.run("chats --user bob").exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(anna.done("users", "unban", bob)).contains("may come in again");
    assertThat(server.run("chats --user bob").exitCode()).isZero();
    assertThat(anna.done("users", "ban", bob, "--reason", "spam")).contains("for good");
    assertThat(anna.done("users", "get", bob)).contains("\tbanned for good\t");

    assertThat(anna.done("users", "revoke", bob, "--all")).contains("1 devices are out");
    assertThat(anna.done("users", "devices", bob)).isEmpty();
    assertThat(anna.admin("users", "revoke", bob, "--device", device).err())
        .contains("no such device");
    assertThat(anna.admin("users", "erase", bob).exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(anna.done("users", "erase", bob, "--yes")).contains("is erased");
    Result gone = anna.admin("users", "get", bob);
    assertThat(gone.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(gone.err()).contains("no such user").hasLineCount(1);
    assertThat(anna.done("keys", "rotate")).matches("key [0-9a-f]{16} is next\n");

    Result audit = rita.admin("audit");
    assertThat(audit.lines().getFirst())
        .contains("\tanna from 127.0.0.1\trotateKeys")
        .endsWith("\tdone");
    assertThat(audit.lines()).hasSize(7);
    assertThat(audit.lines().getLast())
        .startsWith("1\t")
        .contains("\tban user=" + DevelopmentIssuer.userId("bob").value() + " reason=spam");
    assertThat(rita.admin("audit", "--max", "2").lines()).hasSize(2);
    String of = " user=" + DevelopmentIssuer.userId("bob").value() + "\t";
    Result looks = rita.admin("audit", "--looks");
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
      Result refused = rita.admin(words);
      assertThat(refused.exitCode()).isEqualTo(ExitCode.REFUSED);
      assertThat(refused.err()).contains("may only look").hasLineCount(1);
    }
    Result wrong =
        Operator.at(server, Files.writeString(folder.resolve("wrong"), "guess")).admin("whoami");
    assertThat(wrong.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(wrong.err()).contains("not good there").hasLineCount(1);
    assertThat(anna.admin("users", "ban", nobody, "--reason", "x", "--for", "soon").exitCode())
        .isEqualTo(ExitCode.USAGE);
    assertThat(Operator.at(server, folder.resolve("none")).admin("whoami").exitCode())
        .isEqualTo(ExitCode.USAGE);
    Result far =
        Commands.run(
            "admin",
            "whoami",
            "--admin",
            "http://192.0.2.1:7421",
            "--secret-file",
            anna.secret().toString());
    assertThat(far.exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(far.err()).contains("another machine");
    assertThat(Commands.run("admin", "users").exitCode()).isEqualTo(ExitCode.USAGE);
  }
}

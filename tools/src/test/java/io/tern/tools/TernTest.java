package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The command line as a shell sees it, without a server.
class TernTest {

  @TempDir Path state;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @Test
  void testsRunOnJava25() {
    assertThat(Runtime.version().feature()).isEqualTo(25);
  }

  @Test
  void versionNamesTernAndJava() {
    assertThat(run("--version")).isZero();
    assertThat(out.toString()).startsWith("tern ").contains("java 25");
  }

  @Test
  void helpListsEveryCommandAndTheExitCodes() {
    assertThat(run("--help")).isZero();
    assertThat(out.toString())
        .contains("demo", "server", "chat", "send", "tail", "history", "chats", "token")
        .contains("group", "react", "edit", "revoke", "forward", "info", "settings", "devices")
        .contains("presence")
        .contains("inspect", "load", "Exit codes");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "demo",
        "server",
        "chat",
        "send",
        "tail",
        "history",
        "chats",
        "token",
        "inspect",
        "load",
        "group",
        "group create",
        "group info",
        "group add",
        "group remove",
        "group leave",
        "group role",
        "group title",
        "group picture",
        "group describe",
        "group rules",
        "group invite",
        "group join",
        "react",
        "edit",
        "revoke",
        "forward",
        "info",
        "settings",
        "settings list",
        "settings mute",
        "settings pin",
        "settings archive",
        "settings star",
        "settings hide",
        "settings contact",
        "settings block",
        "settings privacy",
        "devices",
        "presence"
      })
  void everyCommandHasHelp(String command) {
    assertThat(run((command + " --help").split(" ", -1))).isZero();
    assertThat(out.toString()).contains("Usage: tern " + command);
  }

  @Test
  void withoutACommandItExplainsItself() {
    assertThat(run()).isEqualTo(ExitCode.USAGE);
    assertThat(err.toString()).contains("a command is missing").contains("Usage: tern");
  }

  @Test
  void aMisspeltCommandGetsASuggestion() {
    assertThat(run("hsitory")).isEqualTo(ExitCode.USAGE);
    assertThat(err.toString()).contains("history");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "send --user alice --to bob",
        "send --user alice hello",
        "tail",
        "tail --user bob --count x",
        "history --user alice",
        "server --listen nowhere",
        "load --in-flight 3 --rate 5",
        "load --in-flight 0",
        "load --users 3",
        "load --size 5",
        "load --seconds 0",
        "load --pattern circles",
        "inspect",
        "inspect --data x --chat alice",
        "token --user alice --device 0",
        "chat --connect 1.2.3.4",
        "group",
        "group create --user alice",
        "group add --user alice friends",
        "group role --user alice friends bob king",
        "group rules --user alice friends",
        "react --user alice --with bob",
        "edit --user alice --with bob 3",
        "revoke --user alice --with bob x",
        "info --user alice 3",
        "settings",
        "settings star --user alice bob",
        "settings privacy --user alice --online friends",
        "presence --user alice"
      })
  void aWrongCommandLineIsOneLineAndExitCode2(String line) {
    assertThat(run(line.split(" ", -1))).isEqualTo(ExitCode.USAGE);
    assertThat(err.toString().lines())
        .hasSizeLessThanOrEqualTo(2)
        .first()
        .asString()
        .startsWith("tern: ");
    assertThat(err.toString()).contains("--help").doesNotContain("Exception", "\tat ");
  }

  @Test
  void tokenPrintsAToken() {
    assertThat(run("token", "--user", "alice", "--device", "2")).isZero();
    assertThat(out.toString().strip()).matches("[\\w-]+\\.[\\w-]+\\.[\\w-]+");
  }

  @Test
  void tokenAsJsonHasStableKeys() throws Exception {
    assertThat(run("token", "--user", "alice", "--json")).isZero();
    var json = new ObjectMapper().readTree(out.toString());

    assertThat(json.fieldNames()).toIterable().containsExactly("user", "id", "device", "token");
    assertThat(json.get("id").asLong()).isEqualTo(Names.id("alice").value());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "send --user alice --to bob hello",
        "tail --user bob",
        "history --user alice --with bob",
        "chats --user alice",
        "group info --user alice friends",
        "group create --user alice friends bob",
        "react --user alice --with bob 3 +",
        "settings list --user alice",
        "devices --user alice",
        "presence --user alice bob",
        "load --users 2"
      })
  void noServerIsOneLineAndExitCode3(String line) throws IOException {
    var words = new java.util.ArrayList<>(java.util.List.of(line.split(" ", -1)));
    words.addAll(java.util.List.of("--connect", "127.0.0.1:" + closedPort(), "--patience", "1"));
    if (!line.startsWith("load")) {
      words.addAll(java.util.List.of("--state", state.toString()));
    }

    assertThat(run(words.toArray(String[]::new))).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(err.toString().lines()).hasSize(1).first().asString().startsWith("tern: ");
  }

  @Test
  void inspectOfAFolderThatIsNoneIsOneLine() {
    assertThat(run("inspect", "--data", state.resolve("none").toString()))
        .isEqualTo(ExitCode.FAILED);
    assertThat(err.toString().lines()).hasSize(1);
  }

  private int run(String... args) {
    return Tern.commandLine()
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(args);
  }

  private static int closedPort() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}

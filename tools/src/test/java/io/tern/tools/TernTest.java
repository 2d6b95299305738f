package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
        .contains(
            "group",
            "react",
            "edit",
            "revoke",
            "forward",
            "open",
            "timer",
            "info",
            "read",
            "settings")
        .contains("presence", "devices")
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
        "read",
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
        "load --users 2000000000",
        "load --rate 1e300",
        "load --seconds 1e30",
        "load --drain 1e30",
        "load --json /dev/null/report",
        "send --user alice --to bob --timeout -1 hello",
        "history --user alice --with bob --before -3",
        "history --user alice --with bob --after -3",
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
        "open --user alice --with bob",
        "timer --user alice 60",
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

  /// Names, numbers and files that cannot be: the same as a wrong command line.
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "send --user= --to bob hi | a name has 1 to 64 visible characters",
        "send --user alice --to= hi | a name has 1 to 64 visible characters",
        "history --user alice --with= | a name has 1 to 64 visible characters",
        "send --user alice --to bob --device 0 hi | --device: 1 to 1048576, not 0",
        "chats --user alice --device 1048577 | --device: 1 to 1048576",
        "send --user alice --to bob --patience 0 hi | --patience: at least 1 second",
        "chats --user alice --patience -3 | --patience: at least 1 second",
        "tail --user alice --count 0 | --count: at least 1, not 0",
        "tail --user alice --timeout -1 | --timeout: 0 s or more",
        "history --user alice --with bob --limit -1 | --limit: 0 or more, not -1",
        "history --user alice --with bob --limit ten | Invalid value for option '--limit': 'ten' is not a whole number",
        "read --user alice --with bob 99999999999999999999 | is too large a number",
        "load --rate fast | Invalid value for option '--rate': 'fast' is not a number",
        "read --user alice --with bob 0 | SEQ: 1 or more, not 0",
        "timer --user alice --with bob -1 | 0 to 4294967295 seconds, not -1",
        "send --user alice --to bob --ttl -5 hi | 0 to 4294967295 seconds, not -5",
        "send --user alice --to bob --ca /there/is/none hi | there is no such file or folder",
      })
  void whatCannotBeIsOneLineAndExitCode2(String line, String why) throws IOException {
    var words = new ArrayList<>(List.of(line.strip().split(" ", -1)));
    words.addAll(1, List.of("--connect", "127.0.0.1:" + closedPort()));
    words.addAll(1, List.of("--state", state.toString()));
    assertThat(run(words.toArray(String[]::new))).as(err.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(err.toString().lines()).hasSizeLessThanOrEqualTo(2);
    assertThat(err.toString()).contains(why).doesNotContain("Exception");
  }

  @Test
  void aStateFolderThatCannotBeIsOneLine() throws IOException {
    Path file = Files.writeString(state.resolve("file"), "");
    assertThat(run("chats", "--user", "alice", "--state", file.resolve("x").toString()))
        .isEqualTo(ExitCode.FAILED);
    assertThat(err.toString().lines())
        .hasSize(1)
        .first()
        .asString()
        .startsWith("tern: " + file)
        .doesNotContain("Exception");
  }

  @Test
  void aServerWhosePortIsTakenSaysWhichAndHowToGiveItAnother() throws IOException {
    var doors = List.of("listen", "tls", "websocket", "http", "admin");
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      for (String door : doors) {
        err.getBuffer().setLength(0);
        var words = new ArrayList<>(List.of("server", "--data", state.resolve("data").toString()));
        for (String each : doors) {
          words.add("--" + each);
          words.add("127.0.0.1:" + (each.equals(door) ? taken.getLocalPort() : 0));
        }
        assertThat(run(words.toArray(String[]::new))).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString().lines())
            .hasSize(1)
            .first()
            .asString()
            .startsWith("tern: cannot start: ")
            .endsWith(
                "listen = 127.0.0.1:"
                    + taken.getLocalPort()
                    + ": another process has this port; give this server another with --"
                    + door);
      }
    }
  }

  /// 192.0.2.0/24 is kept for documentation: nobody has it.
  @Test
  void aServerWhoseAddressIsNotOfThisMachineSaysSo() {
    var words = new ArrayList<>(List.of("server", "--data", state.resolve("data").toString()));
    words.addAll(List.of("--listen", "192.0.2.1:7420", "--set", "net.plain-tcp=anywhere"));
    words.addAll(List.of("--set", "auth.development-issuer=accept-anywhere"));
    words.addAll(List.of("--admin", "127.0.0.1:0", "--http", "127.0.0.1:0"));
    assertThat(run(words.toArray(String[]::new))).isEqualTo(ExitCode.FAILED);
    assertThat(err.toString().lines())
        .containsExactly(
            "tern: cannot start: net.listen = 192.0.2.1:7420: this machine has no such address;"
                + " name one of its addresses with --listen");
  }

  @Test
  void aServerWhoseFolderCannotBeSaysWhy() throws IOException {
    Path file = Files.writeString(state.resolve("file"), "");
    assertThat(run("server", "--data", file.toString())).isEqualTo(ExitCode.FAILED);
    assertThat(err.toString().lines()).hasSize(1).first().asString().endsWith("is not a folder");
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
        "read --user alice --with bob",
        "presence --user alice bob",
        "load --users 2"
      })
  void noServerIsOneLineAndExitCode3(String line) throws IOException {
    var words = new ArrayList<>(List.of(line.split(" ", -1)));
    words.addAll(List.of("--connect", "127.0.0.1:" + closedPort(), "--patience", "1"));
    if (!line.startsWith("load")) {
      words.addAll(List.of("--state", state.toString()));
    }

    assertThat(run(words.toArray(String[]::new))).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(err.toString().lines())
        .hasSize(1)
        .first()
        .asString()
        .startsWith("tern: ")
        .contains("connection refused (tern server starts one)");
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

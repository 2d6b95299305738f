package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.tern.tools.LiveServer.Commands;
import io.tern.tools.LiveServer.Result;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The commands for people and pipes, against a real server.
class LiveCommandsTest {

  @TempDir Path folder;

  private LiveServer server;

  @BeforeEach
  void start() throws IOException {
    server = new LiveServer(folder);
    // A user exists from their first login on, and a device gets what comes after its own.
    assertThat(server.run("tail --user bob --timeout 0.1").exitCode()).isZero();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void sendPrintsTheSeqAndTailTheMessage() {
    assertThat(server.run("send --user alice --to bob hello world").lines()).containsExactly("1");

    var tail = server.run("tail --user bob --count 1 --timeout 20");
    assertThat(tail.exitCode()).isZero();
    assertThat(tail.out().strip()).matches("1\t\\S+Z\t@?\\S+\thello world");
  }

  @Test
  void whatMayBeSeenOnceIsOpenedAndGone() {
    assertThat(server.run("send --user alice --to bob --view-once secret").exitCode()).isZero();
    assertThat(server.run("send --user alice --to bob plain").exitCode()).isZero();

    assertThat(server.run("open --user bob --with alice 1").lines()).containsExactly("secret");
    assertThat(server.run("history --user bob --with alice").out()).doesNotContain("secret");
    for (int seq : List.of(1, 2)) {
      Result again = server.run("open --user bob --with alice " + seq);
      assertThat(again.exitCode()).isEqualTo(ExitCode.FAILED);
      assertThat(again.err()).contains("#" + seq + " is not to be opened");
    }
  }

  @Test
  void aTimerIsOfTheChatAndSaysSo() throws IOException {
    JsonNode set = json(server.run("timer --user alice --with bob 3600 --json"));
    assertThat(set.get("ttl_s").asLong()).isEqualTo(3600);
    assertThat(json(server.run("chats --user bob --json")).get("ttl_s").asLong()).isEqualTo(3600);
    assertThat(server.run("timer --user bob --with alice 0").exitCode()).isZero();
    assertThat(json(server.run("chats --user bob --json")).get("ttl_s").asLong()).isZero();
  }

  private static JsonNode json(Result result) throws IOException {
    assertThat(result.exitCode()).as(result.err()).isZero();
    return new ObjectMapper().readTree(result.lines().getFirst());
  }

  /// One code of the server means different things to a person, by what they wanted.
  @Test
  void whatIsNotAllowedIsSaidOfWhatWasWanted() {
    assertThat(server.run("send --user alice --to bob hi").exitCode()).isZero();
    assertThat(refusal("edit --user bob --with alice 1 mine")).contains("messages of your own");
    assertThat(refusal("revoke --user bob --with alice 1")).contains("messages of your own");
    assertThat(refusal("info --user bob --with alice 1")).contains("its sender only");
    assertThat(refusal("group create --user alice friends nobodyhere"))
        .contains("none of them can be added");
    assertThat(server.run("group create --user alice friends bob").exitCode()).isZero();
    assertThat(refusal("group add --user alice friends nobodyhere")).contains("first login");
    assertThat(refusal("group invite --user bob friends")).contains("only admins");
    assertThat(refusal("group remove --user bob friends alice")).contains("another role");
  }

  private String refusal(String line) {
    Result result = server.run(line);
    assertThat(result.exitCode()).as(line + ": " + result.err()).isEqualTo(ExitCode.REFUSED);
    assertThat(result.err().lines()).hasSize(1);
    return result.err();
  }

  @Test
  void anEditOfWhatWasTakenBackIsSaidSo() {
    server.run("send --user alice --to bob hi");
    server.run("edit --user alice --with bob 1 ho");
    server.run("revoke --user alice --with bob 1");
    assertThat(server.run("history --user bob --with alice").out())
        .contains("(an edit of what was taken back)")
        .doesNotContain("#0");
  }

  @Test
  void aServerThatSpeaksNoTlsIsSaidSo() {
    Result result = server.run("chats --user alice --tls --patience 2");
    assertThat(result.exitCode()).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(result.err()).contains("is it TLS that is spoken there?").doesNotContain("null");
  }

  @Test
  void linesOfStandardInputAreMessagesInTheirOrder() {
    var lines = String.join("\n", numbers(300));
    var sent = withInput(lines, () -> server.run("send --user alice --to bob -"));
    assertThat(sent.exitCode()).as(sent.err()).isZero();
    assertThat(sent.lines()).hasSize(300).endsWith("300");

    var tail = server.run("tail --user bob --count 300 --timeout 30 --json");
    assertThat(tail.lines())
        .extracting(line -> json(line).get("text").asText())
        .containsExactlyElementsOf(numbers(300));
  }

  @Test
  void tailGoesOnWhereItStopped() {
    server.run("send --user alice --to bob one");
    assertThat(server.run("tail --user bob --count 1 --timeout 20").out()).contains("one");
    server.run("send --user alice --to bob two");

    assertThat(server.run("tail --user bob --count 1 --timeout 20").lines())
        .singleElement()
        .asString()
        .contains("two");
  }

  @Test
  void tailWithoutEnoughMessagesEndsWithItsOwnExitCode() {
    assertThat(server.run("tail --user bob --count 1 --timeout 0.2").exitCode())
        .isEqualTo(ExitCode.TIMED_OUT);
    assertThat(server.run("tail --user bob --timeout 0.2").exitCode()).isZero();
  }

  @Test
  void sendToNobodyIsRefusedInOneLine() {
    var result = server.run("send --user alice --to nobody hello");

    assertThat(result.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(result.out()).isEmpty();
    assertThat(result.err().lines()).singleElement().asString().contains("no such user");
  }

  @Test
  void aMessageThatIsTooLongIsRefusedInOneLine() {
    var result = withInput("x".repeat(20_000), () -> server.run("send --user alice --to bob -"));

    assertThat(result.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(result.err().lines()).singleElement().asString().contains("16 KiB");
  }

  @Test
  void sendAsJsonHasStableKeys() {
    var line = json(server.run("send --user alice --to bob hi --json").out());

    assertThat(line.fieldNames())
        .toIterable()
        .containsExactly("chat", "seq", "csn", "time", "repeat");
    assertThat(line.get("csn").asLong()).isEqualTo(1);
  }

  @Test
  void historyShowsBothSidesOldestFirst() {
    assertThat(server.run("chats --user alice").exitCode()).isZero();
    server.run("send --user alice --to bob one");
    server.run("send --user bob --to alice two");
    server.run("send --user alice --to bob three");

    var all = server.run("history --user bob --with alice --json").lines();
    assertThat(all)
        .extracting(line -> json(line).get("text").asText())
        .containsExactly("one", "two", "three");
    assertThat(all)
        .extracting(line -> json(line).get("from").asText())
        .containsExactly("alice", "bob", "alice");
    assertThat(json(all.getFirst()).fieldNames())
        .toIterable()
        .containsExactly("chat", "seq", "from", "own", "time", "kind", "text");
    assertThat(server.run("history --user bob --with alice --limit 2").out())
        .doesNotContain("one")
        .contains("two", "three");
    assertThat(server.run("history --user bob --with alice --after 1 --limit 1").out())
        .contains("two")
        .doesNotContain("one", "three");
    assertThat(server.run("history --user bob --with alice --before 2").out())
        .contains("one")
        .doesNotContain("two", "three");
  }

  @Test
  void aLongHistoryIsReadPageByPage() {
    withInput(String.join("\n", numbers(250)), () -> server.run("send --user alice --to bob -"));

    assertThat(server.run("history --user bob --with alice --limit 0 --json").lines())
        .extracting(line -> json(line).get("text").asText())
        .containsExactlyElementsOf(numbers(250));
    assertThat(server.run("history --user bob --with alice --after 0 --limit 0").lines())
        .hasSize(250);
  }

  @Test
  void chatsAreListedWithWhatIsUnread() {
    server.run("send --user alice --to bob one");
    server.run("send --user alice --to bob two");

    var chat = json(server.run("chats --user bob --json").out());
    assertThat(chat.get("head").asLong()).isEqualTo(2);
    assertThat(chat.get("unread").asLong()).isEqualTo(2);
    assertThat(chat.get("last").get("text").asText()).isEqualTo("two");

    server.run("tail --user bob --count 2 --timeout 20 --read");
    // READ has no answer: it counts a moment later.
    await()
        .untilAsserted(() -> assertThat(server.run("chats --user bob").out()).contains("0 unread"));
  }

  @Test
  void readMarksAChatUpToAMessageAndThenAllOfIt() throws IOException {
    for (String text : List.of("one", "two", "three")) {
      server.run("send --user alice --to bob " + text);
    }

    var some = json(server.run("read --user bob --with alice 2 --json"));
    assertThat(some.fieldNames())
        .toIterable()
        .containsExactly("chat", "read", "unread", "unread_mentions");
    assertThat(some.get("read").asLong()).isEqualTo(2);
    assertThat(some.get("unread").asLong()).isEqualTo(1);
    assertThat(json(server.run("chats --user alice --json")).get("peer_read").asLong())
        .isEqualTo(2);
    assertThat(server.run("read --user bob --with alice").lines()).containsExactly("3\t0 unread");
    assertThat(server.run("read --user bob --with alice 1").lines()).containsExactly("3\t0 unread");
  }

  @Test
  void readOfAGroupCounts() {
    server.run("group create --user alice terns bob");
    server.run("send --user alice --to +terns hello");

    assertThat(server.run("read --user bob --with +terns").lines()).containsExactly("2\t0 unread");
    assertThat(server.run("info --user alice --with +terns 2").out()).contains("read by 1 of 1");
  }

  @Test
  void readOfWhatIsNotThereSaysSo() {
    Result nothing = server.run("read --user alice --with bob");
    assertThat(nothing.exitCode()).isEqualTo(ExitCode.FAILED);
    assertThat(nothing.err()).contains("there is no message in the chat with 'bob'");

    server.run("send --user alice --to bob one");
    Result beyond = server.run("read --user bob --with alice 2");
    assertThat(beyond.exitCode()).isEqualTo(ExitCode.FAILED);
    assertThat(beyond.err()).contains("there is no #2: the newest is #1");
  }

  @Test
  void textOfOthersCannotSteerTheTerminal() {
    server.run("send --user alice --to bob \u001b[2Jboo");

    assertThat(server.run("tail --user bob --count 1 --timeout 20").out())
        .contains("␛[2Jboo")
        .doesNotContain("\u001b");
  }

  @Test
  void aFolderCanBeInspectedBesideItsServerAndAfterIt() {
    server.run("send --user alice --to bob hello");
    server.run("tail --user bob --count 1 --timeout 20");
    assertThat(inspect("--json").exitCode()).isZero();
    server.close();

    var lines = inspect("--json", "--entries").lines().stream().map(this::json).toList();
    assertThat(lines)
        .extracting(line -> line.get("type").asText())
        .contains("shard", "user", "chat", "entry");
    var chat = lines.stream().filter(l -> l.get("type").asText().equals("chat")).findAny();
    assertThat(chat).hasValueSatisfying(c -> assertThat(c.get("head").asLong()).isEqualTo(1));
    var entry = lines.stream().filter(l -> l.get("type").asText().equals("entry")).findAny();
    assertThat(entry)
        .hasValueSatisfying(e -> assertThat(e.get("text").asText()).isEqualTo("hello"));
    assertThat(inspect("--chat", "alice,bob", "--entries").out()).contains("hello", "delivered #1");
    assertThat(inspect("--chat", "alice,carol").exitCode()).isEqualTo(ExitCode.FAILED);
  }

  @Test
  void loadFindsTheServerSound() throws IOException {
    var file = folder.resolve("load.json");
    var result =
        Commands.run(
            "load",
            "--connect",
            server.address().toString(),
            "--users",
            "20",
            "--in-flight",
            "4",
            "--seconds",
            "1",
            "--warmup",
            "0.5",
            "--server-pid",
            Long.toString(ProcessHandle.current().pid()),
            "--json",
            file.toString());

    assertThat(result.exitCode()).as(result.out() + result.err()).isZero();
    assertThat(result.out()).contains("0 lost, 0 doubled, 0 out of order");
    assertThat(json(Files.readString(file)).get("complete_per_s").asDouble()).isPositive();
  }

  private Result inspect(String... options) {
    var words = new ArrayList<>(List.of("inspect", "--data"));
    words.add(folder.resolve("data").toString());
    words.addAll(List.of("--state", folder.resolve("state").toString()));
    words.addAll(List.of(options));
    return Commands.run(words.toArray(String[]::new));
  }

  private static Result withInput(String text, Supplier<Result> command) {
    var terminal = System.in;
    System.setIn(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
    try {
      return command.get();
    } finally {
      System.setIn(terminal);
    }
  }

  private static List<String> numbers(int count) {
    return IntStream.rangeClosed(1, count).mapToObj(i -> "message " + i).toList();
  }

  private JsonNode json(String line) {
    try {
      return new ObjectMapper().readTree(line);
    } catch (IOException e) {
      throw new AssertionError(line, e);
    }
  }
}

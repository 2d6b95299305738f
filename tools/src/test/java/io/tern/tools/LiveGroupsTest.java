package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.tern.tools.LiveServer.Result;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Groups, events, settings, presence and devices from the command line, against a real server.
class LiveGroupsTest {

  @TempDir Path folder;

  private LiveServer server;

  @BeforeEach
  void start() throws IOException {
    server = new LiveServer(folder);
    for (var name : List.of("alice", "bob", "carol")) {
      assertThat(server.run("tail --user " + name + " --timeout 0.1").exitCode()).isZero();
    }
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void aGroupFromItsFoundingToItsEnd() {
    var created = json(ok("group create --user alice terns bob --json"));
    assertThat(created.fieldNames())
        .toIterable()
        .containsExactly("chat", "seq", "members_version", "refused");
    var id = created.get("chat").asText();

    ok("send --user bob --to +terns hello");
    ok("group add --user alice terns carol");
    ok("send --user carol --to " + id + " hi");
    ok("group title --user bob terns arctic terns");
    ok("group role --user alice " + id + " bob admin");
    ok("group remove --user bob " + id + " carol");

    assertThat(ok("history --user alice --with " + id).lines())
        .extracting(line -> line.split("\t", -1)[3])
        .containsExactly(
            "(creates the group “terns” with bob)",
            "hello",
            "(adds carol)",
            "hi",
            "(calls the group “arctic terns”)",
            "(makes bob admin)",
            "(removes carol)");
    // From the entry that brought her in to the one that took her out.
    assertThat(ok("history --user carol --with " + id).lines())
        .extracting(line -> line.split("\t", -1)[0])
        .containsExactly("3", "4", "5", "6", "7");
    assertThat(ok("history --user carol --with " + id + " --after 0").lines()).hasSize(5);

    var late = server.run("send --user carol --to " + id + " wait");
    assertThat(late.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(late.err()).contains("not in it");
    var notHers = server.run("group title --user carol " + id + " mine");
    assertThat(notHers.exitCode()).isEqualTo(ExitCode.REFUSED);

    var info = json(ok("group info --user bob " + id + " --json"));
    assertThat(info.get("title").asText()).isEqualTo("arctic terns");
    assertThat(info.get("role").asText()).isEqualTo("admin");
    assertThat(info.get("members")).hasSize(2);
    assertThat(ok("group info --user bob " + id).out()).contains("owner\talice", "admin\tbob");

    ok("group leave --user alice " + id);
    assertThat(ok("group info --user bob " + id).out())
        .contains("owner\tbob")
        .doesNotContain("alice");
  }

  @Test
  void whoeverHasTheLinkMayJoinUntilItIsVoid() {
    ok("group create --user alice terns");
    var link = ok("group invite --user alice terns").out().strip();
    ok("group join --user bob " + link);
    assertThat(ok("chats --user bob").out()).contains("+terns").contains("joins by the link");

    ok("group invite --user alice terns --off");
    assertThat(server.run("group join --user carol " + link).exitCode())
        .isEqualTo(ExitCode.REFUSED);
    assertThat(server.run("group join --user carol nonsense").exitCode()).isEqualTo(ExitCode.USAGE);
  }

  @Test
  void onlyAdminsSendWhenTheRulesSaySo() {
    ok("group create --user alice terns bob");
    ok("group rules --user alice terns --admin-only-send true");
    assertThat(server.run("send --user bob --to +terns hello").exitCode())
        .isEqualTo(ExitCode.REFUSED);
    ok("send --user alice --to +terns hear!");
    assertThat(server.run("group rules --user bob terns --admin-only-edit true").exitCode())
        .isEqualTo(ExitCode.REFUSED);
  }

  @Test
  void messagesAreEditedReactedToAndTakenBack() {
    ok("send --user alice --to bob helo");
    ok("edit --user alice --with bob 1 hello");
    ok("react --user bob --with alice 1 👍");
    ok("send --user bob --to alice oops");
    ok("revoke --user bob --with alice 4");

    var entries =
        ok("history --user alice --with bob --json").lines().stream().map(this::json).toList();
    assertThat(entries)
        .extracting(e -> e.get("kind").asText())
        .containsExactly("text", "edit", "reaction", "removed", "revoke");
    assertThat(entries.get(0).get("text").asText()).isEqualTo("hello");
    assertThat(entries.get(0).has("edited")).isTrue();
    assertThat(entries.get(0).get("reactions").get(0).get("text").asText()).isEqualTo("👍");
    assertThat(ok("history --user alice --with bob").lines().getFirst())
        .endsWith("hello (edited) [👍 1]");

    assertThat(server.run("edit --user bob --with alice 1 mine").exitCode())
        .isEqualTo(ExitCode.REFUSED);
    assertThat(server.run("revoke --user alice --with bob 99").exitCode())
        .isEqualTo(ExitCode.REFUSED);
    ok("react --user bob --with alice 1");
    assertThat(ok("history --user alice --with bob").lines().getFirst()).endsWith("hello (edited)");
  }

  @Test
  void aMessageIsSentOn() {
    ok("group create --user alice terns");
    ok("send --user bob --to alice news");
    ok("forward --user alice --with bob 1 --to +terns");
    var sentOn = json(ok("history --user alice --with +terns --json").lines().getLast());
    assertThat(sentOn.get("text").asText()).isEqualTo("news");
    assertThat(sentOn.get("forwarded").asInt()).isEqualTo(1);

    ok("send --user bob --to alice --view-once secret");
    assertThat(server.run("forward --user alice --with bob 2 --to +terns").exitCode())
        .isEqualTo(ExitCode.FAILED);
    assertThat(server.run("forward --user alice --with bob 9 --to +terns").exitCode())
        .isEqualTo(ExitCode.FAILED);
  }

  @Test
  void whoGotAndReadAMessageIsTold() {
    ok("group create --user alice terns bob carol");
    ok("send --user alice --to +terns news");
    assertThat(ok("info --user alice --with +terns 2").out())
        .contains("bob\t✓\t", "carol\t✓\t", "delivered to 0 and read by 0 of 2");
    ok("tail --user bob --count 2 --timeout 20 --read");
    await()
        .untilAsserted(() ->
            assertThat(ok("info --user alice --with +terns 2").out())
                .contains("bob\tread\t", "carol\t✓\t", "read by 1 of 2"));
    var bob = json(ok("info --user alice --with +terns 2 --json").lines().getFirst());
    assertThat(bob.fieldNames()).toIterable().containsExactly("user", "delivered", "read");
    assertThat(server.run("info --user bob --with +terns 2").exitCode())
        .isEqualTo(ExitCode.REFUSED);
  }

  @Test
  void mentionsCountAndMutePinAndArchiveShowInTheList() {
    ok("group create --user alice terns bob");
    ok("send --user alice --to +terns --mention bob look");
    ok("settings mute --user bob +terns");
    ok("settings pin --user bob +terns");

    var chat = json(ok("chats --user bob --json"));
    assertThat(chat.get("title").asText()).isEqualTo("terns");
    assertThat(chat.get("unread_mentions").asInt()).isEqualTo(1);
    assertThat(chat.get("mute_until_ms").asLong()).isEqualTo(Long.MAX_VALUE);
    assertThat(chat.get("pin").asBoolean()).isTrue();
    assertThat(ok("chats --user bob").out()).contains("1 unread, 1 for you, muted, pinned");

    ok("settings mute --user bob +terns --off");
    assertThat(ok("chats --user bob").out()).contains("1 unread, 1 for you, pinned");
    assertThat(ok("settings list --user bob").lines()).hasSize(1);
  }

  @Test
  void aBlockIsInForceWhenItsCommandEnds() {
    ok("send --user alice --to bob hello");
    ok("settings block --user bob alice");
    assertThat(server.run("send --user alice --to bob please").exitCode())
        .isEqualTo(ExitCode.REFUSED);
    ok("settings block --user bob alice --off");
    ok("send --user alice --to bob thanks");
  }

  @Test
  void whoDoesNotWantToBeAddedIsNot() {
    ok("settings privacy --user bob --groups contacts");
    var created = json(ok("group create --user alice terns bob carol --json"));
    assertThat(created.get("refused")).hasSize(1);
    assertThat(created.get("refused").get(0).asText()).isEqualTo("bob");

    ok("settings contact --user bob alice --as Ally");
    ok("group add --user alice terns bob");
    assertThat(ok("settings list --user bob --json").lines())
        .extracting(line -> json(line).get("setting").asText())
        .containsExactlyInAnyOrder("privacy", "contact");
  }

  @Test
  void aHiddenMessageIsGoneForOneAndStaysForTheOther() {
    ok("send --user alice --to bob secret");
    ok("settings hide --user bob alice 1");
    assertThat(ok("history --user bob --with alice").out()).contains("(removed)");
    assertThat(ok("history --user alice --with bob").out()).contains("secret");
  }

  @Test
  void devicesAreListedAndRemoved() {
    ok("send --user alice --to bob hello");
    var devices = ok("devices --user alice --json").lines().stream().map(this::json).toList();
    assertThat(devices).extracting(d -> d.get("device").asInt()).containsExactly(2, 3, 4);
    assertThat(devices.get(2).get("current").asBoolean()).isTrue();

    ok("devices --user alice --remove 2");
    assertThat(ok("devices --user alice").lines()).hasSize(2);
    assertThat(server.run("send --user alice --to bob again").exitCode())
        .isEqualTo(ExitCode.REFUSED);
  }

  @Test
  void presenceIsWhatIsShown() {
    assertThat(json(ok("presence --user alice bob --json")).get("last_seen").isNull()).isFalse();
    ok("settings privacy --user bob --last-seen nobody --online nobody");
    assertThat(ok("presence --user alice bob").out()).isEqualTo("bob\tnot shown\n");
  }

  private Result ok(String line) {
    var result = server.run(line);
    assertThat(result.exitCode()).as(line + ": " + result.err()).isZero();
    return result;
  }

  private JsonNode json(Result result) {
    return json(result.out());
  }

  private JsonNode json(String line) {
    try {
      return new ObjectMapper().readTree(line);
    } catch (IOException e) {
      throw new AssertionError(line, e);
    }
  }
}

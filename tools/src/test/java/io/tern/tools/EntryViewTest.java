package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.MessageLite;
import io.tern.client.ClientListener.Message;
import io.tern.client.Draft;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Block;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Location;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Reaction;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.Users;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// How entries of every kind look to people and to programs.
class EntryViewTest {

  private static final UserId ALICE = Names.id("alice");
  private static final UserId BOB = Names.id("bob");
  private static final ChatId GROUP = ChatId.group(77);

  @TempDir Path folder;

  private Names names;

  @BeforeEach
  void names() {
    names = new Names(folder.resolve("names"));
    List.of("alice", "bob").forEach(names::learn);
  }

  @Test
  void aMessageOfAGroupNamesItsSenderAndTheGroupById() throws Exception {
    var entry =
        EntryView.of(
            PageEntry.newBuilder()
                .setSeq(3)
                .setEntry(
                    Deliver.newBuilder()
                        .setSender(BOB.value())
                        .setContent(Draft.text("hi").mention(ALICE).replyTo(2).content()))
                .addReactions(Reaction.newBuilder().setText("👍").setCount(2).setOwn(true))
                .build(),
            GROUP,
            ALICE,
            names);
    JsonNode json = json(entry);
    assertThat(json.get("chat").asText()).isEqualTo("+" + GROUP);
    assertThat(json.get("from").asText()).isEqualTo("bob");
    assertThat(json.get("mentions").get(0).asText()).isEqualTo("alice");
    assertThat(json.get("reply_to").asLong()).isEqualTo(2);
    assertThat(json.get("reactions").get(0).get("count").asInt()).isEqualTo(2);
    assertThat(entry.text()).isEqualTo("hi [👍 2]");
  }

  @Test
  void eventsAreSentences() throws Exception {
    assertThat(view(Draft.edit(3, Draft.text("new"))).text()).isEqualTo("(edits #3: new)");
    assertThat(json(view(Draft.edit(3, Draft.text("new")))).get("target").asLong()).isEqualTo(3);
    assertThat(view(Draft.revoke(3)).text()).isEqualTo("(takes #3 back)");
    assertThat(view(Draft.react(3, "❤")).text()).isEqualTo("(❤ to #3)");
    assertThat(json(view(Draft.react(3, "❤"))).get("text").asText()).isEqualTo("❤");
    assertThat(view(Draft.opened(3)).text()).isEqualTo("(has opened #3)");
    assertThat(view(Draft.timer(Duration.ofDays(7))).text())
        .isEqualTo("(lets messages disappear after 7 d)");
    assertThat(view(Draft.timer(Duration.ZERO)).text()).isEqualTo("(lets messages stay)");
    assertThat(view(Draft.text("x").viewOnce().content()).text()).isEqualTo("(view once) x");
    assertThat(view(Draft.forward(Draft.text("x").content()).content()).text())
        .isEqualTo("(forwarded) x");
    assertThat(
            view(Draft.location(
                        Location.newBuilder()
                            .setName("pier")
                            .setLatitude(54.5)
                            .setLongitude(-1.25)
                            .build())
                    .content())
                .text())
        .isEqualTo("(location: pier 54.50000, -1.25000)");
  }

  @Test
  void changesOfAGroupAreSentencesAndHaveStableWords() throws Exception {
    var added = group(GroupEvent.newBuilder().setAdded(Users.newBuilder().addUsers(BOB.value())));
    assertThat(added.text()).isEqualTo("(adds bob)");
    assertThat(json(added).get("change").asText()).isEqualTo("added");
    assertThat(json(added).get("users").get(0).asText()).isEqualTo("bob");
    var role =
        group(
            GroupEvent.newBuilder()
                .setRole(RoleChange.newBuilder().setUser(BOB.value()).setRole(Role.ROLE_ADMIN)));
    assertThat(role.text()).isEqualTo("(makes bob admin)");
    assertThat(json(role).get("role").asText()).isEqualTo("admin");
    var left = group(GroupEvent.newBuilder().setLeft(true).setNewOwner(BOB.value()));
    assertThat(left.text()).isEqualTo("(leaves; bob owns it now)");
    assertThat(json(left).get("new_owner").asText()).isEqualTo("bob");
  }

  @Test
  void settingsAreSentencesAndHaveStableWords() throws Exception {
    var settings =
        view(
            Kind.KIND_SETTING,
            Settings.newBuilder()
                .addSet(
                    Setting.newBuilder()
                        .setBlock(Block.newBuilder().setUser(BOB.value()).setOn(true)))
                .addSet(
                    Setting.newBuilder().setPrivacy(Privacy.newBuilder().setHideReadReceipts(true)))
                .build());
    assertThat(settings.text())
        .isEqualTo(
            "(sets bob: blocked, sets privacy: last seen everyone, online everyone, photo"
                + " everyone, groups everyone, read receipts hidden)");
    assertThat(json(settings).get("settings").get(0).get("setting").asText()).isEqualTo("block");
  }

  @Test
  void aRegistrationIsASentenceAndHasItsTime() throws Exception {
    var registered =
        view(
            Kind.KIND_REGISTERED, RegisteredEvent.newBuilder().setAtMs(1_764_000_000_123L).build());
    assertThat(registered.text())
        .isEqualTo("(has registered anew, on another device, at 2025-11-24T16:00:00.123Z)");
    assertThat(json(registered).get("kind").asText()).isEqualTo("registered");
    assertThat(json(registered).get("registered_ms").asLong()).isEqualTo(1_764_000_000_123L);
  }

  @Test
  void whatOthersNameCannotSteerTheTerminal() {
    assertThat(group(GroupEvent.newBuilder().setTitle("\u001b[2Jx")).text())
        .doesNotContain("\u001b");
    assertThat(view(Draft.react(1, "\u001b[2J")).text()).doesNotContain("\u001b");
  }

  private EntryView group(GroupEvent.Builder event) {
    return view(Kind.KIND_GROUP, event.build());
  }

  private EntryView view(Kind kind, MessageLite body) {
    return view(Content.newBuilder().setKind(kind).setBody(body.toByteString()).build());
  }

  private EntryView view(Content content) {
    return EntryView.of(new Message(GROUP, 9, BOB, 1, 0, content, false, 0, 0), ALICE, names);
  }

  private static JsonNode json(EntryView entry) throws IOException {
    return new ObjectMapper().readTree(entry.json().toString());
  }
}

package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.ALICE_2;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.EVE;
import static io.tern.store.ShardNode.EVE_1;
import static io.tern.store.ShardNode.refused;
import static io.tern.store.ShardNode.sent;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Setting;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Users who are deleted, and users who are banned.
class ErasedUserTest {

  private static final ChatId NOTES = ChatId.direct(ALICE, ALICE);
  private static final ChatId GROUP = ChatId.group(77);

  private final ShardNode node = new ShardNode();

  private static Command erase() {
    return new Command.EraseUser(ALICE);
  }

  private Outcome.UserErased erased(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.UserErased.class);
    return (Outcome.UserErased) outcome;
  }

  /// Alice, with something of everything.
  private void live() {
    node.run(new Command.Enrol(ALICE_1));
    node.run(new Command.Enrol(ALICE_2));
    node.run(new Command.Enrol(BOB_1));
    duties(node.send(ALICE_1, 1, "hello"));
    duties(node.send(BOB_1, 1, "hello back"));
    duties(node.send(ALICE_1, NOTES, 1, "a note"));
    duties(node.send(ALICE_2, NOTES, 1, "another"));
    node.run(new Command.Ack(ALICE_2, NOTES, 1));
    var contact = Setting.newBuilder();
    contact.getContactBuilder().setUser(BOB.value()).setName("Bob");
    duties(node.run(new Command.ChangeSettings(ALICE_1, List.of(contact.build()))));
    var birth =
        GroupBirth.newBuilder()
            .setTitle("us")
            .addMembers(BOB.value())
            .addMembers(EVE.value())
            .build();
    duties(node.run(new Command.GroupCreate(ALICE_1, GROUP, ShardNode.opId(1), birth)));
  }

  private void duties(Outcome outcome) {
    if (outcome instanceof Outcome.Sent sent) {
      sent.duties().forEach(node::run);
    }
  }

  private List<String> keysOfAlice() {
    var found = new ArrayList<String>();
    int slot = Slots.of(ALICE);
    node.storage.scan(
        Keys.tagFrom((char) 0, slot),
        Keys.tagFrom((char) 0, slot + 1),
        (key, value) -> {
          found.add(String.valueOf(Keys.tagOf(key)));
          return true;
        });
    return found;
  }

  @Test
  void nothingButTheGivenIdIsLeft() {
    live();
    assertThat(keysOfAlice()).contains("U", "D", "S", "L", "M");
    Outcome.UserErased erased = erased(node.run(erase()));
    assertThat(erased.more()).isFalse();
    assertThat(erased.duties())
        .containsExactlyInAnyOrder(new Command.Leave(CHAT, ALICE), new Command.Leave(GROUP, ALICE));
    assertThat(keysOfAlice()).containsExactly("U");
    assertThat(Reads.userExists(node.storage, ALICE)).isFalse();
    assertThat(Reads.userKnown(node.storage, ALICE)).isTrue();
    node.restart();
    assertThat(keysOfAlice()).containsExactly("U");
  }

  @Test
  void aSnapshotOfTheNotesDoesNotBringThemBack() {
    live();
    for (int i = 2; i <= HotChats.SNAPSHOT_ENTRIES + 2; i++) {
      node.send(ALICE_1, NOTES, i, "note " + i);
    }
    node.prepare(
        new Command.Send(ALICE_1, NOTES, ShardNode.body(HotChats.SNAPSHOT_ENTRIES + 3, "x")));
    node.prepare(new Command.Ack(ALICE_1, NOTES, 5));
    node.prepare(erase());
    refused(node.prepare(new Command.Ack(ALICE_1, NOTES, 6)), ErrorCode.NOT_MEMBER);
    node.shard.commit();
    assertThat(keysOfAlice()).containsExactly("U");
  }

  @Test
  void theDeadDoNotComeBack() {
    live();
    node.run(erase());
    refused(node.run(new Command.Enrol(ALICE_1)), ErrorCode.REVOKED);
    refused(node.run(new Command.Enrol(new DeviceId(ALICE, 9))), ErrorCode.REVOKED);
    refused(node.run(new Command.Seen(ALICE_1, node.now)), ErrorCode.REVOKED);
    var contact = Setting.newBuilder();
    contact.getContactBuilder().setUser(BOB.value()).setName("Bob");
    refused(
        node.run(new Command.ChangeSettings(ALICE_1, List.of(contact.build()))), ErrorCode.REVOKED);
    refused(node.send(ALICE_1, NOTES, 1, "still here"), ErrorCode.REVOKED);
    node.run(new Command.ListChat(ALICE, ChatId.group(5)));
    node.run(new Command.Revoke(ALICE_2));
    node.run(new Command.Tick(0, false));
    assertThat(keysOfAlice()).containsExactly("U");
    // Again is the same.
    assertThat(erased(node.run(erase())).duties()).isEmpty();
  }

  /// The sender's edge knew the user when the message was on its way.
  @Test
  void aChatThatBeginsWithAnErasedUserIsShut() {
    node.run(new Command.Enrol(ALICE_1));
    node.run(erase());
    Outcome.Sent first = sent(node.send(BOB_1, 1, "hello"));

    for (Command list : first.duties()) {
      if (node.run(list) instanceof Outcome.UserErased(UserId user, List<Command> duties, _)) {
        assertThat(user).isEqualTo(ALICE);
        node.storage.crash(0);
        node.start();
        assertThat(node.shard.outbox().getLast().duties()).isEqualTo(duties);
        duties.forEach(node::run);
      }
    }

    refused(node.send(BOB_1, 2, "are you there?"), ErrorCode.BLOCKED);
    assertThat(keysOfAlice()).containsExactly("U");
  }

  @Test
  void aGroupThatAddsAnErasedUserLosesThemAgain() {
    node.run(new Command.Enrol(ALICE_1));
    sent(node.create(BOB_1, GROUP, EVE));
    node.run(erase());
    Outcome.Sent added = sent(node.edit(BOB_1, GROUP, new GroupChange.Add(List.of(ALICE))));

    added.duties().stream()
        .map(node::run)
        .flatMap(listed -> erased(listed).duties().stream())
        .forEach(node::run);

    var group = Objects.requireNonNull(Reads.groupInfo(node.storage, GROUP));
    assertThat(group.members()).extracting(Reads.GroupMember::user).containsExactly(BOB, EVE);
  }

  @Test
  void theNotesOfAnErasedUserAreNoChatToLeave() {
    node.run(new Command.Enrol(ALICE_1));
    node.run(erase());

    assertThat(node.run(new Command.ListChat(ALICE, NOTES))).isEqualTo(Outcome.Done.DONE);
  }

  @Test
  void aDeviceIsNotWrittenDownAgainInTheRoundThatErasesItsUser() {
    live();
    node.prepare(erase());
    node.prepare(new Command.Revoke(ALICE_2));
    node.prepare(new Command.RemoveDevice(ALICE_2, ALICE_1.index()));
    node.shard.commit();

    assertThat(keysOfAlice()).containsExactly("U");
  }

  @Test
  void thePeerKeepsWhatThereIsAndCanNoLongerWrite() {
    live();
    erased(node.run(erase())).duties().forEach(node::run);
    assertThat(node.texts()).containsExactly("hello", "hello back");
    refused(node.send(BOB_1, 2, "are you there?"), ErrorCode.BLOCKED);
    node.restart();
    refused(node.send(BOB_1, 2, "are you there?"), ErrorCode.BLOCKED);
    // Nothing that was on its way opens it.
    node.run(new Command.SetBlock(CHAT, ALICE, false, 1_000_000));
    refused(node.send(BOB_1, 2, "are you there?"), ErrorCode.BLOCKED);
  }

  @Test
  void groupsLoseAMemberAndHaveAnOwner() {
    live();
    Outcome.Sent left =
        sent(
            erased(node.run(erase())).duties().stream()
                .filter(duty -> duty.equals(new Command.Leave(GROUP, ALICE)))
                .map(node::run)
                .findFirst()
                .orElseThrow());
    assertThat(left.members()).containsExactlyInAnyOrder(BOB, EVE);
    var group = Objects.requireNonNull(Reads.groupInfo(node.storage, GROUP));
    assertThat(group.members()).extracting(Reads.GroupMember::user).containsExactly(BOB, EVE);
    assertThat(group.members().getFirst().role()).isEqualTo(Role.ROLE_OWNER);
    // Told again after a restart, it is done.
    assertThat(node.run(new Command.Leave(GROUP, ALICE))).isEqualTo(Outcome.Done.DONE);
    refused(node.send(ALICE_1, GROUP, 1, "still here"), ErrorCode.NOT_MEMBER);
    sent(node.send(EVE_1, GROUP, 1, "she is gone"));
  }

  /// Who leaves is remembered, and the one who left longest ago forgotten for it: the group becomes
  /// lighter by one. What is in memory is bounded by that weight.
  @Test
  void aGroupThatForgetsSomebodyWhenAnErasedUserLeavesWeighsLessInMemory() {
    int former = ChatState.FORMER_MEMBERS_MAX;
    List<UserId> erased = users(10_000, 5);
    int weight = 1 + erased.size() + former;
    // The group and the direct chat, and not one member more.
    node.hotMembersMax = weight + 2;
    node.start();
    sent(node.create(ALICE_1, GROUP, erased.toArray(UserId[]::new)));
    for (int i = 0; i < former; i += 64) {
      List<UserId> some = users(20_000 + i, 64);
      sent(node.edit(ALICE_1, GROUP, new GroupChange.Add(some)));
      some.forEach(user -> sent(node.edit(ALICE_1, GROUP, new GroupChange.Remove(user))));
    }
    sent(node.send(ALICE_1, 1, "hello"));

    erased.forEach(user -> sent(node.run(new Command.Leave(GROUP, user))));
    assertThat(isInMemoryOnly(CHAT)).isTrue();
    // As heavy as before, and both still fit.
    sent(node.edit(ALICE_1, GROUP, new GroupChange.Add(users(30_000, erased.size()))));
    assertThat(isInMemoryOnly(CHAT)).isTrue();
    sent(node.edit(ALICE_1, GROUP, new GroupChange.Add(users(40_000, 1))));
    assertThat(isInMemoryOnly(CHAT)).isFalse();
  }

  private static List<UserId> users(int first, int n) {
    return IntStream.range(first, first + n).mapToObj(UserId::new).toList();
  }

  /// Whether a chat of a few entries has never been let go: then it would have been written down.
  private boolean isInMemoryOnly(ChatId chat) {
    return node.storage.get(Keys.chat(chat)) == null;
  }

  @Test
  void whatIsOwedToOtherShardsSurvives() {
    live();
    Outcome.UserErased erased = erased(node.run(erase()));
    node.storage.crash(0);
    node.start();
    var owed = new ArrayList<Command>();
    node.shard.outbox().forEach(record -> owed.addAll(record.duties()));
    assertThat(owed).containsAll(erased.duties());
  }

  @Test
  void aLongChatListGoesInPieces() {
    node.run(new Command.Enrol(ALICE_1));
    int chats = Users.CHATS_LEFT_MAX + 10;
    for (int i = 1; i <= chats; i++) {
      node.prepare(new Command.ListChat(ALICE, ChatId.group(i)));
    }
    node.shard.commit();
    Outcome.UserErased first = erased(node.run(erase()));
    assertThat(first.more()).isTrue();
    assertThat(first.duties()).hasSize(Users.CHATS_LEFT_MAX);
    Outcome.UserErased second = erased(node.run(erase()));
    assertThat(second.more()).isFalse();
    assertThat(second.duties()).hasSize(10);
    assertThat(keysOfAlice()).containsExactly("U");
  }

  @Test
  void anIdThatWasNeverGivenIsNotGivenAfterwards() {
    node.run(erase());
    refused(node.run(new Command.Enrol(ALICE_1)), ErrorCode.REVOKED);
  }

  // ---- bans and revoked devices ----------------------------------------------------------------

  @Test
  void aBannedUserStaysOutUntilThen() {
    node.run(new Command.Enrol(ALICE_1));
    assertThat(node.run(new Command.Ban(ALICE, node.now + 1_000)))
        .isEqualTo(new Outcome.UserBanned(ALICE));
    node.restart();
    refused(node.run(new Command.Enrol(ALICE_1)), ErrorCode.BANNED);
    refused(node.run(new Command.Enrol(ALICE_2)), ErrorCode.BANNED);
    refused(node.run(new Command.Seen(ALICE_1, node.now)), ErrorCode.BANNED);
    assertThat(Reads.bannedUntil(node.storage, ALICE)).isEqualTo(node.now + 1_000);
    node.now += 1_000;
    assertThat(node.run(new Command.Enrol(ALICE_1))).isInstanceOf(Outcome.Enrolled.class);
  }

  @Test
  void aBanIsLifted() {
    node.run(new Command.Enrol(ALICE_1));
    node.run(new Command.Ban(ALICE, Long.MAX_VALUE));
    assertThat(node.run(new Command.Ban(ALICE, 0))).isEqualTo(Outcome.Done.DONE);
    assertThat(node.run(new Command.Enrol(ALICE_1))).isInstanceOf(Outcome.Enrolled.class);
  }

  @Test
  void nobodyIsBannedWhoIsNotThere() {
    refused(node.run(new Command.Ban(new UserId(123), 1)), ErrorCode.NOT_FOUND);
    live();
    node.run(erase());
    refused(node.run(new Command.Ban(ALICE, Long.MAX_VALUE)), ErrorCode.NOT_FOUND);
  }

  @Test
  void aRevokedDeviceStaysOutBeItKnownOrNot() {
    node.run(new Command.Enrol(ALICE_1));
    assertThat(node.run(new Command.Revoke(ALICE_1))).isEqualTo(new Outcome.DeviceRemoved(ALICE_1));
    node.run(new Command.Revoke(ALICE_2));
    refused(node.run(new Command.Enrol(ALICE_1)), ErrorCode.REVOKED);
    refused(node.run(new Command.Enrol(ALICE_2)), ErrorCode.REVOKED);
    assertThat(node.run(new Command.Revoke(ALICE_1))).isEqualTo(new Outcome.DeviceRemoved(ALICE_1));
  }
}

package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.ALICE_2;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.EVE;
import static io.tern.store.ShardNode.EVE_1;
import static io.tern.store.ShardNode.sent;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.RegisteredEvent;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// A registration is told to those with whom the user talks, once each.
class NoticesTest {

  private static final long AT = 1_800_000_000_000L;
  private static final Command TELL = new Command.TellRegistered(CHAT, ALICE_2, AT);

  private final ShardNode node = new ShardNode();

  private void talk() {
    node.send(ALICE_1, 1, "hello");
    node.send(BOB_1, 1, "hello back");
  }

  private List<Entry> notices() {
    return node.entries().stream()
        .filter(entry -> entry.kind() == Kind.KIND_REGISTERED_VALUE)
        .toList();
  }

  private static Outcome.Announced announced(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.Announced.class);
    return (Outcome.Announced) outcome;
  }

  // TERN-19-11
  @Test
  void bothSidesGetOneEntryThatNamesDeviceAndTime() throws InvalidProtocolBufferException {
    talk();
    Outcome.Sent told = sent(node.run(TELL));
    assertThat(told.repeat()).isFalse();
    assertThat(told.members()).containsExactlyInAnyOrder(ALICE, BOB);
    assertThat(told.entry().seq()).isEqualTo(3);
    assertThat(told.entry().sender()).isEqualTo(ALICE_2);
    assertThat(told.entry().csn()).isZero();
    Content content = Content.parseFrom(told.entry().content());
    assertThat(content.getKind()).isEqualTo(Kind.KIND_REGISTERED);
    assertThat(RegisteredEvent.parseFrom(content.getBody()).getAtMs()).isEqualTo(AT);
    // An event: it is nobody's message.
    assertThat(node.summary(BOB_1).unread()).isZero();
    assertThat(node.summary(ALICE_1).lastCsn()).isEqualTo(1);
    assertThat(sent(node.send(ALICE_2, 1, "new phone")).entry().seq()).isEqualTo(4);
  }

  // TERN-19-11
  @Test
  void aRegistrationIsToldOnceAndTheNextOneAgain() {
    talk();
    assertThat(node.prepare(TELL)).isInstanceOf(Outcome.Sent.class);
    assertThat(node.prepare(TELL)).isEqualTo(Outcome.Done.DONE);
    node.shard.commit();
    assertThat(node.run(TELL)).isEqualTo(Outcome.Done.DONE);
    node.restart();
    assertThat(node.run(TELL)).isEqualTo(Outcome.Done.DONE);
    assertThat(node.run(new Command.TellRegistered(CHAT, ALICE_1, AT - 1)))
        .isEqualTo(Outcome.Done.DONE);
    assertThat(notices()).hasSize(1);
    sent(node.run(new Command.TellRegistered(CHAT, ALICE_2, AT + 1)));
    // The other side's registrations are their own.
    sent(node.run(new Command.TellRegistered(CHAT, BOB_1, AT - 5)));
    assertThat(notices()).hasSize(3);
  }

  @Test
  void whatWasToldIsKnownWhenTheChatHasLeftMemory() {
    var small = new ShardNode(1);
    small.send(ALICE_1, 1, "hello");
    small.send(BOB_1, 1, "hello back");
    sent(small.run(TELL));
    small.send(EVE_1, ChatId.direct(EVE, BOB), 1, "another chat");
    assertThat(small.run(TELL)).isEqualTo(Outcome.Done.DONE);
  }

  // TERN-19-11
  @Test
  void strangersAreNotTold() {
    assertThat(node.run(TELL)).isEqualTo(Outcome.Done.DONE);
    node.send(ALICE_1, 1, "hello");
    node.send(ALICE_1, 2, "is anybody there?");
    assertThat(Reads.talk(node.storage, CHAT)).isFalse();
    assertThat(node.run(TELL)).isEqualTo(Outcome.Done.DONE);
    assertThat(notices()).isEmpty();
    node.send(BOB_1, 1, "yes");
    assertThat(Reads.talk(node.storage, CHAT)).isTrue();
    sent(node.run(TELL));
  }

  // TERN-19-11
  @Test
  void whoHasBlockedOrIsBlockedIsNotTold() {
    talk();
    for (var by : List.of(ALICE, BOB)) {
      node.run(new Command.SetBlock(CHAT, by, true, 1));
      assertThat(Reads.talk(node.storage, CHAT)).isFalse();
      assertThat(node.run(TELL)).isEqualTo(Outcome.Done.DONE);
      node.run(new Command.SetBlock(CHAT, by, false, 2));
    }
    assertThat(notices()).isEmpty();
    assertThat(Reads.talk(node.storage, CHAT)).isTrue();
  }

  @Test
  void onlyDirectChatsOfTheUserAreAsked() {
    ShardNode.refused(
        node.run(new Command.TellRegistered(ChatId.group(77), ALICE_2, AT)), ErrorCode.ARGUMENT);
    ShardNode.refused(
        node.run(new Command.TellRegistered(ChatId.direct(ALICE, ALICE), ALICE_2, AT)),
        ErrorCode.ARGUMENT);
    talk();
    ShardNode.refused(node.run(new Command.TellRegistered(CHAT, EVE_1, AT)), ErrorCode.ARGUMENT);
    assertThat(Reads.talk(node.storage, ChatId.group(77))).isFalse();
    assertThat(Reads.talk(node.storage, ChatId.direct(ALICE, ALICE))).isFalse();
  }

  @Test
  void theUsersShardOwesItToEveryDirectChatOfTheList() {
    node.run(new Command.Enrol(ALICE_1));
    for (ChatId chat : List.of(CHAT, ChatId.group(77), ChatId.direct(ALICE, ALICE))) {
      node.run(new Command.ListChat(ALICE, chat));
    }
    Outcome.Announced told = announced(node.run(new Command.Announce(ALICE_2, AT, null)));
    assertThat(told.duties()).containsExactly(TELL);
    assertThat(told.next()).isNull();
    // What is owed to other shards survives.
    node.storage.crash(0);
    node.start();
    var owed = new ArrayList<Command>();
    node.shard.outbox().forEach(record -> owed.addAll(record.duties()));
    assertThat(owed).contains(TELL);
  }

  @Test
  void aLongChatListGoesInPieces() {
    node.run(new Command.Enrol(ALICE_1));
    int chats = Notices.CHATS_MAX + 10;
    for (int i = 1; i <= chats; i++) {
      node.prepare(
          new Command.ListChat(
              ALICE, ChatId.direct(ALICE, new io.tern.protocol.UserId(5_000 + i))));
    }
    node.shard.commit();
    Outcome.Announced first = announced(node.run(new Command.Announce(ALICE_2, AT, null)));
    assertThat(first.duties()).hasSize(Notices.CHATS_MAX);
    Outcome.Announced second = announced(node.run(new Command.Announce(ALICE_2, AT, first.next())));
    assertThat(second.duties()).hasSize(10).doesNotContainAnyElementsOf(first.duties());
    assertThat(second.next()).isNull();
  }

  @Test
  void whoHasNoChatsOrIsErasedTellsNobody() {
    Outcome.Announced nobody = announced(node.run(new Command.Announce(ALICE_2, AT, null)));
    assertThat(nobody.duties()).isEmpty();
    node.run(new Command.ListChat(ALICE, CHAT));
    node.run(new Command.EraseUser(ALICE));
    assertThat(announced(node.run(new Command.Announce(ALICE_2, AT, null))).duties()).isEmpty();
  }

  @Test
  void nobodyCanSendSuchAnEntry() {
    talk();
    var forged = Content.newBuilder().setKind(Kind.KIND_REGISTERED);
    ShardNode.refused(node.send(ALICE_1, CHAT, 2, forged), ErrorCode.ARGUMENT);
  }
}

package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.ALICE_2;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.EVE;
import static io.tern.store.ShardNode.EVE_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Role;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class ReadsTest {

  private static final int MUCH = 1 << 20;

  private final ShardNode node = new ShardNode();

  private void entries(int count) {
    for (int csn = 1; csn <= count; csn++) {
      node.prepareSend(ALICE_1, csn, "text " + csn);
    }
    node.shard.commit();
  }

  // ---- pages
  // -------------------------------------------------------------------------------------

  @Test
  void pagesForwardAreContiguousAndSayWhetherThereIsMore() {
    entries(10);

    Reads.Page page = Reads.after(node.storage, CHAT, BOB, 4, 3, MUCH);
    assertThat(page.entries()).extracting(Entry::seq).containsExactly(4L, 5L, 6L);
    assertThat(page.more()).isTrue();
    assertThat(page.head()).isEqualTo(10);

    Reads.Page last = Reads.after(node.storage, CHAT, BOB, 8, 3, MUCH);
    assertThat(last.entries()).extracting(Entry::seq).containsExactly(8L, 9L, 10L);
    assertThat(last.more()).isFalse();

    assertThat(Reads.after(node.storage, CHAT, BOB, 11, 3, MUCH).entries()).isEmpty();
    assertThat(Reads.after(node.storage, CHAT, BOB, Long.MAX_VALUE, 3, MUCH).entries()).isEmpty();
    assertThat(Reads.after(node.storage, CHAT, BOB, -5, 1, MUCH).entries())
        .extracting(Entry::seq)
        .containsExactly(1L);
  }

  @Test
  void pagesBackwardAreTheNewestBelowAscending() {
    entries(10);

    Reads.Page newest = Reads.before(node.storage, CHAT, BOB, Long.MAX_VALUE, 3, MUCH);
    assertThat(newest.entries()).extracting(Entry::seq).containsExactly(8L, 9L, 10L);
    assertThat(newest.more()).isTrue();

    Reads.Page oldest = Reads.before(node.storage, CHAT, BOB, 3, 3, MUCH);
    assertThat(oldest.entries()).extracting(Entry::seq).containsExactly(1L, 2L);
    assertThat(oldest.more()).isFalse();

    assertThat(Reads.before(node.storage, CHAT, BOB, 1, 3, MUCH).entries()).isEmpty();
    assertThat(Reads.before(node.storage, CHAT, BOB, -1, 3, MUCH).entries()).isEmpty();
  }

  @Test
  void pagesAreBoundedByBytesButNeverEmptyForThat() {
    for (int csn = 1; csn <= 4; csn++) {
      node.send(ALICE_1, csn, "x".repeat(1000));
    }

    Reads.Page one = Reads.after(node.storage, CHAT, BOB, 1, 10, 10);
    assertThat(one.entries()).hasSize(1);
    assertThat(one.more()).isTrue();
    assertThat(Reads.after(node.storage, CHAT, BOB, 1, 10, 2500).entries()).hasSize(2);
    assertThat(Reads.before(node.storage, CHAT, BOB, 5, 10, 2500).entries())
        .extracting(Entry::seq)
        .containsExactly(3L, 4L);
  }

  @Test
  void strangersSeeNothing() {
    entries(3);

    assertThat(Reads.isMember(node.storage, CHAT, EVE)).isFalse();
    assertThat(Reads.after(node.storage, CHAT, EVE, 1, 10, MUCH).entries()).isEmpty();
    assertThat(Reads.after(node.storage, CHAT, EVE, 1, 10, MUCH).head()).isZero();
    assertThat(Reads.before(node.storage, CHAT, EVE, 9, 10, MUCH).entries()).isEmpty();
    assertThat(Reads.summary(node.storage, CHAT, EVE_1)).isNull();
  }

  @Test
  void aChatWithoutEntriesHasNoSummary() {
    assertThat(Reads.isMember(node.storage, CHAT, BOB)).isTrue();
    assertThat(Reads.summary(node.storage, CHAT, BOB_1)).isNull();
    assertThat(Reads.after(node.storage, CHAT, BOB, 1, 10, MUCH))
        .isEqualTo(new Reads.Page(java.util.List.of(), false, 0, 1));
  }

  // ---- summary and unread
  // ------------------------------------------------------------------------

  @Test
  void aSummaryIsWhatOneDeviceSees() {
    entries(3);
    node.send(BOB_1, 1, "answer");
    node.ack(BOB_1, 2);
    node.read(ALICE_1, 4);

    Reads.Summary alices = node.summary(ALICE_1);
    assertThat(alices.head()).isEqualTo(4);
    assertThat(alices.lastCsn()).isEqualTo(3);
    assertThat(alices.read()).isEqualTo(4);
    assertThat(alices.position()).isZero();
    assertThat(alices.peerDelivered()).isEqualTo(2);
    assertThat(alices.peerRead()).isZero();
    assertThat(ShardNode.textOf(Objects.requireNonNull(alices.last()))).isEqualTo("answer");
    assertThat(node.summary(ALICE_2).lastCsn()).isZero();

    Reads.Summary bobs = node.summary(BOB_1);
    assertThat(bobs.lastCsn()).isEqualTo(1);
    assertThat(bobs.position()).isEqualTo(2);
    assertThat(bobs.peerRead()).isEqualTo(4);
  }

  @Test
  void aSummaryIsTheSameBehindASnapshot() {
    entries(300);
    node.send(BOB_1, 1, "answer");
    for (int csn = 301; csn <= 900; csn++) {
      node.prepareSend(ALICE_1, csn, "text " + csn);
      if (csn % 50 == 0) {
        node.shard.commit();
      }
    }
    node.shard.commit();

    assertThat(node.summary(BOB_1).lastCsn()).isEqualTo(1);
    assertThat(node.summary(BOB_1).unread()).isEqualTo(600);
    assertThat(node.summary(ALICE_1).lastCsn()).isEqualTo(900);
    assertThat(node.summary(ALICE_2).lastCsn()).isZero();
  }

  @Test
  void unreadCountsWhatOthersSentSinceTheLastReadOrOwnSend() {
    entries(5);
    assertThat(node.summary(BOB_1).unread()).isEqualTo(5);
    assertThat(node.summary(ALICE_1).unread()).isZero();

    node.ack(BOB_1, 5);
    assertThat(node.summary(BOB_1).unread()).isEqualTo(5);

    node.read(BOB_1, 2);
    assertThat(node.summary(BOB_1).unread()).isEqualTo(3);

    node.send(BOB_1, 1, "answer");
    assertThat(node.summary(BOB_1).unread()).isZero();
    assertThat(node.summary(ALICE_1).unread()).isEqualTo(1);

    node.send(ALICE_1, 6, "more");
    assertThat(node.summary(BOB_1).unread()).isEqualTo(1);
    assertThat(node.summary(ALICE_1).unread()).isZero();
  }

  @Test
  void inspectionShowsChatsUsersAndOutbox() {
    entries(3);
    node.ack(BOB_1, 2);
    node.read(BOB_1, 3);
    node.run(new Command.Enrol(ALICE_1));
    node.run(new Command.Enrol(ALICE_2));
    node.run(new Command.ListChat(ALICE, CHAT));
    for (int user = 10; user < 30; user++) {
      var device = new DeviceId(new UserId(user), 1);
      node.send(device, ChatId.direct(device.user(), BOB), 1, "hi");
      node.run(new Command.Enrol(device));
    }

    var chats = new java.util.ArrayList<Inspect.ChatView>();
    Inspect.chats(node.storage, chats::add);
    assertThat(chats).hasSize(21);
    Inspect.ChatView chat = Objects.requireNonNull(Inspect.chat(node.storage, CHAT));
    assertThat(chats).contains(chat);
    assertThat(chat.head()).isEqualTo(3);
    assertThat(chat.members().getLast())
        .isEqualTo(
            new Inspect.MemberView(
                BOB,
                Role.ROLE_UNSPECIFIED,
                1,
                0,
                0,
                3,
                3,
                java.util.List.of(new Inspect.DeviceView(BOB_1, 0, 0, 2))));

    var steps = new java.util.ArrayList<Inspect.StepView>();
    Inspect.steps(node.storage, CHAT, steps::add);
    assertThat(steps)
        .containsExactly(
            new Inspect.StepView(BOB, false, 2, node.now),
            new Inspect.StepView(BOB, true, 3, node.now));

    var users = new java.util.ArrayList<Inspect.UserView>();
    Inspect.users(node.storage, users::add);
    assertThat(users).hasSize(21);
    assertThat(users)
        .contains(
            new Inspect.UserView(
                ALICE, node.now, java.util.List.of(ALICE_1, ALICE_2), java.util.List.of(CHAT)));

    var outbox = new java.util.ArrayList<Inspect.OutboxView>();
    Inspect.outbox(node.storage, outbox::add);
    assertThat(outbox).hasSize(21);
    assertThat(outbox.getFirst().runs()).containsExactly(new Inspect.RunView(CHAT, 1, 3));

    var entries = new java.util.ArrayList<Entry>();
    Inspect.entries(node.storage, CHAT, 2, entries::add);
    assertThat(entries).extracting(Entry::seq).containsExactly(2L, 3L);
    assertThat(Inspect.shard(node.storage).n()).isEqualTo(Shard.batchNumber(node.storage));
  }
}

package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.ALICE_2;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.EVE;
import static io.tern.store.ShardNode.refused;
import static io.tern.store.ShardNode.sent;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What a batch holds, when it is synced, what a restart finds.
class ShardCommitTest {

  private final ShardNode node = new ShardNode();

  // ---- numbers and syncs
  // -------------------------------------------------------------------------

  @Test
  void batchNumbersRiseByOneOverRestarts() {
    node.prepareSend(ALICE_1, 1, "one");
    assertThat(node.shard.commit()).isEqualTo(1);
    node.prepare(new Command.Ack(BOB_1, CHAT, 1));
    assertThat(node.shard.commit()).isEqualTo(2);
    node.restart();
    node.prepareSend(ALICE_1, 2, "two");
    assertThat(node.shard.commit()).isEqualTo(3);
  }

  @Test
  void aRoundWithoutEffectsWritesNothing() {
    node.send(ALICE_1, 1, "one");
    long syncs = node.storage.syncs();

    node.prepareSend(ALICE_1, 1, "one");
    node.prepareSend(ALICE_1, 7, "gap");
    node.prepare(new Command.Tick(0, false));

    assertThat(node.shard.commit()).isZero();
    assertThat(node.storage.syncs()).isEqualTo(syncs);
  }

  @Test
  void whatSomebodyIsPromisedIsSynced() {
    assertSynced(new Command.Send(ALICE_1, CHAT, ShardNode.body(1, "one")));
    assertSynced(new Command.Ack(BOB_1, CHAT, 1));
    assertSynced(new Command.Read(BOB_1, CHAT, 1, false));
    assertSynced(new Command.Enrol(ALICE_1));
    assertSynced(new Command.ListChat(ALICE, CHAT));
    assertSynced(new Command.Tick(0, true));
  }

  private void assertSynced(Command command) {
    node.prepare(command);
    assertThat(node.shard.commit()).isPositive();
    assertThat(node.storage.unsyncedBatches()).as("%s", command).isZero();
  }

  @Test
  void aPowerCutTakesNoAcknowledgement() {
    node.send(ALICE_1, 1, "one");
    node.ack(BOB_1, 1);

    node.storage.crash(0);
    node.start();

    assertThat(node.texts()).containsExactly("one");
    assertThat(node.ack(BOB_1, 1)).isNotInstanceOf(Outcome.Moved.class);
  }

  @Test
  void nothingFollowsAFailedCommit() {
    node.prepareSend(ALICE_1, 1, "one");
    node.storage.breakDisk();
    assertThatThrownBy(() -> node.shard.commit()).isInstanceOf(Storage.LostDurability.class);

    assertThatThrownBy(() -> node.shard.commit()).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> node.prepareSend(ALICE_1, 2, "two"))
        .isInstanceOf(IllegalStateException.class);
  }

  // ---- puts
  // --------------------------------------------------------------------------------------

  @Test
  void aSendCostsOnePutAndABatchTwoMore() {
    for (int csn = 1; csn <= 50; csn++) {
      node.prepareSend(ALICE_1, csn, "text");
    }
    node.shard.commit();

    assertThat(node.lastBatchPuts()).isEqualTo(50 + 2);
  }

  @Test
  void acknowledgementsOfABatchAreMerged() {
    for (int csn = 1; csn <= 50; csn++) {
      node.prepareSend(ALICE_1, csn, "text");
    }
    node.shard.commit();
    for (int seq = 1; seq <= 50; seq++) {
      node.prepare(new Command.Ack(BOB_1, CHAT, seq));
    }
    node.shard.commit();

    // W, V, Z
    assertThat(node.lastBatchPuts()).isEqualTo(3);
    assertThat(node.summary(BOB_1).delivered()).isEqualTo(50);
  }

  @Test
  void aSnapshotIsWrittenEvery256Entries() {
    for (int csn = 1; csn <= 255; csn++) {
      node.prepareSend(ALICE_1, csn, "text");
    }
    node.shard.commit();
    assertThat(node.storage.get(Keys.chat(CHAT))).isNull();

    node.send(ALICE_1, 256, "text");

    assertThat(node.storage.get(Keys.chat(CHAT))).isNotNull();
    node.restart();
    assertThat(sent(node.send(ALICE_1, 257, "text")).entry().seq()).isEqualTo(257);
    assertThat(sent(node.send(ALICE_1, 256, "text")).repeat()).isTrue();
  }

  // ---- chats in memory
  // ---------------------------------------------------------------------------

  @Test
  void aChatDroppedFromMemoryGoesOnWhereItWas() {
    var small = new ShardNode(2);
    for (int round = 1; round <= 5; round++) {
      for (int user = 1; user <= 20; user++) {
        var from = new DeviceId(new UserId(user), 1);
        ChatId chat = ChatId.direct(from.user(), BOB);
        Outcome.Sent sent = sent(small.send(from, chat, round, "round " + round));
        assertThat(sent.entry().seq()).isEqualTo(round);
        assertThat(small.run(new Command.Ack(BOB_1, chat, round)))
            .isEqualTo(new Outcome.Moved(BOB, round, 0, round, 0, List.of(from.user())));
      }
    }
    for (int user = 1; user <= 20; user++) {
      var from = new DeviceId(new UserId(user), 1);
      ChatId chat = ChatId.direct(from.user(), BOB);
      assertThat(sent(small.send(from, chat, 5, "round 5")).repeat()).isTrue();
    }
  }

  @Test
  void whatLeavesMemoryIsWrittenDownABoundedPieceABatch() {
    int members = 1_000;
    int groups = 60;
    var guests = new UserId[members - 1];
    for (int i = 0; i < guests.length; i++) {
      guests[i] = new UserId(10_000 + i);
    }
    for (int i = 1; i <= groups; i++) {
      sent(node.create(ALICE_1, ChatId.group(i), guests));
    }
    node.hotMembersMax = members;
    node.restart();
    for (int i = 1; i <= groups; i++) {
      node.prepare(new Command.Send(ALICE_1, ChatId.group(i), ShardNode.body(1, "text")));
    }
    assertThat(node.shard.openBytes()).isGreaterThan((groups - 1) * members * Round.MEMBER_BYTES);

    node.shard.commit();

    assertThat(node.lastBatchBytes()).isLessThan(HotChats.LEAVING_BYTES_MAX + 128 * 1024);
    int batches = 1;
    while (node.shard.openBytes() > 1_000) {
      node.prepare(new Command.Tick(0, true, true));
      node.shard.commit();
      assertThat(node.lastBatchBytes()).isLessThan(HotChats.LEAVING_BYTES_MAX + 128 * 1024);
      batches++;
    }
    assertThat(batches).isBetween(2, groups);
    assertThat(sent(node.send(ALICE_1, ChatId.group(1), 1, "text")).repeat()).isTrue();
  }

  // ---- outbox
  // ------------------------------------------------------------------------------------

  @Test
  void aRestartFindsWhatWasNotSettled() {
    node.prepareSend(ALICE_1, 1, "one");
    node.prepareSend(ALICE_1, 2, "two");
    node.prepareSend(BOB_1, 1, "three");
    long first = node.shard.commit();
    node.prepareSend(ALICE_1, 3, "four");
    long second = node.shard.commit();
    node.ack(BOB_1, 1);
    node.restart();

    List<OutboxRecord> outbox = node.shard.outbox();

    assertThat(outbox).extracting(OutboxRecord::n).containsExactly(first, second);
    OutboxRecord record = outbox.getFirst();
    assertThat(record.entries())
        .extracting(due -> ShardNode.textOf(due.entry()))
        .containsExactly("one", "two", "three");
    assertThat(record.entries())
        .extracting(OutboxRecord.Due::waiting)
        .containsExactly(List.of(), List.of(BOB), List.of(ALICE));
    assertThat(record.entries().getFirst().members()).containsExactly(ALICE, BOB);
    assertThat(record.duties())
        .containsExactly(new Command.ListChat(ALICE, CHAT), new Command.ListChat(BOB, CHAT));
    assertThat(outbox.getLast().duties()).isEmpty();
  }

  /// Many small batches over a few chats, as a crash under load leaves them.
  @Test
  void aLargeOutboxComesInPages() {
    int batches = 3 * OutboxRecords.OWED_MAX / 4;
    var csns = new long[5];
    var expected = new ArrayList<String>();
    for (int batch = 0; batch < batches; batch++) {
      for (int i = 0; i < 4; i++) {
        int user = (batch * 7 + i * i) % 5;
        String text = batch + " " + i;
        var from = new DeviceId(new UserId(user + 1), 1);
        node.prepare(
            new Command.Send(
                from, ChatId.direct(from.user(), BOB), ShardNode.body(++csns[user], text)));
        expected.add(text);
      }
      node.shard.commit();
    }
    node.restart();

    int pages = 0;
    var found = new ArrayList<String>();
    List<OutboxRecord> page = node.shard.outboxAfter(0);
    while (!page.isEmpty()) {
      pages++;
      for (OutboxRecord record : page) {
        var texts = record.entries().stream().map(due -> ShardNode.textOf(due.entry())).toList();
        assertThat(texts).hasSize(4);
        // Within a batch, the entries of a chat are together.
        found.addAll(texts.stream().sorted().toList());
        assertThat(record.entries()).allMatch(due -> due.waiting().equals(List.of(BOB)));
      }
      page = node.shard.outboxAfter(page.getLast().n());
    }
    assertThat(found).isEqualTo(expected);
    // The first entry of each chat owes two lists besides.
    assertThat(pages).isEqualTo(4);
    assertThat(node.shard.outbox()).hasSize(batches);
  }

  @Test
  void aPageOfTheOutboxIsBoundedByDutiesToo() {
    int chats = Notices.CHATS_MAX;
    for (int i = 1; i <= chats; i++) {
      node.prepare(new Command.ListChat(ALICE, ChatId.direct(ALICE, new UserId(1_000_000 + i))));
    }
    node.shard.commit();
    int records = 2 * OutboxRecords.OWED_MAX / chats;
    for (int i = 1; i <= records; i++) {
      node.run(new Command.Announce(ALICE_1, i, null));
    }
    node.restart();

    List<OutboxRecord> first = node.shard.outboxAfter(0);
    List<OutboxRecord> second = node.shard.outboxAfter(first.getLast().n());

    assertThat(first).hasSize(records / 2).allMatch(record -> record.duties().size() == chats);
    assertThat(second).hasSize(records / 2);
    assertThat(node.shard.outboxAfter(second.getLast().n())).isEmpty();
  }

  @Test
  void aSettledRecordIsGone() {
    node.prepareSend(ALICE_1, 1, "one");
    long n = node.shard.commit();

    node.shard.settle(n);
    node.shard.commit();
    node.restart();

    assertThat(node.shard.outbox()).isEmpty();
  }

  // ---- users
  // -------------------------------------------------------------------------------------

  @Test
  void enrollingCreatesUserAndDeviceOnce() {
    assertThat(Reads.userExists(node.storage, ALICE)).isFalse();

    assertThat(node.run(new Command.Enrol(ALICE_1))).isEqualTo(new Outcome.Enrolled(true, false));

    assertThat(Reads.userExists(node.storage, ALICE)).isTrue();
    assertThat(Reads.deviceExists(node.storage, ALICE_1)).isTrue();
    assertThat(Reads.deviceExists(node.storage, ALICE_2)).isFalse();
    assertThat(node.run(new Command.Enrol(ALICE_1))).isEqualTo(new Outcome.Enrolled(false, true));
    assertThat(node.run(new Command.Enrol(ALICE_2))).isEqualTo(new Outcome.Enrolled(true, true));
  }

  @Test
  void twoEnrolmentsInOneBatchCreateOnce() {
    assertThat(node.prepare(new Command.Enrol(ALICE_1)))
        .isEqualTo(new Outcome.Enrolled(true, false));
    assertThat(node.prepare(new Command.Enrol(ALICE_1)))
        .isEqualTo(new Outcome.Enrolled(false, true));
    node.shard.commit();
    assertThat(node.storage.unsyncedBatches()).isZero();
  }

  @Test
  void aUserHasTenDevicesAtMost() {
    for (int index = 1; index <= Limits.DEVICES_PER_USER_MAX; index++) {
      node.prepare(new Command.Enrol(new DeviceId(ALICE, index)));
      if (index == 5) {
        node.shard.commit();
      }
    }

    var eleventh = new DeviceId(ALICE, 11);
    refused(node.prepare(new Command.Enrol(eleventh)), ErrorCode.QUOTA);
    node.shard.commit();

    refused(node.run(new Command.Enrol(eleventh)), ErrorCode.QUOTA);
    assertThat(node.run(new Command.Enrol(new DeviceId(ALICE, 10))))
        .isEqualTo(new Outcome.Enrolled(false, true));
    assertThat(node.run(new Command.Enrol(BOB_1))).isEqualTo(new Outcome.Enrolled(true, false));
  }

  @Test
  void listedChatsArePagedInKeyOrder() {
    ChatId notes = ChatId.direct(ALICE, ALICE);
    ChatId withEve = ChatId.direct(ALICE, EVE);
    for (ChatId chat : List.of(withEve, CHAT, notes, CHAT)) {
      assertThat(node.run(new Command.ListChat(ALICE, chat))).isEqualTo(Outcome.Done.DONE);
    }
    node.run(new Command.ListChat(BOB, CHAT));

    assertThat(Reads.chatsOf(node.storage, ALICE, null, 10)).containsExactly(notes, CHAT, withEve);
    assertThat(Reads.chatsOf(node.storage, ALICE, null, 2)).containsExactly(notes, CHAT);
    assertThat(Reads.chatsOf(node.storage, ALICE, CHAT, 2)).containsExactly(withEve);
    assertThat(Reads.chatsOf(node.storage, EVE, null, 2)).isEmpty();
  }
}

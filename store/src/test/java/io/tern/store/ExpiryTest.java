package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.body;
import static io.tern.store.ShardNode.sent;
import static io.tern.store.ShardNode.text;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// Messages that disappear.
class ExpiryTest {

  private final ShardNode node = new ShardNode();

  private Outcome sendExpiring(DeviceId from, ChatId chat, long csn, int ttlSeconds) {
    return node.prepare(
        new Command.Send(from, chat, body(csn, text("secret").setTtlS(ttlSeconds).build())));
  }

  private long tick() {
    node.prepare(new Command.Tick(0, false));
    return node.shard.commit();
  }

  /// Enough ticks for a new life to have looked at every slot.
  private void tickOften() {
    for (int i = 0; i <= Slots.COUNT / Expiries.NEW_SLOTS_PER_TICK; i++) {
      tick();
    }
  }

  @Test
  void anExpiredEntryKeepsItsPlaceAndLosesItsContent() throws Exception {
    node.send(ALICE_1, 1, "stays");
    Entry secret = sent(sendExpiring(ALICE_1, CHAT, 2, 60)).entry();
    node.shard.commit();
    node.send(ALICE_1, 3, "stays too");
    tickOften();

    node.now += 59_999;
    assertThat(tick()).isZero();
    assertThat(node.texts()).containsExactly("stays", "secret", "stays too");

    node.now += 1;
    assertThat(tick()).isPositive();

    assertThat(node.texts()).containsExactly("stays", "", "stays too");
    Entry tombstone = node.entries().get(1);
    assertThat(Content.parseFrom(tombstone.content()).getKind()).isEqualTo(Kind.KIND_TOMBSTONE);
    assertThat(tombstone).usingRecursiveComparison().ignoringFields("content").isEqualTo(secret);
    assertThat(tick()).isZero();
  }

  @Test
  void anEntryMayExpireWithTheVeryNextTick() {
    tickOften();
    sendExpiring(ALICE_1, CHAT, 1, 1);
    node.shard.commit();
    node.now += 1000;

    tick();

    assertThat(node.texts()).containsExactly("");
  }

  @Test
  void theLongestTimerThereIsEndsNoMessageLaterThanItsOwnTtl() {
    var timer = Content.newBuilder().setKind(Kind.KIND_TIMER).setTtlS(-1);
    sent(node.send(ALICE_1, CHAT, 1, timer));
    node.restart();
    sendExpiring(ALICE_1, CHAT, 2, 60);
    node.shard.commit();
    tickOften();

    node.now += 60_000;
    tick();

    assertThat(node.texts()).containsExactly("", "");
  }

  @Test
  void whatExpiredWhileTheServerWasDownIsErasedAfterwards() {
    sendExpiring(ALICE_1, CHAT, 1, 60);
    node.shard.commit();
    node.now += 3_600_000;
    node.restart();

    tickOften();

    assertThat(node.texts()).containsExactly("");
  }

  @Test
  void aTickDoesABoundedAmountOfWork() {
    int count = Expiries.ERASURES_PER_TICK + 10;
    for (int csn = 1; csn <= count; csn++) {
      sendExpiring(ALICE_1, CHAT, csn, 60);
    }
    node.shard.commit();
    tickOften();
    node.now += 60_000;

    tick();
    assertThat(node.texts()).filteredOn(String::isEmpty).hasSize(Expiries.ERASURES_PER_TICK);
    // Two in one round erase what one does.
    node.prepare(new Command.Tick(0, false));
    tick();
    assertThat(node.texts()).filteredOn(String::isEmpty).hasSize(count);
    assertThat(node.summary(BOB_1).unread()).isZero();
  }

  @Test
  void aTickThatCouldNotEraseAllSaysSo() {
    int count = 2 * Expiries.ERASURES_PER_TICK + 10;
    for (int csn = 1; csn <= count; csn++) {
      sendExpiring(ALICE_1, CHAT, csn, 60);
    }
    node.shard.commit();
    tickOften();
    node.now += 60_000;

    var more = new ArrayList<Boolean>();
    for (int i = 0; i < 4; i++) {
      Outcome ticked = node.run(new Command.Tick(0, false, i % 2 == 0));
      more.add(((Outcome.Ticked) ticked).more());
    }

    assertThat(more).containsExactly(true, true, false, false);
    assertThat(node.texts()).allMatch(String::isEmpty);
  }

  private long dueMillis() {
    return ((Outcome.Ticked) node.run(new Command.Tick(0, false))).dueMillis();
  }

  @Test
  void aTickSaysWhenTheNextMessageExpires() {
    tickOften();
    assertThat(dueMillis()).as("nothing ever does").isEqualTo(Long.MAX_VALUE);
    long first = sent(sendExpiring(ALICE_1, CHAT, 1, 600)).entry().tsMillis() + 600_000;
    node.shard.commit();
    assertThat(dueMillis()).isEqualTo(first);
    long sooner = sent(sendExpiring(ALICE_1, CHAT, 2, 60)).entry().tsMillis() + 60_000;
    node.shard.commit();
    assertThat(dueMillis()).isEqualTo(sooner);

    node.now = sooner;

    assertThat(dueMillis()).as("that one is erased").isEqualTo(first);
    node.now = first;
    assertThat(dueMillis()).isEqualTo(Long.MAX_VALUE);
    assertThat(node.texts()).containsExactly("", "");
  }

  @Test
  void aTickSaysWhenTheNextRecordEnds() {
    tickOften();
    var key = RecordKey.ofUser('a', ALICE);
    node.run(new Command.PutRecord(key, 0, new byte[] {1}, node.now + 60_000));

    assertThat(dueMillis()).isEqualTo(node.now + 60_000);
  }

  @Test
  void anotherLifeKnowsWhatIsDueOnceItHasLookedAtEverySlot() {
    long expires = sent(sendExpiring(ALICE_1, CHAT, 1, 600)).entry().tsMillis() + 600_000;
    node.shard.commit();
    node.restart();

    assertThat(dueMillis()).as("not all slots looked at").isLessThanOrEqualTo(node.now);
    tickOften();
    assertThat(dueMillis()).isEqualTo(expires);
  }

  @Test
  void aNewLifeGoesOnUntilItHasLookedAtEverySlot() {
    int ticks = 1;
    while (((Outcome.Ticked) node.run(new Command.Tick(0, false, true))).more()) {
      ticks++;
    }

    assertThat(ticks).isEqualTo(Slots.COUNT / Expiries.NEW_SLOTS_PER_TICK);
  }

  @Test
  void manySlotsTakeTurns() {
    for (int user = 1; user <= 600; user++) {
      var from = new DeviceId(new UserId(user), 1);
      sendExpiring(from, ChatId.direct(from.user(), BOB), 1, 1 + user % 3);
      node.shard.commit();
    }
    tickOften();
    node.now += 10_000;
    int ticks = 0;
    while (tick() > 0) {
      ticks++;
    }

    assertThat(ticks).isEqualTo(3);
    for (int user = 1; user <= 600; user++) {
      ChatId chat = ChatId.direct(new UserId(user), BOB);
      Entry entry = Reads.after(node.storage, chat, BOB, 1, 1, 1000).entries().getFirst();
      assertThat(ShardNode.textOf(entry)).isEmpty();
    }
  }

  @Test
  void unreadForgetsWhatHasExpired() {
    node.send(ALICE_1, 1, "one");
    sendExpiring(ALICE_1, CHAT, 2, 60);
    sendExpiring(ALICE_1, CHAT, 3, 600);
    node.shard.commit();
    node.send(ALICE_1, 4, "four");
    assertThat(node.summary(BOB_1).unread()).isEqualTo(4);
    tickOften();

    node.now += 60_000;
    tick();
    assertThat(node.summary(BOB_1).unread()).isEqualTo(3);
    node.read(BOB_1, 2);
    assertThat(node.summary(BOB_1).unread()).isEqualTo(2);
    node.now += 600_000;
    tick();
    assertThat(node.summary(BOB_1).unread()).isEqualTo(1);
    node.read(BOB_1, 3);
    assertThat(node.summary(BOB_1).unread()).isEqualTo(1);
  }

  @Test
  void erasuresAreCountedOverManyBlocks() {
    var random = new java.util.Random(7);
    var erased = new boolean[1001];
    var erasures = new Erasures(node.storage);
    for (int seq = 1; seq <= 1000; seq++) {
      if (random.nextInt(3) == 0) {
        erased[seq] = true;
        erasures.add(CHAT, seq);
      }
    }
    var batch = new Batch();
    erasures.putTo(batch);
    node.storage.write(batch, true);

    for (int i = 0; i < 500; i++) {
      int above = random.nextInt(1001);
      int upTo = random.nextInt(1001);
      long expected = 0;
      for (int seq = above + 1; seq <= upTo; seq++) {
        expected += erased[seq] ? 1 : 0;
      }
      assertThat(Erasures.count(node.storage, CHAT, above, upTo))
          .as("(%d, %d]", above, upTo)
          .isEqualTo(expected);
    }
  }

  private void eraseTheFirstAndRestart() {
    sendExpiring(ALICE_1, CHAT, 1, 60);
    node.shard.commit();
    tickOften();
    node.now += 60_000;
    tick();
    node.restart();
  }

  @Test
  void aRepeatOfAnErasedSendGetsItsPlaceStill() {
    eraseTheFirstAndRestart();

    Outcome.Sent again = sent(sendExpiring(ALICE_1, CHAT, 1, 60));

    assertThat(again.repeat()).isTrue();
    assertThat(again.entry().seq()).isEqualTo(1);
    assertThat(sent(sendExpiring(ALICE_1, CHAT, 2, 60)).entry().seq()).isEqualTo(2);
  }

  @Test
  void anErasedEntryIsStillOwedAsATombstone() {
    eraseTheFirstAndRestart();

    OutboxRecord.Due due = node.shard.outbox().getFirst().entries().getFirst();

    assertThat(ShardNode.textOf(due.entry())).isEmpty();
    assertThat(due.waiting()).isEqualTo(List.of(BOB));
    assertThat(Objects.requireNonNull(due.members())).contains(ALICE);
  }
}

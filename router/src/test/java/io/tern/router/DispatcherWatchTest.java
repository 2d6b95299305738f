package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.OutboxRecord;
import io.tern.store.Outcome;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// From the delivery to the acknowledgement: the watch, the nudge, the push, and when a record is
/// settled; in this life and for what a former one owed.
class DispatcherWatchTest extends DispatcherFixture {

  @Test
  void theRecordIsSettledWhenTheRecipientAcknowledges() {
    attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    on(ALICE, CHAT);
    endOfBatch();
    long owed = batch;
    assertThat(settled).isEmpty();

    ack(BOB, CHAT, 2);
    endOfBatch();
    assertThat(settled).isEmpty();
    ack(BOB, CHAT, 3);
    endOfBatch();

    assertThat(settled).containsExactly(owed);
    assertThat(dispatcher.watched()).isZero();
    pass(60);
    assertThat(pushes).isEmpty();
  }

  @Test
  void oneAcknowledgementSettlesSeveralRounds() {
    attach(BOB, EDGE, 2);
    for (int i = 0; i < 3; i++) {
      on(ALICE, CHAT);
      endOfBatch();
    }
    ack(BOB, CHAT, 4);
    endOfBatch();

    assertThat(settled).containsExactly(1L, 2L, 3L);
  }

  @Test
  void aRoundIsSettledOnlyWhenEveryRecipientOfEveryEntryIsDone() {
    attach(BOB, EDGE, 2);
    attach(CAROL, EDGE, 3);
    on(ALICE, CHAT);
    on(ALICE, OTHER_CHAT);
    endOfBatch();

    ack(CAROL, OTHER_CHAT, 2);
    endOfBatch();
    assertThat(settled).isEmpty();
    ack(BOB, CHAT, 2);
    endOfBatch();
    assertThat(settled).containsExactly(1L);
  }

  @Test
  void aSessionThatDoesNotAcknowledgeIsNudgedOnceAndThenPushedTo() {
    var bob = attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    on(ALICE, CHAT);
    endOfBatch();
    calls.clear();

    pass(4);
    assertThat(all()).isEmpty();
    pass(2);
    assertThat(all()).containsExactly(new Delivery.Nudge(CHAT, bob));
    assertThat(pushes).isEmpty();

    pass(5);
    assertThat(pushes)
        .containsExactlyInAnyOrder(new Push(BOB.user(), CHAT, 2), new Push(BOB.user(), CHAT, 3));
    assertThat(settled).containsExactly(1L);
    assertThat(dispatcher.watched()).isZero();
    assertThat(all()).hasSize(1);
  }

  @Test
  void whatIsAcknowledgedInTimeIsNeitherNudgedNorPushed() {
    attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    endOfBatch();
    pass(4);
    ack(BOB, CHAT, 2);
    endOfBatch();
    calls.clear();

    pass(20);
    assertThat(all()).isEmpty();
    assertThat(pushes).isEmpty();
  }

  @Test
  void beyondTheBoundAnEntryBecomesAPushAtOnce() {
    attach(BOB, EDGE, 2);
    for (int i = 0; i < CONFIG.watchedMax() + 2; i++) {
      on(ALICE, CHAT);
    }
    endOfBatch();

    assertThat(dispatcher.watched()).isEqualTo(CONFIG.watchedMax());
    assertThat(pushes).hasSize(2);
    assertThat(deliveries(EDGE, Delivery.Entries.class)).hasSize(CONFIG.watchedMax() + 2);
  }

  // ---- large groups

  private static final int MEMBERS = 100;

  /// A group of a hundred, all online, in a dispatcher that watches two hundred pairs by
  /// themselves.
  private List<UserId> crowd() {
    dispatcher =
        dispatcher(
            directory,
            new DispatchConfig(CONFIG.ackWatch(), CONFIG.nudgeAfter(), 200, CONFIG.retry()));
    var members = new ArrayList<UserId>();
    members.add(ALICE.user());
    for (int i = 1; i < MEMBERS; i++) {
      var device = new DeviceId(new UserId(5_000 + i), 1);
      attach(device, EDGE, i);
      members.add(device.user());
    }
    return List.copyOf(members);
  }

  private void write(List<UserId> members, int messages) {
    for (int i = 0; i < messages; i++) {
      on(
          send(ALICE, GROUP),
          Origin.NOBODY,
          new Outcome.Sent(entry(ALICE, GROUP), false, members, List.of()));
      endOfBatch();
    }
  }

  /// A thousand members who get ten messages in the time of an acknowledgement are ten thousand
  /// that wait, and nobody of them is absent.
  @Test
  void whoIsThereIsNotPushedToHoweverMuchALargeGroupWrites() {
    var members = crowd();
    write(members, 30);
    assertThat(dispatcher.watched()).isEqualTo(30 * (MEMBERS - 1));
    assertThat(pushes).isEmpty();
    members.forEach(member -> ack(new DeviceId(member, 1), GROUP, 31));
    endOfBatch();
    pass(20);
    assertThat(pushes).isEmpty();
    assertThat(dispatcher.watched()).isZero();
    assertThat(settled).hasSize(30).doesNotHaveDuplicates();
  }

  @Test
  void membersOfALargeGroupWhoAreSilentAreNudgedOnceAndThenPushedTo() {
    var members = crowd();
    write(members, 3);
    var some = members.subList(1, 98);
    some.forEach(member -> ack(new DeviceId(member, 1), GROUP, 4));
    endOfBatch();
    calls.clear();
    pass(6);
    assertThat(deliveries(EDGE, Delivery.Nudge.class)).hasSize(2);
    pass(5);
    assertThat(pushes)
        .hasSize(6)
        .doesNotHaveDuplicates()
        .allMatch(push -> !some.contains(push.user()));
    assertThat(settled).hasSize(3);
  }

  /// What the queue refuses stays, stops the shard's sends, and an acknowledgement still makes it
  /// unnecessary.
  @Test
  void pushesToALargeGroupThatAreRefusedAreOfferedAgain() {
    var members = crowd();
    pushQueueAccepts = false;
    write(members, 5);
    pass(11);
    assertThat(pushes).as("one try a tick").isNotEmpty().hasSizeLessThan(5);
    assertThat(dispatcher.isFull()).isTrue();
    ack(new DeviceId(members.get(1), 1), GROUP, 6);
    endOfBatch();
    pushes.clear();
    pushQueueAccepts = true;
    pass(1);
    assertThat(pushes)
        .hasSize(5 * (MEMBERS - 2))
        .doesNotHaveDuplicates()
        .noneMatch(push -> push.user().equals(members.get(1)));
    assertThat(dispatcher.isFull()).isFalse();
    assertThat(dispatcher.watched()).isZero();
    assertThat(settled).hasSize(5);
  }

  /// As many as wait after a crash under load: they are on their way back.
  @Test
  void whatAFormerLifeOwedALargeGroupIsWatchedHoweverMuchItIs() {
    var members = crowd();
    var waiting = members.subList(2, MEMBERS);
    var owed = new ArrayList<OutboxRecord>();
    for (int n = 1; n <= 30; n++) {
      var due = new OutboxRecord.Due(entry(ALICE, GROUP), members, waiting);
      owed.add(new OutboxRecord(n, List.of(due), List.of()));
    }
    dispatcher.recover(owed, now);
    assertThat(dispatcher.watched()).isEqualTo(30 * (MEMBERS - 2));
    assertThat(pushes).isEmpty();

    var some = waiting.subList(1, MEMBERS - 2);
    some.forEach(member -> ack(new DeviceId(member, 1), GROUP, 31));
    endOfBatch();
    assertThat(settled).isEmpty();
    pass(11);
    assertThat(pushes)
        .hasSize(30)
        .doesNotHaveDuplicates()
        .allMatch(push -> push.user().equals(waiting.getFirst()));
    assertThat(settled).hasSize(30).doesNotHaveDuplicates();
    assertThat(dispatcher.watched()).isZero();
  }

  @Test
  void whatAFormerLifeOwedIsDeliveredWatchedAndPushedOnlyAfterTheWatch() {
    var bob = attach(BOB, EDGE, 2);
    var entry = entry(ALICE, CHAT);
    var due = new OutboxRecord.Due(entry, List.of(ALICE.user(), BOB.user()), List.of(BOB.user()));
    var nobodyWaits =
        new OutboxRecord.Due(entry(ALICE, OTHER_CHAT), List.of(ALICE.user()), List.of());
    dispatcher.recover(
        List.of(
            new OutboxRecord(41, List.of(nobodyWaits), List.of()),
            new OutboxRecord(42, List.of(due), List.of(new Command.ListChat(BOB.user(), CHAT)))),
        now);

    assertThat(settled).containsExactly(41L);
    assertThat(only(EDGE, Delivery.Entries.class).to()).containsExactly(bob);
    assertThat(submitted).hasSize(1);
    assertThat(pushes).isEmpty();

    answerLists();
    pass(11);
    assertThat(pushes).containsExactly(new Push(BOB.user(), CHAT, entry.seq()));
    assertThat(settled).containsExactly(41L, 42L);
  }

  @Test
  void whoComesBackAndAcknowledgesWhatAFormerLifeOwedIsNotPushedTo() {
    var entry = entry(ALICE, CHAT);
    dispatcher.recover(
        List.of(
            new OutboxRecord(
                42,
                List.of(
                    new OutboxRecord.Due(
                        entry, List.of(ALICE.user(), BOB.user()), List.of(BOB.user()))),
                List.of())),
        now);
    pass(3);
    ack(BOB, CHAT, entry.seq());
    endOfBatch();
    pass(20);

    assertThat(pushes).isEmpty();
    assertThat(settled).containsExactly(42L);
  }
}

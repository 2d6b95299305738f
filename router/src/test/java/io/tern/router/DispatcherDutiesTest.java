package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.GroupChange;
import io.tern.store.OutboxRecord;
import io.tern.store.Outcome;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// What other shards are owed because of a change, and what waits for them: chat lists, blocks,
/// leaving the chats of an erased user.
class DispatcherDutiesTest extends DispatcherFixture {

  @Test
  void aChatsFirstEntryIsOwedToTheListsOfBoth() {
    heads.put(CHAT, 0L);
    attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(submitted)
        .extracting(Submitted::command)
        .containsExactlyInAnyOrder(
            new Command.ListChat(ALICE.user(), CHAT), new Command.ListChat(BOB.user(), CHAT));
    ack(BOB, CHAT, 1);
    endOfBatch();
    assertThat(settled).isEmpty();

    answerLists();
    pass(1);
    assertThat(settled).containsExactly(1L);
  }

  @Test
  void aListThatFoundAFullRingIsSubmittedAgainUntilItIsAnswered() {
    heads.put(CHAT, 0L);
    ringsAccept = false;
    on(ALICE, CHAT);
    endOfBatch();
    assertThat(settled).isEmpty();

    ringsAccept = true;
    pass(1);
    assertThat(submitted).hasSize(2);
    // Lost on the way: once more.
    submitted.clear();
    pass(2);
    assertThat(submitted).hasSize(2);
    answerLists();
    pass(1);
    assertThat(settled).containsExactly(1L);
    submitted.clear();
    pass(20);
    assertThat(submitted).isEmpty();
  }

  @Test
  void aDeviceThatCameBeforeItsListKnewTheChatIsNudged() {
    heads.put(CHAT, 0L);
    attach(ALICE, EDGE, 1);
    on(ALICE, CHAT);
    endOfBatch();
    calls.clear();
    // Found nothing in the chat list, and was not there when the entry was dispatched.
    var bob = attach(BOB, EDGE, 2);

    answerLists();
    pass(1);

    assertThat(all()).containsExactly(new Delivery.Nudge(CHAT, bob));
  }

  @Test
  void aDeviceThatCameAndLeftBeforeItsListKnewTheChatFindsItInItsNews() {
    heads.put(CHAT, 0L);
    on(ALICE, CHAT);
    endOfBatch();
    // Its scan has found nothing, so it thinks that nothing is due.
    directory.detach(attach(BOB, EDGE, 2), Set.of());

    answerLists();
    pass(1);

    assertThat(directory.attach(BOB, EDGE, 3, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void aListThatIsRefusedForNowIsTriedAgain() {
    heads.put(CHAT, 0L);
    on(ALICE, CHAT);
    endOfBatch();
    var first = List.copyOf(submitted);
    submitted.clear();
    for (var one : first) {
      dispatcher.deliver(
          List.of(
              new Delivery.Answer(
                  one.origin(), one.command(), new Outcome.Refused(ErrorCode.BUSY, 0, ""))));
    }
    pass(2);

    assertThat(submitted).hasSize(2);
    assertThat(settled).isEmpty();
  }

  @Test
  void aChangeThatBlocksIsAnsweredWhenTheChatsShardHasCommittedIt() {
    attach(ALICE, EDGE, 1);
    var self = ChatId.direct(ALICE.user(), ALICE.user());
    var change = new Command.ChangeSettings(ALICE, List.of());
    var block = new Command.SetBlock(CHAT, ALICE.user(), true, 5);
    var other = new Command.SetBlock(OTHER_CHAT, ALICE.user(), true, 5);
    var entry = new Entry(self, 5, ALICE, 0, now, 5, CONTENT);
    var origin = new Origin(EDGE, 1, 3);
    var outcome = new Outcome.Sent(entry, false, List.of(ALICE.user()), List.of(block, other));
    on(change, origin, outcome);
    endOfBatch();

    assertThat(deliveries(EDGE, Delivery.Entries.class)).hasSize(1);
    assertThat(deliveries(EDGE, Delivery.Answer.class)).isEmpty();
    assertThat(settled).isEmpty();
    var duties = List.copyOf(submitted);
    assertThat(duties).extracting(Submitted::command).containsExactly(block, other);
    done(duties.get(0));
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).as("one of two").isEmpty();

    submitted.clear();
    done(duties.get(1));
    assertThat(submitted)
        .as("so that the answer does not wait for the next tick")
        .extracting(Submitted::command)
        .containsExactly(new Command.Tick(change.slot(), false));
    endOfBatch();
    assertThat(only(EDGE, Delivery.Answer.class))
        .isEqualTo(new Delivery.Answer(origin, change, outcome));
    assertThat(settled).containsExactly(1L);

    done(duties.get(1));
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).as("told once").hasSize(1);
  }

  @Test
  void aBlockThatACrashInterruptedIsRepeatedUntilItIsDone() {
    var block = new Command.SetBlock(CHAT, ALICE.user(), true, 5);
    ringsAccept = false;
    dispatcher.recover(List.of(new OutboxRecord(7, List.of(), List.of(block))), now);
    assertThat(submitted).isEmpty();
    ringsAccept = true;
    pass(1);
    assertThat(submitted).extracting(Submitted::command).containsExactly(block);
    pass(3);
    assertThat(submitted).as("not answered").hasSizeGreaterThan(1);
    assertThat(settled).isEmpty();
    done(submitted.getFirst());
    pass(1);
    assertThat(settled).containsExactly(7L);
    assertThat(calls).isEmpty();
  }

  @Test
  void aRepeatIsAnsweredAtOnceAndHasNoDuties() {
    var block = new Command.SetBlock(CHAT, ALICE.user(), true, 5);
    var entry = new Entry(GROUP, 5, ALICE, 0, now, 5, CONTENT);
    on(
        new Command.GroupEdit(ALICE, GROUP, NO_BODY, new GroupChange.Leave()),
        new Origin(EDGE, 1, 3),
        new Outcome.Sent(entry, true, List.of(ALICE.user(), BOB.user()), List.of(block)));
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).hasSize(1);
    assertThat(submitted).isEmpty();
  }

  @Test
  void theSessionsOfAnErasedUserEndAndItIsAnsweredWhenTheirChatsKnow() {
    var phone = attach(ALICE, EDGE, 1);
    var laptop = attach(ALICES_LAPTOP, OTHER_EDGE, 2);
    attach(BOB, EDGE, 3);
    var erase = new Command.EraseUser(ALICE.user());
    var leave = new Command.Leave(GROUP, ALICE.user());
    on(erase, new Origin(EDGE, 1, 3), new Outcome.UserErased(ALICE.user(), List.of(leave), false));
    endOfBatch();

    assertThat(only(EDGE, Delivery.Revoked.class))
        .isEqualTo(new Delivery.Revoked(phone, ErrorCode.REVOKED));
    assertThat(only(OTHER_EDGE, Delivery.Revoked.class).session()).isEqualTo(laptop);
    assertThat(deliveries(EDGE, Delivery.Answer.class)).isEmpty();
    assertThat(settled).isEmpty();
    assertThat(submitted).extracting(Submitted::command).containsExactly(leave);
    done(submitted.getFirst());
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).hasSize(1);
    assertThat(settled).containsExactly(1L);
  }

  @Test
  void whatAnErasedUsersChatsAreOwedIsRepeatedAfterACrash() {
    var leave = new Command.Leave(GROUP, ALICE.user());
    dispatcher.recover(List.of(new OutboxRecord(7, List.of(), List.of(leave))), now);
    assertThat(submitted).extracting(Submitted::command).containsExactly(leave);
    done(submitted.getFirst());
    pass(1);
    assertThat(settled).containsExactly(7L);
  }

  @Test
  void aRegistrationIsAnsweredAtOnceAndTheChatsAreToldUntilTheyHaveDoneIt() {
    var told = new Command.TellRegistered(CHAT, ALICE, 5);
    on(
        new Command.Announce(ALICE, 5, null),
        new Origin(EDGE, 1, 3),
        new Outcome.Announced(List.of(told), null));
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).hasSize(1);
    assertThat(submitted).extracting(Submitted::command).containsExactly(told);
    assertThat(settled).isEmpty();
    done(submitted.getFirst());
    pass(1);
    assertThat(settled).containsExactly(1L);
  }

  @Test
  void whatChatsAreToTellOfARegistrationIsRepeatedAfterACrash() {
    var told = new Command.TellRegistered(CHAT, ALICE, 5);
    dispatcher.recover(List.of(new OutboxRecord(7, List.of(), List.of(told))), now);
    assertThat(submitted).extracting(Submitted::command).containsExactly(told);
    done(submitted.getFirst());
    pass(1);
    assertThat(settled).containsExactly(7L);
  }
}

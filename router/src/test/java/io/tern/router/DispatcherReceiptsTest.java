package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.store.Command;
import io.tern.store.GroupProgress;
import io.tern.store.Outcome;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What of acknowledging and reading is told, and to whom.
class DispatcherReceiptsTest extends DispatcherFixture {

  @Test
  void receiptsOfOneMemberAreOneReceiptPerRound() {
    var alice = attach(ALICE, EDGE, 1);
    for (long seq = 1; seq <= 3; seq++) {
      on(
          new Command.Ack(BOB, CHAT, seq),
          Origin.NOBODY,
          new Outcome.Moved(BOB.user(), seq, 0, seq, 0, List.of(ALICE.user())));
    }
    on(
        new Command.Read(BOB, CHAT, 2, false),
        Origin.NOBODY,
        new Outcome.Moved(BOB.user(), 3, 2, 3, 2, List.of(ALICE.user())));
    endOfBatch();

    assertThat(all())
        .containsExactly(new Delivery.Receipts(CHAT, BOB.user(), 3, 2, List.of(alice)));
  }

  @Test
  void aReadIsToldToOnesOtherDevicesButNotToTheOneThatRead() {
    attach(BOB, EDGE, 2);
    var laptop = attach(BOBS_LAPTOP, EDGE, 3);
    on(
        new Command.Read(BOB, CHAT, 2, false),
        Origin.NOBODY,
        new Outcome.Moved(BOB.user(), 2, 2, 2, 2, List.of(ALICE.user(), BOB.user())));
    endOfBatch();

    assertThat(only(EDGE, Delivery.Receipts.class).to()).containsExactly(laptop);
  }

  @Test
  void receiptsOfDifferentChatsAndMembersStayApart() {
    attach(ALICE, EDGE, 1);
    ack(BOB, CHAT, 4);
    ack(CAROL, OTHER_CHAT, 2);
    endOfBatch();

    assertThat(deliveries(EDGE, Delivery.Receipts.class))
        .extracting(Delivery.Receipts::chat, Delivery.Receipts::delivered)
        .containsExactlyInAnyOrder(
            org.assertj.core.groups.Tuple.tuple(CHAT, 4L),
            org.assertj.core.groups.Tuple.tuple(OTHER_CHAT, 2L));
  }

  @Test
  void howFarAGroupHasGotIsToldToItsAuthorsOnly() {
    var phone = attach(ALICE, EDGE, 1);
    var laptop = attach(ALICES_LAPTOP, OTHER_EDGE, 2);
    attach(BOB, EDGE, 3);
    var author = new GroupProgress.Author(ALICE.user(), 40, 99, 57, 12);
    on(
        new Command.Tick(0, false),
        Origin.NOBODY,
        new Outcome.Ticked(
            List.of(new GroupProgress(GROUP, 30, 20, List.of(author))), false, Long.MAX_VALUE));
    endOfBatch();

    assertThat(only(EDGE, Delivery.Progress.class))
        .isEqualTo(new Delivery.Progress(GROUP, 30, 20, 40, 99, 57, 12, List.of(phone)));
    assertThat(only(OTHER_EDGE, Delivery.Progress.class).to()).containsExactly(laptop);
    assertThat(all()).hasSize(2);
  }
}

package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.OutboxRecord;
import io.tern.store.Outcome;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// A directory that does not answer: nothing is lost meanwhile, and everything told when it is
/// back.
class DispatcherWithoutDirectoryTest extends DispatcherFixture {

  private boolean isDirectoryAway;

  private void withFailingDirectory() {
    dispatcher = dispatcher(new FailingDirectory(directory, () -> isDirectoryAway));
  }

  @Test
  void whatCameWhileTheDirectoryWasAwayIsToldWhenItIsBack() {
    withFailingDirectory();
    var phone = attach(BOB, EDGE, 2);
    isDirectoryAway = true;
    on(send(ALICE, CHAT), new Origin(EDGE, 5, 77), sent(ALICE, CHAT, ALICE.user(), BOB.user()));
    endOfBatch();
    pass(2);
    assertThat(deliveries(EDGE, Delivery.Answer.class)).as("the sender is answered").hasSize(1);
    assertThat(all()).hasSize(1);
    assertThat(pushes).as("he may well be connected").isEmpty();
    assertThat(settled).isEmpty();

    isDirectoryAway = false;
    pass(1);
    assertThat(only(EDGE, Delivery.Nudge.class)).isEqualTo(new Delivery.Nudge(CHAT, phone, 2));
    ack(BOB, CHAT, 2);
    endOfBatch();
    assertThat(settled).containsExactly(1L);
    pass(20);
    assertThat(deliveries(EDGE, Delivery.Nudge.class)).as("told once").hasSize(1);
    assertThat(pushes).isEmpty();
  }

  @Test
  void whoIsAbsentFindsInItsNewsWhatCameWhileTheDirectoryWasAway() {
    withFailingDirectory();
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    isDirectoryAway = true;
    on(ALICE, CHAT);
    endOfBatch();
    // Longer than the watch: he is pushed to, and that is no news.
    pass(15);
    assertThat(pushes).containsExactly(new Push(BOB.user(), CHAT, 2));
    assertThat(settled).as("a crash now must not lose the news").isEmpty();

    isDirectoryAway = false;
    pass(1);
    assertThat(settled).containsExactly(1L);
    assertThat(directory.attach(BOB, EDGE, 3, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void aDirectoryThatIsAwayForLongStopsTheSends() {
    withFailingDirectory();
    isDirectoryAway = true;
    for (int i = 0; i < 5; i++) {
      assertThat(dispatcher.isFull()).isFalse();
      on(ALICE, ChatId.direct(ALICE.user(), new UserId(4000 + i)));
      endOfBatch();
    }
    assertThat(dispatcher.isFull()).as("10 are owed something, of 8").isTrue();
    isDirectoryAway = false;
    pass(1);
    assertThat(dispatcher.isFull()).isFalse();
  }

  @Test
  void newsThatTheDirectoryDidNotTakeAreGivenAgain() {
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    boolean[] refuses = {true};
    dispatcher =
        dispatcher(
            new ForwardingDirectory(directory) {
              @Override
              public Map<UserId, Routes> addNews(Collection<News> news) {
                if (refuses[0]) {
                  throw new IllegalStateException("no room");
                }
                return super.addNews(news);
              }
            });
    on(ALICE, CHAT);
    endOfBatch();
    pass(1);
    refuses[0] = false;
    pass(1);
    assertThat(directory.attach(BOB, EDGE, 3, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void aNudgeThatFoundNoDirectoryComesLater() {
    withFailingDirectory();
    var phone = attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    endOfBatch();
    isDirectoryAway = true;
    pass(6);
    assertThat(deliveries(EDGE, Delivery.Nudge.class)).isEmpty();
    isDirectoryAway = false;
    pass(1);
    assertThat(only(EDGE, Delivery.Nudge.class)).isEqualTo(new Delivery.Nudge(CHAT, phone));
  }

  @Test
  void aLifeThatBeginsWithoutTheDirectoryTellsWhatIsOwedWhenItIsBack() {
    withFailingDirectory();
    isDirectoryAway = true;
    var entry = entry(ALICE, CHAT);
    dispatcher.recover(
        List.of(
            new OutboxRecord(
                7,
                List.of(
                    new OutboxRecord.Due(
                        entry, List.of(ALICE.user(), BOB.user()), List.of(BOB.user()))),
                List.of())),
        now);
    var phone = attach(BOB, EDGE, 2);
    isDirectoryAway = false;
    pass(1);
    assertThat(only(EDGE, Delivery.Nudge.class))
        .isEqualTo(new Delivery.Nudge(CHAT, phone, entry.seq()));
    ack(BOB, CHAT, entry.seq());
    endOfBatch();
    assertThat(settled).contains(7L);
  }

  @Test
  void aRemovedDeviceIsOutWithoutTheDirectoryToo() {
    withFailingDirectory();
    isDirectoryAway = true;
    on(new Command.RemoveDevice(BOBS_LAPTOP, 1), Origin.NOBODY, new Outcome.DeviceRemoved(BOB));
    endOfBatch();
    assertThat(everywhere).containsExactly(new Delivery.Gone(BOB.user(), 1, ErrorCode.REVOKED));
  }
}

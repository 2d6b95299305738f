package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// Recipients who are not there: their news and their push intents, also when they come and go at
/// the wrong moment.
class DispatcherAbsenceTest extends DispatcherFixture {

  @Test
  void anAbsentRecipientIsPushedToAndTheRecordSettled() {
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(pushes).containsExactly(new Push(BOB.user(), CHAT, 2));
    assertThat(settled).containsExactly(batch);
  }

  @Test
  void anAbsentDeviceFindsTheChatInItsNews() {
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(directory.attach(BOB, EDGE, 3, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void aSecondDeviceThatIsAwayFindsTheChatInItsNewsToo() {
    attach(BOB, EDGE, 2);
    directory.detach(attach(BOBS_LAPTOP, EDGE, 3), Set.of());
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(pushes).isEmpty();
    assertThat(directory.attach(BOBS_LAPTOP, EDGE, 4, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void absentMembersGetNewsAndThoseBeyondTheWatchAPushIntentAtOnce() {
    var members = new UserId[20];
    for (int i = 0; i < members.length; i++) {
      members[i] = new UserId(10_000 + i);
      var session = attach(new DeviceId(members[i], 1), EDGE, i + 1);
      if (i >= 15) {
        directory.detach(session, Set.of());
      }
    }
    on(new DeviceId(members[0], 1), GROUP, members);
    endOfBatch();

    // Fourteen are there, eight of them fit the watch; five are not there.
    assertThat(dispatcher.watched()).isEqualTo(CONFIG.watchedMax());
    assertThat(pushes).hasSize(14 - CONFIG.watchedMax() + 5);
    var news = directory.attach(new DeviceId(members[19], 1), EDGE, 99, true).join().news();
    assertThat(news).containsExactly(GROUP);
  }

  @Test
  void aDeviceThatAttachesBetweenLookupAndNewsIsServedLive() {
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    dispatcher = dispatcher(whereBobComesWhileNewsAreAdded(false));
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(only(EDGE, Delivery.Entries.class).to())
        .extracting(Attachment::session)
        .containsExactly(3L);
    assertThat(pushes).isEmpty();
  }

  /// Neither its news nor a look after them would name the entry.
  @Test
  void aDeviceThatAttachesBeforeTheNewsAndLeavesRightAfterThemMissesNothing() {
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    dispatcher = dispatcher(whereBobComesWhileNewsAreAdded(true));
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(only(EDGE, Delivery.Entries.class).to())
        .extracting(Attachment::session)
        .containsExactly(3L);
  }

  @Test
  void aPushThatIsRefusedIsOfferedAgainAndKeepsTheRecord() {
    pushQueueAccepts = false;
    on(ALICE, CHAT);
    endOfBatch();
    assertThat(settled).isEmpty();

    pass(1);
    assertThat(settled).isEmpty();
    pushQueueAccepts = true;
    pass(1);

    assertThat(pushes.getLast()).isEqualTo(new Push(BOB.user(), CHAT, 2));
    assertThat(settled).containsExactly(batch);
  }

  @Test
  void anAcknowledgementMakesARefusedPushUnnecessary() {
    pushQueueAccepts = false;
    on(ALICE, CHAT);
    endOfBatch();
    long owed = batch;
    ack(BOB, CHAT, 2);
    endOfBatch();
    assertThat(settled).containsExactly(owed);

    pushQueueAccepts = true;
    pushes.clear();
    pass(1);
    assertThat(pushes).isEmpty();
  }

  @Test
  void tooManyRefusedPushesStopTheRounds() {
    pushQueueAccepts = false;
    for (int i = 0; i < CONFIG.watchedMax() + 1; i++) {
      assertThat(dispatcher.isFull()).isFalse();
      on(ALICE, CHAT);
      endOfBatch();
    }
    assertThat(dispatcher.isFull()).isTrue();

    pushQueueAccepts = true;
    pass(1);
    assertThat(dispatcher.isFull()).isFalse();
    assertThat(settled).hasSize(CONFIG.watchedMax() + 1);
  }

  @Test
  void aRefusedPushCountsOnceHoweverLongItWaits() {
    pushQueueAccepts = false;
    for (int i = 0; i < CONFIG.watchedMax(); i++) {
      on(ALICE, CHAT);
      endOfBatch();
    }
    pass(11);
    assertThat(dispatcher.isFull()).as("the watch has ended").isFalse();

    on(ALICE, CHAT);
    endOfBatch();
    assertThat(dispatcher.isFull()).isTrue();
    pushQueueAccepts = true;
    pushes.clear();
    pass(1);
    assertThat(pushes).hasSize(CONFIG.watchedMax() + 1).doesNotHaveDuplicates();
    assertThat(dispatcher.isFull()).isFalse();
  }

  /// A directory in which Bob attaches at `EDGE`, as session 3, just before he gets news, and with
  /// `leaves` detaches right after it.
  private Directory whereBobComesWhileNewsAreAdded(boolean leaves) {
    return new ForwardingDirectory(directory) {
      @Override
      public Map<UserId, Routes> addNews(Collection<News> news) {
        var attached = directory.attach(BOB, EDGE, 3, true).join();
        assertThat(attached.news()).as("too early for this entry").isEmpty();
        var routes = super.addNews(news);
        if (leaves) {
          directory.detach(attached.now(), Set.of());
        }
        return routes;
      }
    };
  }
}

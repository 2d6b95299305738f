package io.tern.edge.session;

import static io.tern.edge.session.SessionWorld.EDGE;
import static io.tern.edge.session.SessionWorld.ME;
import static io.tern.edge.session.SessionWorld.PEER;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.router.Origin;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.GroupChange;
import io.tern.store.Outcome;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Turns: what waits, what overtakes, and in which order things reach a session.
class SessionTableTest {

  private static final ChatId GROUP = ChatId.group(77);
  private static final ChatId DIRECT = ChatId.direct(ME, PEER);
  private static final int ALL = Integer.MAX_VALUE;
  private static final int FEW = 2;
  private static final int AHEAD = 8;

  private final SessionWorld world = SessionWorld.live();
  private final SessionTable table = new SessionTable(0, world.edge, FEW, AHEAD);

  SessionTableTest() {
    table.add(world.session);
  }

  /// The session of the test, behind `others` that are not there any more.
  private List<Attachment> everybody(int others) {
    var all = new ArrayList<Attachment>();
    for (int i = 0; i < others; i++) {
      all.add(
          new Attachment(
              new DeviceId(new UserId(5_000 + i), 1),
              EDGE,
              (1_000L + i) << SessionTable.LOOP_BITS,
              1));
    }
    all.add(world.directory.lookup(List.of(ME)).getFirst().sessions().getFirst());
    return all;
  }

  private Delivery.Entries entry(ChatId chat, long seq, int others) {
    return new Delivery.Entries(chat, seq, PEER, new byte[10], new byte[11], everybody(others));
  }

  private Delivery.Answer sent(int rid, long seq) {
    var from = new DeviceId(ME, 1);
    var entry = new Entry(GROUP, seq, from, seq, 5, seq, new byte[0]);
    return new Delivery.Answer(
        new Origin(EDGE, world.session.id(), rid),
        new Command.Send(from, GROUP, new byte[3]),
        new Outcome.Sent(entry, false, List.of(ME), List.of()));
  }

  private Delivery.Answer edited(int rid, long seq) {
    var from = new DeviceId(ME, 1);
    var entry = new Entry(GROUP, seq, from, 0, 5, seq, new byte[0]);
    return new Delivery.Answer(
        new Origin(EDGE, world.session.id(), rid),
        new Command.GroupEdit(from, GROUP, new byte[16], new GroupChange.Title("t")),
        new Outcome.Sent(entry, false, List.of(ME), List.of()));
  }

  private void take(Delivery... batch) {
    table.take(List.of(batch), world.now);
  }

  private void workAll() {
    while (table.hasWaiting()) {
      table.work(2, ALL, world.now);
      table.answer(world.now);
    }
  }

  /// What was written to the session, as type and seq.
  private List<String> written() {
    return world.out.stream().map(out -> out.type() + " " + out.seq()).toList();
  }

  @Test
  void whatGoesToAFewIsHandedOverAtOnce() {
    take(entry(GROUP, 1, 1), entry(DIRECT, 1, 0));

    assertThat(table.hasWaiting()).isFalse();
    assertThat(written()).containsExactly("DELIVER 1", "DELIVER 1");
  }

  @Test
  void whatGoesToManyIsHandedOverPieceByPiece() {
    take(entry(GROUP, 1, 5), entry(GROUP, 2, 5));
    assertThat(written()).isEmpty();

    assertThat(table.work(5, ALL, world.now)).isZero();
    assertThat(written()).isEmpty();
    assertThat(table.work(1, ALL, world.now)).isOne();
    assertThat(written()).containsExactly("DELIVER 1");
    assertThat(table.work(AHEAD, 1, world.now)).isOne();
    assertThat(written()).containsExactly("DELIVER 1", "DELIVER 2");
    assertThat(table.hasWaiting()).isFalse();
  }

  /// Those whose sessions have ended meanwhile have not lost it.
  @Test
  void whoIsGoneWhenItsTurnComesHasNews() {
    take(entry(GROUP, 1, 5));
    workAll();

    assertThat(world.counters.get(Count.NEWS_ADDED)).isEqualTo(5);
  }

  @Test
  void inOneChatASmallDeliveryDoesNotOvertakeALargeOne() {
    take(entry(GROUP, 1, 5), entry(GROUP, 2, 0), entry(DIRECT, 9, 0));
    assertThat(written()).as("another chat need not wait").containsExactly("DELIVER 9");

    workAll();
    assertThat(written()).containsExactly("DELIVER 9", "DELIVER 1", "DELIVER 2");
  }

  /// [TERN-6-11]
  @Test
  void theAnswerToASendOvertakesWhatWaits() {
    take(entry(GROUP, 1, 5), sent(1, 2));
    assertThat(written()).containsExactly("SENT 2");

    workAll();
    assertThat(written()).containsExactly("SENT 2", "DELIVER 1");
  }

  @Test
  void theAnswerToAGroupChangeKeepsItsPlace() {
    take(entry(GROUP, 1, 5), edited(1, 2));
    assertThat(written()).isEmpty();

    workAll();
    assertThat(written()).containsExactly("DELIVER 1", "GROUP_EDITED 2");
  }

  /// Whoever sends faster than the loop can deliver is slowed down, by as much as it is behind.
  @Test
  void anAnswerOvertakesNoMoreThanTheBound() {
    take(entry(GROUP, 1, 5), entry(GROUP, 2, 5), sent(1, 3));
    assertThat(written()).isEmpty();

    table.work(3, ALL, world.now);
    table.answer(world.now);
    assertThat(written()).as("nine sessions are before it").isEmpty();
    table.work(1, ALL, world.now);
    table.answer(world.now);
    assertThat(written()).as("eight").containsExactly("SENT 3");

    workAll();
    assertThat(written()).containsExactly("SENT 3", "DELIVER 1", "DELIVER 2");
  }

  /// What comes behind an answer that waits does not count.
  @Test
  void anAnswerDoesNotWaitForWhatCameLater() {
    take(entry(GROUP, 1, 5), entry(GROUP, 2, 3), sent(1, 3), entry(GROUP, 4, 5));
    table.work(2, ALL, world.now);
    table.answer(world.now);
    assertThat(written()).containsExactly("SENT 3");
  }

  @Test
  void answersToSendsKeepTheirOrder() {
    take(entry(GROUP, 1, 5), entry(GROUP, 2, 5), sent(1, 3));
    table.work(6, ALL, world.now);
    take(sent(2, 4));
    assertThat(written())
        .as("the second may go, but not before the first")
        .containsExactly("DELIVER 1");

    table.answer(world.now);
    assertThat(written()).containsExactly("DELIVER 1", "SENT 3", "SENT 4");
    workAll();
    assertThat(written()).containsExactly("DELIVER 1", "SENT 3", "SENT 4", "DELIVER 2");
  }

  @Test
  void whatWaitsIsForgottenWithItsChat() {
    take(entry(GROUP, 1, 5));
    workAll();
    take(entry(GROUP, 2, 0));

    assertThat(world.out.getLast().type()).isEqualTo(FrameType.DELIVER);
    assertThat(table.hasWaiting()).isFalse();
  }
}

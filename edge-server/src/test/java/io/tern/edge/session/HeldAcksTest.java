package io.tern.edge.session;

import static io.tern.edge.session.SessionWorld.ME;
import static io.tern.edge.session.SessionWorld.PEER;
import static io.tern.edge.session.SessionWorld.frame;
import static io.tern.edge.session.SessionWorld.live;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.store.Command;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Acknowledgements in groups go together, and none is lost by that.
class HeldAcksTest {

  private static final ChatId GROUP = ChatId.group(7);
  private static final ChatId OTHER = ChatId.group(8);
  private static final ChatId DIRECT = ChatId.direct(ME, PEER);

  private final SessionWorld world = live();
  private final Attachment route =
      world.directory.lookup(List.of(ME)).getFirst().sessions().getFirst();

  private void push(ChatId chat, long from, long to) {
    for (long seq = from; seq <= to; seq++) {
      world.deliver(
          new Delivery.Entries(chat, seq, PEER, new byte[10], new byte[11], List.of(route)));
    }
  }

  private void ack(ChatId chat, long seq) {
    int flags = FrameHeader.CHAT | FrameHeader.SEQ | (chat.isGroup() ? FrameHeader.GROUP : 0);
    world.input(frame(FrameType.ACK, flags, 0, chat.wireId(ME), seq, new byte[0]));
  }

  /// What has gone to the shards since the last time.
  private List<Command> gone() {
    List<Command> all = world.submitted.stream().map(SessionWorld.Submitted::command).toList();
    world.submitted.clear();
    return all;
  }

  private static Command acked(ChatId chat, long seq) {
    return new Command.Ack(new DeviceId(ME, 1), chat, seq);
  }

  /// The time in which everything that waits goes.
  private void period() {
    for (int i = 0; i < HeldAcks.SLOTS; i++) {
      Runnable tick = world.ticks.poll();
      if (tick != null) {
        tick.run();
      }
    }
  }

  @Test
  void theFirstGoesAtOnceAndWhatFollowsGoesAsOne() {
    push(GROUP, 1, 9);
    ack(GROUP, 2);
    assertThat(gone()).containsExactly(acked(GROUP, 2));
    ack(GROUP, 3);
    ack(GROUP, 6);
    ack(GROUP, 8);
    assertThat(gone()).isEmpty();
    assertThat(world.counters.get(Count.ACKS)).isEqualTo(4);
    assertThat(world.counters.get(Count.ACKS_HELD)).isEqualTo(1);
    assertThat(world.counters.get(Count.ACKS_MERGED)).isEqualTo(2);
    period();
    assertThat(gone()).containsExactly(acked(GROUP, 8));
    ack(GROUP, 9);
    assertThat(gone()).as("it goes on being together").isEmpty();
    period();
    assertThat(gone()).containsExactly(acked(GROUP, 9));
  }

  @Test
  void whoWasSilentForAPeriodIsForgotten() {
    push(GROUP, 1, 2);
    ack(GROUP, 1);
    period();
    assertThat(gone()).containsExactly(acked(GROUP, 1));
    assertThat(world.ticks).as("nothing to do").isEmpty();
    ack(GROUP, 2);
    assertThat(gone()).as("at once").containsExactly(acked(GROUP, 2));
  }

  /// An ACK that comes late, or that the shard may refuse, stands for no other.
  @Test
  void onlyWhatWasPushedWaits() {
    push(GROUP, 1, 5);
    ack(GROUP, 2);
    ack(GROUP, 4);
    gone();
    ack(GROUP, 99);
    assertThat(gone()).containsExactly(acked(GROUP, 99));
    ack(GROUP, 1);
    assertThat(gone()).containsExactly(acked(GROUP, 1));
    period();
    assertThat(gone()).as("what waited").containsExactly(acked(GROUP, 4));
  }

  @Test
  void directChatsDoNotWait() {
    push(DIRECT, 1, 3);
    for (long seq = 1; seq <= 3; seq++) {
      ack(DIRECT, seq);
      assertThat(gone()).containsExactly(acked(DIRECT, seq));
    }
    assertThat(world.ticks).isEmpty();
  }

  @Test
  void eachGroupWaitsByItself() {
    push(GROUP, 1, 3);
    push(OTHER, 1, 3);
    ack(GROUP, 1);
    ack(OTHER, 1);
    assertThat(gone()).containsExactly(acked(GROUP, 1), acked(OTHER, 1));
    ack(OTHER, 2);
    ack(GROUP, 2);
    ack(OTHER, 3);
    assertThat(gone()).isEmpty();
    period();
    assertThat(gone()).containsExactlyInAnyOrder(acked(GROUP, 2), acked(OTHER, 3));
  }

  @Test
  void inMoreGroupsThanOneSessionMayHoldNothingWaits() {
    for (int i = 0; i < HeldAcks.GROUPS_MAX; i++) {
      push(ChatId.group(100 + i), 1, 1);
      ack(ChatId.group(100 + i), 1);
    }
    push(GROUP, 1, 3);
    gone();
    for (long seq = 1; seq <= 3; seq++) {
      ack(GROUP, seq);
      assertThat(gone()).containsExactly(acked(GROUP, seq));
    }
    world.ringIsFull = true;
    push(OTHER, 1, 1);
    ack(OTHER, 1);
    assertThat(world.session.isHeld()).as("nor is more kept for a full ring").isTrue();
    world.ringIsFull = false;
    world.session.onWake(world.now);
    world.settle();
    assertThat(gone()).containsExactly(acked(OTHER, 1));
  }

  @Test
  void whatWaitsGoesWhenTheSessionEnds() {
    push(GROUP, 1, 3);
    ack(GROUP, 1);
    ack(GROUP, 3);
    gone();
    world.session.onClosed();
    assertThat(gone()).contains(acked(GROUP, 3));
    period();
    assertThat(gone()).doesNotContain(acked(GROUP, 3));
    assertThat(world.ticks).isEmpty();
  }

  @Test
  void ofADeviceThatIsPutOutNothingGoes() {
    push(GROUP, 1, 3);
    ack(GROUP, 1);
    ack(GROUP, 3);
    gone();
    world.session.onRevoked(route, ErrorCode.REVOKED, world.now);
    period();
    assertThat(gone()).doesNotContain(acked(GROUP, 3));
  }

  @Test
  void whatAFullRingDoesNotTakeWaits() {
    push(GROUP, 1, 3);
    world.ringIsFull = true;
    ack(GROUP, 1);
    assertThat(world.session.isHeld()).as("the session goes on").isFalse();
    ack(GROUP, 2);
    period();
    assertThat(gone()).isEmpty();
    world.ringIsFull = false;
    period();
    assertThat(gone()).containsExactly(acked(GROUP, 2));
    period();
    period();
    assertThat(gone()).isEmpty();
  }
}

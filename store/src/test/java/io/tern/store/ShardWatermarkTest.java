package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.BOB_2;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.EVE;
import static io.tern.store.ShardNode.EVE_1;
import static io.tern.store.ShardNode.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Acknowledgements and reads.
class ShardWatermarkTest {

  private final ShardNode node = new ShardNode();

  private void alicesEntries(int count) {
    for (int csn = 1; csn <= count; csn++) {
      node.prepareSend(ALICE_1, csn, "text " + csn);
    }
    node.shard.commit();
  }

  @Test
  void anAckMovesTheWatermarkAndTellsTheOthers() {
    alicesEntries(3);

    assertThat(node.ack(BOB_1, 2)).isEqualTo(moved(2, 0, ALICE));

    assertThat(node.summary(BOB_1).delivered()).isEqualTo(2);
    assertThat(node.summary(ALICE_1).peerDelivered()).isEqualTo(2);
  }

  @Test
  void watermarksOnlyMoveForward() {
    alicesEntries(3);
    node.ack(BOB_1, 3);
    node.read(BOB_1, 2);

    assertThat(node.ack(BOB_1, 1)).isEqualTo(Outcome.Done.DONE);
    assertThat(node.ack(BOB_1, 3)).isEqualTo(Outcome.Done.DONE);
    assertThat(node.read(BOB_1, 2)).isEqualTo(Outcome.Done.DONE);
    assertThat(node.read(BOB_1, 1)).isEqualTo(Outcome.Done.DONE);

    assertThat(node.summary(BOB_1).delivered()).isEqualTo(3);
    assertThat(node.summary(BOB_1).read()).isEqualTo(2);
  }

  @Test
  void readingImpliesDeliveryAndTellsOnesOwnDevicesToo() {
    alicesEntries(3);

    assertThat(node.read(BOB_1, 2))
        .isEqualTo(new Outcome.Moved(BOB, 2, 2, 2, 2, java.util.List.of(ALICE, BOB)));

    assertThat(node.summary(BOB_1).delivered()).isEqualTo(2);
    assertThat(node.ack(BOB_1, 1)).isEqualTo(Outcome.Done.DONE);
    assertThat(node.ack(BOB_1, 3)).isEqualTo(moved(3, 2, ALICE));
  }

  @Test
  void theUsersWatermarkIsItsFurthestDevice() {
    alicesEntries(3);
    node.ack(BOB_1, 3);

    assertThat(node.ack(BOB_2, 1)).isEqualTo(Outcome.Done.DONE);

    assertThat(node.summary(BOB_1).position()).isEqualTo(3);
    assertThat(node.summary(BOB_2).position()).isEqualTo(1);
    assertThat(node.summary(BOB_2).delivered()).isEqualTo(3);
  }

  @Test
  void watermarksSurviveARestart() {
    alicesEntries(3);
    node.ack(BOB_1, 3);
    node.read(BOB_1, 2);
    node.restart();

    assertThat(node.ack(BOB_1, 3)).isEqualTo(Outcome.Done.DONE);
    assertThat(node.read(BOB_1, 2)).isEqualTo(Outcome.Done.DONE);
    assertThat(node.read(BOB_1, 3)).isInstanceOf(Outcome.Moved.class);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE, 4, Long.MAX_VALUE})
  void onlyWhatIsThereCanBeAcknowledged(long seq) {
    alicesEntries(3);

    refused(node.ack(BOB_1, seq), ErrorCode.ARGUMENT);
    refused(node.read(BOB_1, seq), ErrorCode.ARGUMENT);

    assertThat(node.summary(BOB_1).delivered()).isZero();
  }

  @Test
  void strangersAndUnknownChatsAreRefused() {
    alicesEntries(1);

    refused(node.ack(EVE_1, 1), ErrorCode.NOT_MEMBER);
    refused(node.read(EVE_1, 1), ErrorCode.NOT_MEMBER);
    ChatId never = ChatId.direct(EVE, BOB);
    refused(node.run(new Command.Ack(BOB_1, never, 1)), ErrorCode.ARGUMENT);
    refused(node.run(new Command.Read(BOB_1, ChatId.group(5), 1, false)), ErrorCode.NOT_MEMBER);
  }

  @Test
  void inASelfChatNobodyElseIsTold() {
    ChatId notes = ChatId.direct(ALICE, ALICE);
    node.send(ALICE_1, notes, 1, "note");

    assertThat(node.run(new Command.Ack(new DeviceId(ALICE, 2), notes, 1)))
        .isEqualTo(new Outcome.Moved(ALICE, 1, 0, 1, 0, java.util.List.of()));
  }

  // ---- times
  // -------------------------------------------------------------------------------------

  @Test
  void anEntryWasDeliveredAndReadWhenTheWatermarkFirstReachedIt() {
    alicesEntries(4);
    long start = node.now;
    node.now = start + 10;
    node.ack(BOB_1, 2);
    node.now = start + 20;
    node.ack(BOB_1, 3);
    node.now = start + 30;
    node.read(BOB_1, 2);

    assertThat(times(1)).isEqualTo(new Reads.Times(start + 10, start + 30));
    assertThat(times(2)).isEqualTo(new Reads.Times(start + 10, start + 30));
    assertThat(times(3)).isEqualTo(new Reads.Times(start + 20, 0));
    assertThat(times(4)).isEqualTo(new Reads.Times(0, 0));
  }

  @Test
  void readingAtOnceIsDeliveryAtThatTime() {
    alicesEntries(2);
    node.now += 10;
    node.read(BOB_1, 1);
    node.now += 10;
    node.ack(BOB_1, 2);

    assertThat(times(1)).isEqualTo(new Reads.Times(node.now - 10, node.now - 10));
    assertThat(times(2)).isEqualTo(new Reads.Times(node.now, 0));
  }

  @Test
  void nothingIsDeliveredBeforeItWasSent() {
    alicesEntries(1);
    long sentAt = node.now;
    node.now -= 5000;
    node.ack(BOB_1, 1);

    assertThat(times(1).deliveredMillis()).isEqualTo(sentAt);
  }

  private Reads.Times times(long seq) {
    return Reads.times(node.storage, CHAT, BOB, seq);
  }

  private static Outcome moved(long delivered, long read, io.tern.protocol.UserId observer) {
    return new Outcome.Moved(BOB, delivered, read, delivered, read, java.util.List.of(observer));
  }
}

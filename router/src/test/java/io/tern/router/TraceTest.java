package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.Trace.At;
import io.tern.router.Trace.AtDevice;
import io.tern.router.Trace.Committed;
import io.tern.router.Trace.Pushed;
import io.tern.router.Trace.Routed;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class TraceTest {

  private static final DeviceId ALICE = new DeviceId(new UserId(1), 1);
  private static final DeviceId BOB = new DeviceId(new UserId(UserId.VALUE_MAX), 1 << 20);
  private static final DeviceId TABLET = new DeviceId(BOB.user(), 2);
  private static final ChatId CHAT = ChatId.direct(ALICE.user(), BOB.user());
  private static final ChatId GROUP = ChatId.group(77);

  private final Trace trace = new Trace(16);
  private final Trace.Writer shard = trace.writer();
  private final Trace.Writer loop = trace.writer();
  private final Trace.Writer otherLoop = trace.writer();

  private void commit(ChatId chat, long seq, long nanos) {
    shard.committed(chat, seq, ALICE, nanos - 100, 4711, 60, nanos);
  }

  private void at(Trace.Writer where, At at, long seq, DeviceId device, long nanos) {
    where.at(at, CHAT, seq, device, 4712, 0, nanos);
  }

  @Test
  void theStepsOfAnEntryComeBackByTimeWithWhatTheySay() {
    commit(CHAT, 5, 1_000);
    shard.routed(CHAT, 5, ALICE.user(), true, 3, 2, 1, 1_010);
    at(loop, At.WRITTEN, 5, BOB, 1_030);
    at(otherLoop, At.ANSWERED, 5, ALICE, 1_020);
    shard.pushed(CHAT, 5, BOB.user(), false, 1_040);
    at(loop, At.ACKNOWLEDGED, 5, BOB, 1_050);

    assertThat(trace.of(CHAT, 5).steps())
        .containsExactly(
            new Committed(1_000, ALICE, 900, 4711, 60),
            new Routed(1_010, true, 3, 2, 1),
            new AtDevice(1_020, At.ANSWERED, ALICE, 4712, 0),
            new AtDevice(1_030, At.WRITTEN, BOB, 4712, 0),
            new Pushed(1_040, BOB.user(), false),
            new AtDevice(1_050, At.ACKNOWLEDGED, BOB, 4712, 0));
    assertThat(trace.of(CHAT, 5).isWhole()).isTrue();
  }

  @Test
  void otherEntriesAndOtherChatsHaveTheirOwn() {
    commit(CHAT, 5, 1_000);
    commit(CHAT, 6, 2_000);
    commit(GROUP, 5, 3_000);

    assertThat(trace.of(CHAT, 6).steps())
        .containsExactly(new Committed(2_000, ALICE, 1_900, 4711, 60));
    assertThat(trace.of(CHAT, 7).steps()).isEmpty();
    assertThat(trace.of(CHAT, 7).isWhole()).isFalse();
  }

  @Test
  void aLaterPositionCoversItAndTheFirstOneCounts() {
    commit(CHAT, 5, 1_000);
    at(loop, At.ACKNOWLEDGED, 4, BOB, 1_001);
    at(loop, At.ACKNOWLEDGED, 7, BOB, 1_002);
    at(loop, At.ACKNOWLEDGED, 9, BOB, 1_003);
    at(otherLoop, At.ACKNOWLEDGED, 9, BOB, 1_004);
    at(otherLoop, At.READ, 6, BOB, 1_005);
    at(otherLoop, At.ACKNOWLEDGED, 5, TABLET, 1_006);

    assertThat(trace.of(CHAT, 5).steps().stream().skip(1))
        .containsExactly(
            new AtDevice(1_002, At.ACKNOWLEDGED, BOB, 4712, 0),
            new AtDevice(1_005, At.READ, BOB, 4712, 0),
            new AtDevice(1_006, At.ACKNOWLEDGED, TABLET, 4712, 0));
  }

  @Test
  void aPositionIsNotGuessedFromOneThatCameLater() {
    commit(CHAT, 5, 1_000);
    at(loop, At.WRITTEN, 5, BOB, 1_001);
    at(loop, At.ACKNOWLEDGED, 5, BOB, 1_002);
    // The loop forgets when Bob acknowledged it, and remembers a later time.
    for (int i = 0; i < 16; i++) {
      at(loop, At.ACKNOWLEDGED, 10 + i, BOB, 2_000 + i);
    }

    assertThat(trace.of(CHAT, 5).steps())
        .containsExactly(new Committed(1_000, ALICE, 900, 4711, 60));
    assertThat(trace.of(CHAT, 5).isWhole()).isFalse();
  }

  @Test
  void theOldestStepsMakePlaceForNewOnes() {
    for (int i = 1; i <= 40; i++) {
      commit(CHAT, i, i);
    }
    assertThat(trace.of(CHAT, 24).steps()).isEmpty();
    assertThat(trace.of(CHAT, 40).steps()).hasSize(1);
    assertThat(trace.of(CHAT, 30).steps()).hasSize(1);
  }

  @Test
  void offNothingIsNoted() {
    var writer = Trace.OFF.writer();
    assertThat(writer.isOn()).isFalse();
    writer.committed(CHAT, 1, ALICE, 0, 0, 0, 1);
    assertThat(Trace.OFF.of(CHAT, 1).steps()).isEmpty();
  }

  /// Every note says the same number in all its fields: half of one and half of another is seen.
  @Test
  void whoLooksWhileItIsWrittenSeesWholeStepsOnly() throws InterruptedException {
    var ends = new AtomicBoolean();
    var thread =
        new Thread(() -> {
          for (int n = 1; !ends.get(); n++) {
            int i = 1 + n % 1_000_000;
            shard.committed(CHAT, 1, new DeviceId(new UserId(i), i), i, i, i, i);
          }
        });
    thread.start();
    try {
      int seen = 0;
      long until = System.nanoTime() + 10_000_000_000L;
      while (seen < 20_000 && System.nanoTime() < until) {
        for (var step : trace.of(CHAT, 1).steps()) {
          long n = step.nanos();
          assertThat(step)
              .isEqualTo(new Committed(n, new DeviceId(new UserId(n), (int) n), n, n, n));
          seen++;
        }
      }
      assertThat(seen).isGreaterThan(100);
    } finally {
      ends.set(true);
      thread.join();
    }
  }
}

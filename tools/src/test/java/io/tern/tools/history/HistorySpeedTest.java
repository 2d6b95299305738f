package io.tern.tools.history;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.time.Duration;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;

/// A history of the size that a load test makes is recorded and proved in seconds.
/// `-Dtern.events=10000000` for the size of a long one (needs `-Dtest.heap=2g`).
class HistorySpeedTest {

  private static final int PAIRS = 100;

  @Test
  void aMillionEventsAreProvedInSeconds() {
    long events = Long.getLong("tern.events", 1_000_000);
    var clock = new long[1];
    var history = new History(() -> clock[0]++);
    var senders = new ArrayList<DeviceRecorder>();
    var receivers = new ArrayList<DeviceRecorder>();
    for (int i = 0; i < PAIRS; i++) {
      senders.add(history.device(new DeviceId(new UserId(1 + i), 1)));
      receivers.add(history.device(new DeviceId(new UserId(1001 + i), 1)));
    }
    long began = System.nanoTime();
    for (long message = 0; message < events / 4; message++) {
      int pair = (int) (message % PAIRS);
      var from = senders.get(pair);
      var to = receivers.get(pair);
      var chat = ChatId.direct(from.id().user(), to.id().user());
      long seq = message / PAIRS + 1;
      long hash = ContentHash.mix(message);
      int n = from.sending(chat, hash);
      from.sent(chat, n, seq, seq, message, false);
      to.delivered(chat, seq, from.id(), hash, message, 0);
      from.receipt(chat, to.id().user(), seq, 0);
    }
    receivers.forEach(DeviceRecorder::online);
    long recorded = System.nanoTime();

    var report = HistoryChecker.check(history);

    long checked = System.nanoTime();
    System.out.printf(
        "history: recorded in %d ns an event, checked in %d ms: %s%n",
        (recorded - began) / events, (checked - recorded) / 1_000_000, report);
    assertThat(report.isClean()).isTrue();
    assertThat(report.totals().entries()).isEqualTo(events / 4);
    // Far above what it takes, so that only a change of its order fails.
    assertThat(Duration.ofNanos(checked - recorded)).isLessThan(Duration.ofSeconds(30));
  }
}

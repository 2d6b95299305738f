package io.tern.edge;

import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.router.PushQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Push notifications of a server without a push service: a log line says whom it would wake. Takes
/// every intent, keeps none. Dispatch threads; no locks.
///
/// Bound: one line a second; the next one says how many were left out.
final class ConsolePushQueue implements PushQueue {

  private static final long LINE_NANOS = 1_000_000_000L;

  private static final Logger log = LoggerFactory.getLogger(ConsolePushQueue.class);

  private final Counters counters;
  private final AtomicLong lastLine = new AtomicLong(System.nanoTime() - LINE_NANOS);
  private final AtomicLong leftOut = new AtomicLong();

  ConsolePushQueue(Counters counters) {
    this.counters = counters;
  }

  @Override
  public boolean offer(UserId user, ChatId chat, long seq) {
    counters.add(Count.PUSH_INTENTS);
    long last = lastLine.get();
    long now = System.nanoTime();
    if (now - last >= LINE_NANOS && lastLine.compareAndSet(last, now)) {
      long more = leftOut.getAndSet(0);
      log.info(
          "push to {}: chat {} has entry {}{}",
          user,
          chat,
          seq,
          more == 0 ? "" : " (and " + more + " more pushes)");
    } else {
      leftOut.incrementAndGet();
    }
    return true;
  }
}

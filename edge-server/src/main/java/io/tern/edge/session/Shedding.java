package io.tern.edge.session;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;

/// What is left undone first when the server has more than it can do: presence and typing, then
/// questions (history, chats, catch-up), then logins; messages last, when a ring is full.
///
/// How much there is to do is how full the fullest queue is (a shard's ring, the readers' queue).
/// Any thread; the queues are looked at every [#LOOK_NANOS] at most.
public final class Shedding {

  /// In the order in which they are shed, and from which fill of the fullest queue on, in percent.
  public enum Work {
    PRESENCE(25),
    QUESTIONS(50),
    LOGINS(75);

    private final int percent;

    Work(int percent) {
      this.percent = percent;
    }

    public int percent() {
      return percent;
    }
  }

  static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  private final IntSupplier fillPercent;
  private final LongSupplier nanoTime;
  private final AtomicLong lookAt;
  private volatile int fill;

  /// @param fillPercent of the fullest queue
  public Shedding(IntSupplier fillPercent, LongSupplier nanoTime) {
    this.fillPercent = fillPercent;
    this.nanoTime = nanoTime;
    this.lookAt = new AtomicLong(nanoTime.getAsLong());
  }

  /// Whether work of this kind is to be left undone now.
  public boolean sheds(Work work) {
    long now = nanoTime.getAsLong();
    long at = lookAt.get();
    if (now - at >= 0 && lookAt.compareAndSet(at, now + LOOK_NANOS)) {
      fill = fillPercent.getAsInt();
    }
    return fill >= work.percent;
  }
}

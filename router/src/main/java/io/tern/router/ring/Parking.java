package io.tern.router.ring;

import com.lmax.disruptor.AlertException;
import com.lmax.disruptor.Sequence;
import com.lmax.disruptor.SequenceBarrier;
import com.lmax.disruptor.TimeoutException;
import com.lmax.disruptor.WaitStrategy;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// How the two handlers of a ring wait: a short spin, then a park. Each of them is woken by the one
/// it waits for and by nobody else: prepare by a producer, dispatch by [#signalCommitted].
///
/// The Disruptor's own strategies do not fit: BlockingWaitStrategy spins on the other handler's
/// sequence for as long as a commit takes, and the sleeping ones wake up thousands of times a
/// second for nothing (docs/adr/0005).
///
/// A command that nobody waits for (an acknowledgement) starts no batch by itself: it waits up to
/// `lingerNanos` for one that somebody waits for, whose write and fsync carry it (docs/adr/0007).
///
/// No wake-up is lost: a waiter says that it parks and then looks again, a signaller moves the
/// sequence and then looks whether someone parks, with a full fence between the two on either side.
/// So at least one of them sees the other.
///
/// One instance belongs to one ring with one producer-side waiter and one behind it.
final class Parking implements WaitStrategy {

  /// A handler that waits. Its thread writes `parkedThread`, any thread takes it.
  private static final class Waiter {
    private static final VarHandle PARKED;

    static {
      try {
        PARKED = MethodHandles.lookup().findVarHandle(Waiter.class, "parkedThread", Thread.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    final long timeoutNanos;
    private volatile @Nullable Thread parkedThread;

    /// The sequence that is there and starts no batch yet; -1 when there is none. Written by the
    /// waiter.
    private volatile long lingersAt = -1;

    // The sequence that was there but not yet published when it was asked for, and how often.
    // Confined to the waiting thread.
    private long claimed = -1;
    private int claimedAsks;

    Waiter(long timeoutNanos) {
      this.timeoutNanos = timeoutNanos;
    }

    void wake() {
      VarHandle.fullFence();
      var parked = parkedThread;
      if (parked != null && PARKED.compareAndSet(this, parked, null)) {
        LockSupport.unpark(parked);
      }
    }
  }

  private static final VarHandle URGENT;

  static {
    try {
      URGENT = MethodHandles.lookup().findVarHandle(Parking.class, "urgent", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final int spins;
  private final long lingerNanos;

  /// The highest sequence of a command that somebody waits for.
  private volatile long urgent = -1;

  private final Waiter prepare = new Waiter(Long.MAX_VALUE);
  private final Waiter dispatch;

  /// @param spins looks before parking
  /// @param lingerNanos how long commands that nobody waits for wait for one that somebody does
  /// @param dispatchTimeoutNanos after which dispatch is told that nothing came; prepare waits for
  ///   as long as it takes
  Parking(int spins, long lingerNanos, long dispatchTimeoutNanos) {
    this.spins = spins;
    this.lingerNanos = lingerNanos;
    dispatch = new Waiter(dispatchTimeoutNanos);
  }

  @Override
  @SuppressWarnings("ReferenceEquality") // it is the very same sequence for who waits for producers
  public long waitFor(long sequence, Sequence cursor, Sequence dependent, SequenceBarrier barrier)
      throws AlertException, InterruptedException, TimeoutException {
    var waiter = dependent == cursor ? prepare : dispatch;
    long available = dependent.get();
    if (available >= sequence) {
      barrier.checkAlert();
      letProducerFinish(waiter, sequence);
    } else {
      available = await(waiter, sequence, dependent, barrier);
    }
    if (waiter == prepare && urgent < sequence) {
      linger(sequence, barrier);
      available = dependent.get();
    }
    return available;
  }

  private long await(Waiter waiter, long sequence, Sequence dependent, SequenceBarrier barrier)
      throws AlertException, InterruptedException, TimeoutException {
    for (int i = 0; i < spins; i++) {
      Thread.onSpinWait();
      long available = dependent.get();
      if (available >= sequence) {
        return available;
      }
    }
    return park(waiter, sequence, dependent, barrier);
  }

  /// Somebody waits for the command at `sequence`, which is about to be published. Any thread.
  void noteUrgent(long sequence) {
    long known = urgent;
    while (known < sequence && !URGENT.weakCompareAndSet(this, known, sequence)) {
      known = urgent;
    }
  }

  /// A producer has put something in. Any thread.
  @Override
  public void signalAllWhenBlocking() {
    VarHandle.fullFence();
    long lingersAt = prepare.lingersAt;
    if (lingersAt < 0 || urgent >= lingersAt) {
      prepare.wake();
    }
  }

  /// The prepare handler's sequence has moved. Prepare thread.
  void signalCommitted() {
    dispatch.wake();
  }

  /// Both shall look at their alerts. Any thread.
  void signalBoth() {
    prepare.wake();
    dispatch.wake();
  }

  private void linger(long sequence, SequenceBarrier barrier)
      throws AlertException, InterruptedException {
    long until = System.nanoTime() + lingerNanos;
    var me = Thread.currentThread();
    prepare.lingersAt = sequence;
    try {
      while (true) {
        prepare.parkedThread = me;
        VarHandle.fullFence();
        if (urgent >= sequence) {
          return;
        }
        barrier.checkAlert();
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
        long left = until - System.nanoTime();
        if (left <= 0) {
          return;
        }
        LockSupport.parkNanos(this, left);
      }
    } finally {
      prepare.parkedThread = null;
      prepare.lingersAt = -1;
    }
  }

  private long park(Waiter waiter, long sequence, Sequence dependent, SequenceBarrier barrier)
      throws AlertException, InterruptedException, TimeoutException {
    long began = System.nanoTime();
    var me = Thread.currentThread();
    try {
      while (true) {
        waiter.parkedThread = me;
        VarHandle.fullFence();
        long available = dependent.get();
        if (available >= sequence) {
          return available;
        }
        barrier.checkAlert();
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
        long left = waiter.timeoutNanos - (System.nanoTime() - began);
        if (left <= 0) {
          throw TimeoutException.INSTANCE;
        }
        LockSupport.parkNanos(this, left);
      }
    } finally {
      waiter.parkedThread = null;
    }
  }

  // The cursor moves when a producer claims a place, before it has filled it. Asked again for the
  // same place, the producer is between the two; if it is not running, it needs this core.
  @SuppressWarnings("ThreadPriorityCheck") // nothing hangs on the yield but a little time
  private static void letProducerFinish(Waiter waiter, long sequence) {
    if (waiter.claimed != sequence) {
      waiter.claimed = sequence;
      waiter.claimedAsks = 0;
    } else if (++waiter.claimedAsks < 50) {
      Thread.onSpinWait();
    } else {
      Thread.yield();
    }
  }
}

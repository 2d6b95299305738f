package io.tern.bench.micro;

import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.Origin;
import io.tern.router.RouterMetrics;
import io.tern.router.ring.Machine;
import io.tern.router.ring.Rounds;
import io.tern.router.ring.ShardRing;
import io.tern.store.Command;
import io.tern.store.Outcome;
import java.time.InstantSource;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// A command's way through a ring whose shard and dispatcher do nothing: from submit, over the
/// prepare thread and the dispatch thread, back to the submitter, which sleeps meanwhile. One at a
/// time that is three threads waking each other, what a quiet server adds to each message; in
/// bursts of 64 it is the hand-over itself.
@State(Scope.Thread)
@Fork(2)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class RingBenchmark {

  private static final int BURST = 64;

  private final Command command = new Command.Enrol(new DeviceId(new UserId(1), 1));
  private final Nothing nothing = new Nothing();
  private final ShardRing ring =
      new ShardRing(
          new ShardRing.Config(0, 0, 1 << 14, 1 << 24, 1024, 512 * 1024, 1_000),
          nothing,
          RouterMetrics.NONE,
          InstantSource.system(),
          (what, cause) -> {
            throw new IllegalStateException(what, cause);
          });
  private long submitted;

  @Setup
  public void start() {
    nothing.waiter = Thread.currentThread();
    ring.start(nothing);
  }

  @TearDown
  public void stop() {
    ring.close();
  }

  @Benchmark
  public void oneByOne() {
    submit(1);
  }

  @Benchmark
  @OperationsPerInvocation(BURST)
  public void burst() {
    submit(BURST);
  }

  private void submit(int commands) {
    nothing.awaited = submitted + commands;
    for (int i = 0; i < commands; i++) {
      if (!ring.submit(command, Origin.NOBODY)) {
        throw new IllegalStateException("the ring is full");
      }
    }
    submitted += commands;
    while (nothing.done < submitted) {
      LockSupport.park(this);
    }
  }

  /// A shard and a dispatcher that do nothing but count.
  private static final class Nothing implements Machine, Rounds {

    private volatile Thread waiter = Thread.currentThread();
    private volatile long awaited;
    private volatile long done;
    private long count;
    private long batches;

    @Override
    public Outcome prepare(Command command, long nowMillis) {
      return Outcome.Done.DONE;
    }

    @Override
    public void settle(long n) {
      // There is no outbox.
    }

    @Override
    public int openBytes() {
      return 0;
    }

    @Override
    public long commit() {
      return ++batches;
    }

    @Override
    public void on(Command command, Origin origin, Outcome outcome, long nowMillis) {
      if (!(command instanceof Command.Tick)) {
        count++;
      }
    }

    @Override
    public void endOfBatch(long n, long nowMillis) {
      done = count;
      if (count >= awaited) {
        LockSupport.unpark(waiter);
      }
    }

    @Override
    public void tick(long nowMillis) {
      // Nothing is watched.
    }

    @Override
    public boolean isFull() {
      return false;
    }
  }
}

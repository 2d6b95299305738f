package io.tern.router.ring;

import com.lmax.disruptor.BatchEventProcessor;
import com.lmax.disruptor.BatchEventProcessorBuilder;
import com.lmax.disruptor.BlockingWaitStrategy;
import com.lmax.disruptor.EventHandler;
import com.lmax.disruptor.LiteBlockingWaitStrategy;
import com.lmax.disruptor.RingBuffer;
import com.lmax.disruptor.Sequence;
import com.lmax.disruptor.SleepingWaitStrategy;
import com.lmax.disruptor.TimeoutBlockingWaitStrategy;
import com.lmax.disruptor.WaitStrategy;
import com.lmax.disruptor.YieldingWaitStrategy;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Measures how a ring with two handlers waits, by hand: it is no test. The first handler "commits"
/// at the end of each batch by parking for 200 µs, as an fsync does.
///
/// ```
/// java -cp … io.tern.router.ring.WaitHarness [seconds]
/// ```
///
/// For each strategy: CPU of both handlers while nothing happens, and while one event every 2 ms
/// comes; the time from publishing one event to dispatch over the 200 µs; and events a second with
/// the CPU of both handlers for each, when a producer keeps the ring busy.
final class WaitHarness {

  private static final long COMMIT_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

  private static final class Event {
    long published;
  }

  private record Case(String name, Supplier<WaitStrategy> strategy) {}

  private WaitHarness() {}

  public static void main(String[] args) throws Exception {
    int seconds = args.length == 0 ? 3 : Integer.parseInt(args[0]);
    var cases =
        new Case[] {
          new Case("Parking, 0 spins", () -> new Parking(0, 0, 1_000_000_000)),
          new Case("Parking, 100 spins", () -> new Parking(100, 0, 1_000_000_000)),
          new Case("Parking, 1,000 spins", () -> new Parking(1_000, 0, 1_000_000_000)),
          new Case("Blocking", BlockingWaitStrategy::new),
          new Case("LiteBlocking", LiteBlockingWaitStrategy::new),
          new Case(
              "TimeoutBlocking 1 s", () -> new TimeoutBlockingWaitStrategy(1, TimeUnit.SECONDS)),
          new Case("Sleeping", SleepingWaitStrategy::new),
          new Case("Yielding", YieldingWaitStrategy::new),
        };
    System.out.println(
        "| strategy | idle CPU % | CPU % at 500/s | hand-over p50 / p99 µs | events/s | CPU ns/event |");
    System.out.println("|---|---|---|---|---|---|");
    for (int round = 0; round < 2; round++) {
      for (var one : cases) {
        var line = measure(one, round == 0 ? 1 : seconds);
        if (round == 1) {
          System.out.println(line);
        }
      }
    }
  }

  private static String measure(Case one, int seconds) throws Exception {
    var bench = new Bench(one.strategy.get());
    long idle = bench.cpuOver(seconds, () -> LockSupport.parkNanos(100_000_000));
    var latencies = new long[seconds * 500];
    var at = new int[1];
    long slow =
        bench.cpuOver(
            seconds,
            () -> {
              long before = bench.dispatched.get();
              bench.publish();
              while (bench.dispatched.get() == before) {
                LockSupport.parkNanos(20_000);
              }
              if (at[0] < latencies.length) {
                latencies[at[0]++] = bench.lastNanos - COMMIT_NANOS;
              }
              LockSupport.parkNanos(2_000_000);
            });
    long events = bench.dispatched.get();
    long busy =
        bench.cpuOver(
            seconds,
            () -> {
              // As an event loop: a burst, then something else.
              for (int i = 0; i < 16; i++) {
                bench.publish();
              }
              LockSupport.parkNanos(200_000);
            });
    events = bench.dispatched.get() - events;
    bench.close();
    Arrays.sort(latencies, 0, at[0]);
    double wall = seconds * 1e9;
    return String.format(
        "| %s | %.2f | %.2f | %d / %d | %,d | %,d |",
        one.name,
        100 * idle / wall,
        100 * slow / wall,
        latencies[at[0] / 2] / 1_000,
        latencies[at[0] * 99 / 100] / 1_000,
        events / seconds,
        events == 0 ? 0 : busy / events);
  }

  /// A ring at work.
  private static final class Bench implements AutoCloseable {
    final AtomicLong dispatched = new AtomicLong();
    volatile long lastNanos;
    private final WaitStrategy strategy;
    private final RingBuffer<Event> ring;
    private final BatchEventProcessor<Event> prepare;
    private final BatchEventProcessor<Event> dispatch;
    private final Thread prepareThread;
    private final Thread dispatchThread;

    Bench(WaitStrategy strategy) {
      this.strategy = strategy;
      ring = RingBuffer.createMultiProducer(Event::new, 8_192, strategy);
      prepare = new BatchEventProcessorBuilder().build(ring, ring.newBarrier(), new Commit());
      dispatch =
          new BatchEventProcessorBuilder()
              .build(
                  ring,
                  ring.newBarrier(prepare.getSequence()),
                  (event, sequence, end) -> {
                    lastNanos = System.nanoTime() - event.published;
                    dispatched.incrementAndGet();
                  });
      ring.addGatingSequences(dispatch.getSequence());
      prepareThread = new Thread(prepare, "prepare");
      dispatchThread = new Thread(dispatch, "dispatch");
      prepareThread.start();
      dispatchThread.start();
    }

    void publish() {
      ring.publishEvent((event, sequence) -> event.published = System.nanoTime());
    }

    /// CPU of both handlers while `step` is repeated.
    long cpuOver(int seconds, Runnable step) {
      long cpu = cpu();
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
      while (System.nanoTime() < end) {
        step.run();
      }
      return cpu() - cpu;
    }

    private long cpu() {
      var threads = ManagementFactory.getThreadMXBean();
      return threads.getThreadCpuTime(prepareThread.threadId())
          + threads.getThreadCpuTime(dispatchThread.threadId());
    }

    @Override
    public void close() throws InterruptedException {
      prepare.halt();
      dispatch.halt();
      if (strategy instanceof Parking parking) {
        parking.signalBoth();
      }
      prepareThread.join();
      dispatchThread.join();
    }

    /// Holds each batch up as long as a commit.
    private final class Commit implements EventHandler<Event> {
      private @Nullable Sequence progress;

      @Override
      public void setSequenceCallback(Sequence sequenceCallback) {
        progress = sequenceCallback;
      }

      @Override
      public void onEvent(Event event, long sequence, boolean endOfBatch) {
        if (endOfBatch) {
          LockSupport.parkNanos(COMMIT_NANOS);
          if (progress != null) {
            progress.set(sequence);
          }
          // The others have nothing better: who waits for this handler is woken with the producers.
          if (strategy instanceof Parking parking) {
            parking.signalCommitted();
          } else {
            strategy.signalAllWhenBlocking();
          }
        }
      }
    }
  }
}

package io.tern.router.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.Origin;
import io.tern.router.RouterMetrics;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.Storage;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The ring with its real threads, over a machine and a dispatcher that only write down what
/// happens to them.
@Timeout(60)
class ShardRingTest {

  private static final DeviceId ALICE = new DeviceId(new UserId(1), 1);
  private static final ChatId CHAT = ChatId.direct(ALICE.user(), new UserId(2));

  private static final Duration SHORTLY = Duration.ofMillis(50);

  private final List<String> fatal = new CopyOnWriteArrayList<>();
  private @Nullable ShardRing open;

  @AfterEach
  void close() {
    if (open != null) {
      open.close();
    }
  }

  @Test
  void commandsAreExecutedAndDispatchedInOrderAfterTheirCommit() {
    var machine = new Notes();
    var rounds = new Rounded(machine);
    var ring = start(config(1_024), machine, rounds);

    for (int i = 1; i <= 500; i++) {
      assertThat(ring.submit(ack(i), Origin.NOBODY)).isTrue();
    }

    await().until(() -> rounds.acks.size() == 500);
    assertThat(rounds.acks).isSorted().doesNotHaveDuplicates();
    assertThat(machine.prepared).containsExactlyElementsOf(rounds.acks);
    assertThat(rounds.early.get()).as("dispatched before its commit").isZero();
  }

  @Test
  void whatGathersDuringACommitIsOneRound() {
    var machine = new Notes();
    machine.gate = new Semaphore(0);
    var rounds = new Rounded(machine);
    var ring = start(config(1_024), machine, rounds);
    ring.submit(ack(1), Origin.NOBODY);
    await().until(() -> machine.inCommit);
    for (int i = 2; i <= 100; i++) {
      ring.submit(ack(i), Origin.NOBODY);
    }

    machine.gate.release(1_000);

    await().until(() -> rounds.acks.size() == 100);
    assertThat(rounds.sizes).containsExactly(1, 99);
    assertThat(rounds.numbers).containsExactly(1L, 2L);
  }

  @Test
  void aBatchEndsAtItsBoundOfEvents() {
    var machine = new Notes();
    machine.gate = new Semaphore(0);
    var rounds = new Rounded(machine);
    var ring = start(config(1_024).withBatch(10, 1 << 20), machine, rounds);
    ring.submit(ack(1), Origin.NOBODY);
    await().until(() -> machine.inCommit);
    for (int i = 2; i <= 36; i++) {
      ring.submit(ack(i), Origin.NOBODY);
    }

    machine.gate.release(1_000);

    await().until(() -> rounds.acks.size() == 36);
    assertThat(rounds.sizes).containsExactly(1, 10, 10, 10, 5);
    assertThat(machine.commits.get()).isEqualTo(5);
  }

  @Test
  void aBatchEndsAtItsBoundOfBytes() {
    var machine = new Notes();
    machine.gate = new Semaphore(0);
    var rounds = new Rounded(machine);
    // Notes count 100 bytes an event.
    var ring = start(config(1_024).withBatch(1_000, 300), machine, rounds);
    ring.submit(ack(1), Origin.NOBODY);
    await().until(() -> machine.inCommit);
    for (int i = 2; i <= 8; i++) {
      ring.submit(ack(i), Origin.NOBODY);
    }

    machine.gate.release(1_000);

    await().until(() -> rounds.acks.size() == 8);
    assertThat(rounds.sizes).containsExactly(1, 3, 3, 1);
  }

  @Test
  void severalCommitsInOneRunOfDispatchStaySeparateRounds() {
    var machine = new Notes();
    var rounds = new Rounded(machine);
    rounds.gate = new Semaphore(0);
    var ring = start(config(1_024).withBatch(4, 1 << 20), machine, rounds);
    for (int i = 1; i <= 40; i++) {
      ring.submit(ack(i), Origin.NOBODY);
    }
    // Dispatch stands in its first round while prepare commits all the others.
    await().until(() -> machine.prepared.size() == 40 && !machine.inCommit);

    rounds.gate.release(1_000);

    await().until(() -> rounds.acks.size() == 40);
    assertThat(rounds.sizes.stream().mapToInt(Integer::intValue).sum()).isEqualTo(40);
    assertThat(rounds.sizes).allMatch(size -> size <= 4).hasSize(machine.commits.get());
    assertThat(rounds.early.get()).isZero();
  }

  @Test
  void aFullRingRefusesAndTakesAgainWhenThereIsRoom() {
    var machine = new Notes();
    machine.gate = new Semaphore(0);
    var rounds = new Rounded(machine);
    var refused = new AtomicInteger();
    var ring =
        start(
            config(8),
            machine,
            rounds,
            new RouterMetrics() {
              @Override
              public void onRefused(int shard) {
                refused.incrementAndGet();
              }
            });
    int accepted = 0;
    while (ring.submit(ack(accepted + 1), Origin.NOBODY)) {
      accepted++;
    }
    assertThat(accepted).isEqualTo(8);
    assertThat(ring.depth()).isEqualTo(8);
    assertThat(refused.get()).isEqualTo(1);

    machine.gate.release(1_000);

    await().until(() -> rounds.acks.size() == 8);
    await().until(() -> ring.submit(ack(9), Origin.NOBODY));
    await().until(() -> rounds.acks.size() == 9);
  }

  @Test
  void bodiesAreBoundedByBytes() {
    var machine = new Notes();
    machine.gate = new Semaphore(0);
    var rounds = new Rounded(machine);
    var ring = start(config(1_024).withBytes(10_000), machine, rounds);
    for (int i = 0; i < 10; i++) {
      assertThat(ring.submit(send(1_000), Origin.NOBODY)).isTrue();
    }
    assertThat(ring.submit(send(1), Origin.NOBODY)).isFalse();
    assertThat(ring.submit(ack(1), Origin.NOBODY)).as("has no body").isTrue();
    assertThat(ring.bytes()).isEqualTo(10_000);

    machine.gate.release(1_000);

    await().until(() -> ring.bytes() == 0);
    assertThat(ring.submit(send(10_000), Origin.NOBODY)).isTrue();
  }

  @Test
  void settledNumbersReachTheMachineWithTheNextBatch() {
    var machine = new Notes();
    var ring = start(config(64), machine, new Rounded(machine));
    ring.settle(41);
    ring.settle(42);

    ring.submit(ack(1), Origin.NOBODY);

    await().until(() -> machine.settled.size() == 2);
    assertThat(machine.settled).containsExactly(41L, 42L);
  }

  @Test
  void aSettledNumberNeedsNoCommandToReachTheMachine() {
    var machine = new Notes();
    var ring = start(config(64).withTick(SHORTLY), machine, new Rounded(machine));

    ring.settle(41);

    await().atMost(Duration.ofSeconds(20)).until(() -> machine.settled.contains(41L));
  }

  @Test
  void dispatchTicksWhileNothingHappens() {
    var machine = new Notes();
    var rounds = new Rounded(machine);
    start(config(64).withTick(SHORTLY), machine, rounds);

    await().atMost(Duration.ofSeconds(20)).until(() -> rounds.ticks.get() >= 2);
  }

  /// Without that the first of these ticks would come after five seconds, and the other one too.
  @Test
  void theShardHasATickAsSoonAsItHasSaidThatSomethingIsDue() {
    var clock = new AtomicLong(100);
    var machine = new Notes();
    machine.dueMillis = 1_000;
    var rounds = new Rounded(machine);
    start(
        config(64).withTick(Duration.ofMillis(500)),
        machine,
        rounds,
        () -> Instant.ofEpochMilli(clock.get()));

    await()
        .atMost(Duration.ofSeconds(4))
        .untilAsserted(() -> assertThat(machine.ticks).containsExactly(100L));
    int ticks = rounds.ticks.get();
    await().until(() -> rounds.ticks.get() >= ticks + 2);
    assertThat(machine.ticks).as("nothing is due").containsExactly(100L);

    clock.set(1_000);
    await()
        .atMost(Duration.ofSeconds(4))
        .untilAsserted(() -> assertThat(machine.ticks).containsExactly(100L, 1_000L));
    int more = rounds.ticks.get();
    await().until(() -> rounds.ticks.get() >= more + 2);
    assertThat(machine.ticks).as("nothing ever is").containsExactly(100L, 1_000L);
  }

  /// What a command brings may be due before anything that a tick has said.
  @Test
  void afterACommandTheShardHasATickThoughNothingIsDue() {
    var machine = new Notes();
    var ring =
        start(
            config(64).withTick(Duration.ofMillis(500)),
            machine,
            new Rounded(machine),
            InstantSource.system());
    await().until(() -> machine.ticks.size() == 1);

    ring.submit(ack(1), Origin.NOBODY);

    await().atMost(Duration.ofSeconds(4)).until(() -> machine.ticks.size() == 2);
  }

  @Test
  void closeLetsEverythingBeCommittedAndDispatched() {
    var machine = new Notes();
    machine.gate = new Semaphore(0);
    var rounds = new Rounded(machine);
    rounds.settles = true;
    var ring = start(config(1_024), machine, rounds);
    rounds.ring = ring;
    for (int i = 1; i <= 300; i++) {
      ring.submit(ack(i), Origin.NOBODY);
    }
    machine.gate.release(10_000);

    ring.close();

    assertThat(rounds.acks).hasSize(300);
    assertThat(machine.settled).as("what the last rounds settled").hasSameSizeAs(rounds.numbers);
    assertThat(ring.submit(ack(301), Origin.NOBODY)).isFalse();
    assertThat(threads("tern-shard-7", "tern-dispatch-7")).isEmpty();
  }

  @Test
  void aCommitThatFailsEndsTheProcessAndNothingOfItIsDispatched() {
    var machine = new Notes();
    machine.failCommit = true;
    var rounds = new Rounded(machine);
    var ring = start(config(64), machine, rounds);

    ring.submit(ack(1), Origin.NOBODY);

    await().until(() -> !fatal.isEmpty());
    assertThat(fatal.getFirst()).contains("shard 7").contains("prepare").contains("disk is gone");
    assertThat(ring.hasFailed()).isTrue();
    assertThat(ring.submit(ack(2), Origin.NOBODY)).isFalse();
    ring.close();
    assertThat(rounds.acks).isEmpty();
    assertThat(fatal).hasSize(1);
  }

  @Test
  void aBugInPrepareEndsTheProcessAndTheOpenBatchIsNotDispatched() {
    var machine = new Notes();
    machine.gate = new Semaphore(0);
    machine.bugAt = 3;
    var rounds = new Rounded(machine);
    var ring = start(config(64), machine, rounds);
    ring.submit(ack(1), Origin.NOBODY);
    await().until(() -> machine.inCommit);
    ring.submit(ack(2), Origin.NOBODY);
    ring.submit(ack(3), Origin.NOBODY);
    machine.gate.release(1_000);

    await().until(() -> !fatal.isEmpty());
    ring.close();
    assertThat(rounds.acks).containsExactly(1L);
  }

  @Test
  void aBugInDispatchEndsTheProcess() {
    var machine = new Notes();
    var rounds = new Rounded(machine);
    rounds.bug = true;
    var ring = start(config(64), machine, rounds);

    ring.submit(ack(1), Origin.NOBODY);

    await().until(() -> !fatal.isEmpty());
    assertThat(fatal.getFirst()).contains("dispatch");
    assertThat(ring.submit(ack(2), Origin.NOBODY)).isFalse();
  }

  @Test
  void whileTooMuchWaitsForOthersSendsAreRefusedAndTheRestGoesOn() {
    var machine = new Notes();
    var rounds = new Rounded(machine);
    rounds.full.set(true);
    var ring = start(config(64), machine, rounds);
    assertThat(ring.submit(send(1), Origin.NOBODY)).as("not known yet").isTrue();
    await().until(() -> !ring.submit(send(1), Origin.NOBODY));

    assertThat(ring.submit(ack(1), Origin.NOBODY)).isTrue();
    await().until(() -> rounds.acks.size() == 1);
    assertThat(ring.submit(send(1), Origin.NOBODY)).isFalse();

    rounds.full.set(false);
    ring.submit(ack(2), Origin.NOBODY);
    await().until(() -> ring.submit(send(1), Origin.NOBODY));
  }

  /// Two shards that waited for each other's would wait for ever.
  @Test
  void whatAnotherShardOwesIsTakenWhateverWaits() {
    var rounds = new Rounded(new Notes());
    rounds.full.set(true);
    var ring = start(config(64), rounds.machine, rounds);
    await().until(() -> !ring.submit(send(1), Origin.NOBODY));

    assertThat(ring.submit(new Command.Leave(CHAT, ALICE.user()), Origin.NOBODY)).isTrue();
    assertThat(ring.submit(new Command.TellRegistered(CHAT, ALICE, 1), Origin.NOBODY)).isTrue();
    assertThat(ring.submit(new Command.ListChat(ALICE.user(), CHAT), Origin.NOBODY)).isTrue();
    assertThat(ring.submit(new Command.SetBlock(CHAT, ALICE.user(), true, 1), Origin.NOBODY))
        .isTrue();
  }

  /// An acknowledgement is not timed, and often comes before the send that it waited for.
  @Test
  void aSendBehindAnAcknowledgementIsTimedToo() {
    var machine = new Notes();
    var gate = new Semaphore(0);
    machine.gate = gate;
    var rounds = new Rounded(machine);
    var taken = new CopyOnWriteArrayList<Long>();
    var ring =
        start(
            config(64),
            machine,
            rounds,
            new RouterMetrics() {
              @Override
              public void onTaken(int shard, long nanos) {
                taken.add(nanos);
              }
            });
    ring.submit(send(1), Origin.NOBODY);
    await().until(() -> machine.inCommit);
    ring.submit(ack(1), Origin.NOBODY);
    ring.submit(send(1), new Origin(null, 0, 0, System.nanoTime()));
    ring.submit(send(1), new Origin(null, 0, 0, System.nanoTime()));
    gate.release(10);

    await().until(() -> rounds.dispatched.get() == 4);
    assertThat(taken).singleElement().satisfies(nanos -> assertThat(nanos).isNotNegative());
  }

  /// Producers that pause at random make both handlers park again and again, prepare also where it
  /// waits for a send. Nothing else would ever wake them here: one lost wake-up, and this test does
  /// not end.
  @Test
  void noWakeUpIsLost() throws Exception {
    int producers = 3;
    int each = 10_000;
    var machine = new Notes();
    machine.silent = true;
    var rounds = new Rounded(machine);
    var ring = start(config(1_024), machine, rounds);
    var start = new CountDownLatch(1);
    var threads = new ArrayList<Thread>();
    for (int p = 0; p < producers; p++) {
      long seed = p + 1L;
      var thread =
          new Thread(() -> {
            awaitStart(start);
            long random = seed;
            for (int i = 0; i < each; i++) {
              Command command = (random >>> 63) == 0 ? ack(1) : send(1);
              while (!ring.submit(command, Origin.NOBODY)) {
                Thread.onSpinWait();
              }
              random = random * 6_364_136_223_846_793_005L + 1_442_695_040_888_963_407L;
              if ((random >>> 60) == 0) {
                // Until all is dispatched: both handlers are on their way to park.
                while (ring.depth() > 0) {
                  Thread.onSpinWait();
                }
              }
            }
          });
      thread.start();
      threads.add(thread);
    }
    start.countDown();
    for (var thread : threads) {
      thread.join();
    }

    await().until(() -> rounds.dispatched.get() == (long) producers * each);
  }

  // ---- plumbing

  private record Shape(int events, long bytes, int batchEvents, int batchBytes, Duration tick) {
    Shape withBatch(int batchEvents, int batchBytes) {
      return new Shape(events, bytes, batchEvents, batchBytes, tick);
    }

    Shape withBytes(long bytes) {
      return new Shape(events, bytes, batchEvents, batchBytes, tick);
    }

    Shape withTick(Duration tick) {
      return new Shape(events, bytes, batchEvents, batchBytes, tick);
    }
  }

  private static Shape config(int events) {
    return new Shape(events, 1 << 20, 1_024, 1 << 20, Duration.ofHours(1));
  }

  private ShardRing start(Shape shape, Notes machine, Rounded rounds) {
    return start(shape, machine, rounds, RouterMetrics.NONE);
  }

  private ShardRing start(Shape shape, Notes machine, Rounded rounds, RouterMetrics metrics) {
    return start(shape, machine, rounds, metrics, InstantSource.system());
  }

  private ShardRing start(Shape shape, Notes machine, Rounded rounds, InstantSource clock) {
    return start(shape, machine, rounds, RouterMetrics.NONE, clock);
  }

  private ShardRing start(
      Shape shape, Notes machine, Rounded rounds, RouterMetrics metrics, InstantSource clock) {
    var config =
        new ShardRing.Config(
            7,
            0,
            shape.events,
            shape.bytes,
            shape.batchEvents,
            shape.batchBytes,
            shape.tick.toMillis());
    var ring =
        new ShardRing(
            config,
            machine,
            metrics,
            clock,
            (what, cause) -> fatal.add(what + ": " + cause.getMessage()));
    ring.start(rounds);
    open = ring;
    return ring;
  }

  private static Command ack(long seq) {
    return new Command.Ack(ALICE, CHAT, seq);
  }

  private static Command send(int bytes) {
    return new Command.Send(ALICE, CHAT, new byte[bytes]);
  }

  private static void awaitStart(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static List<String> threads(String... names) {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(List.of(names)::contains)
        .toList();
  }

  /// Writes down what it is asked to do. Commits may be held up, or fail.
  private static final class Notes implements Machine {
    final List<Long> prepared = new CopyOnWriteArrayList<>();
    final List<Long> settled = new CopyOnWriteArrayList<>();
    volatile @Nullable Semaphore gate;
    volatile boolean inCommit;
    volatile boolean failCommit;

    /// For very many commands.
    volatile boolean silent;

    volatile long bugAt = -1;

    /// When something is due that the next tick does.
    volatile long dueMillis = Long.MAX_VALUE;

    /// When each tick was.
    final List<Long> ticks = new CopyOnWriteArrayList<>();

    final AtomicInteger commits = new AtomicInteger();
    volatile long committedSeq;
    private long lastSeq;
    private long n;
    private int events;

    @Override
    public Outcome prepare(Command command, long nowMillis) {
      if (command instanceof Command.Ack ack) {
        if (ack.seq() == bugAt) {
          throw new IllegalStateException("bug");
        }
        if (!silent) {
          prepared.add(ack.seq());
        }
        lastSeq = ack.seq();
      }
      events++;
      if (command instanceof Command.Tick) {
        ticks.add(nowMillis);
        return new Outcome.Ticked(
            List.of(), false, nowMillis < dueMillis ? dueMillis : Long.MAX_VALUE);
      }
      return Outcome.Done.DONE;
    }

    @Override
    public void settle(long number) {
      settled.add(number);
    }

    @Override
    public int openBytes() {
      return events * 100;
    }

    @Override
    public long commit() {
      inCommit = true;
      if (failCommit) {
        throw new Storage.LostDurability("disk is gone", new RuntimeException());
      }
      if (gate != null) {
        gate.acquireUninterruptibly();
      }
      events = 0;
      committedSeq = lastSeq;
      commits.incrementAndGet();
      inCommit = false;
      return ++n;
    }
  }

  /// Writes down the rounds.
  private static final class Rounded implements Rounds {
    final List<Long> acks = new CopyOnWriteArrayList<>();
    final List<Integer> sizes = new CopyOnWriteArrayList<>();
    final List<Long> numbers = new CopyOnWriteArrayList<>();
    final AtomicInteger ticks = new AtomicInteger();
    final AtomicBoolean full = new AtomicBoolean();
    final AtomicLong dispatched = new AtomicLong();
    volatile @Nullable Semaphore gate;
    volatile boolean bug;
    volatile boolean settles;
    volatile @Nullable ShardRing ring;
    final AtomicInteger early = new AtomicInteger();
    private final Notes machine;
    private int size;
    private boolean housekeeping;

    Rounded(Notes machine) {
      this.machine = machine;
    }

    @Override
    public void on(Command command, Origin origin, Outcome outcome, long nowMillis) {
      if (bug) {
        throw new IllegalStateException("bug");
      }
      if (!(command instanceof Command.Tick)) {
        dispatched.incrementAndGet();
      }
      if (command instanceof Command.Ack ack) {
        if (ack.seq() > machine.committedSeq) {
          early.incrementAndGet();
        }
        if (gate != null) {
          gate.acquireUninterruptibly();
        }
        if (!machine.silent) {
          acks.add(ack.seq());
        }
      } else {
        housekeeping = command instanceof Command.Tick;
      }
      size++;
    }

    @Override
    public void endOfBatch(long n, long nowMillis) {
      if (!housekeeping && !machine.silent) {
        sizes.add(size);
        numbers.add(n);
        var owner = ring;
        if (settles && owner != null) {
          owner.settle(n);
        }
      }
      housekeeping = false;
      size = 0;
    }

    @Override
    public void tick(long nowMillis) {
      ticks.incrementAndGet();
    }

    @Override
    public boolean isFull() {
      return full.get();
    }
  }
}

package io.tern.router.ring;

import com.lmax.disruptor.BatchEventProcessor;
import com.lmax.disruptor.BatchEventProcessorBuilder;
import com.lmax.disruptor.EventHandler;
import com.lmax.disruptor.ExceptionHandler;
import com.lmax.disruptor.InsufficientCapacityException;
import com.lmax.disruptor.RingBuffer;
import com.lmax.disruptor.Sequence;
import io.tern.router.Commands;
import io.tern.router.Origin;
import io.tern.router.Router;
import io.tern.router.RouterMetrics;
import io.tern.store.Command;
import io.tern.store.Outcome;
import java.time.InstantSource;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One shard's ring and its two threads.
///
/// ```
/// any thread ──submit──► [ ring ] ──► prepare: Machine.prepare …, commit ──► dispatch: Rounds
///                                        ▲                                       │
///                                        └───────── settled outbox numbers ──────┘
/// ```
///
/// What gathers while a commit is in flight is the next batch, so batches grow with load and need
/// no timer; only acknowledgements wait a moment for a send to be committed with. Dispatch sees an
/// event only after the commit of its batch, and is told where each batch ends.
///
/// Bounds: `events` commands and `bytes` of their bodies; beyond, [#submit] refuses, as it does
/// what is owed to others (sends, changes of groups and settings) while dispatch says that too much
/// waits for others ([Rounds#isFull]). The queue of settled numbers holds one number per batch that
/// was in the outbox.
///
/// A handler that throws ends the ring for good: nothing of the open batch reaches dispatch, every
/// later submit is refused, and [Router.Fatal] is called to end the process.
public final class ShardRing implements Commands, AutoCloseable {

  /// Which shard, and the bounds.
  ///
  /// @param shard its number, for names
  /// @param slot any slot of the shard, for its housekeeping
  /// @param tickMillis how often dispatch looks after its watch
  public record Config(
      int shard,
      int slot,
      int events,
      long bytes,
      int batchEvents,
      int batchBytes,
      long tickMillis) {}

  private static final Logger LOG = LoggerFactory.getLogger(ShardRing.class);

  private static final int SPINS = 0;

  /// How long acknowledgements wait for a send (docs/adr/0007, 0017): a *delivered* receipt may be
  /// so much later. While many log in, 2 ms woke a shard three times as often as 10.
  private static final long LINGER_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  /// Every so many ticks the shard has one, whatever there is to do: operators see from it that the
  /// ring turns ([Router.Health#sinceCommitMillis]).
  private static final int QUIET_TICKS = 10;

  private static final long CLOSE_LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

  private final Config config;
  private final Machine machine;
  private final RouterMetrics metrics;
  private final InstantSource clock;
  private final Router.Fatal fatal;

  private final Parking parking;
  private final RingBuffer<ShardEvent> ring;
  private final AtomicLong bytesInRing = new AtomicLong();
  private final ConcurrentLinkedQueue<Long> settled = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean failed = new AtomicBoolean();
  private volatile boolean closed;

  /// Dispatch has too much that waits for others: sends are refused, everything else goes on.
  private volatile boolean full;

  private volatile long lastCommitNanos = System.nanoTime();

  private final Prepare prepare = new Prepare();
  private final BatchEventProcessor<ShardEvent> prepareProcessor;
  private final Thread prepareThread;
  private @Nullable BatchEventProcessor<ShardEvent> dispatchProcessor;
  private @Nullable Thread dispatchThread;

  public ShardRing(
      Config config,
      Machine machine,
      RouterMetrics metrics,
      InstantSource clock,
      Router.Fatal fatal) {
    this.config = config;
    this.machine = machine;
    this.metrics = metrics;
    this.clock = clock;
    this.fatal = fatal;
    parking = new Parking(SPINS, LINGER_NANOS, TimeUnit.MILLISECONDS.toNanos(config.tickMillis()));
    ring = RingBuffer.createMultiProducer(ShardEvent::new, config.events(), parking);
    prepareProcessor = new BatchEventProcessorBuilder().build(ring, ring.newBarrier(), prepare);
    prepareProcessor.setExceptionHandler(new EndsTheProcess("prepare"));
    prepareThread = new Thread(run(prepareProcessor), "tern-shard-" + config.shard());
  }

  /// Starts the threads. Once. Commands submitted before are executed then.
  public void start(Rounds rounds) {
    var dispatch = new Dispatch(rounds);
    var processor =
        new BatchEventProcessorBuilder()
            .build(ring, ring.newBarrier(prepareProcessor.getSequence()), dispatch);
    processor.setExceptionHandler(new EndsTheProcess("dispatch"));
    ring.addGatingSequences(processor.getSequence());
    dispatchProcessor = processor;
    var thread = new Thread(run(processor), "tern-dispatch-" + config.shard());
    dispatchThread = thread;
    prepareThread.start();
    thread.start();
  }

  @Override
  public boolean submit(Command command, Origin origin) {
    if (closed || failed.get()) {
      return false;
    }
    if ((full && command.isOwedToOthers()) || !publish(command, origin)) {
      metrics.onRefused(config.shard());
      return false;
    }
    return true;
  }

  /// The outbox record `n` is done; the next batch deletes it. Any thread.
  public void settle(long n) {
    settled.add(n);
  }

  /// Commands in the ring that dispatch has not finished.
  public long depth() {
    var dispatch = dispatchProcessor;
    return dispatch == null
        ? ring.getCursor() + 1
        : ring.getCursor() - dispatch.getSequence().get();
  }

  /// Bytes of the bodies of those commands.
  public long bytes() {
    return bytesInRing.get();
  }

  /// Whether nothing waits for a commit.
  public boolean isIdle() {
    return ring.getCursor() <= prepareProcessor.getSequence().get();
  }

  /// Of a clock without a meaning of its own ([System#nanoTime]).
  public long lastCommitNanos() {
    return lastCommitNanos;
  }

  public boolean hasFailed() {
    return failed.get();
  }

  /// Lets what was submitted before be committed and dispatched, then stops the threads. A submit
  /// that races with this may go unanswered, as in a crash. Not for the ring's own threads.
  @Override
  public void close() {
    closed = true;
    if (dispatchThread == null) {
      return;
    }
    drain();
    if (!settled.isEmpty() && publish(new Command.Tick(config.slot(), false), Origin.NOBODY)) {
      drain();
    }
    prepareProcessor.halt();
    Objects.requireNonNull(dispatchProcessor).halt();
    parking.signalBoth();
    join(prepareThread);
    join(Objects.requireNonNull(dispatchThread));
  }

  private boolean publish(Command command, Origin origin) {
    int bytes = command.bodyBytes();
    if (bytes > 0 && bytesInRing.addAndGet(bytes) > config.bytes()) {
      bytesInRing.addAndGet(-bytes);
      return false;
    }
    long sequence;
    try {
      sequence = ring.tryNext();
    } catch (InsufficientCapacityException full) {
      if (bytes > 0) {
        bytesInRing.addAndGet(-bytes);
      }
      return false;
    }
    ShardEvent event = ring.get(sequence);
    event.command = command;
    event.origin = origin;
    event.bytes = bytes;
    if (isWaitedFor(command)) {
      parking.noteUrgent(sequence);
    }
    ring.publish(sequence);
    return true;
  }

  /// Whether somebody waits for the outcome. Watermarks are told to others, who do not; that a
  /// device is there is told to nobody.
  private static boolean isWaitedFor(Command command) {
    return !(command instanceof Command.Ack
        || command instanceof Command.Read
        || command instanceof Command.Seen);
  }

  private void drain() {
    long target = ring.getCursor();
    var done = Objects.requireNonNull(dispatchProcessor).getSequence();
    while (done.get() < target && !failed.get()) {
      LockSupport.parkNanos(this, CLOSE_LOOK_NANOS);
    }
  }

  private static void join(Thread thread) {
    if (thread == Thread.currentThread()) {
      return;
    }
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static Runnable run(BatchEventProcessor<ShardEvent> processor) {
    return () -> {
      try {
        processor.run();
      } catch (HandlerDied e) {
        // EndsTheProcess has said why.
      }
    };
  }

  /// The single writer: executes commands and commits them.
  private final class Prepare implements EventHandler<ShardEvent> {

    private @Nullable Sequence progress;
    private int events;
    private long nowMillis;
    private long takenNanos;

    /// Whether it has been told how long this batch waited.
    private boolean takenTold;

    @Override
    public void setSequenceCallback(Sequence sequenceCallback) {
      progress = sequenceCallback;
    }

    @Override
    public void onEvent(ShardEvent event, long sequence, boolean endOfBatch) {
      if (events == 0) {
        nowMillis = clock.millis();
        takenNanos = System.nanoTime();
        takenTold = false;
        for (Long n = settled.poll(); n != null; n = settled.poll()) {
          machine.settle(n);
        }
      }
      long since = event.origin.sinceNanos();
      if (since != 0 && !takenTold) {
        // The first that is timed: an acknowledgement, which is not, may have waited for it.
        takenTold = true;
        metrics.onTaken(config.shard(), Math.max(0, takenNanos - since));
      }
      event.outcome = machine.prepare(Objects.requireNonNull(event.command), nowMillis);
      events++;
      if (endOfBatch
          || events >= config.batchEvents()
          || machine.openBytes() >= config.batchBytes()) {
        commit(event, sequence);
      }
    }

    private void commit(ShardEvent last, long sequence) {
      int batchEvents = events;
      int batchBytes = machine.openBytes();
      long began = System.nanoTime();
      metrics.onPrepared(config.shard(), began - takenNanos);
      long n = machine.commit();
      long now = System.nanoTime();
      lastCommitNanos = now;
      last.last = true;
      last.batch = n;
      last.committedNanos = now;
      last.syncNanos = now - began;
      events = 0;
      Objects.requireNonNull(progress).set(sequence);
      parking.signalCommitted();
      metrics.onCommit(config.shard(), batchEvents, batchBytes, now - began);
    }
  }

  /// Tells of what has been committed, one round per commit.
  private final class Dispatch implements EventHandler<ShardEvent> {

    private final Rounds rounds;
    private @Nullable Sequence progress;
    private int events;
    private long bytes;
    private long nowMillis;
    private long tickedAt = monotonicMillis();
    private long shardTickedAt = tickedAt;
    private boolean active;

    /// A tick has left something that has expired.
    private boolean expired;

    /// When the shard has something to do though nobody asks, as its ticks have said since the last
    /// one was given to it. A former life may have left something.
    private long dueMillis = Long.MIN_VALUE;

    Dispatch(Rounds rounds) {
      this.rounds = rounds;
    }

    @Override
    public void setSequenceCallback(Sequence sequenceCallback) {
      progress = sequenceCallback;
    }

    @Override
    public void onEvent(ShardEvent event, long sequence, boolean endOfBatch) {
      if (events == 0) {
        nowMillis = monotonicMillis();
      }
      Command command = Objects.requireNonNull(event.command);
      Outcome outcome = Objects.requireNonNull(event.outcome);
      rounds.on(command, event.origin, outcome, nowMillis);
      // What a command has brought to the shard no tick before knew of.
      active |= !(command instanceof Command.Tick);
      if (outcome instanceof Outcome.Ticked ticked) {
        expired |= ticked.more();
        dueMillis = Math.min(dueMillis, ticked.dueMillis());
      }
      events++;
      bytes += event.bytes;
      boolean last = event.last;
      long n = event.batch;
      long committedNanos = event.committedNanos;
      long syncNanos = event.syncNanos;
      event.clear();
      if (last) {
        rounds.committed(events, syncNanos, committedNanos);
        endOfRound(n, committedNanos, sequence);
      }
    }

    @Override
    public void onTimeout(long sequence) {
      tick(monotonicMillis());
    }

    private void endOfRound(long n, long committedNanos, long sequence) {
      rounds.endOfBatch(n, nowMillis);
      metrics.onDispatched(config.shard(), events, System.nanoTime() - committedNanos);
      events = 0;
      if (bytes > 0) {
        bytesInRing.addAndGet(-bytes);
        bytes = 0;
      }
      if (nowMillis - tickedAt >= config.tickMillis()) {
        tick(nowMillis);
      }
      // Places are free as soon as their round is done, not only when dispatch has caught up.
      Objects.requireNonNull(progress).set(sequence);
      noteFull();
      // One with each batch: so erasing keeps pace with sending, whatever the load.
      if (expired && !closed) {
        expired = !publish(new Command.Tick(config.slot(), false, true), Origin.NOBODY);
      }
    }

    private void tick(long now) {
      tickedAt = now;
      rounds.tick(now);
      noteFull();
      if (active
          || !settled.isEmpty()
          || clock.millis() >= dueMillis
          || now - shardTickedAt >= QUIET_TICKS * config.tickMillis()) {
        // A full ring has commands whose batches do the same work.
        if (!closed && publish(new Command.Tick(config.slot(), false), Origin.NOBODY)) {
          shardTickedAt = now;
          active = false;
          dueMillis = Long.MAX_VALUE;
        }
      }
    }

    private void noteFull() {
      boolean now = rounds.isFull();
      if (now != full) {
        full = now;
        if (now) {
          LOG.warn(
              "shard {} takes no sends: too much waits for the push queue or other shards",
              config.shard());
        } else {
          LOG.info("shard {} takes sends again", config.shard());
        }
      }
    }

    private static long monotonicMillis() {
      return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
    }
  }

  /// What a handler threw is a bug, or a disk that broke its word. Going on could acknowledge what
  /// is not there, and stopping quietly would leave senders waiting for ever.
  private final class EndsTheProcess implements ExceptionHandler<ShardEvent> {

    private final String handler;

    EndsTheProcess(String handler) {
      this.handler = handler;
    }

    @Override
    public void handleEventException(Throwable ex, long sequence, @Nullable ShardEvent event) {
      if (failed.compareAndSet(false, true)) {
        String what = "shard " + config.shard() + " cannot go on: " + handler + " failed";
        LOG.error("{}", what, ex);
        fatal.onFatal(what, ex);
      }
      throw new HandlerDied(ex);
    }

    @Override
    public void handleOnStartException(Throwable ex) {
      handleEventException(ex, -1, null);
    }

    @Override
    public void handleOnShutdownException(Throwable ex) {
      LOG.warn("shard {}: {} did not stop cleanly", config.shard(), handler, ex);
    }
  }

  private static final class HandlerDied extends RuntimeException {
    private static final long serialVersionUID = 1;

    HandlerDied(Throwable cause) {
      super(cause);
    }
  }
}

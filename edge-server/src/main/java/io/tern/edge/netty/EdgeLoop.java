package io.tern.edge.netty;

import io.netty.channel.EventLoop;
import io.netty.channel.SingleThreadEventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import io.tern.edge.logging.Wordless;
import io.tern.edge.metrics.Count;
import io.tern.edge.session.CloseReason;
import io.tern.edge.session.EdgeContext;
import io.tern.edge.session.HeldAcks;
import io.tern.edge.session.Leaving;
import io.tern.edge.session.Sampler;
import io.tern.edge.session.SessionLogic;
import io.tern.edge.session.SessionTable;
import io.tern.edge.session.StageWatch.Stage;
import io.tern.protocol.FrameHeader;
import io.tern.router.Delivery;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What the connections of one event loop share: their table, scratch space, the end of each pass,
/// and the sweep for deadlines. Confined to the loop, except [#post].
///
/// **A pass** is one round of the loop: what sockets brought, then the tasks that wait (deliveries
/// from dispatch threads, answers of readers). Frames written anywhere in it gather per connection,
/// and the end of the pass writes each connection once. So a connection costs one `send` a pass,
/// however many answers, entries and receipts it got.
///
/// **A round** serves what goes to many: all that waits when it begins, [#RECIPIENTS_A_PASS]
/// sessions a pass, and then writes to all of them, [#WRITES_A_PASS] a pass. Between its passes the
/// loop reads sockets and answers senders. A session that gets five messages of its group in a
/// round still costs one `send`. Measured in `bench/run --only fanout`, see docs/performance.md.
///
/// **Clients that hang up** are let go [#ENDS_A_PASS] a pass, in the order in which they did.
final class EdgeLoop {

  private static final long SWEEP_MILLIS = 500;

  /// How often sessions are told to leave while the edge is drained.
  private static final long LEAVING_MILLIS = 50;

  /// What goes to no more sessions than this is handed over at once.
  private static final int FEW = 64;

  /// No more sessions than this that wait to be served are overtaken by an answer to a sender:
  /// about 50 ms of work. With half of it senders wait now and then at 80 % of the peak already;
  /// without a bound the peak falls to a fifth (docs/adr/0010).
  private static final int AHEAD = 65_536;

  /// About 0.1 ms.
  private static final int RECIPIENTS_A_PASS = 192;

  /// About 0.4 ms: a write to the socket of somebody in the same machine takes 10 µs. A SEND lies
  /// in its socket for as long as a pass takes, and so does its answer. 128 took a millisecond and
  /// a half: senders waited 4 ms in the median beside a large group instead of 2.6
  /// (docs/performance.md).
  private static final int WRITES_A_PASS = 32;

  /// A millisecond or two over TLS. Where a process ends that held 15,000 connections, they would
  /// else be one pass of a second.
  private static final int ENDS_A_PASS = 16;

  private static final long PAUSE_FROM_NANOS = 2_000_000;
  private static final long PAUSE_NANOS_MAX = 15_000_000;

  private static final Logger log = LoggerFactory.getLogger(EdgeLoop.class);

  private final EventLoop eventLoop;
  private final EdgeContext edge;
  private final Admission admission;
  private final SessionTable sessions;
  private final Sampler sampler;
  private final HeldAcks acks;
  private final FrameHeader header = new FrameHeader();

  private ArrayList<Connection> touched = new ArrayList<>();
  private ArrayList<Connection> finishing = new ArrayList<>();

  /// Touched by the round, to be written at its end.
  private final ArrayDeque<Connection> served = new ArrayDeque<>();

  /// Deliveries of this round that wait for their turn.
  private int roundLeft;

  private long roundBegan;

  /// When the next round may begin.
  private long roundDue;

  private boolean serving;
  private boolean workScheduled;
  private final Runnable work = this::work;
  private boolean passEnds;

  /// When the bus handed over the first batch that this pass writes; 0 = none.
  private long passHanded;

  /// The same of this round, and of the next one.
  private long roundHanded;

  private long nextRoundHanded;

  private final Runnable endOfPass = this::endOfPass;

  /// Connections whose clients have closed their side.
  private final ArrayDeque<Connection> hungUp = new ArrayDeque<>();

  private boolean endsScheduled;
  private final Runnable endSome = this::endSome;

  private @Nullable ScheduledFuture<?> sweep;

  private final Leaving leaving;
  private @Nullable ScheduledFuture<?> leaves;

  EdgeLoop(int index, EventLoop eventLoop, EdgeContext edge, Admission admission) {
    this.eventLoop = eventLoop;
    this.edge = edge;
    this.admission = admission;
    this.sessions = new SessionTable(index, edge, FEW, AHEAD);
    this.sampler = new Sampler(edge.stages(), edge.trace().writer());
    this.acks =
        new HeldAcks(
            edge, (millis, task) -> eventLoop.schedule(task, millis, TimeUnit.MILLISECONDS));
    this.leaving = new Leaving(edge.drain(), sessions);
  }

  EventLoop eventLoop() {
    return eventLoop;
  }

  EdgeContext edge() {
    return edge;
  }

  Admission admission() {
    return admission;
  }

  SessionTable sessions() {
    return sessions;
  }

  Sampler sampler() {
    return sampler;
  }

  HeldAcks acks() {
    return acks;
  }

  /// Scratch space for one frame.
  FrameHeader header() {
    return header;
  }

  Leaving leaving() {
    return leaving;
  }

  /// A drain has begun. Any thread.
  void leave() {
    try {
      eventLoop.execute(() -> {
        if (leaves == null) {
          leaves =
              eventLoop.scheduleWithFixedDelay(
                  this::tickLeaving, 0, LEAVING_MILLIS, TimeUnit.MILLISECONDS);
        }
      });
    } catch (RejectedExecutionException e) {
      // The loop has shut down, and its sessions with it.
      log.debug("too late to drain");
    }
  }

  private void tickLeaving() {
    ScheduledFuture<?> ticks = leaves;
    if (!leaving.tick(edge.nanoTime().getAsLong()) && ticks != null) {
      leaves = null;
      ticks.cancel(false);
    }
  }

  void add(SessionLogic session) {
    sessions.add(session);
    if (sweep == null) {
      sweep =
          eventLoop.scheduleWithFixedDelay(
              this::sweep, SWEEP_MILLIS, SWEEP_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  /// Called when the connection's channel is gone.
  void remove(SessionLogic session) {
    sessions.remove(session);
    if (sessions.size() == 0 && sweep != null) {
      sweep.cancel(false);
      sweep = null;
    }
  }

  /// Takes what a shard's batch has for this loop's sessions. Any thread; one hop of the loop's
  /// queue for the whole batch.
  void post(List<Delivery> batch) {
    long handed = edge.nanoTime().getAsLong();
    try {
      eventLoop.execute(() -> deliver(batch, handed));
    } catch (RejectedExecutionException e) {
      // The loop has shut down, and its sessions with it.
      edge.counters().add(Count.DELIVERIES_PASSED_OVER, batch.size());
    }
  }

  private void deliver(List<Delivery> batch, long handed) {
    sessions.take(batch, edge.nanoTime().getAsLong());
    if (sessions.hasWaiting()) {
      if (nextRoundHanded == 0) {
        nextRoundHanded = handed;
      }
    } else if (passEnds && passHanded == 0) {
      passHanded = handed;
    }
    if (sessions.hasWaiting() && !isInRound() && !workScheduled) {
      beginRound();
    }
  }

  private void beginRound() {
    long pause = roundDue - edge.nanoTime().getAsLong();
    if (pause > 0) {
      workScheduled = true;
      eventLoop.schedule(work, pause, TimeUnit.NANOSECONDS);
    } else {
      work();
    }
  }

  private boolean isInRound() {
    return roundLeft > 0 || !served.isEmpty();
  }

  /// One pass of a round.
  private void work() {
    workScheduled = false;
    long now = edge.nanoTime().getAsLong();
    if (!isInRound()) {
      roundLeft = sessions.waiting();
      roundBegan = now;
      roundHanded = nextRoundHanded;
      nextRoundHanded = 0;
    }
    if (roundLeft > 0) {
      serving = true;
      try {
        roundLeft -= sessions.work(RECIPIENTS_A_PASS, roundLeft, now);
      } finally {
        serving = false;
      }
      // Not with the round: what an answer waits for is over.
      sessions.answer(now);
    }
    if (roundLeft == 0) {
      for (int i = 0; i < WRITES_A_PASS && !served.isEmpty(); i++) {
        served.remove().onServed();
      }
    }
    if (isInRound()) {
      scheduleEndOfPass();
    } else {
      took(roundHanded);
      roundHanded = 0;
      roundDue = now + pauseAfter(now - roundBegan);
      if (sessions.hasWaiting()) {
        beginRound();
      }
    }
  }

  /// A long round is followed by a pause as long as itself, in which more gathers for the next one.
  private static long pauseAfter(long roundNanos) {
    return roundNanos < PAUSE_FROM_NANOS ? 0 : Math.min(roundNanos, PAUSE_NANOS_MAX);
  }

  /// Whether what is written now waits for the end of the round.
  boolean isServing() {
    return serving;
  }

  /// `connection` has something to do at the end of this pass, or, with what a round brings, at the
  /// end of the round. Says whether it is this pass.
  boolean touch(Connection connection) {
    if (serving) {
      served.add(connection);
      return false;
    }
    touched.add(connection);
    scheduleEndOfPass();
    return true;
  }

  /// `connection` is to be closed: in this pass, unless many are.
  void onHungUp(Connection connection) {
    hungUp.add(connection);
    scheduleEnds();
  }

  private void scheduleEnds() {
    if (!endsScheduled) {
      endsScheduled = true;
      eventLoop.execute(endSome);
    }
  }

  private void endSome() {
    endsScheduled = false;
    for (int i = 0; i < ENDS_A_PASS && !hungUp.isEmpty(); i++) {
      hungUp.remove().close();
    }
    if (!hungUp.isEmpty()) {
      scheduleEndOfPass();
    }
  }

  private void scheduleEndOfPass() {
    if (passEnds) {
      return;
    }
    passEnds = true;
    if (eventLoop instanceof SingleThreadEventLoop loop) {
      // After every task that waits now, so that deliveries join the answers in one write.
      loop.executeAfterEventLoopIteration(endOfPass);
    } else {
      eventLoop.execute(endOfPass);
    }
  }

  private void endOfPass() {
    passEnds = false;
    ArrayList<Connection> now = touched;
    touched = finishing;
    finishing = now;
    long nanos = edge.nanoTime().getAsLong();
    for (int i = 0; i < now.size(); i++) {
      now.get(i).endOfPass(nanos);
    }
    now.clear();
    took(passHanded);
    passHanded = 0;
    edge.counters().add(Count.PASSES);
    if (!touched.isEmpty()) {
      scheduleEndOfPass();
    }
    if (!hungUp.isEmpty()) {
      scheduleEnds();
    }
    if (!workScheduled && isInRound()) {
      // A task, so that sockets are looked at before it.
      workScheduled = true;
      eventLoop.execute(work);
    }
  }

  private void took(long handed) {
    if (handed != 0) {
      edge.stages().took(Stage.BUS_TO_WRITE, edge.nanoTime().getAsLong() - handed);
    }
  }

  private void sweep() {
    long now = edge.nanoTime().getAsLong();
    sessions.sweep(now);
    // Closing a channel takes its session off the table later, not while this looks.
    for (SessionLogic session : sessions.all()) {
      try {
        session.onSweep(now);
      } catch (RuntimeException e) {
        log.error("sweep of session {}", session.id(), Wordless.of(e));
        session.disconnect(CloseReason.INTERNAL, "", now);
      }
    }
  }
}

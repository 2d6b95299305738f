package io.tern.edge.netty;

import io.netty.channel.EventLoop;
import io.netty.channel.SingleThreadEventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import io.tern.edge.metrics.Count;
import io.tern.edge.session.CloseReason;
import io.tern.edge.session.EdgeContext;
import io.tern.edge.session.Sampler;
import io.tern.edge.session.SessionLogic;
import io.tern.edge.session.SessionTable;
import io.tern.protocol.FrameHeader;
import io.tern.router.Delivery;
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
final class EdgeLoop {

  private static final long SWEEP_MILLIS = 500;

  private static final Logger log = LoggerFactory.getLogger(EdgeLoop.class);

  private final EventLoop eventLoop;
  private final EdgeContext edge;
  private final Admission admission;
  private final SessionTable sessions;
  private final Sampler sampler;
  private final FrameHeader header = new FrameHeader();

  private ArrayList<Connection> touched = new ArrayList<>();
  private ArrayList<Connection> finishing = new ArrayList<>();
  private boolean passEnds;
  private final Runnable endOfPass = this::endOfPass;
  private @Nullable ScheduledFuture<?> sweep;

  EdgeLoop(int index, EventLoop eventLoop, EdgeContext edge, Admission admission) {
    this.eventLoop = eventLoop;
    this.edge = edge;
    this.admission = admission;
    this.sessions = new SessionTable(index, edge);
    this.sampler = new Sampler(edge.stages());
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

  /// Scratch space for one frame.
  FrameHeader header() {
    return header;
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
    try {
      eventLoop.execute(() -> deliver(batch));
    } catch (RejectedExecutionException e) {
      // The loop has shut down, and its sessions with it.
      edge.counters().add(Count.DELIVERIES_PASSED_OVER, batch.size());
    }
  }

  private void deliver(List<Delivery> batch) {
    sessions.deliver(batch, edge.nanoTime().getAsLong());
  }

  /// `connection` has something to do at the end of this pass.
  void touch(Connection connection) {
    touched.add(connection);
    scheduleEndOfPass();
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
    edge.counters().add(Count.PASSES);
    if (!touched.isEmpty()) {
      scheduleEndOfPass();
    }
  }

  private void sweep() {
    long now = edge.nanoTime().getAsLong();
    // Closing a channel takes its session off the table later, not while this looks.
    for (SessionLogic session : sessions.all()) {
      try {
        session.onSweep(now);
      } catch (RuntimeException e) {
        log.error("sweep of session {}", session.id(), e);
        session.disconnect(CloseReason.INTERNAL, "", now);
      }
    }
  }
}

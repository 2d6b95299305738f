package io.tern.edge.session;

import io.tern.edge.config.DrainConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.time.Duration;
import java.util.List;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Takes an edge out of service without ending it, and back.
///
/// ```
/// IN_SERVICE --begin--> DRAINING --the last session has left--> DRAINED
///     ^                    |                                       |
///     +------ cancel ------+---------------------------------------+
/// ```
///
/// From [#begin] on HELLO is answered with DRAIN and a time to come back, and the sessions are told
/// GOAWAY, so many a second. Who has been told has the grace to finish: what is under way is
/// answered, deliveries and acknowledgements go on. Who has not left by then is closed. The store,
/// the shards and HTTP are not concerned.
///
/// Any thread; a short lock. What touches sessions is in [Leaving], one per event loop.
///
/// Bounds: a drain is over after `sessions / rateMax` or its `over`, whichever is more, and the
/// grace, whatever clients do. At one session a second at least, `over` is no wait for a few. How
/// long it is from any moment: [#longest].
public final class Drain {

  private static final Logger log = LoggerFactory.getLogger(Drain.class);

  /// What may be told at once is what this time brings, so that a pass of an event loop stays
  /// short.
  private static final double BURST_SECONDS = 0.1;

  /// For the ticks in between, and for logins that were under way.
  private static final Duration SLACK = Duration.ofSeconds(1);

  public enum State {
    IN_SERVICE,
    DRAINING,
    DRAINED
  }

  /// How far a drain has got; in service, how far the last one got.
  ///
  /// @param sinceMillis wall clock: since when the state is this one
  /// @param sessions live ones when the drain began
  /// @param rate sessions told a second
  /// @param grace of who has been told
  /// @param told sessions told to leave
  /// @param left of these, those that left by themselves
  /// @param closed of these, those that had to be closed
  /// @param remaining live sessions at this moment, told or not
  /// @param refused logins refused since the drain began
  public record Progress(
      State state,
      long sinceMillis,
      long sessions,
      double rate,
      Duration grace,
      long told,
      long left,
      long closed,
      long remaining,
      long refused) {}

  private final DrainConfig config;
  private final Counters counters;
  private final LongSupplier nanoTime;
  private final LongSupplier wallMillis;

  private List<Leaving> loops = List.of();
  private Runnable wake = () -> {};

  private volatile State state = State.IN_SERVICE;
  private long sinceMillis;

  /// Which drain this is: who was told by an earlier one and stayed is told again.
  private volatile long number;

  private volatile Duration grace;
  private long sessions;
  private double rate;
  private double tokens;
  private long filledAt;
  private long told;
  private long left;
  private long closed;
  private long refused;

  public Drain(
      DrainConfig config, Counters counters, LongSupplier nanoTime, LongSupplier wallMillis) {
    this.config = config;
    this.counters = counters;
    this.nanoTime = nanoTime;
    this.wallMillis = wallMillis;
    sinceMillis = wallMillis.getAsLong();
    grace = config.grace();
  }

  /// What a drain is like unless it is told otherwise.
  public DrainConfig config() {
    return config;
  }

  /// Whose sessions are asked to leave. Before the first [#begin].
  ///
  /// @param wake is run when a drain begins: from then on each of `loops` is to be ticked
  public synchronized void runBy(List<Leaving> loops, Runnable wake) {
    this.loops = List.copyOf(loops);
    this.wake = wake;
  }

  /// Begins to drain. False when it has begun already: then nothing is changed.
  ///
  /// @param over in which all are to be told, unless that takes more than `rateMax` a second
  /// @param grace how long who has been told may finish
  public boolean begin(Duration over, Duration grace) {
    Runnable woken;
    synchronized (this) {
      if (state != State.IN_SERVICE) {
        return false;
      }
      this.grace = grace;
      sessions = counters.sessions();
      rate = rateFor(sessions, over);
      tokens = 0;
      filledAt = nanoTime.getAsLong();
      sinceMillis = wallMillis.getAsLong();
      told = 0;
      left = 0;
      closed = 0;
      refused = 0;
      number++;
      loops.forEach(Leaving::expect);
      state = State.DRAINING;
      woken = wake;
      log.info("out of service: {} sessions are told, {} a second", sessions, Math.ceil(rate));
    }
    woken.run();
    return true;
  }

  /// Begins to drain an edge that is about to end. A drain that is under way goes on: faster, if
  /// `over` asks for it, with the grace that it has.
  public void beginLast(Duration over, Duration grace) {
    if (begin(over, grace)) {
      return;
    }
    synchronized (this) {
      if (state == State.DRAINING) {
        rate = Math.max(rate, rateFor(counters.sessions(), over));
      }
    }
  }

  private double rateFor(long sessions, Duration over) {
    return Math.clamp(sessions * 1e9 / Math.max(1, over.toNanos()), 1, config.rateMax());
  }

  /// How long it is from here until nobody is left, at the longest: until the last one has been
  /// told, the grace, and a second. Zero unless a drain is under way.
  public synchronized Duration longest() {
    return state == State.DRAINING
        ? Duration.ofMillis((long) (counters.sessions() * 1_000 / rate)).plus(grace).plus(SLACK)
        : Duration.ZERO;
  }

  /// Takes logins again. Who has not been told stays; who has been told leaves, and may come back.
  /// False when there was nothing to cancel.
  public synchronized boolean cancel() {
    if (state == State.IN_SERVICE) {
      return false;
    }
    state = State.IN_SERVICE;
    sinceMillis = wallMillis.getAsLong();
    log.info("in service again, with {} sessions", counters.sessions());
    return true;
  }

  /// Whether logins are taken.
  public boolean isInService() {
    return state == State.IN_SERVICE;
  }

  public synchronized Progress progress() {
    return new Progress(
        state,
        sinceMillis,
        sessions,
        rate,
        grace,
        told,
        left,
        closed,
        counters.sessions(),
        refused);
  }

  // ---- for the sessions ------------------------------------------------------------------------

  long number() {
    return number;
  }

  Duration grace() {
    return grace;
  }

  /// Whether one more session may be told now. It is counted as told.
  synchronized boolean tellsOne(long now) {
    tokens = Math.min(Math.max(1, rate * BURST_SECONDS), tokens + (now - filledAt) * rate / 1e9);
    filledAt = now;
    if (tokens < 1) {
      return false;
    }
    tokens--;
    told++;
    counters.add(Count.DRAIN_TOLD);
    return true;
  }

  synchronized void onLeft() {
    left++;
  }

  synchronized void onClosed() {
    closed++;
    counters.add(Count.DRAIN_CLOSED);
  }

  synchronized void onRefused() {
    refused++;
    counters.add(Count.LOGINS_DRAINED);
  }

  /// A loop has no session any more, and gets none.
  synchronized void onClear() {
    if (state == State.DRAINING && loops.stream().allMatch(Leaving::isClear)) {
      state = State.DRAINED;
      sinceMillis = wallMillis.getAsLong();
      log.info("drained: {} told, {} left, {} closed", told, left, closed);
    }
  }
}

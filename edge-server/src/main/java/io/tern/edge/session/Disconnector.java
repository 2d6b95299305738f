package io.tern.edge.session;

import io.tern.edge.metrics.Counters;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import java.time.Duration;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The one door out: every connection that ends, ends here, with one code for the client, one log
/// line and one count.
///
/// Any thread; no locks. Log lines are bounded: [#LINES_PER_SECOND_MAX], and the next line says how
/// many were left out.
public final class Disconnector {

  static final int LINES_PER_SECOND_MAX = 10;

  private static final Logger log = LoggerFactory.getLogger(Disconnector.class);

  /// When a client may come back, in milliseconds.
  ///
  /// @param drainMin after DRAIN: the spread keeps a restart from being a stampede
  public record Spread(int drainMin, int drainMax) {}

  private final Counters counters;
  private final Spread spread;
  private final Map<CloseReason, LongAdder> byReason;

  /// The current second, and in the lowest 20 bits the lines written in it.
  private final AtomicLong second = new AtomicLong();

  private final AtomicLong leftOut = new AtomicLong();

  public Disconnector(Counters counters, Spread spread) {
    this.counters = counters;
    this.spread = spread;
    var byReason = new EnumMap<CloseReason, LongAdder>(CloseReason.class);
    for (CloseReason reason : CloseReason.values()) {
      byReason.put(reason, new LongAdder());
    }
    this.byReason = Collections.unmodifiableMap(byReason);
  }

  /// Says farewell and ends the connection. On the session's event loop.
  ///
  /// @param retryMillis when to come back, if the code is one that passes; 0 for soon
  void close(
      SessionHost host,
      long session,
      @Nullable DeviceId device,
      CloseReason reason,
      String detail,
      long retryMillis) {
    count(reason);
    ErrorCode code = reason.code();
    if (code != null) {
      counters.addError(host.door(), code);
      switch (reason.farewell()) {
        case ERROR -> host.write(FrameType.ERROR, 0, 0, 0, 0, error(code, detail, retryMillis));
        case GOAWAY -> host.write(FrameType.GOAWAY, 0, 0, 0, 0, goAway(code).build().toByteArray());
        case NOTHING -> {}
      }
    }
    host.finish(reason);
    switch (reason) {
      case INTERNAL -> log.warn("session {} {} closed: {} {}", session, device, reason, detail);
      case SAID_GOODBYE, PEER_CLOSED ->
          log.debug("session {} {} closed: {} {}", session, device, reason, detail);
      default -> {
        if (log.isInfoEnabled() && mayLog()) {
          long more = leftOut.getAndSet(0);
          log.info(
              "session {} {} closed: {} {}{}",
              session,
              device,
              reason,
              detail,
              more == 0 ? "" : " (and " + more + " more, not logged)");
        }
      }
    }
  }

  /// Says GOAWAY DRAIN without ending the connection. On the session's event loop.
  ///
  /// @param grace how long the client may finish what it has begun
  void announce(SessionHost host, Duration grace) {
    counters.addError(host.door(), ErrorCode.DRAIN);
    host.write(
        FrameType.GOAWAY,
        0,
        0,
        0,
        0,
        goAway(ErrorCode.DRAIN).setGraceMs((int) grace.toMillis()).build().toByteArray());
  }

  /// When a client that is refused during a drain may come back: a random moment of the spread.
  long comeBackMillis() {
    return Math.max(
        1, ThreadLocalRandom.current().nextLong(spread.drainMin(), spread.drainMax() + 1L));
  }

  /// The other side has closed, or the connection broke.
  void noteGone(long session, @Nullable DeviceId device, boolean live) {
    count(CloseReason.PEER_CLOSED);
    log.debug("session {} {} gone{}", session, device, live ? "" : " before HELLO was answered");
  }

  /// How many connections have ended for this reason.
  public long ended(CloseReason reason) {
    return Objects.requireNonNull(byReason.get(reason)).sum();
  }

  private void count(CloseReason reason) {
    Objects.requireNonNull(byReason.get(reason)).increment();
  }

  private boolean mayLog() {
    long now = System.nanoTime() / 1_000_000_000L;
    while (true) {
      long seen = second.get();
      long lines = (seen >>> 20) == now ? seen & 0xFFFFF : 0;
      if (lines >= LINES_PER_SECOND_MAX) {
        leftOut.incrementAndGet();
        return false;
      }
      if (second.compareAndSet(seen, now << 20 | (lines + 1))) {
        return true;
      }
    }
  }

  private static byte[] error(ErrorCode code, String detail, long retryMillis) {
    var error = Error.newBuilder().setCode(code.number()).setDetail(detail);
    if (code.errorClass() == ErrorCode.ErrorClass.LATER) {
      error.setRetryMs(
          retryMillis > 0
              ? (int) Math.min(retryMillis, Integer.MAX_VALUE)
              : ThreadLocalRandom.current().nextInt(200, 2000));
    }
    return error.build().toByteArray();
  }

  private GoAway.Builder goAway(ErrorCode code) {
    var goAway = GoAway.newBuilder().setCode(code.number());
    switch (code) {
      case DRAIN -> goAway.setAfterMinMs(spread.drainMin()).setAfterMaxMs(spread.drainMax());
      case LAGGING -> goAway.setAfterMinMs(1_000).setAfterMaxMs(10_000);
      default -> {}
    }
    return goAway;
  }
}

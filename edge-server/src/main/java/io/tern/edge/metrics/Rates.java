package io.tern.edge.metrics;

import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/// How fast some counts rose over the last minute. Any thread; a short lock.
///
/// Bounds: one sample for each [#EVERY_MILLIS] of a minute. When samples come late, as from a timer
/// that had to wait, the time they stand for is longer, and the rates are still right.
public final class Rates {

  /// How often [#sample] is to be called.
  public static final long EVERY_MILLIS = 5_000;

  private static final int SAMPLES = 13;

  private final Counters counters;
  private final List<Count> counts;
  private final LongSupplier nanoTime;

  /// Rings: when a sample was taken, and the counts in it.
  private final long[] at = new long[SAMPLES];

  private final long[][] seen;

  /// Samples ever taken.
  private long taken;

  public Rates(Counters counters, List<Count> counts, LongSupplier nanoTime) {
    this.counters = counters;
    this.counts = List.copyOf(counts);
    this.nanoTime = nanoTime;
    seen = new long[SAMPLES][this.counts.size()];
    sample();
  }

  /// Looks at the counts; to be called on a timer.
  public synchronized void sample() {
    int slot = (int) (taken++ % SAMPLES);
    at[slot] = nanoTime.getAsLong();
    for (int i = 0; i < counts.size(); i++) {
      seen[slot][i] = counters.get(counts.get(i));
    }
  }

  /// A second, over the time that [#seconds] says.
  ///
  /// @throws IllegalArgumentException when `count` is not one of those that are looked at
  public synchronized double perSecond(Count count) {
    int i = counts.indexOf(count);
    if (i < 0) {
      throw new IllegalArgumentException(count + " is not sampled");
    }
    return Math.max(0, counters.get(count) - seen[oldest()][i]) / Math.max(1e-3, seconds());
  }

  /// How far back the rates look: a minute, less at first.
  public synchronized double seconds() {
    return (nanoTime.getAsLong() - at[oldest()]) / (double) TimeUnit.SECONDS.toNanos(1);
  }

  private int oldest() {
    return taken < SAMPLES ? 0 : (int) (taken % SAMPLES);
  }
}

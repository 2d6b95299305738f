package io.tern.bench.measure;

import java.util.LinkedHashMap;
import java.util.Map;
import org.HdrHistogram.Histogram;

/// Latencies of one kind, to a resolution of 3 digits. Confined to one thread while it records.
public final class Latencies {

  private static final long NANOS_MAX = 120_000_000_000L;

  private final Histogram nanos = new Histogram(NANOS_MAX, 3);

  public void record(long elapsedNanos) {
    nanos.recordValue(Math.clamp(elapsedNanos, 0, NANOS_MAX));
  }

  public long count() {
    return nanos.getTotalCount();
  }

  /// `{p50, p90, p99, p999, max}` in milliseconds, as `tern load` writes it.
  public Map<String, Object> millis() {
    var millis = new LinkedHashMap<String, Object>();
    millis.put("p50", millisAt(50));
    millis.put("p90", millisAt(90));
    millis.put("p99", millisAt(99));
    millis.put("p999", millisAt(99.9));
    millis.put("max", round(nanos.getMaxValue()));
    return millis;
  }

  public double millisAt(double percentile) {
    return round(nanos.getValueAtPercentile(percentile));
  }

  private static double round(long nanos) {
    return Math.round(nanos / 1e3) / 1e3;
  }
}

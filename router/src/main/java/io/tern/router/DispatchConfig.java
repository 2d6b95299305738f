package io.tern.router;

import java.time.Duration;

/// How long and how much the dispatcher watches.
///
/// @param ackWatch how long a recipient's session has to acknowledge before the entry becomes a
///   push intent
/// @param nudgeAfter when a session that has not acknowledged is told to look into the store; less
///   than `ackWatch`
/// @param watchedMax recipients of entries watched at once; beyond, an entry becomes a push intent
///   at once
/// @param retry how long to wait before offering again what another shard or the push queue did not
///   take
public record DispatchConfig(
    Duration ackWatch, Duration nudgeAfter, int watchedMax, Duration retry) {

  public static final DispatchConfig DEFAULT =
      new DispatchConfig(
          Duration.ofSeconds(10), Duration.ofSeconds(5), 262_144, Duration.ofSeconds(5));

  public DispatchConfig {
    require(ackWatch.toMillis() >= 1, "ackWatch", ackWatch, "at least 1 ms");
    require(
        nudgeAfter.toMillis() >= 1 && nudgeAfter.compareTo(ackWatch) < 0,
        "nudgeAfter",
        nudgeAfter,
        "at least 1 ms and less than ackWatch");
    require(watchedMax >= 1 && watchedMax <= 1 << 24, "watchedMax", watchedMax, "1 to 16,777,216");
    require(retry.toMillis() >= 1, "retry", retry, "at least 1 ms");
  }

  private static void require(boolean valid, String key, Object value, String wanted) {
    if (!valid) {
      throw new IllegalArgumentException(key + " is " + value + "; it must be " + wanted);
    }
  }
}

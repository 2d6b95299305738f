package io.tern.client.core;

import java.util.random.RandomGenerator;

/// How long to wait before the next attempt: random(0, min(cap, base * 2^failures)), "full jitter",
/// so that many clients that lost a server together do not come back together. The server may name
/// other bounds.
final class Backoff {

  static final long BASE_MILLIS = 500;
  static final long CAP_MILLIS = 120_000;

  private long baseMillis = BASE_MILLIS;
  private long capMillis = CAP_MILLIS;
  private int failures;

  /// What HELLO_ACK said; 0 keeps the default.
  void configure(long base, long cap) {
    baseMillis = base > 0 ? base : BASE_MILLIS;
    capMillis = Math.max(cap > 0 ? cap : CAP_MILLIS, baseMillis);
  }

  int failures() {
    return failures;
  }

  void reset() {
    failures = 0;
  }

  /// Counts a failure and says how long to wait.
  long nextMillis(RandomGenerator random) {
    long wait = random(random, limitMillis(failures));
    failures++;
    return wait;
  }

  /// Counts a failure for which the server named the wait. A little is added at random, for it
  /// named the same to many.
  long nextMillis(RandomGenerator random, long serverMinMillis, long serverMaxMillis) {
    failures++;
    long spread =
        serverMaxMillis > serverMinMillis ? serverMaxMillis - serverMinMillis : baseMillis;
    return serverMinMillis + random(random, spread);
  }

  /// The most that the attempt after `count` failures waits.
  long limitMillis(int count) {
    return count >= 20 ? capMillis : Math.min(capMillis, baseMillis << count);
  }

  /// The wait of one request that was refused `count` times before, on a connection that is fine.
  long requestMillis(RandomGenerator random, int count, long serverMillis) {
    return serverMillis > 0
        ? serverMillis + random(random, Math.max(1, serverMillis / 4))
        : random(random, limitMillis(count));
  }

  static long random(RandomGenerator random, long maxMillis) {
    return random.nextLong(maxMillis + 1);
  }
}

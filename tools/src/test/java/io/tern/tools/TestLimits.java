package io.tern.tools;

import io.tern.edge.config.LimitsConfig;
import java.time.Duration;

/// The limits of servers that tests wire by hand.
public final class TestLimits {

  /// No rates, small windows: what is asked is done, and what is not acknowledged soon waits.
  public static final LimitsConfig LIMITS =
      new LimitsConfig(
          1_000,
          64,
          10,
          true,
          Duration.ofSeconds(5),
          Duration.ofSeconds(10),
          Duration.ofSeconds(30),
          Duration.ofSeconds(240),
          0,
          40,
          32,
          0,
          60,
          256,
          256 * 1024);

  private TestLimits() {}
}

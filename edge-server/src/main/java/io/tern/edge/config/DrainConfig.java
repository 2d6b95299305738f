package io.tern.edge.config;

import java.time.Duration;

/// `drain.*`: how a server is taken out of service. `reference.conf` says more.
///
/// @param over in which all sessions are told to leave, unless that takes more than `rateMax`
/// @param rateMax sessions told a second
/// @param grace how long who has been told may finish before being closed
public record DrainConfig(Duration over, int rateMax, Duration grace) {

  public static final DrainConfig DEFAULT =
      new DrainConfig(Duration.ofSeconds(30), 2_000, Duration.ofSeconds(5));

  /// What `over` may be.
  public static final Duration OVER_MAX = Duration.ofHours(1);

  /// What `grace` may be: clients obey no longer one.
  public static final Duration GRACE_MAX = Duration.ofSeconds(60);
}

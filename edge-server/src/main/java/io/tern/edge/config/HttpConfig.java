package io.tern.edge.config;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// `http.*`: the door for accounts. `reference.conf` says what happens at each bound.
///
/// @param listen null = there is none
/// @param tls whether it speaks TLS, with the server's certificate
/// @param forwardedFrom proxies whose `X-Forwarded-For` is believed
/// @param addressRate requests a second of one address, and at once; 0 lifts the limit
/// @param deviceRate likewise of one device
/// @param accountRate likewise of one user
public record HttpConfig(
    @Nullable InetSocketAddress listen,
    boolean tls,
    Set<InetAddress> forwardedFrom,
    int connectionsMax,
    int connectionsPerAddressMax,
    int requestsMax,
    int bodyBytesMax,
    int headBytesMax,
    Duration headTimeout,
    Duration bodyTimeout,
    Duration requestTimeout,
    Duration exportTimeout,
    Duration idleTimeout,
    Duration connectionAgeMax,
    Rate addressRate,
    Rate deviceRate,
    Rate accountRate) {

  /// How much, how fast.
  ///
  /// @param perSecond 0 = no limit
  /// @param burst at once
  public record Rate(int perSecond, int burst) {}

  public HttpConfig {
    forwardedFrom = Set.copyOf(forwardedFrom);
  }
}

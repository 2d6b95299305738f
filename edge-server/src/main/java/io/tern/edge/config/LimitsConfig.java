package io.tern.edge.config;

import java.time.Duration;

/// `limits.*`: what one connection, one session, one address and all together may do.
/// `reference.conf` says what happens at each bound.
///
/// @param sendRate sends a second of one session; 0 lifts the limit
/// @param cheapRate PING, READ, TYPING and such a second; 0 lifts the limit
/// @param windowEntries unacknowledged entries of a session
public record LimitsConfig(
    int connectionsMax,
    int unauthenticatedPerIpMax,
    int failuresPerMinuteMax,
    boolean loopbackExempt,
    Duration helloTimeout,
    Duration frameTimeout,
    Duration stallTimeout,
    Duration ping,
    int sendRate,
    int sendBurst,
    int sendsInFlightMax,
    int cheapRate,
    int cheapBurst,
    int windowEntries,
    int windowBytes) {}

package io.tern.edge.config;

import java.time.Duration;

/// `turns.*`: how logins and catch-ups give way to live traffic. `reference.conf` says more.
///
/// @param delayTarget live work that takes longer makes turns fewer
/// @param rateMin turns a second, however late live work is
/// @param rateMax turns a second, however idle the server is
/// @param underWayMax turns at once
/// @param waitingMax logins that wait for their turn
/// @param waitMax how long a login waits; who would wait longer is told when to come back
/// @param handshakeWaitMax how long a TLS handshake waits, which cannot be told anything
public record TurnsConfig(
    Duration delayTarget,
    int rateMin,
    int rateMax,
    int underWayMax,
    int waitingMax,
    Duration waitMax,
    Duration handshakeWaitMax) {}

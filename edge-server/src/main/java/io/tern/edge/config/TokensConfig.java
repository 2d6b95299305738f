package io.tern.edge.config;

import java.time.Duration;

/// `tokens.*`: the access tokens that this server signs.
///
/// @param lifetime of a token
/// @param rotateEvery how long a key signs
/// @param publishAhead how long a new key is published before it signs
public record TokensConfig(Duration lifetime, Duration rotateEvery, Duration publishAhead) {}

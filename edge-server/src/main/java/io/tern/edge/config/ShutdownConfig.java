package io.tern.edge.config;

import java.time.Duration;

/// `shutdown.*`: how an orderly end goes.
///
/// @param drain over how long the server is drained before it ends, as `drain.over` is meant; zero
///   for not at all
public record ShutdownConfig(
    Duration drain, Duration timeout, Duration spreadMin, Duration spreadMax) {}

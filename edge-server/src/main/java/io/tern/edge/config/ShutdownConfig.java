package io.tern.edge.config;

import java.time.Duration;

/// `shutdown.*`: how an orderly end goes.
public record ShutdownConfig(Duration timeout, Duration spreadMin, Duration spreadMax) {}

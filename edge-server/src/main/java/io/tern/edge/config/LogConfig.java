package io.tern.edge.config;

import io.tern.edge.logging.LogFormat;

/// How the process logs. `tern server` does as it says; whoever has a server in their own process
/// has their own logging.
public record LogConfig(LogFormat format) {}

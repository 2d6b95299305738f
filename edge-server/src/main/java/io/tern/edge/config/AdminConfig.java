package io.tern.edge.config;

import java.net.InetSocketAddress;
import java.time.Duration;

/// `admin.*`: the port for operators.
public record AdminConfig(InetSocketAddress listen, Duration probeTimeout) {}

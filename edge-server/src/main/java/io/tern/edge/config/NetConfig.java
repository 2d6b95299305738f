package io.tern.edge.config;

import java.net.InetSocketAddress;
import java.util.List;

/// `net.*`: listeners and event loops.
///
/// @param listen addresses; port 0 for any
/// @param loops event loops; 1 to 256
/// @param backlog connections that the kernel holds before they are accepted
public record NetConfig(
    List<InetSocketAddress> listen, Transport transport, int loops, int backlog) {}

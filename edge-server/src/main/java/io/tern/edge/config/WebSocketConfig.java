package io.tern.edge.config;

import java.net.InetSocketAddress;
import java.util.List;
import java.util.Set;

/// `net.websocket.*`: the door for browsers.
///
/// @param listen addresses; none: no such door
/// @param path the only path that is answered
/// @param origins allowed values of the Origin header, as browsers write them
public record WebSocketConfig(
    List<InetSocketAddress> listen, Tls tls, String path, Set<String> origins) {

  /// Which of the listeners have TLS.
  public enum Tls {
    /// Those that are not on loopback.
    AUTO,
    ALWAYS,
    NEVER
  }

  public WebSocketConfig {
    listen = List.copyOf(listen);
    origins = Set.copyOf(origins);
  }

  /// Whether the listener at `address` has TLS.
  public boolean isTls(InetSocketAddress address) {
    return switch (tls) {
      case ALWAYS -> true;
      case NEVER -> false;
      case AUTO -> !address.getAddress().isLoopbackAddress();
    };
  }
}

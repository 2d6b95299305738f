package io.tern.edge.config;

import java.net.InetSocketAddress;

/// Addresses as they are written in a configuration.
public final class Addresses {

  private Addresses() {}

  /// `HOST:PORT`, the host by its number; an IPv6 one in brackets.
  ///
  /// @param address a resolved one
  public static String text(InetSocketAddress address) {
    String host = address.getAddress().getHostAddress();
    return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + address.getPort();
  }
}

package io.tern.client.core;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The addresses to try, in turn: those of the configuration, always, and at most [#NAMED_MAX] that
/// servers have named.
final class Edges {

  private static final int NAMED_MAX = 16;
  private static final Logger log = LoggerFactory.getLogger(ClientCore.class);

  private final List<SocketAddress> configured;
  private final List<SocketAddress> edges;
  private int at;

  Edges(List<SocketAddress> configured) {
    this.configured = configured;
    edges = new ArrayList<>(configured);
  }

  SocketAddress current() {
    return edges.get(at % edges.size());
  }

  /// This one did not answer.
  void next() {
    at++;
  }

  /// @param first they shall be tried before all others
  void learn(List<String> named, boolean first) {
    int front = 0;
    for (String text : named) {
      SocketAddress address = parse(text);
      if (address == null) {
        log.warn("the server named an edge that is no address");
      } else if (first) {
        edges.remove(address);
        edges.add(front++, address);
      } else if (!edges.contains(address)) {
        edges.add(address);
      }
    }
    if (front > 0) {
      at = 0;
    }
    for (int i = edges.size() - 1; i >= 0 && edges.size() > configured.size() + NAMED_MAX; i--) {
      if (!configured.contains(edges.get(i))) {
        edges.remove(i);
      }
    }
  }

  private static @Nullable SocketAddress parse(String text) {
    int colon = text.lastIndexOf(':');
    if (colon <= 0) {
      return null;
    }
    String host = text.substring(0, colon);
    if (host.startsWith("[") && host.endsWith("]")) {
      host = host.substring(1, host.length() - 1);
    }
    try {
      int port = Integer.parseInt(text.substring(colon + 1));
      return port < 1 || port > 65_535 ? null : InetSocketAddress.createUnresolved(host, port);
    } catch (NumberFormatException e) {
      return null;
    }
  }
}

package io.tern.edge.config;

import java.net.InetAddress;
import java.util.List;
import java.util.Set;

/// `net.proxy.*`: the listeners that stand behind a proxy, and the proxies.
///
/// @param from who may connect to these listeners
public record ProxyConfig(Set<Listener> listeners, List<Network> from) {

  public static final ProxyConfig NONE = new ProxyConfig(Set.of(), List.of());

  /// What a listener is called in the configuration.
  public enum Listener {
    PLAIN,
    TLS,
    WEBSOCKET
  }

  public ProxyConfig {
    listeners = Set.copyOf(listeners);
    from = List.copyOf(from);
  }

  public boolean isTrusted(InetAddress peer) {
    return from.stream().anyMatch(network -> network.contains(peer));
  }

  /// A network such as `10.0.0.0/8`: all addresses whose first `bits` are those of `address`.
  public record Network(InetAddress address, int bits) {

    public boolean contains(InetAddress other) {
      byte[] mine = address.getAddress();
      byte[] theirs = other.getAddress();
      if (mine.length != theirs.length) {
        return false;
      }
      int whole = bits / 8;
      for (int i = 0; i < whole; i++) {
        if (mine[i] != theirs[i]) {
          return false;
        }
      }
      int rest = bits % 8;
      return rest == 0 || ((mine[whole] ^ theirs[whole]) & (0xFF << (8 - rest))) == 0;
    }

    @Override
    public String toString() {
      return address.getHostAddress() + "/" + bits;
    }
  }
}

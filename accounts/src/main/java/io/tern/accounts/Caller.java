package io.tern.accounts;

import java.net.InetAddress;
import java.util.Arrays;

/// Where a request comes from, for budgets.
public record Caller(InetAddress address) {

  /// The network that one customer of a provider has about: a /24, or a /48 of IPv6.
  byte[] network() {
    byte[] bytes = address.getAddress();
    return Arrays.copyOf(bytes, bytes.length == 4 ? 3 : 6);
  }

  /// One host: of IPv6 the /64, in which every host has all addresses it wants.
  byte[] host() {
    byte[] bytes = address.getAddress();
    return bytes.length == 4 ? bytes : Arrays.copyOf(bytes, 8);
  }
}

package io.tern.accounts.budget;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;

/// A block of addresses that is charged as one. What one subscriber has is [#of]: an IPv4 address,
/// or an IPv6 /64, for whoever has one address of it has all. What one provider gave out together
/// is [#wide]: a /24, or a /48.
///
/// @param high the first 8 bytes; of IPv4 the address
/// @param bits of the prefix
public record Block(long high, int bits, boolean isV4) {

  /// The subscriber of `address`.
  public static Block of(InetAddress address) {
    return of(address, 32, 64);
  }

  /// The network around the subscriber of `address`.
  public static Block wide(InetAddress address) {
    return of(address, 24, 48);
  }

  private static Block of(InetAddress address, int bits4, int bits6) {
    byte[] bytes = address.getAddress();
    if (address instanceof Inet4Address) {
      long value = ByteBuffer.wrap(bytes).getInt() & 0xFFFFFFFFL;
      return new Block(value & (-1L << (32 - bits4)), bits4, true);
    }
    return new Block(ByteBuffer.wrap(bytes).getLong() & (-1L << (64 - bits6)), bits6, false);
  }

  @Override
  public String toString() {
    if (isV4) {
      return "%d.%d.%d.%d/%d"
          .formatted(high >> 24 & 0xFF, high >> 16 & 0xFF, high >> 8 & 0xFF, high & 0xFF, bits);
    }
    return "%x:%x:%x:%x::/%d"
        .formatted(high >>> 48, high >>> 32 & 0xFFFF, high >>> 16 & 0xFFFF, high & 0xFFFF, bits);
  }
}

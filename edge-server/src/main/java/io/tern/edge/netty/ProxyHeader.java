package io.tern.edge.netty;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.net.InetAddress;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/// Reads a PROXY protocol header, version 2, off the first bytes of a connection.
///
/// ```
/// 0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A | version 2, command | family, protocol | length (2) | addresses, TLVs
/// ```
///
/// Bound: [#BYTES_MAX] in all; TLVs are passed over. Version 1, the one in text, is refused.
final class ProxyHeader {

  /// A header with the longest addresses that count here, and room for TLVs.
  static final int BYTES_MAX = 536;

  private static final byte[] SIGNATURE = {
    0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A
  };
  private static final int FIXED = 16;
  private static final int IPV4 = 0x1;
  private static final int IPV6 = 0x2;
  private static final int STREAM = 0x1;
  private static final int IPV4_BYTES = 12;
  private static final int IPV6_BYTES = 36;

  private ProxyHeader() {}

  sealed interface Result {
    /// More bytes are needed.
    record Incomplete() implements Result {}

    /// Not such a header.
    record Bad() implements Result {}

    /// The header was taken off.
    ///
    /// @param source who connected to the proxy; null when the proxy speaks for itself (a health
    ///   check), or does not know
    record Taken(@Nullable InetAddress source) implements Result {}
  }

  private static final Result INCOMPLETE = new Result.Incomplete();
  private static final Result BAD = new Result.Bad();

  /// Takes the header off `in` when it is there as a whole; ownership stays with the caller.
  static Result read(ByteBuf in) {
    int start = in.readerIndex();
    int there = in.readableBytes();
    for (int i = 0; i < Math.min(there, SIGNATURE.length); i++) {
      if (in.getByte(start + i) != SIGNATURE[i]) {
        return BAD;
      }
    }
    if (there > SIGNATURE.length) {
      int versionAndCommand = in.getByte(start + 12) & 0xFF;
      if (versionAndCommand != 0x20 && versionAndCommand != 0x21) {
        return BAD;
      }
    }
    if (there < FIXED) {
      return INCOMPLETE;
    }
    int length = in.getUnsignedShort(start + 14);
    if (FIXED + length > BYTES_MAX) {
      return BAD;
    }
    if (there < FIXED + length) {
      return INCOMPLETE;
    }
    boolean proxied = in.getByte(start + 12) == 0x21;
    int family = (in.getByte(start + 13) & 0xFF) >>> 4;
    int protocol = in.getByte(start + 13) & 0xF;
    InetAddress source = null;
    if (proxied && (family == IPV4 || family == IPV6)) {
      if (protocol != STREAM || length < (family == IPV4 ? IPV4_BYTES : IPV6_BYTES)) {
        return BAD;
      }
      byte[] address = ByteBufUtil.getBytes(in, start + FIXED, family == IPV4 ? 4 : 16, true);
      try {
        source = InetAddress.getByAddress(address);
      } catch (UnknownHostException e) {
        throw new IllegalStateException(e);
      }
    }
    in.skipBytes(FIXED + length);
    return new Result.Taken(source);
  }
}

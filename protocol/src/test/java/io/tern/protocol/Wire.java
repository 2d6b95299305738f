package io.tern.protocol;

import java.io.ByteArrayOutputStream;
import java.util.HexFormat;

/// Writes protobuf by hand, valid or not, for tests.
final class Wire {

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  static Wire wire() {
    return new Wire();
  }

  static byte[] hex(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }

  Wire raw(String hex) {
    return raw(hex(hex));
  }

  Wire raw(byte[] bytes) {
    out.writeBytes(bytes);
    return this;
  }

  Wire varint(long value) {
    var bytes = new byte[10];
    out.write(bytes, 0, Varint.put(bytes, 0, value));
    return this;
  }

  Wire tag(int number, int wireType) {
    return varint((long) number << 3 | wireType);
  }

  Wire number(int number, long value) {
    return tag(number, 0).varint(value);
  }

  Wire bytes(int number, byte[] value) {
    return tag(number, 2).varint(value.length).raw(value);
  }

  Wire message(int number, Wire value) {
    return bytes(number, value.bytes());
  }

  byte[] bytes() {
    return out.toByteArray();
  }
}

package io.tern.protocol;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/// Well-formed UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing over U+10FFFF.
final class Utf8 {

  private Utf8() {}

  /// Whether the bytes from `start` to `end` (exclusive) of `array`, or of `buf` where that is
  /// null, are UTF-8. Allocates nothing.
  static boolean isValid(byte @Nullable [] array, @Nullable ByteBuf buf, int start, int end) {
    int pos = start;
    while (pos < end) {
      int lead = Prescan.at(array, buf, pos++) & 0xFF;
      if (lead < 0x80) {
        continue;
      }
      int more;
      // The second byte's range says all that the lead does not.
      int secondMin = 0x80;
      int secondMax = 0xBF;
      if (lead >= 0xC2 && lead <= 0xDF) {
        more = 1;
      } else if (lead >= 0xE0 && lead <= 0xEF) {
        more = 2;
        if (lead == 0xE0) {
          secondMin = 0xA0;
        } else if (lead == 0xED) {
          secondMax = 0x9F;
        }
      } else if (lead >= 0xF0 && lead <= 0xF4) {
        more = 3;
        if (lead == 0xF0) {
          secondMin = 0x90;
        } else if (lead == 0xF4) {
          secondMax = 0x8F;
        }
      } else {
        return false;
      }
      if (end - pos < more) {
        return false;
      }
      int second = Prescan.at(array, buf, pos) & 0xFF;
      if (second < secondMin || second > secondMax) {
        return false;
      }
      for (int i = 1; i < more; i++) {
        if ((Prescan.at(array, buf, pos + i) & 0xC0) != 0x80) {
          return false;
        }
      }
      pos += more;
    }
    return true;
  }
}

package io.tern.tools.load;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// What a load message's body says about itself, so that its recipient can tell whether it is the
/// right one, whole, and in its place.
///
/// ```
/// run        8   this run, so that leftovers of another are noticed
/// sender     4   index of the sending user
/// recipient  4   index of the receiving user, or -1 - ordinal of a group
/// number     8   1, 2, 3… from this sender to this recipient
/// intended   8   when it should have been sent, in nanoseconds of the run's clock
/// filler     n   bytes that follow from the number
/// crc        4   CRC-32C of everything before
/// ```
record Stamp(long run, int sender, int recipient, long number, long intendedNanos) {

  /// The smallest body.
  static final int BYTES_MIN = 36;

  /// What `recipient` is of a message to this group.
  static int group(int ordinal) {
    return -1 - ordinal;
  }

  byte[] encode(int bytes) {
    var body = ByteBuffer.allocate(Math.max(bytes, BYTES_MIN));
    body.putLong(run).putInt(sender).putInt(recipient).putLong(number).putLong(intendedNanos);
    byte filler = (byte) number;
    while (body.remaining() > 4) {
      body.put(filler++);
    }
    body.putInt(crc(body.array(), body.position()));
    return body.array();
  }

  /// The stamp in `body`, or null when the body is not what a sender made.
  static @Nullable Stamp decode(byte[] body) {
    if (body.length < BYTES_MIN) {
      return null;
    }
    var in = ByteBuffer.wrap(body);
    if (crc(body, body.length - 4) != in.getInt(body.length - 4)) {
      return null;
    }
    return new Stamp(in.getLong(), in.getInt(), in.getInt(), in.getLong(), in.getLong());
  }

  private static int crc(byte[] body, int length) {
    var crc = new CRC32C();
    crc.update(body, 0, length);
    return (int) crc.getValue();
  }
}

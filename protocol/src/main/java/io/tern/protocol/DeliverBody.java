package io.tern.protocol;

import io.netty.buffer.ByteBuf;

/// Writes the body of DELIVER (`tern.v1.Deliver`) from its parts, with `content` as the sender
/// encoded it. The bytes are those the generated encoder would write.
///
/// A part that is 0 is left out: `sender` in direct chats, `csn` for everyone but the sender's own
/// devices, `edited_ms` of what was never edited.
public final class DeliverBody {

  private static final int SENDER = 1 << 3;
  private static final int DEVICE = 2 << 3;
  private static final int TS_MS = 3 << 3;
  private static final int CONTENT = 4 << 3 | 2;
  private static final int CSN = 5 << 3;
  private static final int EDITED_MS = 6 << 3;

  private DeliverBody() {}

  /// The body as an array of its own.
  public static byte[] encode(long sender, int device, long tsMillis, byte[] content, long csn) {
    return encode(sender, device, tsMillis, content, csn, 0);
  }

  /// The body of an entry whose content was edited at `editedMillis`.
  public static byte[] encode(
      long sender, int device, long tsMillis, byte[] content, long csn, long editedMillis) {
    var body = new byte[bytes(sender, device, tsMillis, content.length, csn) + bytes(editedMillis)];
    int pos = put(body, 0, SENDER, sender);
    pos = put(body, pos, DEVICE, device & 0xFFFF_FFFFL);
    pos = put(body, pos, TS_MS, tsMillis);
    body[pos++] = CONTENT;
    pos = Varint.put(body, pos, content.length);
    System.arraycopy(content, 0, body, pos, content.length);
    pos = put(body, pos + content.length, CSN, csn);
    put(body, pos, EDITED_MS, editedMillis);
    return body;
  }

  /// Appends the body to `out`. Ownership of `out` and `content` stays with the caller.
  public static void write(
      ByteBuf out, long sender, int device, long tsMillis, byte[] content, long csn) {
    out.ensureWritable(bytes(sender, device, tsMillis, content.length, csn));
    write(out, SENDER, sender);
    write(out, DEVICE, device & 0xFFFF_FFFFL);
    write(out, TS_MS, tsMillis);
    out.writeByte(CONTENT);
    Varint.write(out, content.length);
    out.writeBytes(content);
    write(out, CSN, csn);
  }

  /// Length of the body.
  public static int bytes(long sender, int device, long tsMillis, int contentBytes, long csn) {
    return bytes(sender)
        + bytes(device & 0xFFFF_FFFFL)
        + bytes(tsMillis)
        + 1
        + Varint.bytes(contentBytes)
        + contentBytes
        + bytes(csn);
  }

  private static int bytes(long value) {
    return value == 0 ? 0 : 1 + Varint.bytes(value);
  }

  private static int put(byte[] body, int pos, int tag, long value) {
    if (value == 0) {
      return pos;
    }
    body[pos] = (byte) tag;
    return Varint.put(body, pos + 1, value);
  }

  private static void write(ByteBuf out, int tag, long value) {
    if (value != 0) {
      out.writeByte(tag);
      Varint.write(out, value);
    }
  }
}

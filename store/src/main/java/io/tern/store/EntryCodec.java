package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.util.Arrays;

/// The value of an `M` key.
///
/// ```
/// flags      1 byte: 01 erased (content is a tombstone)
/// sender     varint, the user
/// device     varint
/// csn        varint
/// back       varint, how far below lies the same device's entry before this one; 0 = none
/// time       varint, milliseconds since 1970
/// uncounted  varint, seq - ordinal: how many entries up to here do not count as unread
/// content    the rest: tern.v1.Content, byte for byte
/// ```
///
/// `back` chains each device's entries: an early csn is found by walking down from the last one,
/// one get a step, so no table of csns is needed.
final class EntryCodec {

  static final int ERASED = 1;

  static final int HEADER_BYTES_MAX = 1 + 6 * Varints.BYTES_MAX;

  /// `Content{kind = TOMBSTONE}`.
  private static final byte[] TOMBSTONE = {0x08, 0x03};

  /// The parts of a value before its content, to be filled in again and again.
  static final class Header {
    int flags;
    long sender;
    int device;
    long csn;
    long back;
    long tsMillis;
    long uncounted;
    int contentOffset;

    void read(byte[] value) {
      flags = value[0];
      int pos = 1;
      sender = Varints.get(value, pos);
      pos += Varints.bytes(sender);
      device = (int) Varints.get(value, pos);
      pos += Varints.bytes(device);
      csn = Varints.get(value, pos);
      pos += Varints.bytes(csn);
      back = Varints.get(value, pos);
      pos += Varints.bytes(back);
      tsMillis = Varints.get(value, pos);
      pos += Varints.bytes(tsMillis);
      uncounted = Varints.get(value, pos);
      contentOffset = pos + Varints.bytes(uncounted);
    }

    boolean isErased() {
      return (flags & ERASED) != 0;
    }
  }

  private EntryCodec() {}

  /// Writes what comes before the content into `to`; returns its length.
  static int writeHeader(
      byte[] to,
      int flags,
      long sender,
      int device,
      long csn,
      long back,
      long tsMillis,
      long uncounted) {
    to[0] = (byte) flags;
    int pos = Varints.put(to, 1, sender);
    pos = Varints.put(to, pos, device);
    pos = Varints.put(to, pos, csn);
    pos = Varints.put(to, pos, back);
    pos = Varints.put(to, pos, tsMillis);
    return Varints.put(to, pos, uncounted);
  }

  static Entry decode(ChatId chat, long seq, byte[] value) {
    var header = new Header();
    header.read(value);
    return new Entry(
        chat,
        seq,
        new DeviceId(new UserId(header.sender), header.device),
        header.csn,
        header.tsMillis,
        seq - header.uncounted,
        Arrays.copyOfRange(value, header.contentOffset, value.length));
  }

  /// The same entry without what was said.
  static byte[] erased(byte[] value, Header header) {
    byte[] erased = Arrays.copyOf(value, header.contentOffset + TOMBSTONE.length);
    erased[0] = (byte) (header.flags | ERASED);
    System.arraycopy(TOMBSTONE, 0, erased, header.contentOffset, TOMBSTONE.length);
    return erased;
  }
}

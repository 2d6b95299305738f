package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import java.util.Arrays;

/// The value of an `M` key.
///
/// ```
/// flags      1 byte: 01 erased (content is a tombstone, or of an event nothing but its kind),
///                    02 edited
/// sender     varint, the user
/// device     varint
/// csn        varint
/// back       varint, how far below lies the same device's entry before this one; 0 = none
/// time       varint, milliseconds since 1970
/// uncounted  varint, seq - ordinal: how many entries up to here do not count as unread
/// edited     with 02: two varints, when it was edited, and the seq of the event that did it
/// content    the rest: tern.v1.Content, byte for byte
/// ```
///
/// `back` chains each device's entries: an early csn is found by walking down from the last one,
/// one get a step, so no table of csns is needed.
final class EntryCodec {

  static final int ERASED = 1;
  static final int EDITED = 2;

  static final int HEADER_BYTES_MAX = 1 + 8 * Varints.BYTES_MAX;

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

    /// 0 = not edited.
    long editedMillis;

    long editSeq;
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
      pos += Varints.bytes(uncounted);
      editedMillis = 0;
      editSeq = 0;
      if ((flags & EDITED) != 0) {
        editedMillis = Varints.get(value, pos);
        pos += Varints.bytes(editedMillis);
        editSeq = Varints.get(value, pos);
        pos += Varints.bytes(editSeq);
      }
      contentOffset = pos;
    }

    /// Whether the content is still what the sender sent.
    boolean isAsSent() {
      return (flags & (ERASED | EDITED)) == 0;
    }

    byte[] content(byte[] value) {
      return Arrays.copyOfRange(value, contentOffset, value.length);
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
        header.content(value),
        header.editedMillis);
  }

  /// As [#decode] for somebody who sees nothing behind `lastSeq`: what a message said before it was
  /// edited is gone, so of one that was edited later a tombstone is left.
  static Entry decodeUpTo(long lastSeq, ChatId chat, long seq, byte[] value) {
    Entry entry = decode(chat, seq, value);
    if (entry.editedMillis() == 0 || lastSeq == Long.MAX_VALUE) {
      return entry;
    }
    var header = new Header();
    header.read(value);
    return header.editSeq <= lastSeq ? entry : decode(chat, seq, erased(header));
  }

  /// The same entry without what was said.
  static byte[] erased(Header header) {
    return rewritten(header, (header.flags & ~EDITED) | ERASED, 0, 0, TOMBSTONE);
  }

  /// The same event without what it was about.
  static byte[] voided(Header header, int kind) {
    byte[] content = Content.newBuilder().setKindValue(kind).build().toByteArray();
    return rewritten(header, header.flags | ERASED, 0, 0, content);
  }

  /// The same message as the event at `editSeq` has it.
  static byte[] edited(Header header, long editedMillis, long editSeq, byte[] content) {
    return rewritten(header, header.flags | EDITED, editedMillis, editSeq, content);
  }

  private static byte[] rewritten(
      Header header, int flags, long editedMillis, long editSeq, byte[] content) {
    byte[] value = new byte[HEADER_BYTES_MAX + content.length];
    int pos =
        writeHeader(
            value,
            flags,
            header.sender,
            header.device,
            header.csn,
            header.back,
            header.tsMillis,
            header.uncounted);
    if ((flags & EDITED) != 0) {
      pos = Varints.put(value, pos, editedMillis);
      pos = Varints.put(value, pos, editSeq);
    }
    System.arraycopy(content, 0, value, pos, content.length);
    return Arrays.copyOf(value, pos + content.length);
  }
}

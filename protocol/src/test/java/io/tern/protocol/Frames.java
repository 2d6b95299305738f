package io.tern.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Arrays;
import java.util.Random;

/// Frames for tests: as values, from seeds, and encoded by hand.
final class Frames {

  /// One frame as a value.
  record Frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {

    byte[] encoded() {
      ByteBuf out = Unpooled.buffer();
      FrameWriter.write(out, type, flags, rid, chat, seq, body);
      return drain(out);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Frame that
          && type == that.type
          && flags == that.flags
          && rid == that.rid
          && chat == that.chat
          && seq == that.seq
          && Arrays.equals(body, that.body);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(body) + flags;
    }
  }

  private Frames() {}

  /// A frame of any type with flags that fit it and numbers of every length.
  static Frame random(Random random, int bodyBytesMax) {
    FrameType[] types = FrameType.values();
    FrameType type = types[random.nextInt(types.length)];
    int flags = type.requiredFlags();
    do {
      flags = type.requiredFlags() | (type.optionalFlags() & random.nextInt());
    } while (!type.acceptsFlags(flags));
    byte[] body = new byte[random.nextInt(bodyBytesMax + 1)];
    random.nextBytes(body);
    return new Frame(
        type,
        flags,
        (flags & FrameHeader.RID) == 0 ? 0 : (int) number(random),
        (flags & FrameHeader.CHAT) == 0 ? 0 : number(random),
        (flags & FrameHeader.SEQ) == 0 ? 0 : number(random),
        body);
  }

  /// 0 to 64 bits long, each length as likely.
  static long number(Random random) {
    int bits = random.nextInt(65);
    return bits == 0 ? 0 : random.nextLong() >>> (64 - bits);
  }

  /// Reads the next frame, or null when there is none (and then says why through `result`).
  static Frame read(ByteBuf in, int frameBytesMax, FrameHeader header) {
    FrameReader.Result result = FrameReader.read(in, frameBytesMax, header);
    if (result != FrameReader.Result.FRAME) {
      throw new AssertionError(result);
    }
    byte[] body = new byte[header.bodyBytes()];
    in.readBytes(body);
    FrameType type = FrameType.of(header.type());
    if (type == null) {
      throw new AssertionError("unknown type " + header.type());
    }
    return new Frame(type, header.flags(), header.rid(), header.chat(), header.seq(), body);
  }

  /// The readable bytes; releases `buf`.
  static byte[] drain(ByteBuf buf) {
    byte[] bytes = new byte[buf.readableBytes()];
    buf.readBytes(bytes);
    buf.release();
    return bytes;
  }
}

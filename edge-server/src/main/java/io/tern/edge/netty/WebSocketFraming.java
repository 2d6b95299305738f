package io.tern.edge.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.util.ReferenceCountUtil;
import io.tern.edge.metrics.Count;
import io.tern.edge.session.CloseReason;
import org.jspecify.annotations.Nullable;

/// WebSocket's framing under a [Connection]: takes it off what comes, puts it on what goes.
/// Confined to its event loop.
///
/// ```
/// FIN, 3 reserved bits, opcode (4) | MASK, length (7) | length (0, 2 or 8 bytes) | mask (4) | payload
/// ```
///
/// Nothing is gathered: payload is unmasked where it lies and goes on as it comes, because the
/// frames in it carry their own lengths. This only keeps count of them, to hold the rule that a
/// message is one or more whole frames. So an idle connection costs this object, and a half message
/// nothing more.
///
/// Bounds: a message of [#MESSAGE_BYTES_MAX]; no empty fragments; [#CONTROLS_MAX] control frames in
/// [#CONTROLS_NANOS], each of 125 bytes at most. Whoever breaks a rule gets ERROR 100 and the close
/// code that RFC 6455 has for it.
final class WebSocketFraming extends ChannelDuplexHandler {

  static final int MESSAGE_BYTES_MAX = 1 << 20;
  static final int CONTROLS_MAX = 60;
  static final long CONTROLS_NANOS = 60_000_000_000L;

  /// Close codes of RFC 6455.
  static final int PROTOCOL_ERROR = 1002;

  static final int UNSUPPORTED_DATA = 1003;
  static final int POLICY = 1008;
  static final int TOO_BIG = 1009;

  private static final int CONTINUATION = 0x0;
  private static final int TEXT = 0x1;
  private static final int BINARY = 0x2;
  private static final int CLOSE = 0x8;
  private static final int PING = 0x9;
  private static final int PONG = 0xA;
  private static final int FIN = 0x80;
  private static final int MASKED = 0x80;
  private static final int CONTROL_BYTES_MAX = 125;

  /// A request to write a Close frame.
  record Close(int code) {}

  private enum At {
    FIRST,
    LENGTH,
    MORE_LENGTH,
    MASK,
    PAYLOAD,
    ENDED
  }

  private final EdgeLoop loop;
  private @Nullable Connection connection;

  private At at = At.FIRST;
  private byte first;

  /// Bytes still to come of a length or mask.
  private byte missing;

  private boolean inMessage;
  private boolean closeSent;

  /// Of the payload still to come, and while the length is read the length so far.
  private long left;

  private int mask;

  /// How far into the payload, modulo 4.
  private byte maskAt;

  private int messageBytes;

  /// Of the Tern frame at hand: bytes still to come; the LEN so far while `lenShift` is not 0.
  private int frameLeft;

  private byte lenShift;

  /// Of a control frame that has not come as a whole.
  private byte @Nullable [] control;

  private int controlBytes;
  private int controls;
  private long controlsSince;

  /// The close code for the rule that was broken; 0 when none was.
  private int violation;

  WebSocketFraming(EdgeLoop loop) {
    this.loop = loop;
  }

  /// The session that takes the frames.
  void attach(Connection to) {
    connection = to;
    to.startWithoutPreface();
  }

  // ---- in --------------------------------------------------------------------------------------

  /// `message` is this handler's to release.
  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    var in = (ByteBuf) message;
    try {
      while (in.isReadable() && at != At.ENDED) {
        read(ctx, in);
      }
    } finally {
      in.release();
    }
  }

  private void read(ChannelHandlerContext ctx, ByteBuf in) {
    switch (at) {
      case FIRST -> readFirst(in.readByte());
      case LENGTH -> readLength(in.readUnsignedByte());
      case MORE_LENGTH -> readMoreLength(in.readUnsignedByte());
      case MASK -> {
        mask = mask << 8 | in.readUnsignedByte();
        if (--missing == 0) {
          at = At.PAYLOAD;
          maskAt = 0;
          if (left == 0) {
            endFrame(ctx);
          }
        }
      }
      case PAYLOAD -> readPayload(ctx, in);
      case ENDED -> in.skipBytes(in.readableBytes());
    }
  }

  private int opcode() {
    return first & 0xF;
  }

  private boolean isControl() {
    return (first & 0x8) != 0;
  }

  private boolean isFinal() {
    return (first & FIN) != 0;
  }

  private void readFirst(byte b) {
    first = b;
    at = At.LENGTH;
    if ((b & 0x70) != 0) {
      violate(PROTOCOL_ERROR, "reserved bit");
      return;
    }
    switch (opcode()) {
      case CONTINUATION -> {
        if (!inMessage) {
          violate(PROTOCOL_ERROR, "continuation of nothing");
        }
      }
      case BINARY -> {
        if (inMessage) {
          violate(PROTOCOL_ERROR, "message in a message");
        } else {
          inMessage = true;
          messageBytes = 0;
        }
      }
      case TEXT -> violate(UNSUPPORTED_DATA, "text");
      case CLOSE, PING, PONG -> {
        if (!isFinal()) {
          violate(PROTOCOL_ERROR, "fragmented control frame");
        } else {
          countControl();
        }
      }
      default -> violate(PROTOCOL_ERROR, "unknown opcode");
    }
  }

  private void countControl() {
    long now = loop.edge().nanoTime().getAsLong();
    if (controls == 0 || now - controlsSince >= CONTROLS_NANOS) {
      controlsSince = now;
      controls = 0;
    }
    loop.edge().counters().add(Count.WEBSOCKET_CONTROL_FRAMES);
    if (++controls > CONTROLS_MAX) {
      violate(POLICY, "too many control frames");
    }
  }

  private void readLength(int b) {
    if ((b & MASKED) == 0) {
      violate(PROTOCOL_ERROR, "not masked");
      return;
    }
    int length = b & 0x7F;
    if (isControl() && length > CONTROL_BYTES_MAX) {
      violate(PROTOCOL_ERROR, "long control frame");
    } else if (length < 126) {
      onLength(length);
    } else {
      at = At.MORE_LENGTH;
      missing = (byte) (length == 126 ? 2 : 8);
      left = 0;
      mask = length;
    }
  }

  private void readMoreLength(int b) {
    left = left << 8 | b;
    if (--missing > 0) {
      return;
    }
    // `mask` still has the short length here.
    long shorter = mask == 126 ? 125 : 0xFFFF;
    if (left < 0) {
      violate(PROTOCOL_ERROR, "negative length");
    } else if (left <= shorter) {
      violate(PROTOCOL_ERROR, "length not in its shortest form");
    } else {
      onLength(left);
    }
  }

  private void onLength(long length) {
    left = length;
    if (!isControl()) {
      if (length > MESSAGE_BYTES_MAX - messageBytes) {
        violate(TOO_BIG, "message too long");
        return;
      }
      if (length == 0) {
        // Also an empty message: it has no frame.
        violate(PROTOCOL_ERROR, "nothing in a frame");
        return;
      }
      messageBytes += (int) length;
    }
    at = At.MASK;
    mask = 0;
    missing = 4;
  }

  private void readPayload(ChannelHandlerContext ctx, ByteBuf in) {
    int bytes = (int) Math.min(left, in.readableBytes());
    int start = in.readerIndex();
    unmask(in, start, bytes);
    left -= bytes;
    if (isControl()) {
      if (control == null) {
        control = new byte[(int) left + bytes];
        controlBytes = 0;
      }
      in.readBytes(control, controlBytes, bytes);
      controlBytes += bytes;
    } else {
      follow(in, start, bytes);
      // Its last handler releases the slice.
      ctx.fireChannelRead(in.readRetainedSlice(bytes));
    }
    if (left == 0 && at != At.ENDED) {
      endFrame(ctx);
    }
  }

  private void unmask(ByteBuf in, int start, int bytes) {
    int i = 0;
    for (; i < bytes && maskAt != 0; i++) {
      unmaskOne(in, start + i);
    }
    for (; i + 4 <= bytes; i += 4) {
      in.setInt(start + i, in.getInt(start + i) ^ mask);
    }
    for (; i < bytes; i++) {
      unmaskOne(in, start + i);
    }
  }

  private void unmaskOne(ByteBuf in, int index) {
    in.setByte(index, in.getByte(index) ^ mask >>> (24 - 8 * maskAt));
    maskAt = (byte) ((maskAt + 1) & 3);
  }

  /// Keeps count of the Tern frames in the payload. What is wrong with them is not its business.
  private void follow(ByteBuf in, int start, int bytes) {
    int end = start + bytes;
    for (int i = start; i < end; ) {
      if (frameLeft > 0 && lenShift == 0) {
        int skipped = Math.min(frameLeft, end - i);
        frameLeft -= skipped;
        i += skipped;
        continue;
      }
      byte b = in.getByte(i++);
      if (lenShift == 0) {
        frameLeft = 0;
      }
      frameLeft |= (b & 0x7F) << lenShift;
      // A LEN of more than three bytes is refused by whoever reads the frame.
      lenShift = (byte) (b < 0 && lenShift < 14 ? lenShift + 7 : 0);
    }
  }

  private void endFrame(ChannelHandlerContext ctx) {
    at = At.FIRST;
    if (isControl()) {
      byte[] payload = control == null ? new byte[0] : control;
      control = null;
      onControl(ctx, payload);
    } else if (isFinal()) {
      inMessage = false;
      if (frameLeft != 0 || lenShift != 0) {
        violate(PROTOCOL_ERROR, "a message ends within a frame");
      }
    }
  }

  private void onControl(ChannelHandlerContext ctx, byte[] payload) {
    switch (opcode()) {
      case PING -> {
        // Whoever does not read gets none.
        if (ctx.channel().isWritable()) {
          ctx.writeAndFlush(frame(ctx, PONG, payload), ctx.voidPromise());
        }
      }
      case CLOSE -> {
        at = At.ENDED;
        if (!closeSent) {
          closeSent = true;
          ctx.write(
              frame(
                  ctx, CLOSE, payload.length >= 2 ? new byte[] {payload[0], payload[1]} : payload),
              ctx.voidPromise());
          ctx.flush();
        }
        ctx.close();
      }
      default -> {
        // A PONG that nobody asked for is allowed.
      }
    }
  }

  private void violate(int code, String what) {
    at = At.ENDED;
    Connection session = connection;
    if (session != null && !session.isEnding()) {
      violation = code;
      loop.edge().counters().add(Count.WEBSOCKET_VIOLATIONS);
      session.breach(code == TOO_BIG ? CloseReason.FRAME_TOO_LARGE : CloseReason.MALFORMED, what);
    }
  }

  // ---- out -------------------------------------------------------------------------------------

  /// A buffer holds whole frames, and so becomes one message; ownership passes to the channel.
  @Override
  public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
    if (message instanceof Close(int code)) {
      if (closeSent) {
        promise.trySuccess();
        return;
      }
      closeSent = true;
      int is = violation != 0 ? violation : code;
      ctx.write(frame(ctx, CLOSE, new byte[] {(byte) (is >>> 8), (byte) is}), promise);
      return;
    }
    var frames = (ByteBuf) message;
    int bytes = frames.readableBytes();
    if (bytes == 0 || closeSent) {
      ReferenceCountUtil.release(message);
      if (!promise.isVoid()) {
        promise.trySuccess();
      }
      return;
    }
    ctx.write(header(ctx, BINARY, bytes), ctx.voidPromise());
    ctx.write(frames, promise);
  }

  /// Says goodbye when nobody has yet.
  @Override
  public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
    if (!closeSent && ctx.channel().isActive()) {
      closeSent = true;
      ctx.write(
          frame(ctx, CLOSE, new byte[] {(byte) (Door.NORMAL >>> 8), (byte) Door.NORMAL}),
          ctx.voidPromise());
      ctx.flush();
    }
    ctx.close(promise);
  }

  private static ByteBuf header(ChannelHandlerContext ctx, int opcode, int bytes) {
    ByteBuf header = ctx.alloc().ioBuffer(10).writeByte(FIN | opcode);
    if (bytes < 126) {
      return header.writeByte(bytes);
    }
    return bytes <= 0xFFFF
        ? header.writeByte(126).writeShort(bytes)
        : header.writeByte(127).writeLong(bytes);
  }

  private static ByteBuf frame(ChannelHandlerContext ctx, int opcode, byte[] payload) {
    return header(ctx, opcode, payload.length).writeBytes(payload);
  }
}

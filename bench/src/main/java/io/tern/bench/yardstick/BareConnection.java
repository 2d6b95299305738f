package io.tern.bench.yardstick;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import org.jspecify.annotations.Nullable;

/// One connection of the bare loop. Confined to its event loop, except [#seq], which is the
/// committer's.
///
/// Bounded by the client: a client that has W sends in flight has W arrivals waiting.
final class BareConnection extends ChannelInboundHandlerAdapter {

  // A SENT: LEN, TYPE, FLAGS, RID, CHAT, SEQ and a body of 7 bytes.
  private static final int SENT_BYTES = 3 + Limits.HEADER_BYTES_MAX + 7;
  private static final int SENT_FLAGS = FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ;

  /// The chat's newest position. Committer only.
  long seq;

  private final Channel channel;
  private final Committer committer;
  private final FrameHeader header = new FrameHeader();

  // The start of a frame whose rest has not come yet.
  private @Nullable ByteBuf partial;
  // Answers of the batch that is being handed out.
  private @Nullable ByteBuf answers;

  BareConnection(Channel channel, Committer committer) {
    this.channel = channel;
    this.committer = committer;
  }

  /// Takes over `msg`.
  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    ByteBuf in = (ByteBuf) msg;
    if (partial != null) {
      partial.writeBytes(in);
      in.release();
      in = partial;
      partial = null;
    }
    while (true) {
      switch (FrameReader.read(in, Limits.FRAME_BYTES_MAX, header)) {
        case FRAME -> {
          byte[] body = ByteBufUtil.getBytes(in, in.readerIndex(), header.bodyBytes());
          in.skipBytes(header.bodyBytes());
          if (header.type() == FrameType.SEND.code()) {
            committer.add(new Arrival(this, header.rid(), header.chat(), body));
          }
        }
        case INCOMPLETE -> {
          if (in.isReadable()) {
            partial = ctx.alloc().buffer().writeBytes(in);
          }
          in.release();
          return;
        }
        case MALFORMED, TOO_LARGE -> {
          in.release();
          ctx.close();
          return;
        }
      }
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    committer.wake();
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    if (partial != null) {
      partial.release();
      partial = null;
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    ctx.close();
  }

  /// Adds the answer to `arrival`; [#flush] sends it. Returns whether it is the first since then.
  boolean answer(Arrival arrival, byte[] body) {
    boolean first = answers == null;
    ByteBuf out = answers;
    if (out == null) {
      out = channel.alloc().ioBuffer(16 * SENT_BYTES);
      answers = out;
    }
    FrameWriter.write(
        out, FrameType.SENT, SENT_FLAGS, arrival.rid(), arrival.chat(), arrival.seq, body);
    return first;
  }

  void flush() {
    ByteBuf out = answers;
    answers = null;
    if (out != null) {
      channel.writeAndFlush(out, channel.voidPromise());
    }
  }
}

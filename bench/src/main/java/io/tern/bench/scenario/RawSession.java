package io.tern.bench.scenario;

import com.google.protobuf.ByteString;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.concurrent.ScheduledFuture;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Hello;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A connection of a benchmark that counts frames and keeps nothing: logs in, writes what it is
/// given, acknowledges what it was pushed at the end of each read, once a chat. Confined to its
/// event loop.
abstract class RawSession extends ByteToMessageDecoder {

  /// Chats with something to acknowledge are looked through one by one: few have entries in one
  /// read.
  private record Due(long chat, int flags, long[] seq) {}

  final UserId user;

  /// Completes when the server has said HELLO_ACK; fails when the connection ended before.
  final CompletableFuture<Void> up = new CompletableFuture<>();

  private final FrameHeader header = new FrameHeader();
  private final ArrayDeque<Due> due = new ArrayDeque<>(0);
  private ByteBuf out = Unpooled.EMPTY_BUFFER;
  private @Nullable Channel channel;

  RawSession(UserId user) {
    this.user = user;
  }

  static IoHandlerFactory ioHandler() {
    return Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
  }

  /// @param from local address, or null: a server counts connections by their address
  ChannelFuture connect(EventLoop loop, SocketAddress server, @Nullable InetSocketAddress from) {
    var bootstrap =
        new Bootstrap()
            .group(loop)
            .channel(Epoll.isAvailable() ? EpollSocketChannel.class : NioSocketChannel.class)
            .option(ChannelOption.TCP_NODELAY, true)
            .handler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel to) {
                    configure(to);
                    to.pipeline().addLast(RawSession.this);
                  }
                });
    return from == null ? bootstrap.connect(server) : bootstrap.connect(server, from);
  }

  /// `HOST:PORT`, as `tern server` prints it.
  static SocketAddress address(String hostPort) {
    int colon = hostPort.lastIndexOf(':');
    return new InetSocketAddress(
        hostPort.substring(0, colon), Integer.parseInt(hostPort.substring(colon + 1)));
  }

  /// Before the connection is made.
  void configure(Channel to) {}

  /// The part of HELLO that says who this is.
  Hello proof() {
    var token = ByteString.copyFrom(DevelopmentIssuer.token(user, 1));
    return Hello.newBuilder().setToken(token).build();
  }

  /// A frame with its header; `body` stands at its first byte and is consumed by the caller.
  abstract void onFrame(FrameType type, FrameHeader header, ByteBuf body) throws Exception;

  /// Whether entries are acknowledged.
  boolean acknowledges() {
    return true;
  }

  /// Adds a frame to what [#flush] writes.
  void frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    if (!out.isReadable()) {
      out = Unpooled.buffer(Math.max(512, 4 * body.length));
    }
    FrameWriter.write(out, type, flags, rid, chat, seq, body);
  }

  void flush() {
    Channel to = channel;
    if (out.isReadable() && to != null) {
      to.writeAndFlush(out, to.voidPromise());
      out = Unpooled.EMPTY_BUFFER;
    }
  }

  /// From now on the socket is not read.
  void stopReading() {
    Channel to = channel;
    if (to != null) {
      to.config().setAutoRead(false);
    }
  }

  /// Runs something on this session's loop.
  ScheduledFuture<?> later(Runnable task, long micros) {
    return Objects.requireNonNull(channel)
        .eventLoop()
        .schedule(task, micros, TimeUnit.MICROSECONDS);
  }

  void close() {
    Channel to = channel;
    if (to != null) {
      to.close();
    }
  }

  @Override
  public void channelActive(ChannelHandlerContext ctx) {
    channel = ctx.channel();
    byte[] hello =
        Hello.newBuilder()
            .setVerMin(Limits.VERSION)
            .setVerMax(Limits.VERSION)
            .setDevice(1)
            .mergeFrom(proof())
            .setApp("tern bench")
            .setPingS(240)
            .build()
            .toByteArray();
    ByteBuf first = ctx.alloc().buffer().writeInt(Limits.PREFACE);
    FrameWriter.write(first, FrameType.HELLO, 0, 0, 0, 0, hello);
    ctx.writeAndFlush(first).addListener(ChannelFutureListener.FIRE_EXCEPTION_ON_FAILURE);
  }

  @Override
  protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> frames)
      throws Exception {
    while (FrameReader.read(in, Limits.FRAME_BYTES_MAX, header) == FrameReader.Result.FRAME) {
      int end = in.readerIndex() + header.bodyBytes();
      FrameType type = FrameType.of(header.type());
      if (type == FrameType.HELLO_ACK) {
        up.complete(null);
      } else if (type == FrameType.DELIVER && acknowledges()) {
        note(header);
      }
      if (type != null) {
        onFrame(type, header, in);
      }
      in.readerIndex(end);
      if (!ctx.channel().config().isAutoRead()) {
        return;
      }
    }
  }

  private void note(FrameHeader deliver) {
    int flags = FrameHeader.CHAT | FrameHeader.SEQ | (deliver.flags() & FrameHeader.GROUP);
    for (Due known : due) {
      if (known.chat == deliver.chat() && known.flags == flags) {
        known.seq[0] = deliver.seq();
        return;
      }
    }
    due.add(new Due(deliver.chat(), flags, new long[] {deliver.seq()}));
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) throws Exception {
    super.channelReadComplete(ctx);
    for (Due next = due.poll(); next != null; next = due.poll()) {
      frame(FrameType.ACK, next.flags, 0, next.chat, next.seq[0], NO_BODY);
    }
    flush();
  }

  private static final byte[] NO_BODY = {};

  @Override
  public void channelInactive(ChannelHandlerContext ctx) throws Exception {
    super.channelInactive(ctx);
    up.completeExceptionally(new IllegalStateException("the server closed before HELLO_ACK"));
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    up.completeExceptionally(cause);
    ctx.close();
  }
}

package io.tern.bench.scenario;

import com.google.protobuf.ByteString;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// Sessions that log in and never read again, and others that keep sending to them; or, to compare,
/// the same with sessions that do read and acknowledge. A child of [SlowConsumers]: says `up` when
/// all are logged in, starts to send, and ends with its input.
@Command(name = "deaf-sessions")
public final class DeafSessions implements Callable<Integer> {

  private static final int SENDERS = 20;
  // Below the server's limit, so that a stall of the server shows as fewer messages, not as
  // refusals.
  private static final int IN_FLIGHT_MAX = 24;
  private static final int LOGIN_SECONDS_MAX = 10;
  // What the kernel takes in a reader's place.
  private static final int RECEIVE_BUFFER_BYTES = 4096;
  private static final long TICK_MILLIS = 10;

  @Option(names = "--connect", required = true)
  private String server;

  @Option(names = "--consumers", defaultValue = "500")
  private int consumers;

  @Option(
      names = "--rate",
      defaultValue = "2000",
      description = "Messages a second to all of them.")
  private int rate;

  @Option(names = "--size", defaultValue = "4000")
  private int size;

  @Option(names = "--reading", description = "The sessions do read, and acknowledge.")
  private boolean reading;

  private final List<Session> senders = new ArrayList<>();
  private final List<UserId> deaf = new ArrayList<>();
  private ByteString text = ByteString.EMPTY;
  private double due;
  private int next;
  private long sent;
  private long answered;
  private long refused;

  public static void main(String[] args) {
    System.exit(new CommandLine(new DeafSessions()).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    text = ByteString.copyFrom(new byte[size]);
    String prefix = "deaf-" + ProcessHandle.current().pid() + "-";
    var group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    var loop = (EventLoop) group.next();
    for (int i = 0; i < consumers; i++) {
      deaf.add(login(loop, prefix + i, !reading).user);
    }
    for (int i = 0; i < SENDERS; i++) {
      senders.add(login(loop, prefix + "sender-" + i, false));
    }
    System.out.println("up " + consumers);
    var _ = loop.scheduleAtFixedRate(this::flood, 0, TICK_MILLIS, TimeUnit.MILLISECONDS);
    try (var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      while (input.readLine() != null) {
        loop.submit(() ->
                System.out.println(
                    "sent " + sent + " answered " + answered + " refused " + refused))
            .sync();
      }
    }
    return 0;
  }

  private Session login(EventLoop loop, String name, boolean isDeaf) throws Exception {
    int colon = server.lastIndexOf(':');
    var session = new Session(DevelopmentIssuer.userId(name), isDeaf, consumers);
    var bootstrap =
        new Bootstrap()
            .group(loop)
            .channel(NioSocketChannel.class)
            .option(ChannelOption.TCP_NODELAY, true)
            .handler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channel.pipeline().addLast(session);
                  }
                });
    if (isDeaf) {
      bootstrap.option(ChannelOption.SO_RCVBUF, RECEIVE_BUFFER_BYTES);
    }
    bootstrap
        .connect(server.substring(0, colon), Integer.parseInt(server.substring(colon + 1)))
        .sync();
    session.up.get(LOGIN_SECONDS_MAX, TimeUnit.SECONDS);
    return session;
  }

  /// Sends what has come due. On the loop.
  private void flood() {
    due = Math.min(due + rate * TICK_MILLIS / 1000.0, rate);
    for (int passed = 0; due >= 1 && passed < consumers; next = (next + 1) % consumers) {
      Session sender = senders.get(next % SENDERS);
      if (sender.inFlight >= IN_FLIGHT_MAX) {
        passed++;
        continue;
      }
      sender.send(next, deaf.get(next));
      sent++;
      due--;
    }
    for (Session sender : senders) {
      sender.flush();
    }
  }

  private final class Session extends ByteToMessageDecoder {

    private final UserId user;
    private final boolean isDeaf;
    private final CompletableFuture<Void> up = new CompletableFuture<>();
    private final FrameHeader header = new FrameHeader();
    // By consumer.
    private final long[] csn;
    private ByteBuf out = Unpooled.EMPTY_BUFFER;
    private int inFlight;
    private int rid;
    private @Nullable Channel channel;

    private Session(UserId user, boolean isDeaf, int consumers) {
      this.user = user;
      this.isDeaf = isDeaf;
      this.csn = new long[isDeaf ? 0 : consumers];
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
      channel = ctx.channel();
      var hello =
          Hello.newBuilder()
              .setVerMin(Limits.VERSION)
              .setVerMax(Limits.VERSION)
              .setDevice(1)
              .setToken(ByteString.copyFrom(DevelopmentIssuer.token(user, 1)))
              .setApp("tern bench")
              .setPingS(240)
              .build()
              .toByteArray();
      ByteBuf first = ctx.alloc().buffer().writeInt(Limits.PREFACE);
      FrameWriter.write(first, FrameType.HELLO, 0, 0, 0, 0, hello);
      ctx.writeAndFlush(first).addListener(ChannelFutureListener.FIRE_EXCEPTION_ON_FAILURE);
    }

    private void send(int consumer, UserId to) {
      var content = Content.newBuilder().setKind(Kind.KIND_BINARY).setBody(text);
      byte[] body =
          Send.newBuilder().setCsn(++csn[consumer]).setContent(content).build().toByteArray();
      if (!out.isReadable()) {
        out = Unpooled.buffer(4 * body.length);
      }
      FrameWriter.write(
          out, FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, ++rid, to.value(), 0, body);
      inFlight++;
    }

    private void flush() {
      Channel to = channel;
      if (out.isReadable() && to != null) {
        to.writeAndFlush(out, to.voidPromise());
        out = Unpooled.EMPTY_BUFFER;
      }
    }

    private static void acknowledge(ChannelHandlerContext ctx, long chat, long seq) {
      ByteBuf ack = ctx.alloc().buffer(Limits.HEADER_BYTES_MAX);
      FrameWriter.write(ack, FrameType.ACK, FrameHeader.CHAT | FrameHeader.SEQ, 0, chat, seq);
      ctx.writeAndFlush(ack, ctx.voidPromise());
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> frames) {
      while (FrameReader.read(in, Limits.FRAME_BYTES_MAX, header) == FrameReader.Result.FRAME) {
        in.skipBytes(header.bodyBytes());
        if (header.type() == FrameType.HELLO_ACK.code()) {
          up.complete(null);
          if (isDeaf) {
            ctx.channel().config().setAutoRead(false);
            return;
          }
        } else if (header.type() == FrameType.DELIVER.code()) {
          acknowledge(ctx, header.chat(), header.seq());
        } else if (header.type() == FrameType.SENT.code()) {
          inFlight--;
          answered++;
        } else if (header.type() == FrameType.ERROR.code()) {
          inFlight--;
          refused++;
        }
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      up.completeExceptionally(cause);
      ctx.close();
    }
  }
}

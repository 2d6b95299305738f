package io.tern.client.netty;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.EventLoop;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.NetUtil;
import io.netty.util.concurrent.ScheduledFuture;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientListener.ConnectionState;
import io.tern.client.ClientTls;
import io.tern.client.core.ClientCore;
import io.tern.client.core.ClientIo;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Gives a [ClientCore] its event loop, socket and timer. All of it is confined to the loop, but
/// for [#execute].
///
/// A pass is what the loop does at one go: a read with all its frames, a timer, or the calls of the
/// app that had gathered. What a pass wants to write goes out with one flush at its end.
public final class NettyLink implements ClientIo {

  private static final int CONNECT_MILLIS_MAX = 10_000;
  private static final int FRAMES_BYTES = 512;

  private final EventLoop loop;
  private final Class<? extends Channel> channelType;
  private final Consumer<ConnectionState> onState;
  private final ClientCore core;
  private final @Nullable TlsClient tls;

  private @Nullable Connection connection;
  private boolean isReading;
  private boolean passScheduled;
  private @Nullable ScheduledFuture<?> timer;
  private long timerAt = ClientCore.NEVER;

  public NettyLink(
      TernTransport transport,
      ClientConfig config,
      ClientListener listener,
      Consumer<ConnectionState> onState,
      RandomGenerator random) {
    loop = transport.next();
    channelType = transport.channelType();
    this.onState = onState;
    ClientTls trusted = config.tls();
    tls = trusted == null ? null : new TlsClient(trusted);
    core = new ClientCore(config, listener, this, random);
  }

  /// What a call of the app does to the core.
  public interface Call {
    void run(ClientCore core, long nowMillis);
  }

  /// Runs `call` on the loop: at once when the caller is there, else later. What it wants to write
  /// goes out with all other calls that are waiting then.
  ///
  /// @return false when it never runs, because the loop has ended
  public boolean execute(Call call) {
    if (loop.inEventLoop()) {
      executeOnLoop(call);
      return true;
    }
    try {
      loop.execute(() -> executeOnLoop(call));
      return true;
    } catch (RejectedExecutionException e) {
      return false;
    }
  }

  /// Whether the caller is on the loop, and so holds up everything if it waits.
  public boolean isOnLoop() {
    return loop.inEventLoop();
  }

  private void executeOnLoop(Call call) {
    assert loop.inEventLoop();
    try {
      call.run(core, now());
    } finally {
      if (!isReading && !passScheduled && !loop.isShuttingDown()) {
        // Behind the calls that are in the loop's queue already.
        passScheduled = true;
        loop.execute(this::runPass);
      }
    }
  }

  private void runPass() {
    passScheduled = false;
    endPass();
  }

  private void endPass() {
    core.endPass(now());
    armTimer();
  }

  private static long now() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
  }

  // ---- effects

  @Override
  public void connect(SocketAddress address) {
    var opened = new Connection();
    connection = opened;
    if (address instanceof InetSocketAddress inet && inet.isUnresolved()) {
      String host = inet.getHostString();
      if (!NetUtil.isValidIpV4Address(host) && !NetUtil.isValidIpV6Address(host)) {
        // Asking for an address blocks; that must not be here.
        CompletableFuture.supplyAsync(() -> new InetSocketAddress(host, inet.getPort()))
            .thenAcceptAsync(resolved -> opened.open(resolved), loop);
        return;
      }
      opened.open(new InetSocketAddress(host, inet.getPort()));
    } else {
      opened.open(address);
    }
  }

  @Override
  public ByteBuf allocate() {
    Connection open = connection;
    Channel channel = open == null ? null : open.channel;
    if (channel == null) {
      throw new IllegalStateException("no connection");
    }
    return channel.alloc().ioBuffer(FRAMES_BYTES);
  }

  @Override
  public void write(ByteBuf frames) {
    Connection open = connection;
    Channel channel = open == null ? null : open.channel;
    if (channel == null) {
      frames.release();
    } else {
      channel.writeAndFlush(frames, channel.voidPromise());
    }
  }

  @Override
  public void disconnect() {
    Connection open = connection;
    connection = null;
    if (open != null && open.channel != null) {
      open.channel.close();
    }
  }

  @Override
  public void onState(ConnectionState state) {
    onState.accept(state);
  }

  // ---- time

  /// Leaves a timer alone that fires too early: it looks again then. So the deadlines that move
  /// with every message cost nothing.
  private void armTimer() {
    long at = core.deadlineMillis();
    if (at >= timerAt) {
      return;
    }
    if (timer != null) {
      timer.cancel(false);
    }
    timerAt = at;
    timer = loop.schedule(this::onTimer, Math.max(0, at - now()), TimeUnit.MILLISECONDS);
  }

  private void onTimer() {
    timer = null;
    timerAt = ClientCore.NEVER;
    core.onTimer(now());
    endPass();
  }

  // ---- the socket

  /// One connection from its attempt to its end. Of what it reports only counts what comes while it
  /// is the link's.
  private final class Connection extends ChannelInboundHandlerAdapter {

    private @Nullable Channel channel;

    /// The beginning of a frame, until the rest of it comes.
    private @Nullable ByteBuf rest;

    private void open(SocketAddress address) {
      if (connection != this) {
        return;
      }
      ChannelFuture opening =
          new Bootstrap()
              .group(loop)
              .channel(channelType)
              .option(ChannelOption.TCP_NODELAY, true)
              .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLIS_MAX)
              .handler(
                  new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel to) {
                      if (tls != null) {
                        to.pipeline().addLast(tls.handler(to.alloc(), address));
                      }
                      to.pipeline().addLast(Connection.this);
                    }
                  })
              .connect(address);
      channel = opening.channel();
      opening.addListener(done -> {
        Throwable cause = done.cause();
        if (cause != null) {
          ended(whyNot(cause));
        }
      });
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
      if (tls == null) {
        connected();
      }
    }

    private void connected() {
      if (connection == this) {
        core.onConnected(now());
        endPass();
      }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
      if (event instanceof SslHandshakeCompletionEvent handshake) {
        if (!handshake.isSuccess()) {
          ended("TLS: " + rootOf(handshake.cause()));
        } else if (TlsClient.ALPN.equals(
            ctx.pipeline().get(SslHandler.class).applicationProtocol())) {
          connected();
        } else {
          ended("TLS: whoever listens there does not speak " + TlsClient.ALPN);
          ctx.close();
        }
      }
    }

    /// `message` is ours to release.
    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
      ByteBuf in = (ByteBuf) message;
      if (connection != this) {
        in.release();
        return;
      }
      isReading = true;
      ByteBuf waiting = rest;
      if (waiting == null) {
        try {
          core.onBytes(now(), in);
          if (in.isReadable()) {
            rest = ctx.alloc().buffer(Math.max(256, in.readableBytes() * 2)).writeBytes(in);
          }
        } finally {
          in.release();
        }
      } else {
        try {
          waiting.writeBytes(in);
        } finally {
          in.release();
        }
        // Not in `rest` meanwhile: what happens in there may end this connection.
        rest = null;
        boolean keep = false;
        try {
          core.onBytes(now(), waiting);
          keep = waiting.isReadable() && connection == this;
        } finally {
          if (keep) {
            rest = waiting.discardSomeReadBytes();
          } else {
            waiting.release();
          }
        }
      }
      if (connection != this) {
        releaseRest();
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
      isReading = false;
      endPass();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
      ended("the connection was closed");
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
      releaseRest();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      ended(rootOf(cause));
      ctx.close();
    }

    /// What a person can use of an attempt that failed; Netty says which call it was.
    private static String whyNot(Throwable cause) {
      if (cause instanceof ConnectTimeoutException) {
        return "no answer within " + CONNECT_MILLIS_MAX / 1000 + " s";
      }
      if (cause instanceof UnknownHostException) {
        return "there is no such host";
      }
      String message = rootOf(cause);
      return cause instanceof ConnectException && message.contains("Connection refused")
          ? "connection refused"
          : message;
    }

    /// What a person can use: the wrappers say that something failed, the innermost says what.
    private static String rootOf(Throwable cause) {
      Throwable root = cause;
      for (Throwable next = root.getCause(); next != null; next = next.getCause()) {
        root = next;
      }
      if (root instanceof ClosedChannelException) {
        return "the connection was closed; is it TLS that is spoken there?";
      }
      return root.getMessage() == null ? root.toString() : root.getMessage();
    }

    private void ended(String why) {
      isReading = false;
      releaseRest();
      if (connection == this) {
        connection = null;
        core.onDisconnected(now(), why);
        endPass();
      }
    }

    private void releaseRest() {
      if (rest != null) {
        rest.release();
        rest = null;
      }
    }
  }
}

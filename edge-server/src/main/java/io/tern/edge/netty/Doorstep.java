package io.tern.edge.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import io.tern.edge.config.WebSocketConfig;
import io.tern.edge.logging.Wordless;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.edge.session.Turns;
import io.tern.edge.tls.Certificates;
import java.net.InetAddress;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A connection between accept and session: PROXY header, TLS handshake and WebSocket upgrade, as
/// its door has them. Then a [Connection] takes its place. Confined to its event loop.
///
/// ```
/// accept -> [PROXY header] -> [a turn, TLS] -> [WebSocket upgrade] -> Connection
/// ```
///
/// What a step needs is made when the first byte of it comes, so that whoever connects and says
/// nothing costs a timer and this object. A handshake takes one of the server's [Turns]; until it
/// has it nothing more is read, and the deadline does not run.
///
/// Bounds: one deadline for all steps, of the time that is not a wait for the turn; what was read
/// at once before the turn; a PROXY header of [ProxyHeader#BYTES_MAX]; a TLS ClientHello of 16 KiB
/// (the library's); a request line of [#LINE_BYTES_MAX] and header fields of [#HEADERS_BYTES_MAX].
final class Doorstep extends ChannelInboundHandlerAdapter {

  static final int LINE_BYTES_MAX = 512;
  static final int HEADERS_BYTES_MAX = 8 * 1024;

  /// How long the end of a TLS stream may wait for the socket.
  private static final int CLOSE_NOTIFY_MILLIS = 500;

  private static final Logger log = LoggerFactory.getLogger(Doorstep.class);

  private enum Step {
    PROXY,
    TLS,
    TURN,
    HANDSHAKE,
    HTTP,
    UPGRADE,
    DONE
  }

  private final EdgeLoop loop;
  private final Door door;

  private Step step;

  /// Of the deadline, in milliseconds.
  private long left;

  /// Since when it runs.
  private long since;

  /// Whom this connection is charged to; null when nobody.
  private @Nullable InetAddress charged;

  private @Nullable ScheduledFuture<?> deadline;

  /// The beginning of a PROXY header.
  private @Nullable ByteBuf head;

  /// While the handshake waits.
  private Turns.@Nullable Turn turn;

  /// What has come of the handshake before its turn.
  private @Nullable ByteBuf early;

  private WebSocketUpgrade.@Nullable Verdict verdict;

  /// @param charged who has entered; null when exempt, or to be found in the PROXY header
  Doorstep(EdgeLoop loop, Door door, @Nullable InetAddress charged, long deadlineMillis) {
    this.loop = loop;
    this.door = door;
    this.charged = charged;
    this.left = deadlineMillis;
    this.step = door.proxies() != null ? Step.PROXY : afterProxy();
  }

  private Step afterProxy() {
    return door.tls() != null ? Step.TLS : Step.HTTP;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    startDeadline(ctx);
  }

  private void startDeadline(ChannelHandlerContext ctx) {
    since = System.nanoTime();
    deadline = loop.eventLoop().schedule(() -> onDeadline(ctx), left, TimeUnit.MILLISECONDS);
  }

  private void pauseDeadline() {
    cancelDeadline();
    left = Math.max(1, left - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - since));
  }

  private void onDeadline(ChannelHandlerContext ctx) {
    deadline = null;
    counters().add(Count.DOOR_TIMEOUTS);
    refuse(ctx);
  }

  // ---- input -----------------------------------------------------------------------------------

  /// A buffer is this handler's to release, unless it is passed on.
  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) throws Exception {
    switch (step) {
      case PROXY -> readProxyHeader(ctx, (ByteBuf) message);
      case TLS -> takeTurn(ctx, (ByteBuf) message);
      // Read before the socket knew.
      case TURN -> gather(ctx, (ByteBuf) message);
      case HTTP -> startHttp(ctx, (ByteBuf) message);
      case UPGRADE -> {
        try {
          onHttp(ctx, message);
        } finally {
          ReferenceCountUtil.release(message);
        }
      }
      case HANDSHAKE, DONE -> ReferenceCountUtil.release(message);
    }
  }

  private void readProxyHeader(ChannelHandlerContext ctx, ByteBuf in) throws Exception {
    ByteBuf begun = head;
    ByteBuf all = in;
    if (begun != null) {
      head = null;
      all = begun.writeBytes(in);
      in.release();
    }
    switch (ProxyHeader.read(all)) {
      case ProxyHeader.Result.Incomplete i -> {
        if (begun == null) {
          head = ctx.alloc().buffer(ProxyHeader.BYTES_MAX).writeBytes(in);
          in.release();
        } else {
          head = begun;
        }
      }
      case ProxyHeader.Result.Bad b -> {
        all.release();
        counters().add(Count.PROXY_REFUSED);
        refuse(ctx);
      }
      case ProxyHeader.Result.Taken(InetAddress source) -> {
        InetAddress address = source == null ? null : loop.admission().accountable(source);
        if (address != null && !loop.admission().charge(address)) {
          all.release();
          refuse(ctx);
          return;
        }
        charged = address;
        if (door.tls() == null && door.webSocket() == null) {
          become(ctx);
          pass(ctx.pipeline(), all);
          return;
        }
        step = afterProxy();
        if (all.isReadable()) {
          channelRead(ctx, all);
        } else {
          all.release();
        }
      }
    }
  }

  /// To whoever is last now.
  private static void pass(ChannelPipeline pipeline, ByteBuf rest) throws Exception {
    if (rest.isReadable()) {
      ChannelHandlerContext last = pipeline.lastContext();
      ((ChannelInboundHandlerAdapter) last.handler()).channelRead(last, rest);
    } else {
      rest.release();
    }
  }

  // ---- TLS -------------------------------------------------------------------------------------

  private void takeTurn(ChannelHandlerContext ctx, ByteBuf first) throws Exception {
    step = Step.TURN;
    Turns.Turn asked =
        loop.edge()
            .turns()
            .handshake(
                () -> loop.eventLoop().execute(() -> onTurn(ctx)),
                () -> loop.eventLoop().execute(() -> onPutOff(ctx)));
    if (asked.hasBegun()) {
      try {
        startTls(ctx, first);
      } finally {
        asked.done();
      }
      return;
    }
    turn = asked;
    early = first;
    ctx.channel().config().setAutoRead(false);
    pauseDeadline();
  }

  private void gather(ChannelHandlerContext ctx, ByteBuf more) {
    ByteBuf before = early;
    if (before == null) {
      more.release();
    } else {
      early = ctx.alloc().buffer(before.readableBytes() + more.readableBytes());
      early.writeBytes(before).writeBytes(more);
      before.release();
      more.release();
    }
  }

  private void onTurn(ChannelHandlerContext ctx) {
    Turns.Turn begun = turn;
    ByteBuf first = early;
    if (begun == null || first == null) {
      // It has gone away.
      return;
    }
    turn = null;
    early = null;
    startDeadline(ctx);
    try {
      startTls(ctx, first);
      // The handler writes its answer at the end of a pass.
      ctx.pipeline().fireChannelReadComplete();
    } catch (Exception e) {
      exceptionCaught(ctx, e);
    } finally {
      begun.done();
    }
    ctx.channel().config().setAutoRead(true);
  }

  /// Too many handshakes wait: the peer comes back later. It has done nothing wrong.
  private void onPutOff(ChannelHandlerContext ctx) {
    if (step == Step.TURN) {
      step = Step.DONE;
      ctx.close();
    }
  }

  private void startTls(ChannelHandlerContext ctx, ByteBuf first) throws Exception {
    Supplier<SslContext> contexts = door.tls();
    if (contexts == null) {
      throw new IllegalStateException("a door without TLS");
    }
    step = Step.HANDSHAKE;
    SslHandler handler = contexts.get().newHandler(ctx.alloc());
    // The deadline of the door holds.
    handler.setHandshakeTimeoutMillis(0);
    handler.setCloseNotifyFlushTimeoutMillis(CLOSE_NOTIFY_MILLIS);
    ctx.pipeline().addFirst(handler);
    handler.channelRead(ctx.pipeline().context(handler), first);
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (!(event instanceof SslHandshakeCompletionEvent handshake) || step != Step.HANDSHAKE) {
      return;
    }
    if (!handshake.isSuccess()) {
      counters().add(Count.TLS_HANDSHAKES_FAILED);
      // Of what is no TLS the message is what was sent.
      log.debug(
          "TLS handshake: {}",
          handshake.cause() instanceof NotSslRecordException
              ? "not TLS"
              : String.valueOf(handshake.cause().getMessage()));
      if (handshake.cause() instanceof ClosedChannelException) {
        step = Step.DONE;
        ctx.close();
      } else {
        refuse(ctx);
      }
      return;
    }
    counters().add(Count.TLS_HANDSHAKES);
    if (door.webSocket() != null) {
      step = Step.HTTP;
      return;
    }
    SslHandler handler = ctx.pipeline().get(SslHandler.class);
    if (!Certificates.ALPN_TERN.equals(handler.applicationProtocol())) {
      counters().add(Count.TLS_WITHOUT_ALPN);
      refuse(ctx);
      return;
    }
    become(ctx);
  }

  // ---- WebSocket -------------------------------------------------------------------------------

  private void startHttp(ChannelHandlerContext ctx, ByteBuf first) throws Exception {
    step = Step.UPGRADE;
    var decoder =
        new HttpRequestDecoder(
            new HttpDecoderConfig()
                .setMaxInitialLineLength(LINE_BYTES_MAX)
                .setMaxHeaderSize(HEADERS_BYTES_MAX)
                .setMaxChunkSize(1024)
                .setInitialBufferSize(256)
                .setChunkedSupported(false));
    ctx.pipeline().addBefore(ctx.name(), "http", decoder);
    decoder.channelRead(ctx.pipeline().context(decoder), first);
  }

  private void onHttp(ChannelHandlerContext ctx, Object message) {
    WebSocketConfig config = door.webSocket();
    if (config == null) {
      throw new IllegalStateException("HTTP on a door without WebSocket");
    }
    if (message instanceof HttpRequest request) {
      verdict = WebSocketUpgrade.judge(request, config);
      if (!verdict.isGood()) {
        answerNo(ctx, verdict);
      }
    } else if (message instanceof LastHttpContent && verdict != null && verdict.isGood()) {
      upgrade(ctx, verdict);
    }
  }

  private void answerNo(ChannelHandlerContext ctx, WebSocketUpgrade.Verdict no) {
    step = Step.DONE;
    counters().add(Count.WEBSOCKETS_REFUSED);
    if (no.isOriginsFault()) {
      counters().add(Count.WEBSOCKET_ORIGINS_REFUSED);
    }
    if (charged != null) {
      loop.admission().failed(charged);
    }
    cancelDeadline();
    ctx.writeAndFlush(no.response(ctx.alloc())).addListener(written -> ctx.channel().close());
  }

  private void upgrade(ChannelHandlerContext ctx, WebSocketUpgrade.Verdict yes) {
    counters().add(Count.WEBSOCKETS);
    ctx.writeAndFlush(yes.response(ctx.alloc()), ctx.voidPromise());
    var framing = new WebSocketFraming(loop);
    ctx.pipeline().addBefore(ctx.name(), null, framing);
    Connection connection = become(ctx);
    framing.attach(connection);
    // What came behind the request goes on to `framing`.
    ctx.pipeline().remove("http");
  }

  // ---- the end ---------------------------------------------------------------------------------

  private Connection become(ChannelHandlerContext ctx) {
    step = Step.DONE;
    cancelDeadline();
    var connection = new Connection(loop, ctx.channel(), door, charged);
    charged = null;
    ctx.pipeline().replace(this, null, connection);
    return connection;
  }

  /// Closes, and charges the address with a failure.
  private void refuse(ChannelHandlerContext ctx) {
    step = Step.DONE;
    if (charged != null) {
      loop.admission().failed(charged);
    }
    ctx.close();
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    cancelDeadline();
    if (head != null) {
      head.release();
      head = null;
    }
    if (early != null) {
      early.release();
      early = null;
    }
    if (turn != null) {
      turn.done();
      turn = null;
    }
    loop.admission().leave(charged, false);
    charged = null;
  }

  /// Whatever it is, it ends a connection that is nobody's yet.
  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    log.debug("at the door: {}", Wordless.kinds(cause));
    ctx.close();
  }

  private void cancelDeadline() {
    if (deadline != null) {
      deadline.cancel(false);
      deadline = null;
    }
  }

  private Counters counters() {
    return loop.edge().counters();
  }
}

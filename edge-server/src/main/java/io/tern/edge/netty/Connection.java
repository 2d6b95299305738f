package io.tern.edge.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.tern.edge.logging.Wordless;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.edge.session.CloseReason;
import io.tern.edge.session.SessionHost;
import io.tern.edge.session.SessionLogic;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One connection: the last handler of its channel (behind plain TCP the only one), and the shell
/// of its [SessionLogic]. Confined to its event loop, except [#execute].
///
/// **Buffers.** What the channel read is this handler's to release: at the end of [#channelRead],
/// after its whole frames have been taken. What is left (part of a frame, or frames that are held)
/// is copied to `kept`, the one buffer that lives between passes; it is released when it is empty,
/// at the farewell, and when the channel goes. `out` gathers this pass's frames and becomes the
/// channel's when it is written. An idle connection has neither.
///
/// **The end.** When the client has closed its side the channel says so and stays open, and the
/// loop closes it when it comes to it ([EdgeLoop#onHungUp]). Nothing is written any more, and the
/// session lives until then: a newer one of its device takes over from it as from any other.
///
/// Bounds: `kept` holds at most one frame (64 KiB) and what one read brought behind it; while a
/// frame is held the socket is not read. `out` goes to the channel at [#WRITE_BYTES].
final class Connection extends ChannelInboundHandlerAdapter implements SessionHost {

  private static final int OUT_BYTES = 1024;
  private static final int WRITE_BYTES = 32 * 1024;

  private static final Logger log = LoggerFactory.getLogger(Connection.class);

  private final EdgeLoop loop;
  private final Channel channel;
  private final Door door;
  private final SessionLogic session;

  /// Whom this connection is charged to; null when nobody.
  private @Nullable InetAddress charged;

  /// Whether it has logged in.
  private boolean inside;

  private @Nullable ByteBuf kept;
  private @Nullable ByteBuf out;

  /// To be looked at at the end of this pass.
  private boolean touched;

  /// To be looked at at the end of the round that serves what goes to many.
  private boolean served;

  private boolean wakes;

  /// The client has closed its side, and the channel waits to be closed.
  private boolean hungUp;

  private boolean gone;

  /// Why it ends, until the farewell is written.
  private @Nullable CloseReason finishes;

  Connection(EdgeLoop loop, Channel channel, Door door, @Nullable InetAddress charged) {
    this.loop = loop;
    this.channel = channel;
    this.door = door;
    this.charged = charged;
    this.session =
        new SessionLogic(
            loop.sessions().nextId(),
            loop.edge(),
            this,
            loop.sampler(),
            loop.acks(),
            loop.edge().nanoTime().getAsLong());
    loop.add(session);
    channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
  }

  // ---- from the channel ------------------------------------------------------------------------

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    var in = (ByteBuf) message;
    long now = now();
    try {
      loop.edge().counters().add(Count.BYTES_IN, in.readableBytes());
      if (kept == null) {
        session.onInput(in, loop.header(), now);
        if (in.isReadable()) {
          kept = channel.alloc().buffer(in.readableBytes()).writeBytes(in);
        }
      } else {
        kept.writeBytes(in);
        if (!session.isHeld()) {
          offerKept(now);
        }
      }
    } finally {
      in.release();
    }
    updateReading(now);
  }

  /// For a door that says itself which protocol it carries.
  void startWithoutPreface() {
    ByteBuf preface = channel.alloc().buffer(Limits.PREFACE_BYTES).writeInt(Limits.PREFACE);
    try {
      session.onInput(preface, loop.header(), now());
    } finally {
      preface.release();
    }
  }

  /// Whether the farewell has been said.
  boolean isEnding() {
    return gone || session.isClosing();
  }

  /// The client broke a rule of what carries the frames.
  void breach(CloseReason reason, String detail) {
    session.disconnect(reason, detail, now());
  }

  /// Offers what was kept, and keeps what is still left.
  private void offerKept(long now) {
    ByteBuf offered = kept;
    if (offered == null) {
      return;
    }
    session.onInput(offered, loop.header(), now);
    if (!offered.isReadable()) {
      releaseKept();
    } else if (kept != null) {
      offered.discardSomeReadBytes();
    }
  }

  private void updateReading(long now) {
    if (gone) {
      return;
    }
    boolean wants = session.wantsInput(kept == null ? 0 : kept.readableBytes(), now);
    if (channel.config().isAutoRead() != wants) {
      channel.config().setAutoRead(wants);
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (channel.isWritable()) {
      session.onWritable(now());
    }
  }

  /// The end of a TLS stream is the end of the connection.
  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof SslCloseCompletionEvent) {
      channel.close();
    } else if (event == ChannelInputShutdownEvent.INSTANCE) {
      onHungUp();
    }
  }

  private void onHungUp() {
    if (session.isClosing()) {
      // Both sides are closed: epoll would report it in every pass.
      close();
      return;
    }
    hungUp = true;
    // NIO would read its end in every pass.
    channel.config().setAutoRead(false);
    releaseOut();
    loop.onHungUp(this);
  }

  /// As the channel does itself when the client's side is closed: without a word.
  void close() {
    channel.unsafe().close(channel.voidPromise());
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    onGone();
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    onGone();
  }

  private void onGone() {
    if (gone) {
      return;
    }
    gone = true;
    session.onClosed();
    loop.remove(session);
    releaseKept();
    releaseOut();
    loop.admission().leave(charged, inside);
    charged = null;
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    if (cause instanceof IOException || cause instanceof DecoderException) {
      // The connection broke (or its TLS did); the client will say what it missed.
      log.debug("session {}: {}", session.id(), Wordless.kinds(cause));
      channel.close();
      return;
    }
    log.error("session {}", session.id(), Wordless.of(cause));
    session.disconnect(CloseReason.INTERNAL, cause.getClass().getSimpleName(), now());
  }

  // ---- for the session -------------------------------------------------------------------------

  @Override
  public void write(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    if (gone || hungUp) {
      return;
    }
    ByteBuf to = out;
    if (to == null) {
      to = channel.alloc().ioBuffer(OUT_BYTES);
      out = to;
    }
    int before = to.readableBytes();
    FrameWriter.write(to, type, flags, rid, chat, seq, body);
    loop.edge().counters().add(Count.FRAMES_OUT);
    loop.edge().counters().add(Count.BYTES_OUT, to.readableBytes() - before);
    touch();
    if (to.readableBytes() >= WRITE_BYTES) {
      // So that the channel's watermarks see it.
      out = null;
      channel.write(to, channel.voidPromise());
    }
  }

  @Override
  public Counters.Door door() {
    if (door.webSocket() != null) {
      return Counters.Door.WEBSOCKET;
    }
    return door.tls() != null ? Counters.Door.TLS : Counters.Door.TCP;
  }

  @Override
  public boolean isWritable() {
    return channel.isWritable();
  }

  @Override
  public Link link() {
    InetAddress peer = charged;
    if (peer == null && channel.remoteAddress() instanceof InetSocketAddress remote) {
      peer = remote.getAddress();
    }
    ChannelOutboundBuffer waiting = channel.unsafe().outboundBuffer();
    long bytes = out == null ? 0 : out.readableBytes();
    return new Link(
        Door.word(door.listener()),
        peer,
        bytes + (waiting == null ? 0 : waiting.totalPendingWriteBytes()));
  }

  @Override
  public void execute(Runnable task) {
    try {
      loop.eventLoop().execute(() -> run(task));
    } catch (RejectedExecutionException e) {
      // The loop has shut down, and this session with it.
      log.debug("session {}: too late", session.id());
    }
  }

  /// A bug in one session ends that session, and no other.
  private void run(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException e) {
      log.error("session {}", session.id(), Wordless.of(e));
      session.disconnect(CloseReason.INTERNAL, e.getClass().getSimpleName(), now());
    }
  }

  @Override
  public void wakeIn(long millis) {
    if (!wakes) {
      wakes = true;
      loop.eventLoop()
          .schedule(
              () -> {
                wakes = false;
                run(() -> session.onWake(now()));
              },
              millis,
              TimeUnit.MILLISECONDS);
    }
  }

  @Override
  public void onInputChanged() {
    touch();
  }

  @Override
  public void finish(CloseReason reason) {
    if (charged != null && !inside && reason.isClientsFault()) {
      loop.admission().failed(charged);
    }
    finishes = reason;
    // `kept` may be what the session is looking at: it goes at the end of the pass.
    touch();
    if (reason.farewell() == CloseReason.Farewell.NOTHING) {
      abort();
    }
  }

  @Override
  public void abort() {
    channel.close();
  }

  /// There is something to do at the end of this pass, or of a round.
  void touch() {
    if (touched || (served && loop.isServing())) {
      return;
    }
    if (loop.touch(this)) {
      touched = true;
    } else {
      served = true;
    }
  }

  /// The round has ended: what it brought goes out with this pass.
  void onServed() {
    served = false;
    touch();
  }

  // ---- the end of a pass -----------------------------------------------------------------------

  void endOfPass(long now) {
    touched = false;
    if (gone || hungUp) {
      return;
    }
    if (kept != null && !session.isHeld()) {
      run(() -> offerKept(now));
    }
    if (!inside && charged != null && session.isLive()) {
      loop.admission().loggedIn(charged);
      inside = true;
    }
    updateReading(now);
    flush();
  }

  private void flush() {
    ByteBuf frames = out;
    out = null;
    CloseReason reason = finishes;
    if (reason != null) {
      finishes = null;
      releaseKept();
      door.end(channel, frames == null ? channel.alloc().buffer(0) : frames, reason);
      return;
    }
    if (frames != null) {
      channel.write(frames, channel.voidPromise());
    }
    loop.edge().counters().add(Count.FLUSHES);
    channel.flush();
  }

  private void releaseKept() {
    if (kept != null) {
      kept.release();
      kept = null;
    }
  }

  private void releaseOut() {
    if (out != null) {
      out.release();
      out = null;
    }
  }

  private long now() {
    return loop.edge().nanoTime().getAsLong();
  }
}

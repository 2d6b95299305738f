package io.tern.edge.http;

import com.linecorp.armeria.server.ServiceRequestContext;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.AttributeKey;
import io.netty.util.concurrent.ScheduledFuture;
import io.tern.accounts.budget.Block;
import io.tern.edge.config.HttpConfig;
import io.tern.edge.metrics.Counters;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// Stands first in an HTTP connection's pipeline and bounds it, each bound with a counter:
///
/// | bound | beyond |
/// |---|---|
/// | connections in all, and of one address | closed at once |
/// | the head of a request, complete so long after its first byte (of the first request: after the connection), whatever trickles in | closed |
/// | so long without a request under way | closed, as HTTP says goodbye: GOAWAY, close_notify |
/// | its age | likewise; with a request under way, after the answer |
///
/// HTTP/2's head has its time also while other requests are under way, and so has every other
/// frame. What it says between requests (SETTINGS, PING, WINDOW_UPDATE) is no head: a connection
/// that says such things, be it before its first request, is idle.
///
/// The first, third and fourth Armeria could bound too, but closes without telling anyone why. What
/// it bounds (bodies, sizes of heads, the time of a request) is set in [HttpGateway].
///
/// Confined to its event loop; the table of addresses is shared.
final class DoorGuard extends ChannelInboundHandlerAdapter {

  /// What all guards of a server share. Any thread.
  ///
  /// @param connectionsMax open ones, of all addresses
  /// @param loopbackExempt whether loopback may have any number: only this machine is behind it
  /// @param headerNanos for the head of a request
  /// @param idleNanos without a request under way
  /// @param ageNanos since the connection was taken
  /// @param open the guards of all connections
  /// @param ending whether the server ends
  record Shared(
      int connectionsMax,
      int connectionsPerAddressMax,
      boolean loopbackExempt,
      long headerNanos,
      long idleNanos,
      long ageNanos,
      Counters counters,
      HttpCounts counts,
      ConcurrentHashMap<Block, Integer> connections,
      Set<DoorGuard> open,
      AtomicBoolean ending) {

    Shared(HttpConfig config, boolean loopbackExempt, Counters counters, HttpCounts counts) {
      this(
          config.connectionsMax(),
          config.connectionsPerAddressMax(),
          loopbackExempt,
          config.headTimeout().toNanos(),
          config.idleTimeout().toNanos(),
          config.connectionAgeMax().toNanos(),
          counters,
          counts,
          new ConcurrentHashMap<>(),
          ConcurrentHashMap.newKeySet(),
          new AtomicBoolean());
    }

    /// Closes every connection that nobody waits on, and the others when they have been answered; a
    /// newcomer at once.
    void closeAll() {
      ending.set(true);
      open.forEach(DoorGuard::closeWhenIdle);
    }

    private boolean enter(Block address) {
      int now = connections.merge(address, 1, Integer::sum);
      return now <= connectionsPerAddressMax;
    }

    private void leave(Block address) {
      connections.computeIfPresent(address, (key, n) -> n == 1 ? null : n - 1);
    }
  }

  private static final AttributeKey<DoorGuard> KEY = AttributeKey.valueOf(DoorGuard.class, "guard");

  private final Shared shared;
  private @Nullable Block address;
  private @Nullable ScheduledFuture<?> deadline;
  private @Nullable ScheduledFuture<?> idleness;
  private @Nullable ScheduledFuture<?> age;
  private int underWay;

  /// A request under way; null when there is none. The connection can be ended through any of them.
  private @Nullable ServiceRequestContext request;

  /// Since when no request has been under way.
  private long idleSince;

  private boolean served;

  /// Whether it speaks HTTP/2, and tells of its frames.
  private boolean framed;

  private @Nullable ChannelHandlerContext ctx;
  private long lastRead;

  DoorGuard(Shared shared) {
    this.shared = shared;
  }

  /// The guard of this connection, or null.
  static @Nullable DoorGuard of(Channel channel) {
    return channel.attr(KEY).get();
  }

  @Override
  public void channelActive(ChannelHandlerContext ctx) throws Exception {
    ctx.channel().attr(KEY).set(this);
    if (shared.open().size() >= shared.connectionsMax()) {
      shared.counters().add(shared.counts().connectionsRefusedInAll());
      ctx.close();
      return;
    }
    InetAddress from =
        ctx.channel().remoteAddress() instanceof InetSocketAddress remote
            ? remote.getAddress()
            : InetAddress.getLoopbackAddress();
    if (!(shared.loopbackExempt() && from.isLoopbackAddress())) {
      address = Block.of(from);
      if (!shared.enter(address)) {
        shared.counters().add(shared.counts().connectionsRefused());
        ctx.close();
        return;
      }
    }
    shared.counters().add(shared.counts().connections());
    this.ctx = ctx;
    shared.open().add(this);
    if (shared.ending().get()) {
      ctx.close();
      return;
    }
    begin(ctx);
    idleSince = System.nanoTime();
    lookAtIdleness(ctx, shared.idleNanos());
    age = ctx.executor().schedule(() -> onAge(ctx), shared.ageNanos(), TimeUnit.NANOSECONDS);
    super.channelActive(ctx);
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) throws Exception {
    stop();
    cancel(idleness);
    cancel(age);
    shared.open().remove(this);
    if (address != null) {
      shared.leave(address);
      address = null;
    }
    super.channelInactive(ctx);
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) throws Exception {
    lastRead = System.nanoTime();
    // While a request is under way HTTP/1 reads its body. HTTP/2 may read another head, and says
    // when a frame is whole.
    if (deadline == null && (framed || underWay == 0)) {
      begin(ctx);
    }
    super.channelRead(ctx, message);
    if (!framed) {
      // Only what has been read tells which HTTP it is.
      framed = WholeFrames.listen(ctx.pipeline(), this::stop);
    }
  }

  /// The head of a request is complete. On the event loop.
  void onRequest(ServiceRequestContext request) {
    underWay++;
    this.request = request;
    served = true;
    stop();
  }

  /// A request has been answered. On the event loop.
  void onAnswered() {
    underWay--;
    if (underWay == 0) {
      request = null;
      idleSince = System.nanoTime();
    }
    end();
  }

  /// From any thread.
  private void closeWhenIdle() {
    ChannelHandlerContext of = ctx;
    if (of != null) {
      of.executor().execute(this::end);
    }
  }

  private void end() {
    if (shared.ending().get() && underWay == 0 && ctx != null) {
      ctx.close();
    }
  }

  private void lookAtIdleness(ChannelHandlerContext ctx, long inNanos) {
    idleness =
        ctx.executor()
            .schedule(
                () -> {
                  long idle = underWay > 0 ? 0 : System.nanoTime() - idleSince;
                  if (idle < shared.idleNanos()) {
                    lookAtIdleness(ctx, shared.idleNanos() - idle);
                  } else {
                    shared.counters().add(shared.counts().connectionsIdle());
                    // From the other end of the pipeline, so that every protocol takes its leave.
                    ctx.channel().close();
                  }
                },
                inNanos,
                TimeUnit.NANOSECONDS);
  }

  private void onAge(ChannelHandlerContext ctx) {
    shared.counters().add(shared.counts().connectionsOld());
    if (request == null) {
      ctx.channel().close();
    } else {
      request.initiateConnectionShutdown();
    }
  }

  private void begin(ChannelHandlerContext ctx) {
    deadline =
        ctx.executor().schedule(() -> onDeadline(ctx), shared.headerNanos(), TimeUnit.NANOSECONDS);
  }

  private void onDeadline(ChannelHandlerContext ctx) {
    deadline = null;
    // Of a stream that has ended HTTP/2 may still say something, which is not told of and which no
    // request follows: then it is idle, which has its own limit. What still trickles now is a head
    // that never ends.
    if (served && System.nanoTime() - lastRead > shared.headerNanos() / 2) {
      return;
    }
    shared.counters().add(shared.counts().headsTooSlow());
    ctx.close();
  }

  private void stop() {
    cancel(deadline);
    deadline = null;
  }

  private static void cancel(@Nullable ScheduledFuture<?> timer) {
    if (timer != null) {
      timer.cancel(false);
    }
  }
}

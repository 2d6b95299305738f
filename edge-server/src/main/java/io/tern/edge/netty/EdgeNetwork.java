package io.tern.edge.netty;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.handler.ssl.SslContext;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import io.tern.edge.config.CannotListen;
import io.tern.edge.config.NetConfig;
import io.tern.edge.config.ProxyConfig;
import io.tern.edge.config.Transport;
import io.tern.edge.config.WebSocketConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.session.CloseReason;
import io.tern.edge.session.EdgeContext;
import io.tern.edge.session.SessionLogic;
import io.tern.edge.session.SessionTable;
import io.tern.edge.tls.Certificates;
import io.tern.protocol.ErrorCode;
import io.tern.router.Attachment;
import io.tern.router.Deliveries;
import io.tern.router.Delivery;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The event loops, the listeners on them, and the way of deliveries to the loops. Any thread may
/// call any method.
///
/// Lives from construction (loops run, nothing listens) through [#listen] to [#close].
public final class EdgeNetwork implements Deliveries, AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(EdgeNetwork.class);

  private static final WriteBufferWaterMark WATERMARK =
      new WriteBufferWaterMark(32 * 1024, 64 * 1024);

  /// Presence is told at most that often.
  private static final long PRESENCE_MILLIS = 1_000;

  private final NetConfig config;
  private final IoEventLoopGroup group;
  private final EdgeLoop[] loops;
  private final IdentityHashMap<EventLoop, EdgeLoop> byEventLoop;
  private final Admission admission;
  private final EdgeContext edge;
  private final @Nullable Certificates certificates;
  private volatile List<Channel> listeners = List.of();
  private volatile Listening listening = new Listening(List.of(), List.of(), List.of());
  private volatile boolean acceptPaused;

  /// Open connections by door; the map is not changed after construction.
  private final Map<ProxyConfig.Listener, OpenCount> open =
      new EnumMap<>(ProxyConfig.Listener.class);

  /// @param certificates for listeners with TLS; stays the caller's, who closes it after this
  public EdgeNetwork(NetConfig config, EdgeContext edge, @Nullable Certificates certificates) {
    this.config = config;
    this.certificates = certificates;
    this.edge = edge;
    for (ProxyConfig.Listener listener : ProxyConfig.Listener.values()) {
      open.put(listener, new OpenCount());
    }
    this.admission =
        new Admission(
            edge.limits(),
            edge.budgets().config(),
            edge.counters(),
            edge.nanoTime(),
            this::resumeAccepting);
    Transport transport = config.transport().resolved();
    this.group =
        new MultiThreadIoEventLoopGroup(
            config.loops(), new DefaultThreadFactory("tern-loop"), transport.ioHandlers());
    var loops = new ArrayList<EdgeLoop>();
    this.byEventLoop = new IdentityHashMap<>();
    for (EventExecutor executor : group) {
      var eventLoop = (EventLoop) executor;
      var loop = new EdgeLoop(loops.size(), eventLoop, edge, admission);
      loops.add(loop);
      byEventLoop.put(eventLoop, loop);
    }
    this.loops = loops.toArray(EdgeLoop[]::new);
    edge.drain()
        .runBy(
            loops.stream().map(EdgeLoop::leaving).toList(), () -> loops.forEach(EdgeLoop::leave));
    EventExecutor first = group.next();
    edge.turns().runBy((millis, task) -> first.schedule(task, millis, TimeUnit.MILLISECONDS));
    every(PRESENCE_MILLIS, () -> edge.presence().tick(edge.nanoTime().getAsLong()));
  }

  /// Connections of one kind of door. Any thread.
  private static final class OpenCount implements ChannelFutureListener {
    private final AtomicInteger now = new AtomicInteger();

    void add(Channel channel) {
      now.incrementAndGet();
      channel.closeFuture().addListener(this);
    }

    @Override
    public void operationComplete(ChannelFuture closed) {
      now.decrementAndGet();
    }

    int now() {
      return now.get();
    }
  }

  /// Where clients connect, in the order of the configuration.
  public record Listening(
      List<InetSocketAddress> plain,
      List<InetSocketAddress> tls,
      List<InetSocketAddress> webSocket) {}

  /// What has been bound so far.
  public Listening listening() {
    return listening;
  }

  /// Binds every configured address of every door.
  ///
  /// @throws CannotListen when an address cannot be had
  public Listening listen() throws IOException, InterruptedException {
    var channels = new ArrayList<Channel>();
    try {
      var plain = new ArrayList<InetSocketAddress>();
      for (InetSocketAddress address : config.listen()) {
        plain.add(
            bind("net.listen", address, door(null, null, ProxyConfig.Listener.PLAIN), channels));
      }
      var tls = new ArrayList<InetSocketAddress>();
      for (InetSocketAddress address : config.tlsListen()) {
        Door door = door(certificates()::tern, null, ProxyConfig.Listener.TLS);
        tls.add(bind("net.tls.listen", address, door, channels));
      }
      var webSocket = new ArrayList<InetSocketAddress>();
      WebSocketConfig web = config.webSocket();
      for (InetSocketAddress address : web.listen()) {
        Supplier<SslContext> contexts = web.isTls(address) ? certificates()::http : null;
        Door door = door(contexts, web, ProxyConfig.Listener.WEBSOCKET);
        webSocket.add(bind("net.websocket.listen", address, door, channels));
      }
      var bound = new Listening(List.copyOf(plain), List.copyOf(tls), List.copyOf(webSocket));
      listening = bound;
      return bound;
    } finally {
      listeners = List.copyOf(channels);
    }
  }

  private Certificates certificates() {
    return Objects.requireNonNull(certificates, "a TLS listener needs a certificate");
  }

  private Door door(
      @Nullable Supplier<SslContext> tls,
      @Nullable WebSocketConfig webSocket,
      ProxyConfig.Listener listener) {
    boolean proxied = config.proxy().listeners().contains(listener);
    var door = new Door(listener, tls, webSocket, proxied ? config.proxy() : null);
    return door.isOpen() ? Door.PLAIN : door;
  }

  private InetSocketAddress bind(
      String key, InetSocketAddress address, Door door, List<Channel> channels)
      throws IOException, InterruptedException {
    var bootstrap =
        new ServerBootstrap()
            .group(group)
            .channel(config.transport().serverChannel())
            .option(ChannelOption.SO_BACKLOG, config.backlog())
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, WATERMARK)
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    accept(channel, door);
                  }
                });
    ChannelFuture binding = bootstrap.bind(address).await();
    if (!binding.isSuccess()) {
      throw new CannotListen(key, address, binding.cause());
    }
    Channel listener = binding.channel();
    channels.add(listener);
    return (InetSocketAddress) listener.localAddress();
  }

  /// On the new channel's event loop.
  private void accept(Channel channel, Door door) {
    InetAddress peer = addressOf(channel.remoteAddress());
    ProxyConfig proxies = door.proxies();
    if (proxies != null && !proxies.isTrusted(peer)) {
      edge.counters().add(Count.PROXY_REFUSED);
      channel.close();
      return;
    }
    // Behind a proxy the address comes in its header.
    InetAddress address = proxies != null ? null : admission.accountable(peer);
    if (!admission.enter(address)) {
      channel.close();
      return;
    }
    Objects.requireNonNull(open.get(door.listener())).add(channel);
    EdgeLoop loop = byEventLoop.get(channel.eventLoop());
    if (loop == null) {
      throw new IllegalStateException("a channel on a foreign event loop");
    }
    channel
        .pipeline()
        .addLast(
            door.isOpen()
                ? new Connection(loop, channel, door, address)
                : new Doorstep(loop, door, address, config.doorTimeout().toMillis()));
    if (admission.isFull()) {
      pauseAccepting();
    }
  }

  private static InetAddress addressOf(@Nullable SocketAddress remote) {
    return remote instanceof InetSocketAddress inet
        ? inet.getAddress()
        : InetAddress.getLoopbackAddress();
  }

  /// Full: newcomers wait in the kernel's backlog until a connection closes.
  private void pauseAccepting() {
    if (!acceptPaused) {
      acceptPaused = true;
      edge.counters().add(Count.ACCEPT_PAUSES);
      log.warn("{} connections: not accepting more", admission.connections());
      listeners.forEach(listener -> listener.config().setAutoRead(false));
      if (!admission.isFull()) {
        // One closed while the listeners were being told.
        resumeAccepting();
      }
    }
  }

  private void resumeAccepting() {
    if (acceptPaused && !admission.isFull()) {
      acceptPaused = false;
      listeners.forEach(listener -> listener.config().setAutoRead(true));
    }
  }

  // ---- deliveries ------------------------------------------------------------------------------

  @Override
  public void deliver(List<Delivery> batch) {
    if (loops.length == 1) {
      loops[0].post(batch);
      return;
    }
    var concerned = new boolean[loops.length];
    for (int i = 0; i < batch.size(); i++) {
      mark(batch.get(i), concerned);
    }
    for (int i = 0; i < loops.length; i++) {
      if (concerned[i]) {
        loops[i].post(batch);
      }
    }
  }

  private static void mark(Delivery delivery, boolean[] concerned) {
    switch (delivery) {
      case Delivery.Answer answer -> mark(answer.to().session(), concerned);
      case Delivery.Entries entries -> mark(entries.to(), concerned);
      case Delivery.Receipts receipts -> mark(receipts.to(), concerned);
      case Delivery.Replaced(Attachment session) -> mark(session.session(), concerned);
      case Delivery.Nudge nudge -> mark(nudge.to().session(), concerned);
      case Delivery.Revoked(Attachment session, ErrorCode why) ->
          mark(session.session(), concerned);
      case Delivery.Gone gone -> Arrays.fill(concerned, true);
      case Delivery.Progress progress -> mark(progress.to(), concerned);
      case Delivery.Typing typing -> mark(typing.to(), concerned);
      case Delivery.Presence presence -> mark(presence.to(), concerned);
    }
  }

  private static void mark(List<Attachment> to, boolean[] concerned) {
    for (int i = 0; i < to.size(); i++) {
      mark(to.get(i).session(), concerned);
    }
  }

  private static void mark(long session, boolean[] concerned) {
    int loop = SessionTable.loopOf(session);
    if (loop < concerned.length) {
      concerned[loop] = true;
    }
  }

  // ---- state and end ---------------------------------------------------------------------------

  public int connections() {
    return admission.connections();
  }

  /// How many are open, by the kind of door they came in by: `plain`, `tls`, `websocket`.
  public Map<String, Integer> connectionsByDoor() {
    var byDoor = new LinkedHashMap<String, Integer>();
    open.forEach((listener, count) -> byDoor.put(Door.word(listener), count.now()));
    return byDoor;
  }

  /// The sessions of users, for operators.
  public SessionDesk sessions() {
    return new SessionDesk(edge, loops);
  }

  /// Addresses and networks that are kept to bound their connections.
  public int addressesKept() {
    return admission.keys();
  }

  /// Runs `task`, which does not block, again and again on an event loop.
  public void every(long millis, Runnable task) {
    group
        .next()
        .scheduleWithFixedDelay(
            () -> {
              try {
                task.run();
              } catch (RuntimeException e) {
                // The next one may do.
                log.error("a periodic task", e);
              }
            },
            millis,
            millis,
            TimeUnit.MILLISECONDS);
  }

  /// Closes the listeners; connections stay.
  public void stopAccepting() {
    List<Channel> open = listeners;
    listeners = List.of();
    open.forEach(listener -> listener.close().awaitUninterruptibly(1, TimeUnit.SECONDS));
  }

  /// Runs `task` once on each loop, for each of its sessions, and waits for all; the bound is
  /// `timeout`.
  private void onEverySession(java.util.function.Consumer<SessionLogic> task, Duration timeout) {
    var all = new ArrayList<CompletableFuture<Void>>();
    for (EdgeLoop loop : loops) {
      all.add(
          CompletableFuture.runAsync(() -> loop.sessions().all().forEach(task), loop.eventLoop()));
    }
    try {
      CompletableFuture.allOf(all.toArray(CompletableFuture[]::new))
          .get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      log.warn("an event loop did not answer in {}", timeout);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (java.util.concurrent.ExecutionException e) {
      log.warn("while ending sessions", e.getCause());
    }
  }

  /// From now on no session takes a frame; answers still go out.
  public void stopReading(Duration timeout) {
    onEverySession(SessionLogic::stopInput, timeout);
  }

  /// Says GOAWAY DRAIN to everyone and ends their connections.
  public void sendAway(Duration timeout) {
    long now = edge.nanoTime().getAsLong();
    onEverySession(session -> session.disconnect(CloseReason.DRAIN, "", now), timeout);
  }

  /// Closes everything that is still open and ends the loops.
  @Override
  public void close() {
    stopAccepting();
    Future<?> ended = group.shutdownGracefully(0, 2, TimeUnit.SECONDS);
    ended.awaitUninterruptibly(5, TimeUnit.SECONDS);
  }
}

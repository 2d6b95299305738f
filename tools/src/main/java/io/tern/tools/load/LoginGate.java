package io.tern.tools.load;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.tern.client.ClientTls;
import io.tern.client.netty.TlsClient;
import java.net.ConnectException;
import java.net.SocketAddress;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// Lets many users in, a few at a time: servers bound the connections that have not logged in yet.
/// Confined to the load's event loop.
final class LoginGate {

  /// Below the server's bound of 64 for one address.
  static final int ATTEMPTS_MAX = 32;

  private final Bootstrap bootstrap;
  private final SocketAddress address;
  private final @Nullable TlsClient tls;
  private final int users;
  private final IntFunction<ChannelHandler> handler;
  private final Runnable onAllUp;
  private final Consumer<String> onFailed;
  private final EventLoopGroup loop;
  private int started;
  private int up;

  /// Users whom the server told to come back later.
  private int waiting;

  LoginGate(
      EventLoopGroup loop,
      SocketAddress address,
      @Nullable ClientTls tls,
      int users,
      IntFunction<ChannelHandler> handler,
      Runnable onAllUp,
      Consumer<String> onFailed) {
    this.bootstrap =
        new Bootstrap()
            .group(loop)
            .channel(channelType())
            .remoteAddress(address)
            .option(ChannelOption.TCP_NODELAY, true)
            .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, 10_000);
    this.loop = loop;
    this.address = address;
    this.tls = tls == null ? null : new TlsClient(tls);
    this.users = users;
    this.handler = handler;
    this.onAllUp = onAllUp;
    this.onFailed = onFailed;
  }

  static IoHandlerFactory ioHandler() {
    return Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
  }

  private static Class<? extends SocketChannel> channelType() {
    return Epoll.isAvailable() ? EpollSocketChannel.class : NioSocketChannel.class;
  }

  void start() {
    while (started < users && started - up - waiting < ATTEMPTS_MAX) {
      connect(started++);
    }
  }

  /// The server has no place for this user now and said when it will have.
  void comeBack(int index, long millis) {
    waiting++;
    loop.schedule(
        () -> {
          waiting--;
          connect(index);
        },
        millis,
        TimeUnit.MILLISECONDS);
    start();
  }

  private void connect(int index) {
    bootstrap
        .clone()
        .handler(handlerOf(index))
        .connect()
        .addListener(
            (ChannelFutureListener)
                connect -> {
                  if (!connect.isSuccess()) {
                    onFailed.accept(
                        "user " + index + " cannot connect: " + whyNot(connect.cause()));
                  }
                });
  }

  /// What a person can use of it; Netty says which call it was.
  private static String whyNot(Throwable cause) {
    var message = String.valueOf(cause.getMessage());
    return cause instanceof ConnectException && message.contains("Connection refused")
        ? "connection refused (tern server starts one)"
        : message;
  }

  /// Of one user: alone, or behind TLS.
  private ChannelHandler handlerOf(int index) {
    var user = handler.apply(index);
    return tls == null
        ? user
        : new ChannelInitializer<Channel>() {
          @Override
          protected void initChannel(Channel to) {
            to.pipeline().addLast(tls.handler(to.alloc(), address), user);
          }
        };
  }

  /// One more is logged in.
  void onUp() {
    up++;
    if (up == users) {
      onAllUp.run();
    } else {
      start();
    }
  }

  int up() {
    return up;
  }
}

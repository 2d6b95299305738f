package io.tern.client.netty;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/// Event loops that any number of clients share; a client stays on one of them. Its threads are
/// daemons. Thread-safe.
public final class TernTransport implements AutoCloseable {

  private final EventLoopGroup group;
  private final Class<? extends Channel> channelType;

  private TernTransport(int loops) {
    IoHandlerFactory io;
    if (hasEpoll()) {
      io = EpollIoHandler.newFactory();
      channelType = EpollSocketChannel.class;
    } else {
      io = NioIoHandler.newFactory();
      channelType = NioSocketChannel.class;
    }
    group =
        new MultiThreadIoEventLoopGroup(loops, new DefaultThreadFactory("tern-client", true), io);
  }

  /// With this many threads. Epoll where it is there, else NIO.
  public static TernTransport create(int loops) {
    return new TernTransport(loops);
  }

  private static boolean hasEpoll() {
    try {
      return Epoll.isAvailable();
    } catch (NoClassDefFoundError e) {
      // The epoll classes are optional for an app; without them NIO does.
      return false;
    }
  }

  EventLoop next() {
    return group.next();
  }

  Class<? extends Channel> channelType() {
    return channelType;
  }

  /// Stops the threads, after what they have at hand. Close the clients first. Returns at once.
  @Override
  public void close() {
    shutdown();
  }

  Future<?> shutdown() {
    return group.shutdownGracefully(0, 5, TimeUnit.SECONDS);
  }
}

package io.tern.client;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A [FakeServer] on a real socket, on one event loop.
public final class NettyFakeServer implements AutoCloseable {

  private final EventLoopGroup group =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final FakeServer server = new FakeServer();
  private final java.util.Set<Channel> channels = ConcurrentHashMap.newKeySet();
  private final Channel listener;

  public NettyFakeServer() throws InterruptedException {
    listener =
        new ServerBootstrap()
            .group(group)
            .channel(NioServerSocketChannel.class)
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channels.add(channel);
                    channel.pipeline().addLast(new Handler());
                  }
                })
            .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .sync()
            .channel();
  }

  public List<SocketAddress> addresses() {
    return List.of(listener.localAddress());
  }

  /// Runs `call` on the server's thread and waits for it.
  public void with(Consumer<FakeServer> call) throws InterruptedException {
    group.next().submit(() -> call.accept(server)).sync();
    for (Channel channel : channels) {
      channel.flush();
    }
  }

  /// Cuts all connections.
  public void cutAll() {
    for (Channel channel : channels) {
      channel.close();
    }
  }

  @Override
  public void close() throws InterruptedException {
    group.shutdownGracefully(0, 1, java.util.concurrent.TimeUnit.SECONDS).sync();
  }

  private final class Handler extends ChannelInboundHandlerAdapter {
    private @Nullable FakeSession session;

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
      session =
          server.open(
              bytes -> ctx.write(Unpooled.wrappedBuffer(bytes)),
              () ->
                  ctx.writeAndFlush(Unpooled.EMPTY_BUFFER)
                      .addListener(ChannelFutureListener.CLOSE));
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
      ByteBuf in = (ByteBuf) message;
      var bytes = new byte[in.readableBytes()];
      in.readBytes(bytes);
      in.release();
      FakeSession open = session;
      if (open != null) {
        open.onBytes(bytes);
      }
      for (Channel channel : channels) {
        channel.flush();
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
      channels.remove(ctx.channel());
      if (session != null) {
        session.onClosed();
      }
    }
  }
}

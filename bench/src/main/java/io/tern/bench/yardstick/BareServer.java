package io.tern.bench.yardstick;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// A bare Netty and RocksDB loop: SEND frames in, one synced WriteBatch for all that gathered while
/// the one before was on its way to the disk, SENT frames out, nothing else.
///
/// ```
///  event loop                         committer
///  recv, frame headers  --arrivals--> gather what is there, one synced write
///  one send per connection <--batch-- seqs
/// ```
///
/// Two threads: one event loop, and the [Committer]. Lives from [#open] to [#close].
public final class BareServer implements AutoCloseable {

  private final MultiThreadIoEventLoopGroup group;
  private final BareLog log;
  private final Committer committer;
  private final Channel listener;

  private BareServer(
      MultiThreadIoEventLoopGroup group, BareLog log, Committer committer, Channel listener) {
    this.group = group;
    this.log = log;
    this.committer = committer;
    this.listener = listener;
  }

  /// Starts listening on loopback.
  ///
  /// @param data folder, created when absent
  /// @param port on 127.0.0.1; 0 for any
  public static BareServer open(Path data, int port) throws Exception {
    Files.createDirectories(data);
    boolean epoll = Epoll.isAvailable();
    var group =
        new MultiThreadIoEventLoopGroup(
            1, epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
    var log = new BareLog(data);
    var committer = new Committer((EventLoop) group.next(), log);
    Channel listener =
        new ServerBootstrap()
            .group(group)
            .channel(epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class)
            .option(ChannelOption.SO_BACKLOG, 1024)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channel.pipeline().addLast(new BareConnection(channel, committer));
                  }
                })
            .bind("127.0.0.1", port)
            .sync()
            .channel();
    committer.start();
    return new BareServer(group, log, committer, listener);
  }

  public int port() {
    return ((InetSocketAddress) listener.localAddress()).getPort();
  }

  /// Returns when the server has been closed.
  public void join() throws InterruptedException {
    listener.closeFuture().sync();
  }

  /// Closes the connections and the log; what has not been answered is not promised.
  @Override
  public void close() throws InterruptedException {
    listener.close().sync();
    committer.close();
    group.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    log.close();
  }

  public static void main(String[] args) {
    System.exit(new CommandLine(new Main()).execute(args));
  }

  @Command(name = "bare-server", description = "The yardstick: a bare Netty and RocksDB loop.")
  private static final class Main implements Callable<Integer> {

    @Option(names = "--data", required = true, description = "Folder, created when absent.")
    private Path data;

    @Option(names = "--port", defaultValue = "0", description = "On 127.0.0.1; 0 = any.")
    private int port;

    @Override
    public Integer call() throws Exception {
      try (var server = open(data, port)) {
        System.out.printf("ready listen=127.0.0.1:%d data=%s%n", server.port(), data);
        server.join();
      }
      return 0;
    }
  }
}

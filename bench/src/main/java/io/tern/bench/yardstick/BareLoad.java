package io.tern.bench.yardstick;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.tern.bench.measure.Json;
import io.tern.bench.measure.ProcessUsage;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// Loads a [BareServer] the way `tern load` loads Tern, with the same options and the same keys in
/// its result.
///
/// One event loop owns every connection, so that a generator pinned to one core measures the server
/// and not its own threads' queueing for that core.
@Command(name = "bare-load", description = "Loads the yardstick as tern load loads Tern.")
public final class BareLoad implements Callable<Integer> {

  private static final Duration DRAIN_MAX = Duration.ofSeconds(10);

  @Option(names = "--connect", required = true, paramLabel = "HOST:PORT")
  private String server;

  @Option(names = "--users", defaultValue = "200", description = "Connections.")
  private int users;

  @ArgGroup(multiplicity = "1")
  private Loop loop;

  @Option(names = "--seconds", defaultValue = "10")
  private int seconds;

  @Option(names = "--warmup", defaultValue = "5", description = "Seconds before that.")
  private int warmup;

  @Option(names = "--size", defaultValue = "100", description = "Bytes of text.")
  private int size;

  @Option(names = "--server-pid", description = "Whose CPU time to measure.")
  private @Nullable Long serverPid;

  @Option(names = "--json", description = "Where to write the result too.")
  private @Nullable Path json;

  private static final class Loop {
    @Option(names = "--in-flight", description = "Closed loop: sends a connection keeps going.")
    int inFlight;

    @Option(names = "--rate", description = "Open loop: sends a second, of all connections.")
    int rate;
  }

  public static void main(String[] args) {
    System.exit(new CommandLine(new BareLoad()).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    boolean epoll = Epoll.isAvailable();
    var group =
        new MultiThreadIoEventLoopGroup(
            1, epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
    try {
      var eventLoop = (EventLoop) group.next();
      var senders = new Senders(eventLoop, size, loop.inFlight, loop.rate);
      connect(eventLoop, epoll, senders);
      Map<String, Object> result = run(eventLoop, senders);
      String text = Json.write(result);
      System.out.println(text);
      if (json != null) {
        Json.write(json, result);
      }
      return senders.lost() + senders.doubled() + senders.reordered() == 0 ? 0 : 1;
    } finally {
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }

  private void connect(EventLoop eventLoop, boolean epoll, Senders senders) throws Exception {
    int colon = server.lastIndexOf(':');
    var bootstrap =
        new Bootstrap()
            .group(eventLoop)
            .channel(epoll ? EpollSocketChannel.class : NioSocketChannel.class)
            .option(ChannelOption.TCP_NODELAY, true)
            .remoteAddress(
                server.substring(0, colon), Integer.parseInt(server.substring(colon + 1)))
            .handler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channel.pipeline().addLast(senders.newConnection(channel));
                  }
                });
    for (int i = 0; i < users; i++) {
      bootstrap.connect().sync();
    }
  }

  private Map<String, Object> run(EventLoop eventLoop, Senders senders) throws Exception {
    @Nullable ProcessUsage usage = serverPid == null ? null : new ProcessUsage(serverPid);
    eventLoop.execute(senders::start);
    progress(senders, warmup, "warm-up");

    eventLoop.submit(senders::beginMeasuring).sync();
    long cpuBefore = usage == null ? 0 : usage.cpuMicros();
    long before = System.nanoTime();
    long doneBefore = senders.done();
    progress(senders, seconds, "measuring");
    long done = senders.done() - doneBefore;
    double elapsed = (System.nanoTime() - before) / 1e9;
    long cpu = usage == null ? 0 : usage.cpuMicros() - cpuBefore;
    eventLoop.submit(senders::stop).sync();

    long deadline = System.nanoTime() + DRAIN_MAX.toNanos();
    while (senders.waiting() > 0 && System.nanoTime() < deadline) {
      TimeUnit.MILLISECONDS.sleep(20);
    }

    var result = new LinkedHashMap<String, Object>();
    result.put("users", users);
    result.put(loop.rate > 0 ? "rate" : "in_flight", loop.rate > 0 ? loop.rate : loop.inFlight);
    result.put("seconds", seconds);
    result.put("size", size);
    result.put("complete", done);
    result.put("complete_per_s", Math.round(done / elapsed));
    result.put("sent_ms", eventLoop.submit(senders::sentMillis).get());
    if (usage != null) {
      result.put("server_cpu_us_per_message", Math.round(cpu * 100.0 / done) / 100.0);
    }
    result.put("lost", senders.lost());
    result.put("doubled", senders.doubled());
    result.put("reordered", senders.reordered());
    if (loop.rate > 0) {
      result.put("late_ms", eventLoop.submit(senders::lateMillis).get());
    }
    return result;
  }

  private static void progress(Senders senders, int seconds, String phase) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    long last = senders.done();
    while (true) {
      long left = end - System.nanoTime();
      if (left <= 0) {
        return;
      }
      TimeUnit.NANOSECONDS.sleep(Math.min(left, 1_000_000_000));
      long now = senders.done();
      System.err.printf("%-10s %,9d/s   %d waiting%n", phase, now - last, senders.waiting());
      last = now;
    }
  }
}

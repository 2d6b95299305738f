package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.metrics.Count;
import io.tern.protocol.FrameType;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A server that too many want something from, over real sockets, with client and server in one
/// process. SlowConnectionsTest has them apart, and 10,000 connections.
class FloodTest {

  private static final int CONNECTIONS = 600;

  @TempDir Path data;

  @Test
  void halfOpenAndSlowConnectionsAreReapedWhileLiveUsersGoOn() throws Exception {
    try (var server = TestServer.start(data, "limits.hello-timeout=1 s", "limits.send.rate=0");
        var selector = Selector.open();
        RawClient alice = server.login("alice");
        RawClient bob = server.login("bob")) {
      byte[] hello = RawClient.hello("mallory", 1);
      var flood = new ArrayList<SocketChannel>();
      for (int i = 0; i < CONNECTIONS; i++) {
        flood.add(open(server.address(), null, selector));
      }
      long began = System.nanoTime();
      int sent = 0;
      int left = flood.size();
      int dripped = 0;
      long lastClosed = began;
      while (left > 0 && seconds(began) < 20) {
        // A third says nothing, a third only the preface, a third its HELLO byte by byte.
        byte[] drip = {
          dripped < 4
              ? RawClient.preface()[dripped]
              : hello[Math.min(dripped - 4, hello.length - 1)]
        };
        boolean more = dripped < hello.length;
        for (int i = 0; i < flood.size(); i++) {
          SocketChannel channel = flood.get(i);
          if (channel.isOpen() && ((i % 3 == 1 && dripped < 4) || (i % 3 == 2 && more))) {
            write(channel, drip);
          }
        }
        dripped++;
        alice.write(RawClient.send(++sent, RawClient.id("bob"), sent, "still here"));
        assertThat(alice.until(FrameType.SENT).rid()).isEqualTo(sent);
        RawClient.Frame entry = bob.until(FrameType.DELIVER);
        assertThat(entry.seq()).isEqualTo(sent);
        bob.write(RawClient.ack(RawClient.id("alice"), sent));
        int closed = closed(selector);
        if (closed > 0) {
          left -= closed;
          lastClosed = System.nanoTime();
        }
      }
      assertThat(left).as("not reaped").isZero();
      assertThat(TimeUnit.NANOSECONDS.toSeconds(lastClosed - began)).isLessThan(10);
      assertThat(sent).isGreaterThan(5);
    }
  }

  @Test
  void aFloodFromManyAddressesOfANetworkHitsItsCapAndOthersComeIn() throws Exception {
    try (var server =
            TestServer.start(
                data,
                "limits.loopback-exempt=false",
                "limits.unauthenticated-per-ip-max=4",
                "limits.failures-per-minute-max=1000000",
                "budgets.unauthenticated-per-network-max=40");
        var selector = Selector.open()) {
      var flood = new ArrayList<SocketChannel>();
      for (int i = 0; i < CONNECTIONS; i++) {
        var from =
            InetAddress.getByAddress(
                new byte[] {127, 9, (byte) (i / 250 % 3), (byte) (i % 250 + 1)});
        flood.add(open(server.address(), from, selector));
      }
      long began = System.nanoTime();
      int left = flood.size();
      int most = 3 * 40;
      while (left > most && seconds(began) < 4) {
        left -= closed(selector);
      }
      assertThat(left).isLessThanOrEqualTo(most);
      assertThat(server.server.connections()).isLessThanOrEqualTo(most);
      assertThat(server.server.counters().get(Count.CONNECTIONS_REFUSED_NETWORK)).isPositive();
      try (RawClient alice = server.login("alice")) {
        alice.write(RawClient.send(1, RawClient.id("alice"), 1, "to myself"));
        assertThat(alice.until(FrameType.SENT).rid()).isEqualTo(1);
      }
      for (SocketChannel channel : flood) {
        channel.close();
      }
    }
  }

  @Test
  void tenTimesTheAllowedMessagesAreCutToTheAllowedForEachAlike() throws Exception {
    int devices = 6;
    int rate = 20;
    int burst = 40;
    try (var server =
            TestServer.start(
                data,
                "limits.send.rate=" + rate,
                "limits.send.burst=" + burst,
                "limits.cheap.rate=" + 2 * rate,
                "limits.cheap.burst=60",
                "budgets.sends-per-account-per-minute=0",
                "budgets.sends-per-chat-per-minute=0");
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var clients = new ArrayList<RawClient>();
      for (int i = 0; i < devices; i++) {
        clients.add(server.login("spammer-" + i));
      }
      var refused = new AtomicInteger();
      long began = System.nanoTime();
      long until = began + TimeUnit.MILLISECONDS.toNanos(2_500);
      var tasks = new ArrayList<Callable<Integer>>();
      for (int i = 0; i < devices; i++) {
        RawClient client = clients.get(i);
        var to = RawClient.id("spammer-" + (i + 1) % devices);
        tasks.add(() -> spam(client, to, until, refused));
      }
      var results = tasks.stream().map(threads::submit).toList();
      var accepted = new ArrayList<Integer>();
      for (var result : results) {
        accepted.add(result.get(10, TimeUnit.SECONDS));
      }
      double allowed = burst + rate * (System.nanoTime() - began) / 1e9;
      System.out.printf(
          "accepted %s of %.0f allowed each, %s refused%n", accepted, allowed, refused);
      assertThat(accepted).allSatisfy(n -> assertThat(n / allowed).isBetween(0.8, 1.05));
      double total = accepted.stream().mapToInt(n -> n).sum();
      assertThat(total / (allowed * devices)).isGreaterThan(0.9);
      assertThat(refused).hasPositiveValue();
      clients.forEach(RawClient::close);
    }
  }

  /// As fast as the server reads; returns how many were accepted.
  private static int spam(
      RawClient client, io.tern.protocol.UserId to, long until, AtomicInteger refused) {
    int rid = 0;
    long csn = 0;
    int accepted = 0;
    while (System.nanoTime() - until < 0) {
      client.write(RawClient.send(++rid, to, ++csn, "spam"));
      RawClient.Frame answer = client.read();
      while (answer.rid() != rid) {
        answer = client.read();
      }
      if (answer.type() == FrameType.SENT) {
        accepted++;
      } else {
        assertThat(answer.error().getCode()).isEqualTo(301);
        assertThat(answer.error().getRetryMs()).isPositive();
        refused.incrementAndGet();
        // The number of a refused message is used again.
        csn--;
      }
    }
    return accepted;
  }

  private static SocketChannel open(
      InetSocketAddress to, @org.jspecify.annotations.Nullable InetAddress from, Selector selector)
      throws IOException {
    SocketChannel channel = SocketChannel.open();
    if (from != null) {
      channel.bind(new InetSocketAddress(from, 0));
    }
    channel.connect(to);
    channel.configureBlocking(false);
    channel.register(selector, SelectionKey.OP_READ);
    return channel;
  }

  private static void write(SocketChannel channel, byte[] bytes) {
    try {
      channel.write(ByteBuffer.wrap(bytes));
    } catch (IOException e) {
      // The server has closed it; the selector will say so.
    }
  }

  /// How many the server has closed since the last look.
  private static int closed(Selector selector) throws IOException {
    int closed = 0;
    selector.select(20);
    List<SelectionKey> ready = new ArrayList<>(selector.selectedKeys());
    selector.selectedKeys().clear();
    ByteBuffer into = ByteBuffer.allocate(1024);
    for (SelectionKey key : ready) {
      var channel = (SocketChannel) key.channel();
      int n;
      try {
        n = channel.read(into.clear());
      } catch (IOException e) {
        n = -1;
      }
      if (n < 0) {
        channel.close();
        closed++;
      }
    }
    return closed;
  }

  private static long seconds(long began) {
    return TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - began);
  }
}

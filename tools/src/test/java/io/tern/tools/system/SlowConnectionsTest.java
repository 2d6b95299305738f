package io.tern.tools.system;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.DeviceId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngineResult;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Connections that never become anything, through every door of a server with its default times,
/// in a process of its own: silent ones, TLS handshakes left half open, and everything that comes
/// before a session or an answer dripped byte by byte. Each is closed within ten seconds, and those
/// who chat and ask meanwhile are served.
///
/// The long form: `./verify --only SlowConnectionsTest -- -Dtern.flood.connections=10000`; each
/// process needs as many open files and some hundred more.
class SlowConnectionsTest {

  private static final int CONNECTIONS = Integer.getInteger("tern.flood.connections", 600);
  private static final long REAPED_MAX_NANOS = 10_000_000_000L;
  private static final long DRIP_NANOS = 250_000_000L;
  private static final long PACE_NANOS = 10_000_000L;

  @TempDir private Path folder;
  private final Random random = new Random(Faults.seed());
  private final AtomicBoolean over = new AtomicBoolean();

  private enum Door {
    PLAIN,
    TLS,
    WEBSOCKET,
    HTTP
  }

  /// @param atOnce what goes out with the connection
  /// @param drip what goes out a byte at a time, for ever around
  private record Way(String name, Door door, byte[] atOnce, byte[] drip) {}

  private static final class Slow {
    final Way way;
    final long opened = System.nanoTime();
    int dripped;
    long closed;

    Slow(Way way) {
      this.way = way;
    }
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  /// The first flight of the JDK's TLS.
  private static byte[] clientHello() throws Exception {
    var context = SSLContext.getInstance("TLS");
    context.init(null, null, null);
    var engine = context.createSSLEngine("localhost", 7443);
    engine.setUseClientMode(true);
    var parameters = engine.getSSLParameters();
    parameters.setApplicationProtocols(new String[] {"tern/1"});
    parameters.setProtocols(new String[] {"TLSv1.3"});
    engine.setSSLParameters(parameters);
    var out = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
    var wrapped = engine.wrap(ByteBuffer.allocate(0), out);
    assertThat(wrapped.getStatus()).isEqualTo(SSLEngineResult.Status.OK);
    return Arrays.copyOf(out.array(), out.position());
  }

  private static List<Way> ways() throws Exception {
    byte[] hello = clientHello();
    byte[] nothing = {};
    byte[] frames = RawSession.hello(new DeviceId(new UserId(666), 1));
    byte[] upgrade =
        ascii(
            "GET /v1/websocket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n"
                + "upgrade: websocket\r\nsec-websocket-version: 13\r\nx-padding: ");
    byte[] head = ascii("POST /v1/registration/code HTTP/1.1\r\nhost: localhost\r\nx-padding: ");
    byte[] whole =
        ascii(
            String.join(
                "\r\n",
                "POST /v1/registration/code HTTP/1.1",
                "host: localhost",
                "content-type: application/json",
                "content-length: 60000",
                "",
                ""));
    return List.of(
        new Way("silent, plain", Door.PLAIN, nothing, nothing),
        new Way("preface, then nothing", Door.PLAIN, RawSession.preface(), nothing),
        new Way("HELLO dripped", Door.PLAIN, RawSession.preface(), frames),
        new Way("silent, TLS", Door.TLS, nothing, nothing),
        new Way("handshake half open", Door.TLS, hello, nothing),
        new Way("ClientHello dripped", Door.TLS, nothing, hello),
        new Way("handshake, then records dripped", Door.TLS, hello, hello),
        new Way("silent, WebSocket", Door.WEBSOCKET, nothing, nothing),
        new Way("upgrade dripped", Door.WEBSOCKET, upgrade, ascii("x")),
        new Way("silent, HTTP", Door.HTTP, nothing, nothing),
        new Way("HTTP head dripped", Door.HTTP, head, ascii("x")),
        new Way("HTTP body dripped", Door.HTTP, whole, ascii(" ")));
  }

  @Test
  @Timeout(180)
  void everythingThatIsSlowIsClosedWithinTenSecondsWhileOthersAreServed() throws Exception {
    var ports = new int[3];
    Arrays.setAll(ports, i -> ServerProcess.freePort(random));
    var plan =
        Faults.plan(folder.resolve("data"), folder.resolve("server.log"), random)
            .with("net.tls.listen", "127.0.0.1:" + ports[0])
            .with("net.websocket.listen", "127.0.0.1:" + ports[1])
            .with("http.listen", "127.0.0.1:" + ports[2])
            // Fewer than there are bodies that trickle: they must take no place.
            .with("http.requests-max", 16);
    try (var server = ServerProcess.start(plan)) {
      var ready = server.awaitReady();
      var http = new InetSocketAddress(InetAddress.getLoopbackAddress(), ports[2]);
      var chats = new ArrayList<Long>();
      var asks = new ArrayList<Long>();
      // Warm.
      ask(http, 20, new ArrayList<>());
      var chatting = Thread.ofPlatform().start(() -> chat(ready.listen(), chats));
      var asking = Thread.ofPlatform().start(() -> ask(http, Integer.MAX_VALUE, asks));
      List<Slow> all = flood(ready.listen(), ports);
      over.set(true);
      chatting.join();
      asking.join();

      System.out.printf(
          "SLOW: %,d connections; a SEND took p50 %.1f, p99 %.1f, at most %.1f ms (%d); an HTTP"
              + " request p50 %.1f, p99 %.1f, at most %.1f ms (%d); server %s%n",
          all.size(),
          percentile(chats, 50),
          percentile(chats, 99),
          percentile(chats, 100),
          chats.size(),
          percentile(asks, 50),
          percentile(asks, 99),
          percentile(asks, 100),
          asks.size(),
          resident(server));
      for (Way way : ways()) {
        var times =
            all.stream()
                .filter(slow -> slow.way.name.equals(way.name))
                .map(slow -> slow.closed == 0 ? Long.MAX_VALUE : slow.closed - slow.opened)
                .toList();
        System.out.printf(
            "SLOW: %-32s %,6d closed after %5.2f to %5.2f s%n",
            way.name, times.size(), percentile(times, 0) / 1e3, percentile(times, 100) / 1e3);
        assertThat(times)
            .as(way.name)
            .allSatisfy(nanos -> assertThat(nanos).isLessThanOrEqualTo(REAPED_MAX_NANOS));
      }
      assertThat(chats).hasSizeGreaterThan(50);
      assertThat(asks).hasSizeGreaterThan(50);
      assertThat(percentile(chats, 99)).as("p99 of a SEND in ms").isLessThan(1_000);
      assertThat(percentile(asks, 99)).as("p99 of a request in ms").isLessThan(1_000);
      assertThat(server.isAlive()).isTrue();
    }
  }

  /// Opens them all, drips, and notes when each is closed.
  private static List<Slow> flood(InetSocketAddress plain, int[] ports) throws Exception {
    List<Way> ways = ways();
    var loopback = InetAddress.getLoopbackAddress();
    var all = new ArrayList<Slow>();
    var keys = new ArrayList<SelectionKey>();
    try (var selector = Selector.open()) {
      int left = 0;
      long dripAt = System.nanoTime();
      while (all.size() < CONNECTIONS || left > 0) {
        for (int i = 0; i < 100 && all.size() < CONNECTIONS; i++) {
          Way way = ways.get(all.size() % ways.size());
          var channel =
              SocketChannel.open(
                  switch (way.door) {
                    case PLAIN -> plain;
                    case TLS -> new InetSocketAddress(loopback, ports[0]);
                    case WEBSOCKET -> new InetSocketAddress(loopback, ports[1]);
                    case HTTP -> new InetSocketAddress(loopback, ports[2]);
                  });
          var slow = new Slow(way);
          all.add(slow);
          left++;
          channel.configureBlocking(false);
          write(channel, way.atOnce);
          keys.add(channel.register(selector, SelectionKey.OP_READ, slow));
        }
        left -= look(selector);
        if (System.nanoTime() - dripAt >= 0) {
          dripAt = System.nanoTime() + DRIP_NANOS;
          for (var key : keys) {
            var slow = (Slow) key.attachment();
            if (key.isValid() && slow.way.drip.length > 0) {
              byte[] one = {slow.way.drip[slow.dripped++ % slow.way.drip.length]};
              write((SocketChannel) key.channel(), one);
            }
          }
        }
        if (left > 0 && System.nanoTime() - all.getLast().opened > 3 * REAPED_MAX_NANOS) {
          break;
        }
      }
      for (var key : keys) {
        key.channel().close();
      }
    }
    return all;
  }

  private static void write(SocketChannel channel, byte[] bytes) {
    try {
      channel.write(ByteBuffer.wrap(bytes));
    } catch (IOException e) {
      // The server has closed it; the selector will say so.
    }
  }

  /// How many the server has closed since the last look.
  private static int look(Selector selector) throws IOException {
    int closed = 0;
    selector.select(10);
    var into = ByteBuffer.allocate(16 * 1024);
    for (var key : selector.selectedKeys()) {
      var channel = (SocketChannel) key.channel();
      int n;
      try {
        n = channel.read(into.clear());
      } catch (IOException e) {
        n = -1;
      }
      if (n < 0) {
        ((Slow) key.attachment()).closed = System.nanoTime();
        channel.close();
        closed++;
      }
    }
    selector.selectedKeys().clear();
    return closed;
  }

  /// One message after the other, each when the one before has been accepted.
  private void chat(InetSocketAddress address, List<Long> took) {
    var alice = new DeviceId(new UserId(1_001), 1);
    try (var session = RawSession.login(address, alice)) {
      for (int n = 1; !over.get(); n++) {
        long began = System.nanoTime();
        session.write(
            RawSession.frame(
                FrameType.SEND,
                FrameHeader.RID | FrameHeader.CHAT,
                n,
                alice.user().value(),
                0,
                Send.newBuilder()
                    .setCsn(n)
                    .setContent(
                        Content.newBuilder()
                            .setKind(Kind.KIND_TEXT)
                            .setBody(com.google.protobuf.ByteString.copyFromUtf8("still here")))
                    .build()));
        session.await(FrameType.SENT, Duration.ofSeconds(20));
        took.add(System.nanoTime() - began);
        LockSupport.parkNanos(PACE_NANOS);
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private void ask(InetSocketAddress http, int times, List<Long> took) {
    var uri = URI.create("http://127.0.0.1:" + http.getPort() + "/v1/registration/code");
    var request =
        HttpRequest.newBuilder(uri)
            .version(HttpClient.Version.HTTP_1_1)
            .header("content-type", "application/json")
            .timeout(Duration.ofSeconds(10))
            .POST(HttpRequest.BodyPublishers.ofString("{\"number\":\"none\"}"))
            .build();
    try (var client = HttpClient.newHttpClient()) {
      for (int i = 0; i < times && !over.get(); i++) {
        long began = System.nanoTime();
        var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
        took.add(System.nanoTime() - began);
        LockSupport.parkNanos(PACE_NANOS);
      }
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /// In milliseconds.
  private static double percentile(List<Long> nanos, int percent) {
    var sorted = nanos.stream().sorted().toList();
    int at = Math.min(sorted.size() - 1, sorted.size() * percent / 100);
    return sorted.isEmpty() ? Double.NaN : sorted.get(at) / 1e6;
  }

  private static String resident(ServerProcess server) throws IOException {
    try (var lines = Files.lines(Path.of("/proc/" + server.process().pid() + "/status"))) {
      return lines
          .filter(line -> line.startsWith("VmHWM"))
          .findFirst()
          .orElse("VmHWM: ?")
          .replaceAll("\\s+", " ");
    }
  }
}

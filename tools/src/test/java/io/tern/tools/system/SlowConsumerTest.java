package io.tern.tools.system;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.TernClient;
import io.tern.client.netty.TernTransport;
import io.tern.client.store.MemoryClientStore;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// 500 devices that are logged in and never read, while others write to them and to each other: the
/// server's memory stays flat, and everyone else is served as fast as when the 500 read.
///
/// Memory is the test; the ratio of latencies is printed, and fails only when it is grossly wrong,
/// because a busy machine moves it.
class SlowConsumerTest {

  private static final int SLOW = 500;
  private static final int TALKERS = 10;
  private static final int BODY_BYTES = 8 * 1024;
  private static final int TO_SLOW_PER_SECOND = 600;
  private static final int MEASURED_PER_SECOND = 400;
  private static final Duration WARM_UP = Duration.ofSeconds(5);
  private static final Duration PHASE = Duration.ofSeconds(10);

  // What may wait for the sockets: each channel's write buffer up to its high water mark.
  private static final long WAITING_BYTES_MAX = SLOW * 64L * 1024;
  private static final long SLACK_BYTES = 24L << 20;
  private static final double RATIO_GROSS = 10;

  @TempDir Path folder;

  private final TernTransport transport = TernTransport.create(1);
  private final List<TernClient> talkers = new ArrayList<>();
  private final List<UserId> slow = new ArrayList<>();
  private final AtomicLong failures = new AtomicLong();
  private volatile Histogram sent = new ConcurrentHistogram(3);
  private volatile Histogram delivered = new ConcurrentHistogram(3);
  private ServerProcess server;
  private InetSocketAddress address;

  @BeforeEach
  void startServer() throws IOException {
    var plan =
        Faults.plan(
                folder.resolve("data"), Path.of("target", "histories", "slow.log"), new Random())
            // All heap at once, so that the process grows by native memory only.
            .withJvm("-Xms256m", "-XX:+AlwaysPreTouch", "-XX:TieredStopAtLevel=4");
    server = ServerProcess.start(plan);
    address = server.awaitReady().listen();
    for (int i = 0; i < SLOW; i++) {
      slow.add(DevelopmentIssuer.userId("slow-" + i));
    }
    for (int i = 0; i < TALKERS; i++) {
      talkers.add(start(DevelopmentIssuer.userId("talker-" + i), new Timing()));
    }
    await(talkers);
  }

  @AfterEach
  void stop() {
    talkers.forEach(TernClient::close);
    transport.close();
    server.close();
  }

  @Test
  @Timeout(180)
  void clientsThatNeverReadCostNobodyAnything() throws Exception {
    var readers = new ArrayList<TernClient>();
    for (var user : slow) {
      readers.add(start(user, new ClientListener() {}));
    }
    await(readers);
    try (var load = Executors.newSingleThreadScheduledExecutor()) {
      var talk = new Talk();
      load.scheduleAtFixedRate(talk, 0, 5, TimeUnit.MILLISECONDS);
      pass(WARM_UP);
      var before = measure(PHASE);

      readers.forEach(TernClient::close);
      for (var reader : readers) {
        reader.closed().get(20, TimeUnit.SECONDS);
      }
      var sockets = new ArrayList<RawSession>();
      for (var user : slow) {
        sockets.add(RawSession.login(address, new DeviceId(user, 1), 4 * 1024));
      }
      pass(WARM_UP);
      var memoryBefore = Memory.of(server);
      var during = measure(PHASE);
      var memoryAfter = Memory.of(server);
      load.shutdownNow();

      double sentRatio = ratio(before.sent, during.sent);
      double deliveredRatio = ratio(before.delivered, during.delivered);
      System.out.printf(
          "SLOW: %d clients never read: SENT p99 %.2f ms, was %.2f (ratio %.2f); delivered p99 %.2f ms, was %.2f (ratio %.2f)%n",
          SLOW,
          during.sent.getValueAtPercentile(99) / 1e3,
          before.sent.getValueAtPercentile(99) / 1e3,
          sentRatio,
          during.delivered.getValueAtPercentile(99) / 1e3,
          before.delivered.getValueAtPercentile(99) / 1e3,
          deliveredRatio);
      System.out.printf("SLOW: before %s, %s later %s%n", memoryBefore, PHASE, memoryAfter);
      assertThat(failures).hasValue(0);
      assertThat(memoryAfter.heapBytes - memoryBefore.heapBytes).isLessThan(SLACK_BYTES);
      assertThat(memoryAfter.residentBytes - memoryBefore.residentBytes)
          .isLessThan(WAITING_BYTES_MAX + SLACK_BYTES);
      assertThat(sentRatio).isLessThan(RATIO_GROSS);
      assertThat(deliveredRatio).isLessThan(RATIO_GROSS);
      assertThat(server.admin("/health").statusCode()).isEqualTo(200);
      for (var socket : sockets) {
        socket.close();
      }
    }
  }

  private record Latencies(Histogram sent, Histogram delivered) {}

  private Latencies measure(Duration time) {
    sent = new ConcurrentHistogram(3);
    delivered = new ConcurrentHistogram(3);
    pass(time);
    return new Latencies(sent.copy(), delivered.copy());
  }

  private static double ratio(Histogram before, Histogram during) {
    return (double) during.getValueAtPercentile(99) / before.getValueAtPercentile(99);
  }

  /// Lets real time pass under load.
  private static void pass(Duration time) {
    try {
      var _ = new CountDownLatch(1).await(time.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  private TernClient start(UserId user, ClientListener listener) {
    var config =
        ClientConfig.of(
            user,
            1,
            List.of(address),
            () -> DevelopmentIssuer.token(user, 1),
            new MemoryClientStore());
    return TernClient.start(config, listener, transport);
  }

  private static void await(List<TernClient> clients) {
    Awaitility.await("logins")
        .atMost(Duration.ofSeconds(40))
        .until(() -> clients.stream().allMatch(client -> client.ready().isDone()));
    clients.forEach(client -> client.ready().join());
  }

  /// Large messages to the slow, small ones with their time inside from each talker to the next.
  private final class Talk implements Runnable {
    private final byte[] filler = new byte[BODY_BYTES];
    private final long began = System.nanoTime();
    private long toSlow;
    private long measured;

    @Override
    public void run() {
      double seconds = (System.nanoTime() - began) * 1e-9;
      for (; toSlow < seconds * TO_SLOW_PER_SECOND; toSlow++) {
        var from = talkers.get((int) (toSlow % TALKERS));
        send(from, from.direct(slow.get((int) (toSlow % SLOW))), filler);
      }
      for (; measured < seconds * MEASURED_PER_SECOND; measured++) {
        var from = talkers.get((int) (measured % TALKERS));
        var to = DevelopmentIssuer.userId("talker-" + (measured + 1) % TALKERS);
        var body = ByteBuffer.allocate(100).putLong(System.nanoTime()).array();
        long start = System.nanoTime();
        var _ =
            send(from, from.direct(to), body)
                .thenRun(() -> sent.recordValue((System.nanoTime() - start) / 1_000));
      }
    }

    private CompletableFuture<Void> send(TernClient from, ChatId chat, byte[] body) {
      return from.send(
              chat,
              Content.newBuilder()
                  .setKind(Kind.KIND_BINARY)
                  .setBody(ByteString.copyFrom(body))
                  .build())
          .handle((receipted, failure) -> {
            if (failure != null) {
              failures.incrementAndGet();
            }
            return null;
          });
    }
  }

  private final class Timing implements ClientListener {
    @Override
    public void onMessage(Message message) {
      var body = message.content().getBody();
      if (body.size() == 100) {
        long sentNanos = body.asReadOnlyByteBuffer().getLong();
        delivered.recordValue((System.nanoTime() - sentNanos) / 1_000);
      }
    }
  }

  /// The server's heap after a collection, and all its resident memory.
  private record Memory(long heapBytes, long residentBytes) {

    private static final Pattern USED = Pattern.compile("used (\\d+)K");

    static Memory of(ServerProcess server) throws IOException {
      long pid = server.process().pid();
      var jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
      Commands.run(jcmd, Long.toString(pid), "GC.run");
      long heap = 0;
      for (var line : Commands.run(jcmd, Long.toString(pid), "GC.heap_info").lines().toList()) {
        var used = USED.matcher(line);
        if (line.contains(" total ") && used.find()) {
          heap += Long.parseLong(used.group(1)) * 1024;
        }
      }
      long resident = 0;
      for (var line : Files.readAllLines(Path.of("/proc", Long.toString(pid), "status"))) {
        if (line.startsWith("VmRSS:")) {
          resident = Long.parseLong(line.replaceAll("\\D", "")) * 1024;
        }
      }
      return new Memory(heap, resident);
    }

    @Override
    public String toString() {
      return "heap %d MB, resident %d MB".formatted(heapBytes >> 20, residentBytes >> 20);
    }
  }
}

package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tern.protocol.FrameType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Malformed frames through every door, cut in every way, beside somebody who chats. Each one gets
/// its code and the end; nobody else notices. `-Dtern.malformed=100000` is the long form.
class BadFramesTest {

  private static final int THREADS = 4;

  /// Whose frames go on behind a login; they need no new token each time.
  private static final String[] LOGINS = {"mallory-0", "mallory-1", "mallory-2", "mallory-3"};

  private enum Way {
    TCP(1),
    TLS(2),
    WEBSOCKET(3);

    /// Its device, so that sessions of one user replace each other only within one door.
    final int device;

    Way(int device) {
      this.device = device;
    }
  }

  /// @param code that the server says; 0 when the frame is cut and nothing can be said
  private record Bad(String what, byte[] bytes, int code) {}

  @TempDir Path data;

  private TestServer server;
  private RawClient alice;
  private RawClient bob;
  private int spoken;

  @BeforeEach
  void start() {
    server =
        TestServer.start(
            data,
            "net.tls.listen=127.0.0.1:0",
            "net.websocket.listen=127.0.0.1:0",
            "limits.send.rate=0",
            "budgets.logins-per-device-per-minute=0");
    alice = server.login("alice");
    bob = server.login("bob");
  }

  @AfterEach
  void nobodyElseNoticed() {
    talk();
    alice.close();
    bob.close();
    await().until(() -> server.server.connections() == 0);
    server.close();
  }

  private void talk() {
    spoken++;
    alice.write(RawClient.send(spoken, RawClient.id("bob"), spoken, "still fine?"));
    assertThat(alice.until(FrameType.SENT).seq()).isEqualTo(spoken);
    assertThat(bob.until(FrameType.DELIVER).seq()).isEqualTo(spoken);
    bob.write(RawClient.ack(RawClient.id("alice"), spoken));
  }

  @Test
  @Timeout(3600)
  void malformedFramesThroughEveryDoorInEverySplit() throws Exception {
    int all = Integer.getInteger("tern.malformed", 1_500);
    long seed = Long.getLong("tern.seed", System.nanoTime());
    System.out.printf("BAD FRAMES: %d, seed %d%n", all, seed);
    var failures = new ConcurrentLinkedQueue<String>();
    var next = new AtomicInteger();
    long began = System.nanoTime();
    var workers = new ArrayList<Future<?>>();
    try (var pool = Executors.newFixedThreadPool(THREADS)) {
      for (int thread = 0; thread < THREADS; thread++) {
        String login = LOGINS[thread];
        workers.add(
            pool.submit(() -> {
              for (int i = next.getAndIncrement();
                  i < all && failures.size() < 5;
                  i = next.getAndIncrement()) {
                Way way = Way.values()[i % Way.values().length];
                String wrong = one(way, new Random(seed + i), login);
                if (wrong != null) {
                  failures.add(way + ", seed " + seed + " + " + i + ": " + wrong);
                }
              }
            }));
      }
      while (!workers.stream().allMatch(Future::isDone)) {
        talk();
      }
    }
    for (Future<?> worker : workers) {
      // Throws what ended it, if it did not end by itself.
      worker.get();
    }
    System.out.printf(
        "BAD FRAMES: %d, a third through each door, in %.1f s; %d messages beside them%n",
        all, (System.nanoTime() - began) * 1e-9, spoken);
    assertThat(failures).isEmpty();
  }

  /// What is wrong with the answer, or null.
  private @Nullable String one(Way way, Random dice, String login) {
    boolean loggedIn = dice.nextInt(4) == 0;
    Bad bad = bad(dice, loggedIn);
    try (RawClient client = connect(way, loggedIn ? login : "")) {
      boolean preface = !loggedIn && way != Way.WEBSOCKET;
      byte[] bytes = preface ? join(RawClient.preface(), bad.bytes) : bad.bytes;
      write(way, client.socket, bytes, dice);
      int code = lastCode(client);
      return code == bad.code
          ? null
          : bad.what
              + " was answered "
              + code
              + " instead of "
              + bad.code
              + ": "
              + HexFormat.of().formatHex(bad.bytes);
    } catch (IOException | UncheckedIOException e) {
      return bad.what + ": " + e;
    }
  }

  private RawClient connect(Way way, String login) throws IOException {
    RawClient client =
        switch (way) {
          case TCP -> server.connect();
          case TLS -> RawClient.over(TlsSockets.tern(server.server));
          case WEBSOCKET -> {
            InetSocketAddress address = server.server.listening().webSocket().getFirst();
            var below = new Socket();
            below.setTcpNoDelay(true);
            below.connect(address, RawClient.PATIENCE_MILLIS);
            yield RawClient.over(WebSocketSocket.over(below, ""));
          }
        };
    if (!login.isEmpty()) {
      if (way != Way.WEBSOCKET) {
        client.write(RawClient.preface());
      }
      client.write(RawClient.hello(login, way.device));
      client.helloAck();
      client.until(FrameType.CATCH_UP_PAGE);
    }
    return client;
  }

  /// In one piece, in two, or byte by byte; a WebSocket message in as many fragments.
  private static void write(Way way, Socket socket, byte[] bytes, Random dice) throws IOException {
    int split = dice.nextInt(3);
    var cuts = new ArrayList<Integer>();
    if (split == 1 && bytes.length > 1) {
      cuts.add(1 + dice.nextInt(bytes.length - 1));
    } else if (split == 2) {
      for (int i = 1; i < Math.min(bytes.length, 64); i++) {
        cuts.add(i);
      }
    }
    cuts.add(bytes.length);
    int from = 0;
    try {
      for (int to : cuts) {
        byte[] piece = Arrays.copyOfRange(bytes, from, to);
        if (way == Way.WEBSOCKET) {
          ((WebSocketSocket) socket)
              .frames(
                  to == bytes.length,
                  from == 0 ? WebSocketSocket.BINARY : WebSocketSocket.CONTINUATION,
                  piece);
        } else {
          socket.getOutputStream().write(piece);
        }
        from = to;
      }
      socket.getOutputStream().flush();
    } catch (SocketException e) {
      // It was closed before it had read everything; the answer is judged all the same.
    }
  }

  /// The code of the closing ERROR, behind which there is nothing.
  private static int lastCode(RawClient client) throws IOException {
    int code = 0;
    try {
      for (var frame = client.readOrEnd(); frame != null; frame = client.readOrEnd()) {
        assertThat(code).as("nothing comes behind the closing ERROR").isZero();
        if (frame.type() == FrameType.ERROR && frame.rid() == 0) {
          code = frame.error().getCode();
        }
      }
    } catch (UncheckedIOException e) {
      if (!(e.getCause() instanceof SocketException)) {
        throw e;
      }
      // Reset behind the answer.
    }
    return code;
  }

  // ---- what is wrong ---------------------------------------------------------------------------

  private static Bad bad(Random dice, boolean loggedIn) {
    byte[] noise = new byte[dice.nextInt(40)];
    dice.nextBytes(noise);
    int type = loggedIn ? 0x20 : 0x01;
    int max = loggedIn ? 64 * 1024 : 4 * 1024;
    return switch (dice.nextInt(13)) {
      case 0 -> new Bad("LEN 0", join(bytes(0), noise), 100);
      case 1 -> new Bad("LEN 1", join(bytes(1, type), noise), 100);
      case 2 -> new Bad("LEN not shortest", join(bytes(0x80 | dice.nextInt(128), 0), noise), 100);
      case 3 ->
          new Bad(
              "LEN not shortest in 3",
              join(bytes(0x80 | dice.nextInt(128), 0x80 | dice.nextInt(128), 0), noise),
              100);
      case 4 -> new Bad("LEN of 4 bytes", join(bytes(0xFF, 0xFF, 0xFF, 0x01), noise), 100);
      case 5 -> {
        // Three bytes of LEN, in their shortest form.
        int min = Math.max(max + 1, 1 << 14);
        int length = min + dice.nextInt((1 << 21) - min);
        yield new Bad(
            "LEN too large",
            bytes(0x80 | (length & 0x7F), 0x80 | ((length >>> 7) & 0x7F), length >>> 14),
            102);
      }
      case 6 -> frame("reserved flag", type, dice.nextBoolean() ? 0x40 : 0x80, noise, 100);
      case 7 -> frame("RID over 32 bits", 0x20, 0x03, bytes(0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 1), 100);
      case 8 -> frame("RID not shortest", 0x20, 0x03, bytes(0x81, 0, 1), 100);
      case 9 ->
          frame(
              "CHAT of 11 bytes",
              0x20,
              0x03,
              bytes(1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1),
              100);
      case 10 -> frame("header beyond LEN", 0x20, 0x03, bytes(1, 0x80), 100);
      case 11 -> frame("a server's frame", dice.nextBoolean() ? 0xE0 : 0xA0, 0x00, noise, 103);
      default ->
          loggedIn
              ? frame("second HELLO", 0x01, 0x00, noise, 103)
              : frame("PING before HELLO", 0x04, 0x00, noise, 103);
    };
  }

  private static Bad frame(String what, int type, int flags, byte[] rest, int code) {
    return new Bad(what, join(bytes(2 + rest.length, type, flags), rest), code);
  }

  private static byte[] bytes(int... values) {
    var bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  private static byte[] join(byte[]... pieces) {
    var all = new ByteArrayOutputStream();
    List.of(pieces).forEach(all::writeBytes);
    return all.toByteArray();
  }
}

package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tern.edge.metrics.Count;
import io.tern.protocol.FrameType;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// TLS on TCP, as clients see it. TERN-2-3, TERN-2-4, TERN-2-5.
class TlsDoorTest {

  @TempDir Path data;

  private TestServer start(String... more) {
    var settings = new String[more.length + 1];
    settings[0] = "net.tls.listen=127.0.0.1:0";
    System.arraycopy(more, 0, settings, 1, more.length);
    return TestServer.start(data, settings);
  }

  private static RawClient login(TernServer server, String user) {
    var client = RawClient.over(TlsSockets.tern(server));
    client.write(RawClient.preface(), RawClient.hello(user, 1));
    client.helloAck();
    client.until(FrameType.CATCH_UP_PAGE);
    return client;
  }

  @ParameterizedTest
  @ValueSource(strings = {"boringssl", "jdk"})
  void messagesGoBetweenTlsAndPlain(String provider) throws IOException {
    try (var server = start("tls.provider=" + provider);
        var alice = login(server.server, "alice");
        var bob = server.login("bob")) {
      alice.write(RawClient.send(1, RawClient.id("bob"), 1, "hello"));
      assertThat(alice.until(FrameType.SENT).rid()).isEqualTo(1);
      assertThat(bob.until(FrameType.DELIVER).seq()).isEqualTo(1);
      bob.write(RawClient.send(1, RawClient.id("alice"), 1, "hi"));
      assertThat(alice.until(FrameType.DELIVER).seq()).isEqualTo(2);

      assertThat(server.server.counters().get(Count.TLS_HANDSHAKES)).isEqualTo(1);
      assertThat(server.server.readyLine())
          .contains(" tls=127.0.0.1:")
          .contains(" fingerprint=sha256:");
    }
  }

  @Test
  void aRefusedSessionIsToldWhyAndTheStreamEnds() throws IOException {
    try (var server = start();
        var client = RawClient.over(TlsSockets.tern(server.server))) {
      client.write(RawClient.preface(), new byte[] {0});
      assertThat(client.until(FrameType.ERROR).error().getCode()).isEqualTo(100);
      client.assertEnd();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"boringssl", "jdk"})
  void olderVersionsAreRefused(String provider) {
    try (var server = start("tls.provider=" + provider)) {
      InetSocketAddress tls = server.server.listening().tls().getFirst();
      String pin = String.valueOf(server.server.fingerprint());
      assertThatThrownBy(() -> TlsSockets.connect(tls, pin, "TLSv1.2", "tern/1"))
          .isInstanceOf(SSLHandshakeException.class);
      await().until(() -> server.server.counters().get(Count.TLS_HANDSHAKES_FAILED) == 1);
    }
  }

  @Test
  void whoDoesNotAgreeOnTernIsClosed() throws IOException {
    try (var server = start()) {
      InetSocketAddress tls = server.server.listening().tls().getFirst();
      String pin = String.valueOf(server.server.fingerprint());
      for (String[] alpn : new String[][] {{}, {"http/1.1"}, {"h2", "tern/2"}}) {
        try (var socket = TlsSockets.connect(tls, pin, "TLSv1.3", alpn)) {
          assertThat(socket.getInputStream().read()).isEqualTo(-1);
        }
      }
      assertThat(server.server.counters().get(Count.TLS_WITHOUT_ALPN)).isEqualTo(3);
    }
  }

  @Test
  void strangersAreClosedWithoutASession() throws IOException {
    try (var server = start();
        var socket = new Socket()) {
      socket.connect(server.server.listening().tls().getFirst());
      socket.setSoTimeout(RawClient.PATIENCE_MILLIS);
      socket.getOutputStream().write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      // Whatever the library answers, it is an alert and then the end.
      assertThat(socket.getInputStream().readAllBytes().length).isLessThan(16);
      await().until(() -> server.server.counters().get(Count.TLS_HANDSHAKES_FAILED) == 1);
    }
  }

  @Test
  void theDeadlineOfTheDoorIsAbsolute() throws IOException {
    try (var server = start("net.door-timeout=300 ms");
        var silent = new Socket();
        var slow = new Socket()) {
      InetSocketAddress tls = server.server.listening().tls().getFirst();
      silent.connect(tls);
      slow.connect(tls);
      // The beginning of a record that never ends.
      slow.getOutputStream().write(new byte[] {0x16, 0x03, 0x01, 0x02, 0x00, 0x01});
      for (Socket socket : new Socket[] {silent, slow}) {
        socket.setSoTimeout(RawClient.PATIENCE_MILLIS);
        assertThat(socket.getInputStream().read()).isEqualTo(-1);
      }
      assertThat(server.server.counters().get(Count.DOOR_TIMEOUTS)).isEqualTo(2);
      await().until(() -> server.server.connections() == 0);
    }
  }

  /// One turn a second: the second handshake waits, longer than the door has for its part.
  @Test
  void aHandshakeWaitsForItsTurnAndTheWaitDoesNotCount() throws Exception {
    try (var server = start("turns.rate-min=1", "turns.rate-max=1", "net.door-timeout=600 ms")) {
      var threads = Executors.newVirtualThreadPerTaskExecutor();
      try (threads) {
        var all = new ArrayList<Future<?>>();
        for (int i = 0; i < 3; i++) {
          all.add(
              threads.submit(() -> {
                try (var socket = TlsSockets.tern(server.server)) {
                  assertThat(socket.isConnected()).isTrue();
                }
                return null;
              }));
        }
        for (Future<?> one : all) {
          one.get(RawClient.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        }
      }
      assertThat(server.server.counters().get(Count.HANDSHAKES_WAITED)).isEqualTo(2);
      assertThat(server.server.counters().get(Count.DOOR_TIMEOUTS)).isZero();
    }
  }

  /// Those that fail too: of two turns at once none is left over.
  @Test
  void handshakesThatFailGiveTheirTurnsBack() throws IOException {
    try (var server = start("turns.under-way-max=2")) {
      InetSocketAddress tls = server.server.listening().tls().getFirst();
      for (int i = 0; i < 5; i++) {
        try (var socket = new Socket(tls.getAddress(), tls.getPort())) {
          socket.setSoTimeout(RawClient.PATIENCE_MILLIS);
          socket
              .getOutputStream()
              .write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
          socket.getInputStream().readAllBytes();
        }
      }
      login(server.server, "alice").close();
    }
  }

  @Test
  void whoseHandshakeHasWaitedTooLongIsClosedAndNotBlamed() throws Exception {
    try (var server =
        start(
            "turns.rate-min=1",
            "turns.rate-max=1",
            "turns.handshake-wait-max=1500 ms",
            "limits.loopback-exempt=false")) {
      InetSocketAddress tls = server.server.listening().tls().getFirst();
      var sockets = new ArrayList<Socket>();
      try {
        for (int i = 0; i < 6; i++) {
          var socket = new Socket(tls.getAddress(), tls.getPort());
          socket.setSoTimeout(RawClient.PATIENCE_MILLIS);
          // The beginning of a ClientHello.
          socket.getOutputStream().write(new byte[] {0x16, 0x03, 0x01, 0x02, 0x00, 0x01});
          sockets.add(socket);
        }
        await().until(() -> server.server.counters().get(Count.HANDSHAKES_PUT_OFF) >= 3);
        assertThat(sockets.getLast().getInputStream().read()).isEqualTo(-1);
      } finally {
        for (Socket socket : sockets) {
          socket.close();
        }
      }
      await().until(() -> server.server.connections() == 0);
      assertThat(server.server.counters().get(Count.CONNECTIONS_REFUSED_FAILURES)).isZero();
    }
  }

  /// Somebody who has gone takes no turn from those who wait.
  @Test
  void whoGoesAwayWhileItWaitsGivesUpItsTurn() throws Exception {
    try (var server = start("turns.rate-min=1", "turns.rate-max=1")) {
      InetSocketAddress tls = server.server.listening().tls().getFirst();
      for (int i = 0; i < 50; i++) {
        try (var socket = new Socket(tls.getAddress(), tls.getPort())) {
          socket.getOutputStream().write(new byte[] {0x16, 0x03, 0x01, 0x02, 0x00, 0x01});
        }
      }
      await().until(() -> server.server.connections() == 0);
      try (var socket = TlsSockets.tern(server.server)) {
        assertThat(socket.isConnected()).isTrue();
      }
      assertThat(server.server.counters().get(Count.HANDSHAKES_PUT_OFF)).isZero();
    }
  }

  @Test
  void aNewCertificateIsTakenUpAndSessionsStay() throws IOException {
    Path other = Files.createDirectories(data.resolve("other"));
    Path certificate = data.resolve("mine.pem");
    Path key = data.resolve("mine-key.pem");
    copyPair(Files.createDirectories(data.resolve("first")), certificate, key);
    try (var server =
            start("tls.certificate=" + certificate, "tls.key=" + key, "tls.reload=100 ms");
        var alice = login(server.server, "alice")) {
      String before = String.valueOf(server.server.fingerprint());
      copyPair(other, certificate, key);
      await().until(() -> !before.equals(server.server.fingerprint()));
      // Two more looks at the files: by then the first context has been let go.
      long passes = server.server.counters().get(Count.CERTIFICATE_RELOADS);
      assertThat(passes).isPositive();
      try (var bob = login(server.server, "bob")) {
        alice.write(RawClient.send(1, RawClient.id("bob"), 1, "still here"));
        alice.until(FrameType.SENT);
        bob.until(FrameType.DELIVER);
      }
    }
  }

  /// Lets a server of its own make a pair in `folder`, and puts it there.
  private static void copyPair(Path folder, Path certificate, Path key) throws IOException {
    try (var server = TestServer.start(folder, "net.tls.listen=127.0.0.1:0")) {
      assertThat(server.server.fingerprint()).isNotNull();
    }
    Files.write(key, Files.readAllBytes(folder.resolve("development-key.pem")));
    Files.write(certificate, Files.readAllBytes(folder.resolve("development-certificate.pem")));
  }
}

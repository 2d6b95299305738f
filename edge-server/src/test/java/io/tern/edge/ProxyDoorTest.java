package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tern.edge.metrics.Count;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Listeners behind a proxy: who may speak for others, and who is charged.
class ProxyDoorTest {

  private static final byte[] SIGNATURE = {
    0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A
  };

  @TempDir Path data;

  private TestServer start(String listener, String from, String... more) {
    var settings =
        new ArrayList<>(
            List.of(
                "net.tls.listen=127.0.0.1:0",
                "net.websocket.listen=127.0.0.1:0",
                "net.proxy.listeners=[" + listener + "]",
                "net.proxy.from=\"" + from + "\""));
    settings.addAll(List.of(more));
    return TestServer.start(data, settings.toArray(String[]::new));
  }

  private static byte[] header(int command, String source, int tlvBytes) throws IOException {
    byte[] address = InetAddress.ofLiteral(source).getAddress();
    int length = 2 * address.length + 4 + tlvBytes;
    var header = new ByteArrayOutputStream();
    header.writeBytes(SIGNATURE);
    header.write(0x20 | command);
    header.write(address.length == 4 ? 0x11 : 0x21);
    header.write(length >>> 8);
    header.write(length);
    header.writeBytes(address);
    header.writeBytes(address);
    header.writeBytes(new byte[] {1, 2, 3, 4});
    header.writeBytes(new byte[tlvBytes]);
    return header.toByteArray();
  }

  private static Socket connect(InetSocketAddress address) throws IOException {
    var socket = new Socket();
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(RawClient.PATIENCE_MILLIS);
    socket.connect(address);
    return socket;
  }

  private static int readOrReset(Socket socket) throws IOException {
    try {
      return socket.getInputStream().read();
    } catch (SocketException e) {
      return -1;
    }
  }

  @Test
  void theHeaderComesFirstInWhateverPieces() throws IOException {
    try (var server = start("plain", "127.0.0.0/8");
        var socket = connect(server.address())) {
      for (byte b : header(1, "2001:db8::7", 100)) {
        socket.getOutputStream().write(b);
      }
      try (var alice = RawClient.over(socket)) {
        alice.write(RawClient.preface(), RawClient.hello("alice", 1));
        alice.helloAck();
      }
      try (var bob = RawClient.over(connect(server.address()))) {
        // Header and frames in one piece; a health check speaks for nobody.
        bob.write(header(0, "192.0.2.1", 0), RawClient.preface(), RawClient.hello("bob", 1));
        bob.helloAck();
      }
    }
  }

  @Test
  void theAddressInTheHeaderIsCharged() throws IOException {
    try (var server =
        start(
            "plain",
            "127.0.0.1",
            "limits.loopback-exempt=true",
            "limits.unauthenticated-per-ip-max=2",
            "limits.failures-per-minute-max=2")) {
      try (var one = connect(server.address());
          var two = connect(server.address());
          var three = connect(server.address());
          var other = connect(server.address())) {
        one.getOutputStream().write(header(1, "192.0.2.1", 0));
        two.getOutputStream().write(header(1, "192.0.2.1", 0));
        await().until(() -> server.server.connections() == 4);
        three.getOutputStream().write(header(1, "192.0.2.1", 0));
        assertThat(readOrReset(three)).isEqualTo(-1);
        assertThat(server.server.counters().get(Count.CONNECTIONS_REFUSED_PER_IP)).isEqualTo(1);
        try (var login = RawClient.over(other)) {
          login.write(header(1, "192.0.2.2", 0), RawClient.preface(), RawClient.hello("alice", 1));
          login.helloAck();
        }
      }
      await().until(() -> server.server.connections() == 0);
      for (int i = 0; i < 2; i++) {
        try (var bad = connect(server.address())) {
          bad.getOutputStream().write(header(1, "192.0.2.3", 0));
          bad.getOutputStream().write("nonsense".getBytes(StandardCharsets.US_ASCII));
          assertThat(readOrReset(bad)).isEqualTo(-1);
        }
      }
      try (var again = connect(server.address())) {
        again.getOutputStream().write(header(1, "192.0.2.3", 0));
        assertThat(readOrReset(again)).isEqualTo(-1);
      }
      assertThat(server.server.counters().get(Count.CONNECTIONS_REFUSED_FAILURES)).isEqualTo(1);
    }
  }

  @Test
  void withoutAGoodHeaderThereIsNoConnection() throws IOException {
    byte[] tooLong = header(1, "192.0.2.1", 0);
    tooLong[14] = 0x7F;
    byte[] version1 = "PROXY TCP4 192.0.2.1 192.0.2.1 1 2\r\n".getBytes(StandardCharsets.US_ASCII);
    byte[] datagram = header(1, "192.0.2.1", 0);
    datagram[13] = 0x12;
    byte[] shortOne = header(1, "192.0.2.1", 0);
    shortOne[13] = 0x21;
    byte[] command = header(1, "192.0.2.1", 0);
    command[12] = 0x2F;
    try (var server = start("plain", "127.0.0.1")) {
      for (byte[] bad :
          new byte[][] {
            RawClient.preface(), version1, tooLong, datagram, shortOne, command, new byte[] {0x0A}
          }) {
        try (var socket = connect(server.address())) {
          socket.getOutputStream().write(bad);
          assertThat(readOrReset(socket)).isEqualTo(-1);
        }
      }
      assertThat(server.server.counters().get(Count.PROXY_REFUSED)).isEqualTo(7);
      await().until(() -> server.server.connections() == 0);
    }
  }

  @Test
  void onlyListedPeersMaySpeakForOthers() throws IOException {
    try (var server = start("plain", "10.0.0.0/8, 192.0.2.7");
        var socket = connect(server.address())) {
      assertThat(readOrReset(socket)).isEqualTo(-1);
      assertThat(server.server.counters().get(Count.PROXY_REFUSED)).isEqualTo(1);
    }
  }

  @Test
  void aHeaderWhereNoneIsExpectedIsNotTern() throws IOException {
    try (var server = start("tls", "127.0.0.1");
        var socket = connect(server.address())) {
      socket.getOutputStream().write(header(1, "192.0.2.1", 0));
      assertThat(readOrReset(socket)).isEqualTo(-1);
    }
  }

  @Test
  void webSocketWorksBehindIt() throws IOException {
    try (var server = start("websocket", "127.0.0.1");
        var socket = connect(server.server.listening().webSocket().getFirst())) {
      socket.getOutputStream().write(header(1, "192.0.2.1", 0));
      try (var alice = RawClient.over(WebSocketSocket.over(socket, ""))) {
        alice.write(RawClient.hello("alice", 1));
        alice.helloAck();
      }
      try (var plain = connect(server.server.listening().webSocket().getFirst())) {
        assertThat(
                WebSocketSocket.ask(
                    plain,
                    new DataInputStream(plain.getInputStream()),
                    WebSocketSocket.REQUEST_LINE + WebSocketSocket.HEADERS + "\r\n"))
            .isEmpty();
      } catch (SocketException e) {
        // Closed over what it had not read.
        assertThat(server.server.counters().get(Count.PROXY_REFUSED)).isEqualTo(1);
      }
    }
  }
}

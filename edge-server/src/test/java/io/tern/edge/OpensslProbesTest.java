package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tern.edge.metrics.Count;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The TLS door probed with `openssl s_client` and with hand-made ClientHellos. TERN-2-3, TERN-2-4.
class OpensslProbesTest {

  @TempDir static Path data;

  private static TestServer server;
  private static InetSocketAddress tls;

  @BeforeAll
  static void start() {
    server = TestServer.start(data, "net.tls.listen=127.0.0.1:0", "net.door-timeout=2 s");
    tls = server.server.listening().tls().getFirst();
  }

  @AfterEach
  void noProbeLeftAnythingBehind() throws IOException {
    try (var alice = RawClient.over(TlsSockets.tern(server.server))) {
      alice.write(RawClient.preface(), RawClient.hello("alice", 1));
      alice.helloAck();
    }
    await().until(() -> server.server.connections() == 0);
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  /// What s_client prints; its input is `input`, and then the end.
  private String probe(String input, String... options) throws Exception {
    var command =
        new ArrayList<>(List.of("openssl", "s_client", "-connect", "127.0.0.1:" + tls.getPort()));
    command.addAll(List.of(options));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try (var in = process.getOutputStream()) {
      in.write(input.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      // It has ended before it was told to.
    }
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
    assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
    return output;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256"
      })
  void theThreeSuitesOfVersion13AreThere(String suite) throws Exception {
    String output = probe("", "-alpn", "tern/1", "-ciphersuites", suite);
    assertThat(output)
        .contains("New, TLSv1.3, Cipher is " + suite)
        .contains("ALPN protocol: tern/1")
        .contains("Early data was not sent")
        .doesNotContain("New Session Ticket");
  }

  @ParameterizedTest
  @ValueSource(strings = {"-tls1", "-tls1_1", "-tls1_2"})
  void olderVersionsAreRefused(String version) throws Exception {
    String output = probe("", "-alpn", "tern/1", version, "-cipher", "ALL:@SECLEVEL=0");
    assertThat(output).contains("Cipher is (NONE)").doesNotContain("BEGIN CERTIFICATE");
  }

  @ParameterizedTest
  @ValueSource(strings = {"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"})
  void otherSuitesAreRefused(String suite) throws Exception {
    assertThat(probe("", "-alpn", "tern/1", "-ciphersuites", suite)).contains("Cipher is (NONE)");
  }

  @ParameterizedTest
  @ValueSource(strings = {"h2", "http/1.1", "tern/2", "TERN/1"})
  void otherProtocolsAreNotAgreedTo(String alpn) throws Exception {
    long before = server.server.counters().get(Count.TLS_WITHOUT_ALPN);
    assertThat(probe("", "-alpn", alpn)).contains("No ALPN negotiated");
    await().until(() -> server.server.counters().get(Count.TLS_WITHOUT_ALPN) == before + 1);
  }

  @Test
  void thereIsNoRenegotiation() throws Exception {
    // A line with R asks s_client to renegotiate.
    String output = probe("R\n", "-alpn", "tern/1");
    assertThat(output).contains("TLSv1.3").doesNotContain("Secure Renegotiation IS supported");
  }

  @Test
  void aLongNameIsNoTrouble() throws Exception {
    String name = "a.".repeat(120) + "example";
    assertThat(probe("", "-alpn", "tern/1", "-servername", name)).contains("TLSv1.3");
  }

  /// A ClientHello that says it has 16 MiB (CVE-2026-45416: such a one made servers set the memory
  /// aside), one of many records, and one with an SNI of 16 KiB.
  @ParameterizedTest
  @ValueSource(strings = {"16 MiB", "records", "SNI"})
  void aBigClientHelloIsRefused(String how) throws Exception {
    long before = refusals();
    byte[] bytes =
        switch (how) {
          case "16 MiB" -> record(new byte[] {1, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 3, 3});
          case "records" -> {
            var all = new ByteArrayOutputStream();
            all.writeBytes(record(new byte[] {1, 0, (byte) 0xFF, (byte) 0xFF}));
            for (int i = 0; i < 5; i++) {
              all.writeBytes(record(new byte[16_000]));
            }
            yield all.toByteArray();
          }
          default -> {
            var hello = new byte[16_000];
            hello[0] = 1;
            hello[2] = (byte) ((hello.length - 4) >>> 8);
            hello[3] = (byte) (hello.length - 4);
            hello[4] = 3;
            hello[5] = 3;
            // Random, no session id, one suite, no compression, then one extension: SNI.
            hello[39] = 0;
            hello[41] = 2;
            hello[42] = 0x13;
            hello[43] = 1;
            hello[44] = 1;
            int left = hello.length - 48;
            hello[46] = (byte) (left >>> 8);
            hello[47] = (byte) left;
            hello[50] = (byte) ((left - 4) >>> 8);
            hello[51] = (byte) (left - 4);
            yield record(hello);
          }
        };
    try (var socket = new Socket()) {
      socket.connect(tls);
      socket.setSoTimeout(RawClient.PATIENCE_MILLIS);
      assertThat(exchange(socket, bytes)).isLessThan(64);
    }
    await().until(() -> refusals() == before + 1);
  }

  private static long refusals() {
    return server.server.counters().get(Count.TLS_HANDSHAKES_FAILED)
        + server.server.counters().get(Count.DOOR_TIMEOUTS);
  }

  /// How many bytes come back before the end.
  private static int exchange(Socket socket, byte[] bytes) throws IOException {
    try {
      socket.getOutputStream().write(bytes);
      return socket.getInputStream().readAllBytes().length;
    } catch (SocketException e) {
      // Reset: it did not read the rest.
      return 0;
    }
  }

  private static byte[] record(byte[] handshake) {
    var record = new byte[5 + handshake.length];
    record[0] = 0x16;
    record[1] = 3;
    record[2] = 1;
    record[3] = (byte) (handshake.length >>> 8);
    record[4] = (byte) handshake.length;
    System.arraycopy(handshake, 0, record, 5, handshake.length);
    return record;
  }
}

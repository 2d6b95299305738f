package io.tern.accounts.sms.smpp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.accounts.sms.SmsSender.SmsOutcome;
import io.tern.accounts.sms.smpp.SmppSms.Security;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Texts by SMPP over TLS: they go to whose certificate names the host, and to nobody else.
class SmppTlsTest {

  private static final char[] PASSWORD = "changeit".toCharArray();

  @TempDir Path folder;

  /// Keys with a certificate of their own, for this name; in PKCS #12.
  private KeyStore keys(String name, String certified)
      throws IOException, InterruptedException, GeneralSecurityException {
    Path file = folder.resolve(name + ".p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-keyalg",
                "EC",
                "-alias",
                "smsc",
                "-dname",
                "CN=smsc",
                "-ext",
                "san=" + certified,
                "-storetype",
                "PKCS12",
                "-keystore",
                file.toString(),
                "-storepass",
                new String(PASSWORD))
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("keytool.log").toFile())
            .start();
    assertThat(keytool.waitFor(60, TimeUnit.SECONDS)).isTrue();
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(file)) {
      store.load(in, PASSWORD);
    }
    return store;
  }

  private Path certificate(KeyStore keys) throws IOException, GeneralSecurityException {
    return Files.writeString(
        Files.createTempFile(folder, "authority", ".pem"),
        "-----BEGIN CERTIFICATE-----\n"
            + Base64.getMimeEncoder().encodeToString(keys.getCertificate("smsc").getEncoded())
            + "\n-----END CERTIFICATE-----\n");
  }

  private static Smsc smsc(KeyStore keys) throws IOException, GeneralSecurityException {
    var managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    managers.init(keys, PASSWORD);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(managers.getKeyManagers(), null, null);
    ServerSocket socket =
        context
            .getServerSocketFactory()
            .createServerSocket(0, 50, InetAddress.getLoopbackAddress());
    return new Smsc(socket);
  }

  private static SmsOutcome send(int port, Security security, Duration timeout) {
    try (var sms =
        new SmppSms(
            new SmppSms.Config("127.0.0.1", port, security, "tern", "pass", "", "Tern", timeout))) {
      return sms.send("+4915112345678", "123456 is your code.");
    }
  }

  private static SmsOutcome send(Smsc smsc, Security security) {
    return send(smsc.port, security, Duration.ofSeconds(5));
  }

  @Test
  void aTextGoesToTheSmscThatItsCertificateNames() throws Exception {
    KeyStore keys = keys("right", "ip:127.0.0.1");
    try (Smsc smsc = smsc(keys)) {
      assertThat(send(smsc, new Security.Tls(certificate(keys))))
          .isEqualTo(new SmsOutcome.Accepted("m1"));
      assertThat(smsc.texts).containsExactly("Tern > 4915112345678: 123456 is your code.");
    }
  }

  @Test
  void nothingGoesToOneOfAnotherNameOrSignedByAnother() throws Exception {
    KeyStore right = keys("right", "ip:127.0.0.1");
    KeyStore otherName = keys("other", "dns:smsc.example");
    try (Smsc smsc = smsc(otherName)) {
      assertThat(send(smsc, new Security.Tls(certificate(otherName))))
          .isInstanceOf(SmsOutcome.RetryLater.class);
      assertThat(smsc.sessions).isEmpty();
    }
    try (Smsc smsc = smsc(right)) {
      assertThat(send(smsc, new Security.Tls(certificate(otherName))))
          .isInstanceOf(SmsOutcome.RetryLater.class);
      assertThat(send(smsc, new Security.Tls(null))).isInstanceOf(SmsOutcome.RetryLater.class);
      assertThat(smsc.sessions).isEmpty();
    }
  }

  @Test
  void oneThatSpeaksNoTlsIsToldNothing() throws Exception {
    try (Smsc smsc = new Smsc(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()))) {
      assertThat(send(smsc.port, new Security.Tls(null), Duration.ofSeconds(1)))
          .isInstanceOf(SmsOutcome.RetryLater.class);
      assertThat(smsc.sessions).isEmpty();
    }
  }

  @Test
  void whereNobodyAnswersItIsGivenUpInTime() throws Exception {
    // Its backlog is full: what comes then waits for an answer that the system never gives.
    try (var full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      var waiting = new java.util.ArrayList<java.nio.channels.SocketChannel>();
      try {
        for (int i = 0; i < 8; i++) {
          var channel = java.nio.channels.SocketChannel.open();
          channel.configureBlocking(false);
          channel.connect(full.getLocalSocketAddress());
          waiting.add(channel);
        }
        long began = System.nanoTime();
        assertThat(send(full.getLocalPort(), new Security.Plain(), Duration.ofMillis(500)))
            .isInstanceOf(SmsOutcome.RetryLater.class);
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(10));
      } finally {
        for (var channel : waiting) {
          channel.close();
        }
      }
    }
  }

  @Test
  void aFileWithoutCertificatesIsRefused() throws Exception {
    Path empty = Files.writeString(folder.resolve("empty"), "");
    Path text = Files.writeString(folder.resolve("text"), "no certificate\n");
    for (Path file : new Path[] {empty, text, folder.resolve("none")}) {
      assertThatThrownBy(() -> new Security.Tls(file))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("a PEM file with certificates");
    }
  }
}

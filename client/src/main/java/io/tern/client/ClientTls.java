package io.tern.client;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/// Whom a client takes for its server: whoever has a certificate that this trusts. Immutable, any
/// thread; share one among clients, for each has its own TLS context behind it.
///
/// It holds for every edge that a client ever goes to, also those that servers name.
///
/// @param trust decides about certificates
/// @param verifiesName whether the certificate must also be for the name that was connected to
/// @param serverName the name to ask for and verify instead; null for the edge's own
public record ClientTls(X509TrustManager trust, boolean verifiesName, @Nullable String serverName) {

  private static final String PREFIX = "sha256:";

  /// What this machine trusts, for the edge's name.
  public static ClientTls system() {
    return new ClientTls(trust(null), true, null);
  }

  /// What is signed by one of these certificates, for the edge's name.
  ///
  /// @param pem file with certificates
  /// @throws IOException when it cannot be read
  public static ClientTls trusting(Path pem) throws IOException {
    try (InputStream in = Files.newInputStream(pem)) {
      Collection<? extends Certificate> all =
          CertificateFactory.getInstance("X.509").generateCertificates(in);
      if (all.isEmpty()) {
        throw new IOException(pem + " has no certificate");
      }
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      int number = 0;
      for (Certificate certificate : all) {
        store.setCertificateEntry(Integer.toString(number++), certificate);
      }
      return new ClientTls(trust(store), true, null);
    } catch (GeneralSecurityException e) {
      throw new IOException(pem + " is not a PEM file with certificates", e);
    }
  }

  /// The certificate with one of these fingerprints, whatever it says: `sha256:` and 64 hexadecimal
  /// digits, as `tern server` prints it. Several, so that a server can change to the next one.
  ///
  /// @throws IllegalArgumentException when one is not a fingerprint
  public static ClientTls pinned(Collection<String> fingerprints) {
    if (fingerprints.isEmpty()) {
      throw new IllegalArgumentException("a pin is needed");
    }
    Set<String> pins =
        fingerprints.stream().map(ClientTls::normal).collect(Collectors.toUnmodifiableSet());
    return new ClientTls(new Pins(pins), false, null);
  }

  /// As this, for servers that are all called `name`.
  public ClientTls withServerName(String name) {
    return new ClientTls(trust, verifiesName, name);
  }

  private static String normal(String fingerprint) {
    String text = fingerprint.strip().toLowerCase(Locale.ROOT);
    String digits = text.startsWith(PREFIX) ? text.substring(PREFIX.length()) : "";
    digits = digits.replace(":", "");
    if (!digits.matches("[0-9a-f]{64}")) {
      throw new IllegalArgumentException(
          "'" + fingerprint + "' is not sha256: and 64 hexadecimal digits");
    }
    return PREFIX + digits;
  }

  private static X509TrustManager trust(@Nullable KeyStore store) {
    try {
      var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      for (TrustManager manager : factory.getTrustManagers()) {
        if (manager instanceof X509TrustManager x509) {
          return x509;
        }
      }
      throw new IllegalStateException("this JDK has no X.509 trust manager");
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Extended, so that the JDK leaves names to it too.
  private static final class Pins extends X509ExtendedTrustManager {
    private final Set<String> pins;

    Pins(Set<String> pins) {
      this.pins = pins;
    }

    private void check(X509Certificate[] chain) throws CertificateException {
      String is;
      try {
        is =
            PREFIX
                + HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(chain[0].getEncoded()));
      } catch (GeneralSecurityException e) {
        throw new CertificateException(e);
      }
      if (!pins.contains(is)) {
        throw new CertificateException(
            "the server's certificate is " + is + ", not the pinned one");
      }
      chain[0].checkValidity();
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      check(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      check(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      check(chain);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      throw new CertificateException("this is for servers");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      throw new CertificateException("this is for servers");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      throw new CertificateException("this is for servers");
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}

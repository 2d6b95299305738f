package io.tern.client.account;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.Locale;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/// Trusts one certificate, whoever signed it and whatever name it has: that with the fingerprint.
final class Pinned extends X509ExtendedTrustManager {

  private static final String SHA_256 = "sha256:";

  private final String fingerprint;

  private Pinned(String fingerprint) {
    this.fingerprint = fingerprint;
  }

  /// @throws IllegalArgumentException when it is no fingerprint
  static SSLContext context(String pin) {
    String fingerprint = pin.toLowerCase(Locale.ROOT);
    if (!fingerprint.matches(SHA_256 + "[0-9a-f]{64}")) {
      throw new IllegalArgumentException("a pin is sha256: and 64 hexadecimal digits");
    }
    try {
      SSLContext context = SSLContext.getInstance("TLSv1.3");
      context.init(null, new TrustManager[] {new Pinned(fingerprint)}, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has TLS 1.3", e);
    }
  }

  private void check(X509Certificate[] chain) throws CertificateException {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(chain[0].getEncoded());
      var hex = new StringBuilder(SHA_256);
      for (byte b : hash) {
        hex.append(Character.forDigit(b >> 4 & 0xF, 16)).append(Character.forDigit(b & 0xF, 16));
      }
      if (!hex.toString().equals(fingerprint)) {
        throw new CertificateException("the server's certificate is not the pinned one");
      }
    } catch (GeneralSecurityException e) {
      throw e instanceof CertificateException known ? known : new CertificateException(e);
    }
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
  public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
    check(chain);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
      throws CertificateException {
    throw new CertificateException("this is no server");
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
      throws CertificateException {
    throw new CertificateException("this is no server");
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
    throw new CertificateException("this is no server");
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return new X509Certificate[0];
  }
}

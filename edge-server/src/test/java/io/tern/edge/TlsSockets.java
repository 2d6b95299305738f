package io.tern.edge;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/// TLS sockets of the JDK, which no line of the server's TLS has a part in. They trust one
/// fingerprint.
final class TlsSockets {

  private TlsSockets() {}

  /// Connects and shakes hands.
  ///
  /// @throws IOException when the handshake fails
  static SSLSocket connect(
      InetSocketAddress address, String fingerprint, String protocol, String... alpn)
      throws IOException {
    try {
      var context = SSLContext.getInstance("TLS");
      context.init(null, new TrustManager[] {new Pin(fingerprint)}, new SecureRandom());
      var socket = (SSLSocket) context.getSocketFactory().createSocket();
      socket.setSoTimeout(RawClient.PATIENCE_MILLIS);
      socket.connect(address, RawClient.PATIENCE_MILLIS);
      socket.setEnabledProtocols(new String[] {protocol});
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(alpn);
      socket.setSSLParameters(parameters);
      try {
        socket.startHandshake();
      } catch (IOException e) {
        socket.close();
        throw e;
      }
      return socket;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  static SSLSocket tern(TernServer server) {
    try {
      return connect(
          server.listening().tls().getFirst(),
          String.valueOf(server.fingerprint()),
          "TLSv1.3",
          "tern/1");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Connects `below` and shakes hands over it.
  static SSLSocket over(Socket below, TernServer server) throws IOException {
    try {
      var context = SSLContext.getInstance("TLS");
      context.init(
          null,
          new TrustManager[] {new Pin(String.valueOf(server.fingerprint()))},
          new SecureRandom());
      below.connect(server.listening().tls().getFirst(), RawClient.PATIENCE_MILLIS);
      var socket =
          (SSLSocket)
              context.getSocketFactory().createSocket(below, "localhost", below.getPort(), false);
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(new String[] {"tern/1"});
      socket.setSSLParameters(parameters);
      socket.startHandshake();
      return socket;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private record Pin(String fingerprint) implements X509TrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      throw new CertificateException("not a client");
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      try {
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(chain[0].getEncoded());
        if (!fingerprint.equals("sha256:" + HexFormat.of().formatHex(hash))) {
          throw new CertificateException("another certificate");
        }
      } catch (GeneralSecurityException e) {
        throw new CertificateException(e);
      }
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}

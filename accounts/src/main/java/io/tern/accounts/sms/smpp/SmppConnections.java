package io.tern.accounts.sms.smpp;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Collection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.jsmpp.session.connection.Connection;
import org.jsmpp.session.connection.ConnectionFactory;
import org.jsmpp.session.connection.socket.SocketConnection;
import org.jspecify.annotations.Nullable;

/// Connections to an SMSC: plain, or TLS 1.2 and 1.3 to whose certificate names the host. Those of
/// the library wait for a connection as long as the system does, and do not look at the name. Any
/// thread; blocks for the timeout at most in each of connecting and reading.
final class SmppConnections implements ConnectionFactory {

  private final @Nullable SSLContext tls;
  private final Duration timeout;

  /// @param tls null = plain
  SmppConnections(@Nullable SSLContext tls, Duration timeout) {
    this.tls = tls;
    this.timeout = timeout;
  }

  @Override
  public Connection createConnection(String host, int port) throws IOException {
    int millis = Math.toIntExact(timeout.toMillis());
    var socket = new Socket();
    try {
      socket.connect(new InetSocketAddress(host, port), millis);
      if (tls == null) {
        return new SocketConnection(socket);
      }
      socket.setSoTimeout(millis);
      var secure = (SSLSocket) tls.getSocketFactory().createSocket(socket, host, port, true);
      SSLParameters parameters = secure.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      parameters.setProtocols(new String[] {"TLSv1.3", "TLSv1.2"});
      secure.setSSLParameters(parameters);
      secure.startHandshake();
      return new SocketConnection(secure);
    } catch (IOException | RuntimeException e) {
      socket.close();
      throw e;
    }
  }

  /// TLS that trusts who is signed by these.
  ///
  /// @param authorities a PEM file with certificates; null = those that the JDK trusts
  /// @throws IllegalArgumentException when it is no such file
  static SSLContext trusting(@Nullable Path authorities) {
    try {
      var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      managers.init(authorities == null ? null : storeOf(authorities));
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, managers.getTrustManagers(), null);
      return context;
    } catch (IOException | GeneralSecurityException e) {
      throw new IllegalArgumentException("a PEM file with certificates", e);
    }
  }

  private static KeyStore storeOf(Path authorities) throws IOException, GeneralSecurityException {
    Collection<? extends Certificate> certificates;
    try (InputStream in = Files.newInputStream(authorities)) {
      certificates = CertificateFactory.getInstance("X.509").generateCertificates(in);
    }
    if (certificates.isEmpty()) {
      throw new GeneralSecurityException("no certificate");
    }
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    int number = 0;
    for (Certificate certificate : certificates) {
      store.setCertificateEntry(Integer.toString(number++), certificate);
    }
    return store;
  }
}

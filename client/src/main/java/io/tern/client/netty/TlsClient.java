package io.tern.client.netty;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import io.tern.client.ClientTls;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import javax.net.ssl.SSLException;

/// Makes the TLS side of connections to a server: version 1.3, ALPN `tern/1`. BoringSSL where it is
/// on the class path, else the JDK's. Immutable, any thread.
public final class TlsClient {

  public static final String ALPN = "tern/1";

  /// A server that thousands come back to lets handshakes wait for their turn [TERN-2-5].
  private static final int HANDSHAKE_MILLIS_MAX = 30_000;

  private final ClientTls tls;
  private final SslContext context;

  /// With a context of its own, which many connections may share.
  public TlsClient(ClientTls tls) {
    this.tls = tls;
    try {
      context =
          SslContextBuilder.forClient()
              .sslProvider(OpenSsl.isAvailable() ? SslProvider.OPENSSL : SslProvider.JDK)
              .trustManager(tls.trust())
              .endpointIdentificationAlgorithm(tls.verifiesName() ? "HTTPS" : "")
              .protocols("TLSv1.3")
              .applicationProtocolConfig(
                  new ApplicationProtocolConfig(
                      ApplicationProtocolConfig.Protocol.ALPN,
                      ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                      ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
                      ALPN))
              .build();
    } catch (SSLException e) {
      throw new IllegalStateException("TLS is not to be had", e);
    }
  }

  /// For one connection to `address`; the channel's pipeline releases what it holds.
  public SslHandler handler(ByteBufAllocator alloc, SocketAddress address) {
    String name = tls.serverName();
    var inet = (InetSocketAddress) address;
    SslHandler handler =
        context.newHandler(alloc, name != null ? name : inet.getHostString(), inet.getPort());
    handler.setHandshakeTimeoutMillis(HANDSHAKE_MILLIS_MAX);
    return handler;
  }
}

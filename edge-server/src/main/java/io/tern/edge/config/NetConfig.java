package io.tern.edge.config;

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// `net.*`: listeners and event loops.
///
/// @param listen addresses of plain TCP; port 0 for any
/// @param tlsListen addresses of TLS on TCP
/// @param doorTimeout until a connection must have passed its door: PROXY header, TLS handshake and
///   WebSocket upgrade together
/// @param loops event loops; 1 to 256
/// @param backlog connections that the kernel holds before they are accepted
public record NetConfig(
    List<InetSocketAddress> listen,
    List<InetSocketAddress> tlsListen,
    WebSocketConfig webSocket,
    ProxyConfig proxy,
    Duration doorTimeout,
    Transport transport,
    int loops,
    int backlog) {

  public static final Duration DOOR_TIMEOUT = Duration.ofSeconds(5);

  public NetConfig {
    listen = List.copyOf(listen);
    tlsListen = List.copyOf(tlsListen);
  }

  /// Plain TCP only.
  public static NetConfig plain(
      List<InetSocketAddress> listen, Transport transport, int loops, int backlog) {
    return new NetConfig(
        listen,
        List.of(),
        new WebSocketConfig(List.of(), WebSocketConfig.Tls.AUTO, "/", Set.of()),
        ProxyConfig.NONE,
        DOOR_TIMEOUT,
        transport,
        loops,
        backlog);
  }

  /// The addresses of all doors.
  public Stream<InetSocketAddress> everyListen() {
    return Stream.of(listen, tlsListen, webSocket.listen()).flatMap(List::stream);
  }

  /// Whether a certificate is needed.
  public boolean needsTls() {
    return !tlsListen.isEmpty() || webSocket.listen().stream().anyMatch(webSocket::isTls);
  }
}

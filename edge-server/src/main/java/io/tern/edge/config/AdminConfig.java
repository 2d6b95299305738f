package io.tern.edge.config;

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Set;

/// `admin.*`: the port for operators. `reference.conf` says what happens at each bound.
///
/// @param tls whether it speaks TLS, with the server's certificate
/// @param addressRate requests a second of one address, and at once; 0 lifts the limit
/// @param wrongPerMinute wrong credentials of one address
/// @param auditLooks whether looks at persons are in the audit log too
/// @param auditFileBytesMax of one file of the audit log
/// @param auditFilesMax files of it that are kept
public record AdminConfig(
    InetSocketAddress listen,
    boolean tls,
    Duration probeTimeout,
    HttpConfig.Rate addressRate,
    int wrongPerMinute,
    boolean auditLooks,
    long auditFileBytesMax,
    int auditFilesMax) {

  private static final HttpConfig.Rate NO_LIMIT = new HttpConfig.Rate(0, 1);

  /// As the HTTP server takes it: few come here, so its bounds are fixed and narrow.
  public HttpConfig http() {
    return new HttpConfig(
        listen,
        tls,
        Set.of(),
        256,
        64,
        32,
        64 * 1024,
        8 * 1024,
        Duration.ofSeconds(5),
        Duration.ofSeconds(5),
        Duration.ofSeconds(30),
        Duration.ofMinutes(1),
        Duration.ofSeconds(60),
        Duration.ofHours(1),
        addressRate,
        NO_LIMIT,
        NO_LIMIT);
  }
}

package io.tern.edge.admin;

import io.tern.edge.logging.LogLevels;
import io.tern.edge.netty.SessionDesk;
import io.tern.edge.session.Drain;
import io.tern.edge.tls.Certificates;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What an operator may see of a running server and do to it; who may is asked elsewhere. Any
/// thread that may block.
///
/// @param certificates null when no door has TLS
/// @param doors those with TLS, once they are open
public record Operations(
    StatsDesk statsDesk,
    Drain drain,
    SessionDesk sessions,
    LogLevels logLevels,
    @Nullable Certificates certificates,
    Supplier<List<Served>> doors) {

  /// A door that shows the server's certificate.
  ///
  /// @param door `tls`, `websocket`, `http` or `admin`
  /// @param address HOST:PORT
  public record Served(String door, String address) {}

  /// How the server is doing.
  public Stats stats() {
    return statsDesk.take();
  }

  /// The doors that show the certificate.
  public List<Served> served() {
    return doors.get();
  }
}

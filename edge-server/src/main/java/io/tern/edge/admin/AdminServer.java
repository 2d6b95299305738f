package io.tern.edge.admin;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

/// The admin port: `GET /health` (200 or 503, JSON) and `GET /metrics` (Prometheus text).
///
/// The JDK's own HTTP server, a virtual thread for each request: nobody but an operator's tools
/// comes here, and it shares nothing with the event loops that it reports on.
public final class AdminServer implements AutoCloseable {

  private final HttpServer server;
  private final ExecutorService requests = Executors.newVirtualThreadPerTaskExecutor();

  /// Starts to listen.
  ///
  /// @throws IOException when the address cannot be had
  public AdminServer(InetSocketAddress listen, HealthCheck health, Supplier<String> metrics)
      throws IOException {
    server = HttpServer.create(listen, 64);
    server.createContext(
        "/health",
        exchange -> {
          if (isGetOf("/health", exchange)) {
            HealthCheck.Report report = health.check();
            answer(exchange, report.healthy() ? 200 : 503, "application/json", report.body());
          }
        });
    server.createContext(
        "/metrics",
        exchange -> {
          if (isGetOf("/metrics", exchange)) {
            answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", metrics.get());
          }
        });
    server.createContext("/", exchange -> answer(exchange, 404, "text/plain", "not found\n"));
    server.setExecutor(requests);
    server.start();
  }

  public InetSocketAddress address() {
    return server.getAddress();
  }

  @Override
  public void close() {
    server.stop(0);
    requests.shutdownNow();
  }

  private static boolean isGetOf(String path, HttpExchange exchange) throws IOException {
    if (!exchange.getRequestURI().getPath().equals(path)) {
      answer(exchange, 404, "text/plain", "not found\n");
      return false;
    }
    if (!exchange.getRequestMethod().equals("GET")) {
      answer(exchange, 405, "text/plain", "GET only\n");
      return false;
    }
    return true;
  }

  private static void answer(HttpExchange exchange, int status, String type, String text)
      throws IOException {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
    try (exchange) {
      exchange.sendResponseHeaders(status, body.length);
      exchange.getResponseBody().write(body);
    }
  }
}

package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Whose budget a request behind proxies is charged to: of `X-Forwarded-For` only what the
/// configured proxies wrote counts, and they add at the end.
class HttpForwardedTest {

  private static final int BURST = 3;

  @TempDir Path folder;

  private final HttpClient client = HttpClient.newHttpClient();

  private HttpWorld world(String... proxies) throws IOException {
    return new HttpWorld(
        folder,
        "http.forwarded-from=[" + String.join(",", proxies) + "]",
        "http.rate.address.rate=1",
        "http.rate.address.burst=" + BURST);
  }

  private int ask(HttpWorld world, String... forwarded) throws IOException, InterruptedException {
    var request =
        HttpRequest.newBuilder(
            URI.create("http://127.0.0.1:" + world.port() + "/.well-known/jwks.json"));
    Arrays.stream(forwarded).forEach(value -> request.header("x-forwarded-for", value));
    return client.send(request.GET().build(), HttpResponse.BodyHandlers.ofString()).statusCode();
  }

  /// Asks more often than the budget of one address allows, each time with other words of its own.
  private int refusedOf(HttpWorld world, int asked, Forged forged)
      throws IOException, InterruptedException {
    int refused = 0;
    for (int i = 0; i < asked; i++) {
      refused += ask(world, forged.headers(i)) == 429 ? 1 : 0;
    }
    return refused;
  }

  private interface Forged {
    String[] headers(int i);
  }

  @Test
  void whatAClientSaysItselfBuysNoOtherBudget() throws IOException, InterruptedException {
    try (var world = world("127.0.0.1")) {
      // The proxy adds the client's address behind what the client had sent.
      assertThat(refusedOf(world, 12, i -> new String[] {"198.51.100." + i + ", 203.0.113.9"}))
          .isGreaterThanOrEqualTo(12 - BURST - 2);
      // Or as a header of its own.
      assertThat(refusedOf(world, 12, i -> new String[] {"198.51.101." + i, "203.0.113.10"}))
          .isGreaterThanOrEqualTo(12 - BURST - 2);
      // Loopback is exempt from budgets; nobody becomes it by saying so.
      assertThat(refusedOf(world, 12, i -> new String[] {"127.0.0.1, 203.0.113.11"}))
          .isGreaterThanOrEqualTo(12 - BURST - 2);
      assertThat(ask(world, "203.0.113.9, 203.0.113.12")).isEqualTo(200);
    }
  }

  @Test
  void proxiesBehindEachOtherAreNobodysAddress() throws IOException, InterruptedException {
    try (var world = world("127.0.0.1", "192.0.2.7")) {
      assertThat(
              refusedOf(
                  world, 12, i -> new String[] {"198.51.100." + i + ", 203.0.113.9, 192.0.2.7"}))
          .isGreaterThanOrEqualTo(12 - BURST - 2);
      assertThat(ask(world, "203.0.113.10, 192.0.2.7")).isEqualTo(200);
    }
  }

  @Test
  void whoIsNoProxyIsNotBelieved() throws IOException, InterruptedException {
    try (var world =
        new HttpWorld(
            folder,
            "http.forwarded-from=[192.0.2.7]",
            "limits.loopback-exempt=false",
            "http.rate.address.rate=1",
            "http.rate.address.burst=" + BURST)) {
      assertThat(refusedOf(world, 12, i -> new String[] {"198.51.100." + i}))
          .isGreaterThanOrEqualTo(12 - BURST - 2);
    }
  }
}

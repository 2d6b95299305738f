package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Codes for the many networks of one autonomous system, over HTTP behind a proxy.
class HttpNetworksTest {

  private static final int PER_SYSTEM = 5;

  private static final String SYSTEMS =
      """
      95.0.0.0\t95.255.255.255\t64496\tXX\tHOSTER
      100.64.0.0\t100.95.255.255\t64497\tDE\tCARRIER
      2001:db8::\t2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\t64496\tXX\tHOSTER
      """;

  @TempDir Path folder;

  private final HttpClient client = HttpClient.newHttpClient();

  private Path put(String text) throws IOException {
    Path beside = Files.writeString(folder.resolve("beside"), text);
    return Files.move(beside, folder.resolve("ranges.tsv"), StandardCopyOption.REPLACE_EXISTING);
  }

  private HttpWorld world(Path file) throws IOException {
    return new HttpWorld(
        folder.resolve("data"),
        "http.forwarded-from=[127.0.0.1]",
        "accounts.networks.file=\"" + file + '"',
        "accounts.networks.reload=100 ms",
        "accounts.sms.proof.bits=0",
        "accounts.sms.per-system=" + PER_SYSTEM);
  }

  /// Somebody at `address` asks for a code to a number of their own.
  private HttpResponse<String> ask(HttpWorld world, String number, String address)
      throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + world.port() + "/v1/registration/code"))
            .header("content-type", "application/json")
            .header("x-forwarded-for", address)
            .POST(HttpRequest.BodyPublishers.ofString(HttpWorld.body("number", number).toString()))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private void served(HttpWorld world, String number, String address)
      throws IOException, InterruptedException {
    HttpResponse<String> answer = ask(world, number, address);
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    assertThat(world.code(number)).hasSize(6);
  }

  private void refused(HttpWorld world, String number, String address)
      throws IOException, InterruptedException {
    HttpResponse<String> answer = ask(world, number, address);
    assertThat(answer.statusCode()).isEqualTo(429);
    assertThat(answer.headers().firstValue("retry-after")).isPresent();
    JsonNode error = HttpWorld.tree(answer.body()).get("error");
    assertThat(error.get("code").intValue()).isEqualTo(ErrorCode.RATE.number());
    assertThat(error.get("name").textValue()).isEqualTo("RATE");
    assertThat(error.get("field").textValue()).isEqualTo("number");
    assertThat(error.get("retry_ms").longValue()).isBetween(1L, 86_400_000L);
    assertThat(error.has("proof")).isFalse();
  }

  private static String hoster(int n) {
    return n % 2 == 0 ? "95." + n + ".1.9" : "2001:db8:" + n + "::9";
  }

  @Test
  void aSystemThatPumpsIsShutAndOthersAreServedAlsoAfterARestart()
      throws IOException, InterruptedException {
    Path file = put(SYSTEMS);
    try (var world = world(file)) {
      for (int i = 0; i < PER_SYSTEM; i++) {
        served(world, "+4915120" + (100_000 + i), hoster(i));
      }
      for (int i = 0; i < 20; i++) {
        refused(world, "+4915121" + (100_000 + i), hoster(100 + i));
      }
      assertThat(world.server.counters().get(Count.CODES_REFUSED_SYSTEM)).isEqualTo(20);
      served(world, "+4915122100001", "100.64.1.1");
      served(world, "+4915122100002", "203.0.113.7");
    }
    try (var world = world(file)) {
      refused(world, "+4915123100001", hoster(200));
      served(world, "+4915123100002", "100.64.1.2");

      // What the hoster has sold is another one's.
      put(SYSTEMS.replace("95.0.0.0", "95.128.0.0"));
      await().until(() -> world.server.counters().get(Count.NETWORKS_RELOADS) == 1);
      served(world, "+4915123100003", "95.1.1.9");
      refused(world, "+4915123100004", "95.128.1.9");

      put("no ranges");
      await().until(() -> world.server.counters().get(Count.NETWORKS_RELOADS_REFUSED) == 1);
      served(world, "+4915123100005", "95.2.1.9");
      refused(world, "+4915123100006", "95.129.1.9");
    }
  }
}

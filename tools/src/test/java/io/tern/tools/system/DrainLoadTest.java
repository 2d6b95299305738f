package io.tern.tools.system;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.TernServer;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.session.Drain;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A server is taken out of service and put back, again and again, while clients write: the books
/// of all of them agree with the server's.
class DrainLoadTest {

  private static final int DRAINS = 3;
  private static final Duration PATIENCE = Duration.ofSeconds(40);

  @TempDir Path folder;

  @Test
  @Timeout(300)
  void noMessageIsLostOrDoubledByADrainUnderLoad() throws IOException {
    long seed = Faults.seed();
    System.out.printf("DRAIN: seed %d (replay with -Dtern.seed=%d)%n", seed, seed);
    try (var server = TernServer.start(config());
        var campaign =
            new Campaign("DRAIN", seed, server.listen(), Path.of("target", "histories"), plan())) {
      campaign.start();
      Drain drain = server.drain();
      for (int i = 1; i <= DRAINS; i++) {
        campaign.awaitAcknowledged(500, PATIENCE);
        drain.begin(Duration.ofMillis(500), Duration.ofSeconds(2));
        Awaitility.await("drained")
            .atMost(Duration.ofSeconds(10))
            .until(() -> drain.progress().state() == Drain.State.DRAINED);
        Drain.Progress end = drain.progress();
        System.out.printf("DRAIN %d: %s%n", i, end);
        assertThat(end.told()).isPositive().isEqualTo(end.left() + end.closed());
        assertThat(end.closed()).as("clients of the SDK leave by themselves").isZero();
        assertThat(end.remaining()).isZero();
        drain.cancel();
      }
      campaign.awaitAcknowledged(500, PATIENCE);

      var report = campaign.finish();

      System.out.printf("DRAIN: seed %d: %s%n", seed, report);
      assertThat(report.isClean()).as(report.toString()).isTrue();
      assertThat(report.totals().acknowledged()).isGreaterThan(500L * DRAINS);
    }
  }

  private static Campaign.Plan plan() {
    Campaign.Plan plan = Campaign.Plan.DEFAULT;
    return new Campaign.Plan(
        plan.users(),
        plan.devicesPerUser(),
        1_000,
        plan.inFlightMax(),
        false,
        false,
        plan.quietMax(),
        plan.groups());
  }

  private ServerConfig config() {
    return ServerConfig.load(
        null,
        Map.of(
            "data", '"' + folder.resolve("data").toString() + '"',
            "net.listen", "[\"127.0.0.1:0\"]",
            "admin.listen", "\"127.0.0.1:0\"",
            "http.listen", "off",
            "limits.send.rate", "0",
            "limits.cheap.rate", "0",
            "budgets.logins-per-device-per-minute", "0",
            "shutdown.spread-min", "100 ms",
            "shutdown.spread-max", "500 ms",
            "store.shards", "2"));
  }
}

package io.tern.bench.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.bench.measure.Folders;
import io.tern.bench.measure.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// A group of 1,000 with everybody online: the peak, and what its senders wait at 80 % of it.
final class FanOut {

  private static final int MEMBERS = 1_000;
  private static final double SHARE_OF_PEAK = 0.8;
  private static final int EXTRA_SECONDS = 200;

  private final Bench bench;

  FanOut(Bench bench) {
    this.bench = bench.with("limits.group-members-max=" + MEMBERS);
  }

  /// @param deliveriesPerCpuSecond by the server's CPU time: what one core could do
  record Result(
      int members,
      double deliveriesPerSecond,
      double deliveriesPerCpuSecond,
      double cpuMicrosPerDelivery,
      double peakSentP99Millis,
      double steadyMessagesPerSecond,
      double steadySentP50Millis,
      double steadySentP99Millis,
      double faults) {}

  Result run() throws IOException, InterruptedException {
    var peaks = new ArrayList<JsonNode>();
    var steady = new ArrayList<JsonNode>();
    for (int round = 1; round <= bench.rounds(); round++) {
      Path data = bench.newData();
      try (Child server =
          Subject.TERN.server(bench, bench.serverOptions(), data, bench.log("fan-out"))) {
        String address = server.ready().listen();
        JsonNode peak = load(server, address, "fan-out-peak-" + round, 0);
        peaks.add(peak);
        double rate = peak.path("messages_per_s").asDouble() * SHARE_OF_PEAK;
        steady.add(load(server, address, "fan-out-steady-" + round, rate));
      } finally {
        Folders.delete(data);
      }
    }
    return new Result(
        MEMBERS,
        Medians.of(peaks, "deliveries_per_s"),
        Medians.of(peaks, "deliveries_per_cpu_s"),
        Medians.of(peaks, "server_cpu_us_per_delivery"),
        Medians.of(peaks, "sent_ms", "p99"),
        Medians.of(steady, "messages_per_s"),
        Medians.of(steady, "sent_ms", "p50"),
        Medians.of(steady, "sent_ms", "p99"),
        sum(peaks) + sum(steady));
  }

  private JsonNode load(Child server, String address, String name, double rate)
      throws IOException, InterruptedException {
    Path json = bench.out().resolve(name + ".json");
    var args = new ArrayList<String>();
    args.addAll(List.of("--connect", address, "--members", Integer.toString(MEMBERS)));
    args.addAll(List.of("--rate", Double.toString(rate)));
    args.addAll(List.of("--seconds", Integer.toString(bench.seconds())));
    args.addAll(List.of("--warmup", Integer.toString(bench.warmup())));
    args.addAll(List.of("--server-pid", Long.toString(server.pid())));
    args.addAll(List.of("--json", json.toString()));
    try (Child child =
        Child.start(
            bench.loadCore(),
            bench.loadOptions(),
            FanOutSessions.class.getName(),
            args,
            bench.log(name))) {
      int exit = child.await(bench.seconds() + bench.warmup() + EXTRA_SECONDS);
      if (!Files.exists(json)) {
        throw new IOException(name + ": no result, exit code " + exit);
      }
    }
    JsonNode result = Json.read(json);
    System.out.printf(
        "%-28s %,8.0f deliveries/s  %6.2f us cpu  sent p50 %.3f p99 %.3f ms%n",
        name,
        result.path("deliveries_per_s").asDouble(),
        result.path("server_cpu_us_per_delivery").asDouble(),
        result.path("sent_ms").path("p50").asDouble(),
        result.path("sent_ms").path("p99").asDouble());
    return result;
  }

  private static double sum(List<JsonNode> results) {
    return results.stream()
        .mapToDouble(
            r -> Json.number(r, "faults") + Json.number(r, "lost") + Json.number(r, "refused"))
        .sum();
  }
}

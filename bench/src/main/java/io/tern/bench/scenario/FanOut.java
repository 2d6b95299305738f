package io.tern.bench.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.bench.measure.Folders;
import io.tern.bench.measure.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// A group of 1,000 with everybody online: the peak, and what its senders wait at 80 % of it. Each
/// round is a server of its own, and measures both in [#TURNS] turns, each between two peaks.
final class FanOut {

  private static final int MEMBERS = 1_000;
  private static final double SHARE_OF_PEAK = 0.8;
  private static final int TURNS = 8;
  private static final int EXTRA_SECONDS = 240;

  private final Bench bench;

  FanOut(Bench bench) {
    this.bench = bench.with("limits.group-members-max=" + MEMBERS);
  }

  /// @param deliveriesPerCpuSecond by the server's CPU time: what one core could do
  /// @param steadyMessagesPerSecond this and what follows: medians of the turns that count
  /// @param turns all of them, in their order
  record Result(
      int members,
      double deliveriesPerSecond,
      double deliveriesPerCpuSecond,
      double cpuMicrosPerDelivery,
      double peakSentP99Millis,
      double steadyMessagesPerSecond,
      double steadySentP50Millis,
      double steadySentP99Millis,
      List<ShareTurn> turns,
      double faults) {}

  Result run() throws IOException, InterruptedException {
    var peaks = new ArrayList<JsonNode>();
    var turns = new ArrayList<ShareTurn>();
    double faults = 0;
    for (int round = 1; round <= bench.rounds(); round++) {
      Path data = bench.newData();
      try (Child server =
          Subject.TERN.server(bench, bench.serverOptions(), data, bench.log("fan-out"))) {
        JsonNode result = load(server, server.ready().listen(), "fan-out-" + round);
        result.path("peak").forEach(peaks::add);
        turns.addAll(ShareTurn.of(result));
        faults += faults(result);
      } finally {
        Folders.delete(data);
      }
    }
    List<ShareTurn> steady = turns.stream().filter(ShareTurn::isSteady).toList();
    return new Result(
        MEMBERS,
        Medians.of(peaks, "deliveries_per_s"),
        Medians.of(peaks, "deliveries_per_cpu_s"),
        Medians.of(peaks, "server_cpu_us_per_delivery"),
        Medians.of(peaks, "sent_ms", "p99"),
        ShareTurn.median(steady, ShareTurn::messagesPerSecond),
        ShareTurn.median(steady, ShareTurn::sentP50Millis),
        ShareTurn.median(steady, ShareTurn::sentP99Millis),
        List.copyOf(turns),
        faults);
  }

  private JsonNode load(Child server, String address, String name)
      throws IOException, InterruptedException {
    Path json = bench.out().resolve(name + ".json");
    var args = new ArrayList<String>();
    args.addAll(List.of("--connect", address, "--members", Integer.toString(MEMBERS)));
    args.addAll(List.of("--share", Double.toString(SHARE_OF_PEAK)));
    args.addAll(List.of("--turns", Integer.toString(TURNS)));
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
      int exit = child.await(2 * ((TURNS + 1) * bench.seconds() + bench.warmup()) + EXTRA_SECONDS);
      if (!Files.exists(json)) {
        throw new IOException(name + ": no result, exit code " + exit);
      }
    }
    JsonNode result = Json.read(json);
    print(name + " peak", result.path("peak").path(0));
    for (int turn = 0; turn < TURNS; turn++) {
      print(name + " 80 %", result.path("share").path(turn));
      print(name + " peak", result.path("peak").path(turn + 1));
    }
    return result;
  }

  private static void print(String name, JsonNode measured) {
    System.out.printf(
        "%-28s %,8.0f deliveries/s  %6.2f us cpu  sent p50 %.3f p99 %.3f ms%n",
        name,
        measured.path("deliveries_per_s").asDouble(),
        measured.path("server_cpu_us_per_delivery").asDouble(),
        measured.path("sent_ms").path("p50").asDouble(),
        measured.path("sent_ms").path("p99").asDouble());
  }

  private static double faults(JsonNode result) {
    return Json.number(result, "faults")
        + Json.number(result, "lost")
        + Json.number(result, "refused");
  }
}

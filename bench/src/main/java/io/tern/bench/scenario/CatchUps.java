package io.tern.bench.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.bench.measure.Folders;
import io.tern.bench.measure.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Coming back: one device that was away for 10,000 entries in 200 chats, and 10,000 devices at
/// once beside people who go on writing.
final class CatchUps {

  /// Devices that come back before it counts: each is some milliseconds of catch-up only, and an
  /// entry costs a new server 29 µs, after the twelfth device 8: by then it is compiled.
  private static final int WARM_UPS = 12;

  private static final int CHATS = 200;
  private static final int ENTRIES = 50;
  private static final int CROWD = 10_000;
  static final int CROWD_ENTRIES = 5;
  private static final int EXTRA_SECONDS = 120;

  /// Longer than any crowd takes.
  private static final int BACK_SECONDS_MAX = 180;

  private static final People BESIDE_THE_CROWD = new People(Loops.USERS, 1_000);

  private final Bench bench;

  CatchUps(Bench bench) {
    this.bench = bench;
  }

  /// Those who go on writing meanwhile.
  ///
  /// @param rate messages a second of all together
  record People(int users, int rate) {}

  /// @param entriesPerCpuSecond by the server's CPU time: what one core could do
  /// @param crowdSeconds until the last of them had everything
  /// @param felt by those who write beside the crowd
  record Result(
      int entries,
      int chats,
      double summaryMillis,
      double caughtUpMillis,
      double entriesPerSecond,
      double entriesPerCpuSecond,
      int crowd,
      double crowdSeconds,
      double crowdCpuMicrosPerEntry,
      Felt felt,
      double faults) {}

  Result run() throws IOException, InterruptedException {
    var one = new ArrayList<JsonNode>();
    var crowd = new ArrayList<JsonNode>();
    var alone = new ArrayList<Double>();
    var beside = new ArrayList<Double>();
    Path data = bench.newData();
    try (Child server =
        Subject.TERN.server(bench, bench.serverOptions(), data, bench.log("catch-up"))) {
      List<String> address = server.ready().connect(false);
      for (int round = 1; round <= bench.rounds() + WARM_UPS; round++) {
        try (Child device = returning(server, address, "catch-up-" + round, 1, CHATS, ENTRIES)) {
          JsonNode result = comeBack(device, "catch-up-" + round);
          if (round > WARM_UPS) {
            one.add(result);
          }
        }
      }
      for (int round = 1; round <= bench.rounds(); round++) {
        String name = "crowd-" + round;
        try (Child devices = returning(server, address, name, CROWD, 1, CROWD_ENTRIES)) {
          alone.add(p99(address, name + "-alone", BESIDE_THE_CROWD, null));
          beside.add(p99(address, name + "-beside", BESIDE_THE_CROWD, devices));
          crowd.add(Json.read(bench.out().resolve(name + ".json")));
        }
      }
    } finally {
      Folders.delete(data);
    }
    return new Result(
        CHATS * ENTRIES,
        CHATS,
        Medians.of(one, "summary_ms", "p50"),
        Medians.of(one, "caught_up_ms", "p50"),
        Medians.of(one, "entries_per_s"),
        Medians.of(one, "entries_per_cpu_s"),
        CROWD,
        Medians.of(crowd, "seconds"),
        Medians.of(crowd, "server_cpu_us_per_entry"),
        new Felt(alone, beside),
        faults(one) + faults(crowd));
  }

  /// Starts devices that are away, and waits until everything is waiting for them.
  ///
  /// @param connect where the server is, and whom to trust
  Child returning(
      Child server, List<String> connect, String name, int devices, int chats, int entries)
      throws IOException {
    var args = new ArrayList<String>();
    args.addAll(connect);
    args.addAll(List.of("--devices", Integer.toString(devices)));
    args.addAll(List.of("--chats", Integer.toString(chats)));
    args.addAll(List.of("--entries", Integer.toString(entries)));
    args.addAll(List.of("--server-pid", Long.toString(server.pid())));
    args.addAll(List.of("--json", bench.out().resolve(name + ".json").toString()));
    Child child =
        // The people who write beside it, and measure, are on the same core.
        Child.startNicely(
            bench.loadCore(),
            crowdOptions(),
            ReturningSessions.class.getName(),
            args,
            bench.log(name));
    child.awaitLine("away");
    return child;
  }

  /// The hybrid key exchange, which the SDK takes by itself, costs a client some 0.3 ms of that
  /// core more, and the server 0.08 ms.
  private List<String> crowdOptions() {
    var options = new ArrayList<>(bench.briefLoadOptions());
    options.add("-Djdk.tls.namedGroups=x25519");
    return options;
  }

  private JsonNode comeBack(Child devices, String name) throws IOException {
    devices.tell("return");
    devices.awaitLine("back");
    JsonNode result = Json.read(bench.out().resolve(name + ".json"));
    System.out.printf(
        "%-28s %,8.0f entries/s  %6.2f us cpu  summary %.1f ms  all %.1f ms%n",
        name,
        result.path("entries_per_s").asDouble(),
        result.path("server_cpu_us_per_entry").asDouble(),
        result.path("summary_ms").path("p50").asDouble(),
        result.path("caught_up_ms").path("max").asDouble());
    return result;
  }

  /// SENT p99 of people who write; with `returning`, while those come back, from the first to the
  /// last of them.
  double p99(List<String> connect, String name, People people, @Nullable Child returning)
      throws IOException, InterruptedException {
    Path json = bench.out().resolve(name + ".json");
    int seconds = returning == null ? bench.seconds() : BACK_SECONDS_MAX;
    var args = new ArrayList<>(connect);
    args.addAll(List.of("--users", Integer.toString(people.users())));
    args.addAll(List.of("--rate", Integer.toString(people.rate())));
    args.addAll(List.of("--seconds", Integer.toString(seconds)));
    args.addAll(List.of("--warmup", Integer.toString(bench.warmup())));
    args.addAll(List.of("--json", json.toString()));
    if (returning != null) {
      args.add("--until-told");
    }
    try (Child load = Subject.TERN.load(bench, bench.briefLoadOptions(), args, bench.log(name))) {
      if (returning != null) {
        load.awaitLine("measuring", bench.warmup() + EXTRA_SECONDS);
        returning.tell("return");
        returning.awaitLine("back", BACK_SECONDS_MAX);
        load.tell("back");
      }
      load.rest();
      int exit = load.await(seconds + bench.warmup() + EXTRA_SECONDS);
      if (!Files.exists(json)) {
        throw new IOException(name + ": no result, exit code " + exit);
      }
    }
    double p99 = Json.read(json).path("sent_ms").path("p99").asDouble(Double.NaN);
    System.out.printf("%-28s sent p99 %.3f ms%n", name, p99);
    return p99;
  }

  static double faults(List<JsonNode> results) {
    return results.stream().mapToDouble(r -> Json.number(r, "faults")).sum();
  }
}

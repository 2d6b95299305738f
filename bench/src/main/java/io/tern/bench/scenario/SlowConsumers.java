package io.tern.bench.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.bench.measure.Folders;
import io.tern.bench.measure.Json;
import io.tern.bench.measure.ProcessUsage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/// What 500 sessions that never read do to everyone else, and to the server's memory: the open loop
/// beside 500 sessions that are sent as much but read it, and beside those, in turns, on one
/// server.
final class SlowConsumers {

  private static final int CONSUMERS = 500;
  private static final int FLOOD_PER_SECOND = 1000;
  private static final int RATE_PER_SECOND = 1000;
  private static final int EXTRA_SECONDS = 60;

  private final Bench bench;

  SlowConsumers(Bench bench) {
    this.bench = bench;
  }

  /// @param second since the first sessions stopped reading
  record Sample(double second, long residentBytes) {}

  /// @param live bytes of heap that survive a collection: before there were slow consumers, and
  ///   after each round with them still there
  /// @param samples of resident memory while there are slow consumers
  record Result(
      int consumers,
      int floodPerSecond,
      int ratePerSecond,
      double p99WithoutMillis,
      double p99WithMillis,
      double deliveredP99WithoutMillis,
      double deliveredP99WithMillis,
      List<Long> live,
      List<Sample> samples,
      List<String> flooded) {}

  Result run() throws IOException, InterruptedException {
    Path data = bench.newData();
    var without = new ArrayList<JsonNode>();
    var with = new ArrayList<JsonNode>();
    var live = new ArrayList<Long>();
    var flooded = new ArrayList<String>();
    List<Sample> samples = new CopyOnWriteArrayList<>();
    try (Child server =
        Subject.TERN.server(bench, bench.serverOptions(), data, bench.log("slow"))) {
      String address = server.ready().listen();
      var usage = new ProcessUsage(server.pid());
      for (int round = 1; round <= bench.rounds(); round++) {
        try (Child readers = sessions(address, true)) {
          readers.awaitLine("up ");
          without.add(load(address, "slow-without-" + round));
        }
        if (round == 1) {
          live.add(liveBytes(server));
        }
        try (Child deaf = sessions(address, false)) {
          deaf.awaitLine("up ");
          Thread sampler = Thread.ofPlatform().daemon().start(() -> sample(usage, samples));
          with.add(load(address, "slow-with-" + round));
          sampler.interrupt();
          sampler.join();
          deaf.tell("report");
          flooded.add(deaf.awaitLine("sent "));
          live.add(liveBytes(server));
        }
      }
    } finally {
      Folders.delete(data);
    }
    return new Result(
        CONSUMERS,
        FLOOD_PER_SECOND,
        RATE_PER_SECOND,
        Medians.of(without, "sent_ms", "p99"),
        Medians.of(with, "sent_ms", "p99"),
        Medians.of(without, "delivered_ms", "p99"),
        Medians.of(with, "delivered_ms", "p99"),
        live,
        List.copyOf(samples),
        flooded);
  }

  private static long liveBytes(Child server) throws IOException, InterruptedException {
    return Jcmd.liveObjects(server.pid()).values().stream().mapToLong(Jcmd.Live::bytes).sum();
  }

  private Child sessions(String address, boolean reading) throws IOException {
    var args = new ArrayList<String>();
    args.addAll(List.of("--connect", address, "--consumers", Integer.toString(CONSUMERS)));
    args.addAll(List.of("--rate", Integer.toString(FLOOD_PER_SECOND)));
    if (reading) {
      args.add("--reading");
    }
    return Child.start(
        bench.loadCore(),
        List.of("-XX:+UseSerialGC", "-Xmx256m", "--enable-native-access=ALL-UNNAMED"),
        DeafSessions.class.getName(),
        args,
        bench.log("slow-deaf"));
  }

  private JsonNode load(String address, String name) throws IOException, InterruptedException {
    Path json = bench.out().resolve(name + ".json");
    var args = new ArrayList<String>();
    args.addAll(List.of("--connect", address, "--users", Integer.toString(Loops.USERS)));
    args.addAll(List.of("--rate", Integer.toString(RATE_PER_SECOND)));
    args.addAll(List.of("--seconds", Integer.toString(bench.seconds())));
    args.addAll(List.of("--warmup", Integer.toString(bench.warmup())));
    args.addAll(List.of("--json", json.toString()));
    try (Child load = Subject.TERN.load(bench, bench.loadOptions(), args, bench.log(name))) {
      load.rest();
      int exit = load.await(bench.seconds() + bench.warmup() + EXTRA_SECONDS);
      if (!Files.exists(json)) {
        throw new IOException(name + ": no result, exit code " + exit);
      }
    }
    JsonNode result = Json.read(json);
    System.out.printf(
        "%-28s sent p50 %.3f p99 %.3f ms%n",
        name,
        result.path("sent_ms").path("p50").asDouble(),
        result.path("sent_ms").path("p99").asDouble());
    return result;
  }

  private static void sample(ProcessUsage usage, List<Sample> samples) {
    double from = samples.isEmpty() ? 0 : samples.getLast().second() + 1;
    long began = System.nanoTime();
    try {
      while (true) {
        double second = from + (System.nanoTime() - began) / 1e9;
        samples.add(new Sample(second, usage.memory().resident()));
        TimeUnit.SECONDS.sleep(1);
      }
    } catch (InterruptedException e) {
      // The load is over.
    } catch (IOException e) {
      System.err.println("cannot read the server's memory: " + e.getMessage());
    }
  }
}

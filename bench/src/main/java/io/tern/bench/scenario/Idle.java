package io.tern.bench.scenario;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.tern.bench.measure.Folders;
import io.tern.bench.measure.ProcessUsage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// What sessions cost that do nothing, and what a server costs that has none.
///
/// Memory is the slope of resident memory over the number of sessions, measured after a full
/// collection at each step. Before the first step as many sessions come and go as a step has: the
/// young generation is touched once and the code is warm, so neither counts as a session's memory.
final class Idle {

  private static final List<Integer> STEPS = List.of(0, 5_000, 10_000, 15_000);
  private static final int STEP = 5_000;
  private static final int SETTLE_SECONDS = 10;
  private static final int LOGIN_SECONDS_MAX = 120;
  private static final int CLASSES_SHOWN = 15;

  private final Bench bench;
  private final boolean tls;

  /// @param tls whether the sessions come over TLS
  Idle(Bench bench, boolean tls) {
    this.bench = tls ? bench.with("net.tls.listen=127.0.0.1:0") : bench;
    this.tls = tls;
  }

  /// @param sessions logged in
  /// @param liveBytes of heap that survived the collection
  record Point(int sessions, long residentBytes, long anonymousBytes, long liveBytes) {}

  /// What one session has on the heap of one class.
  record Share(@JsonProperty("class") String name, double instances, double bytes) {}

  /// @param residentPerSession slope of resident memory
  /// @param livePerSession slope of live heap: the rest is native memory, and heap that is not live
  record Result(
      double cpuPercent,
      int cpuSeconds,
      double residentPerSession,
      double livePerSession,
      List<Point> points,
      List<Share> heap) {}

  Result run() throws IOException, InterruptedException {
    Path data = bench.newData();
    try (Child server =
        Subject.TERN.server(
            bench, bench.serverOptions(), data, bench.log(tls ? "idle-tls" : "idle"))) {
      List<String> connect = server.ready().connect(tls);
      var usage = new ProcessUsage(server.pid());
      TimeUnit.SECONDS.sleep(SETTLE_SECONDS);
      int cpuSeconds = Math.max(10, Math.min(30, bench.seconds() * 3));
      double cpu = cpuPercent(usage, cpuSeconds);
      System.out.printf("idle server without sessions: %.2f %% of a core%n", cpu);

      int descriptors = usage.descriptors();
      try (Child sessions = sessions(connect)) {
        await(usage, descriptors + STEP);
      }
      awaitAtMost(usage, descriptors + 8);

      var points = new ArrayList<Point>();
      Map<String, Jcmd.Live> before = Map.of();
      Map<String, Jcmd.Live> after = Map.of();
      var children = new ArrayList<Child>();
      try {
        for (int step : STEPS) {
          if (step > 0) {
            children.add(sessions(connect));
            await(usage, descriptors + step);
          }
          settle(usage);
          after = Jcmd.liveObjects(server.pid());
          if (step == 0) {
            before = after;
          }
          var memory = usage.memory();
          long live = after.values().stream().mapToLong(Jcmd.Live::bytes).sum();
          points.add(new Point(step, memory.resident(), memory.anonymous(), live));
          System.out.printf(
              "idle %,6d sessions: %,d KB resident, %,d KB live heap%n",
              step, memory.resident() / 1024, live / 1024);
        }
      } finally {
        for (Child child : children) {
          child.close();
        }
      }
      List<Double> x = points.stream().map(p -> (double) p.sessions()).toList();
      return new Result(
          cpu,
          cpuSeconds,
          Medians.slope(x, points.stream().map(p -> (double) p.residentBytes()).toList()),
          Medians.slope(x, points.stream().map(p -> (double) p.liveBytes()).toList()),
          points,
          shares(before, after));
    } finally {
      Folders.delete(data);
    }
  }

  /// A process that logs [#STEP] users in and holds them.
  private Child sessions(List<String> connect) throws IOException {
    var args = new ArrayList<>(connect);
    args.addAll(List.of("--users", Integer.toString(STEP), "--idle", "--seconds", "900"));
    return Subject.TERN.load(bench, bench.loadOptions(), args, bench.log("idle-sessions"));
  }

  private static double cpuPercent(ProcessUsage usage, int seconds)
      throws IOException, InterruptedException {
    long cpu = usage.cpuMicros();
    long time = System.nanoTime();
    TimeUnit.SECONDS.sleep(seconds);
    return (usage.cpuMicros() - cpu) * 100_000.0 / (System.nanoTime() - time);
  }

  private static void await(ProcessUsage usage, int descriptors)
      throws IOException, InterruptedException {
    for (int i = 0; usage.descriptors() < descriptors; i++) {
      if (i == 10 * LOGIN_SECONDS_MAX) {
        throw new IOException("only " + usage.descriptors() + " of " + descriptors + " connected");
      }
      TimeUnit.MILLISECONDS.sleep(100);
    }
    settle(usage);
  }

  private static void awaitAtMost(ProcessUsage usage, int descriptors)
      throws IOException, InterruptedException {
    for (int i = 0; usage.descriptors() > descriptors; i++) {
      if (i == 10 * LOGIN_SECONDS_MAX) {
        throw new IOException(usage.descriptors() + " descriptors are still open");
      }
      TimeUnit.MILLISECONDS.sleep(100);
    }
    settle(usage);
  }

  /// Whoever is connected is also logged in once the server has nothing left to do.
  private static void settle(ProcessUsage usage) throws IOException, InterruptedException {
    for (int i = 0; i < LOGIN_SECONDS_MAX / 2; i++) {
      if (cpuPercent(usage, 2) < 3) {
        return;
      }
    }
    throw new IOException("the server does not come to rest");
  }

  private static List<Share> shares(Map<String, Jcmd.Live> before, Map<String, Jcmd.Live> after) {
    int sessions = STEPS.getLast();
    var none = new Jcmd.Live(0, 0);
    return after.entrySet().stream()
        .map(entry -> {
          Jcmd.Live was = before.getOrDefault(entry.getKey(), none);
          Jcmd.Live is = entry.getValue();
          return new Share(
              entry.getKey(),
              (double) (is.instances() - was.instances()) / sessions,
              (double) (is.bytes() - was.bytes()) / sessions);
        })
        .sorted(Comparator.comparingDouble(Share::bytes).reversed())
        .limit(CLASSES_SHOWN)
        .toList();
  }
}

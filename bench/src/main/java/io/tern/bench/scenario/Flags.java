package io.tern.bench.scenario;

import io.tern.bench.scenario.Loops.Loop;
import io.tern.bench.scenario.Loops.Run;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Which JVM options the server should run with: the loops of Tern, once for each variant in every
/// round.
final class Flags {

  private static final List<String> COMMON = List.of("--enable-native-access=ALL-UNNAMED");
  private static final String COMPACT = "-XX:+UseCompactObjectHeaders";

  private final Bench bench;

  Flags(Bench bench) {
    this.bench = bench;
  }

  static Map<String, List<String>> variants() {
    var variants = new LinkedHashMap<String, List<String>>();
    variants.put("serial, 512m", of(COMPACT, "-XX:+UseSerialGC", "-Xmx512m"));
    variants.put("serial, 256m", of(COMPACT, "-XX:+UseSerialGC", "-Xmx256m"));
    variants.put("serial, 1g", of(COMPACT, "-XX:+UseSerialGC", "-Xmx1g"));
    variants.put("parallel, 512m", of(COMPACT, "-XX:+UseParallelGC", "-Xmx512m"));
    variants.put("g1, 512m", of(COMPACT, "-XX:+UseG1GC", "-Xmx512m"));
    variants.put("zgc, 512m", of(COMPACT, "-XX:+UseZGC", "-Xmx512m"));
    variants.put("zgc, 1g", of(COMPACT, "-XX:+UseZGC", "-Xmx1g"));
    variants.put(
        "serial, 512m, wide object headers",
        of("-XX:-UseCompactObjectHeaders", "-XX:+UseSerialGC", "-Xmx512m"));
    variants.put(
        "serial, 512m, pooled buffers",
        of(COMPACT, "-XX:+UseSerialGC", "-Xmx512m", "-Dio.netty.allocator.type=pooled"));
    return variants;
  }

  private static List<String> of(String... options) {
    var all = new ArrayList<>(COMMON);
    all.addAll(List.of(options));
    return List.copyOf(all);
  }

  void run() throws IOException, InterruptedException {
    var loops = new Loops(bench);
    Map<String, List<Run>> runs = new LinkedHashMap<>();
    for (int round = 1; round <= bench.rounds(); round++) {
      for (Loop loop : Loop.values()) {
        for (Map.Entry<String, List<String>> variant : variants().entrySet()) {
          String key = variant.getKey() + "/" + loop.label();
          String name = key.replaceAll("[^a-z0-9]+", "-") + "-" + round;
          Run run = loops.run(Subject.TERN, loop, name, variant.getValue());
          runs.computeIfAbsent(key, k -> new ArrayList<>()).add(run);
        }
      }
    }
    var page = new StringBuilder();
    page.append(
        "| variant | closed: complete/s | CPU, µs each | SENT p50 | p99 | open: CPU, µs each | SENT"
            + " p50 | p99 | p99.9 |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for (String variant : variants().keySet()) {
      List<Run> closed = runs.getOrDefault(variant + "/" + Loop.CLOSED.label(), List.of());
      List<Run> open = runs.getOrDefault(variant + "/" + Loop.OPEN.label(), List.of());
      page.append(
          String.format(
              Locale.ROOT,
              "| %s | %,.0f | %.1f | %.2f | %.2f | %.1f | %.3f | %.3f | %.3f |%n",
              variant,
              median(closed, "complete_per_s"),
              median(closed, "server_cpu_us_per_message"),
              median(closed, "sent_ms", "p50"),
              median(closed, "sent_ms", "p99"),
              median(open, "server_cpu_us_per_message"),
              median(open, "sent_ms", "p50"),
              median(open, "sent_ms", "p99"),
              median(open, "sent_ms", "p999")));
    }
    Files.writeString(bench.out().resolve("flags.md"), page);
    System.out.println(page);
  }

  private static double median(List<Run> runs, String... path) {
    return Medians.of(runs.stream().map(r -> r.number(path)).toList());
  }
}

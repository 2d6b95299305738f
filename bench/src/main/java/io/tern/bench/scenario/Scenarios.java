package io.tern.bench.scenario;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `bench/run`: the scenarios, one after another, and a report.
@Command(
    name = "bench/run",
    description =
        "Measures Tern: next to the yardstick, idle, crowded, catching up, in large groups.",
    showDefaultValues = true,
    mixinStandardHelpOptions = true)
public final class Scenarios implements Callable<Integer> {

  /// What can be run by itself.
  enum Scenario {
    LOOPS,
    IDLE,
    IDLE_TLS,
    SLOW,
    CATCHUP,
    RECONNECT,
    FANOUT,
    FLAGS
  }

  @Option(names = "--only", split = ",", description = "Of ${COMPLETION-CANDIDATES}.")
  private Set<Scenario> only = EnumSet.complementOf(EnumSet.of(Scenario.FLAGS));

  @Option(names = "--subjects", split = ",", description = "Of ${COMPLETION-CANDIDATES}.")
  private Set<Subject> subjects = EnumSet.allOf(Subject.class);

  @Option(names = "--rounds", defaultValue = "3", description = "Of each measurement.")
  private int rounds;

  @Option(names = "--seconds", defaultValue = "10", description = "That a load is measured.")
  private int seconds;

  @Option(names = "--warmup", defaultValue = "10", description = "Seconds of load before that.")
  private int warmup;

  @Option(names = "--set", paramLabel = "KEY=VALUE", description = "For every Tern server.")
  private List<String> settings = List.of();

  @Option(names = "--root", hidden = true, defaultValue = ".")
  private Path root;

  @Option(names = "--out", description = "Folder of the report; bench/reports/DATE if not given.")
  private @Nullable Path out;

  @Option(names = "--scratch", description = "Where servers have their data.")
  private @Nullable Path scratch;

  @Option(
      names = "--options",
      description = "File with the servers' JVM options; build/jvm.options if not given.")
  private @Nullable Path options;

  public static void main(String[] args) {
    System.exit(
        new CommandLine(new Scenarios()).setCaseInsensitiveEnumValuesAllowed(true).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    Path folder = out != null ? out : newReport();
    Path data = scratch != null ? scratch : root.resolve("bench/target/scratch");
    Files.createDirectories(folder);
    Files.createDirectories(data);
    var bench =
        new Bench(
            root,
            folder,
            data,
            rounds,
            seconds,
            warmup,
            serverOptions(),
            settings,
            Bench.SERVER_CORE);
    if (!Child.canPin()) {
      System.out.println(
          "server and generator are NOT pinned: taskset or a second core is missing");
    }
    if (only.contains(Scenario.FLAGS)) {
      new Flags(bench).run();
    }
    var report = new Report(bench);
    if (only.contains(Scenario.LOOPS)) {
      var comparison = new Comparison(bench, subjects);
      comparison.run();
      report.add(comparison);
    }
    if (only.contains(Scenario.IDLE)) {
      report.add(new Idle(bench, false).run(), false);
    }
    if (only.contains(Scenario.IDLE_TLS)) {
      report.add(new Idle(bench, true).run(), true);
    }
    if (only.contains(Scenario.SLOW)) {
      report.add(new SlowConsumers(bench).run());
    }
    if (only.contains(Scenario.CATCHUP)) {
      report.add(new CatchUps(bench).run());
    }
    if (only.contains(Scenario.RECONNECT)) {
      report.add(new Reconnect(bench).run());
    }
    if (only.contains(Scenario.FANOUT)) {
      report.add(new FanOut(bench).run());
    }
    report.write();
    return 0;
  }

  /// One option a line, as `java @file` reads it; lines with # are comments.
  private List<String> serverOptions() throws IOException {
    Path file = options != null ? options : root.resolve("build/jvm.options");
    try (Stream<String> lines = Files.lines(file)) {
      return lines.map(String::strip).filter(l -> !l.isEmpty() && !l.startsWith("#")).toList();
    }
  }

  /// A folder that does not exist yet: today's, or today's with a number.
  private Path newReport() {
    Path reports = root.resolve("bench/reports");
    String today = LocalDate.now(ZoneOffset.UTC).toString();
    var names = new ArrayList<>(List.of(today));
    for (int i = 2; Files.exists(reports.resolve(names.getLast())); i++) {
      names.add(today + "-" + i);
    }
    return reports.resolve(names.getLast());
  }
}

package io.tern.bench.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.bench.measure.Folders;
import io.tern.bench.measure.Json;
import io.tern.bench.measure.Machine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// Runs one loop against one subject: a fresh server with an empty folder, the generator, and the
/// generator's result.
final class Loops {

  static final int USERS = 200;

  // To connect, and to wait for what is on its way at the end.
  private static final int EXTRA_SECONDS = 60;

  private final Bench bench;

  Loops(Bench bench) {
    this.bench = bench;
  }

  enum Loop {
    /// Full speed: what is answered is replaced at once.
    CLOSED("--in-flight", 16),

    /// A rate far below what the server can do: what a person feels.
    OPEN("--rate", 2000);

    private final String option;
    private final int value;

    Loop(String option, int value) {
      this.option = option;
      this.value = value;
    }

    int value() {
      return value;
    }

    String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /// @param load what else was going on, as the load average before the run
  record Run(JsonNode result, double load) {

    double number(String... path) {
      return Json.number(result, path);
    }
  }

  /// A run without a result (on a busy machine users may fail to log in in time) is repeated, so
  /// that one of them does not cost all the others.
  ///
  /// @throws IOException when it has no result again
  Run run(Subject subject, Loop loop, String name, List<String> serverOptions)
      throws IOException, InterruptedException {
    try {
      return runOnce(subject, loop, name, serverOptions);
    } catch (IOException e) {
      System.out.println(e.getMessage() + "; again");
      return runOnce(subject, loop, name, serverOptions);
    }
  }

  private Run runOnce(Subject subject, Loop loop, String name, List<String> serverOptions)
      throws IOException, InterruptedException {
    double loadAverage = Machine.loadAverage();
    Path data = bench.newData();
    try (Child server = subject.server(bench, serverOptions, data, bench.log(name + "-server"))) {
      var args = new ArrayList<String>();
      args.addAll(List.of("--connect", server.ready().listen()));
      args.addAll(List.of("--users", Integer.toString(USERS)));
      args.addAll(List.of("--server-pid", Long.toString(server.pid())));
      if (loop == Loop.OPEN) {
        // At a low rate a young JVM spends most of its time compiling, minutes long; a server that
        // people use has that behind it.
        load(subject, with(args, Loop.CLOSED, bench.warmup(), 0), name + "-warmup");
      }
      JsonNode result = load(subject, with(args, loop, bench.seconds(), bench.warmup()), name);
      var run = new Run(result, loadAverage);
      System.out.printf(
          "%-28s %,8.0f/s  %6.2f us cpu  sent p50 %.3f p99 %.3f ms%n",
          name,
          run.number("complete_per_s"),
          run.number("server_cpu_us_per_message"),
          run.number("sent_ms", "p50"),
          run.number("sent_ms", "p99"));
      return run;
    } finally {
      Folders.delete(data);
    }
  }

  private static List<String> with(List<String> common, Loop loop, int seconds, int warmup) {
    var args = new ArrayList<>(common);
    args.addAll(List.of(loop.option, Integer.toString(loop.value)));
    args.addAll(List.of("--seconds", Integer.toString(seconds)));
    args.addAll(List.of("--warmup", Integer.toString(warmup)));
    return args;
  }

  private JsonNode load(Subject subject, List<String> args, String name)
      throws IOException, InterruptedException {
    Path json = bench.out().resolve(name + ".json");
    var all = new ArrayList<>(args);
    all.addAll(List.of("--json", json.toString()));
    try (Child load = subject.load(bench, bench.loadOptions(), all, bench.log(name + "-load"))) {
      load.rest();
      int exit = load.await(bench.seconds() + bench.warmup() + EXTRA_SECONDS);
      if (!Files.exists(json)) {
        throw new IOException(name + ": no result, exit code " + exit);
      }
      if (exit != 0) {
        System.out.println(name + ": messages were lost, doubled or out of order, see " + json);
      }
      return Json.read(json);
    }
  }
}

package io.tern.bench.scenario;

import io.tern.bench.measure.Machine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// What every scenario of a run shares.
///
/// @param root of the repository
/// @param out where the report goes
/// @param scratch where servers have their data; on the disk that is to be measured
/// @param rounds of each measurement; the report has medians
/// @param seconds that a load is measured, after `warmup` seconds
/// @param serverOptions of every server's JVM, as `./tern` sets them
/// @param settings `key=value` for every Tern server
/// @param serverCore to which a server is pinned; less than 0 = it has all of them
record Bench(
    Path root,
    Path out,
    Path scratch,
    int rounds,
    int seconds,
    int warmup,
    List<String> serverOptions,
    List<String> settings,
    int serverCore) {

  static final int SERVER_CORE = 0;
  private static final int LOAD_CORE = 1;

  /// A young generation that holds seconds of garbage: the generator's own pauses would count as
  /// the server's latency. And a pool that keeps its direct memory: Netty's adaptive one lets go of
  /// a chunk thousands of times a second when a thousand sockets are read in turn, and on JDK 25
  /// each is a handshake of all threads.
  private static final List<String> LOAD_OPTIONS =
      List.of(
          "--enable-native-access=ALL-UNNAMED",
          "-XX:+UseCompactObjectHeaders",
          "-XX:+UseSerialGC",
          "-Xms1g",
          "-Xmx1g",
          "-Xmn800m",
          "-Dio.netty.allocator.type=pooled");

  /// The same, with one more `key=value` for its servers.
  Bench with(String setting) {
    var all = new ArrayList<>(settings);
    all.add(setting);
    return new Bench(root, out, scratch, rounds, seconds, warmup, serverOptions, all, serverCore);
  }

  /// The same, with servers that share the generator's core too.
  Bench onAllCores() {
    return new Bench(root, out, scratch, rounds, seconds, warmup, serverOptions, settings, -1);
  }

  int loadCore() {
    return LOAD_CORE;
  }

  List<String> loadOptions() {
    return LOAD_OPTIONS;
  }

  /// Of a generator that runs for half a minute beside another one: an optimising compiler would
  /// take 10 to 41 % of the core's time meanwhile, for nothing. And the kernel would give it the
  /// pages of its heap one by one.
  List<String> briefLoadOptions() {
    var options = new ArrayList<>(LOAD_OPTIONS);
    options.add("-XX:TieredStopAtLevel=1");
    options.add("-XX:+AlwaysPreTouch");
    return options;
  }

  Map<String, Object> machine() throws IOException, InterruptedException {
    return Machine.describe(root, scratch);
  }

  /// A new folder for one server.
  Path newData() throws IOException {
    return Files.createTempDirectory(scratch, "data");
  }

  Path log(String name) {
    return out.resolve(name + ".log");
  }
}

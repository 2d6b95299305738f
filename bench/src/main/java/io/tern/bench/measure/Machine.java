package io.tern.bench.measure;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// What a figure was measured on: without it a figure says nothing.
public final class Machine {

  private static final int SYNCS = 300;
  private static final int SYNC_BYTES = 4096;

  private Machine() {}

  /// Processor, kernel, JDK, commit, and how long the disk under `folder` takes to sync an append.
  public static Map<String, Object> describe(Path root, Path folder)
      throws IOException, InterruptedException {
    var facts = new LinkedHashMap<String, Object>();
    facts.put("cpu", cpu());
    facts.put("cores", Runtime.getRuntime().availableProcessors());
    facts.put("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    facts.put("jdk", System.getProperty("java.vendor") + " " + Runtime.version());
    facts.put("disk", Files.getFileStore(folder).type());
    facts.put("sync_ms", syncMillis(folder));
    facts.put("commit", commit(root));
    return facts;
  }

  /// The load average of the last minute: how much else was going on.
  public static double loadAverage() throws IOException {
    Path file = Path.of("/proc/loadavg");
    String text = Files.isReadable(file) ? Files.readString(file) : "-1 ";
    return Double.parseDouble(text.substring(0, text.indexOf(' ')));
  }

  private static String cpu() throws IOException {
    Path file = Path.of("/proc/cpuinfo");
    if (!Files.isReadable(file)) {
      return System.getProperty("os.arch");
    }
    try (Stream<String> lines = Files.lines(file)) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    }
  }

  private static Map<String, Object> syncMillis(Path folder) throws IOException {
    var latencies = new Latencies();
    Path file = Files.createTempFile(folder, "sync", ".probe");
    try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      ByteBuffer block = ByteBuffer.allocateDirect(SYNC_BYTES);
      for (int i = 0; i < SYNCS; i++) {
        channel.write(block.clear());
        long before = System.nanoTime();
        channel.force(false);
        latencies.record(System.nanoTime() - before);
      }
    } finally {
      Files.delete(file);
    }
    return latencies.millis();
  }

  private static String commit(Path root) throws IOException, InterruptedException {
    Process git =
        new ProcessBuilder("git", "-C", root.toString(), "describe", "--always", "--dirty")
            .redirectErrorStream(true)
            .start();
    String answer = git.inputReader().readAllAsString().strip();
    return git.waitFor(10, TimeUnit.SECONDS) && git.exitValue() == 0 ? answer : "unknown";
  }
}

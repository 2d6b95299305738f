package io.tern.bench.measure;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// What another process has used so far, read from /proc (Linux). Any thread.
public final class ProcessUsage {

  // USER_HZ: what /proc counts in, 100 on every Linux that the JDK runs on.
  private static final long MICROS_PER_TICK = 10_000;

  /// What the kernel shows of `C2 CompilerThread0`.
  private static final String COMPILER = "C2 CompilerThre";

  /// Below this part of a core a JVM counts as compiled.
  private static final double COMPILING_MAX = 0.03;

  private static final long COMPILING_WINDOW_MILLIS = 3_000;

  private final Path proc;

  public ProcessUsage(long pid) {
    this.proc = Path.of("/proc", Long.toString(pid));
  }

  /// CPU time of all threads, user and kernel, since the process began; in steps of 10 ms.
  ///
  /// @throws IOException when there is no such process, or no /proc
  public long cpuMicros() throws IOException {
    return cpuMicros(proc);
  }

  /// Waits until the JVM's optimising compiler has next to nothing to do for three seconds: while
  /// it works, a server on one core has a quarter less of it.
  ///
  /// @param secondsMax to wait; then it is measured as it is
  /// @return whether it is compiled
  public boolean awaitCompiled(int secondsMax) throws IOException, InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(secondsMax);
    long used = compilerMicros();
    while (System.nanoTime() < end) {
      TimeUnit.MILLISECONDS.sleep(COMPILING_WINDOW_MILLIS);
      long before = used;
      used = compilerMicros();
      if (used - before < COMPILING_MAX * COMPILING_WINDOW_MILLIS * 1_000) {
        return true;
      }
    }
    return false;
  }

  private long compilerMicros() throws IOException {
    long sum = 0;
    try (Stream<Path> threads = Files.list(proc.resolve("task"))) {
      for (Path thread : threads.toList()) {
        try {
          if (Files.readString(thread.resolve("comm")).startsWith(COMPILER)) {
            sum += cpuMicros(thread);
          }
        } catch (IOException e) {
          // It has ended meanwhile: there is no file, or nothing to read in an open one.
          if (Files.exists(thread)) {
            throw e;
          }
        }
      }
    }
    return sum;
  }

  private static long cpuMicros(Path task) throws IOException {
    String stat = Files.readString(task.resolve("stat"));
    // The second field is the command's name in parentheses, and may itself hold spaces and
    // parentheses.
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    long user = Long.parseLong(fields[11]);
    long kernel = Long.parseLong(fields[12]);
    return (user + kernel) * MICROS_PER_TICK;
  }

  /// Resident memory now. `anonymous` is the part that belongs to this process alone: heap, malloc,
  /// stacks; the rest is files that it has mapped (jars, libraries), which come and go with the
  /// page cache.
  public Memory memory() throws IOException {
    long resident = -1;
    long anonymous = -1;
    for (String line : Files.readAllLines(proc.resolve("status"))) {
      if (line.startsWith("VmRSS:")) {
        resident = kilobytes(line);
      } else if (line.startsWith("RssAnon:")) {
        anonymous = kilobytes(line);
      }
    }
    return new Memory(resident, anonymous);
  }

  /// In bytes.
  public record Memory(long resident, long anonymous) {}

  /// Open files and sockets.
  public int descriptors() throws IOException {
    try (Stream<Path> descriptors = Files.list(proc.resolve("fd"))) {
      return (int) descriptors.count();
    }
  }

  private static long kilobytes(String line) {
    return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
  }
}

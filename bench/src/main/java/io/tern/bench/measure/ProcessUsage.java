package io.tern.bench.measure;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/// What another process has used so far, read from /proc (Linux). Any thread.
public final class ProcessUsage {

  // USER_HZ: what /proc counts in, 100 on every Linux that the JDK runs on.
  private static final long MICROS_PER_TICK = 10_000;

  private final Path proc;

  public ProcessUsage(long pid) {
    this.proc = Path.of("/proc", Long.toString(pid));
  }

  /// CPU time of all threads, user and kernel, since the process began; in steps of 10 ms.
  ///
  /// @throws IOException when there is no such process, or no /proc
  public long cpuMicros() throws IOException {
    String stat = Files.readString(proc.resolve("stat"));
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

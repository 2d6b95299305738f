package io.tern.bench.measure;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

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

  /// Resident memory that belongs to this process alone: file-backed pages (jars, libraries) come
  /// and go with the page cache and are not counted.
  public long residentBytes() throws IOException {
    for (String line : Files.readAllLines(proc.resolve("status"))) {
      if (line.startsWith("RssAnon:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
      }
    }
    throw new NoSuchFileException(proc + "/status has no RssAnon");
  }
}

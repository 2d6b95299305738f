package io.tern.tools.load;

import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Reads what the kernel says about a process: CPU time used and memory held. Linux only.
final class ServerProbe {

  /// The kernel counts CPU time in hundredths of a second in `/proc`, whatever its own tick is.
  private static final long MICROS_PER_TICK = 10_000;

  private final Path folder;

  ServerProbe(long pid) {
    this.folder = Path.of("/proc", Long.toString(pid));
    if (!Files.isReadable(folder.resolve("stat"))) {
      throw new Failure(ExitCode.FAILED, "there is no process " + pid + " to read in /proc");
    }
  }

  /// CPU time of all threads since the start, user and system, in microseconds.
  long cpuMicros() {
    return cpuMicros(read("stat"));
  }

  /// Memory that is really there (RSS), in bytes.
  long residentBytes() {
    return read("status")
        .lines()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
        .findFirst()
        .orElseThrow(() -> new Failure(ExitCode.FAILED, folder + "/status has no VmRSS"));
  }

  /// Fields 14 and 15 of a line of `/proc/PID/stat`. The second field is the command's name in
  /// parentheses, which may itself hold spaces and parentheses.
  static long cpuMicros(String stat) {
    var fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * MICROS_PER_TICK;
  }

  private String read(String file) {
    try {
      return Files.readString(folder.resolve(file));
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED, "the server's process is gone: " + e.getMessage(), e);
    }
  }
}

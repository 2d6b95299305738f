package io.tern.tools.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The power-cut harness itself: it loses what was not synced (a cut that cannot lose anything
/// proves nothing) and nothing that was.
class LoopDiskTest {

  private static final int CUTS = 2;
  private static final int RECORDS_MIN = 200;

  static Stream<String> kinds() {
    var obstacle = LoopDisk.obstacle();
    obstacle.ifPresent(reason -> System.out.println("CUT: power cuts are skipped: " + reason));
    return obstacle.isPresent() ? Stream.of("none") : LoopDisk.kinds().stream();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aCutLosesWhatWasNotSynced(String kind) throws IOException {
    assumeTrue(!kind.equals("none"), "no power cuts on this machine");
    try (var disk = LoopDisk.create(kind)) {
      for (int cut = 1; cut <= CUTS; cut++) {
        var outcome = cutUnderWriter(disk, "unsynced-" + cut, false);
        System.out.printf("CUT control on %s, unsynced: %s%n", kind, outcome);
        assertThat(outcome.kept).isLessThan(outcome.claimed);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aCutLosesNothingThatWasSynced(String kind) throws IOException {
    assumeTrue(!kind.equals("none"), "no power cuts on this machine");
    try (var disk = LoopDisk.create(kind)) {
      for (int cut = 1; cut <= CUTS; cut++) {
        var outcome = cutUnderWriter(disk, "synced-" + cut, true);
        System.out.printf("CUT control on %s, synced: %s%n", kind, outcome);
        assertThat(outcome.kept).isGreaterThanOrEqualTo(outcome.claimed);
      }
    }
  }

  private record Outcome(long claimed, long kept) {}

  private static Outcome cutUnderWriter(LoopDisk disk, String name, boolean sync)
      throws IOException {
    var file = disk.path().resolve(name);
    var writer =
        new ProcessBuilder(
                List.of(
                    ServerProcess.java(),
                    "-Xmx32m",
                    "-XX:TieredStopAtLevel=1",
                    "-cp",
                    System.getProperty("java.class.path"),
                    RecordWriter.class.getName(),
                    file.toString(),
                    sync ? "synced" : "unsynced"))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (var claims = writer.inputReader()) {
      long claimed = 0;
      while (claimed < RECORDS_MIN) {
        claimed = Long.parseLong(claims.readLine());
      }
      disk.cutUnder(writer);
      return new Outcome(lastClaim(claims, claimed), kept(file));
    } finally {
      writer.destroyForcibly();
    }
  }

  /// What the pipe still holds was claimed too; a line cut short was not.
  private static long lastClaim(BufferedReader claims, long before) throws IOException {
    var rest = new StringBuilder();
    for (int c = claims.read(); c >= 0; c = claims.read()) {
      rest.append((char) c);
    }
    int end = rest.lastIndexOf("\n");
    if (end <= 0) {
      return before;
    }
    var lines = rest.substring(0, end);
    return Long.parseLong(lines.substring(lines.lastIndexOf("\n") + 1));
  }

  /// How many records are there, whole and in order.
  private static long kept(Path file) throws IOException {
    var bytes = ByteBuffer.wrap(Files.exists(file) ? Files.readAllBytes(file) : new byte[0]);
    long n = 0;
    while (bytes.remaining() >= Long.BYTES && bytes.getLong() == n + 1) {
      n++;
    }
    return n;
  }
}

package io.tern.tools.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// `kill -9` at random moments under load, `-Dtern.kills` times (20): nothing acknowledged is lost,
/// no message and no change of a group, nothing is doubled or reordered, and everyone ends up with
/// everything that is theirs and nothing else.
class CrashTest {

  private static final Path FAILURES = Path.of("target", "histories");

  @TempDir Path folder;

  @Test
  @Timeout(3_600)
  void killedServersKeepTheContract() throws IOException {
    int kills = Integer.getInteger("tern.kills", 20);
    long seed = Faults.seed();
    var plan = Faults.plan(folder.resolve("data"), FAILURES.resolve("crash.log"), new Random(seed));
    try (var faults =
        new Faults("CRASH", seed, plan, FAILURES, Campaign.Plan.DEFAULT, ServerProcess::kill)) {
      faults.strike(kills);

      var report = faults.finish();

      assertThat(report.isClean()).as(report.toString()).isTrue();
      assertThat(report.totals().acknowledged()).isGreaterThan(100L * kills);
      assertThat(report.totals().changes()).isGreaterThan(kills);
    }
  }
}

package io.tern.tools.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Power cuts under load, `-Dtern.cuts` of them (10): what was acknowledged is on the disk. That
/// such a cut does lose what is not synced is shown by `LoopDiskTest`, and for the whole server by
/// `SeededBugsTest`.
class PowerCutTest {

  private static final Path FAILURES = Path.of("target", "histories");

  @Test
  @Timeout(3_600)
  void powerCutsKeepTheContract() throws IOException {
    var obstacle = LoopDisk.obstacle();
    obstacle.ifPresent(reason -> System.out.println("CUT: power cuts are skipped: " + reason));
    assumeTrue(obstacle.isEmpty(), "no power cuts on this machine");
    int cuts = Integer.getInteger("tern.cuts", 10);
    long seed = Faults.seed();
    try (var disk = LoopDisk.create()) {
      var plan =
          Faults.plan(disk.path().resolve("data"), FAILURES.resolve("cut.log"), new Random(seed));
      try (var faults =
          new Faults(
              "CUT",
              seed,
              plan,
              FAILURES,
              Campaign.Plan.DEFAULT,
              server -> disk.cutUnder(server.process()))) {
        faults.strike(cuts);

        var report = faults.finish();

        assertThat(report.isClean()).as(report.toString()).isTrue();
        assertThat(report.totals().acknowledged()).isGreaterThan(100L * cuts);
        assertThat(report.totals().changes()).isGreaterThan(cuts);
      }
    }
  }
}

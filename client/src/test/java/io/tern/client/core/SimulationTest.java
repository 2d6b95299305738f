package io.tern.client.core;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/// Many seeds of the [Simulation]: every send has one outcome and one place, the order of each
/// sender holds, nothing is missing or doubled at any device, nothing is acknowledged before it is
/// stored, a change of a group is made once, and devices agree on the settings. One seed again:
/// `-Dtern.client.seed=N`; more of them: `-Dtern.client.seeds=N`.
class SimulationTest {

  private final Logger log = (Logger) LoggerFactory.getLogger(ClientCore.class);

  /// The world's faults are logged as they should be, many thousand times.
  @BeforeEach
  void quiet() {
    log.setLevel(Level.OFF);
  }

  @AfterEach
  void loud() {
    log.setLevel(null);
  }

  @Test
  void promisesHoldInABadWorld() {
    Long one = Long.getLong("tern.client.seed");
    long first = one == null ? 1 : one;
    long last = one == null ? Integer.getInteger("tern.client.seeds", 150) : one;
    long sends = 0;
    long refusals = 0;
    long reconnects = 0;
    long changes = 0;
    long resets = 0;
    for (long seed = first; seed <= last; seed++) {
      var simulation = new Simulation(seed, 3, 1 + (int) (seed % 2));
      try {
        simulation.live(20_000);
        simulation.settle();
        simulation.checkEnd();
      } catch (Throwable e) {
        throw new AssertionError("seed " + seed + ", " + simulation.world, e);
      }
      sends += simulation.sends;
      refusals += simulation.refusals;
      reconnects += simulation.reconnects;
      changes += simulation.changes;
      resets += simulation.resets;
    }
    System.out.printf(
        "client simulation: seeds %d to %d, %d sends, %d refused, %d reconnects,"
            + " %d groups and titles, %d resets%n",
        first, last, sends, refusals, reconnects, changes, resets);
    assertThat(changes).isPositive();
    assertThat(resets).isPositive();
    assertThat(sends).isPositive();
    assertThat(reconnects).isPositive();
  }
}

package io.tern.accounts;

import static io.tern.accounts.World.ok;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/// Whether the time of a look-up tells a hidden user from nobody: Welch's t-test over many look-ups
/// of both, in random order. For a quiet machine: `-Dtern.accounts.timing=20000`.
@EnabledIfSystemProperty(named = "tern.accounts.timing", matches = "[0-9]+")
class DiscoveryTimingTest {

  /// Two-sided, for p = 0.01 and many degrees of freedom.
  private static final double T_MAX = 2.576;

  @Test
  void aHiddenUserTakesAsLongAsNobody() {
    int lookups = Integer.getInteger("tern.accounts.timing");
    var config = AccountsConfig.DEFAULTS;
    var world =
        new World(
            17,
            new AccountsConfig(
                config.regions(),
                config.codeLife(),
                config.codeTries(),
                config.resendAfter(),
                config.smsPerNumber(),
                new AccountsConfig.SmsBudget(1000, 1000, 1000, 1000, 1000, 1, 1000, 1000, 0),
                config.pinIdle(),
                config.linkLife(),
                100_000,
                100_000,
                100_000,
                config.usernameHold(),
                false));
    // Shorter than in life, so that there are more of them.
    Duration step = Duration.ofNanos(Long.getLong("tern.accounts.step", 1_000_000));
    world.lookupStep(step);
    Registered anna = world.register(World.number(16_161_616));
    var hidden = new ArrayList<String>();
    var nobody = new ArrayList<String>();
    for (int i = 0; i < 100; i++) {
      String number = World.number(40_000_000 + i * 331_337L);
      Registered other = world.register(number);
      ok(world.accounts.discovery().setDiscoverable(other.device(), Discovery.By.NOBODY));
      hidden.add(number);
      nobody.add(World.number(50_000_000 + i * 331_337L));
    }
    var order = new ArrayList<Boolean>();
    for (int i = 0; i < lookups; i++) {
      order.add(i % 2 == 0);
    }
    Collections.shuffle(order, new java.util.Random(1));
    var times = List.of(new ArrayList<Double>(), new ArrayList<Double>());
    for (int i = 0; i < lookups; i++) {
      if (i % 50_000 == 0) {
        world.clock.pass(Duration.ofDays(2));
      }
      boolean isHidden = order.get(i);
      List<String> one = List.of((isHidden ? hidden : nobody).get(world.random.nextInt(100)));
      long begin = System.nanoTime();
      ok(world.accounts.discovery().lookUp(anna.device(), one));
      // The first tenth warms up.
      if (i > lookups / 10) {
        times.get(isHidden ? 0 : 1).add((System.nanoTime() - begin) / 1_000.0);
      }
    }
    // The slowest hundredth is the machine's.
    times.forEach(all -> {
      Collections.sort(all);
      all.subList(all.size() * 99 / 100, all.size()).clear();
    });
    double t = t(times.get(0), times.get(1));
    System.out.printf(
        "hidden %.2f us, nobody %.2f us, t = %.2f (%d look-ups)%n",
        mean(times.get(0)), mean(times.get(1)), t, lookups);
    assertThat(Math.abs(t)).isLessThan(T_MAX);
  }

  private static double mean(List<Double> times) {
    return times.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
  }

  private static double variance(List<Double> times) {
    double mean = mean(times);
    return times.stream().mapToDouble(x -> (x - mean) * (x - mean)).sum() / (times.size() - 1);
  }

  private static double t(List<Double> one, List<Double> other) {
    return (mean(one) - mean(other))
        / Math.sqrt(variance(one) / one.size() + variance(other) / other.size());
  }
}

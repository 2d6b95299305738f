package io.tern.accounts;

import static io.tern.accounts.World.caller;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A day of 5,000 good users, and somebody who earns by messages to numbers of theirs. The good are
/// served, the pumped messages cost at most 2 % more.
class PumpingTest {

  private static final int GOOD = 5_000;
  private static final int ATTEMPTS = 10_000;

  /// How messages are pumped.
  enum Shape {
    /// One range of 10,000 numbers, every request from another address.
    ONE_RANGE_MANY_ADDRESSES,
    /// Numbers all over, from one network.
    MANY_RANGES_ONE_NETWORK,
    /// 60 ranges of one carrier, every request from another address, mixed with the good.
    MANY_RANGES_MANY_ADDRESSES
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void pumpingIsShutAndGoodUsersAreServed(Shape shape) {
    long seed = 4_711;
    var world = new World(seed);
    Accounts accounts = world.open(new MemoryRecords(world.clock));
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    int served = 0;
    int pumped = 0;
    int perGood = ATTEMPTS / GOOD;
    for (int i = 0; i < GOOD; i++) {
      world.clock.pass(Duration.ofMillis(Duration.ofHours(20).toMillis() / GOOD));
      // One in 200 lives where the pumped numbers are.
      String number =
          i % 200 == 0
              ? "+491512%07d".formatted(random.nextInt(10_000_000))
              : "+4917%d%07d".formatted(i % 10, random.nextInt(1_000_000, 10_000_000));
      Caller home =
          caller("100.%d.%d.%d".formatted(64 + i % 64, random.nextInt(256), random.nextInt(256)));
      Answer<Registration.CodeSent> sent = accounts.registration().requestCode(number, home);
      if (sent instanceof Answer.Ok<Registration.CodeSent>(Registration.CodeSent code)) {
        served++;
        // Some do not go on.
        if (random.nextInt(10) > 0) {
          accounts
              .registration()
              .verify(number, code.request(), new Secret(world.codeOf(number)), home);
        }
      }
      for (int a = 0; a < perGood; a++) {
        pumped += pump(accounts, shape, i * perGood + a, random) ? 1 : 0;
      }
    }
    System.out.printf(
        "%s: seed %d, %d of %d good users served, %d of %d pumped messages sent (%.2f %%)%n",
        shape, seed, served, GOOD, pumped, ATTEMPTS, 100.0 * pumped / GOOD);
    assertThat(served).isGreaterThanOrEqualTo(GOOD * 99 / 100);
    assertThat(pumped).isLessThanOrEqualTo(GOOD * 2 / 100);
  }

  private static boolean pump(Accounts accounts, Shape shape, int n, RandomGenerator random) {
    String anywhere =
        "%d.%d.%d.%d"
            .formatted(
                random.nextInt(1, 90),
                random.nextInt(256),
                random.nextInt(256),
                random.nextInt(256));
    String number =
        switch (shape) {
          case ONE_RANGE_MANY_ADDRESSES -> "+491511234%04d".formatted(n % 10_000);
          case MANY_RANGES_ONE_NETWORK -> "+49152%08d".formatted(random.nextInt(100_000_000));
          case MANY_RANGES_MANY_ADDRESSES ->
              "+49151%d%02d%05d".formatted(2, random.nextInt(60), random.nextInt(100_000));
        };
    String from = shape == Shape.MANY_RANGES_ONE_NETWORK ? "203.0.113." + n % 256 : anywhere;
    return accounts.registration().requestCode(number, caller(from)) instanceof Answer.Ok;
  }
}

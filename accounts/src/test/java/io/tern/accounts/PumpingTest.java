package io.tern.accounts;

import static io.tern.accounts.World.caller;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.accounts.network.Networks;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A day of 5,000 good users, and somebody who earns by messages to numbers of theirs. The good are
/// served, the pumped messages cost at most 2 % more: without proofs of work, with them, and when
/// the one who pumps brings them as well.
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
    MANY_RANGES_MANY_ADDRESSES,
    /// Numbers all over, every request from another network of one hoster.
    MANY_RANGES_ONE_SYSTEM
  }

  /// A hoster, and the two carriers of the good users.
  private static final String SYSTEMS =
      """
      95.0.0.0\t95.255.255.255\t64496\tXX\tHOSTER
      100.64.0.0\t100.95.255.255\t64497\tDE\tCARRIER
      100.96.0.0\t100.127.255.255\t64498\tDE\tCARRIER
      """;

  /// Few, for the test does the work.
  private static final int PROOF_BITS = 6;

  /// Of a day.
  private record Day(int served, int pumped) {}

  @ParameterizedTest
  @EnumSource(Shape.class)
  void pumpingIsShutAndGoodUsersAreServed(Shape shape) {
    Networks networks = networks();
    Day without = day(shape, networks, 0, false);
    Day with = day(shape, networks, PROOF_BITS, false);
    Day proving = day(shape, networks, PROOF_BITS, true);
    for (Day day : new Day[] {without, with, proving}) {
      assertThat(day.served).isGreaterThanOrEqualTo(GOOD * 99 / 100);
      assertThat(day.pumped).isLessThanOrEqualTo(GOOD * 2 / 100);
    }
    assertThat(with.served).isGreaterThanOrEqualTo(without.served);
    assertThat(with.pumped).isLessThanOrEqualTo(without.pumped);
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "MANY_RANGES_ONE_SYSTEM")
  void theOtherShapesAreShutAlsoWhereNoSystemIsKnown(Shape shape) {
    Day proving = day(shape, Networks.NONE, PROOF_BITS, true);
    assertThat(proving.served).isGreaterThanOrEqualTo(GOOD * 99 / 100);
    assertThat(proving.pumped).isLessThanOrEqualTo(GOOD * 2 / 100);
  }

  /// It is that budget that does it: the others do not see what the many networks have in common.
  @Test
  void whoHasManyNetworksPumpsWhereNoSystemIsKnown() {
    Day unknown = day(Shape.MANY_RANGES_ONE_SYSTEM, Networks.NONE, PROOF_BITS, true);
    assertThat(unknown.pumped).isGreaterThan(GOOD / 2);
  }

  private static Networks networks() {
    try {
      return Networks.read(new ByteArrayInputStream(SYSTEMS.getBytes(StandardCharsets.US_ASCII)));
    } catch (IOException | Networks.Unusable e) {
      throw new AssertionError(e);
    }
  }

  /// @param proofBits 0 = no proofs
  /// @param pumpProves whether who pumps does the work too
  private static Day day(Shape shape, Networks networks, int proofBits, boolean pumpProves) {
    long seed = 4_711;
    AccountsConfig.SmsBudget usual = AccountsConfig.DEFAULTS.sms();
    var budget =
        new AccountsConfig.SmsBudget(
            usual.perAddress(),
            usual.perNetwork(),
            // Of 10,000 a day it is 200; of as many as here the same part.
            GOOD * 2 / 100,
            usual.perBlock(),
            usual.perPrefix(),
            usual.perVerified(),
            usual.wrongPerAddress(),
            usual.perDay(),
            proofBits);
    var world = new World(seed, Configs.sms(AccountsConfig.DEFAULTS, budget));
    world.networks = networks;
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
      Answer<Registration.CodeSent> sent = request(accounts, number, home, true);
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
        pumped += pump(accounts, shape, i * perGood + a, random, pumpProves) ? 1 : 0;
      }
    }
    System.out.printf(
        "%s, %s, %s: seed %d, %d of %d good users served, %d of %d pumped messages sent (%.2f %%)%n",
        shape,
        networks.ranges() == 0 ? "no systems" : "systems",
        proofBits == 0 ? "no proofs" : pumpProves ? "all prove" : "the good prove",
        seed,
        served,
        GOOD,
        pumped,
        ATTEMPTS,
        100.0 * pumped / GOOD);
    return new Day(served, pumped);
  }

  private static Answer<Registration.CodeSent> request(
      Accounts accounts, String number, Caller from, boolean proves) {
    Answer<Registration.CodeSent> first = accounts.registration().requestCode(number, from);
    if (proves
        && first instanceof Answer.Refused<Registration.CodeSent> refused
        && refused.challenge() != null) {
      return accounts.registration().requestCode(number, Work.proof(Work.challenge(refused)), from);
    }
    return first;
  }

  private static boolean pump(
      Accounts accounts, Shape shape, int n, RandomGenerator random, boolean proves) {
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
          case MANY_RANGES_ONE_SYSTEM ->
              "+393%02d%07d".formatted(random.nextInt(20, 100), random.nextInt(10_000_000));
          case MANY_RANGES_ONE_NETWORK -> "+49152%08d".formatted(random.nextInt(100_000_000));
          case MANY_RANGES_MANY_ADDRESSES ->
              "+49151%d%02d%05d".formatted(2, random.nextInt(60), random.nextInt(100_000));
        };
    String from =
        switch (shape) {
          case MANY_RANGES_ONE_NETWORK -> "203.0.113." + n % 256;
          case MANY_RANGES_ONE_SYSTEM -> "95.%d.%d.9".formatted(n >> 8, n & 0xFF);
          case ONE_RANGE_MANY_ADDRESSES, MANY_RANGES_MANY_ADDRESSES -> anywhere;
        };
    return request(accounts, number, caller(from), proves) instanceof Answer.Ok;
  }
}

package io.tern.accounts;

import static io.tern.accounts.World.caller;
import static io.tern.accounts.World.ok;
import static io.tern.accounts.World.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.accounts.network.Networks;
import io.tern.accounts.sms.SmsSender;
import io.tern.protocol.ErrorCode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What one autonomous system may have of codes that nobody answers, from however many networks.
class SystemBudgetTest {

  private static final int PER_SYSTEM = 8;
  private static final int BITS = 6;

  private static final String SYSTEMS =
      """
      95.0.0.0\t95.255.255.255\t64496\tXX\tHOSTER
      100.64.0.0\t100.95.255.255\t64497\tDE\tCARRIER
      185.0.0.0\t185.0.255.255\t64496\tXX\tHOSTER
      2001:db8::\t2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\t64496\tXX\tHOSTER
      """;

  private World world;
  private int asked;

  @BeforeEach
  void open() {
    world = world(0);
  }

  private static World world(int bits) {
    var budget = new AccountsConfig.SmsBudget(10, 50, PER_SYSTEM, 20, 80, 1, 50, 10_000, bits);
    var made = new World(13, Configs.sms(AccountsConfig.DEFAULTS, budget));
    made.networks = networks(SYSTEMS);
    return made;
  }

  private static Networks networks(String text) {
    try {
      return Networks.read(new ByteArrayInputStream(text.getBytes(StandardCharsets.US_ASCII)));
    } catch (IOException | Networks.Unusable e) {
      throw new AssertionError(e);
    }
  }

  /// Each to a number of another prefix.
  private String nextNumber() {
    return "+39320%07d".formatted(1_000_000 + 10_007 * asked++);
  }

  private Answer<Registration.CodeSent> request(String from) {
    return world.accounts.registration().requestCode(nextNumber(), caller(from));
  }

  /// An address of the hoster: each time of another network, of IPv4 and of IPv6.
  private static String hoster(int n) {
    return switch (n % 3) {
      case 0 -> "95." + n + ".7.9";
      case 1 -> "185.0." + n + ".9";
      default -> "2001:db8:" + n + "::9";
    };
  }

  private void useUp() {
    for (int i = 0; i < PER_SYSTEM; i++) {
      ok(request(hoster(i)));
    }
  }

  private void refusedTo(String from) {
    var end = refused(request(from), ErrorCode.RATE, "number");
    assertThat(end.retryMillis()).isBetween(1L, Duration.ofHours(24).toMillis());
    assertThat(end.challenge()).isNull();
  }

  @Test
  void allNetworksOfASystemHaveOneBudget() {
    useUp();
    int writes = world.writes;
    for (int i = 0; i < 30; i++) {
      refusedTo(hoster(100 + i));
    }
    assertThat(world.writes).as("refusals write nothing").isEqualTo(writes);
    assertThat(world.count(AccountsEvent.CODES_REFUSED_SYSTEM)).isEqualTo(30);
    assertThat(world.count(AccountsEvent.CODES_SENT)).isEqualTo(PER_SYSTEM);
  }

  @Test
  void otherSystemsHaveTheirsAndWhatIsUnknownHasNone() {
    useUp();
    for (int i = 0; i < PER_SYSTEM; i++) {
      ok(request("100.64." + i + ".1"));
    }
    refusedTo("100.64.200.1");
    for (int i = 0; i < 3 * PER_SYSTEM; i++) {
      ok(request("100.200." + i + ".1"));
    }
    assertThat(world.count(AccountsEvent.CODES_REFUSED_SYSTEM)).isEqualTo(1);
  }

  @Test
  void eachCodeThatIsAnsweredMakesRoomForAnother() {
    for (int i = 0; i < 5 * PER_SYSTEM; i++) {
      String number = nextNumber();
      Caller from = caller(hoster(i));
      var sent = ok(world.accounts.registration().requestCode(number, from));
      ok(
          world
              .accounts
              .registration()
              .verify(number, sent.request(), new Secret(world.codeOf(number)), from));
    }
    assertThat(world.count(AccountsEvent.CODES_REFUSED_SYSTEM)).isZero();
  }

  @Test
  void aTextThatTheProviderDoesNotTakeCostsTheSystemNothing() {
    world.smsOutcome = new SmsSender.SmsOutcome.Refused("no such number");
    for (int i = 0; i < 3 * PER_SYSTEM; i++) {
      refused(request(hoster(i)), ErrorCode.NOT_ALLOWED, "number");
    }
    world.smsOutcome = new SmsSender.SmsOutcome.Accepted("");
    useUp();
  }

  @Test
  void theBudgetIsTheSameAfterARestartAndComesBackWithTheNextWindow() {
    useUp();
    world.restart();
    refusedTo(hoster(50));
    world.clock.pass(Duration.ofHours(24));
    useUp();
    refusedTo(hoster(51));
  }

  @Test
  void theLastQuarterIsForThoseWithAProof() {
    world = world(BITS);
    for (int i = 0; i < PER_SYSTEM * 3 / 4; i++) {
      ok(request(hoster(i)));
    }
    for (int i = 0; i < PER_SYSTEM / 4; i++) {
      String number = nextNumber();
      Caller from = caller(hoster(50 + i));
      var refused =
          refused(world.accounts.registration().requestCode(number, from), ErrorCode.RATE, "proof");
      String proof = Work.proof(Work.challenge(refused));
      ok(world.accounts.registration().requestCode(number, proof, from));
    }
    refusedTo(hoster(60));
    assertThat(world.count(AccountsEvent.PROOFS_ASKED)).isEqualTo(PER_SYSTEM / 4);
    ok(request("100.64.0.1"));
  }

  /// The ranges that are known at this moment count; what a system has used is the system's.
  @Test
  void otherRangesCountFromTheNextRequestOn() {
    useUp();
    world.networks = networks("95.0.0.0\t95.255.255.255\t64499\n185.0.0.0\t185.0.0.255\t64496\n");
    ok(request("95.1.1.1"));
    refusedTo("185.0.0.9");
    ok(request("185.0.1.9"));
    world.networks = networks(SYSTEMS);
    refusedTo("95.1.1.1");
  }
}

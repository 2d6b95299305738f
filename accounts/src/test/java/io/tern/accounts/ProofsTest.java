package io.tern.accounts;

import static io.tern.accounts.World.caller;
import static io.tern.accounts.World.ok;
import static io.tern.accounts.World.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ErrorCode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The last of a budget is for those who bring a proof of work, which is for one number and one
/// network, for a few minutes, and good once.
class ProofsTest {

  private static final int BITS = 10;
  private static final Caller HOME = caller("198.51.100.7");

  private World world;
  private Accounts accounts;

  /// Of the block's 20 the 15 that are free are used up.
  @BeforeEach
  void pump() {
    world = world(BITS);
    pump(world.accounts);
  }

  private void pump(Accounts pumped) {
    accounts = pumped;
    for (int i = 0; i < 15; i++) {
      ok(request(World.number(10_000_000 + i), null, caller("203.0." + i + ".9")));
    }
  }

  private static World world(int bits) {
    var budget = new AccountsConfig.SmsBudget(10, 50, 200, 20, 80, 1, 50, 10_000, bits);
    return new World(11, Configs.sms(AccountsConfig.DEFAULTS, budget));
  }

  private Answer<Registration.CodeSent> request(
      String number, @Nullable String proof, Caller from) {
    return accounts.registration().requestCode(number, proof, from);
  }

  /// To a number of the pumped block.
  private static String inBlock(int n) {
    return World.number(10_000_100 + n);
  }

  @Test
  void whereCodesArePumpedOneComesInWithAProof() {
    var asked = refused(request(inBlock(1), null, HOME), ErrorCode.RATE, "proof");
    assertThat(asked.retryMillis()).isBetween(1L, Duration.ofHours(24).toMillis());
    Challenge challenge = Work.challenge(asked);
    assertThat(challenge.bits()).isEqualTo(BITS);
    assertThat(challenge.expiresMillis())
        .isEqualTo(world.clock.millis() + Duration.ofMinutes(5).toMillis());
    int writes = world.writes;
    refused(request(inBlock(1), null, HOME), ErrorCode.RATE, "proof");
    assertThat(world.writes).as("asking writes nothing").isEqualTo(writes);

    var sent = ok(request(inBlock(1), Work.proof(challenge), HOME));
    var code = new Secret(world.codeOf(inBlock(1)));
    ok(world.accounts.registration().verify(inBlock(1), sent.request(), code, HOME));
    assertThat(world.count(AccountsEvent.PROOFS_ASKED)).isEqualTo(2);
    assertThat(world.count(AccountsEvent.PROOFS_RIGHT)).isEqualTo(1);
    assertThat(world.count(AccountsEvent.PROOFS_WRONG)).isZero();
  }

  /// Each who answers leaves the budget as it was: there is no end of good users.
  @Test
  void goodUsersOfAPumpedBlockAreServedWithoutEnd() {
    for (int i = 0; i < 100; i++) {
      Caller home = caller("100.64." + i + ".1");
      String number = inBlock(i);
      Answer<Registration.CodeSent> first = request(number, null, home);
      var sent =
          first instanceof Answer.Ok<Registration.CodeSent>(Registration.CodeSent free)
              ? free
              : ok(request(number, Work.proof(Work.challenge(first)), home));
      ok(
          world
              .accounts
              .registration()
              .verify(number, sent.request(), new Secret(world.codeOf(number)), home));
    }
  }

  @Test
  void withProofsABudgetIsWhatItIsWithoutThem() {
    for (int i = 0; i < 5; i++) {
      Caller from = caller("100.64." + i + ".1");
      var asked = request(inBlock(i), null, from);
      ok(request(inBlock(i), Work.proof(Work.challenge(asked)), from));
    }
    var end = refused(request(inBlock(9), null, HOME), ErrorCode.RATE, "number");
    assertThat(end.challenge()).isNull();
    assertThat(world.count(AccountsEvent.CODES_REFUSED_PREFIX)).isEqualTo(1);
  }

  @Test
  void aProofIsForItsNumberAndItsNetwork() {
    Challenge challenge = Work.challenge(request(inBlock(1), null, HOME));
    String proof = Work.proof(challenge);
    wrong(inBlock(2), proof, HOME);
    wrong(inBlock(1), proof, caller("198.51.101.7"));
    wrong(inBlock(1), proof, caller("2001:db8::7"));
    // Another address of the network is a phone that has been given another one.
    ok(request(inBlock(1), proof, caller("198.51.100.200")));
  }

  @Test
  void aProofIsGoodOnceAlsoAfterARestart() {
    String number = inBlock(1);
    String proof = Work.proof(Work.challenge(request(number, null, HOME)));
    ok(request(number, proof, HOME));
    world.clock.pass(Duration.ofMinutes(2));
    wrong(number, proof, HOME);
    // Another nonce for the same challenge is the same proof.
    Challenge again = Work.challenge(request(number, null, HOME));
    ok(request(number, Work.proof(again), HOME));
    world.clock.pass(Duration.ofMinutes(2));
    world.restart();
    accounts = world.accounts;
    wrong(number, Work.proof(again, bits -> bits > BITS), HOME);
  }

  @Test
  void aProofIsLateWhenItsChallengeHasEnded() {
    String proof = Work.proof(Work.challenge(request(inBlock(1), null, HOME)));
    world.clock.pass(Duration.ofMinutes(5));
    wrong(inBlock(1), proof, HOME);
  }

  @Test
  void aProofHasTheBitsThatWereAskedFor() {
    Challenge challenge = Work.challenge(request(inBlock(1), null, HOME));
    for (int bits = 0; bits < BITS; bits++) {
      int exactly = bits;
      wrong(inBlock(1), Work.proof(challenge, has -> has == exactly), HOME);
    }
    ok(request(inBlock(1), Work.proof(challenge, has -> has == BITS), HOME));
  }

  /// Every character of the challenge is changed: bits, end and random bytes are the server's.
  @Test
  void aChallengeThatIsNotTheServersIsNone() {
    Challenge challenge = Work.challenge(request(inBlock(1), null, HOME));
    for (int i = 0; i < challenge.text().length(); i++) {
      var text = new StringBuilder(challenge.text());
      text.setCharAt(i, text.charAt(i) == 'A' ? 'B' : 'A');
      var forged = new Challenge(text.toString(), BITS, 0);
      wrong(inBlock(1), Work.proof(forged), HOME);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ".", "x", "x.y", "\u0000", "proof.proof"})
  void whatIsNoProofIsWrong(String proof) {
    wrong(inBlock(1), proof, HOME);
  }

  @Test
  void aProofOfAnotherFormIsNone() {
    String proof = Work.proof(Work.challenge(request(inBlock(1), null, HOME)));
    String longer = proof + "0".repeat(21);
    wrong(inBlock(1), longer, HOME);
    wrong(inBlock(1), proof.replace('.', '-'), HOME);
    ok(request(inBlock(1), proof, HOME));
  }

  private void wrong(String number, String proof, Caller from) {
    int before = world.count(AccountsEvent.PROOFS_WRONG);
    var again = refused(request(number, proof, from), ErrorCode.RATE, "proof");
    assertThat(again.challenge()).as("another chance").isNotNull();
    assertThat(world.count(AccountsEvent.PROOFS_WRONG)).isEqualTo(before + 1);
  }

  @Test
  void oneProofShownByManyAtOnceSendsOneCode() throws InterruptedException {
    // Records that several threads may write.
    pump(world.open(new MemoryRecords(world.clock)));
    String proof = Work.proof(Work.challenge(request(inBlock(1), null, HOME)));
    int before = world.count(AccountsEvent.CODES_SENT);
    var start = new CountDownLatch(1);
    var sent = new AtomicInteger();
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < 8; t++) {
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                try {
                  start.await();
                } catch (InterruptedException e) {
                  throw new AssertionError(e);
                }
                if (request(inBlock(1), proof, HOME) instanceof Answer.Ok) {
                  sent.incrementAndGet();
                }
              }));
    }
    start.countDown();
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(sent.get()).isEqualTo(1);
    assertThat(world.count(AccountsEvent.CODES_SENT)).isEqualTo(before + 1);
  }

  @Test
  void elsewhereNobodyIsAsked() {
    ok(request(World.number(77_000_001), null, HOME));
    ok(request(World.number(78_000_001), "whatever", HOME));
    assertThat(world.count(AccountsEvent.PROOFS_ASKED)).isZero();
    assertThat(world.count(AccountsEvent.PROOFS_WRONG)).isZero();
  }

  /// When three quarters of what a day may cost are spent, everyone brings a proof.
  @Test
  void theLastOfTheDaysSpendIsForThoseWithAProof() {
    var budget = new AccountsConfig.SmsBudget(10, 50, 200, 20, 80, 1, 50, 8, BITS);
    world = new World(12, Configs.sms(AccountsConfig.DEFAULTS, budget));
    accounts = world.accounts;
    for (int i = 0; i < 6; i++) {
      ok(request(World.number(20_000_000L + i * 1_000_000L), null, HOME));
    }
    for (int i = 0; i < 2; i++) {
      String number = World.number(40_000_000L + i * 1_000_000L);
      var asked = refused(request(number, null, HOME), ErrorCode.RATE, "proof");
      ok(request(number, Work.proof(Work.challenge(asked)), HOME));
    }
    refused(request(inBlock(1), null, HOME), ErrorCode.RATE, "number");
    assertThat(world.count(AccountsEvent.CODES_REFUSED_SPEND)).isEqualTo(1);
  }

  @Test
  void withoutBitsNobodyIsAsked() {
    accounts = world(0).accounts;
    for (int i = 0; i < 20; i++) {
      ok(request(inBlock(i), null, caller("203.0." + i + ".9")));
    }
    refused(request(inBlock(20), null, HOME), ErrorCode.RATE, "number");
  }
}

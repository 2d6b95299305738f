package io.tern.accounts;

import static io.tern.accounts.World.caller;
import static io.tern.accounts.World.device;
import static io.tern.accounts.World.ok;
import static io.tern.accounts.World.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.accounts.sms.SmsSender;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// Codes, and who comes in with them.
class RegistrationTest {

  private static final String ANNA = World.number(23_456_789);
  private static final String PIN = "314159";

  private final World world = new World(7);

  private Registration registration() {
    return world.accounts.registration();
  }

  @Test
  void whoShowsTheCodeComesIn() {
    Registered registered = world.register(ANNA);
    assertThat(registered.sameAccount()).isFalse();
    assertThat(world.connects(registered.device())).isTrue();
    assertThat(world.refreshes(registered)).isTrue();
    var profile = ok(world.accounts.profiles().own(registered.device()));
    assertThat(profile.number()).isEqualTo(ANNA);
    assertThat(profile.name()).isEqualTo("Anna");
    assertThat(ok(world.accounts.admin().find(ANNA))).isEqualTo(registered.device().user());
  }

  @Test
  void whatIsNoNumberIsRefused() {
    for (String text :
        new String[] {"", "0151 2345678", "+49", "+999123456789", "+4915123456789x1"}) {
      refused(registration().requestCode(text, caller("192.0.2.1")), ErrorCode.ARGUMENT, "number");
    }
    assertThat(world.texts).isEmpty();
  }

  @Test
  void anotherFormOfTheNumberIsTheSame() {
    ok(registration().requestCode("+49 (151) 234-567-89", caller("192.0.2.1")));
    assertThat(world.texts).containsOnlyKeys("+4915123456789");
  }

  @Test
  void onlyRegionsThatAreServedGetCodes() {
    var defaults = AccountsConfig.DEFAULTS;
    world.config(Configs.regions(defaults, Set.of("CH")));
    refused(registration().requestCode(ANNA, caller("192.0.2.1")), ErrorCode.NOT_ALLOWED, "number");
    ok(registration().requestCode("+41791234567", caller("192.0.2.1")));
    assertThat(world.count(AccountsEvent.CODES_REFUSED_REGION)).isEqualTo(1);
  }

  @Test
  void aCodeIsGoodForFiveTriesAndTenMinutes() {
    var sent = ok(registration().requestCode(ANNA, caller("192.0.2.1")));
    var right = new Secret(world.codeOf(ANNA));
    var wrong = new Secret(right.reveal().equals("111111") ? "222222" : "111111");
    for (int i = 0; i < 5; i++) {
      refused(
          registration().verify(ANNA, sent.request(), wrong, caller("192.0.2.1")),
          ErrorCode.NOT_ALLOWED,
          "code");
    }
    refused(
        registration().verify(ANNA, sent.request(), right, caller("192.0.2.1")),
        ErrorCode.QUOTA,
        "code");

    world.clock.pass(Duration.ofMinutes(1));
    var late = ok(registration().requestCode(ANNA, caller("192.0.2.1")));
    world.clock.pass(Duration.ofMinutes(10));
    var answer =
        registration()
            .verify(ANNA, late.request(), new Secret(world.codeOf(ANNA)), caller("192.0.2.1"));
    assertThat(answer).isInstanceOf(Answer.Refused.class);
  }

  @Test
  void aCodeBelongsToItsRequestAndNumber() {
    var mine = ok(registration().requestCode(ANNA, caller("192.0.2.1")));
    String other = World.number(33_333_333);
    var others = ok(registration().requestCode(other, caller("192.0.2.1")));
    var code = new Secret(world.codeOf(other));
    refused(
        registration().verify(ANNA, others.request(), code, caller("192.0.2.1")),
        ErrorCode.NOT_FOUND,
        "request");
    if (!code.reveal().equals(world.codeOf(ANNA))) {
      refused(
          registration().verify(ANNA, mine.request(), code, caller("192.0.2.1")),
          ErrorCode.NOT_ALLOWED,
          "code");
    }
  }

  @Test
  void somebodyElsesRequestDoesNotMakeOnesOwnVoid() {
    var mine = ok(registration().requestCode(ANNA, caller("192.0.2.1")));
    var code = new Secret(world.codeOf(ANNA));
    world.clock.pass(Duration.ofMinutes(1));
    ok(registration().requestCode(ANNA, caller("198.51.100.9")));
    ok(registration().verify(ANNA, mine.request(), code, caller("192.0.2.1")));
  }

  @Test
  void codesToANumberAreFewAndFarBetween() {
    ok(registration().requestCode(ANNA, caller("192.0.2.1")));
    var soon =
        refused(registration().requestCode(ANNA, caller("192.0.2.1")), ErrorCode.RATE, "number");
    assertThat(soon.retryMillis()).isBetween(1L, 60_000L);
    for (int i = 1; i < 5; i++) {
      world.clock.pass(Duration.ofMinutes(2));
      ok(registration().requestCode(ANNA, caller("203.0.113." + i)));
    }
    world.clock.pass(Duration.ofMinutes(2));
    refused(registration().requestCode(ANNA, caller("203.0.113.77")), ErrorCode.RATE, "number");
    world.restart();
    refused(registration().requestCode(ANNA, caller("203.0.113.78")), ErrorCode.RATE, "number");
    world.clock.pass(Duration.ofHours(24));
    ok(registration().requestCode(ANNA, caller("203.0.113.77")));
  }

  @Test
  void whatTheProviderRefusesCostsNothing() {
    world.smsOutcome = new SmsSender.SmsOutcome.Refused("no");
    for (int i = 0; i < 9; i++) {
      world.clock.pass(Duration.ofMinutes(2));
      refused(
          registration().requestCode(ANNA, caller("192.0.2.1")), ErrorCode.NOT_ALLOWED, "number");
    }
    world.smsOutcome = new SmsSender.SmsOutcome.RetryLater("busy");
    world.clock.pass(Duration.ofMinutes(2));
    refused(registration().requestCode(ANNA, caller("192.0.2.1")), ErrorCode.BUSY, "number");
    world.smsOutcome = new SmsSender.SmsOutcome.Accepted("");
    world.register(World.number(44_444_444));
  }

  @Test
  void aLostAnswerIsGivenAgain() {
    Secret ticket = world.ticket(ANNA);
    Registered first = ok(registration().register(ANNA, ticket, device(null)));
    Registered again = ok(registration().register(ANNA, ticket, device(null)));
    assertThat(again.device()).isEqualTo(first.device());
    assertThat(again.secret()).isEqualTo(first.secret());
    assertThat(world.refreshes(again)).isTrue();
    // The secret is in use: nobody gets it again.
    refused(registration().register(ANNA, ticket, device(null)), ErrorCode.NOT_ALLOWED, "ticket");
  }

  @Test
  void aTicketIsForItsNumberAndItsTime() {
    Secret ticket = world.ticket(ANNA);
    String other = World.number(55_555_555);
    refused(registration().register(other, ticket, device(null)), ErrorCode.NOT_ALLOWED, "ticket");
    world.clock.pass(Duration.ofMinutes(15));
    refused(registration().register(ANNA, ticket, device(null)), ErrorCode.NOT_ALLOWED, "ticket");
  }

  @Test
  void aTicketWhoseDeviceIsOutLeavesTheAccountAlone() {
    Secret ticket = world.ticket(ANNA);
    Registered first = ok(registration().register(ANNA, ticket, device(null)));
    Registered second = linked(first);
    ok(world.accounts.devices().revoke(second.device(), first.device().index()));
    refused(registration().register(ANNA, ticket, device(null)), ErrorCode.NOT_ALLOWED, "ticket");
    assertThat(world.connects(second.device())).isTrue();
    assertThat(world.refreshes(second)).isTrue();
    assertThat(world.connects(first.device())).isFalse();
  }

  @Test
  void aTicketIsOverWhenItsAccountHasAnotherNumber() {
    Secret ticket = world.ticket(ANNA);
    Registered anna = ok(registration().register(ANNA, ticket, device(null)));
    assertThat(world.refreshes(anna)).isTrue();
    String next = World.number(66_666_666);
    ok(world.accounts.numbers().change(anna.device(), next, world.ticket(next), null));
    refused(registration().register(ANNA, ticket, device(null)), ErrorCode.CONFLICT, "number");
    refused(world.accounts.admin().find(ANNA), ErrorCode.NOT_FOUND, "number");
    assertThat(ok(world.accounts.admin().find(next))).isEqualTo(anna.device().user());
  }

  private Registered linked(Registered by) {
    Linking linking = world.accounts.linking();
    var opened = ok(linking.open("tablet", caller("192.0.2.7")));
    ok(linking.claim(by.device(), opened.link(), opened.key()));
    ok(linking.confirm(by.device(), opened.link(), true));
    return ok(linking.complete(opened.link(), opened.key()));
  }

  // ---- a number that has an account ------------------------------------------------------------

  @Test
  void theNumberAloneMakesANewAccountAndEndsTheOneBefore() {
    Registered old = world.register(ANNA);
    world.connects(old.device());
    Registered young = world.register(ANNA);
    assertThat(young.sameAccount()).isFalse();
    assertThat(young.device().user()).isNotEqualTo(old.device().user());
    assertThat(world.connects(old.device())).isFalse();
    assertThat(world.killed).contains(old.device());
    assertThat(world.refreshes(old)).isFalse();
    assertThat(ok(world.accounts.admin().find(ANNA))).isEqualTo(young.device().user());
  }

  @Test
  void thePinOpensTheSameAccountAndPutsOtherDevicesOut() {
    Registered old = world.register(ANNA, PIN);
    Secret ticket = world.ticket(ANNA);
    Registered back = ok(registration().register(ANNA, ticket, device(PIN)));
    assertThat(back.sameAccount()).isTrue();
    assertThat(back.device().user()).isEqualTo(old.device().user());
    assertThat(back.device().index()).isEqualTo(2);
    assertThat(world.connects(old.device())).isFalse();
    assertThat(world.refreshes(old)).isFalse();
    assertThat(world.connects(back.device())).isTrue();
    assertThat(world.refreshes(back)).isTrue();
  }

  @Test
  void verifyingSaysThatThereIsAPin() {
    world.register(ANNA, PIN);
    var sent = ok(registration().requestCode(ANNA, caller("192.0.2.1")));
    var verified =
        ok(
            registration()
                .verify(ANNA, sent.request(), new Secret(world.codeOf(ANNA)), caller("192.0.2.1")));
    assertThat(verified.pinNeeded()).isTrue();
    assertThat(verified.pinRetryMillis()).isZero();
  }

  @Test
  void withoutThePinTheNumberIsLockedUntilTheAccountIsIdle() {
    Registered old = world.register(ANNA, PIN);
    var locked = refused(world.tryRegister(ANNA, null), ErrorCode.NOT_ALLOWED, "pin");
    assertThat(locked.retryMillis()).isBetween(1L, Duration.ofDays(7).toMillis());
    world.clock.pass(Duration.ofDays(5));
    assertThat(world.refreshes(old)).isTrue();
    world.clock.pass(Duration.ofDays(6));
    refused(world.tryRegister(ANNA, null), ErrorCode.NOT_ALLOWED, "pin");
    assertThat(world.connects(old.device())).isTrue();
    world.clock.pass(Duration.ofDays(1));
    Registered young = ok(world.tryRegister(ANNA, null));
    assertThat(young.device().user()).isNotEqualTo(old.device().user());
    assertThat(world.connects(old.device())).isFalse();
  }

  @Test
  void wrongPinsWaitTwiceAsLongEachTimeAndThenAWeek() {
    world.register(ANNA, PIN);
    Secret ticket = world.ticket(ANNA);
    long wait = 1_000;
    for (int i = 1; i < PinGate.WRONG_MAX; i++) {
      if (i % 4 == 0) {
        world.clock.pass(Duration.ofDays(1));
        ticket = world.ticket(ANNA);
      }
      var wrong =
          refused(
              registration().register(ANNA, ticket, device(World.PIN_WRONG)),
              ErrorCode.NOT_ALLOWED,
              "pin");
      assertThat(wrong.retryMillis()).isEqualTo(wait);
      refused(registration().register(ANNA, ticket, device(PIN)), ErrorCode.RATE, "pin");
      world.clock.pass(Duration.ofMillis(wait));
      wait *= 2;
    }
    ticket = world.ticket(ANNA);
    var last =
        refused(
            registration().register(ANNA, ticket, device(World.PIN_WRONG)),
            ErrorCode.NOT_ALLOWED,
            "pin");
    assertThat(last.retryMillis()).isEqualTo(Duration.ofDays(7).toMillis());
    world.clock.pass(Duration.ofDays(6));
    refused(world.tryRegister(ANNA, PIN), ErrorCode.RATE, "pin");
    world.clock.pass(Duration.ofDays(1));
    assertThat(ok(world.tryRegister(ANNA, PIN)).sameAccount()).isTrue();
  }

  @Test
  void theRecoveryKeyOpensAnAccountThatLostItsNumber() {
    Registered old = world.register(ANNA);
    Secret key = ok(world.accounts.recovery().createKey(old.device(), null));
    Registered young = world.register(ANNA);
    UserId user = old.device().user();
    refused(
        world.accounts.recovery().recover(user, new Secret("wrong"), "phone"),
        ErrorCode.NOT_ALLOWED,
        "key");
    Registered back = ok(world.accounts.recovery().recover(user, key, "phone"));
    assertThat(back.sameAccount()).isTrue();
    assertThat(world.connects(back.device())).isTrue();
    assertThat(world.connects(old.device())).isFalse();
    assertThat(ok(world.accounts.profiles().own(back.device())).number()).isEmpty();
    assertThat(ok(world.accounts.admin().find(ANNA))).isEqualTo(young.device().user());
    // Once.
    assertThat(world.refreshes(back)).isTrue();
    refused(world.accounts.recovery().recover(user, key, "phone"), ErrorCode.NOT_ALLOWED, "key");
  }

  @Test
  void theNumberOfOneWhoIsBannedMakesNoOtherAccountMeanwhile() {
    Registered anna = world.register(ANNA);
    UserId user = anna.device().user();
    ok(world.accounts.admin().ban(user, world.clock.millis() + Duration.ofDays(30).toMillis()));
    var banned = refused(world.tryRegister(ANNA, null), ErrorCode.BANNED, "number");
    assertThat(banned.retryMillis()).isBetween(1L, Duration.ofDays(30).toMillis());
    // Nor does it go to an account that the same person has elsewhere.
    Registered other = world.register(World.number(77_777_777));
    refused(
        world.accounts.numbers().change(other.device(), ANNA, world.ticket(ANNA), null),
        ErrorCode.BANNED,
        "number");
    assertThat(ok(world.accounts.admin().find(ANNA))).isEqualTo(user);
    assertThat(world.connects(anna.device())).isFalse();

    ok(world.accounts.admin().ban(user, 0));
    assertThat(world.connects(anna.device())).isTrue();
    ok(world.accounts.admin().ban(user, Long.MAX_VALUE));
    refused(world.tryRegister(ANNA, null), ErrorCode.BANNED, "number");
    // What an operator has erased is free.
    ok(world.accounts.admin().erase(user));
    assertThat(world.register(ANNA).device().user()).isNotEqualTo(user);
  }

  @Test
  void neitherPinNorRecoveryKeyBringsOneWhoIsBannedBack() {
    Registered anna = world.register(ANNA, PIN);
    UserId user = anna.device().user();
    Secret key = ok(world.accounts.recovery().createKey(anna.device(), new Secret(PIN)));
    ok(world.accounts.admin().ban(user, Long.MAX_VALUE));
    refused(world.tryRegister(ANNA, PIN), ErrorCode.BANNED, "");
    refused(world.accounts.recovery().recover(user, key, "phone"), ErrorCode.BANNED, "");
    // Only who knows it learns of the ban, and all is as it was when it ends.
    refused(
        world.accounts.recovery().recover(user, new Secret("wrong"), "phone"),
        ErrorCode.NOT_ALLOWED,
        "key");
    assertThat(world.accounts.resume()).isZero();
    ok(world.accounts.admin().ban(user, 0));
    assertThat(world.connects(anna.device())).isTrue();
    assertThat(world.refreshes(anna)).isTrue();
  }

  @Test
  void whoHasATokenAloneMakesNoKeyThatOutlivesIt() {
    Registered anna = world.register(ANNA, PIN);
    Recovery recovery = world.accounts.recovery();
    Secret key = ok(recovery.createKey(anna.device(), new Secret(PIN)));
    refused(recovery.createKey(anna.device(), null), ErrorCode.NOT_ALLOWED, "pin");
    refused(
        recovery.createKey(anna.device(), new Secret(World.PIN_WRONG)),
        ErrorCode.NOT_ALLOWED,
        "pin");
    // Neither did the owner's key become void.
    assertThat(ok(recovery.recover(anna.device().user(), key, "phone")).sameAccount()).isTrue();
  }

  @Test
  void anUnknownUserIsRecoveredAsAWrongKeyIs() {
    refused(
        world.accounts.recovery().recover(new UserId(99), new Secret("x"), "phone"),
        ErrorCode.NOT_ALLOWED,
        "key");
  }
}

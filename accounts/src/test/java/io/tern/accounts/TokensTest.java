package io.tern.accounts;

import static io.tern.accounts.World.ok;
import static io.tern.accounts.World.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import org.junit.jupiter.api.Test;

/// Secrets that rotate, and what a thief of one gets.
class TokensTest {

  private static final String ONE = "attempt-1-aaaaaaaaaaaa";
  private static final String TWO = "attempt-2-aaaaaaaaaaaa";
  private static final String THREE = "attempt-3-aaaaaaaaaaaa";

  private final World world = new World(5);
  private final Registered phone = world.register(World.number(12_121_212));

  private Answer<Tokens.Pair> refresh(Secret secret, long number, String attempt) {
    return world.accounts.tokens().refresh(phone.device(), secret, number, attempt);
  }

  @Test
  void eachSecretBringsTheNext() {
    Secret secret = phone.secret();
    for (long n = 1; n < 30; n++) {
      Tokens.Pair pair = ok(refresh(secret, n, "attempt-number-" + n + "-aaaa"));
      assertThat(pair.next()).isNotEqualTo(secret);
      assertThat(pair.nextNumber()).isEqualTo(n + 1);
      secret = pair.next();
    }
  }

  @Test
  void aLostAnswerIsGivenAgain() {
    Tokens.Pair first = ok(refresh(phone.secret(), 1, ONE));
    Tokens.Pair again = ok(refresh(phone.secret(), 1, ONE));
    assertThat(again.next()).isEqualTo(first.next());
    world.restart();
    assertThat(ok(refresh(phone.secret(), 1, ONE)).next()).isEqualTo(first.next());
    ok(refresh(first.next(), 2, TWO));
  }

  @Test
  void aRotatedSecretUsedAgainEndsTheDevice() {
    Tokens.Pair first = ok(refresh(phone.secret(), 1, ONE));
    ok(refresh(first.next(), 2, TWO));
    refused(refresh(phone.secret(), 1, ONE), ErrorCode.REVOKED, "secret");
    assertThat(world.connects(phone.device())).isFalse();
    assertThat(world.killed).contains(phone.device());
    assertThat(world.count(AccountsEvent.SECRETS_REUSED)).isEqualTo(1);
    refused(refresh(first.next(), 2, TWO), ErrorCode.TOKEN_INVALID, "secret");
  }

  @Test
  void twoWhoUseTheSameSecretEndTheDevice() {
    ok(refresh(phone.secret(), 1, ONE));
    refused(refresh(phone.secret(), 1, THREE), ErrorCode.REVOKED, "secret");
    assertThat(world.connects(phone.device())).isFalse();
  }

  @Test
  void aThiefWhoWasFirstIsFoundWhenTheOwnerComes() {
    Tokens.Pair thief = ok(refresh(phone.secret(), 1, THREE));
    Tokens.Pair more = ok(refresh(thief.next(), 2, TWO));
    refused(refresh(phone.secret(), 1, ONE), ErrorCode.REVOKED, "secret");
    refused(refresh(more.next(), 3, TWO), ErrorCode.TOKEN_INVALID, "secret");
  }

  @Test
  void aWrongSecretEndsNothing() {
    refused(refresh(new Secret("guess"), 1, ONE), ErrorCode.TOKEN_INVALID, "secret");
    refused(refresh(new Secret(""), 0, ONE), ErrorCode.TOKEN_INVALID, "secret");
    refused(refresh(phone.secret(), 2, ONE), ErrorCode.TOKEN_INVALID, "secret");
    ok(refresh(phone.secret(), 1, ONE));
  }

  @Test
  void anUnknownDeviceIsAsAWrongSecret() {
    refused(
        world
            .accounts
            .tokens()
            .refresh(new DeviceId(phone.device().user(), 9), phone.secret(), 1, ONE),
        ErrorCode.TOKEN_INVALID,
        "secret");
    refused(
        world.accounts.tokens().refresh(new DeviceId(new UserId(3), 1), phone.secret(), 1, ONE),
        ErrorCode.TOKEN_INVALID,
        "secret");
  }

  @Test
  void anAttemptHasToBeSaid() {
    refused(refresh(phone.secret(), 1, "short"), ErrorCode.ARGUMENT, "attempt");
    refused(refresh(phone.secret(), 1, "x".repeat(65)), ErrorCode.ARGUMENT, "attempt");
  }

  @Test
  void aBannedUserHasNoToken() {
    ok(world.accounts.admin().ban(phone.device().user(), world.clock.millis() + 60_000));
    var refused = refused(refresh(phone.secret(), 1, ONE), ErrorCode.BANNED, "");
    assertThat(refused.retryMillis()).isEqualTo(60_000);
    assertThat(world.connects(phone.device())).isFalse();
    ok(world.accounts.admin().ban(phone.device().user(), 0));
    ok(refresh(phone.secret(), 1, ONE));
    assertThat(world.connects(phone.device())).isTrue();
  }

  @Test
  void nobodyElseLearnsOfABan() {
    ok(world.accounts.admin().ban(phone.device().user(), world.clock.millis() + 60_000));
    refused(refresh(new Secret("guess"), 1, ONE), ErrorCode.TOKEN_INVALID, "secret");
  }

  @Test
  void aRefusalForABanUsesNoSecretUp() {
    ok(world.accounts.admin().ban(phone.device().user(), world.clock.millis() + 60_000));
    refused(refresh(phone.secret(), 1, ONE), ErrorCode.BANNED, "");
    ok(world.accounts.admin().ban(phone.device().user(), 0));
    ok(refresh(phone.secret(), 1, TWO));
  }

  @Test
  void aRevokedDeviceHasNoTokenAndNoAccess() {
    ok(world.accounts.devices().revoke(phone.device(), phone.device().index()));
    refused(refresh(phone.secret(), 1, ONE), ErrorCode.TOKEN_INVALID, "secret");
    refused(world.accounts.devices().list(phone.device()), ErrorCode.REVOKED, "");
    refused(world.accounts.profiles().own(phone.device()), ErrorCode.REVOKED, "");
    refused(world.accounts.deletion().delete(phone.device(), null), ErrorCode.REVOKED, "");
    assertThat(world.connects(phone.device())).isFalse();
  }

  @Test
  void secretsPrintAsNothing() {
    assertThat(phone.toString()).doesNotContain(phone.secret().reveal()).contains("[redacted]");
    assertThat(phone.token().toString()).doesNotContain(phone.token().value());
  }
}

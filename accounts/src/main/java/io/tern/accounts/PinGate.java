package io.tern.accounts;

import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.pin.PinHasher;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.Pin;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// Tries at PINs. A try is written down before the PIN is looked at, so that tries at the same time
/// count one by one; each wrong one doubles the wait for the next, and after [#WRONG_MAX] in a row
/// none is taken for [#LOCK].
final class PinGate {

  static final int CHARACTERS_MIN = 4;
  static final int BYTES_MAX = 64;
  static final int WRONG_MAX = 10;
  static final Duration LOCK = Duration.ofDays(7);

  private static final long FIRST_WAIT_MILLIS = 1_000;

  private final Context context;
  private final PinHasher hasher;

  PinGate(Context context, PinHasher hasher) {
    this.context = context;
    this.hasher = hasher;
  }

  /// The hash of a new PIN.
  Pin made(Secret pin) {
    return Pin.newBuilder().setHash(hasher.hash(checked(pin).reveal())).build();
  }

  private static Secret checked(Secret pin) {
    String text = pin.reveal();
    if (text.length() < CHARACTERS_MIN
        || text.length() > BYTES_MAX
        || text.getBytes(StandardCharsets.UTF_8).length > BYTES_MAX) {
      throw new Refusal(ErrorCode.ARGUMENT, "pin");
    }
    return pin;
  }

  /// In how long the next try is taken; 0 = now.
  long waitMillis(Account account) {
    return Math.max(0, account.getPin().getNextMs() - context.now());
  }

  /// Lets a device of the account through that shows its PIN, or needs none: what it asks for
  /// outlives its token.
  ///
  /// @param pin null = was not shown
  /// @param field of the request, where the PIN stands
  /// @throws Refusal as of [#check]
  void require(DeviceId by, Account account, @Nullable Secret pin, String field) {
    if (account.hasPin()) {
      if (pin == null) {
        throw new Refusal(ErrorCode.NOT_ALLOWED, field);
      }
      check(by.user(), pin);
    }
  }

  /// Lets through who knows the PIN of the account, which has one. Without one nobody is let
  /// through: it may have been removed since the account was looked at.
  ///
  /// @throws Refusal NOT_ALLOWED: it is another one; RATE: not yet
  void check(UserId user, Secret pin) {
    checked(pin);
    String hash =
        context.change(
            user,
            account -> {
              if (!account.hasPin()) {
                throw new Refusal(ErrorCode.NOT_ALLOWED, "pin");
              }
              Pin before = account.getPin();
              long wait = waitMillis(account);
              if (wait > 0) {
                context.meter.add(AccountsEvent.PINS_REFUSED);
                throw new Refusal(ErrorCode.RATE, "pin", wait);
              }
              // Counts as wrong until it is known to be right.
              int wrong = before.getWrong() >= WRONG_MAX ? 1 : before.getWrong() + 1;
              long next = wrong >= WRONG_MAX ? LOCK.toMillis() : FIRST_WAIT_MILLIS << (wrong - 1);
              Pin after =
                  before.toBuilder().setWrong(wrong).setNextMs(context.now() + next).build();
              return Step.put(account.toBuilder().setPin(after).build(), before.getHash());
            });
    if (hash == null) {
      throw new Refusal(ErrorCode.NOT_FOUND, "");
    }
    if (!hasher.matches(pin.reveal(), hash)) {
      context.meter.add(AccountsEvent.PINS_WRONG);
      Account account = context.account(user);
      long wait = account == null ? 0 : waitMillis(account);
      throw new Refusal(ErrorCode.NOT_ALLOWED, "pin", wait);
    }
    context.change(
        user,
        account ->
            account.getPin().getHash().equals(hash)
                ? Step.put(
                    account.toBuilder()
                        .setPin(account.getPin().toBuilder().clearWrong().clearNextMs())
                        .build(),
                    true)
                : Step.keep(true));
  }
}

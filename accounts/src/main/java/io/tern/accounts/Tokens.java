package io.tern.accounts;

import com.google.protobuf.ByteString;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.AccountDevice;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;

/// Gives access tokens for device secrets. A secret is good for one refresh, which brings the next
/// one: whoever copies a secret uses it beside its owner, and that shows.
///
/// ```
/// device has s1; shows (1, s1, attempt a)  → token, s2      s1 is good until s2 is shown:
///                shows (1, s1, attempt a)  → token, s2        the answer was lost
///                shows (1, s1, attempt b)  → REVOKED          two have s1
///                shows (2, s2, attempt c)  → token, s3      s1 is void
///                shows (1, s1, …)          → REVOKED          two had s1
/// ```
///
/// Any thread; blocks.
public final class Tokens {

  /// Secrets that are remembered as used; older ones are merely wrong.
  private static final int USED_MAX = 8;

  private static final int USED_BYTES = 16;
  private static final int ATTEMPT_CHARACTERS_MIN = 16;
  private static final int ATTEMPT_CHARACTERS_MAX = 64;

  /// What a refresh brings.
  ///
  /// @param next the secret to be shown next time, and its number
  public record Pair(AccessToken token, Secret next, long nextNumber) {}

  private enum Verdict {
    RIGHT,
    WRONG,
    STOLEN,

    /// The right secret of a banned user: it stays unused. Nobody else learns of the ban.
    BANNED
  }

  private final Context context;
  private final Devices devices;

  Tokens(Context context, Devices devices) {
    this.context = context;
    this.devices = devices;
  }

  /// Gives a token and the next secret. An unknown device and a wrong secret are the same.
  ///
  /// @param attempt 16 to 64 characters that the client drew for this use of the secret and keeps
  ///   until it has the answer: the same again is the same use
  public Answer<Pair> refresh(DeviceId device, Secret secret, long number, String attempt) {
    return Answer.of(() -> {
      if (attempt.length() < ATTEMPT_CHARACTERS_MIN || attempt.length() > ATTEMPT_CHARACTERS_MAX) {
        throw new Refusal(ErrorCode.ARGUMENT, "attempt");
      }
      long banLeft = context.bannedMillis(device.user());
      byte[] use = Pepper.sha256(Pepper.bytes(attempt));
      byte[] nonce = Pepper.random(context.random, USED_BYTES);
      Secret[] next = {new Secret("")};
      Verdict verdict =
          context.change(
              device.user(),
              account -> decide(account, device, secret, number, use, nonce, banLeft > 0, next));
      if (verdict == null || verdict == Verdict.WRONG) {
        context.meter.add(AccountsEvent.TOKENS_REFUSED);
        throw new Refusal(ErrorCode.TOKEN_INVALID, "secret");
      }
      if (verdict == Verdict.STOLEN) {
        context.meter.add(AccountsEvent.SECRETS_REUSED);
        devices.putOut(device.user(), device.index());
        throw new Refusal(ErrorCode.REVOKED, "secret");
      }
      if (verdict == Verdict.BANNED) {
        throw new Refusal(ErrorCode.BANNED, "", banLeft);
      }
      return new Pair(context.token(device), next[0], number + 1);
    });
  }

  private Step<Account, Verdict> decide(
      Account account,
      DeviceId id,
      Secret secret,
      long number,
      byte[] use,
      byte[] nonce,
      boolean banned,
      Secret[] next) {
    int at = -1;
    for (int i = 0; i < account.getDevicesCount(); i++) {
      at = account.getDevices(i).getIndex() == id.index() ? i : at;
    }
    if (at < 0) {
      return Step.keep(Verdict.WRONG);
    }
    AccountDevice device = account.getDevices(at);
    ByteString shown = Context.hash(secret);
    if (wasUsed(device, shown)) {
      return Step.keep(Verdict.STOLEN);
    }
    boolean isNext =
        number == device.getNumber() + 1
            && !device.getNext().isEmpty()
            && Context.matches(secret, device.getNext());
    if (isNext) {
      device = promoted(device);
    } else if (number != device.getNumber() || !Context.matches(secret, device.getSecret())) {
      return Step.keep(Verdict.WRONG);
    }
    var after = device.toBuilder().setUsedMs(context.now());
    if (device.getNext().isEmpty()) {
      after.setNonce(ByteString.copyFrom(nonce)).setAttempt(ByteString.copyFrom(use));
    } else if (!Context.matches(use, device.getAttempt())) {
      return Step.keep(Verdict.STOLEN);
    }
    if (banned) {
      return Step.keep(Verdict.BANNED);
    }
    next[0] =
        context.pepper.secret(
            "next secret",
            Pepper.bytes(id.user().value()),
            Pepper.bytes((long) id.index()),
            Pepper.bytes(number),
            after.getNonce().toByteArray(),
            secret.bytes());
    after.setNext(Context.hash(next[0]));
    return Step.put(account.toBuilder().setDevices(at, after).build(), Verdict.RIGHT);
  }

  /// The next secret has been shown: the one before is used.
  private static AccountDevice promoted(AccountDevice device) {
    var after = device.toBuilder().clearUsed();
    int kept = Math.min(device.getUsedCount(), USED_MAX - 1);
    after.addAllUsed(
        device.getUsedList().subList(device.getUsedCount() - kept, device.getUsedCount()));
    return after
        .addUsed(device.getSecret().substring(0, USED_BYTES))
        .setNumber(device.getNumber() + 1)
        .setSecret(device.getNext())
        .clearNext()
        .clearNonce()
        .clearAttempt()
        .build();
  }

  private static boolean wasUsed(AccountDevice device, ByteString shown) {
    ByteString wanted = shown.substring(0, USED_BYTES);
    return device.getUsedList().contains(wanted);
  }
}

package io.tern.accounts;

import com.google.protobuf.ByteString;
import io.tern.accounts.Answer.Done;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.NumberChange;
import io.tern.accounts.v1.NumberOwner;
import io.tern.accounts.v1.Request;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Whose a number is, and how it becomes another's.
///
/// The number's record names a user, the user's account names the number; it is the user's when
/// both do. Changing the number of an account therefore happens at one moment, the write of the
/// account, and each step before and after it may be repeated:
///
/// ```
/// 1 account: "about to change to N2"     N1 finds the user, N2 finds nobody
/// 2 record of N2: the user
/// 3 account: number is N2                N2 finds the user, N1 finds nobody
/// 4 record of N1: gone
/// 5 account: nothing about to change
/// ```
///
/// A process that ends in between leaves a note ([Kinds#WORK]) by which the next one goes on.
public final class Numbers {

  private final Context context;
  private final Erasing erasing;
  private final PinGate pins;
  private final Codes codes;

  Numbers(Context context, Erasing erasing, PinGate pins, Codes codes) {
    this.context = context;
    this.erasing = erasing;
    this.pins = pins;
    this.codes = codes;
  }

  /// Gives the account another number.
  ///
  /// @param ticket from [Registration#verify] of the new number
  /// @param pin of the account, where it has one
  public Answer<Done> change(DeviceId by, String number, Secret ticket, @Nullable Secret pin) {
    return Answer.done(() -> {
      Account account = context.require(by);
      Codes.Verified verified = codes.verified(number, ticket);
      pins.require(by, account, pin, "pin");
      byte[] hash = verified.hash();
      if (account.getNumberHash().equals(ByteString.copyFrom(hash))) {
        return;
      }
      UserId other = context.holder(hash);
      if (other != null && !other.equals(by.user())) {
        dispossess(other, hash);
      }
      context.begin(by.user());
      context.change(
          by,
          found ->
              Step.put(
                  found.toBuilder()
                      .setChange(
                          NumberChange.newBuilder()
                              .setTo(verified.e164())
                              .setToHash(ByteString.copyFrom(hash))
                              .setFromHash(found.getNumberHash())
                              .setBeganMs(context.now()))
                      .build(),
                  true));
      goOn(by.user());
      context.finished(by.user());
      Account after = context.account(by.user());
      if (after == null || !after.getNumberHash().equals(ByteString.copyFrom(hash))) {
        throw new Refusal(ErrorCode.CONFLICT, "number");
      }
      codes.used(hash, verified.request());
      context.meter.add(AccountsEvent.NUMBERS_CHANGED);
    });
  }

  /// Steps 2 to 5 of a change that was begun, if one was.
  void goOn(UserId user) {
    Account account = context.account(user);
    if (account == null || !account.hasChange()) {
      return;
    }
    NumberChange change = account.getChange();
    if (!change.getMoved()) {
      if (!take(change.getToHash().toByteArray(), user)) {
        // Somebody else had it verified meanwhile.
        context.change(
            user,
            found ->
                found.getChange().equals(change)
                    ? Step.put(found.toBuilder().clearChange().build(), true)
                    : Step.keep(true));
        return;
      }
      context.change(
          user,
          found ->
              found.getChange().equals(change)
                  ? Step.put(
                      found.toBuilder()
                          .setNumber(change.getTo())
                          .setNumberHash(change.getToHash())
                          .setChange(change.toBuilder().setMoved(true))
                          .build(),
                      true)
                  : Step.keep(true));
      account = context.account(user);
      if (account == null || !account.hasChange() || !account.getChange().getMoved()) {
        return;
      }
    }
    NumberChange moved = account.getChange();
    if (!moved.getFromHash().equals(moved.getToHash())) {
      erasing.freeNumber(user, moved.getFromHash().toByteArray());
    }
    context.change(
        user,
        found ->
            found.getChange().equals(moved)
                ? Step.put(found.toBuilder().clearChange().build(), true)
                : Step.keep(true));
  }

  /// Writes the user into the number's record, unless it is somebody else's. Also when the user is
  /// there: the write is what a deletion of the record that was decided before does not outlive.
  boolean take(byte[] hash, UserId user) {
    return context.cells.change(
        Context.numberKey(hash),
        NumberOwner.parser(),
        found -> {
          if (found != null && found.getUser() != user.value()) {
            Account other = context.account(new UserId(found.getUser()));
            if (other != null && Context.holds(other, ByteString.copyFrom(hash))) {
              return Step.keep(false);
            }
          }
          return Step.put(NumberOwner.newBuilder().setUser(user.value()).build(), true);
        });
  }

  /// Why the number may not leave this account without its PIN; 0 when it may. An account without a
  /// PIN has nothing that says more than the number does.
  long lockedMillis(UserId user, Account account) {
    if (!account.hasPin()) {
      return 0;
    }
    long free = context.lastUsed(user, account) + context.config.pinIdle().toMillis();
    return Math.max(0, free - context.now());
  }

  /// Takes the number from an account, for somebody who has it now and is not known to be the same
  /// person. Its sessions end. Who has a recovery key keeps the account, without a number; else it
  /// is nobody's any more, and is deleted. An account that has another number by now keeps all.
  ///
  /// @throws Refusal its PIN is asked for, or it is banned
  void dispossess(UserId user, byte[] hash) {
    Account seen = context.account(user);
    if (seen == null) {
      return;
    }
    checkMayLoseNumber(user, seen);
    context.begin(user);
    Optional<Account> before;
    try {
      before = context.change(user, found -> loseNumber(user, found, ByteString.copyFrom(hash)));
    } catch (Refusal refusal) {
      context.finished(user);
      throw refusal;
    }
    if (before == null || before.isEmpty()) {
      context.finished(user);
      return;
    }
    if (before.get().getRecovery().isEmpty()) {
      erasing.finish(user);
    } else {
      context.revokeDoomed(user);
      erasing.freeNumber(user, before.get().getNumberHash().toByteArray());
      context.finished(user);
    }
    context.meter.add(AccountsEvent.ACCOUNTS_LOST_NUMBER);
  }

  /// The result is the account before; empty when it has not got the number.
  private Step<Account, Optional<Account>> loseNumber(
      UserId user, Account found, ByteString numberHash) {
    if (!Context.holds(found, numberHash)) {
      return Step.keep(Optional.empty());
    }
    checkMayLoseNumber(user, found);
    var after = found.toBuilder();
    if (found.getRecovery().isEmpty()) {
      after.setClosing(true);
    } else {
      after.clearNumber().clearNumberHash().clearChange().clearDevices();
      found.getDevicesList().forEach(device -> after.addDoomed(device.getIndex()));
    }
    return Step.put(after.build(), Optional.of(found));
  }

  private void checkMayLoseNumber(UserId user, Account account) {
    long banned = context.bannedMillis(user);
    if (banned > 0) {
      throw new Refusal(ErrorCode.BANNED, "number", banned);
    }
    long locked = lockedMillis(user, account);
    if (locked > 0) {
      context.meter.add(AccountsEvent.PINS_REFUSED);
      throw new Refusal(ErrorCode.NOT_ALLOWED, "pin", locked);
    }
  }

  /// A request that was answered with the right code.
  static boolean isOf(Request request, Secret ticket, long now) {
    return !request.getTicket().isEmpty()
        && request.getTicketExpiresMs() > now
        && Context.matches(ticket, request.getTicket());
  }
}

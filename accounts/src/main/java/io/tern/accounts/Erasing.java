package io.tern.accounts;

import com.google.protobuf.ByteString;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.AccountDevice;
import io.tern.accounts.v1.NumberOwner;
import io.tern.accounts.v1.UsernameOwner;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.Outcome;

/// Deletes accounts, in steps of which each may be done again: mark it as closing (from then on it
/// lets nobody in), put its devices out, free what is indexed (number, username), erase the user in
/// the shards, delete its records, the account last.
final class Erasing {

  private final Context context;

  Erasing(Context context) {
    this.context = context;
  }

  /// Marks the account; false when there is none. After this there is no way back.
  boolean close(UserId user) {
    context.begin(user);
    Boolean closed =
        context.cells.change(
            Context.key(Kinds.ACCOUNT, user),
            Account.parser(),
            found ->
                found == null
                    ? Step.keep(false)
                    : Step.put(found.toBuilder().setClosing(true).build(), true));
    if (!closed) {
      context.finished(user);
    }
    return closed;
  }

  /// Does the rest for an account that is closing.
  void finish(UserId user) {
    Account account = context.cells.get(Context.key(Kinds.ACCOUNT, user), Account.parser());
    if (account != null && account.getClosing()) {
      putOut(user, account);
      freeNumber(user, account.getNumberHash().toByteArray());
      if (account.hasChange()) {
        freeNumber(user, account.getChange().getToHash().toByteArray());
        freeNumber(user, account.getChange().getFromHash().toByteArray());
      }
      freeUsername(user, account.getUsername());
      boolean more = true;
      while (more) {
        Outcome outcome = context.shards.execute(new Command.EraseUser(user));
        if (!(outcome instanceof Outcome.UserErased erased)) {
          throw new IllegalStateException("erase answered " + outcome);
        }
        more = erased.more();
      }
      delete(user, Kinds.LOOKUPS);
      delete(user, Kinds.ACCOUNT);
      context.meter.add(AccountsEvent.ACCOUNTS_DELETED);
    }
    context.finished(user);
  }

  /// Ends every session of the account.
  void putOut(UserId user, Account account) {
    for (AccountDevice device : account.getDevicesList()) {
      context.revoke(new DeviceId(user, device.getIndex()));
    }
    for (int index : account.getDoomedList()) {
      context.revoke(new DeviceId(user, index));
    }
  }

  /// The number is nobody's, if it was this user's and the account does not have it again.
  void freeNumber(UserId user, byte[] hash) {
    if (hash.length == 0) {
      return;
    }
    context.cells.change(
        Context.numberKey(hash),
        NumberOwner.parser(),
        found -> {
          Account account = context.account(user);
          boolean again = account != null && Context.holds(account, ByteString.copyFrom(hash));
          return found != null && found.getUser() == user.value() && !again
              ? Step.delete(true)
              : Step.keep(true);
        });
  }

  /// Nobody else takes the name for a while: it stood for this user. Unless the account has it
  /// again.
  void freeUsername(UserId user, String name) {
    if (name.isEmpty()) {
      return;
    }
    long held = context.now() + context.config.usernameHold().toMillis();
    context.cells.change(
        Usernames.key(context, name),
        UsernameOwner.parser(),
        found -> {
          Account account = context.account(user);
          boolean again = account != null && account.getUsername().equals(name);
          return found != null && found.getUser() == user.value() && !again
              ? Step.put(found.toBuilder().setHeldUntilMs(held).build(), held, true)
              : Step.keep(true);
        });
  }

  private void delete(UserId user, char kind) {
    var key = Context.key(kind, user);
    Records.Versioned found = context.records.get(key);
    while (found != null && !context.records.delete(key, found.version())) {
      found = context.records.get(key);
    }
  }
}

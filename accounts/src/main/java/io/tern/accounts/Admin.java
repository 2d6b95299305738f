package io.tern.accounts;

import io.tern.accounts.Answer.Done;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.number.PhoneNumbers;
import io.tern.accounts.number.PhoneNumbers.PhoneNumber;
import io.tern.accounts.v1.Account;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.util.List;

/// What an operator may do with accounts. Whoever calls this has seen to it that it is an operator.
/// Any thread; blocks.
public final class Admin {

  /// An account, for an operator: nothing of what its owner says or knows.
  ///
  /// @param bannedUntilMillis 0 = is not
  public record Overview(
      UserId user,
      boolean hasAccount,
      boolean hasNumber,
      boolean hasPin,
      long createdMillis,
      long lastSeenMillis,
      long bannedUntilMillis,
      List<Integer> devices) {}

  private final Context context;
  private final Erasing erasing;

  Admin(Context context, Erasing erasing) {
    this.context = context;
    this.erasing = erasing;
  }

  /// Whose number it is.
  public Answer<UserId> find(String number) {
    return Answer.of(() -> {
      PhoneNumber parsed = PhoneNumbers.parse(number);
      if (parsed == null) {
        throw new Refusal(ErrorCode.ARGUMENT, "number");
      }
      UserId user = context.holder(context.pepper.number(parsed.e164()));
      if (user == null) {
        throw new Refusal(ErrorCode.NOT_FOUND, "number");
      }
      return user;
    });
  }

  public Answer<Overview> overview(UserId user) {
    return Answer.of(() -> {
      Account account = context.account(user);
      return context.shards.read(snapshots -> {
        var shard = snapshots.of(Slots.of(user));
        if (!Reads.userExists(shard, user)) {
          throw new Refusal(ErrorCode.NOT_FOUND, "user");
        }
        return new Overview(
            user,
            account != null,
            account != null && !account.getNumber().isEmpty(),
            account != null && account.hasPin(),
            account == null ? 0 : account.getCreatedMs(),
            Reads.lastSeen(shard, user),
            Reads.bannedUntil(shard, user),
            Reads.devices(shard, user).stream().map(Reads.DeviceInfo::index).toList());
      });
    });
  }

  /// Lets the user in no more until then; their sessions end.
  ///
  /// @param untilMillis 0 = they may again
  public Answer<Done> ban(UserId user, long untilMillis) {
    return Answer.done(() -> {
      Outcome outcome = context.shards.execute(new Command.Ban(user, untilMillis));
      if (outcome instanceof Outcome.Refused(ErrorCode code, long csn, String detail)) {
        throw new Refusal(code, "user");
      }
    });
  }

  /// Puts a device out.
  public Answer<Done> revoke(DeviceId device) {
    return Answer.done(() -> {
      context.revoke(device);
      new Devices(context).stolen(device.user(), device.index());
    });
  }

  /// Deletes the user as [Deletion] does, also one who has no account here.
  public Answer<Done> erase(UserId user) {
    return Answer.done(() -> {
      if (erasing.close(user)) {
        erasing.finish(user);
      } else {
        boolean more = true;
        while (more) {
          more =
              context.shards.execute(new Command.EraseUser(user))
                      instanceof Outcome.UserErased erased
                  && erased.more();
        }
      }
    });
  }
}

package io.tern.accounts;

import io.tern.accounts.Answer.Done;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.number.PhoneNumbers;
import io.tern.accounts.number.PhoneNumbers.PhoneNumber;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.AccountDevice;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Reads.DeviceInfo;
import io.tern.store.Slots;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

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

  /// A device, for an operator.
  ///
  /// @param name as its user calls it; empty without an account
  /// @param lastUsedMillis when it last fetched a token; 0 = never
  /// @param lastSeenMillis when it last was connected; 0 = never
  public record DeviceView(
      int index, String name, long createdMillis, long lastUsedMillis, long lastSeenMillis) {
    @Override
    public String toString() {
      return "DeviceView[" + index + "]";
    }
  }

  /// Rounds of putting all devices out: one may come in meanwhile.
  private static final int ROUNDS_MAX = 4;

  private final Context context;
  private final Erasing erasing;
  private final Devices devices;
  private final Usernames usernames;

  Admin(Context context, Erasing erasing, Devices devices, Usernames usernames) {
    this.context = context;
    this.erasing = erasing;
    this.devices = devices;
    this.usernames = usernames;
  }

  /// What the texts with codes have come to.
  ///
  /// @param sent in the window of 24 hours at hand
  /// @param max how many there may be
  /// @param untilMillis when the window ends
  public record SmsSpend(int sent, int max, long untilMillis) {}

  /// Reads one record.
  ///
  /// @throws Unavailable when its shard does not answer
  public SmsSpend smsSpend() {
    return new SmsBudgets(context).spend();
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

  /// Whose username it is, whether users can search by it or not.
  public Answer<UserId> findByUsername(String username) {
    return Answer.of(() -> {
      UserId user = usernames.owner(username);
      if (user == null) {
        throw new Refusal(ErrorCode.NOT_FOUND, "username");
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
            views(account, Reads.devices(shard, user)).stream().map(DeviceView::index).toList());
      });
    });
  }

  /// The devices of a user, by index: those of the account, and those that have been connected.
  public Answer<List<DeviceView>> devices(UserId user) {
    return Answer.of(() -> all(user));
  }

  private List<DeviceView> all(UserId user) {
    Account account = context.account(user);
    return context.shards.read(snapshots -> {
      var shard = snapshots.of(Slots.of(user));
      if (!Reads.userExists(shard, user)) {
        throw new Refusal(ErrorCode.NOT_FOUND, "user");
      }
      return views(account, Reads.devices(shard, user));
    });
  }

  private static List<DeviceView> views(@Nullable Account account, List<DeviceInfo> connected) {
    var views = new TreeMap<Integer, DeviceView>();
    for (DeviceInfo device : connected) {
      views.put(
          device.index(),
          new DeviceView(device.index(), "", device.createdMillis(), 0, device.lastSeenMillis()));
    }
    if (account != null) {
      for (AccountDevice device : account.getDevicesList()) {
        DeviceView seen = views.get(device.getIndex());
        views.put(
            device.getIndex(),
            new DeviceView(
                device.getIndex(),
                device.getName(),
                device.getCreatedMs(),
                device.getUsedMs(),
                seen == null ? 0 : seen.lastSeenMillis()));
      }
    }
    return List.copyOf(views.values());
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

  /// Puts a device out: its sessions end, its tokens and its secret are void.
  public Answer<Done> revoke(DeviceId device) {
    return Answer.done(() -> {
      if (all(device.user()).stream().noneMatch(view -> view.index() == device.index())) {
        throw new Refusal(ErrorCode.NOT_FOUND, "device");
      }
      putOut(device);
    });
  }

  /// Puts every device of a user out; the answer is how many there were.
  public Answer<Integer> revokeAll(UserId user) {
    return Answer.of(() -> {
      int revoked = 0;
      List<DeviceView> left = all(user);
      for (int round = 0; round < ROUNDS_MAX && !left.isEmpty(); round++) {
        for (DeviceView view : left) {
          putOut(new DeviceId(user, view.index()));
          revoked++;
        }
        left = all(user);
      }
      return revoked;
    });
  }

  private void putOut(DeviceId device) {
    if (!devices.putOut(device.user(), device.index())) {
      // One that has been connected and is of no account.
      context.revoke(device);
    }
  }

  /// Deletes the user as [Deletion] does, also one who has no account here.
  public Answer<Done> erase(UserId user) {
    return Answer.done(() -> {
      if (erasing.close(user)) {
        erasing.finish(user);
      } else if (!context.isKnown(user)) {
        // Else an id that nobody has yet would never be given.
        throw new Refusal(ErrorCode.NOT_FOUND, "user");
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

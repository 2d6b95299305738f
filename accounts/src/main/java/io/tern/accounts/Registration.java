package io.tern.accounts;

import com.google.protobuf.ByteString;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.AccountDevice;
import io.tern.accounts.v1.Pin;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import org.jspecify.annotations.Nullable;

/// How one becomes a user: ask for a code, show it, register.
///
/// A number says where a message arrives, not who reads it: numbers are given to others. So the
/// number alone never opens an account that there is. With the account's PIN it does; without, and
/// if it has none or has not been used for `pinIdle`, the number goes to a *new* account with a new
/// id, and the one before loses it and its sessions ([Numbers#dispossess]). The new owner reads
/// nothing of the one before and does not stand in anyone's chat as them.
///
/// Any thread; blocks. Every call may be repeated with the same arguments.
public final class Registration {

  /// A code is on its way.
  ///
  /// @param request to be shown with the code
  public record CodeSent(String request, long expiresMillis, long resendAfterMillis) {}

  /// The number is the caller's.
  ///
  /// @param ticket to be shown when registering, or when changing the number
  /// @param pinNeeded the number has an account, which has a PIN: with it one comes back to that
  ///   account. Without it the number may be locked ([#register] says for how long)
  /// @param pinRetryMillis in how long a PIN may be tried
  public record Verified(
      Secret ticket, boolean pinNeeded, long pinRetryMillis, long expiresMillis) {}

  /// A device that wants in.
  ///
  /// @param name of the device
  /// @param displayName of the user; for a known account empty = as it is
  /// @param photo reference that the media service gave; empty = none
  /// @param pin of a known account; for a new one: to be set. Null = without
  public record NewDevice(String name, String displayName, String photo, @Nullable Secret pin) {
    @Override
    public String toString() {
      return "NewDevice[]";
    }
  }

  private static final int FIRST_DEVICE = 1;

  private final Context context;
  private final Codes codes;
  private final PinGate pins;
  private final Numbers numbers;
  private final Erasing erasing;

  Registration(Context context, Codes codes, PinGate pins, Numbers numbers, Erasing erasing) {
    this.context = context;
    this.codes = codes;
    this.pins = pins;
    this.numbers = numbers;
    this.erasing = erasing;
  }

  /// Sends a code to the number. Says nothing about whether it is anyone's. Where messages are
  /// pumped the refusal has a [Challenge]; the same again with the proof is not refused for that.
  ///
  /// @param proof null = none
  public Answer<CodeSent> requestCode(String number, @Nullable String proof, Caller caller) {
    return Answer.of(() -> codes.request(number, proof, caller));
  }

  /// Likewise without a proof.
  public Answer<CodeSent> requestCode(String number, Caller caller) {
    return requestCode(number, null, caller);
  }

  /// Takes a code.
  public Answer<Verified> verify(String number, String request, Secret code, Caller caller) {
    return Answer.of(() -> {
      Verified verified = codes.verify(number, request, code, caller);
      UserId holder = context.holder(context.pepper.number(codes.parse(number).e164()));
      Account account = holder == null ? null : context.account(holder);
      return account == null || !account.hasPin()
          ? verified
          : new Verified(
              verified.ticket(), true, pins.waitMillis(account), verified.expiresMillis());
    });
  }

  /// Lets the device in: to the account of the number if it can show the PIN, else to a new one.
  public Answer<Registered> register(String number, Secret ticket, NewDevice device) {
    return Answer.of(() -> {
      Codes.Verified verified = codes.verified(number, ticket);
      String name = Context.text(device.name, "device", Context.DEVICE_NAME_BYTES_MAX, false);
      byte[] origin = Pepper.sha256(ticket.bytes());
      UserId holder = context.holder(verified.hash());
      Account account = holder == null ? null : context.account(holder);
      if (holder != null && account != null) {
        AccountDevice there = Context.byOrigin(account, origin);
        if (there != null) {
          // Asked again: the answer was lost.
          if (!context.isRepeatable(there)) {
            throw new Refusal(ErrorCode.NOT_ALLOWED, "ticket");
          }
          return letIn(holder, there, !holder.equals(verified.user()));
        }
        if (account.hasPin() && device.pin != null) {
          pins.check(holder, device.pin);
          Registered back =
              comeBack(context, holder, name, device, origin, AccountsEvent.ACCOUNTS_RETURNED);
          codes.only(verified);
          return back;
        }
      }
      checkUnused(verified, holder);
      String displayName = Context.text(device.displayName, "name", Context.NAME_BYTES_MAX, false);
      String photo = Context.text(device.photo, "photo", Context.PHOTO_BYTES_MAX, true);
      Pin pin = device.pin == null ? null : pins.made(device.pin);
      if (holder != null) {
        numbers.dispossess(holder, verified.hash());
      }
      return create(verified, name, displayName, photo, pin, origin);
    });
  }

  /// A ticket makes one user, who is new: an id is given once. So an account that has been deleted
  /// since does not come back with the ticket that made it, and one whose first device is out is
  /// not taken for somebody else's.
  private void checkUnused(Codes.Verified verified, @Nullable UserId holder) {
    UserId user = verified.user();
    boolean deleted = context.account(user) == null && context.isKnown(user);
    if (deleted || user.equals(holder)) {
      throw new Refusal(ErrorCode.NOT_ALLOWED, "ticket");
    }
  }

  private Registered create(
      Codes.Verified verified,
      String name,
      String displayName,
      String photo,
      @Nullable Pin pin,
      byte[] origin) {
    UserId user = verified.user();
    context.begin(user);
    AccountDevice first = context.newDevice(user, FIRST_DEVICE, name, origin);
    var made =
        Account.newBuilder()
            .setNumber(verified.e164())
            .setNumberHash(ByteString.copyFrom(verified.hash()))
            .setName(displayName)
            .setPhoto(photo)
            .setCreatedMs(context.now())
            .setRegisteredMs(context.now())
            .setNextDevice(FIRST_DEVICE + 1)
            .addDevices(first);
    if (pin != null) {
      made.setPin(pin);
    }
    boolean mine =
        context.cells.change(
            Context.key(Kinds.ACCOUNT, user),
            Account.parser(),
            found -> {
              if (found == null) {
                return Step.put(made.build(), true);
              }
              AccountDevice there = Context.byOrigin(found, origin);
              return Step.keep(
                  !found.getClosing()
                      && there != null
                      && context.isRepeatable(there)
                      && Context.holds(found, ByteString.copyFrom(verified.hash())));
            });
    if (!mine) {
      throw new Refusal(ErrorCode.CONFLICT, "number");
    }
    if (!numbers.take(verified.hash(), user)) {
      // Another ticket for the same number was faster.
      erasing.close(user);
      erasing.finish(user);
      throw new Refusal(ErrorCode.CONFLICT, "number");
    }
    Registered registered = letIn(user, first, false);
    context.finished(user);
    codes.only(verified);
    context.meter.add(AccountsEvent.ACCOUNTS_OPENED);
    return registered;
  }

  private Registered letIn(UserId user, AccountDevice device, boolean sameAccount) {
    context.revokeDoomed(user);
    context.enrol(new DeviceId(user, device.getIndex()));
    Notices.announce(context, user);
    return context.registered(user, device, sameAccount);
  }

  /// A known account on a new device, by somebody who has shown to be its owner: every other device
  /// is out, and those with whom the user talks are told. Who is banned is not let in like this
  /// either, and nobody is told.
  static Registered comeBack(
      Context context,
      UserId user,
      String name,
      NewDevice device,
      byte[] origin,
      AccountsEvent event) {
    String displayName = Context.text(device.displayName, "name", Context.NAME_BYTES_MAX, true);
    long banned = context.bannedMillis(user);
    if (banned > 0) {
      throw new Refusal(ErrorCode.BANNED, "", banned);
    }
    context.begin(user);
    AccountDevice made =
        context.change(
            user,
            found -> {
              AccountDevice there = Context.byOrigin(found, origin);
              if (there != null) {
                if (!context.isRepeatable(there)) {
                  throw new Refusal(ErrorCode.NOT_ALLOWED, "");
                }
                return Step.keep(there);
              }
              int index = found.getNextDevice();
              AccountDevice newDevice = context.newDevice(user, index, name, origin);
              var after = found.toBuilder().clearDevices().addDevices(newDevice);
              found.getDevicesList().forEach(old -> after.addDoomed(old.getIndex()));
              after.setNextDevice(index + 1);
              Notices.note(after, index, context.now());
              if (event == AccountsEvent.ACCOUNTS_RECOVERED) {
                after.clearRecovery();
              }
              if (!displayName.isEmpty()) {
                after.setName(displayName);
              }
              return Step.put(after.build(), newDevice);
            });
    if (made == null) {
      throw new Refusal(ErrorCode.NOT_FOUND, "");
    }
    context.revokeDoomed(user);
    context.enrol(new DeviceId(user, made.getIndex()));
    Notices.announce(context, user);
    context.finished(user);
    context.meter.add(event);
    return context.registered(user, made, true);
  }

  /// What a process that ended in the midst of registering has left: an account without a number is
  /// one that nobody has come into.
  void goOn(UserId user) {
    Account account = context.account(user);
    if (account == null) {
      return;
    }
    byte[] hash = account.getNumberHash().toByteArray();
    if (hash.length > 0 && !user.equals(context.holder(hash)) && !numbers.take(hash, user)) {
      boolean isNew =
          account.getNextDevice() == FIRST_DEVICE + 1 && account.getRecovery().isEmpty();
      if (isNew && !account.hasChange()) {
        erasing.close(user);
        erasing.finish(user);
      }
    }
    context.revokeDoomed(user);
    Notices.announce(context, user);
  }
}

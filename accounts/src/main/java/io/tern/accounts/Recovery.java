package io.tern.accounts;

import com.google.protobuf.ByteString;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.AccountDevice;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import org.jspecify.annotations.Nullable;

/// The way back without number and PIN: a key that its owner has put away. It opens the account
/// once and is void then. Any thread; blocks.
public final class Recovery {

  /// 160 bits.
  private static final int KEY_BYTES = 20;

  private final Context context;
  private final PinGate pins;

  Recovery(Context context, PinGate pins) {
    this.context = context;
    this.pins = pins;
  }

  /// Makes a key; one that there was is void. Told once. It opens the account without the PIN, so
  /// it takes the PIN to make it: who has copied a token must not make one of their own.
  ///
  /// @param pin where the account has one
  public Answer<Secret> createKey(DeviceId by, @Nullable Secret pin) {
    return Answer.of(() -> {
      pins.require(by, context.require(by), pin, "pin");
      var key = new Secret(Pepper.text(Pepper.random(context.random, KEY_BYTES)));
      return context.change(
          by, account -> Step.put(account.toBuilder().setRecovery(Context.hash(key)).build(), key));
    });
  }

  /// Opens the account for a new device; every other one is out. An unknown user and a wrong key
  /// are the same.
  public Answer<Registered> recover(UserId user, Secret key, String deviceName) {
    return Answer.of(() -> {
      String name = Context.text(deviceName, "device", Context.DEVICE_NAME_BYTES_MAX, false);
      byte[] origin = Pepper.sha256(Pepper.sha256(key.bytes()));
      Account account = context.account(user);
      ByteString wanted = account == null ? ByteString.EMPTY : account.getRecovery();
      AccountDevice there = account == null ? null : Context.byOrigin(account, origin);
      boolean again = there != null && context.isRepeatable(there);
      if (!Context.matches(key, wanted) && !again) {
        throw new Refusal(ErrorCode.NOT_ALLOWED, "key");
      }
      return Registration.comeBack(
          context,
          user,
          name,
          new Registration.NewDevice(name, "", "", null),
          origin,
          AccountsEvent.ACCOUNTS_RECOVERED);
    });
  }
}

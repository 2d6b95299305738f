package io.tern.accounts;

import io.tern.accounts.Answer.Done;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Pin;
import io.tern.protocol.DeviceId;
import org.jspecify.annotations.Nullable;

/// The registration PIN: what the owner of a number must know to come back to the account. 4 to 64
/// characters. Any thread; blocks, for a hash too.
public final class Pins {

  private final Context context;
  private final PinGate gate;

  Pins(Context context, PinGate gate) {
    this.context = context;
    this.gate = gate;
  }

  /// Sets the PIN.
  ///
  /// @param old the one before, where there is one
  public Answer<Done> set(DeviceId by, @Nullable Secret old, Secret pin) {
    return Answer.done(() -> {
      gate.require(by, context.require(by), old, "old");
      Pin made = gate.made(pin);
      context.change(by, account -> Step.put(account.toBuilder().setPin(made).build(), true));
    });
  }

  /// From now on there is none.
  public Answer<Done> remove(DeviceId by, Secret old) {
    return Answer.done(() -> {
      gate.require(by, context.require(by), old, "old");
      context.change(by, account -> Step.put(account.toBuilder().clearPin().build(), true));
    });
  }
}

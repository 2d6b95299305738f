package io.tern.accounts;

import io.tern.accounts.Answer.Done;
import io.tern.protocol.DeviceId;
import org.jspecify.annotations.Nullable;

/// Deletes an account for good: devices and their sessions, settings, chat list, the chat with
/// oneself, number, username, profile. Groups lose a member. What was sent stays with those who got
/// it. The user's id is not given again. Any thread; blocks until it is done, but for the groups of
/// a shard that is away.
public final class Deletion {

  private final Context context;
  private final Erasing erasing;
  private final PinGate pins;

  Deletion(Context context, Erasing erasing, PinGate pins) {
    this.context = context;
    this.erasing = erasing;
    this.pins = pins;
  }

  /// Deletes the account.
  ///
  /// @param pin where the account has one
  public Answer<Done> delete(DeviceId by, @Nullable Secret pin) {
    return Answer.done(() -> {
      pins.require(by, context.require(by), pin, "pin");
      erasing.close(by.user());
      erasing.finish(by.user());
    });
  }
}

package io.tern.edge.session;

import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import java.util.function.Consumer;

/// Says who a HELLO speaks for, without any call to another process. Any thread; never blocks.
public interface Authenticator {

  /// An answer: [Accepted] or [Refused].
  sealed interface Identity {}

  /// This device.
  ///
  /// @param untilMillis wall-clock time at which this proof runs out
  /// @param generation of the resume ticket used; 0 with a token
  record Accepted(DeviceId device, long untilMillis, long generation) implements Identity {}

  /// An unknown user, an unknown key and a bad signature give the same code after the same work.
  record Refused(ErrorCode code, String detail) implements Identity {}

  /// Checks a token. The answer may come on another thread, or before this returns.
  void verifyToken(byte[] token, Consumer<Identity> then);

  /// Opens a resume ticket: less than 50 microseconds mostly (`tern_stage_seconds{stage="token"}`),
  /// and no way to another thread and back.
  ///
  /// @param count how often this client says it has resumed; must rise
  Identity openTicket(byte[] ticket, long count);

  /// Seals the ticket that resumes the session of `identity`, one generation on.
  byte[] sealTicket(Accepted identity);

  /// How long a ticket sealed now can be used, in seconds.
  int ticketSeconds(Accepted identity);
}

package io.tern.client;

import io.tern.protocol.ChatId;

/// Hears what became of a send: exactly one of the two, once, on the client's event loop. The cheap
/// alternative to a future; one object may serve any number of sends.
public interface SendCallback {

  /// Durable, at this place.
  ///
  /// @param csn this device's number for it
  /// @param repeat an earlier attempt had been accepted already
  void onSent(ChatId chat, long seq, long csn, long tsMillis, boolean repeat);

  /// The server, or a limit of the client, refused for good; or the client was closed before the
  /// answer (TIMEOUT: the outcome is unknown, and the send stays in the [ClientStore]).
  void onRefused(ChatId chat, TernException refusal);
}

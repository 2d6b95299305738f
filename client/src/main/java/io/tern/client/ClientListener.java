package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;

/// What an app hears. Called on the client's event loop, one call at a time; must not block.
public interface ClientListener {

  /// An entry, in the order of its chat, each seq once. When this returns, the entry counts as
  /// stored and will be acknowledged: store it before returning. When it throws, the entry does not
  /// count as stored: the client drops the connection and gets it again.
  ///
  /// What this device sent itself does not come here; see [#onSent] and [SendCallback].
  default void onMessage(Message message) {}

  /// A send of an earlier process, kept by the [ClientStore], has its place now. Sends of this
  /// process answer to their future or [SendCallback].
  default void onSent(TernClient.Receipted sent) {}

  /// A send of an earlier process was refused for good.
  default void onSendRefused(ChatId chat, long csn, TernException refusal) {}

  /// Watermarks of `member` in `chat`, merged by max: they never go back.
  default void onReceipt(ChatId chat, UserId member, long delivered, long read) {}

  /// Everything that was due when the session started has been delivered.
  default void onCaughtUp() {}

  /// Entries up to `seq` will not be pushed; fetch them with history if wanted.
  default void onReset(ChatId chat, long seq) {}

  default void onTyping(ChatId chat, UserId member, boolean on) {}

  default void onConnection(ConnectionState state) {}

  /// An entry of a chat.
  ///
  /// @param own sent by another device of this user
  /// @param csn the sending device's number, with `own`; else 0
  record Message(
      ChatId chat,
      long seq,
      UserId sender,
      int device,
      long tsMillis,
      Content content,
      boolean own,
      long csn) {}

  /// Where the connection stands.
  sealed interface ConnectionState {
    record Connecting(int attempt) implements ConnectionState {}

    record Up(TernClient.Session session) implements ConnectionState {}

    /// Trying again after `retryMillis`.
    record Down(String reason, long retryMillis) implements ConnectionState {}

    /// The server refused for good, or the store failed; the app must do something (log in again,
    /// update) and may then call [TernClient#reconnect].
    record Refused(int code, String detail) implements ConnectionState {}

    record Closed() implements ConnectionState {}
  }
}

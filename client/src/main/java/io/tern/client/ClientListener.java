package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;

/// What an app hears. Called on the client's event loop, one call at a time; must not block.
public interface ClientListener {

  /// An entry, in the order of its chat, each seq once. When this returns, the entry counts as
  /// stored and will be acknowledged: store it before returning.
  default void onMessage(Message message) {}

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

    /// The server refused for good; the app must do something (log in again, update).
    record Refused(ErrorCode code, String detail) implements ConnectionState {}

    record Closed() implements ConnectionState {}
  }
}

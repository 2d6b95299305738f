package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Setting;

/// What an app hears. Called on the client's event loop, one call at a time; must not block.
public interface ClientListener {

  /// An entry, in the order of its chat, each seq once. When this returns, the entry counts as
  /// stored and will be acknowledged: store it before returning. When it throws, the entry does not
  /// count as stored: the client drops the connection and gets it again. A [TernException] says
  /// that this is meant (the app ends, or has no room); anything else is logged as a failure.
  ///
  /// Messages and events alike: see [Body]. What this device sent itself does not come here; see
  /// [#onSent] and [SendCallback]. What the server wrote into the chat on behalf of this device (a
  /// change of a group, a setting) does.
  default void onMessage(Message message) {}

  /// This user has changed a setting, on any of their devices. Called right after [#onMessage] has
  /// taken the entry of the self chat that says so, and under the same rules.
  default void onSetting(Setting setting) {}

  /// A send of an earlier process, kept by the [ClientStore], has its place now. Sends of this
  /// process answer to their future or [SendCallback].
  default void onSent(TernClient.Receipted sent) {}

  /// A send of an earlier process was refused for good.
  default void onSendRefused(ChatId chat, long csn, Content content, TernException refusal) {}

  /// Watermarks of `member` in `chat`, merged by max: they never go back. In a direct chat of the
  /// other user and of this one; in a group of this one only (read on another device).
  default void onReceipt(ChatId chat, UserId member, long delivered, long read) {}

  /// What everyone in `group` has got and read, merged by max.
  default void onGroupReceipt(ChatId group, long allDelivered, long allRead) {}

  /// How many members of a group have got and read an entry of this user, the newest that not all
  /// have read; at most once a second. For names and times ask [TernClient#entryInfo].
  default void onReceiptCount(ReceiptCount count) {}

  /// Everything that was due when the session started has been delivered.
  default void onCaughtUp() {}

  /// Entries up to `seq` will not come here: they were before this device, this membership or too
  /// many. Fetch those that are to be had with history if wanted.
  default void onReset(ChatId chat, long seq) {}

  /// Comes to who watches: see [TernClient#watch]. What is not repeated within a few seconds is
  /// over.
  default void onTyping(ChatId chat, UserId member, Typing typing) {}

  /// Somebody watched came or went, or what they show of themselves has changed.
  default void onPresence(Presence presence) {}

  default void onConnection(ConnectionState state) {}

  /// An entry of a chat.
  ///
  /// @param own from this user
  /// @param csn the sending device's number, with `own`; else 0
  /// @param editedMillis when the content got to be as it is, if it was edited; else 0
  record Message(
      ChatId chat,
      long seq,
      UserId sender,
      int device,
      long tsMillis,
      Content content,
      boolean own,
      long csn,
      long editedMillis) {

    /// What it says, for a `switch`.
    public Body body() {
      return Body.of(content);
    }
  }

  /// How many have got and read the entry `seq` of a group.
  ///
  /// @param total members who could see it, without its sender
  record ReceiptCount(ChatId group, long seq, int total, int delivered, int read) {}

  /// What somebody is doing in a chat.
  enum Typing {
    STOPPED,
    TEXT,
    VOICE
  }

  /// Whether somebody is there. Who does not show it is never online and was never seen.
  ///
  /// @param lastSeenMillis 0 when not shown
  record Presence(UserId user, boolean online, long lastSeenMillis) {}

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

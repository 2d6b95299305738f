package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.HistoryPage;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// A device's connection to Tern: connects and reconnects by itself, sends exactly once, delivers
/// each chat in order and without holes, and acknowledges what the listener has taken.
///
/// Any thread may call any method; none blocks. Futures complete, and the listener is called, on
/// the client's event loop, which must not be blocked. A client that is not connected keeps sends
/// (at most `ClientConfig.pendingSendsMax`) and repeats them with the same csn until they are
/// answered, over restarts too if its [ClientStore] outlives them.
public final class TernClient implements AutoCloseable {

  /// Starts to connect. Returns at once.
  public static TernClient start(ClientConfig config, ClientListener listener) {
    throw new UnsupportedOperationException();
  }

  /// Completes when a session is up for the first time; fails when the server refuses the identity.
  public CompletableFuture<Session> ready() {
    throw new UnsupportedOperationException();
  }

  /// The chat with `peer` (or with oneself). Needs no connection.
  public ChatId direct(UserId peer) {
    throw new UnsupportedOperationException();
  }

  public CompletableFuture<Receipted> sendText(ChatId chat, String text) {
    throw new UnsupportedOperationException();
  }

  /// Sends once. The future completes when the server has made it durable, or fails with a
  /// [TernException] that names the code; a lost connection or a restarted server fails nothing.
  public CompletableFuture<Receipted> send(ChatId chat, Content content) {
    throw new UnsupportedOperationException();
  }

  /// Marks everything up to `seq` as read.
  public void read(ChatId chat, long seq) {
    throw new UnsupportedOperationException();
  }

  public void typing(ChatId chat, boolean on) {
    throw new UnsupportedOperationException();
  }

  /// The newest entries below `beforeSeq` (0: the newest of all), at most `limit`.
  public CompletableFuture<HistoryPage> historyBefore(ChatId chat, long beforeSeq, int limit) {
    throw new UnsupportedOperationException();
  }

  /// The entries from `afterSeq` + 1 on, at most `limit`.
  public CompletableFuture<HistoryPage> historyAfter(ChatId chat, long afterSeq, int limit) {
    throw new UnsupportedOperationException();
  }

  /// One page of the chat list; `pageToken` null for the first.
  public CompletableFuture<ChatsPage> chats(byte @Nullable [] pageToken, int limit) {
    throw new UnsupportedOperationException();
  }

  /// Says goodbye and stops. Sends without an answer stay in the [ClientStore].
  @Override
  public void close() {
    throw new UnsupportedOperationException();
  }

  /// The session as HELLO_ACK described it.
  public record Session(UserId user, int device, long session, long epoch, boolean resumed) {}

  /// The durable place of a send.
  public record Receipted(ChatId chat, long seq, long csn, long tsMillis, boolean repeat) {}
}

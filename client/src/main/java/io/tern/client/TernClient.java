package io.tern.client;

import com.google.protobuf.ByteString;
import io.tern.client.ClientListener.ConnectionState;
import io.tern.client.core.ClientCore;
import io.tern.client.netty.NettyLink;
import io.tern.client.netty.TernTransport;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// A device's connection to Tern: connects and reconnects by itself, sends exactly once, delivers
/// each chat in order and without holes, and acknowledges what the listener has taken.
///
/// Any thread may call any method; none blocks. Futures complete, and the listener is called, on
/// the client's event loop, which must not be blocked. A client that is not connected keeps sends
/// (at most `ClientConfig.pendingSendsMax`) and repeats them with the same csn until they are
/// answered, over restarts too if its [ClientStore] outlives them.
public final class TernClient implements AutoCloseable {

  private final ClientConfig config;
  private final NettyLink link;
  private final CompletableFuture<Session> ready = new CompletableFuture<>();
  private final CompletableFuture<Void> closed = new CompletableFuture<>();

  /// Sends on their way from other threads to the loop: bounded as those that the loop keeps.
  private final AtomicInteger handedOver = new AtomicInteger();

  private TernClient(ClientConfig config, ClientListener listener, TernTransport transport) {
    this.config = config;
    link = new NettyLink(transport, config, listener, this::onState, new SplittableRandom());
  }

  /// Starts to connect, on an event loop of its own. Returns at once.
  public static TernClient start(ClientConfig config, ClientListener listener) {
    TernTransport transport = TernTransport.create(1);
    TernClient client = start(config, listener, transport);
    client.closed.thenRun(transport::close);
    return client;
  }

  /// Starts to connect, on one of the loops of `transport`, which stays the caller's to close.
  public static TernClient start(
      ClientConfig config, ClientListener listener, TernTransport transport) {
    var client = new TernClient(config, listener, transport);
    client.link.execute(ClientCore::start);
    return client;
  }

  /// Completes when a session is up for the first time; fails when the server refuses the identity,
  /// or the client is closed before.
  public CompletableFuture<Session> ready() {
    return ready;
  }

  /// The chat with `peer` (or with oneself). Needs no connection.
  public ChatId direct(UserId peer) {
    return ChatId.direct(config.user(), peer);
  }

  public CompletableFuture<Receipted> sendText(ChatId chat, String text) {
    return send(
        chat,
        Content.newBuilder()
            .setKind(Kind.KIND_TEXT)
            .setBody(ByteString.copyFromUtf8(text))
            .build());
  }

  /// Sends once. The future completes when the server has made it durable, or fails with a
  /// [TernException] that names the code; a lost connection or a restarted server fails nothing.
  public CompletableFuture<Receipted> send(ChatId chat, Content content) {
    var future = new CompletableFuture<Receipted>();
    send(
        chat,
        content,
        new SendCallback() {
          @Override
          public void onSent(ChatId in, long seq, long csn, long tsMillis, boolean repeat) {
            future.complete(new Receipted(in, seq, csn, tsMillis, repeat));
          }

          @Override
          public void onRefused(ChatId in, TernException refusal) {
            future.completeExceptionally(refusal);
          }
        });
    return future;
  }

  /// Sends once, and tells `callback`: at once and on the calling thread when more are under way
  /// than `pendingSendsMax` allows, else on the event loop.
  public void send(ChatId chat, Content content, SendCallback callback) {
    if (handedOver.incrementAndGet() > config.pendingSendsMax()) {
      handedOver.decrementAndGet();
      callback.onRefused(
          chat, new TernException(ErrorCode.QUOTA, 0, "too many sends without an answer"));
      return;
    }
    link.execute((core, now) -> {
      handedOver.decrementAndGet();
      core.send(now, chat, content, callback);
    });
  }

  /// Marks everything up to `seq` as read.
  public void read(ChatId chat, long seq) {
    link.execute((core, now) -> core.read(now, chat, seq));
  }

  public void typing(ChatId chat, boolean on) {
    link.execute((core, now) -> core.typing(now, chat, on));
  }

  /// Whether a person is looking at the app; ACTIVE at the start.
  public void setActivity(ClientActivity activity) {
    link.execute((core, now) -> core.setActivity(now, activity));
  }

  /// A newer token, for a session that shall outlive its first one.
  public void reauth(byte[] token) {
    link.execute((core, now) -> core.reauth(now, token));
  }

  /// The newest entries below `beforeSeq` (0: the newest of all), at most `limit`.
  public CompletableFuture<HistoryPage> historyBefore(ChatId chat, long beforeSeq, int limit) {
    var future = new CompletableFuture<HistoryPage>();
    link.execute((core, now) ->
        core.historyBefore(
            now, chat, beforeSeq, limit, future::complete, future::completeExceptionally));
    return future;
  }

  /// The entries from `afterSeq` + 1 on, at most `limit`.
  public CompletableFuture<HistoryPage> historyAfter(ChatId chat, long afterSeq, int limit) {
    var future = new CompletableFuture<HistoryPage>();
    link.execute((core, now) ->
        core.historyAfter(
            now, chat, afterSeq, limit, future::complete, future::completeExceptionally));
    return future;
  }

  /// One page of the chat list; `pageToken` null for the first.
  public CompletableFuture<ChatsPage> chats(byte @Nullable [] pageToken, int limit) {
    var future = new CompletableFuture<ChatsPage>();
    link.execute((core, now) ->
        core.chats(now, pageToken, limit, future::complete, future::completeExceptionally));
    return future;
  }

  /// The device has changed to another network: tries again within a second.
  public void networkChanged() {
    link.execute(ClientCore::networkChanged);
  }

  /// Tries at once, also after a refusal.
  public void reconnect() {
    link.execute(ClientCore::reconnect);
  }

  /// Says goodbye and stops. Sends without an answer stay in the [ClientStore], which is closed.
  /// Returns at once; see [#closed].
  @Override
  public void close() {
    link.execute((core, now) -> {
      core.close(now);
      closed.complete(null);
    });
  }

  /// Completes when everything has been closed, the [ClientStore] too.
  public CompletableFuture<Void> closed() {
    return closed;
  }

  private void onState(ConnectionState state) {
    if (state instanceof ConnectionState.Up up) {
      ready.complete(up.session());
    } else if (state instanceof ConnectionState.Refused refused) {
      ready.completeExceptionally(new TernException(refused.code(), 0, refused.detail()));
    } else if (state instanceof ConnectionState.Closed) {
      ready.completeExceptionally(new TernException(ErrorCode.TIMEOUT, 0, "the client was closed"));
    }
  }

  /// The session as HELLO_ACK described it.
  public record Session(UserId user, int device, long session, long epoch, boolean resumed) {}

  /// The durable place of a send.
  public record Receipted(ChatId chat, long seq, long csn, long tsMillis, boolean repeat) {}
}

package io.tern.client;

import static java.util.Objects.requireNonNull;

import io.tern.client.ClientListener.ConnectionState;
import io.tern.client.ClientListener.Typing;
import io.tern.client.core.ClientCore;
import io.tern.client.netty.NettyLink;
import io.tern.client.netty.TernTransport;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.DeviceItem;
import io.tern.protocol.v1.EntryInfoPage;
import io.tern.protocol.v1.HistoryPage;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A device's connection to Tern: connects and reconnects by itself, sends exactly once, delivers
/// each chat in order and without holes, and acknowledges what the listener has taken.
///
/// Any thread may call any method; none blocks. Futures complete, and the listener is called, on
/// the client's event loop, which must not be blocked: to wait there for a future of a client on
/// that loop throws [IllegalStateException], for nothing would ever complete it.
///
/// A client that is not connected keeps sends (at most `ClientConfig.pendingSendsMax`, and
/// `ClientConfig.pendingSendBytesMax` bytes of them) and repeats them with the same csn until they
/// are answered, over restarts too if its [ClientStore] outlives them. Questions and changes (at
/// most 64) wait for a connection too, however long that takes: who does not want to wait gives up
/// by [CompletableFuture#orTimeout] or [CompletableFuture#cancel]. That gives the place back; a
/// change that was given up may have been made, or not.
///
/// A chat that is not this user's, and a null where none is allowed, are errors of the app: such
/// calls throw [IllegalArgumentException] or [NullPointerException] and do nothing. All other
/// refusals come as a [TernException] with their code, and for a closed client it is TIMEOUT.
public final class TernClient implements AutoCloseable {

  private final ClientConfig config;
  private final NettyLink link;
  private final Groups groups = new Groups(this);
  private final UserSettings settings = new UserSettings(this);
  private final CompletableFuture<Session> ready = new CompletableFuture<>();
  private final CompletableFuture<Void> closed = new CompletableFuture<>();

  /// Sends on their way from other threads to the loop: bounded as those that the loop keeps.
  private final AtomicInteger handedOver = new AtomicInteger();

  private final AtomicLong handedOverBytes = new AtomicLong();

  private TernClient(ClientConfig config, ClientListener listener, TernTransport transport) {
    this.config = config;
    link = new NettyLink(transport, config, listener, this::onState, new SplittableRandom());
  }

  /// Starts to connect, on an event loop of its own. Returns at once.
  public static TernClient start(ClientConfig config, ClientListener listener) {
    TernTransport transport = TernTransport.create(1);
    try {
      TernClient client = start(config, listener, transport);
      client.closed.whenComplete((done, failure) -> transport.close());
      return client;
    } catch (RuntimeException e) {
      transport.close();
      throw e;
    }
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
    return send(chat, Draft.text(text));
  }

  /// Sends once. The future completes when the server has made it durable, or fails with a
  /// [TernException] that names the code; a lost connection or a restarted server fails nothing.
  public CompletableFuture<Receipted> send(ChatId chat, Content content) {
    var future = new Answer<Receipted>(link);
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

  public CompletableFuture<Receipted> send(ChatId chat, Draft draft) {
    return send(chat, draft.content());
  }

  /// The message at `seq`, one's own, says this from now on. NOT_ALLOWED when it is too late.
  public CompletableFuture<Receipted> edit(ChatId chat, long seq, Draft newer) {
    return send(chat, Draft.edit(seq, newer));
  }

  /// Takes the message at `seq` back, for everyone. NOT_ALLOWED when it is too late.
  public CompletableFuture<Receipted> revoke(ChatId chat, long seq) {
    return send(chat, Draft.revoke(seq));
  }

  /// This user's reaction to the message at `seq`, in place of the one before; empty takes it back.
  public CompletableFuture<Receipted> react(ChatId chat, long seq, String reaction) {
    return send(chat, Draft.react(seq, reaction));
  }

  /// The view-once message at `seq` has been seen, and is gone.
  public CompletableFuture<Receipted> opened(ChatId chat, long seq) {
    return send(chat, Draft.opened(seq));
  }

  /// Messages of this chat disappear after `time` from now on; zero: they stay.
  public CompletableFuture<Receipted> setTimer(ChatId chat, Duration time) {
    return send(chat, Draft.timer(time));
  }

  /// Sends once, and tells `callback`: at once and on the calling thread when more are under way
  /// than `pendingSendsMax` or `pendingSendBytesMax` allow, else on the event loop.
  public void send(ChatId chat, Content content, SendCallback callback) {
    checkOurs(chat);
    requireNonNull(content, "content");
    requireNonNull(callback, "callback");
    int bytes = content.getSerializedSize();
    int sends = handedOver.incrementAndGet();
    long allBytes = handedOverBytes.addAndGet(bytes);
    // One by itself goes on, whatever its size: the core says that it is too large.
    boolean isTooMuch = allBytes > config.pendingSendBytesMax() && allBytes > bytes;
    if (sends > config.pendingSendsMax() || isTooMuch) {
      takenOver(bytes);
      callback.onRefused(
          chat, new TernException(ErrorCode.QUOTA, 0, "too many sends without an answer"));
      return;
    }
    boolean isRun =
        link.execute((core, now) -> {
          takenOver(bytes);
          core.send(now, chat, content, callback);
        });
    if (!isRun) {
      takenOver(bytes);
      callback.onRefused(chat, isClosed());
    }
  }

  private void takenOver(int bytes) {
    handedOver.decrementAndGet();
    handedOverBytes.addAndGet(-bytes);
  }

  /// Marks everything up to `seq` as read.
  public void read(ChatId chat, long seq) {
    checkOurs(chat);
    link.execute((core, now) -> core.read(now, chat, seq));
  }

  /// Tells who watches the chat, if there is a connection. Repeat it every few seconds while it
  /// lasts.
  public void typing(ChatId chat, Typing typing) {
    checkOurs(chat);
    requireNonNull(typing, "typing");
    link.execute((core, now) -> core.watching().typing(chat, typing));
  }

  /// Whom and what the person has open: from now on [ClientListener#onPresence] tells of these
  /// users and [ClientListener#onTyping] of their direct chats and these groups. Replaces what was
  /// watched before; lasts until it is replaced, over lost connections.
  ///
  /// @throws IllegalArgumentException for more than 100 together, or a chat that is no group
  public void watch(Collection<UserId> users, Collection<ChatId> groups) {
    if (users.size() + groups.size() > Limits.PRESENCE_USERS_MAX) {
      throw new IllegalArgumentException("at most " + Limits.PRESENCE_USERS_MAX + " together");
    }
    var watchedUsers = List.copyOf(users);
    var watchedGroups = List.copyOf(groups);
    for (ChatId group : watchedGroups) {
      if (!group.isGroup()) {
        throw new IllegalArgumentException("not a group: " + group);
      }
    }
    link.execute((core, now) -> core.watching().watch(now, watchedUsers, watchedGroups));
  }

  /// Create groups, change them, join and leave.
  public Groups groups() {
    return groups;
  }

  /// Mute, pin, star, hide, contacts, privacy, blocks.
  public UserSettings settings() {
    return settings;
  }

  /// Whether a person is looking at the app; at the start [ClientConfig#activity]. The user is
  /// online for others while it is ACTIVE on any device; in the background (INACTIVE), or when only
  /// a push has woken it (PASSIVE), messages come all the same.
  public void setActivity(ClientActivity activity) {
    requireNonNull(activity, "activity");
    link.execute((core, now) -> core.setActivity(now, activity));
  }

  /// A newer token, for a session that shall outlive its first one.
  public void reauth(byte[] token) {
    requireNonNull(token, "token");
    link.execute((core, now) -> core.reauth(now, token));
  }

  /// The newest entries below `beforeSeq` (0: the newest of all), at most `limit`.
  public CompletableFuture<HistoryPage> historyBefore(ChatId chat, long beforeSeq, int limit) {
    checkOurs(chat);
    return ask((core, done, refused) ->
        core.queries().historyBefore(chat, beforeSeq, limit, done, refused));
  }

  /// The entries from `afterSeq` + 1 on, at most `limit`.
  public CompletableFuture<HistoryPage> historyAfter(ChatId chat, long afterSeq, int limit) {
    checkOurs(chat);
    return ask(
        (core, done, refused) -> core.queries().historyAfter(chat, afterSeq, limit, done, refused));
  }

  /// The entries on both sides of `seq`, at most `limit`.
  public CompletableFuture<HistoryPage> historyAround(ChatId chat, long seq, int limit) {
    checkOurs(chat);
    return ask(
        (core, done, refused) -> core.queries().historyAround(chat, seq, limit, done, refused));
  }

  /// One page of the chat list; `pageToken` null for the first.
  public CompletableFuture<ChatsPage> chats(byte @Nullable [] pageToken, int limit) {
    return ask((core, done, refused) -> core.queries().chats(pageToken, limit, done, refused));
  }

  /// Members, head and watermarks of a chat; title, roles and flags of a group.
  public CompletableFuture<ChatInfoPage> chatInfo(ChatId chat) {
    return chatInfo(chat, 0);
  }

  /// The same for an app that keeps members.
  ///
  /// @param membersVersion of the members that the app has; if it is still theirs, the answer is
  ///   `unchanged` and lists none
  public CompletableFuture<ChatInfoPage> chatInfo(ChatId chat, long membersVersion) {
    checkOurs(chat);
    return ask(
        (core, done, refused) -> core.queries().chatInfo(chat, membersVersion, done, refused));
  }

  /// Who got and read an entry of this user's, and when: one page of members; `pageToken` null for
  /// the first.
  public CompletableFuture<EntryInfoPage> entryInfo(
      ChatId chat, long seq, byte @Nullable [] pageToken, int limit) {
    checkOurs(chat);
    return ask((core, done, refused) ->
        core.queries().entryInfo(chat, seq, pageToken, limit, done, refused));
  }

  /// The devices of this user.
  public CompletableFuture<List<DeviceItem>> devices() {
    return ask((core, done, refused) -> core.queries().devices(done, refused));
  }

  /// Another device is this user's no more: its session ends, and it cannot come back.
  public CompletableFuture<Void> removeDevice(int device) {
    return ask((core, done, refused) -> core.changes().removeDevice(device, done, refused));
  }

  /// Asks the core something, on its loop.
  <T> CompletableFuture<T> ask(Question<T> question) {
    var answer = new Answer<T>(link);
    boolean isRun =
        link.execute((core, now) ->
            core.ask(
                answer::isDone,
                () -> question.ask(core, answer::complete, answer::completeExceptionally)));
    if (!isRun) {
      answer.completeExceptionally(isClosed());
    }
    return answer;
  }

  private static TernException isClosed() {
    return new TernException(ErrorCode.TIMEOUT, 0, "the client is closed");
  }

  /// On the wire a direct chat is called by the other user: one of two others would become a chat
  /// with one of them.
  ChatId checkOurs(ChatId chat) {
    long me = config.user().value();
    if (!chat.isGroup() && chat.low() != me && chat.high() != me) {
      throw new IllegalArgumentException(chat + " is not a chat of " + config.user());
    }
    return chat;
  }

  /// A question to the core: exactly one of the two consumers hears the answer, once.
  interface Question<T> {
    void ask(ClientCore core, Consumer<T> done, Consumer<TernException> refused);
  }

  UserId user() {
    return config.user();
  }

  /// The device has changed to another network: tries again within a second.
  public void networkChanged() {
    link.execute(ClientCore::networkChanged);
  }

  /// Tries at once, also after a refusal.
  public void reconnect() {
    link.execute(ClientCore::reconnect);
  }

  /// Says goodbye and stops. What waits for an answer hears TIMEOUT; sends among it stay in the
  /// [ClientStore], which is closed. Returns at once; see [#closed]. Again: does nothing.
  @Override
  public void close() {
    boolean isRun =
        link.execute((core, now) -> {
          try {
            core.close(now);
            closed.complete(null);
          } catch (Throwable e) {
            closed.completeExceptionally(e);
          }
        });
    if (!isRun) {
      // Unless it has been closed before.
      closed.completeExceptionally(
          new IllegalStateException("the transport was closed before its client"));
    }
  }

  /// Completes when everything has been closed, the [ClientStore] too; with its failure, when that
  /// could not be closed.
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

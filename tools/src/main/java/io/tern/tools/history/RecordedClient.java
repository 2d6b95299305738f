package io.tern.tools.history;

import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ForwardingListener;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.netty.TernTransport;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.PageEntry;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/// A [TernClient] whose device writes down what it does and sees. One life of the device: a client
/// that is closed and started again is another object with the same recorder.
///
/// Any thread may call, but sends of one device from several threads at once could reach the client
/// in another order than the recorder, which the checker would take for the server's fault: let one
/// thread send.
public final class RecordedClient implements AutoCloseable {

  private static final int PAGE_ENTRIES = 100;

  private final DeviceRecorder recorder;
  private final TernClient client;

  private RecordedClient(DeviceRecorder recorder, TernClient client) {
    this.recorder = recorder;
    this.client = client;
  }

  /// As [#start(ClientConfig, DeviceRecorder, boolean, ClientListener, TernTransport)], on a loop
  /// of its own.
  public static RecordedClient start(
      ClientConfig config, DeviceRecorder recorder, boolean kept, ClientListener app) {
    recorder.opened(kept);
    return new RecordedClient(recorder, TernClient.start(config, new Listener(recorder, app)));
  }

  /// Starts to connect, on a loop of `transport`. Returns at once.
  ///
  /// @param kept whether the client's store still knows the device's last life; true for the first
  /// @param app hears everything after it has been recorded
  public static RecordedClient start(
      ClientConfig config,
      DeviceRecorder recorder,
      boolean kept,
      ClientListener app,
      TernTransport transport) {
    recorder.opened(kept);
    return new RecordedClient(
        recorder, TernClient.start(config, new Listener(recorder, app), transport));
  }

  public DeviceRecorder recorder() {
    return recorder;
  }

  public TernClient client() {
    return client;
  }

  /// Sends, as [TernClient#send]. `content` must differ from all others of this device in this
  /// chat.
  public CompletableFuture<TernClient.Receipted> send(ChatId chat, Content content) {
    int n = recorder.sending(chat, ContentHash.of(content));
    return client
        .send(chat, content)
        .whenComplete((receipted, failure) -> {
          if (receipted != null) {
            recorder.sent(
                chat,
                n,
                receipted.seq(),
                receipted.csn(),
                receipted.tsMillis(),
                receipted.repeat());
          } else if (cause(failure) instanceof TernException refusal) {
            // A code that this version does not know is obeyed by its class; the book needs a name.
            recorder.refused(
                chat, n, Objects.requireNonNullElse(refusal.code(), ErrorCode.INTERNAL));
          }
          // Anything else (the client was closed) says nothing about the send: unknown.
        });
  }

  /// Marks everything up to `seq` as read.
  public void read(ChatId chat, long seq) {
    recorder.reading(chat, seq);
    client.read(chat, seq);
  }

  /// At the end: reads the whole history of `chat`, page by page, and writes it down. Completes
  /// with the number of entries.
  public CompletableFuture<Long> recordHistory(ChatId chat) {
    return recordHistory(chat, 0);
  }

  private CompletableFuture<Long> recordHistory(ChatId chat, long afterSeq) {
    return client
        .historyAfter(chat, afterSeq, PAGE_ENTRIES)
        .thenCompose(page -> {
          recordPage(chat, page);
          return page.getMore() && page.getEntriesCount() > 0
              ? recordHistory(chat, page.getEntries(page.getEntriesCount() - 1).getSeq())
              : CompletableFuture.completedFuture(page.getHead());
        });
  }

  private void recordPage(ChatId chat, HistoryPage page) {
    for (var entry : page.getEntriesList()) {
      var body = entry.getEntry();
      recorder.entry(
          chat,
          entry.getSeq(),
          senderOf(chat, entry),
          ContentHash.of(body.getContent()),
          body.getTsMs());
    }
  }

  private DeviceId senderOf(ChatId chat, PageEntry entry) {
    var me = recorder.id().user();
    var sender =
        entry.getOwn()
            ? me
            : chat.isGroup() ? new UserId(entry.getEntry().getSender()) : chat.peerOf(me);
    return new DeviceId(sender, entry.getEntry().getDevice());
  }

  /// At the end: asks for the chat list and writes down heads and watermarks of direct chats.
  /// Completes with the number of chats.
  public CompletableFuture<Integer> recordSummaries() {
    return recordSummaries(null, 0);
  }

  private CompletableFuture<Integer> recordSummaries(byte @Nullable [] token, int before) {
    return client
        .chats(token, PAGE_ENTRIES)
        .thenCompose(page -> {
          page.getChatsList().forEach(this::recordSummary);
          int chats = before + page.getChatsCount();
          return next(page) == null
              ? CompletableFuture.completedFuture(chats)
              : recordSummaries(next(page), chats);
        });
  }

  private static byte @Nullable [] next(ChatsPage page) {
    var token = page.getNextPageToken();
    return token.isEmpty() ? null : token.toByteArray();
  }

  private void recordSummary(ChatItem item) {
    var me = recorder.id().user();
    var chat = ChatId.fromWire(me, item.getChat(), item.getGroup());
    recorder.summary(chat, me, item.getHead(), item.getDelivered(), item.getRead());
    if (!chat.isGroup() && !chat.isSelf()) {
      recorder.summary(
          chat, chat.peerOf(me), item.getHead(), item.getPeerDelivered(), item.getPeerRead());
    }
  }

  @Override
  public void close() {
    client.close();
  }

  private static Throwable cause(Throwable failure) {
    var cause = failure instanceof CompletionException ? failure.getCause() : failure;
    return cause == null ? failure : cause;
  }

  /// Records, then tells the app.
  private static final class Listener extends ForwardingListener {
    private final DeviceRecorder recorder;

    Listener(DeviceRecorder recorder, ClientListener app) {
      super(app);
      this.recorder = recorder;
    }

    @Override
    public void onMessage(Message message) {
      recorder.delivered(
          message.chat(),
          message.seq(),
          new DeviceId(message.sender(), message.device()),
          ContentHash.of(message.content()),
          message.tsMillis(),
          message.csn());
      super.onMessage(message);
    }

    @Override
    public void onReceipt(ChatId chat, UserId member, long delivered, long read) {
      recorder.receipt(chat, member, delivered, read);
      super.onReceipt(chat, member, delivered, read);
    }

    @Override
    public void onReset(ChatId chat, long seq) {
      recorder.reset(chat, seq);
      super.onReset(chat, seq);
    }

    @Override
    public void onConnection(ConnectionState state) {
      if (state instanceof ConnectionState.Up up) {
        recorder.up(up.session().epoch());
      }
      super.onConnection(state);
    }
  }
}

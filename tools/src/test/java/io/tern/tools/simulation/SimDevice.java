package io.tern.tools.simulation;

import com.google.protobuf.ByteString;
import io.tern.client.ClientStore;
import io.tern.client.SendCallback;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.store.MemoryClientStore;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.PageEntry;
import io.tern.tools.history.ContentHash;
import io.tern.tools.history.DeviceRecorder;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// One device with the real SDK logic, whose app can die and start again on what its store kept.
/// Writes down what it does and sees.
final class SimDevice implements SimConnection.End {

  final DeviceId id;
  private final World world;
  private final SimServer server;
  private final DeviceRecorder recorder;
  private final Shelf store = new Shelf();
  private final Map<ChatId, Long> seen = new HashMap<>();
  private final Set<SimConnection> orderly = new HashSet<>();

  /// The record's number of a send, by the hash of its content.
  private final Map<Long, Integer> numbers = new HashMap<>();

  private int texts;
  private int lives;
  private App app;

  SimDevice(World world, SimServer server, DeviceRecorder recorder) {
    this.world = world;
    this.server = server;
    this.recorder = recorder;
    id = recorder.id();
    app = new App();
    recorder.opened(true);
    app.start();
  }

  // ---- what a scenario may do

  void send(UserId peer) {
    ChatId chat = ChatId.direct(id.user(), peer);
    int length = world.oneIn(20) ? 2_000 : 5;
    Content content =
        Content.newBuilder()
            .setKind(Kind.KIND_TEXT)
            .setBody(ByteString.copyFromUtf8(id + "/" + lives + "/" + texts++ + "x".repeat(length)))
            .build();
    int n = recorder.sending(chat, ContentHash.of(content));
    numbers.put(ContentHash.of(content), n);
    app.core.send(
        world.millis(),
        chat,
        content,
        new SendCallback() {
          @Override
          public void onSent(ChatId to, long seq, long csn, long tsMillis, boolean repeat) {
            sent(to, n, seq, csn, tsMillis, repeat);
          }

          @Override
          public void onRefused(ChatId to, TernException refusal) {
            // TIMEOUT says that the client was closed first: nothing is known.
            if (refusal.code() != ErrorCode.TIMEOUT) {
              refused(to, n, refusal);
            }
          }
        });
    app.endPass();
  }

  void read(UserId peer) {
    ChatId chat = ChatId.direct(id.user(), peer);
    // What the app has been told of, unless that is behind a hole.
    long seq = seen.getOrDefault(chat, 0L);
    if (seq > 0 && seq <= app.core.position(chat)) {
      recorder.reading(chat, seq);
      app.core.read(world.millis(), chat, seq);
      app.endPass();
    }
  }

  void cut() {
    app.cut();
  }

  /// The app is killed and started again.
  void restart() {
    app.die();
    lives++;
    app = new App();
    recorder.opened(true);
    app.start();
  }

  void networkChanged() {
    app.core.networkChanged(world.millis());
    app.endPass();
  }

  boolean isQuiet() {
    return app.core.isUp() && app.core.pendingSends() == 0;
  }

  long position(ChatId chat) {
    return Math.max(app.core.position(chat), seen.getOrDefault(chat, 0L));
  }

  /// Reads the whole history of `chat` and its summary into the record.
  void recordHistory(ChatId chat, long after) {
    app.core
        .queries()
        .historyAfter(
            chat,
            after,
            100,
            page -> {
              record(chat, page);
              int n = page.getEntriesCount();
              if (n > 0 && page.getMore()) {
                long next = page.getEntries(n - 1).getSeq();
                world.in(0, () -> recordHistory(chat, next));
              }
            },
            refusal -> world.in(100_000, () -> recordHistory(chat, after)));
    app.endPass();
  }

  void recordSummaries() {
    app.core
        .queries()
        .chats(
            null,
            100,
            page -> {
              for (ChatItem item : page.getChatsList()) {
                ChatId chat = ChatId.fromWire(id.user(), item.getChat(), item.getGroup());
                recorder.summary(
                    chat, id.user(), item.getHead(), item.getDelivered(), item.getRead());
                if (!chat.isSelf()) {
                  recorder.summary(
                      chat,
                      chat.peerOf(id.user()),
                      item.getHead(),
                      item.getPeerDelivered(),
                      item.getPeerRead());
                }
              }
              recorder.online();
            },
            refusal -> world.in(100_000, this::recordSummaries));
    app.endPass();
  }

  private void record(ChatId chat, HistoryPage page) {
    for (PageEntry entry : page.getEntriesList()) {
      UserId sender = entry.getOwn() ? id.user() : chat.peerOf(id.user());
      recorder.entry(
          chat,
          entry.getSeq(),
          new DeviceId(sender, entry.getEntry().getDevice()),
          ContentHash.of(entry.getEntry().getContent()),
          entry.getEntry().getTsMs());
    }
  }

  private void sent(ChatId chat, int n, long seq, long csn, long tsMillis, boolean repeat) {
    recorder.sent(chat, n, seq, csn, tsMillis, repeat);
    seen.merge(chat, seq, Math::max);
  }

  private void refused(ChatId chat, int n, TernException refusal) {
    recorder.refused(chat, n, Objects.requireNonNullElse(refusal.code(), ErrorCode.INTERNAL));
  }

  /// The record's number of a send of an earlier life.
  private int numberOf(ChatId chat, long csn) {
    return Objects.requireNonNull(numbers.get(store.hashOf(chat, csn)));
  }

  // ---- what the network does

  @Override
  public void onBytes(SimConnection from, byte[] bytes) {
    app.onBytes(from, bytes);
  }

  @Override
  public void onConnectionLost(SimConnection which, String why) {
    app.onConnectionLost(which, why);
  }

  @Override
  public boolean closedOrderly(SimConnection connection) {
    return orderly.contains(connection);
  }

  /// The store of all lives; knows what was sent under which csn.
  private static final class Shelf implements ClientStore {

    private final MemoryClientStore kept = new MemoryClientStore();
    private final Map<ChatId, Map<Long, Long>> hashes = new HashMap<>();

    long hashOf(ChatId chat, long csn) {
      note();
      return Objects.requireNonNull(hashes.getOrDefault(chat, Map.of()).get(csn));
    }

    private void note() {
      for (PendingSend send : kept.pendingSends()) {
        hashes
            .computeIfAbsent(send.chat(), c -> new HashMap<>())
            .put(send.csn(), ContentHash.of(send.content()));
      }
    }

    @Override
    public List<PendingSend> pendingSends() {
      return kept.pendingSends();
    }

    @Override
    public void addSend(PendingSend send) {
      kept.addSend(send);
    }

    @Override
    public void removeSend(ChatId chat, long csn) {
      note();
      kept.removeSend(chat, csn);
    }

    @Override
    public void renumberSends(ChatId chat, long after, long csn) {
      kept.renumberSends(chat, after, csn);
    }

    @Override
    public long lastCsn(ChatId chat) {
      return kept.lastCsn(chat);
    }

    @Override
    public long position(ChatId chat) {
      return kept.position(chat);
    }

    @Override
    public void setPosition(ChatId chat, long seq) {
      kept.setPosition(chat, seq);
    }

    @Override
    public @Nullable ResumeTicket resumeTicket() {
      return kept.resumeTicket();
    }

    @Override
    public void setResumeTicket(@Nullable ResumeTicket ticket) {
      kept.setResumeTicket(ticket);
    }

    @Override
    public void close() {}
  }

  /// One life of the app.
  private final class App extends SimApp {

    App() {
      super(world, server, SimDevice.this, id, store, Duration.ofSeconds(20));
    }

    @Override
    long connectMicros() {
      return world.some(200, 100_000);
    }

    @Override
    boolean hasNetwork() {
      return true;
    }

    @Override
    boolean fails() {
      return world.oneIn(30);
    }

    @Override
    void abandon(SimConnection left) {
      left.clientClosed();
    }

    @Override
    void closing(SimConnection closed) {
      orderly.add(closed);
    }

    @Override
    public void onConnection(ConnectionState state) {
      if (state instanceof ConnectionState.Up up) {
        recorder.up(up.session().epoch());
      }
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
      seen.merge(message.chat(), message.seq(), Math::max);
    }

    @Override
    public void onSent(TernClient.Receipted sent) {
      SimDevice.this.sent(
          sent.chat(),
          numberOf(sent.chat(), sent.csn()),
          sent.seq(),
          sent.csn(),
          sent.tsMillis(),
          sent.repeat());
    }

    @Override
    public void onSendRefused(ChatId chat, long csn, Content content, TernException refusal) {
      refused(chat, numberOf(chat, csn), refusal);
    }

    @Override
    public void onReceipt(ChatId chat, UserId member, long delivered, long read) {
      recorder.receipt(chat, member, delivered, read);
    }

    @Override
    public void onReset(ChatId chat, long seq) {
      recorder.reset(chat, seq);
    }
  }
}

package io.tern.tools.simulation;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.client.ClientListener;
import io.tern.client.SendCallback;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.core.ClientCore;
import io.tern.client.store.MemoryClientStore;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// A device with the real SDK logic and the little that an app does on top: it keeps what it is
/// told, and lets events change it.
final class ModelDevice implements SimConnection.End {

  /// An entry as the app shows it.
  static final class Row {
    final UserId sender;
    final int device;
    final long tsMillis;
    Content content;
    long editedMillis;

    Row(UserId sender, int device, long tsMillis, Content content, long editedMillis) {
      this.sender = sender;
      this.device = device;
      this.tsMillis = tsMillis;
      this.content = content;
      this.editedMillis = editedMillis;
    }

    boolean isGone() {
      return content.getKind() == Kind.KIND_TOMBSTONE;
    }
  }

  /// A chat as the app shows it.
  static final class View {
    final NavigableMap<Long, Row> rows = new TreeMap<>();
    long peerDelivered;
    long peerRead;
    long ownRead;
    long allDelivered;
    long allRead;
    ClientListener.@Nullable ReceiptCount count;
  }

  final DeviceId id;
  final Map<ChatId, View> views = new HashMap<>();
  final Map<UserId, ClientListener.Presence> present = new HashMap<>();
  final List<String> typing = new ArrayList<>();

  /// Where each chat began for this device: what was before is to be had by history only.
  final Map<ChatId, Long> starts = new HashMap<>();

  final List<UserId> watchedUsers = new ArrayList<>();
  final List<ChatId> watchedGroups = new ArrayList<>();
  private final World world;
  private final SimServer server;
  private final MemoryClientStore store = new MemoryClientStore();
  private App app;
  private boolean online = true;
  private boolean active = true;

  /// When the person last looked away from it; 0 = never.
  long lookedAwayMillis;

  boolean removed;

  ModelDevice(World world, SimServer server, DeviceId id) {
    this.world = world;
    this.server = server;
    this.id = id;
    app = new App();
    app.start();
  }

  View view(ChatId chat) {
    return views.computeIfAbsent(chat, c -> new View());
  }

  ClientCore core() {
    return app.core;
  }

  long millis() {
    return world.millis();
  }

  void endPass() {
    app.endPass();
  }

  boolean isUp() {
    return app.core.isUp();
  }

  boolean isOnline() {
    return online && !removed;
  }

  /// Whether a person looks at it.
  boolean isInFront() {
    return isOnline() && active;
  }

  boolean isInBackground() {
    return isOnline() && !active;
  }

  boolean isRefused() {
    return app.refused;
  }

  /// What this device knows of before it is told.
  void start(ChatId chat, long seq) {
    starts.put(chat, seq);
  }

  void setActivity(ClientActivity activity) {
    if (isInFront()) {
      lookedAwayMillis = world.wallMillis();
    }
    active = activity == ClientActivity.CLIENT_ACTIVITY_ACTIVE;
    app.core.setActivity(world.millis(), activity);
    app.endPass();
  }

  void goOffline() {
    if (isInFront()) {
      lookedAwayMillis = world.wallMillis();
    }
    online = false;
    app.cut();
  }

  void goOnline() {
    online = true;
    app.core.networkChanged(world.millis());
    app.endPass();
  }

  /// The connection breaks; the app tries again.
  void cut() {
    app.cut();
  }

  /// The app is killed and starts again with what its store kept; its screen is what it was.
  void restart() {
    app.die();
    watchedUsers.clear();
    watchedGroups.clear();
    active = true;
    app = new App();
    app.start();
  }

  void send(ChatId chat, Content content, SendCallback callback) {
    app.core.send(
        world.millis(),
        chat,
        content,
        new SendCallback() {
          @Override
          public void onSent(ChatId to, long seq, long csn, long tsMillis, boolean repeat) {
            enter(to, seq, new Row(id.user(), id.index(), tsMillis, content, 0));
            callback.onSent(to, seq, csn, tsMillis, repeat);
          }

          @Override
          public void onRefused(ChatId to, TernException refusal) {
            callback.onRefused(to, refusal);
          }
        });
    app.endPass();
  }

  private void enter(ChatId chat, long seq, Row row) {
    view(chat).rows.put(seq, row);
    Content content = row.content;
    Row target = view(chat).rows.get(content.getTarget());
    switch (content.getKind()) {
      case KIND_EDIT -> {
        if (target != null && !target.isGone()) {
          Content.Builder newer =
              target.content.toBuilder()
                  .setBody(content.getBody())
                  .clearMentions()
                  .addAllMentions(content.getMentionsList())
                  .clearPreview();
          if (content.hasPreview()) {
            newer.setPreview(content.getPreview());
          }
          target.content = newer.build();
          target.editedMillis = row.tsMillis;
        }
      }
      case KIND_REVOKE, KIND_OPENED -> remove(target);
      case KIND_SETTING -> {
        for (Setting setting : settings(content.getBody())) {
          if (setting.hasHide()) {
            ChatId hidden =
                ChatId.fromWire(
                    id.user(), setting.getHide().getChat(), setting.getHide().getGroup());
            remove(view(hidden).rows.get(setting.getHide().getSeq()));
          }
        }
      }
      default -> {}
    }
  }

  private static void remove(@Nullable Row row) {
    if (row != null) {
      row.content = Content.newBuilder().setKind(Kind.KIND_TOMBSTONE).build();
    }
  }

  private static List<Setting> settings(ByteString body) {
    try {
      return Settings.parseFrom(body).getSetList();
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
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
    return false;
  }

  /// One life of the app.
  private final class App extends SimApp {

    private boolean refused;

    App() {
      super(world, server, ModelDevice.this, id, store, Duration.ofSeconds(200));
    }

    @Override
    long connectMicros() {
      return 10;
    }

    @Override
    boolean hasNetwork() {
      return online;
    }

    @Override
    boolean fails() {
      return false;
    }

    @Override
    void abandon(SimConnection left) {
      left.cut();
    }

    @Override
    void closing(SimConnection closed) {}

    @Override
    public void onConnection(ConnectionState state) {
      if (state instanceof ConnectionState.Refused) {
        refused = true;
      }
    }

    @Override
    public void onMessage(Message message) {
      enter(
          message.chat(),
          message.seq(),
          new Row(
              message.sender(),
              message.device(),
              message.tsMillis(),
              message.content(),
              message.editedMillis()));
    }

    @Override
    public void onSent(TernClient.Receipted sent) {
      // What it said is not told, and its csn may be another one by now.
      Content unknown = Content.newBuilder().setKind(Kind.KIND_TOMBSTONE).build();
      enter(sent.chat(), sent.seq(), new Row(id.user(), id.index(), sent.tsMillis(), unknown, 0));
    }

    @Override
    public void onSendRefused(ChatId chat, long csn, Content content, TernException refusal) {
      // It is nowhere.
    }

    @Override
    public void onReceipt(ChatId chat, UserId member, long delivered, long read) {
      if (member.equals(id.user())) {
        view(chat).ownRead = Math.max(view(chat).ownRead, read);
      } else {
        view(chat).peerDelivered = Math.max(view(chat).peerDelivered, delivered);
        view(chat).peerRead = Math.max(view(chat).peerRead, read);
      }
    }

    @Override
    public void onGroupReceipt(ChatId group, long allDelivered, long allRead) {
      view(group).allDelivered = allDelivered;
      view(group).allRead = allRead;
    }

    @Override
    public void onReceiptCount(ReceiptCount count) {
      view(count.group()).count = count;
    }

    @Override
    public void onTyping(ChatId chat, UserId member, Typing what) {
      typing.add(chat + " " + member.value() + " " + what);
    }

    @Override
    public void onPresence(Presence presence) {
      present.put(presence.user(), presence);
    }
  }
}

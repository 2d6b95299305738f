package io.tern.client.core;

import static io.tern.client.core.Simulation.check;
import static io.tern.client.core.Simulation.isSentBy;
import static io.tern.client.core.Simulation.text;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientStore;
import io.tern.client.FakeLog;
import io.tern.client.FakeServer;
import io.tern.client.SendCallback;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.store.MemoryClientStore;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Users;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A phone: its disk (store, what the app has kept) outlives its process (the core).
final class SimulatedDevice implements ClientListener, ClientIo, SendCallback {

  /// Without a stack trace: it is logged often.
  private static final class DiskFull extends RuntimeException {
    private static final long serialVersionUID = 1;

    DiskFull() {
      super("the app's disk is full (a fault of the simulation)", null, false, false);
    }
  }

  /// A send as the app knows it.
  static final class Sent {
    final String text;
    final ChatId chat;
    int outcomes;
    long seq;
    int code;

    Sent(String text, ChatId chat) {
      this.text = text;
      this.chat = chat;
    }
  }

  private final Simulation simulation;
  final DeviceId id;
  ClientStore store = new MemoryClientStore();
  final Map<String, Sent> sent = new LinkedHashMap<>();
  final Map<String, Sent> byPlace = new HashMap<>();

  /// The highest seq the app has stored, per chat; below it, only own ones were left out.
  final Map<ChatId, Long> heard = new HashMap<>();

  final Map<String, long[]> receipts = new HashMap<>();

  /// Changes of groups by their title, and how they ended: 0 done, -1 nobody knows yet.
  final Map<String, Integer> changed = new LinkedHashMap<>();

  /// The user's mutes as this device has heard them.
  final Map<String, Long> settled = new HashMap<>();

  @Nullable ClientCore core;
  @Nullable SimulatedLink link;
  int process;
  int index;
  int ups;
  int caughtUp;
  @Nullable ConnectionState state;

  SimulatedDevice(Simulation simulation, DeviceId id) {
    this.simulation = simulation;
    this.id = id;
    simulation.at(simulation.now + simulation.random.nextInt(2_000), this::start);
  }

  void start() {
    if (core != null) {
      return;
    }
    process++;
    var config =
        ClientConfig.of(
            id.user(),
            id.index(),
            List.of(
                InetSocketAddress.createUnresolved("one", 1),
                InetSocketAddress.createUnresolved("two", 2)),
            () -> FakeServer.token(id.user(), id.index()),
            store);
    var fresh = new ClientCore(config, this, this, simulation.random);
    core = fresh;
    fresh.start(simulation.now);
    fresh.endPass(simulation.now);
  }

  void kill() {
    core = null;
    if (link != null) {
      link.cut();
      link = null;
    }
  }

  void onTimer() {
    if (core != null) {
      core.onTimer(simulation.now);
      if (core != null) {
        core.endPass(simulation.now);
      }
    }
  }

  void act() {
    ClientCore live = core;
    if (live == null) {
      return;
    }
    UserId peer = new UserId(100 + simulation.random.nextInt(simulation.devices.size()));
    if (simulation.devices.stream().noneMatch(d -> d.id.user().equals(peer))) {
      return;
    }
    List<ChatId> groups = groups();
    ChatId chat =
        groups.isEmpty() || simulation.random.nextBoolean()
            ? ChatId.direct(id.user(), peer)
            : groups.get(simulation.random.nextInt(groups.size()));
    switch (simulation.random.nextInt(16)) {
      case 0, 1, 2, 3, 4 -> {
        int n = simulation.random.nextInt(4) == 0 ? 1 + simulation.random.nextInt(60) : 1;
        for (int i = 0; i < n; i++) {
          send(chat);
        }
      }
      case 5 -> live.read(simulation.now, chat, heard.getOrDefault(chat, 0L));
      case 12, 13 -> change(live, chat, peer);
      case 14 -> {
        long until = ++index;
        live.changes()
            .set(
                List.of(
                    Setting.newBuilder()
                        .setChat(
                            ChatSetting.newBuilder().setChat(peer.value()).setMuteUntilMs(until))
                        .build()),
                done -> {},
                refusal -> {});
      }
      case 15 -> live.watching().watch(simulation.now, List.of(peer), groups);
      case 6 ->
          live.watching()
              .typing(chat, simulation.random.nextBoolean() ? Typing.TEXT : Typing.STOPPED);
      case 7 -> {
        if (simulation.random.nextInt(4) == 0) {
          live.networkChanged(simulation.now);
        }
      }
      case 8 -> {
        simulation.histories++;
        live.queries()
            .historyAfter(
                chat,
                simulation.random.nextInt(20),
                10,
                page -> simulation.histories--,
                refusal -> simulation.histories--);
      }
      case 9 -> live.queries().chats(null, 10, page -> {}, refusal -> {});
      case 10 ->
          live.setActivity(
              simulation.now,
              simulation.random.nextBoolean()
                  ? ClientActivity.CLIENT_ACTIVITY_ACTIVE
                  : ClientActivity.CLIENT_ACTIVITY_INACTIVE);
      default -> {}
    }
    live.endPass(simulation.now);
  }

  /// The groups that the user was ever in.
  private List<ChatId> groups() {
    return simulation.server.chats.values().stream()
        .filter(log -> log.group != null && log.sees(id.user()))
        .map(log -> log.id)
        .toList();
  }

  private void change(ClientCore live, ChatId chat, UserId peer) {
    if (!chat.isGroup()) {
      if (simulation.server.chats.size() > 20) {
        return;
      }
      String title = "group " + ++index + " of " + id;
      changed.put(title, -1);
      live.changes()
          .createGroup(
              GroupCreate.newBuilder().setTitle(title).addMembers(peer.value()),
              done -> done(title),
              refusal -> changed.put(title, refusal.number()));
      return;
    }
    GroupEdit.Builder edit = GroupEdit.newBuilder();
    String title = "title " + ++index + " of " + id;
    switch (simulation.random.nextInt(6)) {
      case 0 -> edit.setAdd(Users.newBuilder().addUsers(peer.value()));
      case 1 -> edit.setRemove(peer.value());
      case 2 -> edit.setLeave(true);
      case 3 ->
          edit.setRole(
              RoleChange.newBuilder()
                  .setUser(peer.value())
                  .setRole(simulation.random.nextBoolean() ? Role.ROLE_ADMIN : Role.ROLE_OWNER));
      case 4 -> {
        edit.setTitle(title);
        changed.put(title, -1);
      }
      default -> edit.setJoin(Objects.requireNonNull(simulation.server.log(chat).group).link());
    }
    boolean isTitle = edit.hasTitle();
    live.changes()
        .editGroup(
            chat,
            edit,
            done -> {
              if (isTitle) {
                done(title);
              }
            },
            refusal -> {
              if (isTitle) {
                changed.put(title, refusal.number());
              }
            });
  }

  private void done(String title) {
    check(changed.put(title, 0) == -1, title + " was answered twice");
    simulation.changes++;
  }

  void send(ChatId chat) {
    ClientCore live = core;
    if (live == null) {
      return;
    }
    String text = ++index + " of " + id + (simulation.random.nextInt(40) == 0 ? " refuse" : "");
    sent.put(text, new Sent(text, chat));
    simulation.sends++;
    int mine = process;
    live.send(
        simulation.now,
        chat,
        Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFromUtf8(text)).build(),
        new SendCallback() {
          @Override
          public void onSent(ChatId in, long seq, long csn, long tsMillis, boolean repeat) {
            check(mine == process, "a callback of a dead process");
            settled(text, seq, 0);
          }

          @Override
          public void onRefused(ChatId in, TernException refusal) {
            settled(text, 0, refusal.number());
          }
        });
  }

  private void settled(String text, long seq, int code) {
    Sent send = sent.get(text);
    if (send == null) {
      throw new AssertionError("unknown send " + text);
    }
    send.outcomes++;
    send.seq = seq;
    send.code = code;
    if (code != 0) {
      simulation.refusals++;
    }
  }

  // ---- what the client says

  @Override
  public void onSent(ChatId chat, long seq, long csn, long tsMillis, boolean repeat) {
    throw new AssertionError("nobody asked");
  }

  @Override
  public void onRefused(ChatId chat, TernException refusal) {
    throw new AssertionError("nobody asked");
  }

  @Override
  public void onSent(TernClient.Receipted place) {
    String text =
        text(simulation.server.log(place.chat()).entries.get((int) place.seq() - 1).content());
    settled(text, place.seq(), 0);
  }

  @Override
  public void onSendRefused(ChatId chat, long csn, Content content, TernException refusal) {
    settled(text(content), 0, refusal.number());
  }

  @Override
  public void onMessage(Message message) {
    if (simulation.random.nextDouble() < simulation.world.listenerFails()) {
      throw new DiskFull();
    }
    FakeLog log = simulation.server.log(message.chat());
    long before = heard.getOrDefault(message.chat(), 0L);
    check(
        message.seq() > before,
        id + " got " + message.seq() + " of " + message.chat() + " after " + before);
    long first = log.first(id.user());
    for (long seq = Math.max(first, before + 1); seq < message.seq(); seq++) {
      check(
          isSentBy(log.entries.get((int) seq - 1), id),
          id + " got " + message.seq() + " of " + message.chat() + " and never " + seq);
    }
    FakeLog.Entry entry = log.entries.get((int) message.seq() - 1);
    check(entry.content().equals(message.content()), "another content at " + message.seq());
    check(entry.sender().user().equals(message.sender()), "another sender");
    check(entry.sender().index() == message.device(), "another device");
    check(message.own() == message.sender().equals(id.user()), "own");
    heard.put(message.chat(), message.seq());
  }

  @Override
  public void onSetting(Setting setting) {
    settled.put(FakeServer.key(setting), setting.getChat().getMuteUntilMs());
  }

  @Override
  public void onReset(ChatId chat, long seq) {
    check(
        seq > heard.getOrDefault(chat, 0L)
            || simulation.server.log(chat).entries.stream().anyMatch(e -> isSentBy(e, id)),
        "a RESET to where one is");
    simulation.resets++;
    heard.merge(chat, seq, Math::max);
    if (chat.isSelf()) {
      // As an app does that may have missed some: asks for all.
      simulation
          .server
          .settings
          .getOrDefault(id.user(), Map.of())
          .values()
          .forEach(this::onSetting);
    }
  }

  @Override
  public void onGroupReceipt(ChatId group, long allDelivered, long allRead) {
    onReceipt(group, new UserId(1), allDelivered, allRead);
  }

  @Override
  public void onPresence(Presence presence) {
    check(presence.user().value() >= 100, "a stranger's presence");
  }

  @Override
  public void onReceipt(ChatId chat, UserId member, long delivered, long read) {
    long[] before = receipts.computeIfAbsent(process + "/" + chat + member, k -> new long[2]);
    check(delivered >= before[0] && read >= before[1], "a watermark went back");
    check(delivered > before[0] || read > before[1], "a receipt without news");
    before[0] = delivered;
    before[1] = read;
  }

  @Override
  public void onCaughtUp() {
    caughtUp++;
  }

  @Override
  public void onConnection(ConnectionState told) {
    state = told;
    if (told instanceof ConnectionState.Up) {
      ups++;
    } else if (told instanceof ConnectionState.Down) {
      simulation.reconnects++;
    } else if (told instanceof ConnectionState.Refused refused) {
      throw new AssertionError(id + " was refused: " + refused);
    }
  }

  // ---- what the client does

  @Override
  public void connect(SocketAddress address) {
    check(link == null, "two connections at a time");
    var opening = new SimulatedLink(simulation, this);
    link = opening;
    long delay = 1L + simulation.random.nextInt(30);
    boolean fails = simulation.random.nextDouble() < simulation.world.connectFails();
    simulation.at(
        simulation.now + delay,
        () -> {
          if (link == opening && core != null) {
            if (fails) {
              link = null;
              core.onDisconnected(simulation.now, "connection refused");
            } else {
              opening.open();
              core.onConnected(simulation.now);
            }
            if (core != null) {
              core.endPass(simulation.now);
            }
          }
        });
  }

  @Override
  public ByteBuf allocate() {
    return Unpooled.buffer();
  }

  @Override
  public void write(ByteBuf frames) {
    var bytes = new byte[frames.readableBytes()];
    frames.readBytes(bytes);
    frames.release();
    if (link == null) {
      throw new AssertionError("a write without a connection");
    }
    link.toServer(bytes);
  }

  @Override
  public void disconnect() {
    SimulatedLink old = link;
    link = null;
    if (old != null) {
      old.closeByClient();
    }
  }

  @Override
  public void onState(ConnectionState told) {}
}

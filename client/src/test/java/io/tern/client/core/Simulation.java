package io.tern.client.core;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.client.Body;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientStore;
import io.tern.client.FakeFaults;
import io.tern.client.FakeLog;
import io.tern.client.FakeServer;
import io.tern.client.FakeSession;
import io.tern.client.GroupChange;
import io.tern.client.SendCallback;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.store.MemoryClientStore;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Users;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/// Clients and a [FakeServer] in a world of simulated time, networks and processes, driven by one
/// seed on one thread. What the rules promise is checked while it runs and at the end; a broken
/// promise is an AssertionError.
final class Simulation {

  /// How bad the world is; every number is a probability.
  record World(
      double cut,
      double halfOpen,
      double connectFails,
      double refuseSend,
      double forgetSent,
      double loseDelivery,
      double repeatDelivery,
      double refuseQuestion,
      double refuseHello,
      double loseMark,
      double restart,
      double goAway,
      double listenerFails,
      double forgetChange,
      double dropBacklog) {

    static final World GOOD = new World(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    static World of(Random random) {
      double[] p = new double[15];
      for (int i = 0; i < p.length; i++) {
        // A third of the faults is absent in each world, so that the others get far.
        p[i] = random.nextInt(3) == 0 ? 0 : random.nextDouble() * 0.15;
      }
      return new World(
          p[0],
          p[1] / 4,
          p[2] * 3,
          p[3],
          p[4] / 2,
          p[5],
          p[6],
          p[7],
          p[8],
          p[9],
          p[10] / 2,
          p[11] / 2,
          p[12] / 10,
          p[13] * 2,
          p[14]);
    }
  }

  private record Event(long at, long order, Runnable action) {}

  final Random random;
  final FakeServer server = new FakeServer();
  final List<Device> devices = new ArrayList<>();
  final List<Link> links = new ArrayList<>();
  World world;
  long now = 1_000;
  private long order;
  private final PriorityQueue<Event> events =
      new PriorityQueue<>(
          (a, b) -> a.at != b.at ? Long.compare(a.at, b.at) : Long.compare(a.order, b.order));
  int sends;
  int refusals;
  int reconnects;
  int histories;
  int changes;
  int resets;

  Simulation(long seed, int users, int devicesPerUser) {
    random = new Random(seed);
    world = World.of(random);
    server.faults = new SeededFaults();
    server.echoesOwn = random.nextBoolean();
    server.sendsPerSecond = random.nextInt(3) == 0 ? 50 : 0;
    server.pushesOwnEvents = random.nextBoolean();
    server.onAck = this::checkAck;
    for (int u = 0; u < users; u++) {
      for (int d = 1; d <= devicesPerUser; d++) {
        devices.add(new Device(new DeviceId(new UserId(100 + u), d)));
      }
    }
  }

  void at(long millis, Runnable action) {
    events.add(new Event(Math.max(now, millis), order++, action));
  }

  /// Runs what is due until `until`.
  void runUntil(long until) {
    while (true) {
      Event next = events.peek();
      Device timed = null;
      long timedAt = until;
      for (Device device : devices) {
        if (device.core != null && device.core.deadlineMillis() < timedAt) {
          timed = device;
          timedAt = device.core.deadlineMillis();
        }
      }
      if (timed != null && (next == null || timedAt < next.at)) {
        now = Math.max(now, timedAt);
        timed.onTimer();
      } else if (next != null && next.at <= until) {
        events.remove();
        now = Math.max(now, next.at);
        next.action.run();
      } else {
        now = until;
        return;
      }
    }
  }

  /// The app's and the world's whims for `millis`.
  void live(long millis) {
    long end = now + millis;
    while (now < end) {
      runUntil(Math.min(end, now + 1 + random.nextInt(60)));
      Device device = devices.get(random.nextInt(devices.size()));
      device.act();
      if (random.nextDouble() < world.cut && !links.isEmpty()) {
        links.get(random.nextInt(links.size())).cut();
      }
      if (random.nextDouble() < world.goAway && !server.sessions.isEmpty()) {
        goAway();
      }
      if (random.nextDouble() < world.restart / 4) {
        device.kill();
        at(now + random.nextInt(3_000), device::start);
      }
    }
  }

  /// The world becomes good; everything must come to its end.
  void settle() {
    world = World.GOOD;
    for (Device device : devices) {
      device.start();
      ClientCore live = Objects.requireNonNull(device.core);
      live.setActivity(now, ClientActivity.CLIENT_ACTIVITY_ACTIVE);
      live.endPass(now);
    }
    // At least twice: the server repeats what nobody has acknowledged.
    for (int i = 0; i < 2 || (i < 60 && !isSettled()); i++) {
      runUntil(now + 60_000);
      server.nudgeAll();
    }
    runUntil(now + 60_000);
  }

  private boolean isSettled() {
    return devices.stream().allMatch(d -> d.core != null && d.core.pendingSends() == 0)
        && server.sessions.size() == devices.size();
  }

  void checkEnd() {
    check(server.violations.isEmpty(), "the server saw: " + server.violations);
    for (Device device : devices) {
      for (Sent sent : device.sent.values()) {
        check(sent.outcomes == 1, device.id + " " + sent.text + " had outcomes: " + sent.outcomes);
        FakeLog log = server.log(sent.chat);
        long places = log.entries.stream().filter(e -> text(e.content()).equals(sent.text)).count();
        if (sent.seq > 0) {
          check(places == 1, sent.text + " is in the log " + places + " times");
          check(
              text(log.entries.get((int) sent.seq - 1).content()).equals(sent.text),
              sent.text + " is not at " + sent.seq);
        } else {
          boolean unknown =
              ErrorCode.classOf(sent.code) == ErrorCode.ErrorClass.SERVER
                  || ErrorCode.classOf(sent.code) == ErrorCode.ErrorClass.PROTOCOL;
          check(places == 0 || (unknown && places == 1), sent.text + " was refused, and is there");
        }
      }
    }
    checkChanges();
    for (FakeLog log : server.chats.values()) {
      Map<DeviceId, Long> lastIndex = new HashMap<>();
      Map<DeviceId, Long> lastCsn = new HashMap<>();
      for (FakeLog.Entry entry : log.entries) {
        if (entry.csn() == 0) {
          continue;
        }
        long index = Long.parseLong(text(entry.content()).split(" ", 2)[0]);
        Long before = lastIndex.put(entry.sender(), index);
        check(before == null || before < index, "order of " + entry.sender() + " in " + log.id);
        Long csn = lastCsn.put(entry.sender(), entry.csn());
        check((csn == null ? 0 : csn) + 1 == entry.csn(), "csn hole of " + entry.sender());
      }
      for (Device device : devices) {
        if (log.sees(device.id.user())) {
          long have = device.heard.getOrDefault(log.id, 0L);
          for (FakeLog.Entry entry : log.entries) {
            check(
                entry.seq() <= have
                    || entry.seq() < log.first(device.id.user())
                    || entry.seq() > log.last(device.id.user())
                    || isSentBy(entry, device.id),
                device.id
                    + " lacks "
                    + entry.seq()
                    + " of "
                    + log.id
                    + ", it has "
                    + have
                    + ", position "
                    + Objects.requireNonNull(device.core).position(log.id));
          }
          check(log.positions.getOrDefault(device.id, 0L) <= log.head(), "ACK beyond the head");
        }
      }
    }
  }

  /// An operation that was done has one entry; one that was refused has none, unless the refusal
  /// left it open.
  private void checkChanges() {
    Map<String, Integer> places = new HashMap<>();
    for (FakeLog log : server.chats.values()) {
      for (FakeLog.Entry entry : log.entries) {
        Body body = Body.of(entry.content());
        if (body instanceof Body.Group group
            && group.change() instanceof GroupChange.Titled titled) {
          places.merge(titled.title(), 1, Integer::sum);
        } else if (body instanceof Body.Group group
            && group.change() instanceof GroupChange.Created created) {
          places.merge(created.title(), 1, Integer::sum);
        }
      }
    }
    for (Device device : devices) {
      device.changed.forEach((title, code) -> {
        int n = places.getOrDefault(title, 0);
        if (code == 0) {
          check(n == 1, title + " was done " + n + " times");
        } else {
          boolean unknown = code < 0 || ErrorCode.classOf(code) == ErrorCode.ErrorClass.SERVER;
          check(n == 0 || (unknown && n == 1), title + " was refused, and done " + n + " times");
        }
      });
      Map<String, Long> mine = device.settled;
      Map<String, Setting> theirs = server.settings.getOrDefault(device.id.user(), Map.of());
      theirs.forEach((key, setting) -> {
        Long until = mine.get(key);
        check(
            until != null && until == setting.getChat().getMuteUntilMs(),
            device.id + " has " + until + " for " + setting);
      });
    }
  }

  private static boolean isSentBy(FakeLog.Entry entry, DeviceId device) {
    return entry.csn() > 0 && entry.sender().equals(device);
  }

  private void checkAck(DeviceId id, ChatId chat, long seq) {
    Device device = devices.stream().filter(d -> d.id.equals(id)).findFirst().orElseThrow();
    FakeLog log = server.log(chat);
    long have = device.heard.getOrDefault(chat, 0L);
    long first = log.first(id.user());
    for (long s = Math.max(first, have + 1); s <= Math.min(seq, log.head()); s++) {
      check(
          isSentBy(log.entries.get((int) s - 1), id),
          id + " acknowledged " + seq + " and has " + have + " of " + chat);
    }
  }

  private void goAway() {
    var sessions = List.copyOf(server.sessions.values());
    FakeSession session = sessions.get(random.nextInt(sessions.size()));
    session.frame(
        io.tern.protocol.FrameType.GOAWAY,
        0,
        0,
        0,
        0,
        io.tern.protocol.v1.GoAway.newBuilder()
            .setCode(ErrorCode.DRAIN.number())
            .setGraceMs(random.nextInt(500))
            .setAfterMinMs(random.nextInt(200))
            .setAfterMaxMs(200 + random.nextInt(2_000))
            .build()
            .toByteArray());
    at(now + 500, session::shut);
  }

  static void check(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  static String text(Content content) {
    return content.getBody().toStringUtf8();
  }

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

  /// A phone: its disk (store, what the app has kept) outlives its process (the core).
  final class Device implements ClientListener, ClientIo, SendCallback {
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
    @Nullable Link link;
    int process;
    int index;
    int ups;
    int caughtUp;
    @Nullable ConnectionState state;

    Device(DeviceId id) {
      this.id = id;
      at(now + random.nextInt(2_000), this::start);
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
      var fresh = new ClientCore(config, this, this, random);
      core = fresh;
      fresh.start(now);
      fresh.endPass(now);
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
        core.onTimer(now);
        if (core != null) {
          core.endPass(now);
        }
      }
    }

    void act() {
      ClientCore live = core;
      if (live == null) {
        return;
      }
      UserId peer = new UserId(100 + random.nextInt(devices.size()));
      if (devices.stream().noneMatch(d -> d.id.user().equals(peer))) {
        return;
      }
      List<ChatId> groups = groups();
      ChatId chat =
          groups.isEmpty() || random.nextBoolean()
              ? ChatId.direct(id.user(), peer)
              : groups.get(random.nextInt(groups.size()));
      switch (random.nextInt(16)) {
        case 0, 1, 2, 3, 4 -> {
          int n = random.nextInt(4) == 0 ? 1 + random.nextInt(60) : 1;
          for (int i = 0; i < n; i++) {
            send(chat);
          }
        }
        case 5 -> live.read(now, chat, heard.getOrDefault(chat, 0L));
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
        case 15 -> live.watching().watch(now, List.of(peer), groups);
        case 6 -> live.watching().typing(chat, random.nextBoolean() ? Typing.TEXT : Typing.STOPPED);
        case 7 -> {
          if (random.nextInt(4) == 0) {
            live.networkChanged(now);
          }
        }
        case 8 -> {
          histories++;
          live.queries()
              .historyAfter(
                  chat, random.nextInt(20), 10, page -> histories--, refusal -> histories--);
        }
        case 9 -> live.queries().chats(null, 10, page -> {}, refusal -> {});
        case 10 ->
            live.setActivity(
                now,
                random.nextBoolean()
                    ? ClientActivity.CLIENT_ACTIVITY_ACTIVE
                    : ClientActivity.CLIENT_ACTIVITY_INACTIVE);
        default -> {}
      }
      live.endPass(now);
    }

    /// The groups that the user was ever in.
    private List<ChatId> groups() {
      return server.chats.values().stream()
          .filter(log -> log.group != null && log.sees(id.user()))
          .map(log -> log.id)
          .toList();
    }

    private void change(ClientCore live, ChatId chat, UserId peer) {
      if (!chat.isGroup()) {
        if (server.chats.size() > 20) {
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
      switch (random.nextInt(6)) {
        case 0 -> edit.setAdd(Users.newBuilder().addUsers(peer.value()));
        case 1 -> edit.setRemove(peer.value());
        case 2 -> edit.setLeave(true);
        case 3 ->
            edit.setRole(
                RoleChange.newBuilder()
                    .setUser(peer.value())
                    .setRole(random.nextBoolean() ? Role.ROLE_ADMIN : Role.ROLE_OWNER));
        case 4 -> {
          edit.setTitle(title);
          changed.put(title, -1);
        }
        default -> edit.setJoin(Objects.requireNonNull(server.log(chat).group).link());
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
      changes++;
    }

    void send(ChatId chat) {
      ClientCore live = core;
      if (live == null) {
        return;
      }
      String text = ++index + " of " + id + (random.nextInt(40) == 0 ? " refuse" : "");
      sent.put(text, new Sent(text, chat));
      sends++;
      int mine = process;
      live.send(
          now,
          chat,
          Content.newBuilder()
              .setKind(Kind.KIND_TEXT)
              .setBody(ByteString.copyFromUtf8(text))
              .build(),
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
        refusals++;
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
      String text = text(server.log(place.chat()).entries.get((int) place.seq() - 1).content());
      settled(text, place.seq(), 0);
    }

    @Override
    public void onSendRefused(ChatId chat, long csn, Content content, TernException refusal) {
      settled(text(content), 0, refusal.number());
    }

    @Override
    public void onMessage(Message message) {
      if (random.nextDouble() < world.listenerFails) {
        throw new DiskFull();
      }
      FakeLog log = server.log(message.chat());
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
              || server.log(chat).entries.stream().anyMatch(e -> isSentBy(e, id)),
          "a RESET to where one is");
      resets++;
      heard.merge(chat, seq, Math::max);
      if (chat.isSelf()) {
        // As an app does that may have missed some: asks for all.
        server.settings.getOrDefault(id.user(), Map.of()).values().forEach(this::onSetting);
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
        reconnects++;
      } else if (told instanceof ConnectionState.Refused refused) {
        throw new AssertionError(id + " was refused: " + refused);
      }
    }

    // ---- what the client does

    @Override
    public void connect(SocketAddress address) {
      check(link == null, "two connections at a time");
      var opening = new Link(this);
      link = opening;
      long delay = 1L + random.nextInt(30);
      boolean fails = random.nextDouble() < world.connectFails;
      at(
          now + delay,
          () -> {
            if (link == opening && core != null) {
              if (fails) {
                link = null;
                core.onDisconnected(now, "connection refused");
              } else {
                opening.open();
                core.onConnected(now);
              }
              if (core != null) {
                core.endPass(now);
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
      Link old = link;
      link = null;
      if (old != null) {
        old.closeByClient();
      }
    }

    @Override
    public void onState(ConnectionState told) {}
  }

  /// A connection: two pipes that keep order, split at will, and may break.
  final class Link {
    private final Device device;
    private @Nullable FakeSession session;
    private boolean broken;
    private boolean halfOpen;
    private long serverAt;
    private long clientAt;
    private final ByteBuf clientIn = Unpooled.buffer();

    Link(Device device) {
      this.device = device;
    }

    void open() {
      links.add(this);
      session = server.open(this::toClient, this::closeByServer);
    }

    void toServer(byte[] bytes) {
      split(
          bytes,
          piece -> {
            serverAt = Math.max(serverAt, now) + random.nextInt(8);
            at(
                serverAt,
                () -> {
                  if (!broken && session != null) {
                    session.onBytes(piece);
                  }
                });
          });
    }

    private void toClient(byte[] bytes) {
      split(
          bytes,
          piece -> {
            clientAt = Math.max(clientAt, now) + random.nextInt(8);
            at(clientAt, () -> arrive(piece));
          });
    }

    private void arrive(byte[] piece) {
      if (broken || device.link != this || device.core == null) {
        return;
      }
      clientIn.writeBytes(piece);
      device.core.onBytes(now, clientIn);
      clientIn.discardReadBytes();
      if (device.core != null && random.nextInt(4) != 0) {
        device.core.endPass(now);
      } else {
        // Several reads make a pass.
        at(
            now,
            () -> {
              if (device.core != null) {
                device.core.endPass(now);
              }
            });
      }
    }

    private void split(byte[] bytes, java.util.function.Consumer<byte[]> piece) {
      int from = 0;
      while (from < bytes.length) {
        int most = bytes.length - from;
        int n = random.nextInt(3) == 0 ? 1 + random.nextInt(most) : most;
        piece.accept(java.util.Arrays.copyOfRange(bytes, from, from + n));
        from += n;
      }
    }

    void cut() {
      if (broken) {
        return;
      }
      broken = true;
      halfOpen = random.nextDouble() < world.halfOpen;
      links.remove(this);
      at(
          now + random.nextInt(2_000),
          () -> {
            if (session != null) {
              session.onClosed();
            }
          });
      if (!halfOpen) {
        at(now + random.nextInt(500), this::tellClient);
      }
    }

    private void tellClient() {
      if (device.link == this && device.core != null) {
        device.link = null;
        device.core.onDisconnected(now, "connection reset");
        if (device.core != null) {
          device.core.endPass(now);
        }
      }
    }

    void closeByClient() {
      if (!broken) {
        // Behind the bytes on their way.
        at(
            serverAt + 1,
            () -> {
              broken = true;
              links.remove(this);
              if (session != null) {
                session.onClosed();
              }
            });
      }
    }

    private void closeByServer() {
      at(
          Math.max(clientAt, now) + 1,
          () -> {
            broken = true;
            links.remove(this);
            tellClient();
          });
    }
  }

  private final class SeededFaults implements FakeFaults {

    @Override
    public @Nullable Error refuseSend(Content content) {
      if (text(content).endsWith("refuse")) {
        return error(random.nextBoolean() ? 403 : 499);
      }
      return random.nextDouble() < world.refuseSend ? error(later()) : null;
    }

    @Override
    public @Nullable Error forgetSent(Content content) {
      return random.nextDouble() < world.forgetSent ? error(later()) : null;
    }

    @Override
    public @Nullable Error forgetChange() {
      return random.nextDouble() < world.forgetChange ? error(later()) : null;
    }

    @Override
    public boolean dropBacklog() {
      return random.nextDouble() < world.dropBacklog;
    }

    private int later() {
      int[] codes = {300, 301, 302, 303, 377, 300, 301, 302, 303, 377, 500, 555};
      return codes[random.nextInt(codes.length)];
    }

    private Error error(int code) {
      Error.Builder error = Error.newBuilder().setCode(code);
      if (random.nextBoolean()) {
        error.setRetryMs(1 + random.nextInt(2_000));
      }
      return error.build();
    }

    @Override
    public boolean loseDelivery(DeviceId id, ChatId chat) {
      return random.nextDouble() < world.loseDelivery;
    }

    @Override
    public boolean repeatDelivery() {
      return random.nextDouble() < world.repeatDelivery;
    }

    @Override
    public @Nullable Error refuseQuestion() {
      return random.nextDouble() < world.refuseQuestion ? error(later()) : null;
    }

    @Override
    public @Nullable Error refuseHello(Hello hello) {
      if (random.nextDouble() >= world.refuseHello) {
        return null;
      }
      int[] codes = {300, 303, 377, 500};
      return hello.getResume().isEmpty() || random.nextBoolean()
          ? error(codes[random.nextInt(codes.length)])
          : error(205);
    }

    @Override
    public boolean loseMark() {
      return random.nextDouble() < world.loseMark;
    }
  }
}

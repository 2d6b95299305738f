package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.edge.config.DrainConfig;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.metrics.Counters;
import io.tern.edge.session.FakeHost.Out;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Devices;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.router.Attachment;
import io.tern.router.Directory;
import io.tern.router.DispatchConfig;
import io.tern.router.Dispatcher;
import io.tern.router.EdgeId;
import io.tern.router.Origin;
import io.tern.router.Readers;
import io.tern.router.RouterMetrics;
import io.tern.router.Trace;
import io.tern.router.bus.MemoryBus;
import io.tern.router.catchup.CatchUpConfig;
import io.tern.router.directory.MemoryDirectory;
import io.tern.router.presence.MemoryPresenceHub;
import io.tern.store.Command;
import io.tern.store.LocalLog;
import io.tern.store.Outcome;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.Slots;
import io.tern.store.memory.MemoryStorage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// A whole node on one thread: real sessions, shards, dispatchers, directory and hub; a queue each
/// in place of rings and readers. Nothing happens before [#settle], and time stands still until
/// [#pass].
final class Node {

  static final EdgeId EDGE = new EdgeId("edge", 1);
  private static final int SHARDS = 2;

  record Waiting(Command command, Origin origin) {}

  /// A shard with its dispatcher.
  final class Partition {
    final MemoryStorage disk = new MemoryStorage();
    final Shard shard;
    final Dispatcher dispatcher;
    final Deque<Waiting> ring = new ArrayDeque<>();
    final Deque<Long> settled = new ArrayDeque<>();
    final int index;

    Partition(int index) {
      this.index = index;
      var config =
          new ShardConfig(
              index,
              SHARDS,
              ShardConfig.HOT_CHATS_MAX,
              ShardConfig.HOT_MEMBERS_MAX,
              Limits.GROUP_MEMBERS_MAX,
              ShardConfig.EDIT_WINDOW,
              ShardConfig.REVOKE_WINDOW);
      shard = new Shard(disk, new LocalLog(disk), config);
      var address = new EdgeId("dispatch-" + index, 1);
      dispatcher =
          new Dispatcher(
              address,
              asked,
              bus,
              (user, chat, seq) -> true,
              Node.this::submit,
              DispatchConfig.DEFAULT,
              RouterMetrics.NONE,
              settled::add);
      bus.register(address, dispatcher);
    }

    /// Whether there was something to do.
    boolean round() {
      if (ring.isEmpty() || stalled.contains(index)) {
        return false;
      }
      while (!settled.isEmpty()) {
        shard.settle(settled.remove());
      }
      var batch = new ArrayList<Waiting>(ring);
      ring.clear();
      var outcomes = new ArrayList<Outcome>();
      batch.forEach(waiting -> outcomes.add(shard.prepare(waiting.command, wallMillis)));
      long n = shard.commit();
      for (int i = 0; i < batch.size(); i++) {
        dispatcher.on(batch.get(i).command, batch.get(i).origin, outcomes.get(i), wallMillis);
      }
      dispatcher.endOfBatch(n, wallMillis);
      return true;
    }
  }

  final Counters counters = new Counters();
  final MemoryDirectory directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);

  /// Whether the directory does not answer.
  boolean directoryAway;

  /// A restart, so to say: what is asked of the memory is not there.
  boolean allIsOnDisk;

  /// What happens just before a device gets its route.
  Runnable beforeAttach = () -> {};

  /// What everything asks.
  private final Directory asked =
      new Directory() {
        private Directory there() {
          if (directoryAway) {
            throw new IllegalStateException("the directory is away");
          }
          return directory;
        }

        @Override
        public CompletableFuture<Attached> attach(
            DeviceId device, EdgeId at, long session, boolean active) {
          beforeAttach.run();
          return there().attach(device, at, session, active);
        }

        @Override
        public void setActive(Attachment attachment, boolean active) {
          directory.setActive(attachment, active);
        }

        @Override
        public void detach(Attachment attachment, @Nullable Set<ChatId> due) {
          directory.detach(attachment, due);
        }

        @Override
        public List<Routes> lookup(List<UserId> users) {
          return there().lookup(users);
        }

        @Override
        public Map<UserId, Routes> addNews(Collection<News> news) {
          return there().addNews(news);
        }
      };

  final MemoryBus bus = new MemoryBus(RouterMetrics.NONE);
  final MemoryPresenceHub hub = new MemoryPresenceHub(10_000, () -> this.wallMillis);
  final List<Partition> partitions = new ArrayList<>();
  final Deque<Runnable> tasks = new ArrayDeque<>();
  final Deque<Runnable> questions = new ArrayDeque<>();

  private final IdentityHashMap<SessionLogic, Client> clients = new IdentityHashMap<>();

  /// Shards that take no command for now.
  final List<Integer> stalled = new ArrayList<>();

  final PresenceDesk desk;
  final EdgeContext edge;
  final SessionTable table;
  final HeldAcks acks;
  long now = 1_000_000_000_000L;
  long wallMillis = 1_800_000_000_000L;

  /// How often a session has said that its device is there.
  long seen;

  /// How often one has asked the shard to create its device.
  long enrols;

  private int ops;

  Node(String... settings) {
    Map<String, String> set =
        new HashMap<>(
            Map.of(
                "limits.send.rate",
                "0",
                "limits.cheap.rate",
                "0",
                // Its time stands still.
                "turns.rate-max",
                "1000000",
                "turns.rate-min",
                "1000000"));
    for (String setting : settings) {
      int equals = setting.indexOf('=');
      set.put(setting.substring(0, equals), setting.substring(equals + 1));
    }
    for (int i = 0; i < SHARDS; i++) {
      partitions.add(new Partition(i));
    }
    Relay relay = (to, delivery) -> bus.toEdge(to, List.of(delivery));
    Readers readers =
        new Readers() {
          @Override
          public <T> boolean ask(
              Function<Shards, T> question, Consumer<? super T> then, Consumer<Throwable> failed) {
            questions.add(() -> then.accept(question.apply(slot -> partition(slot).disk)));
            return true;
          }

          @Override
          public <T> @Nullable T fromMemory(Function<Shards, T> question) {
            return allIsOnDisk ? null : question.apply(slot -> partition(slot).disk.inMemory());
          }
        };
    desk = new PresenceDesk(hub, asked, readers, relay, counters);
    edge =
        new EdgeContext(
            EDGE,
            ServerConfig.load(null, set).limits(),
            this::submit,
            readers,
            asked,
            relay,
            new Trusting(),
            new Disconnector(counters, new Disconnector.Spread(100, 200)),
            new KnownUsers(1024),
            counters,
            StageWatch.NONE,
            CatchUpConfig.DEFAULT,
            desk,
            new Turns(ServerConfig.load(null, set).turns(), counters, new Random(7), () -> now),
            new EdgeBudgets(ServerConfig.load(null, set).budgets(), () -> now),
            new Shedding(() -> 0, () -> now),
            new Drain(DrainConfig.DEFAULT, counters, () -> now, () -> wallMillis),
            new Random(7),
            () -> now,
            () -> wallMillis,
            Trace.OFF);
    table = new SessionTable(0, edge, Integer.MAX_VALUE, 0);
    acks = new HeldAcks(edge, (millis, task) -> tasks.add(task));
    bus.register(EDGE, batch -> tasks.add(() -> table.take(batch, now)));
  }

  Partition partition(int slot) {
    return partitions.get(Slots.shardOf(slot, SHARDS));
  }

  static int shardOf(ChatId chat) {
    return Slots.shardOf(Slots.of(chat), SHARDS);
  }

  /// As the user service asks for it.
  void run(Command command) {
    assertThat(submit(command, Origin.NOBODY)).isTrue();
    settle();
  }

  /// Has the shard do something and tell of it, before anything else goes on.
  void commit(Command command) {
    assertThat(submit(command, Origin.NOBODY)).isTrue();
    assertThat(partition(command.slot()).round()).isTrue();
  }

  private boolean submit(Command command, Origin origin) {
    if (command instanceof Command.Seen) {
      seen++;
    } else if (command instanceof Command.Enrol) {
      enrols++;
    }
    return partition(command.slot()).ring.add(new Waiting(command, origin));
  }

  /// Until nothing is left to do.
  Node settle() {
    boolean busy = true;
    while (busy) {
      busy = false;
      for (Partition partition : partitions) {
        busy |= partition.round();
      }
      while (!tasks.isEmpty() || !questions.isEmpty()) {
        busy = true;
        if (!tasks.isEmpty()) {
          tasks.poll().run();
        } else {
          questions.poll().run();
        }
      }
      for (SessionLogic session : table.all()) {
        busy |= Objects.requireNonNull(clients.get(session)).offerKept();
      }
    }
    return this;
  }

  /// Lets time pass, second by second, with everything that looks at the clock.
  Node pass(Duration time) {
    settle();
    for (long second = 0; second < time.toSeconds(); second++) {
      now += 1_000_000_000L;
      wallMillis += 1_000;
      table.sweep(now);
      for (SessionLogic session : table.all()) {
        session.onWake(now);
        session.onSweep(now);
      }
      desk.tick(now);
      for (int i = 0; i < SHARDS; i++) {
        submit(new Command.Tick(Slots.firstOf(i, SHARDS), false), Origin.NOBODY);
        partitions.get(i).dispatcher.tick(wallMillis);
      }
      settle();
    }
    return this;
  }

  /// A device that is connected and caught up; it acknowledges what it gets.
  Client login(UserId user, int device) {
    return login(user, device, ClientActivity.CLIENT_ACTIVITY_ACTIVE);
  }

  Client login(UserId user, int device, ClientActivity activity) {
    var client = new Client(new DeviceId(user, device));
    client.hello(activity);
    settle();
    if (!client.session.isLive()) {
      throw new AssertionError("did not come up: " + client.out);
    }
    return client;
  }

  ByteString opId() {
    return ByteString.copyFrom(ByteBuffer.allocate(16).putLong(++ops).putLong(42).flip());
  }

  /// What came out of a session. A device: what it writes, and what it got.
  final class Client extends FakeHost {

    final DeviceId id;
    final SessionLogic session;
    final Map<ChatId, Long> csns = new HashMap<>();
    boolean acknowledges = true;
    @Nullable CloseReason finished;
    private final ByteBuf kept = Unpooled.buffer();
    private int rid;

    Client(DeviceId id) {
      this.id = id;
      session =
          new SessionLogic(table.nextId(), edge, this, new Sampler(StageWatch.NONE), acks, now);
      table.add(session);
      clients.put(session, this);
    }

    void hello() {
      hello(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
    }

    private void hello(ClientActivity activity) {
      kept.writeBytes(new byte[] {0x54, 0x52, 0x4E, 0x01});
      write(
          FrameType.HELLO,
          0,
          0,
          0,
          0,
          Hello.newBuilder()
              .setVerMin(1)
              .setVerMax(1)
              .setDevice(id.index())
              .setState(activity)
              .setToken(ByteString.copyFromUtf8(id.user().value() + "." + id.index()))
              .build());
    }

    private void write(FrameType type, int flags, int rid, long chat, long seq, MessageLite body) {
      FrameWriter.write(kept, type, flags, rid, chat, seq, body.toByteArray());
      offerKept();
    }

    boolean offerKept() {
      int before = kept.readableBytes();
      session.onInput(kept, new FrameHeader(), now);
      kept.discardReadBytes();
      return kept.readableBytes() != before;
    }

    private static int flags(ChatId chat) {
      return FrameHeader.CHAT | (chat.isGroup() ? FrameHeader.GROUP : 0);
    }

    /// Writes a request and returns its answer.
    Out ask(FrameType type, MessageLite body) {
      return answer(type, FrameHeader.RID, 0, 0, body);
    }

    Out ask(FrameType type, ChatId chat, MessageLite body) {
      return answer(type, FrameHeader.RID | flags(chat), chat.wireId(id.user()), 0, body);
    }

    Out ask(FrameType type, ChatId chat, long seq, MessageLite body) {
      return answer(
          type, FrameHeader.RID | FrameHeader.SEQ | flags(chat), chat.wireId(id.user()), seq, body);
    }

    private Out answer(FrameType type, int flags, long chat, long seq, MessageLite body) {
      int asked = ++rid;
      write(type, flags, asked, chat, seq, body);
      settle();
      return out.stream()
          .filter(frame -> (frame.flags() & FrameHeader.RID) != 0 && frame.rid() == asked)
          .findFirst()
          .orElseThrow(() -> new AssertionError(type + " was not answered: " + out));
    }

    /// Writes a frame that has no answer.
    void tell(FrameType type, ChatId chat, MessageLite body) {
      write(type, flags(chat), 0, chat.wireId(id.user()), 0, body);
      settle();
    }

    /// Says whether a person looks at it.
    void become(ClientActivity activity) {
      write(
          FrameType.CLIENT_STATE,
          0,
          0,
          0,
          0,
          ClientState.newBuilder().setState(activity).setPingS(200).build());
      settle();
    }

    void tell(FrameType type, ChatId chat, long seq) {
      tellUnsettled(type, chat, seq);
      settle();
    }

    /// Writes a frame, and nothing is done yet but what the session does at once.
    void tellUnsettled(FrameType type, ChatId chat, long seq) {
      write(
          type,
          flags(chat) | FrameHeader.SEQ,
          0,
          chat.wireId(id.user()),
          seq,
          Devices.getDefaultInstance());
    }

    Out send(ChatId chat, Content.Builder content) {
      long csn = csns.getOrDefault(chat, 0L) + 1;
      Out answer =
          ask(FrameType.SEND, chat, Send.newBuilder().setCsn(csn).setContent(content).build());
      if (answer.type() == FrameType.SENT) {
        csns.put(chat, csn);
      }
      return answer;
    }

    Out text(ChatId chat, String text) {
      return send(
          chat,
          Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFromUtf8(text)));
    }

    Out create(String title, UserId... members) {
      return ask(
          FrameType.GROUP_CREATE,
          GroupCreate.newBuilder()
              .setTitle(title)
              .setOpId(opId())
              .addAllMembers(Arrays.stream(members).map(UserId::value).toList())
              .build());
    }

    Out edit(ChatId group, GroupEdit.Builder change) {
      return ask(FrameType.GROUP_EDIT, group, change.setOpId(opId()).build());
    }

    Out set(Setting.Builder... settings) {
      var request = Settings.newBuilder();
      Arrays.stream(settings).forEach(request::addSet);
      return ask(FrameType.SETTINGS, request.build());
    }

    /// What came of this type since the last look; looked at once.
    List<Out> take(FrameType type) {
      List<Out> found = out.stream().filter(frame -> frame.type() == type).toList();
      out.removeIf(frame -> frame.type() == type);
      return found;
    }

    void disconnect() {
      session.onClosed();
      table.remove(session);
      settle();
    }

    // ---- the host

    @Override
    public void write(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
      super.write(type, flags, rid, chat, seq, body);
      if (acknowledges && (type == FrameType.DELIVER || type == FrameType.RESET)) {
        FrameWriter.write(
            kept,
            FrameType.ACK,
            (flags & FrameHeader.GROUP) | FrameHeader.CHAT | FrameHeader.SEQ,
            0,
            chat,
            seq,
            new byte[0]);
      }
    }

    @Override
    public void execute(Runnable task) {
      tasks.add(task);
    }

    @Override
    public void finish(CloseReason reason) {
      finished = reason;
    }
  }

  /// Believes every token: `user.device`, in plain.
  private static final class Trusting implements Authenticator {

    @Override
    public void verifyToken(byte[] token, Consumer<Identity> then) {
      String[] parts = new String(token, StandardCharsets.US_ASCII).split("\\.", -1);
      then.accept(
          new Accepted(
              new DeviceId(new UserId(Long.parseLong(parts[0])), Integer.parseInt(parts[1])),
              Long.MAX_VALUE,
              0));
    }

    @Override
    public Identity openTicket(byte[] ticket, long count) {
      return new Refused(ErrorCode.RESUME_REJECTED, "");
    }

    @Override
    public byte[] sealTicket(Accepted identity) {
      return new byte[] {1};
    }

    @Override
    public int ticketSeconds(Accepted identity) {
      return 60;
    }
  }
}

package io.tern.edge.session;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.metrics.Counters;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Hello;
import io.tern.router.Commands;
import io.tern.router.Delivery;
import io.tern.router.EdgeId;
import io.tern.router.Origin;
import io.tern.router.Readers;
import io.tern.router.Trace;
import io.tern.router.catchup.CatchUpConfig;
import io.tern.router.directory.MemoryDirectory;
import io.tern.router.presence.MemoryPresenceHub;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.memory.MemoryStorage;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// One session in a world made of lists: what it writes, submits and asks is there to be looked at,
/// and nothing happens until the test says so. One thread, its own time.
final class SessionWorld extends FakeHost implements Commands, Readers, Authenticator {

  static final UserId ME = new UserId(1000);
  static final UserId PEER = new UserId(2000);
  static final EdgeId EDGE = new EdgeId("test", 1);

  record Submitted(Command command, Origin origin) {}

  final Counters counters = new Counters();
  final Disconnector disconnector = new Disconnector(counters, new Disconnector.Spread(100, 200));
  final MemoryDirectory directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
  final MemoryStorage storage = new MemoryStorage();
  final KnownUsers known = new KnownUsers(1024);
  final List<Submitted> submitted = new ArrayList<>();

  /// Commands that say the device is here.
  final List<Submitted> seen = new ArrayList<>();

  final Deque<Runnable> questions = new ArrayDeque<>();
  final Deque<Runnable> tasks = new ArrayDeque<>();
  final List<Delivery> relayed = new ArrayList<>();
  final MemoryPresenceHub hub = new MemoryPresenceHub(1_000, () -> this.wallMillis);
  final PresenceDesk desk =
      new PresenceDesk(hub, directory, this, (to, delivery) -> relayed.add(delivery), counters);
  final EdgeContext edge;
  final SessionTable table;
  final HeldAcks acks;

  /// Of `acks`.
  final Deque<Runnable> ticks = new ArrayDeque<>();

  final SessionLogic session;
  final ByteBuf kept = Unpooled.buffer();

  boolean takesTickets;
  boolean ringIsFull;
  boolean readersAreFull;
  boolean aborted;
  boolean finished;
  long now = 1_000_000_000_000L;
  long wallMillis = 1_800_000_000_000L;
  long identityUntil = wallMillis + 3_600_000;

  final Turns turns;
  final Drain drain;

  /// What the session asked for last.
  long wakeMillis;

  /// Of the fullest queue, in percent.
  int fill;

  SessionWorld(String... settings) {
    Map<String, String> set = new HashMap<>();
    for (String setting : settings) {
      int equals = setting.indexOf('=');
      set.put(setting.substring(0, equals), setting.substring(equals + 1));
    }
    turns = new Turns(ServerConfig.load(null, set).turns(), counters, new Random(7), () -> now);
    drain = new Drain(ServerConfig.load(null, set).drain(), counters, () -> now, () -> wallMillis);
    edge =
        new EdgeContext(
            EDGE,
            ServerConfig.load(null, set).limits(),
            this,
            this,
            directory,
            (to, delivery) -> relayed.add(delivery),
            this,
            disconnector,
            known,
            counters,
            StageWatch.NONE,
            CatchUpConfig.DEFAULT,
            desk,
            turns,
            new EdgeBudgets(ServerConfig.load(null, set).budgets(), () -> now),
            new Shedding(() -> fill, () -> now),
            drain,
            new Random(7),
            () -> now,
            () -> wallMillis,
            Trace.OFF);
    table = new SessionTable(0, edge, Integer.MAX_VALUE, 0);
    acks = new HeldAcks(edge, (millis, task) -> ticks.add(task));
    session = new SessionLogic(table.nextId(), edge, this, new Sampler(StageWatch.NONE), acks, now);
    table.add(session);
  }

  /// A world whose session has come up and caught up, with an empty `out`.
  static SessionWorld live(String... settings) {
    var world = new SessionWorld(settings);
    world.input(preface(), hello());
    world.enrolled();
    world.settle();
    if (!world.session.isLive()) {
      throw new AssertionError("did not come up: " + world.out);
    }
    world.known.add(PEER.value());
    world.out.clear();
    world.submitted.clear();
    return world;
  }

  // ---- input -----------------------------------------------------------------------------------

  static byte[] preface() {
    return new byte[] {0x54, 0x52, 0x4E, 0x01};
  }

  static byte[] hello() {
    return hello(hello -> hello.setToken(ByteString.copyFromUtf8("good")));
  }

  /// A HELLO of device 1 with what `proof` puts into it.
  static byte[] hello(Consumer<Hello.Builder> proof) {
    var hello = Hello.newBuilder().setVerMin(1).setVerMax(1).setDevice(1);
    proof.accept(hello);
    return frame(FrameType.HELLO, 0, 0, 0, 0, hello.build().toByteArray());
  }

  static byte[] frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    ByteBuf out = Unpooled.buffer();
    FrameWriter.write(out, type, flags, rid, chat, seq, body);
    var bytes = new byte[out.readableBytes()];
    out.readBytes(bytes);
    return bytes;
  }

  static byte[] send(int rid) {
    return frame(
        FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, rid, PEER.value(), 0, new byte[3]);
  }

  static byte[] ack(long seq) {
    return frame(
        FrameType.ACK, FrameHeader.CHAT | FrameHeader.SEQ, 0, PEER.value(), seq, new byte[0]);
  }

  /// Bytes off the socket; what the session leaves is kept, as a shell keeps it.
  SessionWorld input(byte[]... pieces) {
    for (byte[] piece : pieces) {
      kept.writeBytes(piece);
    }
    offerKept();
    return this;
  }

  private void offerKept() {
    session.onInput(kept, new FrameHeader(), now);
    kept.discardReadBytes();
  }

  void enrolled() {
    settle();
    Submitted enrol = submitted.removeLast();
    deliver(new Delivery.Answer(enrol.origin, enrol.command, new Outcome.Enrolled(true, false)));
  }

  void deliver(Delivery delivery) {
    table.take(List.of(delivery), now);
    settle();
  }

  /// Runs what waits until nothing does.
  void settle() {
    while (!tasks.isEmpty() || !questions.isEmpty()) {
      while (!tasks.isEmpty()) {
        tasks.poll().run();
      }
      if (!questions.isEmpty()) {
        questions.poll().run();
      }
    }
    if (!session.isHeld()) {
      offerKept();
    }
  }

  void writable(boolean is) {
    boolean before = writable;
    writable = is;
    if (is && !before) {
      session.onWritable(now);
    }
    settle();
  }

  void pass(long millis) {
    now += millis * 1_000_000;
    wallMillis += millis;
    session.onSweep(now);
    settle();
  }

  // ---- what came out ---------------------------------------------------------------------------

  List<FrameType> types() {
    return out.stream().map(Out::type).toList();
  }

  // ---- the host --------------------------------------------------------------------------------

  @Override
  public void execute(Runnable task) {
    tasks.add(task);
  }

  @Override
  public void wakeIn(long millis) {
    wakeMillis = millis;
  }

  @Override
  public void finish(CloseReason reason) {
    finished = true;
  }

  @Override
  public void abort() {
    aborted = true;
  }

  // ---- commands, readers, identities -----------------------------------------------------------

  @Override
  public boolean submit(Command command, Origin origin) {
    if (ringIsFull) {
      return false;
    }
    (command instanceof Command.Seen ? seen : submitted).add(new Submitted(command, origin));
    return true;
  }

  @Override
  public <T> boolean ask(
      Function<Shards, T> question, Consumer<? super T> then, Consumer<Throwable> failed) {
    if (readersAreFull) {
      return false;
    }
    questions.add(() -> then.accept(question.apply(slot -> storage)));
    return true;
  }

  /// Everything is on the disk.
  @Override
  public <T> @Nullable T fromMemory(Function<Shards, T> question) {
    return null;
  }

  @Override
  public void verifyToken(byte[] token, Consumer<Identity> then) {
    switch (new String(token, StandardCharsets.UTF_8)) {
      case "good" -> then.accept(new Accepted(new DeviceId(ME, 1), identityUntil, 0));
      case "later" -> then.accept(new Accepted(new DeviceId(ME, 1), identityUntil * 2, 0));
      default -> then.accept(new Refused(ErrorCode.TOKEN_INVALID, ""));
    }
  }

  @Override
  public Identity openTicket(byte[] ticket, long count) {
    return takesTickets
        ? new Accepted(new DeviceId(ME, 1), identityUntil, 1)
        : new Refused(ErrorCode.RESUME_REJECTED, "");
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

package io.tern.tools.system;

import io.tern.edge.config.BudgetsConfig;
import io.tern.edge.config.DrainConfig;
import io.tern.edge.config.NetConfig;
import io.tern.edge.config.Transport;
import io.tern.edge.config.TurnsConfig;
import io.tern.edge.metrics.Counters;
import io.tern.edge.netty.EdgeNetwork;
import io.tern.edge.session.Authenticator;
import io.tern.edge.session.Disconnector;
import io.tern.edge.session.Drain;
import io.tern.edge.session.EdgeBudgets;
import io.tern.edge.session.EdgeContext;
import io.tern.edge.session.KnownUsers;
import io.tern.edge.session.PresenceDesk;
import io.tern.edge.session.Relay;
import io.tern.edge.session.Shedding;
import io.tern.edge.session.StageWatch;
import io.tern.edge.session.Turns;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.router.Bus;
import io.tern.router.Commands;
import io.tern.router.Directory;
import io.tern.router.DispatchConfig;
import io.tern.router.EdgeId;
import io.tern.router.Readers;
import io.tern.router.Router;
import io.tern.router.RouterConfig;
import io.tern.router.RouterMetrics;
import io.tern.router.Trace;
import io.tern.router.bus.MemoryBus;
import io.tern.router.catchup.CatchUpConfig;
import io.tern.router.directory.MemoryDirectory;
import io.tern.router.presence.MemoryPresenceHub;
import io.tern.store.Batch;
import io.tern.store.CommitLog;
import io.tern.store.LocalLog;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.Storage;
import io.tern.store.memory.MemoryStorage;
import io.tern.tools.TestLimits;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A whole server in this process, wired as the product wires it, on disks that can lose power,
/// with [Seams] where a bug can be put in. It dies and comes back in milliseconds.
final class TestNode implements AutoCloseable {

  /// Where a test may put something between two parts. What comes back must behave like what was
  /// given, but for the bug. Made anew for each life of the server.
  static class Seams {

    /// What a shard's state machine sees of its storage.
    Storage storage(Storage disk) {
      return disk;
    }

    /// What makes a shard's batches durable.
    CommitLog log(Storage storage) {
      return new LocalLog(storage);
    }

    Bus bus(Bus bus) {
      return bus;
    }

    Directory directory(Directory directory) {
      return directory;
    }

    /// How edges reach the shards.
    Commands commands(Commands shards) {
      return shards;
    }

    /// The server is about to die: what a bug holds back is lost.
    void onDeath() {}
  }

  private static final int SHARDS = 2;
  private static final long SYNC_NANOS = 2_000_000;

  private static final TurnsConfig TURNS =
      new TurnsConfig(
          Duration.ofMillis(5),
          200,
          10_000,
          32,
          1_000,
          Duration.ofSeconds(8),
          Duration.ofSeconds(28));

  private final int port;
  private final List<MemoryStorage> disks = new ArrayList<>();
  private final Random random;
  private long lives;
  private @Nullable Life life;

  TestNode(int port, long seed) {
    this.port = port;
    random = new Random(seed);
    for (int shard = 0; shard < SHARDS; shard++) {
      disks.add(new MemoryStorage());
    }
  }

  InetSocketAddress address() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
  }

  void start(Seams seams) throws Exception {
    lives++;
    life = new Life(seams);
  }

  /// The process dies. With `power`, so does the machine: what was not synced may be gone.
  void die(boolean power) {
    var dying = life;
    if (dying == null) {
      throw new IllegalStateException("not alive");
    }
    life = null;
    dying.end();
    for (var disk : disks) {
      if (power) {
        disk.crash(random);
      } else {
        disk.restart();
      }
    }
  }

  @Override
  public void close() {
    if (life != null) {
      die(false);
    }
  }

  /// From one start to one death.
  private final class Life {
    private final Seams seams;
    private final List<Gate> gates = new ArrayList<>();
    private final Router router;
    private final EdgeNetwork network;

    Life(Seams seams) throws Exception {
      this.seams = seams;
      var shards = new ArrayList<Router.Opened>();
      for (int shard = 0; shard < SHARDS; shard++) {
        var gate = new Gate(disks.get(shard));
        gates.add(gate);
        var storage = seams.storage(gate);
        shards.add(
            new Router.Opened(
                new Shard(storage, seams.log(storage), ShardConfig.of(shard, SHARDS)), gate));
      }
      var bus = seams.bus(new MemoryBus(RouterMetrics.NONE));
      var directory =
          seams.directory(new MemoryDirectory(MemoryDirectory.Config.DEFAULT, lives << 32));
      var dispatch =
          new DispatchConfig(
              Duration.ofSeconds(2), Duration.ofMillis(500), 262_144, Duration.ofMillis(500));
      var config = new RouterConfig(8_192, 64L << 20, 1_024, 512 << 10, 2, 4_096, dispatch);
      router =
          new Router(
              config,
              shards,
              directory,
              bus,
              (user, chat, seq) -> true,
              RouterMetrics.NONE,
              InstantSource.system(),
              (what, cause) -> {});
      var edge = new EdgeId("edge", lives);
      network =
          new EdgeNetwork(
              NetConfig.plain(List.of(address()), Transport.AUTO.resolved(), 1, 128),
              context(edge, seams.commands(router), router.readers(), directory, bus),
              null);
      bus.register(edge, network);
      network.listen();
    }

    private static EdgeContext context(
        EdgeId edge, Commands commands, Readers readers, Directory directory, Bus bus) {
      var counters = new Counters();
      Relay relay = (to, delivery) -> bus.toEdge(to, List.of(delivery));
      var hub =
          new MemoryPresenceHub(MemoryPresenceHub.WATCHES_MAX, () -> System.nanoTime() / 1_000_000);
      return new EdgeContext(
          edge,
          TestLimits.LIMITS,
          commands,
          readers,
          directory,
          relay,
          new Trusting(),
          new Disconnector(counters, new Disconnector.Spread(10, 100)),
          new KnownUsers(1024),
          counters,
          StageWatch.NONE,
          CatchUpConfig.DEFAULT,
          new PresenceDesk(hub, directory, readers, relay, counters),
          new Turns(TURNS, counters, new SecureRandom(), System::nanoTime),
          new EdgeBudgets(BudgetsConfig.NONE, System::nanoTime),
          new Shedding(() -> 0, System::nanoTime),
          new Drain(DrainConfig.DEFAULT, counters, System::nanoTime, System::currentTimeMillis),
          new SecureRandom(),
          System::nanoTime,
          System::currentTimeMillis,
          Trace.OFF);
    }

    /// From the first line on nothing reaches the disks, and so nothing is acknowledged.
    void end() {
      gates.forEach(Gate::shut);
      seams.onDeath();
      // Closing the loops alone leaves connections open that are not being read.
      network.sendAway(Duration.ofSeconds(1));
      network.close();
      router.close();
    }
  }

  /// A storage that refuses to write from some moment on.
  private static final class Gate extends StorageFilter {
    private boolean isShut;

    Gate(Storage disk) {
      super(disk);
    }

    synchronized void shut() {
      isShut = true;
    }

    @Override
    public synchronized void write(Batch batch, boolean sync) {
      if (isShut) {
        throw new LostDurability("the server is dead", new IllegalStateException());
      }
      if (sync) {
        // As long as a disk takes: what comes meanwhile makes the next batch.
        LockSupport.parkNanos(SYNC_NANOS);
      }
      super.write(batch, sync);
    }

    @Override
    public void close() {}
  }

  /// Believes every token: reads whose it is and checks no signature. Gives no tickets.
  private static final class Trusting implements Authenticator {

    private static final Pattern SUBJECT = Pattern.compile("\"sub\":\"(\\d+)\"");
    private static final Pattern DEVICE = Pattern.compile("\"dev\":(\\d+)");

    @Override
    public void verifyToken(byte[] token, Consumer<Identity> then) {
      var parts = new String(token, StandardCharsets.US_ASCII).split("\\.", -1);
      var claims = new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8);
      var subject = SUBJECT.matcher(claims);
      var device = DEVICE.matcher(claims);
      if (subject.find() && device.find()) {
        then.accept(
            new Accepted(
                new DeviceId(
                    new UserId(Long.parseLong(subject.group(1))),
                    Integer.parseInt(device.group(1))),
                Long.MAX_VALUE,
                0));
      } else {
        then.accept(new Refused(ErrorCode.TOKEN_INVALID, "no claims"));
      }
    }

    @Override
    public Identity openTicket(byte[] ticket, long count) {
      return new Refused(ErrorCode.RESUME_REJECTED, "no tickets here");
    }

    @Override
    public byte[] sealTicket(Accepted identity) {
      return new byte[0];
    }

    @Override
    public int ticketSeconds(Accepted identity) {
      return 0;
    }
  }
}

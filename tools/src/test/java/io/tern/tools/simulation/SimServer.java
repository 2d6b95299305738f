package io.tern.tools.simulation;

import io.tern.edge.config.BudgetsConfig;
import io.tern.edge.config.DrainConfig;
import io.tern.edge.config.TurnsConfig;
import io.tern.edge.metrics.Counters;
import io.tern.edge.session.Authenticator;
import io.tern.edge.session.Disconnector;
import io.tern.edge.session.Drain;
import io.tern.edge.session.EdgeBudgets;
import io.tern.edge.session.EdgeContext;
import io.tern.edge.session.HeldAcks;
import io.tern.edge.session.KnownUsers;
import io.tern.edge.session.PresenceDesk;
import io.tern.edge.session.Relay;
import io.tern.edge.session.Sampler;
import io.tern.edge.session.SessionLogic;
import io.tern.edge.session.SessionTable;
import io.tern.edge.session.Shedding;
import io.tern.edge.session.StageWatch;
import io.tern.edge.session.Turns;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.router.Delivery;
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
import io.tern.store.CommitLog;
import io.tern.store.Outcome;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.Slots;
import io.tern.store.Storage;
import io.tern.store.memory.MemoryStorage;
import io.tern.tools.TestLimits;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// The server: real shards, dispatchers, directory, bus and sessions; queues and delays in place of
/// rings and threads. It can die at any event, with or without the power, and live again on the
/// same disks.
final class SimServer {

  private static final int SHARDS = 2;
  private static final int RING_EVENTS = 64;
  private static final int READS_MAX = 16;

  /// So few that logins wait, and some are put off.
  private static final TurnsConfig TURNS =
      new TurnsConfig(
          Duration.ofMillis(5), 40, 200, 2, 8, Duration.ofSeconds(1), Duration.ofSeconds(2));

  private final World world;
  private final Function<Storage, CommitLog> logs;
  private final IntFunction<ShardConfig> configs;
  private final List<MemoryStorage> disks = new ArrayList<>();
  private long lives;
  private @Nullable Life life;

  SimServer(World world, Function<Storage, CommitLog> logs) {
    this(world, logs, shard -> ShardConfig.of(shard, SHARDS));
  }

  private SimServer(
      World world, Function<Storage, CommitLog> logs, IntFunction<ShardConfig> configs) {
    this.world = world;
    this.logs = logs;
    this.configs = configs;
    for (int shard = 0; shard < SHARDS; shard++) {
      disks.add(new MemoryStorage());
    }
  }

  /// With windows for edits and revokes that a short story can outlast.
  static SimServer calm(
      World world, Function<Storage, CommitLog> logs, int editSeconds, int revokeSeconds) {
    return new SimServer(
        world,
        logs,
        shard -> {
          ShardConfig config = ShardConfig.of(shard, SHARDS);
          return new ShardConfig(
              shard,
              SHARDS,
              config.hotChatsMax(),
              config.hotMembersMax(),
              config.groupMembersMax(),
              Duration.ofSeconds(editSeconds),
              Duration.ofSeconds(revokeSeconds));
        });
  }

  /// Null while the server is down.
  @Nullable Life life() {
    return life;
  }

  void start() {
    life = new Life(++lives);
  }

  /// The user service says that the device has come in by a registration.
  void registeredAnew(DeviceId device, long atMillis) {
    Life living = life;
    if (living == null
        || !living.submit(new Command.Announce(device, atMillis, null), Origin.NOBODY)) {
      throw new AssertionError("a calm server takes it");
    }
  }

  /// The process ends between two events. With `power`, what was not synced may be gone.
  void die(boolean power) {
    Life dying = life;
    if (dying == null) {
      return;
    }
    life = null;
    dying.end();
    for (MemoryStorage disk : disks) {
      if (power) {
        disk.crash(world.random);
      } else {
        disk.restart();
      }
    }
  }

  /// From one start to one death.
  final class Life {

    private final EdgeContext edge;
    private final SessionTable sessions;
    private final HeldAcks acks;
    private final Sampler sampler = new Sampler(StageWatch.NONE);
    private final List<Partition> partitions = new ArrayList<>();
    private final List<SimConnection> connections = new ArrayList<>();
    private int reads;
    private boolean serving;

    private Life(long number) {
      var bus = new MemoryBus(RouterMetrics.NONE);
      var directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, number << 32);
      for (int shard = 0; shard < SHARDS; shard++) {
        partitions.add(new Partition(shard, number, directory, bus));
      }
      var id = new EdgeId("edge", number);
      var counters = new Counters();
      var readers = new SimReaders();
      Relay relay = (to, delivery) -> bus.toEdge(to, List.of(delivery));
      var hub = new MemoryPresenceHub(MemoryPresenceHub.WATCHES_MAX, world::millis);
      var desk = new PresenceDesk(hub, directory, readers, relay, counters);
      var turns = new Turns(TURNS, counters, world.random, world::nanos);
      turns.runBy(this::later);
      edge =
          new EdgeContext(
              id,
              TestLimits.LIMITS,
              this::submit,
              readers,
              directory,
              relay,
              new Trusting(),
              new Disconnector(counters, new Disconnector.Spread(10, 100)),
              new KnownUsers(64),
              counters,
              StageWatch.NONE,
              CatchUpConfig.DEFAULT,
              desk,
              turns,
              new EdgeBudgets(BudgetsConfig.NONE, world::nanos),
              new Shedding(() -> 0, world::nanos),
              new Drain(DrainConfig.DEFAULT, counters, world::nanos, world::wallMillis),
              world.random,
              world::nanos,
              world::wallMillis,
              Trace.OFF);
      sessions = new SessionTable(0, edge, 1, 4);
      acks = new HeldAcks(edge, this::later);
      bus.register(id, this::deliver);
      for (Partition partition : partitions) {
        partition.recover();
      }
      world.in(world.tickMicros(), this::tick);
    }

    private void later(long millis, Runnable task) {
      world.in(
          millis * 1_000,
          () -> {
            if (isAlive()) {
              task.run();
            }
          });
    }

    boolean isAlive() {
      return life == this;
    }

    SessionLogic accept(SimConnection connection) {
      var session =
          new SessionLogic(sessions.nextId(), edge, connection, sampler, acks, world.nanos());
      sessions.add(session);
      connections.add(connection);
      return session;
    }

    void remove(SimConnection connection, SessionLogic session) {
      session.onClosed();
      sessions.remove(session);
      connections.remove(connection);
    }

    private void end() {
      for (SimConnection connection : List.copyOf(connections)) {
        connection.serverDied();
      }
    }

    private boolean submit(Command command, Origin origin) {
      return partitions.get(Slots.shardOf(command.slot(), SHARDS)).offer(command, origin);
    }

    private void deliver(List<Delivery> batch) {
      world.in(
          world.some(5, 2_000),
          () -> {
            if (isAlive()) {
              sessions.take(batch, world.nanos());
              serve();
            }
          });
    }

    /// What goes to more than one session, some of it at a time.
    private void serve() {
      if (isAlive() && !serving && sessions.hasWaiting()) {
        serving = true;
        world.in(
            world.some(1, 500),
            () -> {
              serving = false;
              if (isAlive()) {
                sessions.work((int) world.some(1, 4), Integer.MAX_VALUE, world.nanos());
                sessions.answer(world.nanos());
                serve();
              }
            });
      }
    }

    private void tick() {
      if (!isAlive()) {
        return;
      }
      for (SessionLogic session : sessions.all()) {
        session.onSweep(world.nanos());
      }
      edge.presence().tick(world.nanos());
      for (Partition partition : partitions) {
        partition.tick();
      }
      world.in(world.tickMicros(), this::tick);
    }

    /// One shard with its two handlers. Between prepare, commit and dispatch time passes, in which
    /// the server may die.
    private final class Partition {

      private record Waiting(Command command, Origin origin) {}

      private record Told(Command command, Origin origin, Outcome outcome) {}

      private final ShardConfig config;
      private final Shard shard;
      private final Dispatcher dispatcher;
      private final ArrayDeque<Waiting> ring = new ArrayDeque<>();
      private final ArrayDeque<Long> settled = new ArrayDeque<>();
      private boolean busy;

      Partition(int index, long number, MemoryDirectory directory, MemoryBus bus) {
        config = configs.apply(index);
        Storage disk = disks.get(index);
        shard = new Shard(disk, logs.apply(disk), config);
        var address = new EdgeId("dispatch-" + index, number);
        dispatcher =
            new Dispatcher(
                address,
                directory,
                bus,
                // A push queue that is sometimes full.
                (user, chat, seq) -> !world.oneIn(8),
                Life.this::submit,
                new DispatchConfig(
                    Duration.ofSeconds(2), Duration.ofMillis(700), 4_096, Duration.ofMillis(900)),
                RouterMetrics.NONE,
                settled::add);
        bus.register(address, dispatcher);
      }

      void recover() {
        dispatcher.recover(shard.outbox(), world.millis());
      }

      boolean offer(Command command, Origin origin) {
        if (ring.size() >= RING_EVENTS || world.oneIn(500)) {
          return false;
        }
        ring.add(new Waiting(command, origin));
        if (!busy) {
          busy = true;
          world.in(world.some(1, 300), this::prepare);
        }
        return true;
      }

      void tick() {
        dispatcher.tick(world.millis());
        offer(new Command.Tick(config.firstSlot(), false), Origin.NOBODY);
      }

      private void prepare() {
        if (!isAlive()) {
          return;
        }
        while (!settled.isEmpty()) {
          shard.settle(settled.remove());
        }
        var batch = new ArrayList<Told>();
        int most = 1 + world.random.nextInt(RING_EVENTS);
        while (!ring.isEmpty() && batch.size() < most) {
          Waiting next = ring.remove();
          batch.add(
              new Told(next.command, next.origin, shard.prepare(next.command, world.wallMillis())));
        }
        world.in(world.some(100, 5_000), () -> commit(batch));
      }

      private void commit(List<Told> batch) {
        if (!isAlive()) {
          return;
        }
        long n = shard.commit();
        // The next batch is prepared while this one is dispatched, in order.
        world.in(1, () -> dispatch(n, batch));
        if (ring.isEmpty()) {
          busy = false;
        } else {
          world.in(2, this::prepare);
        }
      }

      private void dispatch(long n, List<Told> batch) {
        if (!isAlive()) {
          return;
        }
        for (Told told : batch) {
          dispatcher.on(told.command, told.origin, told.outcome, world.millis());
        }
        dispatcher.endOfBatch(n, world.millis());
      }
    }

    /// Reads at a moment, answers at a later one; has no place now and then, and fails now and
    /// then.
    private final class SimReaders implements Readers {

      @Override
      public <T> boolean ask(
          Function<Shards, T> question, Consumer<? super T> then, Consumer<Throwable> failed) {
        if (reads >= READS_MAX || world.oneIn(50)) {
          return false;
        }
        reads++;
        boolean fails = world.oneIn(100);
        world.in(
            world.some(10, 3_000),
            () -> {
              if (!isAlive()) {
                return;
              }
              if (fails) {
                reads--;
                failed.accept(new IllegalStateException("simulated"));
                return;
              }
              Map<Integer, Storage.Snapshot> open = new HashMap<>();
              T answer =
                  question.apply(slot ->
                      open.computeIfAbsent(
                          Slots.shardOf(slot, SHARDS), shard -> disks.get(shard).snapshot()));
              open.values().forEach(Storage.Snapshot::close);
              world.in(
                  world.some(10, 3_000),
                  () -> {
                    reads--;
                    if (isAlive()) {
                      then.accept(answer);
                    }
                  });
            });
        return true;
      }

      @Override
      public <T> @Nullable T fromMemory(Function<Shards, T> question) {
        return world.oneIn(3)
            ? null
            : question.apply(slot -> disks.get(Slots.shardOf(slot, SHARDS)).inMemory());
      }
    }
  }

  /// What a device shows as its token: whose it is, in plain.
  static byte[] token(DeviceId device) {
    return (device.user().value() + "." + device.index()).getBytes(StandardCharsets.US_ASCII);
  }

  /// Believes every token, and seals tickets by writing the generation behind.
  private static final class Trusting implements Authenticator {

    @Override
    public void verifyToken(byte[] token, Consumer<Identity> then) {
      then.accept(read(token, 0));
    }

    @Override
    public Identity openTicket(byte[] ticket, long count) {
      return read(ticket, 1);
    }

    @Override
    public byte[] sealTicket(Accepted identity) {
      return (new String(token(identity.device()), StandardCharsets.US_ASCII)
              + "."
              + (identity.generation() + 1))
          .getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public int ticketSeconds(Accepted identity) {
      return 3_600;
    }

    private static Identity read(byte[] proof, long generation) {
      String[] parts = new String(proof, StandardCharsets.US_ASCII).split("\\.", -1);
      if (parts.length < 2) {
        return new Refused(ErrorCode.TOKEN_INVALID, "");
      }
      var device = new DeviceId(new UserId(Long.parseLong(parts[0])), Integer.parseInt(parts[1]));
      return new Accepted(
          device,
          Long.MAX_VALUE,
          generation == 0 || parts.length < 3 ? 0 : Long.parseLong(parts[2]));
    }
  }
}

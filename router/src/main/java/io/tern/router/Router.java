package io.tern.router;

import io.tern.router.ring.Machine;
import io.tern.router.ring.Rounds;
import io.tern.router.ring.ShardRing;
import io.tern.store.Command;
import io.tern.store.OutboxRecord;
import io.tern.store.Outcome;
import io.tern.store.Shard;
import io.tern.store.Slots;
import io.tern.store.Storage;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/// The shards of this process at work: a ring and two threads each, and the readers. The shell
/// around [io.tern.store.Shard], [Dispatcher] and [io.tern.store.Reads].
///
/// Any thread may call any method.
public final class Router implements Commands, AutoCloseable {

  /// One shard, opened: its state machine and what readers see of it.
  public record Opened(Shard shard, Storage storage) {}

  /// What the process does when a shard cannot go on: it must end, because nothing that shard would
  /// say can be trusted. Called once for a shard, on the thread that failed.
  @FunctionalInterface
  public interface Fatal {
    void onFatal(String what, Throwable cause);
  }

  /// A shard as the operator sees it.
  ///
  /// @param ringDepth commands that are in the ring
  /// @param ringBytes bytes of their bodies
  /// @param idle whether nothing waits for a commit
  /// @param sinceCommitMillis since the last commit returned, or since the start
  /// @param failed whether it has stopped for good
  public record Health(
      int shard,
      long ringDepth,
      long ringBytes,
      boolean idle,
      long sinceCommitMillis,
      boolean failed) {}

  private static final long TICK_MILLIS = 1_000;
  private static final int PROBE_SECONDS_MAX = 30;

  private final RouterConfig config;
  private final List<ShardRing> rings = new ArrayList<>();
  private final List<EdgeId> addresses = new ArrayList<>();
  private final ReaderPool readers;
  private final Bus bus;

  // Where probes hear from the dispatchers.
  private final EdgeId address;
  private final AtomicLong probeNumbers = new AtomicLong();
  private final ConcurrentHashMap<Long, CompletableFuture<Void>> probes = new ConcurrentHashMap<>();

  /// Starts the threads. What the shards' outboxes hold is dispatched first.
  ///
  /// @param shards all shards of the store, in order
  /// @param clock wall time for entries
  public Router(
      RouterConfig config,
      List<Opened> shards,
      Directory directory,
      Bus bus,
      PushQueue pushQueue,
      RouterMetrics metrics,
      InstantSource clock,
      Fatal fatal) {
    this(config, shards, directory, bus, pushQueue, metrics, clock, fatal, Trace.OFF);
  }

  /// As the other constructor.
  ///
  /// @param trace where the way of each entry is noted
  public Router(
      RouterConfig config,
      List<Opened> shards,
      Directory directory,
      Bus bus,
      PushQueue pushQueue,
      RouterMetrics metrics,
      InstantSource clock,
      Fatal fatal,
      Trace trace) {
    this.config = config;
    this.bus = bus;
    long incarnation = new SecureRandom().nextLong() & Long.MAX_VALUE;
    address = new EdgeId("router", incarnation);
    bus.register(address, this::onProbed);
    readers =
        new ReaderPool(
            shards.stream().map(Opened::storage).toList(),
            config.readers(),
            config.readersQueue(),
            metrics);
    for (int i = 0; i < shards.size(); i++) {
      var ringConfig =
          new ShardRing.Config(
              i,
              Slots.firstOf(i, shards.size()),
              config.ringEvents(),
              config.ringBytes(),
              config.batchEvents(),
              config.batchBytes(),
              TICK_MILLIS);
      rings.add(new ShardRing(ringConfig, machine(shards.get(i).shard()), metrics, clock, fatal));
    }
    var dispatchers = new ArrayList<Dispatcher>();
    for (int i = 0; i < shards.size(); i++) {
      var dispatcherAddress = new EdgeId("shard-" + i, incarnation);
      var dispatcher =
          new Dispatcher(
              dispatcherAddress,
              directory,
              bus,
              pushQueue,
              this,
              config.dispatch(),
              metrics,
              rings.get(i)::settle,
              trace.writer());
      bus.register(dispatcherAddress, dispatcher);
      addresses.add(dispatcherAddress);
      dispatchers.add(dispatcher);
    }
    for (int i = 0; i < shards.size(); i++) {
      recover(shards.get(i).shard(), dispatchers.get(i));
    }
    for (int i = 0; i < shards.size(); i++) {
      rings.get(i).start(rounds(dispatchers.get(i)));
    }
  }

  /// Page by page: after a crash under load the outbox can be larger than memory should hold.
  private static void recover(Shard shard, Dispatcher dispatcher) {
    List<OutboxRecord> page = shard.outboxAfter(0);
    while (!page.isEmpty()) {
      dispatcher.recover(page, TimeUnit.NANOSECONDS.toMillis(System.nanoTime()));
      page = shard.outboxAfter(page.getLast().n());
    }
  }

  @Override
  public boolean submit(Command command, Origin origin) {
    return rings.get(Slots.shardOf(command.slot(), rings.size())).submit(command, origin);
  }

  /// The readers of this process.
  public Readers readers() {
    return readers;
  }

  /// How full the fullest queue is (a ring by commands or bytes, the readers' questions), in
  /// percent.
  public int fillPercent() {
    double fill = readers.fill();
    for (ShardRing ring : rings) {
      fill = Math.max(fill, (double) ring.depth() / config.ringEvents());
      fill = Math.max(fill, (double) ring.bytes() / config.ringBytes());
    }
    return (int) (fill * 100);
  }

  public List<Health> health() {
    var all = new ArrayList<Health>(rings.size());
    long now = System.nanoTime();
    for (int i = 0; i < rings.size(); i++) {
      var ring = rings.get(i);
      all.add(
          new Health(
              i,
              ring.depth(),
              ring.bytes(),
              ring.isIdle(),
              TimeUnit.NANOSECONDS.toMillis(now - ring.lastCommitNanos()),
              ring.hasFailed()));
    }
    return all;
  }

  /// Completes when every shard has made a batch durable that was begun after this call, and
  /// exceptionally when a ring is full or has failed, or after 30 s.
  public CompletableFuture<Void> probe() {
    var all = new ArrayList<CompletableFuture<Void>>(rings.size());
    for (int i = 0; i < rings.size(); i++) {
      all.add(probe(i));
    }
    return CompletableFuture.allOf(all.toArray(CompletableFuture[]::new));
  }

  /// Lets what is in the rings be committed and dispatched, answers what readers were asked, then
  /// stops the threads. The store is the caller's to close.
  @Override
  public void close() {
    for (var ring : rings) {
      ring.close();
    }
    readers.close();
    for (var dispatcher : addresses) {
      bus.unregister(dispatcher);
    }
    bus.unregister(address);
  }

  private CompletableFuture<Void> probe(int shard) {
    var done = new CompletableFuture<Void>();
    long number = probeNumbers.incrementAndGet();
    probes.put(number, done);
    var _ =
        done.orTimeout(PROBE_SECONDS_MAX, TimeUnit.SECONDS)
            .whenComplete((ok, failure) -> probes.remove(number));
    var tick = new Command.Tick(Slots.firstOf(shard, rings.size()), true);
    if (!submit(tick, new Origin(address, number, 1))) {
      done.completeExceptionally(
          new IllegalStateException("shard " + shard + " takes no commands"));
    }
    return done;
  }

  private void onProbed(List<Delivery> answers) {
    for (var delivery : answers) {
      if (delivery instanceof Delivery.Answer answer) {
        var probe = probes.get(answer.to().session());
        if (probe != null) {
          probe.complete(null);
        }
      }
    }
  }

  private static Machine machine(Shard shard) {
    return new Machine() {
      @Override
      public Outcome prepare(Command command, long nowMillis) {
        return shard.prepare(command, nowMillis);
      }

      @Override
      public void settle(long n) {
        shard.settle(n);
      }

      @Override
      public int openBytes() {
        return shard.openBytes();
      }

      @Override
      public long commit() {
        return shard.commit();
      }
    };
  }

  private static Rounds rounds(Dispatcher dispatcher) {
    return new Rounds() {
      @Override
      public void on(Command command, Origin origin, Outcome outcome, long nowMillis) {
        dispatcher.on(command, origin, outcome, nowMillis);
      }

      @Override
      public void committed(int events, long syncNanos, long committedNanos) {
        dispatcher.committed(events, syncNanos, committedNanos);
      }

      @Override
      public void endOfBatch(long n, long nowMillis) {
        dispatcher.endOfBatch(n, nowMillis);
      }

      @Override
      public void tick(long nowMillis) {
        dispatcher.tick(nowMillis);
      }

      @Override
      public boolean isFull() {
        return dispatcher.isFull();
      }
    };
  }
}

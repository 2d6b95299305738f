package io.tern.edge.admin;

import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import io.tern.accounts.Admin.SmsSpend;
import io.tern.accounts.Unavailable;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.edge.metrics.Rates;
import io.tern.edge.netty.EdgeNetwork;
import io.tern.edge.session.Drain;
import io.tern.edge.session.EdgeBudgets;
import io.tern.edge.session.Turns;
import io.tern.router.Router;
import io.tern.store.rocks.RocksStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Takes the [Stats] of a server, from what its parts count anyway: of the store one record is
/// read. Any thread that may block: the sizes of the data folder's files are looked up.
public final class StatsDesk {

  private static final List<Count> SAMPLED =
      List.of(Count.SENT, Count.DELIVERS, Count.HELLOS, Count.SENDS_REFUSED);

  private final String name;
  private final Path data;
  private final long reserveBytes;
  private final Counters counters;
  private final Rates rates;
  private final EdgeNetwork network;
  private final Turns turns;
  private final EdgeBudgets budgets;
  private final Drain drain;
  private final Supplier<List<Router.Health>> shards;
  private final IntSupplier usersConnected;
  private final IntSupplier usersActive;
  private final RocksStore store;
  private final Supplier<SmsSpend> sms;
  private final long startedMillis;
  private final long startedNanos;

  /// From now on the rates are sampled, on an event loop of `network`.
  public StatsDesk(
      String name,
      Path data,
      long reserveBytes,
      Counters counters,
      EdgeNetwork network,
      Turns turns,
      EdgeBudgets budgets,
      Drain drain,
      Supplier<List<Router.Health>> shards,
      IntSupplier usersConnected,
      IntSupplier usersActive,
      RocksStore store,
      Supplier<SmsSpend> sms,
      LongSupplier wallMillis) {
    this.name = name;
    this.data = data;
    this.reserveBytes = reserveBytes;
    this.counters = counters;
    this.network = network;
    this.turns = turns;
    this.budgets = budgets;
    this.drain = drain;
    this.shards = shards;
    this.usersConnected = usersConnected;
    this.usersActive = usersActive;
    this.store = store;
    this.sms = sms;
    startedMillis = wallMillis.getAsLong();
    startedNanos = System.nanoTime();
    rates = new Rates(counters, SAMPLED, System::nanoTime);
    network.every(Rates.EVERY_MILLIS, rates::sample);
  }

  public Stats take() {
    var keys = new TreeMap<String, Integer>(budgets.keys());
    keys.put("addresses", network.addressesKept());
    String version = StatsDesk.class.getPackage().getImplementationVersion();
    return new Stats(
        name,
        version == null ? "dev" : version,
        Runtime.version().toString(),
        startedMillis,
        (System.nanoTime() - startedNanos) / 1_000_000,
        drain.progress().state(),
        network.connectionsByDoor(),
        counters.sessions(),
        usersConnected.getAsInt(),
        usersActive.getAsInt(),
        new Stats.Rates(
            rates.seconds(),
            rates.perSecond(Count.SENT),
            rates.perSecond(Count.DELIVERS),
            rates.perSecond(Count.HELLOS),
            rates.perSecond(Count.SENDS_REFUSED)),
        shards.get(),
        new Stats.Waiting(
            turns.rate(),
            turns.underWay(),
            turns.handshakesWaiting(),
            turns.loginsWaiting(),
            turns.pagesWaiting()),
        new Stats.Disk(dataBytes(), freeBytes(), reserveBytes, store.hasRoom()),
        memory(),
        sms(),
        Map.copyOf(keys));
  }

  private @Nullable SmsSpend sms() {
    try {
      return sms.get();
    } catch (Unavailable e) {
      // The rest is worth having, the more so.
      return null;
    }
  }

  private long dataBytes() {
    try (Stream<Path> files = Files.walk(data)) {
      return files.mapToLong(StatsDesk::bytesOf).sum();
    } catch (IOException | UncheckedIOException e) {
      // A file went while this looked: the next look will do.
      return 0;
    }
  }

  private static long bytesOf(Path file) {
    try {
      return Files.isRegularFile(file) ? Files.size(file) : 0;
    } catch (IOException e) {
      // RocksDB has just deleted it.
      return 0;
    }
  }

  private long freeBytes() {
    try {
      return Files.getFileStore(data).getUsableSpace();
    } catch (IOException e) {
      return 0;
    }
  }

  private static Stats.Memory memory() {
    MemoryUsage heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
    long direct =
        ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
            .filter(pool -> pool.getName().equals("direct"))
            .mapToLong(BufferPoolMXBean::getMemoryUsed)
            .sum();
    if (ByteBufAllocator.DEFAULT instanceof ByteBufAllocatorMetricProvider provider) {
      direct += provider.metric().usedDirectMemory();
    }
    return new Stats.Memory(heap.getUsed(), heap.getMax(), direct);
  }
}

package io.tern.edge.metrics;

import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import io.tern.edge.session.CloseReason;
import io.tern.edge.session.Disconnector;
import io.tern.edge.session.StageWatch;
import io.tern.protocol.ErrorCode;
import io.tern.router.Router;
import io.tern.router.RouterMetrics;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;

/// Everything `/metrics` shows. What happens per message is a [Counters] number that is only read
/// when Prometheus asks; timers are for what happens per batch, per login, or to a sample.
///
/// Any thread; recording takes no lock.
public final class ServerMetrics implements RouterMetrics, StageWatch, RequestWatch, AutoCloseable {

  private static final Duration[] BUCKETS = {
    Duration.ofNanos(10_000),
    Duration.ofNanos(50_000),
    Duration.ofNanos(100_000),
    Duration.ofNanos(250_000),
    Duration.ofNanos(500_000),
    Duration.ofMillis(1),
    Duration.ofNanos(1_500_000),
    Duration.ofNanos(2_500_000),
    Duration.ofMillis(5),
    Duration.ofMillis(10),
    Duration.ofMillis(25),
    Duration.ofMillis(50),
    Duration.ofMillis(100),
    Duration.ofMillis(250),
    Duration.ofMillis(500),
    Duration.ofSeconds(1),
    Duration.ofSeconds(5),
    Duration.ofSeconds(10)
  };

  /// Few: there is a histogram for every operation.
  private static final Duration[] REQUEST_BUCKETS = {
    Duration.ofMillis(1),
    Duration.ofMillis(5),
    Duration.ofMillis(25),
    Duration.ofMillis(100),
    Duration.ofMillis(500),
    Duration.ofSeconds(2),
    Duration.ofSeconds(10)
  };

  private static final double[] BATCH_BUCKETS = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final JvmGcMetrics gc = new JvmGcMetrics();

  private final Map<Stage, Timer> stages = new EnumMap<>(Stage.class);
  private final Timer taken = stage("taken");
  private final Timer prepared = stage("prepared");
  private final Timer lookups = stage("lookup");

  /// By door and operation; as many as the documents have, made at their first request.
  private final ConcurrentHashMap<String, Timer> requests = new ConcurrentHashMap<>();

  private final Timer commits;
  private final Timer dispatchLag;
  private final DistributionSummary batchEvents;
  private final DistributionSummary batchBytes;
  private final LongAdder ringsRefused = counter("tern_router_refused", "Commands a ring refused.");
  private final LongAdder deliveries =
      counter("tern_router_deliveries", "Things handed to edges, all of a batch as one message.");
  private final LongAdder pushes =
      counter("tern_router_pushes_accepted", "Push intents that the push queue took.");
  private final LongAdder pushesRefused =
      counter("tern_router_pushes_refused", "Push intents that the push queue did not take.");
  private final LongAdder watchExpired =
      counter("tern_router_watch_expired", "Entries a connected device did not acknowledge.");
  private final LongAdder directoryFailures =
      counter(
          "tern_router_directory_failures",
          "Times the directory did not answer; entries come late until it does.");
  private final LongAdder nudges =
      counter("tern_router_nudges", "Sessions told to look into the store.");
  private final LongAdder busDrops =
      counter("tern_bus_dropped", "Deliveries for a receiver that is not there.");
  private final LongAdder readersRefused =
      counter("tern_readers_refused", "Questions the readers had no place for.");

  public ServerMetrics(Counters counters, Disconnector disconnector) {
    for (Count count : Count.values()) {
      FunctionCounter.builder("tern_" + lower(count), counters, c -> c.get(count))
          .description(count.help())
          .register(registry);
    }
    for (Counters.Door door : Counters.Door.values()) {
      for (ErrorCode code : ErrorCode.values()) {
        FunctionCounter.builder("tern_errors", counters, c -> c.getError(door, code))
            .description("ERROR and GOAWAY frames and refusals over HTTP, by code and door.")
            .tags("code", Integer.toString(code.number()), "name", code.name())
            .tag("door", lower(door))
            .register(registry);
      }
    }
    for (CloseReason reason : CloseReason.values()) {
      FunctionCounter.builder("tern_disconnects", disconnector, d -> d.ended(reason))
          .description("Connections that ended, by reason.")
          .tag("reason", lower(reason))
          .register(registry);
    }
    for (Stage stage : Stage.values()) {
      stages.put(stage, stage(lower(stage)));
    }
    commits = timer("tern_commit", "One commit of a shard.", Tags.empty());
    dispatchLag =
        timer("tern_dispatch_lag", "From a commit to the end of its dispatch.", Tags.empty());
    batchEvents = summary("tern_batch_events", "Commands in one commit.");
    batchBytes =
        DistributionSummary.builder("tern_batch_bytes")
            .description("Bytes of writes in one commit.")
            .register(registry);
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new FileDescriptorMetrics().bindTo(registry);
    gc.bindTo(registry);
    if (ByteBufAllocator.DEFAULT instanceof ByteBufAllocatorMetricProvider provider) {
      gauge(
          "tern_buffers_direct_bytes",
          "Direct memory that the buffer allocator holds.",
          Tags.empty(),
          () -> provider.metric().usedDirectMemory());
    }
  }

  /// Shows `value`, looked at when Prometheus asks.
  public void gauge(String name, String help, DoubleSupplier value) {
    gauge(name, help, Tags.empty(), value);
  }

  /// Shows every shard as `health` describes it.
  public void shards(int shards, Supplier<List<Router.Health>> health) {
    for (int i = 0; i < shards; i++) {
      int shard = i;
      Tags tags = Tags.of("shard", Integer.toString(shard));
      gauge(
          "tern_ring_depth",
          "Commands in a shard's ring.",
          tags,
          () -> health.get().get(shard).ringDepth());
      gauge(
          "tern_ring_bytes",
          "Bytes of bodies in a shard's ring.",
          tags,
          () -> health.get().get(shard).ringBytes());
      gauge(
          "tern_shard_failed",
          "1 when a shard has stopped for good.",
          tags,
          () -> health.get().get(shard).failed() ? 1 : 0);
    }
  }

  /// The text that Prometheus reads.
  ///
  /// Written on a platform thread of its own. On a virtual one, which requests have, the library's
  /// `BufferedWriter` begins with 512 characters and, until it has 8,192, takes a new array with
  /// nearly every write: 25 MB in all for a text of 65 KB.
  public String scrape() throws InterruptedException {
    var text = new FutureTask<String>(registry::scrape);
    Thread.ofPlatform().daemon().name("tern-scrape").start(text);
    try {
      return text.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException("the metrics cannot be written", e);
    }
  }

  @Override
  public void close() {
    gc.close();
    registry.close();
  }

  // ---- what is recorded ------------------------------------------------------------------------

  @Override
  public void took(Stage stage, long nanos) {
    Objects.requireNonNull(stages.get(stage)).record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void answered(String door, String operation, long nanos) {
    requests
        .computeIfAbsent(door + ' ' + operation, key -> requests(door, operation))
        .record(nanos, TimeUnit.NANOSECONDS);
  }

  private Timer requests(String door, String operation) {
    return Timer.builder("tern_http")
        .description("Requests over HTTP, from complete to answered.")
        .tags("door", door, "operation", operation)
        .serviceLevelObjectives(REQUEST_BUCKETS)
        .register(registry);
  }

  @Override
  public void onTaken(int shard, long nanos) {
    taken.record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void onPrepared(int shard, long nanos) {
    prepared.record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void onLookedUp(long nanos) {
    lookups.record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void onRefused(int shard) {
    ringsRefused.increment();
  }

  @Override
  public void onCommit(int shard, int events, int bytes, long nanos) {
    commits.record(nanos, TimeUnit.NANOSECONDS);
    batchEvents.record(events);
    batchBytes.record(bytes);
  }

  @Override
  public void onDispatched(int shard, int events, long lagNanos) {
    dispatchLag.record(lagNanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void onDeliveries(int n) {
    deliveries.add(n);
  }

  @Override
  public void onPush(boolean accepted) {
    (accepted ? pushes : pushesRefused).increment();
  }

  @Override
  public void onWatchExpired() {
    watchExpired.increment();
  }

  @Override
  public void onNudge() {
    nudges.increment();
  }

  @Override
  public void onDirectoryFailed() {
    directoryFailures.increment();
  }

  @Override
  public void onBusDrop(int n) {
    busDrops.add(n);
  }

  @Override
  public void onReadersRefused() {
    readersRefused.increment();
  }

  // ---- helpers ---------------------------------------------------------------------------------

  private LongAdder counter(String name, String help) {
    var adder = new LongAdder();
    FunctionCounter.builder(name, adder, LongAdder::sum).description(help).register(registry);
    return adder;
  }

  private void gauge(String name, String help, Tags tags, DoubleSupplier value) {
    Gauge.builder(name, value, DoubleSupplier::getAsDouble)
        .description(help)
        .tags(tags)
        .strongReference(true)
        .register(registry);
  }

  private Timer stage(String stage) {
    return timer("tern_stage", "Stages of a message.", Tags.of("stage", stage));
  }

  private Timer timer(String name, String help, Tags tags) {
    return Timer.builder(name)
        .description(help)
        .tags(tags)
        .serviceLevelObjectives(BUCKETS)
        .register(registry);
  }

  private DistributionSummary summary(String name, String help) {
    return DistributionSummary.builder(name)
        .description(help)
        .serviceLevelObjectives(BATCH_BUCKETS)
        .register(registry);
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}

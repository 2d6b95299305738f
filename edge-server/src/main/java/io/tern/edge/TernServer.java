package io.tern.edge;

import static io.tern.edge.config.Addresses.text;

import io.tern.accounts.Accounts;
import io.tern.accounts.AccountsEvent;
import io.tern.accounts.Admin.SmsSpend;
import io.tern.accounts.sms.SmsSender;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AuditLog;
import io.tern.edge.admin.HealthCheck;
import io.tern.edge.admin.Operations;
import io.tern.edge.admin.Operations.Served;
import io.tern.edge.admin.Stats;
import io.tern.edge.admin.StatsDesk;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.config.ShutdownConfig;
import io.tern.edge.http.AccountRoutes;
import io.tern.edge.http.AdminRoutes;
import io.tern.edge.http.HttpGateway;
import io.tern.edge.http.KeyRoutes;
import io.tern.edge.http.OperationRoutes;
import io.tern.edge.http.TraceRoutes;
import io.tern.edge.http.UserRoutes;
import io.tern.edge.logging.LogLevels;
import io.tern.edge.logging.Logging;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.edge.metrics.ServerMetrics;
import io.tern.edge.netty.EdgeNetwork;
import io.tern.edge.netty.SessionDesk;
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
import io.tern.edge.tls.Certificates;
import io.tern.edge.token.KeyFile;
import io.tern.edge.token.ResumeTickets;
import io.tern.edge.token.SigningKeys;
import io.tern.edge.token.TokenAuthenticator;
import io.tern.edge.token.TokenKeys;
import io.tern.edge.token.TokenVerifier;
import io.tern.router.EdgeId;
import io.tern.router.Router;
import io.tern.router.Trace;
import io.tern.router.bus.MemoryBus;
import io.tern.router.directory.MemoryDirectory;
import io.tern.router.presence.MemoryPresenceHub;
import io.tern.store.rocks.RocksStore;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.StringJoiner;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A whole Tern server in this process: the one place that wires everything together.
///
/// ```
/// clients -> EdgeNetwork -> SessionLogic -> Router (rings) -> Shard -> RocksStore
///                ^                             |
///                +------- MemoryBus <----------+          HttpGateway: accounts, admin
/// ```
///
/// Lives from [#start], which returns when clients can connect, to [#close]. Any thread.
public final class TernServer implements AutoCloseable {

  /// Exit status of a process that could not keep its promises (EX_SOFTWARE).
  public static final int EXIT_FATAL = 70;

  private static final Logger log = LoggerFactory.getLogger(TernServer.class);

  /// How often log levels that were set for a time are looked at.
  private static final long LOOK_MILLIS = 1_000;

  /// How long clients may take to close after GOAWAY.
  private static final Duration FAREWELL = Duration.ofSeconds(1);

  private final ServerConfig config;
  private final RocksStore store;
  private final Router router;
  private final MemoryBus bus;
  private final EdgeId edgeId;
  private final EdgeNetwork network;
  private final ThreadPoolExecutor authThreads;
  private final ServerMetrics metrics;
  private final Counters counters;
  private final EdgeNetwork.Listening listening;
  private final @Nullable Certificates certificates;
  private final AuditLog audit;
  private final @Nullable AuditLog looks;
  private final HttpGateway admin;
  private final @Nullable HttpGateway http;
  private final SigningKeys signingKeys;
  private final Accounts accounts;
  private final RouterShards accountShards;
  private final SmsSenders.Owned sms;
  private final NetworksFile networks;
  private final Drain drain;
  private final LogLevels logLevels;
  private final StatsDesk stats;
  private volatile boolean ending;

  /// Starts a server and returns when it takes connections.
  ///
  /// @throws io.tern.edge.config.ConfigProblem with one line, when the configuration will not do
  /// @throws io.tern.store.rocks.CannotOpen with one line, when the data folder will not open
  /// @throws io.tern.edge.config.CannotListen with one line, when an address cannot be had
  /// @throws IOException when a file cannot be read or written
  public static TernServer start(ServerConfig config) throws IOException {
    Niceness.ofCompilers();
    return start(config, TernServer::halt, System.out::println);
  }

  /// As [#start(ServerConfig)], with another idea of what to do when a shard cannot go on, and of
  /// where the console is.
  static TernServer start(ServerConfig config, Router.Fatal fatal, Consumer<String> console)
      throws IOException {
    var started = new Started();
    try {
      return new TernServer(config, fatal, console, started);
    } catch (IOException | RuntimeException | Error e) {
      // An Error too (a class or a native library that is not there, no memory): what has been
      // started would keep the process alive.
      started.undo();
      throw e;
    } catch (Exception e) {
      started.undo();
      throw new IOException(e.getMessage(), e);
    }
  }

  private TernServer(
      ServerConfig config, Router.Fatal fatal, Consumer<String> console, Started started)
      throws Exception {
    this.config = config;
    Logging.beDiscreet();
    Logging.takeJavaUtilLogging();
    counters = new Counters();
    ShutdownConfig shutdown = config.shutdown();
    var disconnector =
        new Disconnector(
            counters,
            new Disconnector.Spread(
                (int) shutdown.spreadMin().toMillis(), (int) shutdown.spreadMax().toMillis()));
    metrics = started.add(new ServerMetrics(counters, disconnector));
    store = started.add(RocksStore.open(config.store()));
    var secrets = new SecureRandom();
    signingKeys =
        SigningKeys.open(
            config.store().data().resolve("token-keys"), config.tokens(), Instant.now(), secrets);
    var verifier = new TokenVerifier(TokenKeys.of(config.auth()), signingKeys);
    var tickets =
        new ResumeTickets(
            KeyFile.in(config.store().data().resolve("resume.key")),
            config.auth().resumeLifetime());
    bus = new MemoryBus(metrics);
    // Epochs must rise over restarts too; there is no more than one session a millisecond and
    // device.
    var directory = new MemoryDirectory(config.directory(), System.currentTimeMillis());
    var shards = new ArrayList<Router.Opened>();
    for (int i = 0; i < store.shards(); i++) {
      shards.add(new Router.Opened(store.shard(i), store.storage(i)));
    }
    var trace = new Trace(config.traceSteps());
    router =
        started.add(
            new Router(
                config.router(),
                shards,
                directory,
                bus,
                new ConsolePushQueue(counters),
                metrics,
                Clock.systemUTC(),
                fatal,
                trace));
    authThreads = authThreads(config);
    started.add(authThreads::shutdownNow);
    edgeId = new EdgeId(config.name(), secrets.nextLong() & Long.MAX_VALUE);
    Relay relay = (to, delivery) -> bus.toEdge(to, List.of(delivery));
    var turns = new Turns(config.turns(), counters, secrets, System::nanoTime);
    StageWatch stages =
        (stage, nanos) -> {
          metrics.took(stage, nanos);
          if (stage == StageWatch.Stage.SEND_TO_SENT) {
            turns.onSent(nanos);
          }
        };
    var hub =
        new MemoryPresenceHub(
            MemoryPresenceHub.WATCHES_MAX, () -> TimeUnit.NANOSECONDS.toMillis(System.nanoTime()));
    drain = new Drain(config.drain(), counters, System::nanoTime, System::currentTimeMillis);
    var budgets = new EdgeBudgets(config.budgets(), System::nanoTime);
    var knownUsers = new KnownUsers(config.knownUsers());
    var edge =
        new EdgeContext(
            edgeId,
            config.limits(),
            router,
            router.readers(),
            directory,
            relay,
            new TokenAuthenticator(
                verifier, tickets, authThreads, System::currentTimeMillis, metrics),
            disconnector,
            knownUsers,
            counters,
            stages,
            config.catchUp(),
            new PresenceDesk(hub, directory, router.readers(), relay, counters),
            turns,
            budgets,
            new Shedding(() -> router.fillPercent(), System::nanoTime),
            drain,
            secrets,
            System::nanoTime,
            System::currentTimeMillis,
            trace);
    certificates =
        config.net().needsTls()
                || (config.http().listen() != null && config.http().tls())
                || config.admin().tls()
            ? started.add(
                Certificates.open(config.tls(), config.store().data(), counters, Clock.systemUTC()))
            : null;
    network = started.add(new EdgeNetwork(config.net(), edge, certificates));
    bus.register(edgeId, network);
    logLevels = new LogLevels(System::currentTimeMillis);
    network.every(LOOK_MILLIS, logLevels::tick);
    stats =
        new StatsDesk(
            config.name(),
            config.store().data(),
            config.store().diskReserveBytes(),
            counters,
            network,
            turns,
            budgets,
            drain,
            router::health,
            directory::connected,
            directory::active,
            store,
            this::smsSpend,
            System::currentTimeMillis);
    metrics.gauge("tern_connections", "Open connections.", network::connections);
    metrics.gauge("tern_sessions", "Sessions that are up.", counters::sessions);
    metrics.gauge("tern_users_connected", "Users who have them.", directory::connected);
    metrics.gauge("tern_users_active", "Of these, those whose app is in front.", directory::active);
    metrics.gauge(
        "tern_in_service", "0 while logins are refused.", () -> drain.isInService() ? 1 : 0);
    metrics.gauge(
        "tern_turns_rate", "TLS handshakes, logins and catch-up pages a second.", turns::rate);
    metrics.gauge(
        "tern_turns_under_way", "Handshakes, logins and pages under way.", turns::underWay);
    metrics.gauge(
        "tern_turns_handshakes_waiting", "TLS handshakes that wait.", turns::handshakesWaiting);
    metrics.gauge("tern_turns_logins_waiting", "Logins that wait.", turns::loginsWaiting);
    metrics.gauge("tern_turns_pages_waiting", "Pages that wait.", turns::pagesWaiting);
    metrics.gauge("tern_disk_has_room", "0 when sends are refused.", () -> store.hasRoom() ? 1 : 0);
    metrics.shards(store.shards(), router::health);
    var health =
        new HealthCheck(
            router::probe,
            router::health,
            store::hasRoom,
            () -> ending,
            network::connections,
            config.admin().probeTimeout());
    accountShards =
        started.add(
            new RouterShards(
                router,
                router.readers(),
                bus,
                knownUsers,
                new EdgeId("accounts", secrets.nextLong() & Long.MAX_VALUE)));
    sms = started.add(SmsSenders.of(config.sms(), console));
    networks = started.add(NetworksFile.open(config.networks(), counters));
    accounts =
        new Accounts(
            config.accounts(),
            accountShards,
            signingKeys,
            timed(sms, metrics),
            KeyFile.in(config.store().data().resolve("pepper")),
            networks,
            event -> counters.add(countOf(event)),
            Clock.systemUTC(),
            secrets);
    finishInterruptedWork(accounts);
    http =
        config.http().listen() == null
            ? null
            : started.add(
                HttpGateway.accounts(
                    config.http(),
                    config.limits().loopbackExempt(),
                    AccountRoutes.of(accounts, () -> signingKeys.published(Instant.now())),
                    verifier,
                    accountShards,
                    counters,
                    metrics,
                    config.http().tls() ? certificates : null));
    audit =
        started.add(
            AuditLog.open(
                config.store().data(),
                AuditLog.Book.ACTS,
                config.admin().auditFileBytesMax(),
                config.admin().auditFilesMax(),
                Clock.systemUTC(),
                counters));
    looks =
        config.admin().auditLooks()
            ? started.add(
                AuditLog.open(
                    config.store().data(),
                    AuditLog.Book.LOOKS,
                    config.admin().auditFileBytesMax(),
                    config.admin().auditFilesMax(),
                    Clock.systemUTC(),
                    counters))
            : null;
    admin =
        started.add(
            HttpGateway.admin(
                config.admin(),
                config.limits().loopbackExempt(),
                AdminRoutes.of(
                        health,
                        this::notReady,
                        metrics,
                        config.admin().listen().getAddress().isLoopbackAddress())
                    .with(UserRoutes.of(accounts.admin(), Clock.systemUTC()))
                    .with(KeyRoutes.of(signingKeys, Clock.systemUTC()))
                    .with(
                        TraceRoutes.of(
                            accountShards,
                            trace,
                            config.name(),
                            System::nanoTime,
                            Clock.systemUTC()))
                    .with(
                        OperationRoutes.of(
                            new Operations(
                                stats,
                                drain,
                                network.sessions(),
                                logLevels,
                                certificates,
                                this::served))),
                AdminCredentials.in(config.store().data()),
                audit,
                looks,
                counters,
                metrics,
                config.admin().tls() ? certificates : null));
    listening = network.listen();
    log.info("edge {} listens at {}", edgeId, doors());
  }

  /// Every address, by door.
  private String doors() {
    var doors = new StringJoiner(" ");
    listening.plain().forEach(address -> doors.add("plain=" + text(address)));
    listening.tls().forEach(address -> doors.add("tls=" + text(address)));
    listening.webSocket().forEach(address -> doors.add(webSocketDoor(address)));
    InetSocketAddress ofAccounts = http();
    if (ofAccounts != null) {
      doors.add(accountsDoor(ofAccounts));
    }
    return doors.add((config.admin().tls() ? "admin(tls)=" : "admin=") + text(admin())).toString();
  }

  private String accountsDoor(InetSocketAddress address) {
    return (config.http().tls() ? "https=" : "http=") + text(address);
  }

  private String webSocketDoor(InetSocketAddress address) {
    return (config.net().webSocket().isTls(address) ? "wss=" : "websocket=") + text(address);
  }

  /// The doors that show the certificate.
  private List<Served> served() {
    EdgeNetwork.Listening open = network.listening();
    var served = new ArrayList<Served>();
    open.tls().forEach(address -> served.add(new Served("tls", text(address))));
    open.webSocket().stream()
        .filter(address -> config.net().webSocket().isTls(address))
        .forEach(address -> served.add(new Served("websocket", text(address))));
    InetSocketAddress ofAccounts = http();
    if (ofAccounts != null && config.http().tls()) {
      served.add(new Served("http", text(ofAccounts)));
    }
    if (config.admin().tls()) {
      served.add(new Served("admin", text(admin())));
    }
    return served;
  }

  /// What a crash left half done is finished before anyone can ask about it.
  private static void finishInterruptedWork(Accounts accounts) {
    int resumed = accounts.resume();
    if (resumed > 0) {
      log.info("finished {} interrupted changes of accounts", resumed);
    }
  }

  private static SmsSender timed(SmsSender sender, StageWatch stages) {
    return (number, text) -> {
      long began = System.nanoTime();
      try {
        return sender.send(number, text);
      } finally {
        stages.took(StageWatch.Stage.SMS, System.nanoTime() - began);
      }
    };
  }

  /// Why nobody should be sent here; empty = they should.
  private String notReady() {
    return ending ? "shutting down" : drain.isInService() ? "" : "draining";
  }

  private static Count countOf(AccountsEvent event) {
    return Count.valueOf(event.name());
  }

  private static ThreadPoolExecutor authThreads(ServerConfig config) {
    var threads =
        new ThreadPoolExecutor(
            config.auth().threads(),
            config.auth().threads(),
            30,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(config.auth().queue()),
            niceThreads("tern-auth-"));
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }

  /// For signatures, of which there are thousands at once: whoever writes meanwhile comes first.
  private static ThreadFactory niceThreads(String prefix) {
    ThreadFactory threads = Thread.ofPlatform().name(prefix, 0).daemon().factory();
    return task -> threads.newThread(Niceness.nice(task));
  }

  /// Where clients connect in plain TCP: the first such listener; null when there is none.
  public @Nullable InetSocketAddress plain() {
    return first(listening.plain());
  }

  /// Where clients connect: the first listener, plain before TLS before WebSocket.
  public InetSocketAddress listen() {
    return Stream.of(listening.plain(), listening.tls(), listening.webSocket())
        .flatMap(List::stream)
        .findFirst()
        .orElseThrow();
  }

  /// Every address, by door.
  public EdgeNetwork.Listening listening() {
    return listening;
  }

  /// What clients pin; null when there is no TLS.
  public @Nullable String fingerprint() {
    return certificates == null ? null : certificates.fingerprint();
  }

  public int connections() {
    return network.connections();
  }

  private SmsSpend smsSpend() {
    return accounts.admin().smsSpend();
  }

  /// How it is doing. Looks at files: not for an event loop.
  public Stats stats() {
    return stats.take();
  }

  /// The live sessions of users.
  public SessionDesk sessions() {
    return network.sessions();
  }

  /// What its loggers say.
  public LogLevels logLevels() {
    return logLevels;
  }

  /// Takes this server out of service, and back.
  public Drain drain() {
    return drain;
  }

  /// Where operators ask: `/health`, `/ready`, `/metrics` and what needs a credential.
  public InetSocketAddress admin() {
    return admin.address();
  }

  /// Where accounts are; null when they are nowhere.
  public @Nullable InetSocketAddress http() {
    return http == null ? null : http.address();
  }

  /// What signs this server's tokens.
  SigningKeys signingKeys() {
    return signingKeys;
  }

  /// The user service.
  Accounts accounts() {
    return accounts;
  }

  public Path data() {
    return config.store().data();
  }

  /// What happened so far.
  public Counters counters() {
    return counters;
  }

  /// What `tern server` prints when it is ready: fields `name=value` on one line, the folder last
  /// because it may hold spaces. `http` (`https` with TLS), `tls`, `websocket` (`wss` with TLS) and
  /// `fingerprint` are there when there is such a door.
  public String readyLine() {
    var line = new StringBuilder("ready listen=");
    InetSocketAddress plain = plain();
    line.append(plain == null ? "none" : text(plain)).append(" admin=").append(text(admin()));
    InetSocketAddress ofAccounts = http();
    if (ofAccounts != null) {
      line.append(' ').append(accountsDoor(ofAccounts));
    }
    InetSocketAddress tls = first(listening.tls());
    if (tls != null) {
      line.append(" tls=").append(text(tls));
    }
    InetSocketAddress webSocket = first(listening.webSocket());
    if (webSocket != null) {
      line.append(' ').append(webSocketDoor(webSocket));
    }
    if (certificates != null) {
      line.append(" fingerprint=").append(certificates.fingerprint());
    }
    return line.append(" data=").append(data()).toString();
  }

  private static @Nullable InetSocketAddress first(List<InetSocketAddress> addresses) {
    return addresses.isEmpty() ? null : addresses.getFirst();
  }

  /// Ends in order, within the configured time: takes no more connections and frames, commits and
  /// answers what was taken, tells everyone when to come back, closes the store.
  @Override
  public synchronized void close() {
    if (ending) {
      return;
    }
    ending = true;
    log.info("shutting down with {} connections", network.connections());
    drainFirst();
    Duration timeout = config.shutdown().timeout();
    if (http != null) {
      http.close();
    }
    logLevels.resetAll();
    network.stopAccepting();
    network.stopReading(Duration.ofSeconds(1));
    boolean drained = closeRouter(timeout);
    network.sendAway(Duration.ofSeconds(1));
    waitUntil(() -> network.connections() == 0, FAREWELL);
    bus.unregister(edgeId);
    accountShards.close();
    sms.close();
    networks.close();
    network.close();
    if (certificates != null) {
      certificates.close();
    }
    admin.close();
    audit.close();
    if (looks != null) {
      looks.close();
    }
    authThreads.shutdownNow();
    metrics.close();
    if (drained) {
      store.close();
    } else {
      log.warn("a shard did not finish in {}: its folder is left as after a crash", timeout);
    }
    log.info("bye");
  }

  /// Lets clients finish and go, if the configuration gives them time: until nobody is left, or
  /// somebody cancels.
  private void drainFirst() {
    Duration over = config.shutdown().drain();
    if (!over.isZero()) {
      drain.beginLast(over, config.drain().grace());
      waitUntil(() -> drain.progress().state() != Drain.State.DRAINING, drain.longest());
    }
  }

  private static void waitUntil(BooleanSupplier condition, Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (!condition.getAsBoolean() && System.nanoTime() < deadline) {
      LockSupport.parkNanos(5_000_000);
    }
  }

  private boolean closeRouter(Duration timeout) {
    var closing = new CompletableFuture<Void>();
    Thread.ofPlatform()
        .daemon()
        .name("tern-drain")
        .start(() -> {
          try {
            router.close();
            closing.complete(null);
          } catch (RuntimeException e) {
            closing.completeExceptionally(e);
          }
        });
    try {
      closing.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      log.warn("while draining the rings", e.getCause());
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /// Nothing that a failed shard would say can be trusted: the process ends at once, without
  /// shutdown hooks, and the log decides what was promised.
  private static void halt(String what, Throwable cause) {
    System.err.println("tern: fatal: " + what + ": " + cause);
    Runtime.getRuntime().halt(EXIT_FATAL);
  }

  /// What has been started, to be undone when the rest will not start.
  private static final class Started {
    private final Deque<AutoCloseable> parts = new ArrayDeque<>();

    <T extends AutoCloseable> T add(T part) {
      parts.push(part);
      return part;
    }

    void undo() {
      for (AutoCloseable part : parts) {
        try {
          part.close();
        } catch (Exception | Error e) {
          log.debug("while giving up", e);
        }
      }
    }
  }
}

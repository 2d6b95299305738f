package io.tern.edge.config;

import io.tern.protocol.Limits;
import io.tern.router.DispatchConfig;
import io.tern.router.RouterConfig;
import io.tern.router.catchup.CatchUpConfig;
import io.tern.router.directory.MemoryDirectory;
import io.tern.store.rocks.RocksStoreConfig;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Everything a server is told before it starts; `reference.conf` beside this class says what each
/// key means. Immutable, and valid once made.
public record ServerConfig(
    String name,
    NetConfig net,
    AdminConfig admin,
    AuthConfig auth,
    LimitsConfig limits,
    RocksStoreConfig store,
    RouterConfig router,
    CatchUpConfig catchUp,
    MemoryDirectory.Config directory,
    int knownUsers,
    ShutdownConfig shutdown) {

  private static final Duration MS = Duration.ofMillis(1);
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Duration HOUR = Duration.ofHours(1);
  private static final Duration DAY = Duration.ofDays(1);
  private static final long MIB = 1L << 20;
  private static final long TIB = 1L << 40;

  /// The defaults, overridden by `file`, overridden by `set`.
  ///
  /// @throws ConfigProblem with one line, when a key or value is wrong
  public static ServerConfig load(@Nullable Path file, Map<String, String> set) {
    Settings from = Settings.load(file, set);
    NetConfig net = net(from);
    return new ServerConfig(
        from.text("name"),
        net,
        admin(from),
        auth(from, net),
        limits(from),
        store(from),
        router(from),
        new CatchUpConfig(
            from.number("catch-up.backlog-max", 1, 10_000_000),
            from.number("catch-up.chats-max", 1, 65_536),
            from.number("catch-up.piece-entries", 1, 10_000),
            from.number("catch-up.page-entries", 1, 10_000),
            (int) from.bytes("catch-up.page-bytes", 1024, 16 * MIB)),
        new MemoryDirectory.Config(
            from.number("directory.news-per-device-max", 1, 1_000_000),
            from.number("directory.absent-users-max", 1, 100_000_000),
            from.number("directory.news-max", 1, 100_000_000)),
        from.powerOfTwo("known-users", 1024, 1 << 30),
        shutdown(from));
  }

  private static NetConfig net(Settings from) {
    List<InetSocketAddress> listen = from.addresses("net.listen");
    String plain = from.word("net.plain-tcp", List.of("loopback-only", "anywhere"));
    if (plain.equals("loopback-only")) {
      for (InetSocketAddress address : listen) {
        if (!address.getAddress().isLoopbackAddress()) {
          throw ConfigProblem.of(
              "net.listen",
              address,
              "on loopback, because it is plain TCP; or set net.plain-tcp = anywhere");
        }
      }
    }
    var transport =
        Transport.valueOf(
            from.word("net.transport", List.of("auto", "epoll", "nio", "io_uring"))
                .toUpperCase(Locale.ROOT));
    String unavailable = transport.unavailable();
    if (!unavailable.isEmpty()) {
      throw ConfigProblem.of(
          "net.transport",
          transport.name().toLowerCase(Locale.ROOT),
          "auto or nio on this machine (" + unavailable + ")");
    }
    int loops = from.number("net.loops", 0, 256);
    return new NetConfig(
        listen,
        transport,
        loops == 0 ? Math.max(1, cores() / 2) : loops,
        from.number("net.backlog", 1, 65_535));
  }

  private static AdminConfig admin(Settings from) {
    InetSocketAddress listen = from.address("admin.listen");
    if (!listen.getAddress().isLoopbackAddress()) {
      throw ConfigProblem.of("admin.listen", listen, "on loopback");
    }
    return new AdminConfig(
        listen,
        from.duration("admin.probe-timeout", Duration.ofMillis(50), Duration.ofSeconds(25)));
  }

  private static AuthConfig auth(Settings from, NetConfig net) {
    String issuer = from.word("auth.development-issuer", List.of("auto", "off", "accept-anywhere"));
    Map<String, Path> keys = from.files("auth.keys");
    boolean onlyLoopback =
        net.listen().stream().allMatch(address -> address.getAddress().isLoopbackAddress());
    boolean development =
        issuer.equals("accept-anywhere") || (issuer.equals("auto") && onlyLoopback);
    if (!development && keys.isEmpty()) {
      throw ConfigProblem.of(
          "auth.development-issuer",
          issuer,
          "accept-anywhere (anyone who can connect can be anyone), or auth.keys must name an"
              + " issuer's key: as it is nobody could log in");
    }
    return new AuthConfig(
        development,
        keys,
        from.duration("auth.resume-lifetime", SECOND, Duration.ofDays(365)),
        from.number("auth.threads", 1, 256),
        from.number("auth.queue", 1, 1_000_000));
  }

  private static LimitsConfig limits(Settings from) {
    return new LimitsConfig(
        from.number("limits.connections-max", 1, 10_000_000),
        from.number("limits.unauthenticated-per-ip-max", 1, 1_000_000),
        from.number("limits.failures-per-minute-max", 1, 1_000_000),
        from.flag("limits.loopback-exempt"),
        from.duration("limits.hello-timeout", Duration.ofMillis(100), HOUR),
        from.duration("limits.frame-timeout", Duration.ofMillis(100), HOUR),
        from.duration("limits.stall-timeout", Duration.ofMillis(100), HOUR),
        from.duration("limits.ping", Duration.ofSeconds(5), Duration.ofSeconds(1200)),
        from.number("limits.send.rate", 0, 1_000_000),
        from.number("limits.send.burst", 1, 1_000_000),
        from.number("limits.send.in-flight", 1, 65_536),
        from.number("limits.cheap.rate", 0, 1_000_000),
        from.number("limits.cheap.burst", 1, 1_000_000),
        from.number("limits.window.entries", 1, 65_536),
        (int) from.bytes("limits.window.bytes", 32 * 1024, 64 * MIB));
  }

  private static RocksStoreConfig store(Settings from) {
    return new RocksStoreConfig(
        Path.of(from.text("data")),
        from.number("store.shards", 0, RocksStoreConfig.SHARDS_MAX),
        from.bytes("store.block-cache", MIB, TIB),
        from.bytes("store.write-buffer", MIB, TIB),
        from.bytes("store.wal-max", MIB, TIB),
        from.number("store.open-files-max", 64, 10_000_000),
        from.number("store.hot-chats-max", 1, 100_000_000),
        from.number("store.hot-members-max", 1, 1_000_000_000),
        from.number("limits.group-members-max", 1, Limits.GROUP_MEMBERS_MAX),
        from.duration("limits.edit-window", Duration.ZERO, Duration.ofDays(3650)),
        from.duration("limits.revoke-window", Duration.ZERO, Duration.ofDays(3650)),
        from.bytes("store.disk-reserve", 0, TIB));
  }

  private static RouterConfig router(Settings from) {
    int ringEvents = from.powerOfTwo("router.ring-events", 2, 1 << 20);
    int readers = from.number("router.readers", 0, 1024);
    Duration ackWatch = from.duration("router.ack-watch", Duration.ofMillis(2), DAY);
    return new RouterConfig(
        ringEvents,
        from.bytes("router.ring-bytes", MIB, TIB),
        from.number("router.batch-events", 1, ringEvents),
        (int) from.bytes("router.batch-bytes", 4096, 64 * MIB),
        readers == 0 ? cores() : readers,
        from.number("router.readers-queue", 1, 1_000_000),
        new DispatchConfig(
            ackWatch,
            from.duration("router.nudge-after", MS, ackWatch.minus(MS)),
            from.number("router.watched-max", 1, 1 << 24),
            from.duration("router.retry", MS, DAY)));
  }

  private static ShutdownConfig shutdown(Settings from) {
    Duration spreadMin = from.duration("shutdown.spread-min", Duration.ZERO, HOUR);
    return new ShutdownConfig(
        from.duration("shutdown.timeout", Duration.ofMillis(100), HOUR),
        spreadMin,
        from.duration("shutdown.spread-max", spreadMin, HOUR));
  }

  private static int cores() {
    return Runtime.getRuntime().availableProcessors();
  }
}

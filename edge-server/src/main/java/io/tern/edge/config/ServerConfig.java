package io.tern.edge.config;

import io.tern.accounts.AccountsConfig;
import io.tern.accounts.Secret;
import io.tern.accounts.sms.WebhookSms;
import io.tern.accounts.sms.smpp.SmppSms;
import io.tern.edge.logging.LogFormat;
import io.tern.protocol.Limits;
import io.tern.router.DispatchConfig;
import io.tern.router.RouterConfig;
import io.tern.router.catchup.CatchUpConfig;
import io.tern.router.directory.MemoryDirectory;
import io.tern.store.rocks.RocksStoreConfig;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Everything a server is told before it starts; `reference.conf` beside this class says what each
/// key means. Immutable, and valid once made.
public record ServerConfig(
    String name,
    NetConfig net,
    TlsConfig tls,
    AdminConfig admin,
    AuthConfig auth,
    TokensConfig tokens,
    HttpConfig http,
    AccountsConfig accounts,
    SmsConfig sms,
    NetworksConfig networks,
    LimitsConfig limits,
    TurnsConfig turns,
    BudgetsConfig budgets,
    RocksStoreConfig store,
    RouterConfig router,
    CatchUpConfig catchUp,
    MemoryDirectory.Config directory,
    int knownUsers,
    int traceSteps,
    DrainConfig drain,
    ShutdownConfig shutdown,
    LogConfig log) {

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
    HttpConfig http = http(from);
    return new ServerConfig(
        from.text("name"),
        net,
        tls(from),
        admin(from),
        auth(from, net, http),
        tokens(from),
        http,
        accounts(from),
        sms(from, http),
        new NetworksConfig(
            from.fileOrNone("accounts.networks.file"),
            from.duration("accounts.networks.reload", Duration.ofMillis(100), DAY)),
        limits(from),
        turns(from),
        budgets(from),
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
        from.number("trace.steps", 0, 1 << 24),
        drain(from),
        shutdown(from),
        new LogConfig(
            LogFormat.valueOf(
                from.word("log.format", List.of("text", "json")).toUpperCase(Locale.ROOT))));
  }

  private static NetConfig net(Settings from) {
    List<InetSocketAddress> listen = from.addressesOrNone("net.listen");
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
    var net =
        new NetConfig(
            listen,
            from.addressesOrNone("net.tls.listen"),
            webSocket(from),
            proxy(from),
            from.duration("net.door-timeout", Duration.ofMillis(100), HOUR),
            transport,
            loops == 0 ? Math.max(1, cores() / 2) : loops,
            from.number("net.backlog", 1, 65_535));
    if (net.everyListen().findAny().isEmpty()) {
      throw ConfigProblem.of(
          "net.listen",
          "[]",
          "at least one HOST:PORT, or net.tls.listen or net.websocket.listen must have one");
    }
    return net;
  }

  private static WebSocketConfig webSocket(Settings from) {
    String path = from.text("net.websocket.path");
    if (!path.startsWith("/") || !path.matches("[A-Za-z0-9/._~-]{1,128}")) {
      throw ConfigProblem.of("net.websocket.path", path, "a path such as /v1/websocket");
    }
    var origins = from.words("net.websocket.origins");
    for (String origin : origins) {
      if (!origin.matches("(https?|[a-z][a-z0-9+.-]{0,30})://[a-z0-9.-]{1,253}(:[0-9]{1,5})?")) {
        throw ConfigProblem.of(
            "net.websocket.origins",
            origin,
            "as browsers write it: https://app.example.org, in lower case, without a path");
      }
    }
    return new WebSocketConfig(
        from.addressesOrNone("net.websocket.listen"),
        WebSocketConfig.Tls.valueOf(
            from.word("net.websocket.tls", List.of("auto", "always", "never"))
                .toUpperCase(Locale.ROOT)),
        path,
        Set.copyOf(origins));
  }

  private static ProxyConfig proxy(Settings from) {
    var listeners = EnumSet.noneOf(ProxyConfig.Listener.class);
    for (String word : from.words("net.proxy.listeners")) {
      switch (word) {
        case "plain" -> listeners.add(ProxyConfig.Listener.PLAIN);
        case "tls" -> listeners.add(ProxyConfig.Listener.TLS);
        case "websocket" -> listeners.add(ProxyConfig.Listener.WEBSOCKET);
        default ->
            throw ConfigProblem.of("net.proxy.listeners", word, "of plain, tls and websocket");
      }
    }
    List<ProxyConfig.Network> networks = from.networks("net.proxy.from");
    if (!listeners.isEmpty() && networks.isEmpty()) {
      throw ConfigProblem.of(
          "net.proxy.from", "[]", "the addresses of the proxies that net.proxy.listeners expects");
    }
    return new ProxyConfig(listeners, networks);
  }

  private static TlsConfig tls(Settings from) {
    Path certificate = from.fileOrNone("tls.certificate");
    Path key = from.fileOrNone("tls.key");
    if ((certificate == null) != (key == null)) {
      throw ConfigProblem.of(
          certificate == null ? "tls.certificate" : "tls.key",
          "\"\"",
          "a readable PEM file, for the other one of the two is set");
    }
    return new TlsConfig(
        certificate,
        key,
        from.duration("tls.reload", Duration.ofMillis(100), DAY),
        TlsConfig.Provider.valueOf(
            from.word("tls.provider", List.of("auto", "boringssl", "jdk"))
                .toUpperCase(Locale.ROOT)));
  }

  private static AdminConfig admin(Settings from) {
    InetSocketAddress listen = from.address("admin.listen");
    String plain = from.word("admin.plain", List.of("loopback-only", "anywhere"));
    boolean tls = from.flag("admin.tls");
    if (!tls && plain.equals("loopback-only") && !listen.getAddress().isLoopbackAddress()) {
      throw ConfigProblem.of(
          "admin.listen",
          listen,
          "on loopback, because it is plain HTTP; or set admin.tls = true, or admin.plain ="
              + " anywhere");
    }
    return new AdminConfig(
        listen,
        tls,
        from.duration("admin.probe-timeout", Duration.ofMillis(50), Duration.ofSeconds(25)),
        rate(from, "admin.rate"),
        from.number("admin.wrong-per-minute", 1, 1_000_000),
        from.flag("admin.audit.looks"),
        from.bytes("admin.audit.file-max", 4096, 1024 * MIB),
        from.number("admin.audit.files-max", 2, 10_000));
  }

  private static AuthConfig auth(Settings from, NetConfig net, HttpConfig http) {
    String issuer = from.word("auth.development-issuer", List.of("auto", "off", "accept-anywhere"));
    Map<String, Path> keys = from.files("auth.keys");
    boolean onlyLoopback =
        Stream.concat(net.everyListen(), Stream.ofNullable(http.listen()))
            .allMatch(address -> address.getAddress().isLoopbackAddress());
    boolean development =
        issuer.equals("accept-anywhere") || (issuer.equals("auto") && onlyLoopback);
    if (!development && keys.isEmpty() && http.listen() == null) {
      throw ConfigProblem.of(
          "auth.development-issuer",
          issuer,
          "accept-anywhere (anyone who can connect can be anyone), or auth.keys must name an"
              + " issuer's key, or http.listen must not be off: as it is nobody could log in");
    }
    return new AuthConfig(
        development,
        keys,
        from.duration("auth.resume-lifetime", SECOND, Duration.ofDays(365)),
        from.number("auth.threads", 1, 256),
        from.number("auth.queue", 1, 1_000_000));
  }

  private static TokensConfig tokens(Settings from) {
    Duration lifetime =
        from.duration("tokens.lifetime", Duration.ofMinutes(1), Duration.ofHours(24));
    Duration rotateEvery =
        from.duration("tokens.rotate-every", Duration.ofHours(1), Duration.ofDays(3650));
    return new TokensConfig(
        lifetime,
        rotateEvery,
        from.duration("tokens.publish-ahead", Duration.ZERO, rotateEvery.dividedBy(2)));
  }

  private static HttpConfig http(Settings from) {
    InetSocketAddress listen =
        from.text("http.listen").equalsIgnoreCase("off") ? null : from.address("http.listen");
    String plain = from.word("http.plain", List.of("loopback-only", "anywhere"));
    boolean tls = from.flag("http.tls");
    if (listen != null
        && !tls
        && plain.equals("loopback-only")
        && !listen.getAddress().isLoopbackAddress()) {
      throw ConfigProblem.of(
          "http.listen",
          listen,
          "on loopback, because it is plain HTTP; or set http.tls = true, or http.plain = anywhere");
    }
    var forwardedFrom = new HashSet<InetAddress>();
    for (String text : from.texts("http.forwarded-from")) {
      forwardedFrom.add(numeric("http.forwarded-from", text));
    }
    return new HttpConfig(
        listen,
        tls,
        forwardedFrom,
        from.number("http.connections-max", 1, 1_000_000),
        from.number("http.connections-per-address-max", 1, 1_000_000),
        from.number("http.requests-max", 1, 100_000),
        (int) from.bytes("http.body-max", 4096, 16 * MIB),
        (int) from.bytes("http.head-max", 1024, MIB),
        from.duration("http.head-timeout", Duration.ofMillis(100), HOUR),
        from.duration("http.body-timeout", Duration.ofMillis(100), HOUR),
        from.duration("http.request-timeout", Duration.ofMillis(100), HOUR),
        from.duration("http.export-timeout", SECOND, DAY),
        from.duration("http.idle-timeout", SECOND, HOUR),
        from.duration("http.connection-age-max", SECOND, DAY),
        rate(from, "http.rate.address"),
        rate(from, "http.rate.device"),
        rate(from, "http.rate.account"));
  }

  private static HttpConfig.Rate rate(Settings from, String key) {
    return new HttpConfig.Rate(
        from.number(key + ".rate", 0, 1_000_000), from.number(key + ".burst", 1, 1_000_000));
  }

  /// No look-up of names: who is believed must not depend on one.
  private static InetAddress numeric(String key, String text) {
    try {
      return InetAddress.ofLiteral(text);
    } catch (IllegalArgumentException e) {
      throw ConfigProblem.of(key, text, "IP addresses");
    }
  }

  private static AccountsConfig accounts(Settings from) {
    int lookupsMax = from.number("accounts.lookups.max", 1, 100_000);
    var regions = new HashSet<String>();
    for (String region : from.texts("accounts.regions")) {
      if (!region.matches("[A-Z]{2}|001")) {
        throw ConfigProblem.of(
            "accounts.regions", region, "codes of countries, as DE, or 001; [] for all");
      }
      regions.add(region);
    }
    return new AccountsConfig(
        regions,
        from.duration("accounts.code-life", Duration.ofMinutes(1), Duration.ofMinutes(10)),
        from.number("accounts.code-tries", 1, 5),
        from.duration("accounts.resend-after", SECOND, DAY),
        from.number("accounts.sms.per-number", 1, 20),
        new AccountsConfig.SmsBudget(
            from.number("accounts.sms.per-address", 1, 1_000_000),
            from.number("accounts.sms.per-network", 1, 1_000_000),
            from.number("accounts.sms.per-system", 1, 1_000_000),
            from.number("accounts.sms.per-block", 1, 1_000_000),
            from.number("accounts.sms.per-prefix", 1, 1_000_000),
            from.number("accounts.sms.per-verified", 0, 100),
            from.number("accounts.sms.wrong-per-address", 1, 1_000_000),
            from.number("accounts.sms.per-day", 1, 100_000_000),
            from.number("accounts.sms.proof.bits", 0, 26)),
        from.duration("accounts.pin-idle", DAY, Duration.ofDays(365)),
        from.duration("accounts.link-life", Duration.ofMinutes(1), Duration.ofMinutes(5)),
        lookupsMax,
        from.number("accounts.lookups.per-day", 1, 100_000),
        from.number("accounts.lookups.young", 0, lookupsMax),
        from.duration("accounts.username-hold", Duration.ZERO, Duration.ofDays(365)),
        from.flag("accounts.search"));
  }

  private static SmsConfig sms(Settings from, HttpConfig http) {
    String provider =
        from.word(
            "accounts.sms.provider", List.of("console", "console-anywhere", "webhook", "smpp"));
    Duration timeout =
        from.duration("accounts.sms.timeout", Duration.ofMillis(100), Duration.ofMinutes(1));
    return switch (provider) {
      case "webhook" ->
          new SmsConfig.Webhook(
              url("accounts.sms.webhook.url", from.text("accounts.sms.webhook.url")),
              new Secret(from.secretIn("accounts.sms.webhook.bearer-file")),
              timeout);
      case "smpp" -> smpp(from, timeout);
      default -> {
        InetSocketAddress listen = http.listen();
        if (provider.equals("console")
            && listen != null
            && !listen.getAddress().isLoopbackAddress()) {
          throw ConfigProblem.of(
              "accounts.sms.provider",
              provider,
              "webhook or smpp, because http.listen is not on loopback; or console-anywhere, with"
                  + " which nobody gets a code but from who reads this server's output");
        }
        yield new SmsConfig.Console();
      }
    };
  }

  /// The bounds are those of SMPP's fields.
  private static SmsConfig smpp(Settings from, Duration timeout) {
    var password = new Secret(from.secretIn("accounts.sms.smpp.password-file"));
    if (password.reveal().length() > 8) {
      throw ConfigProblem.of(
          "accounts.sms.smpp.password-file",
          from.textOrEmpty("accounts.sms.smpp.password-file"),
          "a file with a password of at most 8 characters");
    }
    String source = from.text("accounts.sms.smpp.source");
    if (!source.matches("\\+?[0-9]{1,15}|[A-Za-z0-9 ]{1,11}")) {
      throw ConfigProblem.of(
          "accounts.sms.smpp.source", source, "a number, or at most 11 letters and digits");
    }
    return new SmsConfig.Smpp(
        from.text("accounts.sms.smpp.host"),
        from.number("accounts.sms.smpp.port", 1, 65_535),
        smppSecurity(from),
        shortText(from, "accounts.sms.smpp.system-id", 15),
        password,
        shortText(from, "accounts.sms.smpp.system-type", 12),
        source,
        timeout);
  }

  private static SmppSms.Security smppSecurity(Settings from) {
    if (!from.flag("accounts.sms.smpp.tls")) {
      return new SmppSms.Security.Plain();
    }
    String key = "accounts.sms.smpp.authorities";
    String file = from.textOrEmpty(key);
    try {
      return new SmppSms.Security.Tls(file.isEmpty() ? null : from.path(key));
    } catch (IllegalArgumentException e) {
      throw ConfigProblem.of(key, file, "a PEM file with certificates");
    }
  }

  private static String shortText(Settings from, String key, int charactersMax) {
    String text = from.textOrEmpty(key);
    if (text.length() > charactersMax) {
      throw ConfigProblem.of(key, text, "at most " + charactersMax + " characters");
    }
    return text;
  }

  private static URI url(String key, String text) {
    try {
      URI url = new URI(text);
      // The rules of where codes may go are the sender's own.
      var _ = new WebhookSms.Config(url, "", SECOND);
      return url;
    } catch (URISyntaxException | IllegalArgumentException e) {
      throw ConfigProblem.of(
          key, text, "https://HOST/… (http only on loopback), without a password");
    }
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

  private static BudgetsConfig budgets(Settings from) {
    var budgets =
        new BudgetsConfig(
            from.number("budgets.connections-per-ip-max", 0, 10_000_000),
            from.number("budgets.unauthenticated-per-network-max", 0, 10_000_000),
            from.number("budgets.connects-per-ip-per-minute", 0, 1_000_000),
            from.number("budgets.logins-per-device-per-minute", 0, 1_000_000),
            from.number("budgets.sends-per-account-per-minute", 0, 1_000_000),
            from.number("budgets.sends-per-chat-per-minute", 0, 1_000_000),
            from.number("budgets.strangers-per-hour", 0, 1_000_000),
            from.number("budgets.strangers-per-day", 0, 1_000_000),
            from.number("budgets.keys-max", 1024, 10_000_000));
    return from.number("limits.send.rate", 0, 1_000_000) == 0 ? budgets.withoutSends() : budgets;
  }

  private static TurnsConfig turns(Settings from) {
    int rateMin = from.number("turns.rate-min", 1, 1_000_000);
    return new TurnsConfig(
        from.duration("turns.delay-target", MS, Duration.ofSeconds(10)),
        rateMin,
        from.number("turns.rate-max", rateMin, 1_000_000),
        from.number("turns.under-way-max", 1, 65_536),
        from.number("turns.waiting-max", 1, 10_000_000),
        from.duration("turns.wait-max", MS, Duration.ofMinutes(1)),
        from.duration("turns.handshake-wait-max", MS, Duration.ofMinutes(2)));
  }

  private static RocksStoreConfig store(Settings from) {
    return new RocksStoreConfig(
        from.path("data"),
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

  private static DrainConfig drain(Settings from) {
    return new DrainConfig(
        from.duration("drain.over", Duration.ZERO, DrainConfig.OVER_MAX),
        from.number("drain.rate-max", 1, 1_000_000),
        from.duration("drain.grace", Duration.ZERO, DrainConfig.GRACE_MAX));
  }

  private static ShutdownConfig shutdown(Settings from) {
    Duration spreadMin = from.duration("shutdown.spread-min", Duration.ZERO, HOUR);
    return new ShutdownConfig(
        from.duration("shutdown.drain", Duration.ZERO, HOUR),
        from.duration("shutdown.timeout", Duration.ofMillis(100), HOUR),
        spreadMin,
        from.duration("shutdown.spread-max", spreadMin, HOUR));
  }

  private static int cores() {
    return Runtime.getRuntime().availableProcessors();
  }
}

package io.tern.edge.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import io.tern.accounts.AccountsConfig;
import io.tern.edge.logging.LogFormat;
import io.tern.edge.metrics.Counters;
import io.tern.edge.tls.Certificates;
import io.tern.edge.token.TokenKeys;
import io.tern.router.RouterConfig;
import io.tern.router.catchup.CatchUpConfig;
import io.tern.router.directory.MemoryDirectory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Clock;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ServerConfigTest {

  @TempDir Path folder;

  @Test
  void theDefaultsAreThoseOfTheDesign() {
    ServerConfig config = ServerConfig.load(null, Map.of());

    assertThat(config.name()).isEqualTo("tern");
    assertThat(config.net().listen().getFirst().getPort()).isEqualTo(7420);
    assertThat(config.net().listen().getFirst().getAddress().isLoopbackAddress()).isTrue();
    assertThat(config.net().transport()).isEqualTo(Transport.AUTO);
    assertThat(config.net().loops()).isPositive();
    assertThat(config.net().everyListen()).hasSize(1);
    assertThat(config.net().needsTls()).isFalse();
    assertThat(config.net().doorTimeout()).isEqualTo(Duration.ofSeconds(5));
    assertThat(config.net().webSocket().tls()).isEqualTo(WebSocketConfig.Tls.AUTO);
    assertThat(config.net().webSocket().path()).isEqualTo("/v1/websocket");
    assertThat(config.net().webSocket().origins()).isEmpty();
    assertThat(config.net().proxy()).isEqualTo(ProxyConfig.NONE);
    assertThat(config.tls())
        .isEqualTo(new TlsConfig(null, null, Duration.ofSeconds(10), TlsConfig.Provider.AUTO));
    assertThat(config.admin())
        .isEqualTo(
            new AdminConfig(
                new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 7421),
                false,
                Duration.ofSeconds(3),
                new HttpConfig.Rate(20, 100),
                10,
                true,
                16 << 20,
                16));
    assertThat(config.auth().acceptDevelopment()).isTrue();
    assertThat(config.tokens())
        .isEqualTo(
            new TokensConfig(Duration.ofMinutes(15), Duration.ofDays(30), Duration.ofMinutes(10)));
    assertThat(config.http())
        .isEqualTo(
            new HttpConfig(
                new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 7422),
                false,
                Set.of(),
                10_000,
                64,
                256,
                64 * 1024,
                8 * 1024,
                Duration.ofSeconds(5),
                Duration.ofSeconds(5),
                Duration.ofSeconds(20),
                Duration.ofMinutes(10),
                Duration.ofSeconds(60),
                Duration.ofHours(1),
                new HttpConfig.Rate(20, 100),
                new HttpConfig.Rate(5, 50),
                new HttpConfig.Rate(10, 100)));
    assertThat(config.accounts()).isEqualTo(AccountsConfig.DEFAULTS);
    assertThat(config.sms()).isEqualTo(new SmsConfig.Console());
    assertThat(config.networks()).isEqualTo(new NetworksConfig(null, Duration.ofSeconds(10)));
    assertThat(config.limits())
        .isEqualTo(
            new LimitsConfig(
                100_000,
                64,
                10,
                true,
                Duration.ofSeconds(5),
                Duration.ofSeconds(10),
                Duration.ofSeconds(30),
                Duration.ofSeconds(240),
                10,
                40,
                32,
                20,
                60,
                1_024,
                256 * 1024));
    assertThat(config.budgets())
        .isEqualTo(new BudgetsConfig(4096, 512, 1200, 60, 1200, 3000, 60, 300, 100_000));
    assertThat(config.turns())
        .isEqualTo(
            new TurnsConfig(
                Duration.ofMillis(2),
                500,
                10_000,
                32,
                20_000,
                Duration.ofSeconds(8),
                Duration.ofSeconds(28)));
    assertThat(config.router()).isEqualTo(RouterConfig.DEFAULT);
    assertThat(config.catchUp()).isEqualTo(CatchUpConfig.DEFAULT);
    assertThat(config.directory()).isEqualTo(MemoryDirectory.Config.DEFAULT);
    assertThat(config.store().data()).isEqualTo(Path.of("tern-data"));
    assertThat(config.drain()).isEqualTo(DrainConfig.DEFAULT);
    assertThat(config.shutdown().drain()).isZero();
    assertThat(config.log()).isEqualTo(new LogConfig(LogFormat.TEXT));
  }

  /// The certificate of somebody whom the JDK trusts.
  private Path authority() throws IOException {
    try {
      var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      managers.init((KeyStore) null);
      var trusts = (X509TrustManager) managers.getTrustManagers()[0];
      return Files.writeString(
          folder.resolve("authority.pem"),
          "-----BEGIN CERTIFICATE-----\n"
              + Base64.getMimeEncoder().encodeToString(trusts.getAcceptedIssuers()[0].getEncoded())
              + "\n-----END CERTIFICATE-----\n");
    } catch (GeneralSecurityException e) {
      throw new IOException(e);
    }
  }

  /// For each key another value than its default, and nothing else that it needs.
  private Map<String, String> others() throws IOException {
    Path key = folder.resolve("key.pem");
    Files.writeString(key, "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n");
    Path password = folder.resolve("password");
    Files.writeString(password, "secret\n");
    return Map.ofEntries(
        Map.entry("data", "elsewhere"),
        Map.entry("name", "edge-7"),
        Map.entry("net.listen", "127.0.0.1:0"),
        Map.entry("net.plain-tcp", "anywhere"),
        Map.entry("net.tls.listen", "127.0.0.1:0"),
        Map.entry("net.websocket.listen", "127.0.0.1:0"),
        Map.entry("net.websocket.tls", "always"),
        Map.entry("net.websocket.path", "/chat"),
        Map.entry("net.websocket.origins", "https://app.example.org"),
        Map.entry("net.proxy.listeners", "tls, websocket"),
        Map.entry("net.proxy.from", "10.0.0.0/8, ::1"),
        Map.entry("net.door-timeout", "4 s"),
        Map.entry("tls.certificate", '"' + key.toString() + '"'),
        Map.entry("tls.key", '"' + key.toString() + '"'),
        Map.entry("tls.reload", "1 s"),
        Map.entry("tls.provider", "jdk"),
        Map.entry("net.transport", "nio"),
        Map.entry("net.loops", "7"),
        Map.entry("net.backlog", "99"),
        Map.entry("admin.listen", "[::1]:0"),
        Map.entry("admin.plain", "anywhere"),
        Map.entry("admin.tls", "true"),
        Map.entry("admin.probe-timeout", "1 s"),
        Map.entry("admin.rate.rate", "1"),
        Map.entry("admin.rate.burst", "2"),
        Map.entry("admin.wrong-per-minute", "3"),
        Map.entry("admin.audit.looks", "false"),
        Map.entry("admin.audit.file-max", "1 MiB"),
        Map.entry("admin.audit.files-max", "4"),
        Map.entry("auth.development-issuer", "off"),
        Map.entry("auth.keys.one", '"' + key.toString() + '"'),
        Map.entry("auth.resume-lifetime", "1 h"),
        Map.entry("auth.threads", "3"),
        Map.entry("auth.queue", "100"),
        Map.entry("tokens.lifetime", "5 m"),
        Map.entry("tokens.rotate-every", "10 d"),
        Map.entry("tokens.publish-ahead", "1 m"),
        Map.entry("http.listen", "127.0.0.1:0"),
        Map.entry("http.plain", "anywhere"),
        Map.entry("http.tls", "true"),
        Map.entry("http.forwarded-from", "[\"10.0.0.1\"]"),
        Map.entry("http.connections-max", "11"),
        Map.entry("http.connections-per-address-max", "12"),
        Map.entry("http.requests-max", "13"),
        Map.entry("http.body-max", "8 KiB"),
        Map.entry("http.head-max", "4 KiB"),
        Map.entry("http.head-timeout", "1 s"),
        Map.entry("http.body-timeout", "6 s"),
        Map.entry("http.request-timeout", "2 s"),
        Map.entry("http.export-timeout", "3 s"),
        Map.entry("http.idle-timeout", "4 s"),
        Map.entry("http.connection-age-max", "5 s"),
        Map.entry("http.rate.address.rate", "1"),
        Map.entry("http.rate.address.burst", "2"),
        Map.entry("http.rate.device.rate", "3"),
        Map.entry("http.rate.device.burst", "4"),
        Map.entry("http.rate.account.rate", "5"),
        Map.entry("http.rate.account.burst", "6"),
        Map.entry("accounts.regions", "[DE, 001]"),
        Map.entry("accounts.code-life", "5 m"),
        Map.entry("accounts.code-tries", "3"),
        Map.entry("accounts.resend-after", "2 m"),
        Map.entry("accounts.sms.provider", "webhook"),
        Map.entry("accounts.sms.timeout", "5 s"),
        Map.entry("accounts.sms.webhook.url", "\"https://sms.example/send\""),
        Map.entry("accounts.sms.webhook.bearer-file", '"' + key.toString() + '"'),
        Map.entry("accounts.sms.smpp.host", "smsc.example"),
        Map.entry("accounts.sms.smpp.port", "2776"),
        Map.entry("accounts.sms.smpp.tls", "false"),
        Map.entry("accounts.sms.smpp.authorities", '"' + authority().toString() + '"'),
        Map.entry("accounts.sms.smpp.system-id", "tern"),
        Map.entry("accounts.sms.smpp.password-file", '"' + password.toString() + '"'),
        Map.entry("accounts.sms.smpp.system-type", "x"),
        Map.entry("accounts.sms.smpp.source", "Other"),
        Map.entry("accounts.sms.per-number", "4"),
        Map.entry("accounts.sms.per-address", "5"),
        Map.entry("accounts.sms.per-network", "6"),
        Map.entry("accounts.sms.per-system", "300"),
        Map.entry("accounts.sms.per-block", "7"),
        Map.entry("accounts.sms.per-prefix", "8"),
        Map.entry("accounts.sms.per-verified", "9"),
        Map.entry("accounts.sms.wrong-per-address", "10"),
        Map.entry("accounts.sms.per-day", "11"),
        Map.entry("accounts.sms.proof.bits", "12"),
        Map.entry("accounts.networks.file", '"' + key.toString() + '"'),
        Map.entry("accounts.networks.reload", "1 h"),
        Map.entry("accounts.pin-idle", "8 d"),
        Map.entry("accounts.link-life", "2 m"),
        Map.entry("accounts.lookups.max", "900"),
        Map.entry("accounts.lookups.per-day", "90"),
        Map.entry("accounts.lookups.young", "80"),
        Map.entry("accounts.username-hold", "1 d"),
        Map.entry("accounts.search", "true"),
        Map.entry("limits.connections-max", "5"),
        Map.entry("limits.unauthenticated-per-ip-max", "6"),
        Map.entry("limits.failures-per-minute-max", "7"),
        Map.entry("limits.loopback-exempt", "false"),
        Map.entry("limits.hello-timeout", "6 s"),
        Map.entry("limits.frame-timeout", "11 s"),
        Map.entry("limits.stall-timeout", "31 s"),
        Map.entry("limits.ping", "30 s"),
        Map.entry("limits.send.rate", "0"),
        Map.entry("limits.send.burst", "41"),
        Map.entry("limits.send.in-flight", "33"),
        Map.entry("limits.cheap.rate", "21"),
        Map.entry("limits.cheap.burst", "61"),
        Map.entry("limits.window.entries", "128"),
        Map.entry("limits.window.bytes", "128 KiB"),
        Map.entry("store.shards", "3"),
        Map.entry("store.block-cache", "9 MiB"),
        Map.entry("store.write-buffer", "10 MiB"),
        Map.entry("store.wal-max", "11 MiB"),
        Map.entry("store.open-files-max", "512"),
        Map.entry("store.hot-chats-max", "1000"),
        Map.entry("store.hot-members-max", "100"),
        Map.entry("limits.group-members-max", "500"),
        Map.entry("limits.edit-window", "1 h"),
        Map.entry("limits.revoke-window", "1 h"),
        Map.entry("store.disk-reserve", "2 GiB"),
        Map.entry("router.ring-events", "4096"),
        Map.entry("router.ring-bytes", "32 MiB"),
        Map.entry("router.batch-events", "512"),
        Map.entry("router.batch-bytes", "256 KiB"),
        Map.entry("router.readers", "9"),
        Map.entry("router.readers-queue", "100"),
        Map.entry("router.ack-watch", "20 s"),
        Map.entry("router.nudge-after", "4 s"),
        Map.entry("router.watched-max", "1000"),
        Map.entry("router.retry", "6 s"),
        Map.entry("budgets.connections-per-ip-max", "11"),
        Map.entry("budgets.unauthenticated-per-network-max", "12"),
        Map.entry("budgets.connects-per-ip-per-minute", "13"),
        Map.entry("budgets.logins-per-device-per-minute", "14"),
        Map.entry("budgets.sends-per-account-per-minute", "15"),
        Map.entry("budgets.sends-per-chat-per-minute", "16"),
        Map.entry("budgets.strangers-per-hour", "17"),
        Map.entry("budgets.strangers-per-day", "18"),
        Map.entry("budgets.keys-max", "2000"),
        Map.entry("turns.delay-target", "7 ms"),
        Map.entry("turns.rate-min", "20"),
        Map.entry("turns.rate-max", "3000"),
        Map.entry("turns.under-way-max", "5"),
        Map.entry("turns.waiting-max", "50"),
        Map.entry("turns.wait-max", "3 s"),
        Map.entry("turns.handshake-wait-max", "4 s"),
        Map.entry("catch-up.backlog-max", "500"),
        Map.entry("catch-up.chats-max", "64"),
        Map.entry("catch-up.piece-entries", "16"),
        Map.entry("catch-up.page-entries", "64"),
        Map.entry("catch-up.page-bytes", "64 KiB"),
        Map.entry("directory.news-per-device-max", "64"),
        Map.entry("directory.absent-users-max", "1000"),
        Map.entry("directory.news-max", "5000"),
        Map.entry("known-users", "65536"),
        Map.entry("trace.steps", "1024"),
        Map.entry("log.format", "json"),
        Map.entry("drain.over", "10 s"),
        Map.entry("drain.rate-max", "100"),
        Map.entry("drain.grace", "2 s"),
        Map.entry("shutdown.drain", "3 s"),
        Map.entry("shutdown.timeout", "5 s"),
        Map.entry("shutdown.spread-min", "1 s"),
        Map.entry("shutdown.spread-max", "9 s"));
  }

  @Test
  void everyKeyCanBeSetAndChangesSomething() throws IOException {
    ServerConfig defaults = ServerConfig.load(null, Map.of());
    Map<String, String> others = others();
    var keys = new TreeSet<String>();
    ConfigFactory.parseResources(ServerConfig.class, "reference.conf")
        .entrySet()
        .forEach(entry -> keys.add(entry.getKey()));
    keys.add("auth.keys.one");
    assertThat(others.keySet()).as("a value for every key of reference.conf").isEqualTo(keys);

    for (var other : others.entrySet()) {
      var set = new HashMap<String, String>();
      set.put(other.getKey(), other.getValue());
      switch (other.getKey()) {
        // Each of these is valid only beside another one, which alone changes something else.
        case "auth.development-issuer" -> set.put("auth.keys.one", others.get("auth.keys.one"));
        case "net.plain-tcp" -> {
          set.put("net.listen", "0.0.0.0:0");
          set.put("auth.development-issuer", "accept-anywhere");
        }
        case "net.proxy.listeners" -> set.put("net.proxy.from", "10.0.0.1");
        case "tls.certificate" -> set.put("tls.key", others.get("tls.key"));
        case "tls.key" -> set.put("tls.certificate", others.get("tls.certificate"));
        case "accounts.sms.provider" ->
            set.put("accounts.sms.webhook.url", others.get("accounts.sms.webhook.url"));
        default -> {}
      }
      ServerConfig beside = defaults;
      if (other.getKey().equals("admin.plain")) {
        set.put("admin.listen", "0.0.0.0:0");
        assertThat(ServerConfig.load(null, set).admin().tls()).isFalse();
        continue;
      }
      if (other.getKey().equals("http.plain")) {
        set.put("http.listen", "0.0.0.0:0");
        set.put("accounts.sms.provider", "console-anywhere");
        assertThat(ServerConfig.load(null, set).http().listen()).isNotNull();
        continue;
      }
      if (other.getKey().matches("accounts\\.sms\\.(timeout|webhook.*|smpp.*)")) {
        Map<String, String> named =
            other.getKey().contains("smpp")
                ? Map.of(
                    "accounts.sms.provider", "smpp", "accounts.sms.smpp.host", "smsc.elsewhere")
                : Map.of(
                    "accounts.sms.provider",
                    "webhook",
                    "accounts.sms.webhook.url",
                    "\"https://elsewhere.example\"");
        beside = ServerConfig.load(null, named);
        named.forEach(set::putIfAbsent);
      }
      assertThat(ServerConfig.load(null, set)).as(other.getKey()).isNotEqualTo(beside);
    }
    assertThat(ServerConfig.load(null, others).limits().sendRate()).isZero();
  }

  @Test
  void aFileOverridesTheDefaultsAndSetOverridesTheFile() throws IOException {
    Path file = folder.resolve("tern.conf");
    Files.writeString(file, "name = from-file\nlimits { send.rate = 5, cheap.rate = 6 }\n");

    ServerConfig config = ServerConfig.load(file, Map.of("limits.send.rate", "7"));

    assertThat(config.name()).isEqualTo("from-file");
    assertThat(config.limits().sendRate()).isEqualTo(7);
    assertThat(config.limits().cheapRate()).isEqualTo(6);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          limits.send.rate              | -1          | limits.send.rate = -1: must be a number, 0 to 1000000
          limits.send.rate              | fast        | limits.send.rate = fast: must be a number
          limits.hello-timeout          | 5 parsecs   | limits.hello-timeout = 5 parsecs: must be a time, 100 ms to 3600 s
          limits.window.bytes           | 1 KiB       | limits.window.bytes = 1 KiB: must be a size, 32 KiB to 64 MiB
          limits.loopback-exempt        | maybe       | limits.loopback-exempt = maybe: must be true or false
          net.transport                 | pigeon      | net.transport = pigeon: must be auto, epoll, nio, io_uring
          net.listen                    | 127.0.0.1   | net.listen = 127.0.0.1: must be HOST:PORT
          net.listen                    | 127.0.0.1:99999 | net.listen = 127.0.0.1:99999: must be HOST:PORT, port 0 to 65535
          net.listen                    | 0.0.0.0:1   | net.listen = 0.0.0.0:1: must be on loopback, because it is plain TCP
          net.plain-tcp                 | yes         | net.plain-tcp = yes: must be loopback-only, anywhere
          net.listen                    | []          | net.listen = []: must be at least one HOST:PORT, or net.tls.listen
          net.tls.listen                | nowhere     | net.tls.listen = nowhere: must be HOST:PORT
          net.websocket.listen          | 1.2.3.4     | net.websocket.listen = 1.2.3.4: must be HOST:PORT
          net.websocket.tls             | maybe       | net.websocket.tls = maybe: must be auto, always, never
          net.websocket.path            | "a?b"       | net.websocket.path = a?b: must be a path such as /v1/websocket
          net.websocket.origins         | [\"*\"]       | net.websocket.origins = *: must be as browsers write it
          net.websocket.origins         | [\"https://a/\"] | net.websocket.origins = https://a/: must be as browsers write it
          net.proxy.listeners           | smtp        | net.proxy.listeners = smtp: must be of plain, tls and websocket
          net.proxy.listeners           | tls         | net.proxy.from = []: must be the addresses of the proxies
          net.proxy.from                | example.org | net.proxy.from = example.org: must be an address or a network
          net.proxy.from                | 10.0.0.0/33 | net.proxy.from = 10.0.0.0/33: must be an address or a network
          net.door-timeout              | 0 s         | net.door-timeout = 0 s: must be a time, 100 ms to 3600 s
          tls.certificate               | /nowhere    | tls.certificate = /nowhere: must be a readable file
          tls.key                       | /etc/passwd | tls.certificate = "": must be a readable PEM file, for the other one
          tls.reload                    | 1 ms        | tls.reload = 1 ms: must be a time, 100 ms to 86400 s
          tls.provider                  | mine        | tls.provider = mine: must be auto, boringssl, jdk
          admin.listen                  | 0.0.0.0:1   | on loopback, because it is plain HTTP
          admin.plain                   | yes         | admin.plain = yes: must be loopback-only, anywhere
          admin.tls                     | 1           | admin.tls = 1: must be true or false
          admin.audit.file-max          | 1 KiB       | admin.audit.file-max = 1 KiB: must be a size, 4 KiB to
          admin.audit.files-max         | 1           | admin.audit.files-max = 1: must be a number, 2 to 10000
          admin.wrong-per-minute        | 0           | admin.wrong-per-minute = 0: must be a number, 1 to 1000000
          auth.keys.mine                | /nowhere    | auth.keys.mine = /nowhere: must be a readable file
          router.ring-events            | 1000        | router.ring-events = 1000: must be a power of two
          router.nudge-after            | 10 s        | router.nudge-after = 10 s: must be a time
          shutdown.spread-max           | 1 ms        | shutdown.spread-max = 1 ms: must be a time, 500 ms to 3600 s
          http.listen                   | 0.0.0.0:1   | on loopback, because it is plain HTTP
          http.plain                    | yes         | http.plain = yes: must be loopback-only, anywhere
          http.forwarded-from           | ["proxy"]   | http.forwarded-from = proxy: must be IP addresses
          http.body-max                 | 1 KiB       | http.body-max = 1 KiB: must be a size, 4 KiB to 16 MiB
          http.rate.device.burst        | 0           | http.rate.device.burst = 0: must be a number
          tokens.lifetime               | 1 s         | tokens.lifetime = 1 s: must be a time, 60 s to 86400 s
          tokens.publish-ahead          | 30 d        | tokens.publish-ahead = 2592000 s: must be a time, 0 s to 1296000 s
          accounts.regions              | [Germany]   | accounts.regions = Germany: must be codes of countries
          accounts.code-tries           | 6           | accounts.code-tries = 6: must be a number, 1 to 5
          accounts.sms.provider         | pigeon      | must be console, console-anywhere, webhook, smpp
          accounts.sms.provider         | webhook     | accounts.sms.webhook.url = "": must be some text
          accounts.sms.provider         | smpp        | accounts.sms.smpp.host = "": must be some text
          data                          | ""          | data = "": must be some text
          net.loops                     | 257         | net.loops = 257: must be a number, 0 to 256
          net.backlog                   | 0           | net.backlog = 0: must be a number, 1 to 65535
          net.plain-tcp                 | ""          | net.plain-tcp = : must be loopback-only, anywhere
          net.listen                    | nobody.invalid:1 | net.listen = nobody.invalid:1: must be a host that this machine can resolve
          net.websocket.path            | ws          | net.websocket.path = ws: must be a path such as /v1/websocket
          tls.key                       | /nowhere    | tls.key = /nowhere: must be a readable file
          tls.certificate               | /           | tls.certificate = /: must be a readable file
          admin.listen                  | off         | admin.listen = off: must be HOST:PORT
          admin.probe-timeout           | 1 h         | admin.probe-timeout = 3600 s: must be a time, 50 ms to 25 s
          auth.development-issuer       | on          | auth.development-issuer = on: must be auto, off, accept-anywhere
          auth.resume-lifetime          | never       | auth.resume-lifetime = never: must be a time, 1 s to 31536000 s
          auth.threads                  | 0           | auth.threads = 0: must be a number, 1 to 256
          auth.queue                    | 1.5e9       | auth.queue = 1500000000: must be a number, 1 to 1000000
          http.listen                   | 7422        | http.listen = 7422: must be HOST:PORT, port 0 to 65535
          http.tls                      | 1           | http.tls = 1: must be true or false
          http.connections-max          | 0           | http.connections-max = 0: must be a number, 1 to 1000000
          http.requests-max             | many        | http.requests-max = many: must be a number, 1 to 100000
          http.head-max                 | 2 MiB       | http.head-max = 2 MiB: must be a size, 1 KiB to 1 MiB
          http.head-timeout             | 0 s         | http.head-timeout = 0 s: must be a time, 100 ms to 3600 s
          http.request-timeout          | 10          | http.request-timeout = 10 ms: must be a time, 100 ms to 3600 s
          http.rate.address.rate        | -1          | http.rate.address.rate = -1: must be a number, 0 to 1000000
          http.forwarded-from           | ["10.0.0.0/8"] | http.forwarded-from = 10.0.0.0/8: must be IP addresses
          tokens.rotate-every           | 1 m         | tokens.rotate-every = 60 s: must be a time, 3600 s to
          accounts.code-life            | 1 h         | accounts.code-life = 3600 s: must be a time, 60 s to 600 s
          accounts.resend-after         | 0 s         | accounts.resend-after = 0 s: must be a time, 1 s to 86400 s
          accounts.link-life            | 1 h         | accounts.link-life = 3600 s: must be a time, 60 s to 300 s
          accounts.pin-idle             | 1 h         | accounts.pin-idle = 3600 s: must be a time, 86400 s to
          accounts.lookups.max          | 0           | accounts.lookups.max = 0: must be a number, 1 to 100000
          accounts.lookups.young        | 1001        | accounts.lookups.young = 1001: must be a number, 0 to 1000
          accounts.search               | perhaps     | accounts.search = perhaps: must be true or false
          accounts.sms.per-number       | 21          | accounts.sms.per-number = 21: must be a number, 1 to 20
          accounts.sms.per-day          | 0           | accounts.sms.per-day = 0: must be a number, 1 to 100000000
          accounts.sms.proof.bits       | 27          | accounts.sms.proof.bits = 27: must be a number, 0 to 26
          accounts.sms.per-system       | 0           | accounts.sms.per-system = 0: must be a number, 1 to 1000000
          accounts.networks.file        | /nowhere    | accounts.networks.file = /nowhere: must be a readable file
          accounts.networks.file        | /           | accounts.networks.file = /: must be a readable file
          accounts.networks.reload      | 10 ms       | accounts.networks.reload = 10 ms: must be a time, 100 ms to 86400 s
          accounts.sms.timeout          | 2 m         | accounts.sms.timeout = 120 s: must be a time, 100 ms to 60 s
          limits.connections-max        | 0           | limits.connections-max = 0: must be a number, 1 to 10000000
          limits.ping                   | 1 s         | limits.ping = 1 s: must be a time, 5 s to 1200 s
          limits.send.in-flight         | 100000      | limits.send.in-flight = 100000: must be a number, 1 to 65536
          limits.group-members-max      | 1025        | limits.group-members-max = 1025: must be a number, 1 to 1024
          limits.edit-window            | -1 s        | limits.edit-window = -1 s: must be a time, 0 s to
          budgets.connections-per-ip-max | -1         | budgets.connections-per-ip-max = -1: must be a number, 0 to 10000000
          budgets.logins-per-device-per-minute | lots | budgets.logins-per-device-per-minute = lots: must be a number
          budgets.strangers-per-hour    | 2000000     | budgets.strangers-per-hour = 2000000: must be a number, 0 to 1000000
          budgets.keys-max              | 10          | budgets.keys-max = 10: must be a number, 1024 to 10000000
          turns.rate-max                | 499         | turns.rate-max = 499: must be a number, 500 to 1000000
          turns.wait-max                | 2 m         | turns.wait-max = 120 s: must be a time, 1 ms to 60 s
          turns.handshake-wait-max      | 1 h         | turns.handshake-wait-max = 3600 s: must be a time, 1 ms to 120 s
          store.shards                  | -1          | store.shards = -1: must be a number, 0 to
          store.block-cache             | 1 KiB       | store.block-cache = 1 KiB: must be a size, 1 MiB to
          store.disk-reserve            | plenty      | store.disk-reserve = plenty: must be a size, 0 B to
          router.ring-bytes             | 1           | router.ring-bytes = 1: must be a size, 1 MiB to
          router.readers-queue          | 0           | router.readers-queue = 0: must be a number, 1 to 1000000
          catch-up.page-bytes           | 10 B        | catch-up.page-bytes = 10 B: must be a size, 1 KiB to 16 MiB
          directory.news-max            | 0           | directory.news-max = 0: must be a number, 1 to 100000000
          trace.steps                   | -1          | trace.steps = -1: must be a number, 0 to
          known-users                   | 1000        | known-users = 1000: must be a number, 1024 to
          known-users                   | 1025        | known-users = 1025: must be a power of two, 1024 to
          name                          | " "         | name = "": must be some text
          limits.send.rat               | 1           | no key limits.send.rat; did you mean limits.send.rate? There are limits.send.{
          http.conections-max           | 1           | no key http.conections-max; did you mean http.connections-max?
          acounts.sms.provider          | smpp        | no key acounts.sms.provider; did you mean accounts.sms.provider?
          limits.sends.rate             | 1           | no key limits.sends.rate; did you mean limits.send.rate? There are limits.{
          nonsense                      | 1           | no key nonsense; there are accounts, admin
          """)
  void aBadValueIsOneLineWithKeyValueAndWhatWouldBeValid(
      String key, String value, String expected) {
    assertThatThrownBy(() -> ServerConfig.load(null, Map.of(key, value)))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining(expected)
        .message()
        .matches("[a-z.-]+ = .*: must be .+|--set: no key [a-z.-]+; .+")
        .doesNotContain("\n");
  }

  private Path file(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text);
  }

  private void assertRefused(String key, Path value, String wanted, String... set) {
    var all = new HashMap<String, String>();
    all.put(key, '"' + value.toString() + '"');
    for (String setting : set) {
      int equals = setting.indexOf('=');
      all.put(setting.substring(0, equals), setting.substring(equals + 1));
    }
    assertThatThrownBy(
            () -> {
              ServerConfig config = ServerConfig.load(null, all);
              TokenKeys.of(config.auth());
              if (config.tls().certificate() != null) {
                Certificates.open(config.tls(), folder, new Counters(), Clock.systemUTC()).close();
              }
            })
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining(key + " = " + value + ": must be " + wanted)
        .message()
        .doesNotContain("\n", "that is no key");
  }

  @Test
  void aFileThatHoldsSomethingElseIsRefusedWithoutShowingIt() throws IOException {
    Path text = file("text", "a secret that is no key\n");
    Path empty = file("empty", "");
    String webhook = "accounts.sms.provider=webhook";
    String url = "accounts.sms.webhook.url=\"https://sms.example\"";
    String smpp = "accounts.sms.provider=smpp";
    String host = "accounts.sms.smpp.host=smsc.example";
    assertRefused("auth.keys.mine", text, "a PEM file with a P-256 public key");
    assertRefused("auth.keys.mine", empty, "a PEM file with a P-256 public key");
    assertRefused("tls.certificate", text, "a PEM file with X.509 certificates", "tls.key=" + text);
    assertRefused("tls.certificate", empty, "a PEM file", "tls.key=" + empty);
    String bearer = "accounts.sms.webhook.bearer-file";
    String wanted = "a readable file with the secret as its first line";
    assertRefused(bearer, empty, wanted, webhook, url);
    assertRefused(bearer, folder.resolve("none"), wanted, webhook, url);
    assertRefused(bearer, folder, wanted, webhook, url);
    String password = "accounts.sms.smpp.password-file";
    assertRefused(password, text, "a file with a password of at most 8 characters", smpp, host);
    assertRefused(password, empty, wanted, smpp, host);
    String authorities = "accounts.sms.smpp.authorities";
    assertRefused(authorities, text, "a PEM file with certificates", smpp, host);
    assertRefused(authorities, empty, "a PEM file with certificates", smpp, host);
    assertRefused(authorities, folder.resolve("none"), "a PEM file", smpp, host);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          accounts.sms.smpp.port        | 0                    | a number, 1 to 65535
          accounts.sms.smpp.system-id   | longer-than-15-chars | at most 15 characters
          accounts.sms.smpp.system-type | longer-than-12       | at most 12 characters
          accounts.sms.smpp.source      | Somebody Else        | a number, or at most 11 letters and digits
          accounts.sms.smpp.source      | +12345678901234567   | a number, or at most 11 letters and digits
          """)
  void whatSmppCannotSayIsRefused(String key, String value, String wanted) {
    assertThatThrownBy(() ->
            ServerConfig.load(
                null,
                Map.of(
                    "accounts.sms.provider",
                    "smpp",
                    "accounts.sms.smpp.host",
                    "smsc.example",
                    key,
                    '"' + value + '"')))
        .isInstanceOf(ConfigProblem.class)
        .hasMessage(key + " = " + value + ": must be " + wanted);
  }

  @Test
  void beyondLoopbackDevelopmentTokensNeedWords() {
    Map<String, String> anywhere =
        Map.of("net.listen", "0.0.0.0:0", "net.plain-tcp", "anywhere", "http.listen", "off");
    assertThatThrownBy(() -> ServerConfig.load(null, anywhere))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining("accept-anywhere");

    var withWords = new HashMap<>(anywhere);
    withWords.put("auth.development-issuer", "accept-anywhere");
    assertThat(ServerConfig.load(null, withWords).auth().acceptDevelopment()).isTrue();

    // Without them, whose accounts are here can log in; nobody else.
    var withAccounts = new HashMap<>(anywhere);
    withAccounts.put("http.listen", "127.0.0.1:0");
    assertThat(ServerConfig.load(null, withAccounts).auth().acceptDevelopment()).isFalse();
    assertThat(
            ServerConfig.load(
                    null,
                    Map.of(
                        "http.listen",
                        "0.0.0.0:0",
                        "http.tls",
                        "true",
                        "accounts.sms.provider",
                        "console-anywhere"))
                .auth()
                .acceptDevelopment())
        .isFalse();
    assertThatThrownBy(() ->
            ServerConfig.load(null, Map.of("auth.development-issuer", "off", "http.listen", "off")))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining("as it is nobody could log in");
  }

  @Test
  void whereCodesGoIsSaidInWordsBeyondLoopback() throws IOException {
    Map<String, String> anywhere = Map.of("http.listen", "0.0.0.0:0", "http.plain", "anywhere");
    assertThatThrownBy(() -> ServerConfig.load(null, anywhere))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining("console-anywhere");
    for (String url : new String[] {"http://sms.example", "https://u:p@sms.example", "ftp://x"}) {
      assertThatThrownBy(() ->
              ServerConfig.load(
                  null,
                  Map.of(
                      "accounts.sms.provider",
                      "webhook",
                      "accounts.sms.webhook.url",
                      '"' + url + '"')))
          .isInstanceOf(ConfigProblem.class)
          .hasMessageContaining("accounts.sms.webhook.url");
    }
    Path secret = folder.resolve("bearer");
    Files.writeString(secret, "canary-bearer\n");
    ServerConfig config =
        ServerConfig.load(
            null,
            Map.of(
                "accounts.sms.provider",
                "webhook",
                "accounts.sms.webhook.url",
                "\"https://sms.example\"",
                "accounts.sms.webhook.bearer-file",
                '"' + secret.toString() + '"'));
    assertThat(((SmsConfig.Webhook) config.sms()).bearer().reveal()).isEqualTo("canary-bearer");
    assertThat(config.toString()).doesNotContain("canary");
  }

  @Test
  void aFileThatIsNotThereOrDoesNotParseIsOneLine() throws IOException {
    assertThatThrownBy(() -> ServerConfig.load(folder.resolve("none.conf"), Map.of()))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining("must be a readable file");
    assertThatThrownBy(() -> ServerConfig.load(folder, Map.of()))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining("must be a readable file");
    Path file = folder.resolve("bad.conf");
    Files.writeString(file, "limits {\n");
    assertThatThrownBy(() -> ServerConfig.load(file, Map.of()))
        .isInstanceOf(ConfigProblem.class)
        .message()
        .doesNotContain("\n");
  }
}

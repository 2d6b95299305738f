package io.tern.edge;

import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.ThreadMXBean;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters.Door;
import io.tern.edge.session.CloseReason;
import io.tern.edge.session.StageWatch.Stage;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.HelloAck;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Every refusal and every limit is counted, and every metric has its line in
/// docs/observability.md. Whoever adds a code, a limit or a metric is told here what is missing.
class MetricsTest {

  private static final Path PAGE = Path.of("../docs/observability.md");

  /// What tells that a limit is at its bound, by its key. A name that ends in `}` is one line of
  /// the metrics, another one a family.
  private static final Map<String, List<String>> LIMITS =
      Map.ofEntries(
          entry("net.door-timeout", List.of("tern_door_timeouts_total")),
          entry("net.proxy.from", List.of("tern_proxy_refused_total")),
          entry("net.websocket.origins", List.of("tern_websocket_origins_refused_total")),
          entry("auth.queue", List.of(disconnects("busy"))),
          entry(
              "http.connections-per-address-max",
              List.of("tern_http_connections_refused_per_ip_total")),
          entry("http.connections-max", List.of("tern_http_connections_refused_total_max_total")),
          entry("http.idle-timeout", List.of("tern_http_connections_idle_total")),
          entry("http.connection-age-max", List.of("tern_http_connections_old_total")),
          entry("http.requests-max", List.of("tern_http_requests_busy_total")),
          entry("http.body-max", List.of(error(404, "http", "BODY_TOO_LARGE"))),
          entry("http.head-max", List.of("tern_http_refused_total")),
          entry("http.head-timeout", List.of("tern_http_heads_too_slow_total")),
          entry("http.body-timeout", List.of("tern_http_requests_timed_out_total")),
          entry("http.request-timeout", List.of("tern_http_requests_timed_out_total")),
          entry("http.export-timeout", List.of("tern_http_requests_timed_out_total")),
          entry("http.rate.address.rate", List.of("tern_http_requests_rate_total")),
          entry("http.rate.address.burst", List.of("tern_http_requests_rate_total")),
          entry("http.rate.device.rate", List.of("tern_http_requests_rate_total")),
          entry("http.rate.device.burst", List.of("tern_http_requests_rate_total")),
          entry("http.rate.account.rate", List.of("tern_http_requests_rate_total")),
          entry("http.rate.account.burst", List.of("tern_http_requests_rate_total")),
          entry("admin.rate.rate", List.of("tern_admin_requests_rate_total")),
          entry("admin.rate.burst", List.of("tern_admin_requests_rate_total")),
          entry(
              "admin.wrong-per-minute",
              List.of("tern_admin_credentials_wrong_total", error(301, "admin", "RATE"))),
          entry("accounts.regions", List.of("tern_codes_refused_region_total")),
          entry("accounts.code-life", List.of("tern_codes_exhausted_total")),
          entry("accounts.code-tries", List.of("tern_codes_exhausted_total")),
          entry("accounts.resend-after", List.of("tern_codes_refused_number_total")),
          entry("accounts.sms.timeout", List.of("tern_codes_failed_total")),
          entry("accounts.sms.per-number", List.of("tern_codes_refused_number_total")),
          entry("accounts.sms.per-address", List.of("tern_codes_refused_address_total")),
          entry("accounts.sms.per-network", List.of("tern_codes_refused_network_total")),
          entry("accounts.sms.per-system", List.of("tern_codes_refused_system_total")),
          entry("accounts.sms.per-block", List.of("tern_codes_refused_prefix_total")),
          entry("accounts.sms.per-prefix", List.of("tern_codes_refused_prefix_total")),
          entry("accounts.sms.per-day", List.of("tern_codes_refused_spend_total")),
          entry("accounts.sms.proof.bits", List.of("tern_proofs_asked_total")),
          entry("accounts.sms.wrong-per-address", List.of("tern_codes_exhausted_total")),
          entry("accounts.pin-idle", List.of("tern_pins_refused_total")),
          entry("accounts.link-life", List.of("tern_links_refused_total")),
          entry("accounts.lookups.max", List.of("tern_lookups_refused_total")),
          entry("accounts.lookups.per-day", List.of("tern_lookups_refused_total")),
          entry("accounts.lookups.young", List.of("tern_lookups_refused_total")),
          entry("accounts.username-hold", List.of(error(409, "http", "CONFLICT"))),
          entry(
              "limits.connections-max",
              List.of("tern_accept_pauses_total", "tern_connections_refused_total_max_total")),
          entry(
              "limits.unauthenticated-per-ip-max",
              List.of("tern_connections_refused_per_ip_total")),
          entry(
              "limits.failures-per-minute-max", List.of("tern_connections_refused_failures_total")),
          entry("limits.hello-timeout", List.of(disconnects("hello_timeout"))),
          entry("limits.frame-timeout", List.of(disconnects("frame_timeout"))),
          entry("limits.stall-timeout", List.of(disconnects("stalled"))),
          entry("limits.ping", List.of(disconnects("idle"))),
          entry("limits.send.rate", List.of(error(301, "tcp", "RATE"))),
          entry("limits.send.burst", List.of(error(301, "tcp", "RATE"))),
          entry("limits.send.in-flight", List.of("tern_frames_held_total")),
          entry("limits.cheap.rate", List.of("tern_slowed_total", disconnects("flow"))),
          entry("limits.cheap.burst", List.of("tern_slowed_total", disconnects("flow"))),
          entry("limits.group-members-max", List.of(error(408, "tcp", "GROUP_FULL"))),
          entry("limits.edit-window", List.of(error(410, "tcp", "NOT_ALLOWED"))),
          entry("limits.revoke-window", List.of(error(410, "tcp", "NOT_ALLOWED"))),
          entry("limits.window.entries", List.of("tern_behinds_total")),
          entry("limits.window.bytes", List.of("tern_behinds_total")),
          entry("budgets.connections-per-ip-max", List.of("tern_connections_refused_open_total")),
          entry(
              "budgets.unauthenticated-per-network-max",
              List.of("tern_connections_refused_network_total")),
          entry(
              "budgets.connects-per-ip-per-minute", List.of("tern_connections_refused_rate_total")),
          entry("budgets.logins-per-device-per-minute", List.of("tern_logins_over_budget_total")),
          entry("budgets.sends-per-account-per-minute", List.of("tern_sends_over_account_total")),
          entry("budgets.sends-per-chat-per-minute", List.of("tern_sends_over_chat_total")),
          entry("budgets.strangers-per-hour", List.of("tern_strangers_refused_total")),
          entry("budgets.strangers-per-day", List.of("tern_strangers_refused_total")),
          entry("turns.delay-target", List.of("tern_turns_slowed_total")),
          entry("turns.rate-min", List.of("tern_turns_rate")),
          entry("turns.rate-max", List.of("tern_turns_rate")),
          entry(
              "turns.under-way-max",
              List.of("tern_logins_waited_total", "tern_pages_waited_total")),
          entry("turns.waiting-max", List.of("tern_logins_put_off_total")),
          entry("turns.wait-max", List.of("tern_logins_put_off_total")),
          entry("turns.handshake-wait-max", List.of("tern_handshakes_put_off_total")),
          entry("store.disk-reserve", List.of("tern_disk_has_room", error(300, "tcp", "BUSY"))),
          entry(
              "router.ring-events", List.of("tern_rings_full_total", "tern_router_refused_total")),
          entry("router.ring-bytes", List.of("tern_rings_full_total", "tern_router_refused_total")),
          entry(
              "router.readers-queue",
              List.of("tern_questions_refused_total", "tern_readers_refused_total")),
          entry("router.ack-watch", List.of("tern_router_watch_expired_total")),
          entry("router.nudge-after", List.of("tern_router_nudges_total")),
          entry("router.watched-max", List.of("tern_router_refused_total")),
          entry("catch-up.backlog-max", List.of("tern_resets_total")));

  /// Keys at whose bound nobody is refused anything: addresses, files, sizes of pages, batches and
  /// caches, how often and how long something is done. By their beginnings.
  private static final List<String> NO_LIMITS =
      List.of(
          "data",
          "name",
          "net.listen",
          "net.plain-tcp",
          "net.tls.",
          "net.websocket.listen",
          "net.websocket.tls",
          "net.websocket.path",
          "net.proxy.listeners",
          "net.transport",
          "net.loops",
          // The kernel's own: it drops SYNs, and counts them (TcpExtListenOverflows).
          "net.backlog",
          "tls.",
          "admin.listen",
          "admin.plain",
          "admin.tls",
          "admin.probe-timeout",
          // Beyond, the oldest file goes.
          "admin.audit.",
          "auth.development-issuer",
          "auth.resume-lifetime",
          "auth.threads",
          "tokens.",
          "http.listen",
          "http.plain",
          "http.tls",
          "http.forwarded-from",
          "accounts.sms.provider",
          "accounts.sms.webhook.",
          "accounts.sms.smpp.",
          // Raises other limits.
          "accounts.sms.per-verified",
          "accounts.networks.",
          "accounts.search",
          "limits.loopback-exempt",
          // Beyond, newcomers share a budget.
          "budgets.keys-max",
          "store.shards",
          "store.block-cache",
          "store.write-buffer",
          "store.wal-max",
          "store.open-files-max",
          "store.hot-",
          "router.batch-",
          "router.readers",
          "router.retry",
          "catch-up.chats-max",
          "catch-up.piece-entries",
          "catch-up.page-",
          // Beyond, a device that comes back looks at every chat.
          "directory.",
          "known-users",
          "shutdown.",
          "drain.",
          "trace.",
          "log.");

  private static TestServer server;
  private static String metrics = "";

  @BeforeAll
  static void start(@TempDir Path data) throws IOException, InterruptedException {
    server = TestServer.start(data);
    // The second time: the first one is a request that is counted too.
    scrape();
    scrape();
  }

  @AfterAll
  static void close() {
    server.close();
  }

  private static String error(int code, String door, String name) {
    return "tern_errors_total{code=\"" + code + "\",door=\"" + door + "\",name=\"" + name + "\"}";
  }

  private static String disconnects(String reason) {
    return "tern_disconnects_total{reason=\"" + reason + "\"}";
  }

  private static boolean isThere(String counter) {
    return counter.endsWith("}")
        ? metrics.contains("\n" + counter + " ")
        : metrics.contains("\n# TYPE " + counter + " ");
  }

  @Test
  void everyCodeOfTheRegistryIsCountedForEveryDoor() throws IOException {
    JsonNode registry;
    try (InputStream in = HelloAck.class.getResourceAsStream("/tern/v1/registry.json")) {
      registry = new ObjectMapper().readTree(in);
    }
    var missing = new ArrayList<String>();
    for (JsonNode error : registry.get("errors")) {
      for (Door door : Door.values()) {
        String counter = error(error.get("code").asInt(), lower(door), error.get("name").asText());
        if (!isThere(counter)) {
          missing.add(counter);
        }
      }
    }
    assertThat(registry.get("errors").size()).isGreaterThan(30);
    assertThat(missing).isEmpty();
  }

  @Test
  void everyReasonAndEveryStageHasItsLine() {
    for (CloseReason reason : CloseReason.values()) {
      assertThat(isThere(disconnects(lower(reason)))).as("%s", reason).isTrue();
    }
    for (Stage stage : Stage.values()) {
      assertThat(isThere("tern_stage_seconds_count{stage=\"" + lower(stage) + "\"}"))
          .as("%s", stage)
          .isTrue();
    }
  }

  @Test
  void everyLimitHasACounterThatIsThere() {
    Config reference = ConfigFactory.parseResources(ServerConfig.class, "reference.conf");
    Set<String> keys =
        reference.entrySet().stream()
            .map(Map.Entry::getKey)
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> unknown = new TreeSet<>(keys);
    unknown.removeIf(
        key -> LIMITS.containsKey(key) || NO_LIMITS.stream().anyMatch(key::startsWith));
    assertThat(unknown).as("keys that are neither in LIMITS nor in NO_LIMITS").isEmpty();
    assertThat(keys).as("keys in LIMITS").containsAll(LIMITS.keySet());
    assertThat(LIMITS.values().stream().flatMap(List::stream).filter(c -> !isThere(c)).distinct())
        .as("counters of limits that are not on /metrics")
        .isEmpty();
  }

  /// Which counter it is that an operator should look at is found by the key.
  @Test
  void theTableOfLimitsNamesCountersThatAreThere() {
    String table =
        section(read(Path.of("../docs/operations.md")), "## Limits: what happens at each");
    var names = new TreeSet<String>();
    for (String row : table.lines().filter(line -> line.startsWith("| ")).toList()) {
      String[] cells = row.split("\\|", -1);
      Pattern.compile("`([a-z_]+)(\\{[^`]*})?`")
          .matcher(cells[cells.length - 2])
          .results()
          .forEach(found -> names.add("tern_" + found.group(1)));
    }
    assertThat(names).hasSizeGreaterThan(20);
    assertThat(names.stream().filter(name -> !isThere(name) && !isThere(name + "_total")))
        .isEmpty();
  }

  @Test
  void everyMetricHasItsLineInThePage() {
    String page = read(PAGE);
    var rows = Stream.of(Count.values()).map(MetricsTest::row).toList();
    assertThat(page.lines().filter(line -> line.startsWith("| `tern_")).toList())
        .as("rows of the table of counters in %s", PAGE)
        .containsAll(rows);
    Set<String> counts =
        Stream.of(Count.values()).map(MetricsTest::name).collect(Collectors.toSet());
    var missing = new TreeSet<String>();
    for (String line : metrics.lines().filter(line -> line.startsWith("# TYPE ")).toList()) {
      String family = line.split(" ", -1)[2];
      boolean ofTheMachine = family.matches("(jvm|process|system)_.*");
      // The largest of the last minutes comes with each histogram.
      String named = family.endsWith("_max") ? family.substring(0, family.length() - 4) : family;
      if (!ofTheMachine && !counts.contains(family) && !page.contains("`" + named)) {
        missing.add(family);
      }
    }
    assertThat(missing).as("families that %s does not name", PAGE).isEmpty();
    assertThat(metrics)
        .contains("\ntern_http_seconds_count{door=\"admin\",operation=\"metrics\"} ");
    // And nothing that is not there.
    Pattern.compile("`(tern_[a-z_]+_total)`")
        .matcher(page)
        .results()
        .map(found -> found.group(1))
        .forEach(name -> assertThat(isThere(name)).as(name).isTrue());
  }

  @Test
  void everyStageHasItsLineInThePage() {
    String page = read(PAGE);
    Pattern.compile("tern_stage_seconds_count\\{stage=\"([a-z_]+)\"}")
        .matcher(metrics)
        .results()
        .map(found -> found.group(1))
        .forEach(stage -> assertThat(page).contains("stage=\"" + stage + "\""));
  }

  @Test
  void aMessageLeavesItsTimesInEveryStageThatItPasses() throws IOException, InterruptedException {
    try (var alice = server.login("alice");
        var bob = server.login("bob")) {
      alice.write(RawClient.send(1, RawClient.id("bob"), 1, "hello"));
      alice.until(FrameType.SENT);
      bob.until(FrameType.DELIVER);
      bob.write(RawClient.ack(RawClient.id("alice"), 1));
      alice.until(FrameType.RECEIPT);
      scrape();
      for (String stage :
          List.of(
              "taken",
              "prepared",
              "lookup",
              "bus_to_write",
              "send_to_sent",
              "deliver_to_ack",
              "hello",
              "token",
              "catch_up_page")) {
        assertThat(
                metrics
                    .lines()
                    .filter(line ->
                        line.startsWith("tern_stage_seconds_count{stage=\"" + stage + "\"} ")))
            .as(stage)
            .singleElement()
            .satisfies(line -> assertThat(line).doesNotEndWith("} 0"));
      }
    }
  }

  /// In the whole process: the server's part is 1.4 MB, the rest is the client's. The least of
  /// some, since other threads allocate too.
  @Test
  void aScrapeAllocatesLessThanFourMegabytes() throws IOException, InterruptedException {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      long before = threads.getTotalThreadAllocatedBytes();
      scrape();
      least = Math.min(least, threads.getTotalThreadAllocatedBytes() - before);
    }
    assertThat(least).isLessThan(4_000_000);
  }

  private static void scrape() throws IOException, InterruptedException {
    try (var http = HttpClient.newHttpClient()) {
      metrics =
          http.send(
                  HttpRequest.newBuilder(
                          URI.create(
                              "http://127.0.0.1:" + server.server.admin().getPort() + "/metrics"))
                      .build(),
                  BodyHandlers.ofString())
              .body();
    }
  }

  private static String name(Count count) {
    return "tern_" + lower(count) + "_total";
  }

  private static String row(Count count) {
    return "| `" + name(count) + "` | " + count.help() + " |";
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  private static String section(String page, String heading) {
    int from = page.indexOf(heading) + heading.length();
    int end = page.indexOf("\n## ", from);
    return page.substring(from, end < 0 ? page.length() : end);
  }

  private static String read(Path page) {
    try {
      return Files.readString(page);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

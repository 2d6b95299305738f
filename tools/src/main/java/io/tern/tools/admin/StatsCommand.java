package io.tern.tools.admin;

import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/// `tern admin stats`: how a server is doing.
@Command(name = "stats", description = "How the server is doing now.")
final class StatsCommand extends AdminBase {

  @Override
  protected void run(PrintWriter out) throws IOException {
    Map<String, @Nullable Object> stats = ask("GET", "/v1/stats", null);
    print(out, json(stats), lines(stats));
  }

  private static String lines(Map<String, @Nullable Object> stats) {
    Map<String, @Nullable Object> doors = object(stats, "connections");
    Map<String, @Nullable Object> rates = object(stats, "per_second");
    Map<String, @Nullable Object> turns = object(stats, "turns");
    Map<String, @Nullable Object> disk = object(stats, "disk");
    Map<String, @Nullable Object> memory = object(stats, "memory");
    Map<String, @Nullable Object> sms = object(stats, "sms");
    Duration up = Duration.ofSeconds(number(stats, "uptime_ms") / 1000);
    var shards = new StringBuilder();
    for (Map<String, @Nullable Object> shard : objects(stats, "shards")) {
      shards
          .append(shards.isEmpty() ? "" : "  ")
          .append('#')
          .append(number(shard, "shard"))
          .append(' ')
          .append(flag(shard, "failed") ? "FAILED" : number(shard, "ring_depth") + " wait");
    }
    return String.join(
        System.lineSeparator(),
        line("server", text(stats, "name") + " " + text(stats, "version"), text(stats, "state")),
        line("up", up.toString().substring(2).toLowerCase(Locale.ROOT)),
        line(
            "connections",
            number(doors, "plain") + " plain",
            number(doors, "tls") + " tls",
            number(doors, "websocket") + " websocket"),
        line(
            "sessions",
            number(stats, "sessions") + " of " + number(stats, "users_connected") + " users",
            number(stats, "users_active") + " of them active"),
        line(
            "a second",
            rate(rates, "sent") + " sent",
            rate(rates, "delivered") + " delivered",
            rate(rates, "logins") + " logins",
            rate(rates, "refused") + " refused"),
        line("shards", shards.toString()),
        line(
            "waiting",
            number(turns, "handshakes_waiting") + " handshakes",
            number(turns, "logins_waiting") + " logins",
            number(turns, "pages_waiting") + " pages"),
        line(
            "disk",
            mib(disk, "data_bytes") + " data",
            mib(disk, "free_bytes") + " free",
            mib(disk, "reserve_bytes")
                + " reserve"
                + (flag(disk, "has_room") ? "" : ": NEW MESSAGES ARE REFUSED")),
        line("texts", number(sms, "sent") + " of " + number(sms, "max") + " today"),
        line(
            "memory",
            mib(memory, "heap_used_bytes") + " of " + mib(memory, "heap_max_bytes") + " heap",
            mib(memory, "direct_bytes") + " direct"));
  }

  private static String line(String name, String... parts) {
    return "%-12s %s".formatted(name, String.join(", ", parts));
  }

  private static String rate(Map<String, @Nullable Object> rates, String key) {
    return String.format(Locale.ROOT, "%.1f", decimal(rates, key));
  }

  private static String mib(Map<String, @Nullable Object> answer, String key) {
    return String.format(Locale.ROOT, "%,d MiB", number(answer, key) >> 20);
  }
}

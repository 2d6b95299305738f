package io.tern.bench.scenario;

import io.tern.bench.measure.Json;
import io.tern.bench.scenario.Loops.Loop;
import io.tern.bench.scenario.Loops.Run;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// What came out of a run: `report.json` for programs, `report.md` for people, and plots.
final class Report {

  private final Bench bench;
  private final Map<String, Object> machine;
  private final Map<String, Object> json = new LinkedHashMap<>();
  private final List<Goal> goals = new ArrayList<>();
  private final StringBuilder text = new StringBuilder();

  Report(Bench bench) throws IOException, InterruptedException {
    this.bench = bench;
    this.machine = bench.machine();
    json.put("machine", machine);
    json.put("pinned", Child.canPin());
    json.put("server_options", bench.serverOptions());
    json.put("settings", bench.settings());
  }

  /// @param met null when it was not measured
  private record Goal(String figure, String goal, String measured, @Nullable Boolean met) {}

  void add(Comparison comparison) throws IOException {
    var loops = new LinkedHashMap<String, Object>();
    text.append("\n## Tern and the yardstick\n\n");
    text.append(
        String.format(
            Locale.ROOT,
            "%d users; medians of %d rounds of %d s after %d s of warm-up, alternating. In the closed"
                + " loop each user has %d messages in flight; in the open loop all together send %,d"
                + " a second, timed from when each was due, after a closed loop as long as the warm-up. A message of Tern is complete with SENT,"
                + " DELIVER, ACK and the delivered RECEIPT; one of the yardstick with SENT.%n%n",
            Loops.USERS,
            bench.rounds(),
            bench.seconds(),
            bench.warmup(),
            Loop.CLOSED.value(),
            Loop.OPEN.value()));
    text.append(
        "| loop | subject | complete/s | server CPU, µs each | SENT p50 | p90 | p99 | p99.9 | delivered"
            + " p50 | p99 | receipt p50 | p99 |\n");
    text.append("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for (Loop loop : Loop.values()) {
      for (Subject subject : Subject.values()) {
        List<Run> runs = comparison.runs(loop, subject);
        if (runs.isEmpty()) {
          continue;
        }
        loops.put(
            loop.label() + " " + subject.label(),
            runs.stream().map(r -> Map.of("load", r.load(), "result", r.result())).toList());
        text.append(
            String.format(
                Locale.ROOT,
                "| %s | %s | %,.0f | %.1f |",
                loop.label(),
                subject.label(),
                comparison.median(loop, subject, "complete_per_s"),
                comparison.median(loop, subject, "server_cpu_us_per_message")));
        for (String percentile : List.of("p50", "p90", "p99", "p999")) {
          text.append(millis(comparison.median(loop, subject, "sent_ms", percentile)));
        }
        for (String kind : List.of("delivered_ms", "receipt_ms")) {
          for (String percentile : List.of("p50", "p99")) {
            text.append(millis(comparison.median(loop, subject, kind, percentile)));
          }
        }
        text.append("\n");
      }
    }
    text.append("\nLatencies in ms.");
    faults(comparison);
    double ratio = comparison.ratio(Loop.OPEN, "sent_ms", "p99");
    json.put("loops", loops);
    json.put("open_sent_p99_ratio", ratio);

    double perSecond = comparison.median(Loop.CLOSED, Subject.TERN, "complete_per_s");
    double cpu = comparison.median(Loop.CLOSED, Subject.TERN, "server_cpu_us_per_message");
    double p50 = comparison.median(Loop.OPEN, Subject.TERN, "sent_ms", "p50");
    goal("complete durable messages a second", "≥ 25,000", "%,.0f", perSecond, perSecond >= 25_000);
    goal("server CPU for each", "≤ 35 µs", "%.1f µs", cpu, cpu <= 35);
    goal("SENT p50 at 2,000/s", "≤ 1.3 ms", "%.3f ms", p50, p50 <= 1.3);
    goal("SENT p99 at 2,000/s, over the yardstick's", "≤ 1.5", "%.2f", ratio, ratio <= 1.5);
    Plots.latencies(bench.out().resolve("sent-open.png"), comparison);
    text.append("\n\n![SENT latency in the open loop](sent-open.png)\n");
  }

  private void faults(Comparison comparison) {
    for (Loop loop : Loop.values()) {
      for (Subject subject : Subject.values()) {
        for (Run run : comparison.runs(loop, subject)) {
          for (String fault : List.of("lost", "doubled", "reordered")) {
            if (run.number(fault) != 0) {
              text.append(
                  String.format(
                      Locale.ROOT,
                      "%n%n**%s, %s loop: %.0f %s.**",
                      subject.label(),
                      loop.label(),
                      run.number(fault),
                      fault));
            }
          }
        }
      }
    }
  }

  void add(Idle.Result idle, boolean tls) throws IOException {
    String name = tls ? "idle-tls" : "idle";
    json.put(name, idle);
    text.append(
        tls ? "\n## Sessions that do nothing, over TLS\n\n" : "\n## Sessions that do nothing\n\n");
    text.append(
        "| sessions | resident, KB | of it anonymous, KB | live heap, KB |\n|--:|--:|--:|--:|\n");
    for (Idle.Point point : idle.points()) {
      text.append(
          String.format(
              Locale.ROOT,
              "| %,d | %,d | %,d | %,d |%n",
              point.sessions(),
              point.residentBytes() / 1024,
              point.anonymousBytes() / 1024,
              point.liveBytes() / 1024));
    }
    text.append(
        String.format(
            Locale.ROOT,
            "%nEach session: **%,.0f bytes** resident (least squares), of which %,.0f are live objects"
                + " on the heap; the rest is native memory and heap that is not live. The largest shares"
                + " on the heap:%n%n| class | a session's | bytes |%n|---|--:|--:|%n",
            idle.residentPerSession(),
            idle.livePerSession()));
    for (Idle.Share share : idle.heap()) {
      text.append(
          String.format(
              Locale.ROOT,
              "| `%s` | %.2f | %.0f |%n",
              share.name(),
              share.instances(),
              share.bytes()));
    }
    text.append("\n![Resident memory over sessions](" + name + ".png)\n");
    Plots.idle(bench.out().resolve(name + ".png"), idle);
    double kilobytes = idle.residentPerSession() / 1024;
    if (tls) {
      goal("memory of an idle TLS session", "≤ 14 KB", "%.2f KB", kilobytes, kilobytes <= 14);
      return;
    }
    goal("memory of an idle session", "≤ 2.5 KB", "%.2f KB", kilobytes, kilobytes <= 2.5);
    goal(
        "an idle server without sessions",
        "< 2 % of a core",
        "%.2f %%",
        idle.cpuPercent(),
        idle.cpuPercent() < 2);
  }

  void add(SlowConsumers.Result slow) throws IOException {
    json.put("slow", slow);
    double ratio = slow.p99WithMillis() / slow.p99WithoutMillis();
    long livePerConsumer = (slow.live().getLast() - slow.live().getFirst()) / slow.consumers();
    text.append(
        String.format(
            Locale.ROOT,
            "%n## Consumers that never read%n%n%d sessions never read from their socket while %,d"
                + " messages of 4 KB a second are sent to them. For everyone else (%,d/s) SENT p99 is"
                + " %.3f ms beside as many that do read and %.3f ms beside these, delivered p99 %.3f"
                + " and %.3f ms (medians of %d rounds)."
                + " Live heap before them and after each round with them: %s KB.%n%n"
                + "![Resident memory of the server](slow.png)%n",
            slow.consumers(),
            slow.floodPerSecond(),
            slow.ratePerSecond(),
            slow.p99WithoutMillis(),
            slow.p99WithMillis(),
            slow.deliveredP99WithoutMillis(),
            slow.deliveredP99WithMillis(),
            bench.rounds(),
            slow.live().stream().map(b -> String.format(Locale.ROOT, "%,d", b / 1024)).toList()));
    Plots.slow(bench.out().resolve("slow.png"), slow);
    goal("SENT p99 beside consumers that never read", "within 2×", "%.2f×", ratio, ratio <= 2);
    goal(
        "live heap for each of those",
        "flat",
        "%.1f KB",
        livePerConsumer / 1024.0,
        livePerConsumer < 16 * 1024);
  }

  void add(CatchUps.Result result) {
    json.put("catch_up", result);
    double ratio = result.felt().ratio();
    text.append(
        String.format(
            Locale.ROOT,
            "%n## Coming back%n%nA device that was away for %,d entries in %d chats has the summary"
                + " after %.1f ms and everything after %.1f ms: %,.0f entries/s, %,.0f for a second of"
                + " the server's CPU time. %,d devices that come back at once, each to %,d entries,"
                + " have everything after %.1f s; for those who write meanwhile SENT p99 is %.3f ms,"
                + " and %.3f ms when nobody comes back (rounds: %s).%n",
            result.entries(),
            result.chats(),
            result.summaryMillis(),
            result.caughtUpMillis(),
            result.entriesPerSecond(),
            result.entriesPerCpuSecond(),
            result.crowd(),
            CatchUps.CROWD_ENTRIES,
            result.crowdSeconds(),
            result.felt().besideMillis(),
            result.felt().aloneMillis(),
            rounds(result.felt())));
    double summary = result.summaryMillis();
    double perCore = result.entriesPerCpuSecond();
    goal("summary of 10,000 entries in 200 chats", "≤ 100 ms", "%.1f ms", summary, summary <= 100);
    goal("entries caught up a second and core", "≥ 50,000", "%,.0f", perCore, perCore >= 50_000);
    goal("SENT p99 while 10,000 devices come back", "within 3×", "%.2f×", ratio, ratio <= 3);
    goal("missing or out of order", "0", "%.0f", result.faults(), result.faults() == 0);
  }

  void add(Reconnect.Result result) {
    json.put("reconnect", result);
    double ratio = result.felt().ratio();
    text.append(
        String.format(
            Locale.ROOT,
            "%n## Coming back over TLS%n%n%,d devices that come back at once over TLS, each to %,d"
                + " entries, have everything after %.1f s; for those who write meanwhile SENT p99 is"
                + " %.3f ms, and %.3f ms when nobody comes back (rounds: %s).%n",
            result.devices(),
            CatchUps.CROWD_ENTRIES,
            result.seconds(),
            result.felt().besideMillis(),
            result.felt().aloneMillis(),
            rounds(result.felt())));
    goal(
        "15,000 TLS sessions back and caught up",
        "≤ 12 s",
        "%.1f s",
        result.seconds(),
        result.seconds() <= 12);
    goal("SENT p99 while they come back", "within 3×", "%.2f×", ratio, ratio <= 3);
    goal("missing or out of order", "0", "%.0f", result.faults(), result.faults() == 0);
  }

  private static String rounds(Felt felt) {
    return felt.ratios().stream()
        .map(ratio -> String.format(Locale.ROOT, "%.2f×", ratio))
        .collect(Collectors.joining(", "));
  }

  void add(FanOut.Result result) {
    json.put("fan_out", result);
    text.append(
        String.format(
            Locale.ROOT,
            "%n## A large group%n%n%,d members, all online: %,.0f deliveries/s, each acknowledged, at"
                + " %.1f µs of the server's CPU time (%,.0f for a second of it); SENT p99 %.1f ms. At"
                + " 80 %% of that, %,.1f messages a second, SENT p50 is %.3f ms and p99 %.3f ms"
                + " in the median of the turns between two peaks that differ by no more than a tenth"
                + " (all turns, those that count in bold: %s).%n",
            result.members(),
            result.deliveriesPerSecond(),
            result.cpuMicrosPerDelivery(),
            result.deliveriesPerCpuSecond(),
            result.peakSentP99Millis(),
            result.steadyMessagesPerSecond(),
            result.steadySentP50Millis(),
            result.steadySentP99Millis(),
            result.turns().stream()
                .map(turn ->
                    String.format(
                        Locale.ROOT, turn.isSteady() ? "**%.1f**" : "%.1f", turn.sentP99Millis()))
                .collect(Collectors.joining(", "))));
    double perCore = result.deliveriesPerCpuSecond();
    double p99 = result.steadySentP99Millis();
    goal(
        "deliveries a second and core, 1,000 members",
        "≥ 60,000",
        "%,.0f",
        perCore,
        perCore >= 60_000);
    goal("SENT p99 at 80 % of the peak", "≤ 20 ms", "%.3f ms", p99, p99 <= 20);
    goal("lost, refused or out of order", "0", "%.0f", result.faults(), result.faults() == 0);
  }

  /// Writes everything.
  void write() throws IOException {
    json.put("goals", goals);
    Json.write(bench.out().resolve("report.json"), json);
    var page = new StringBuilder("# Tern: measurements\n\n");
    machine.forEach(
        (key, value) -> page.append("- ").append(key).append(": ").append(value).append('\n'));
    page.append("- server: ")
        .append(Child.canPin() ? "pinned to one core, the generator to another" : "not pinned")
        .append("; JVM options `")
        .append(String.join(" ", bench.serverOptions()))
        .append("`\n\n| figure | goal | measured | |\n|---|---|--:|---|\n");
    for (Goal goal : goals) {
      page.append(
          String.format(
              Locale.ROOT,
              "| %s | %s | %s | %s |%n",
              goal.figure(),
              goal.goal(),
              goal.measured(),
              goal.met() == null ? "not measured" : goal.met() ? "met" : "**missed**"));
    }
    Files.writeString(bench.out().resolve("report.md"), page.append(text));
    System.out.println(page);
    System.out.println("report: " + bench.out().resolve("report.md"));
  }

  private void goal(String figure, String goal, String format, double measured, boolean met) {
    boolean known = !Double.isNaN(measured);
    String shown = known ? String.format(Locale.ROOT, format, measured) : "";
    goals.add(new Goal(figure, goal, shown, known ? met : null));
  }

  private static String millis(double millis) {
    return Double.isNaN(millis) ? " |" : String.format(Locale.ROOT, " %.3f |", millis);
  }
}

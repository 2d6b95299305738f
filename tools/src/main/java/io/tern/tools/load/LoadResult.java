package io.tern.tools.load;

import io.tern.tools.Json;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;

/// What a load run found. Times are of messages whose intended send lies in the measured part; the
/// checks are of every message of the run, warm-up and drain included.
///
/// @param seconds how long the measured part was
/// @param completePerSecond messages a second that were durable, delivered, acknowledged, and known
///   to their sender to be, within the measured part; in groups: durable and with every member
/// @param sent from the intended send to SENT, in nanoseconds
/// @param delivered from the intended send to the DELIVER at the recipient
/// @param receipt from the intended send to the delivered receipt at the sender; in groups: to the
///   DELIVER at the last member
/// @param lag how late the generator itself was with a send of the open loop
/// @param serverCpuMicros CPU time of the server for one complete message; NaN when not measured
/// @param deliveriesPerSecond messages that came to a recipient, counted for each, within the
///   measured part
/// @param serverCpuMicrosPerDelivery CPU time of the server for one of these
/// @param messages sent in all
/// @param deliveries of them to a recipient, in all
/// @param incomplete sent without a SENT or a delivered receipt (in groups: not with every member)
///   when the drain ended
/// @param unsent were due and never went out
/// @param wrong answers and arrivals that contradict what was sent
/// @param redelivered entries that came again and were dropped by seq
/// @param behind how often the server announced that a session is behind
/// @param putOff answers that asked to try again, by error code
/// @param residentBefore memory of the server's process before the first login, in bytes; 0 when
///   not measured
/// @param residentAfter the same at the end of the measured part
record LoadResult(
    LoadPlan plan,
    double seconds,
    double completePerSecond,
    Histogram sent,
    Histogram delivered,
    Histogram receipt,
    Histogram lag,
    double serverCpuMicros,
    double generatorCpuMicros,
    double deliveriesPerSecond,
    double serverCpuMicrosPerDelivery,
    long messages,
    long deliveries,
    long incomplete,
    long unsent,
    long lost,
    long doubled,
    long reordered,
    long wrong,
    long redelivered,
    long behind,
    Map<Integer, Long> putOff,
    long residentBefore,
    long residentAfter) {

  /// Whether everything that was promised was kept.
  boolean isSound() {
    return lost == 0 && doubled == 0 && reordered == 0 && wrong == 0 && incomplete == 0;
  }

  double residentBytesPerUser() {
    // Under load it is the heap that grows, not the sessions.
    return residentBefore == 0 || !plan.isIdle()
        ? Double.NaN
        : (double) (residentAfter - residentBefore) / plan.users();
  }

  Json json() {
    var groups = plan.groups();
    var putOffCodes = Json.object();
    putOff.forEach((code, count) -> putOffCodes.put(Integer.toString(code), count));
    return Json.object()
        .put("complete_per_s", completePerSecond)
        .put("deliveries_per_s", deliveriesPerSecond)
        .put("sent_ms", json(sent))
        .put("delivered_ms", json(delivered))
        .put(plan.groups() == null ? "receipt_ms" : "everyone_ms", json(receipt))
        .put("server_cpu_us_per_message", serverCpuMicros)
        .put("server_cpu_us_per_delivery", serverCpuMicrosPerDelivery)
        .put("generator_cpu_us_per_message", generatorCpuMicros)
        .put("lost", lost)
        .put("doubled", doubled)
        .put("reordered", reordered)
        .put("wrong", wrong)
        .put("incomplete", incomplete)
        .put("unsent", unsent)
        .put("messages", messages)
        .put("deliveries", deliveries)
        .put("redelivered", redelivered)
        .put("behind", behind)
        .put("put_off", putOffCodes)
        .put("server_rss_bytes_before", residentBefore)
        .put("server_rss_bytes_after", residentAfter)
        .put("server_rss_bytes_per_user", residentBytesPerUser())
        .put("generator_lag_ms", json(lag))
        .put("users", plan.users())
        .put("groups", groups == null ? 0 : groups.count())
        .put("group_members", groups == null ? 0 : groups.members())
        .put("group_senders", groups == null ? 0 : groups.senders())
        .put("in_flight", plan.inFlight())
        .put("rate", plan.ratePerSecond())
        .put("seconds", seconds)
        .put("warmup", plan.warmup().toMillis() / 1e3)
        .put("size", plan.bodyBytes())
        .put("pattern", groups == null ? plan.pattern().name().toLowerCase(Locale.ROOT) : "groups");
  }

  /// For people.
  String text() {
    var text = new StringBuilder();
    if (residentBefore > 0) {
      line(
          text,
          "server memory",
          String.format(
              Locale.ROOT,
              "%,d KiB before, %,d KiB after",
              residentBefore / 1024,
              residentAfter / 1024));
    }
    if (plan.isIdle()) {
      line(text, "logged in", String.format(Locale.ROOT, "%,d users", plan.users()));
      if (residentBefore > 0) {
        line(
            text,
            "server memory, each",
            String.format(Locale.ROOT, "%,.0f bytes", residentBytesPerUser()));
      }
      return text.toString();
    }
    boolean isGroups = plan.groups() != null;
    line(text, "complete messages", String.format(Locale.ROOT, "%,.0f /s", completePerSecond));
    if (isGroups) {
      line(text, "deliveries", String.format(Locale.ROOT, "%,.0f /s", deliveriesPerSecond));
    }
    line(text, "sent (durable)", times(sent));
    line(text, "delivered", times(delivered));
    line(text, isGroups ? "with everyone" : "receipt", times(receipt));
    if (plan.isOpenLoop()) {
      line(text, "generator late by", times(lag));
    }
    if (!Double.isNaN(serverCpuMicros)) {
      line(
          text,
          "server CPU",
          isGroups
              ? String.format(
                  Locale.ROOT,
                  "%.1f µs a message, %.2f µs a delivery",
                  serverCpuMicros,
                  serverCpuMicrosPerDelivery)
              : String.format(Locale.ROOT, "%.1f µs a message", serverCpuMicros));
    }
    line(
        text, "generator CPU", String.format(Locale.ROOT, "%.1f µs a message", generatorCpuMicros));
    line(
        text,
        "checked by content",
        String.format(
            Locale.ROOT,
            "%,d messages%s: %d lost, %d doubled, %d out of order, %d wrong, %d incomplete",
            messages,
            isGroups ? String.format(Locale.ROOT, ", %,d deliveries", deliveries) : "",
            lost,
            doubled,
            reordered,
            wrong,
            incomplete));
    if (unsent > 0) {
      line(
          text,
          "never sent",
          String.format(Locale.ROOT, "%,d (the server did not keep up)", unsent));
    }
    if (!putOff.isEmpty()) {
      line(text, "put off, by code", putOff.toString());
    }
    if (redelivered > 0 || behind > 0) {
      line(
          text,
          "caught up",
          String.format(
              Locale.ROOT, "%,d times, %,d entries delivered again", behind, redelivered));
    }
    return text.toString();
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append(String.format(Locale.ROOT, "%-20s %s%n", name, value));
  }

  private static String times(Histogram nanos) {
    return String.format(
        Locale.ROOT,
        "p50 %.2f  p90 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms",
        millis(nanos, 50),
        millis(nanos, 90),
        millis(nanos, 99),
        millis(nanos, 99.9),
        nanos.getMaxValue() / 1e6);
  }

  private static Json json(Histogram nanos) {
    return Json.object()
        .put("p50", millis(nanos, 50))
        .put("p90", millis(nanos, 90))
        .put("p99", millis(nanos, 99))
        .put("p999", millis(nanos, 99.9))
        .put("max", nanos.getMaxValue() / 1e6);
  }

  static double millis(Histogram nanos, double percentile) {
    return nanos.getValueAtPercentile(percentile) / 1e6;
  }
}

package io.tern.bench.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.bench.measure.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/// A load at a share of the peak that was measured just before it, and the peak just after it.
///
/// @param peakBefore messages a second, as `peakAfter` and `messagesPerSecond`
record ShareTurn(
    double peakBefore,
    double peakAfter,
    double messagesPerSecond,
    double sentP50Millis,
    double sentP99Millis) {

  /// By how much of the higher one the peaks may differ. At 80 % of a peak the server is 87 % busy:
  /// a machine that is an eighth slower than a moment before is full.
  private static final double STEADY = 0.1;

  /// From a result of [FanOutSessions]: one peak more than shares.
  static List<ShareTurn> of(JsonNode result) {
    JsonNode peaks = result.path("peak");
    JsonNode shares = result.path("share");
    var turns = new ArrayList<ShareTurn>();
    for (int i = 0; i < shares.size(); i++) {
      JsonNode share = shares.get(i);
      turns.add(
          new ShareTurn(
              Json.number(peaks.path(i), "messages_per_s"),
              Json.number(peaks.path(i + 1), "messages_per_s"),
              Json.number(share, "messages_per_s"),
              Json.number(share, "sent_ms", "p50"),
              Json.number(share, "sent_ms", "p99")));
    }
    return turns;
  }

  /// Whether the machine was as fast after it as before, so that it is known what the share was one
  /// of. Looks at the peaks alone, not at what was measured between them.
  boolean isSteady() {
    return Math.abs(peakAfter - peakBefore) <= STEADY * Math.max(peakAfter, peakBefore);
  }

  static double median(List<ShareTurn> turns, ToDoubleFunction<ShareTurn> of) {
    return Medians.of(turns.stream().mapToDouble(of).boxed().toList());
  }
}

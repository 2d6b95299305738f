package io.tern.tools.history;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Broken rules: all are counted, [HistoryChecker#EXAMPLES_MAX] of each are told.
final class Findings {

  private final EnumMap<Rule, Long> counts = new EnumMap<>(Rule.class);
  private final List<Violation> examples = new ArrayList<>();

  /// @param log where; null when it is about no chat
  void add(Rule rule, @Nullable ChatLog log, Supplier<String> explanation) {
    long count = counts.merge(rule, 1L, Long::sum);
    if (count <= HistoryChecker.EXAMPLES_MAX) {
      examples.add(new Violation(rule, log == null ? null : log.chat, explanation.get()));
    }
  }

  List<Violation> examples() {
    return List.copyOf(examples);
  }

  Map<Rule, Long> counts() {
    return Map.copyOf(counts);
  }
}

package io.tern.tools.history;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// What the checker found.
///
/// @param violations at most [HistoryChecker#EXAMPLES_MAX] for each rule, in no particular order
/// @param counts how often each rule was broken, rules without a violation absent
/// @param totals what there was to check
public record Report(List<Violation> violations, Map<Rule, Long> counts, Totals totals) {

  /// The size of a history.
  ///
  /// @param entries in all chats' logs
  /// @param refused for good (4xx)
  /// @param unknown sends without an answer that says their outcome
  /// @param unknownThere of those, how many are in a log
  /// @param changes of groups that were acknowledged
  /// @param changesRefused for good
  public record Totals(
      long events,
      int devices,
      int chats,
      long entries,
      long sends,
      long acknowledged,
      long repeats,
      long refused,
      long unknown,
      long unknownThere,
      long deliveries,
      long receipts,
      long changes,
      long changesRefused) {}

  public boolean isClean() {
    return counts.isEmpty();
  }

  public long count(Rule rule) {
    return counts.getOrDefault(rule, 0L);
  }

  /// A person's view: totals on one line, then each broken rule with its examples.
  @Override
  public String toString() {
    var head =
        "%,d events of %d devices in %d chats: %,d sends (%,d acknowledged, %,d of them repeats, %,d refused, %,d unknown of which %,d there), %,d entries, %,d deliveries, %,d receipts, %,d changes of groups acknowledged, %,d refused"
            .formatted(
                totals.events,
                totals.devices,
                totals.chats,
                totals.sends,
                totals.acknowledged,
                totals.repeats,
                totals.refused,
                totals.unknown,
                totals.unknownThere,
                totals.entries,
                totals.deliveries,
                totals.receipts,
                totals.changes,
                totals.changesRefused);
    if (isClean()) {
      return head + ": no violation";
    }
    return counts.entrySet().stream()
        .map(broken ->
            broken.getKey()
                + " x "
                + broken.getValue()
                + " ("
                + broken.getKey().meaning()
                + ")"
                + violations.stream()
                    .filter(v -> v.rule() == broken.getKey())
                    .map(v -> "\n    " + v)
                    .collect(Collectors.joining()))
        .collect(Collectors.joining("\n  ", head + "\n  ", ""));
  }
}

package io.tern.tools.demo;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/// Compares what was sent with what everybody has: the sender's acknowledgements, the recipient's
/// log, the server's history. Every text of the demo is said only once, so a text names its
/// message.
///
/// Plain functions of what was recorded; the answer is empty when all is well.
final class Books {

  /// A message as its sender knows it: `seq` 0 while it is not acknowledged.
  record Sent(String from, String text, long seq) {}

  /// A message as somebody else has it.
  record Kept(String from, String text, long seq) {}

  private Books() {}

  /// @param sent by everybody; each sender's in the order they were sent
  /// @param received per person, what arrived from others, in the order it arrived
  /// @param history the server's, in its order
  static List<String> problems(
      List<Sent> sent, Map<String, List<Kept>> received, List<Kept> history) {
    var problems = new ArrayList<String>();
    var last = new HashMap<String, Long>();
    for (var message : sent) {
      if (message.seq() == 0) {
        problems.add("never acknowledged: " + quote(message.text()));
      } else if (last.getOrDefault(message.from(), 0L) >= message.seq()) {
        problems.add("out of order at the server: " + quote(message.text()));
      } else {
        last.put(message.from(), message.seq());
      }
    }
    received.forEach((person, log) -> compareLog(person, sent, log, problems));
    compareHistory(sent, history, problems);
    return problems;
  }

  private static void compareLog(
      String person, List<Sent> sent, List<Kept> log, List<String> problems) {
    var bySeq = new HashMap<Long, Sent>();
    for (var message : sent) {
      if (!message.from().equals(person) && message.seq() > 0) {
        bySeq.put(message.seq(), message);
      }
    }
    var seen = new HashSet<String>();
    long last = 0;
    for (var kept : log) {
      if (!seen.add(kept.text())) {
        problems.add(person + " has this twice: " + quote(kept.text()));
      } else {
        var original = bySeq.remove(kept.seq());
        if (original == null || !original.text().equals(kept.text())) {
          problems.add(person + " has what was not sent there: " + quote(kept.text()));
        }
      }
      if (kept.seq() <= last) {
        problems.add(person + " got this out of order: " + quote(kept.text()));
      }
      last = Math.max(last, kept.seq());
    }
    for (var lost : bySeq.values()) {
      problems.add(person + " never got: " + quote(lost.text()));
    }
  }

  private static void compareHistory(List<Sent> sent, List<Kept> history, List<String> problems) {
    var bySeq = new HashMap<Long, Sent>();
    sent.forEach(message -> bySeq.put(message.seq(), message));
    long expected = 1;
    for (var entry : history) {
      if (entry.seq() != expected) {
        problems.add("the history has a hole or a repeat before seq " + entry.seq());
      }
      expected = entry.seq() + 1;
      var original = bySeq.remove(entry.seq());
      if (original == null
          || !original.text().equals(entry.text())
          || !original.from().equals(entry.from())) {
        problems.add("the history has what nobody sent: " + quote(entry.text()));
      }
    }
    bySeq.remove(0L);
    for (var lost : bySeq.values()) {
      problems.add("the history lacks: " + quote(lost.text()));
    }
  }

  private static String quote(String text) {
    var line = text.replace('\n', ' ');
    int end = line.offsetByCodePoints(0, Math.min(40, line.codePointCount(0, line.length())));
    return "“" + line.substring(0, end) + (end < line.length() ? "…" : "") + "”";
  }
}

package io.tern.bench.scenario;

import io.tern.bench.scenario.Loops.Loop;
import io.tern.bench.scenario.Loops.Run;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/// Tern next to the yardstick: both loops, both subjects, in every round.
final class Comparison {

  private final Bench bench;
  private final Map<Loop, Map<Subject, List<Run>>> runs = new EnumMap<>(Loop.class);

  private final Set<Subject> subjects;

  Comparison(Bench bench, Set<Subject> subjects) {
    this.bench = bench;
    this.subjects = subjects;
  }

  void run() throws IOException, InterruptedException {
    var loops = new Loops(bench);
    for (int round = 1; round <= bench.rounds(); round++) {
      for (Loop loop : Loop.values()) {
        for (Subject subject : subjects) {
          String name = loop.label() + "-" + subject.label().toLowerCase(Locale.ROOT) + "-" + round;
          Run run = loops.run(subject, loop, name, bench.serverOptions());
          runs.computeIfAbsent(loop, l -> new EnumMap<>(Subject.class))
              .computeIfAbsent(subject, s -> new ArrayList<>())
              .add(run);
        }
      }
    }
  }

  List<Run> runs(Loop loop, Subject subject) {
    return runs.getOrDefault(loop, Map.of()).getOrDefault(subject, List.of());
  }

  double median(Loop loop, Subject subject, String... path) {
    return Medians.of(runs(loop, subject).stream().map(r -> r.number(path)).toList());
  }

  /// Tern's figure over the yardstick's, each round for itself: the median of that.
  double ratio(Loop loop, String... path) {
    List<Run> tern = runs(loop, Subject.TERN);
    List<Run> yardstick = runs(loop, Subject.YARDSTICK);
    var ratios = new ArrayList<Double>();
    for (int i = 0; i < Math.min(tern.size(), yardstick.size()); i++) {
      ratios.add(tern.get(i).number(path) / yardstick.get(i).number(path));
    }
    return Medians.of(ratios);
  }
}

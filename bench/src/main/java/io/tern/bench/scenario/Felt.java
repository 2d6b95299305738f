package io.tern.bench.scenario;

import java.util.ArrayList;
import java.util.List;

/// SENT p99 of people who go on writing, in milliseconds, one of each round: when nobody comes
/// back, and beside those who do.
record Felt(List<Double> alone, List<Double> beside) {

  Felt {
    if (alone.size() != beside.size()) {
      throw new IllegalArgumentException("rounds without a counterpart");
    }
    alone = List.copyOf(alone);
    beside = List.copyOf(beside);
  }

  double aloneMillis() {
    return Medians.of(alone);
  }

  double besideMillis() {
    return Medians.of(beside);
  }

  /// The median of what each round says: two medians may be of different rounds, and so of
  /// different minutes of the machine.
  double ratio() {
    return Medians.of(ratios());
  }

  List<Double> ratios() {
    var ratios = new ArrayList<Double>();
    for (int i = 0; i < alone.size(); i++) {
      ratios.add(beside.get(i) / alone.get(i));
    }
    return ratios;
  }
}

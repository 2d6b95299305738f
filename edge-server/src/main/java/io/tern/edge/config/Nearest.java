package io.tern.edge.config;

import java.util.Comparator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// What somebody who mistyped a key probably meant.
final class Nearest {

  /// A key with more letters wrong than a third of it is another key.
  private static final int PART = 3;

  private Nearest() {}

  /// The name that takes the fewest letters to be put in, left out, changed or swapped with the
  /// next; of equals the first by the alphabet. Null when none is near.
  static @Nullable String to(String name, Stream<String> names) {
    return names
        .filter(other -> distance(name, other) <= Math.max(1, name.length() / PART))
        .min(
            Comparator.<String>comparingInt(other -> distance(name, other))
                .thenComparing(Comparator.naturalOrder()))
        .orElse(null);
  }

  /// Damerau's distance, without changes between swapped letters.
  private static int distance(String a, String b) {
    int[][] cost = new int[a.length() + 1][b.length() + 1];
    for (int i = 0; i <= a.length(); i++) {
      for (int j = 0; j <= b.length(); j++) {
        if (i == 0 || j == 0) {
          cost[i][j] = i + j;
          continue;
        }
        int change = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
        int least =
            Math.min(cost[i - 1][j - 1] + change, Math.min(cost[i - 1][j], cost[i][j - 1]) + 1);
        if (i > 1
            && j > 1
            && a.charAt(i - 1) == b.charAt(j - 2)
            && a.charAt(i - 2) == b.charAt(j - 1)) {
          least = Math.min(least, cost[i - 2][j - 2] + 1);
        }
        cost[i][j] = least;
      }
    }
    return cost[a.length()][b.length()];
  }
}

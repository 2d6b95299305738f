package io.tern.router;

import java.util.function.LongConsumer;

/// Runs something from many seeds.
public final class Seeds {

  private Seeds() {}

  /// Runs it from `count` seeds in a row, or from the one that `-Dtern.seed` names. A failure says
  /// which it was.
  public static void each(int count, LongConsumer run) {
    Long one = Long.getLong("tern.seed");
    long first = one != null ? one : System.nanoTime();
    long end = first + (one != null ? 1 : count);
    for (long seed = first; seed < end; seed++) {
      try {
        run.accept(seed);
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
  }
}

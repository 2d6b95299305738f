package io.tern.edge.session;

/// A token bucket in one long: the time at which it would be full again (GCRA). Pure functions.
final class Budget {

  private Budget() {}

  /// How long the bucket is overdrawn after one more unit; 0 or less: within the budget.
  ///
  /// @param full when the bucket is full again
  static long overdraft(long full, long now, int rate, int burst) {
    long interval = 1_000_000_000L / rate;
    return Math.max(full - now, 0) + interval - interval * burst;
  }

  /// The new time at which the bucket is full, after one more unit.
  static long charge(long full, long now, int rate) {
    return now + Math.max(full - now, 0) + 1_000_000_000L / rate;
  }
}

package io.tern.tools.simulation;

/// A world without delays and faults: what is to happen happens at once, in order.
final class CalmWorld extends World {

  /// Rare, for each costs a look at every slot.
  static final long TICK_MICROS = 4_000_000;

  private static final long STARTED_MICROS = 2_000_000;

  CalmWorld(long seed) {
    super(seed);
  }

  @Override
  long some(long from, long to) {
    return Math.min(from, 20);
  }

  @Override
  boolean oneIn(int n) {
    return false;
  }

  @Override
  long tickMicros() {
    // At first often, until the shards have looked at all their slots for what is due.
    return micros() < STARTED_MICROS ? 100_000 : TICK_MICROS;
  }
}

package io.tern.tools.simulation;

/// A world without delays and faults: what is to happen happens at once, in order.
final class CalmWorld extends World {

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
    return 1_000_000;
  }
}

package io.tern.tools.simulation;

import java.util.PriorityQueue;
import java.util.Random;

/// Simulated time: what is to happen, in order. Two things at the same moment happen in the order
/// in which they were planned, so a seed always tells the same story.
class World {

  private record Event(long atMicros, long order, Runnable what) {}

  final Random random;

  /// The wall clock starts somewhere realistic; nothing may depend on where.
  private static final long WALL_MILLIS = 1_790_000_000_000L;

  private final PriorityQueue<Event> events =
      new PriorityQueue<>((a, b) ->
          a.atMicros != b.atMicros
              ? Long.compare(a.atMicros, b.atMicros)
              : Long.compare(a.order, b.order));
  private long nowMicros = 1_000_000;
  private long order;
  private long stamp;

  World(long seed) {
    random = new Random(seed);
  }

  long micros() {
    return nowMicros;
  }

  long millis() {
    return nowMicros / 1_000;
  }

  long nanos() {
    return nowMicros * 1_000;
  }

  long wallMillis() {
    return WALL_MILLIS + millis();
  }

  /// Rises with every call: the order in which things were recorded.
  long stamp() {
    return ++stamp;
  }

  void in(long micros, Runnable what) {
    events.add(new Event(nowMicros + Math.max(0, micros), order++, what));
  }

  /// Between `from` and `to` microseconds, small values far more often.
  long some(long from, long to) {
    double u = random.nextDouble();
    return from + (long) ((to - from) * u * u * u);
  }

  boolean oneIn(int n) {
    return random.nextInt(n) == 0;
  }

  /// Between two looks of the server at what is due.
  long tickMicros() {
    return 500_000;
  }

  /// Lets everything happen that is planned for the next `micros`.
  void run(long micros) {
    long until = nowMicros + micros;
    while (!events.isEmpty() && events.peek().atMicros <= until) {
      Event next = events.remove();
      nowMicros = next.atMicros;
      next.what.run();
    }
    nowMicros = until;
  }
}

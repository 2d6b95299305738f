package io.tern.edge.metrics;

import io.tern.protocol.ErrorCode;
import java.util.concurrent.atomic.LongAdder;

/// The edge's counters. Any thread; adding never locks (a [LongAdder] each, a few nanoseconds).
@SuppressWarnings("EnumOrdinal") // an array per enum, on the path of every frame; kept nowhere
public final class Counters {

  private final LongAdder[] counts = adders(Count.values().length);
  private final LongAdder[] errors = adders(ErrorCode.values().length);

  public void add(Count count) {
    counts[count.ordinal()].increment();
  }

  public void add(Count count, long n) {
    counts[count.ordinal()].add(n);
  }

  /// An ERROR or GOAWAY with this code was written.
  public void addError(ErrorCode code) {
    errors[code.ordinal()].increment();
  }

  public long get(Count count) {
    return counts[count.ordinal()].sum();
  }

  public long getError(ErrorCode code) {
    return errors[code.ordinal()].sum();
  }

  /// Sessions that are up at this moment, or nearly: the two counts are not read at one instant.
  public long sessions() {
    long ended = get(Count.SESSIONS_ENDED);
    return Math.max(0, get(Count.HELLOS) - ended);
  }

  private static LongAdder[] adders(int n) {
    var adders = new LongAdder[n];
    for (int i = 0; i < n; i++) {
      adders[i] = new LongAdder();
    }
    return adders;
  }
}

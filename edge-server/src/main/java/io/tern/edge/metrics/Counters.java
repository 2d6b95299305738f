package io.tern.edge.metrics;

import io.tern.protocol.ErrorCode;
import java.util.concurrent.atomic.LongAdder;

/// The edge's counters. Any thread; adding never locks (a [LongAdder] each, a few nanoseconds).
@SuppressWarnings("EnumOrdinal") // an array per enum, on the path of every frame; kept nowhere
public final class Counters {

  /// Which way in the one came who was refused.
  public enum Door {
    TCP,
    TLS,
    WEBSOCKET,
    HTTP,
    ADMIN;

    /// While this process lives.
    public int number() {
      return ordinal();
    }

    /// The door with this number.
    public static Door of(int number) {
      return values()[number];
    }
  }

  private static final int CODES = ErrorCode.values().length;

  private final LongAdder[] counts = adders(Count.values().length);
  private final LongAdder[] errors = adders(Door.values().length * CODES);

  public void add(Count count) {
    counts[count.ordinal()].increment();
  }

  public void add(Count count, long n) {
    counts[count.ordinal()].add(n);
  }

  /// An ERROR or GOAWAY with this code was written, or a request refused with it.
  public void addError(Door door, ErrorCode code) {
    errors[place(door, code)].increment();
  }

  public long get(Count count) {
    return counts[count.ordinal()].sum();
  }

  public long getError(Door door, ErrorCode code) {
    return errors[place(door, code)].sum();
  }

  private static int place(Door door, ErrorCode code) {
    return door.ordinal() * CODES + code.ordinal();
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

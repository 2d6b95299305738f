package io.tern.edge.session;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/// The sessions of one event loop while the edge is drained: tells them to leave, and closes those
/// that stay. Confined to the loop, except [#expect] and [#isClear].
///
/// Bounds: holds each session once, and none that has ended for longer than a tick.
public final class Leaving {

  /// About 0.3 ms.
  private static final int TOLD_A_TICK = 512;

  private final Drain drain;
  private final SessionTable sessions;

  /// The drain that is under way here.
  private long number;

  private final ArrayDeque<SessionLogic> untold = new ArrayDeque<>(0);

  /// Told sessions in the order of their deadlines: they all have the same grace.
  private final Map<SessionLogic, Long> told = new LinkedHashMap<>();

  private volatile boolean clear;

  public Leaving(Drain drain, SessionTable sessions) {
    this.drain = drain;
    this.sessions = sessions;
  }

  /// A drain begins.
  void expect() {
    clear = false;
  }

  /// Whether no session is left.
  boolean isClear() {
    return clear;
  }

  /// Goes on with the drain, twenty times a second or so. False when there is nothing more to do.
  public boolean tick(long now) {
    if (drain.isInService()) {
      untold.clear();
      told.clear();
      return false;
    }
    if (number != drain.number()) {
      number = drain.number();
      untold.clear();
      told.clear();
    }
    lookAtTold(now);
    boolean others = untold.isEmpty() && lookForUntold();
    tell(now);
    if (!others && untold.isEmpty() && told.isEmpty()) {
      clear = true;
      drain.onClear();
      return false;
    }
    return true;
  }

  private void lookAtTold(long now) {
    for (Iterator<Map.Entry<SessionLogic, Long>> all = told.entrySet().iterator();
        all.hasNext(); ) {
      Map.Entry<SessionLogic, Long> one = all.next();
      SessionLogic session = one.getKey();
      if (session.isClosing()) {
        all.remove();
        drain.onLeft();
      } else if (now - one.getValue() >= 0) {
        all.remove();
        drain.onClosed();
        session.disconnect(CloseReason.DRAIN, "told, and stayed", now);
      }
    }
  }

  /// Whether a login from before the drain is still under way.
  private boolean lookForUntold() {
    boolean identifying = false;
    for (SessionLogic session : sessions.all()) {
      if (session.isLive() && !told.containsKey(session)) {
        untold.add(session);
      }
      identifying |= session.isIdentifying();
    }
    return identifying;
  }

  private void tell(long now) {
    for (int i = 0; i < TOLD_A_TICK && !untold.isEmpty(); ) {
      if (!untold.element().isLive()) {
        untold.remove();
      } else if (drain.tellsOne(now)) {
        SessionLogic session = untold.remove();
        session.goAway(drain.grace());
        told.put(session, now + drain.grace().toNanos());
        i++;
      } else {
        return;
      }
    }
  }
}

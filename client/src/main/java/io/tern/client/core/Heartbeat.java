package io.tern.client.core;

/// When to say PING, and when a connection that says nothing is dead. Any frame in either direction
/// is a sign of life in that direction: a PING goes out when one of them has been silent for the
/// interval.
///
/// Adaptive from [#ADAPTIVE_MILLIS_MIN] on: mobile networks drop silent connections after a time
/// that nobody knows. Each few PINGs that were answered try a longer interval, one that was not
/// goes back and stays.
final class Heartbeat {

  enum Due {
    NOTHING,
    PING,
    DEAD
  }

  static final long ADAPTIVE_MILLIS_MIN = 210_000;
  static final long ADAPTIVE_MILLIS_MAX = 600_000;
  static final long STEP_MILLIS = 30_000;
  static final int GOOD_PINGS = 3;
  static final long PONG_MILLIS_MAX = 20_000;

  private long intervalMillis;
  private long growthMax;
  private int goodPings;
  private boolean connected;
  private long readAt;
  private long writtenAt;
  private long pingedAt = -1;
  private boolean awaitsPong;

  Heartbeat(long intervalMillis) {
    this.intervalMillis = intervalMillis;
    growthMax = intervalMillis >= ADAPTIVE_MILLIS_MIN ? ADAPTIVE_MILLIS_MAX : intervalMillis;
  }

  int pingSeconds() {
    return (int) Math.max(1, intervalMillis / 1000);
  }

  /// When the last PING went out; -1: none on this connection.
  long pingedAt() {
    return pingedAt;
  }

  void onConnected(long now) {
    connected = true;
    readAt = now;
    writtenAt = now;
    pingedAt = -1;
    awaitsPong = false;
  }

  void onDisconnected() {
    connected = false;
    awaitsPong = false;
  }

  /// What HELLO_ACK granted; 0 where it said nothing. The server's idle limit is 1.5 pings and 10
  /// s.
  void configure(int pingSeconds, int idleSeconds) {
    if (pingSeconds > 0 && pingSeconds * 1000L < intervalMillis) {
      intervalMillis = pingSeconds * 1000L;
    }
    if (idleSeconds > 0) {
      long most = Math.max(1000, (idleSeconds - 10) * 1000L * 2 / 3);
      intervalMillis = Math.min(intervalMillis, most);
    }
  }

  void onRead(long now) {
    readAt = now;
    awaitsPong = false;
  }

  void onWrite(long now) {
    writtenAt = now;
  }

  /// A PING was answered. Returns whether the interval is longer now, which the server must know.
  boolean onPong() {
    if (++goodPings < GOOD_PINGS || intervalMillis + STEP_MILLIS > growthMax) {
      return false;
    }
    goodPings = 0;
    intervalMillis += STEP_MILLIS;
    return true;
  }

  long deadline() {
    if (!connected) {
      return ClientCore.NEVER;
    }
    return awaitsPong ? pingedAt + PONG_MILLIS_MAX : Math.min(readAt, writtenAt) + intervalMillis;
  }

  Due onTimer(long now) {
    if (now < deadline()) {
      return Due.NOTHING;
    }
    if (!awaitsPong) {
      awaitsPong = true;
      pingedAt = now;
      return Due.PING;
    }
    goodPings = 0;
    if (intervalMillis > ADAPTIVE_MILLIS_MIN) {
      intervalMillis = Math.max(ADAPTIVE_MILLIS_MIN, intervalMillis - 2 * STEP_MILLIS);
      growthMax = intervalMillis;
    }
    return Due.DEAD;
  }
}

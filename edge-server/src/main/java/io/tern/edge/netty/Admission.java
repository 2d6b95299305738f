package io.tern.edge.netty;

import io.tern.edge.config.LimitsConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.net.InetAddress;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// Who may connect: counts connections in all, and per address those that have not logged in and
/// those that failed to in the last minute. Any thread; no locks but the map's bins.
///
/// Bounds: an address is kept only while it has such a connection, or until the minute of its
/// failures ends; at most [#FAILING_MAX] failing addresses are told apart (others pass unchecked
/// until the minute ends: an attacker with so many addresses is not stopped by counting addresses).
///
/// Connections from loopback may be exempt: everything behind it is this machine's own, and load
/// tests come from there.
final class Admission {

  static final int FAILING_MAX = 65_536;

  private static final long MINUTE_NANOS = 60_000_000_000L;

  private final LimitsConfig limits;
  private final Counters counters;

  private final AtomicInteger connections = new AtomicInteger();
  private final ConcurrentHashMap<InetAddress, Integer> unauthenticated = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<InetAddress, Integer> failures = new ConcurrentHashMap<>();
  private final AtomicLong minuteBegan = new AtomicLong(System.nanoTime());

  /// Told after each connection that ends.
  private final Runnable onLeave;

  Admission(LimitsConfig limits, Counters counters, Runnable onLeave) {
    this.limits = limits;
    this.counters = counters;
    this.onLeave = onLeave;
  }

  /// The address to account a connection to; null when it is exempt.
  @Nullable InetAddress accountable(InetAddress address) {
    return limits.loopbackExempt() && address.isLoopbackAddress() ? null : address;
  }

  /// Counts a new connection in, or says no; then it is not counted.
  ///
  /// @param address null when exempt
  boolean enter(@Nullable InetAddress address) {
    if (connections.incrementAndGet() > limits.connectionsMax()) {
      connections.decrementAndGet();
      counters.add(Count.CONNECTIONS_REFUSED_TOTAL_MAX);
      return false;
    }
    if (address != null) {
      newMinute();
      if (failures.getOrDefault(address, 0) >= limits.failuresPerMinuteMax()) {
        connections.decrementAndGet();
        counters.add(Count.CONNECTIONS_REFUSED_FAILURES);
        return false;
      }
      if (unauthenticated.merge(address, 1, Integer::sum) > limits.unauthenticatedPerIpMax()) {
        leave(address);
        counters.add(Count.CONNECTIONS_REFUSED_PER_IP);
        return false;
      }
    }
    counters.add(Count.CONNECTIONS_ACCEPTED);
    return true;
  }

  /// Charges a connection that entered without an address, now that a proxy has told it. False:
  /// this address may not; the connection stays counted until it leaves.
  boolean charge(InetAddress address) {
    newMinute();
    if (failures.getOrDefault(address, 0) >= limits.failuresPerMinuteMax()) {
      counters.add(Count.CONNECTIONS_REFUSED_FAILURES);
      return false;
    }
    if (unauthenticated.merge(address, 1, Integer::sum) > limits.unauthenticatedPerIpMax()) {
      loggedIn(address);
      counters.add(Count.CONNECTIONS_REFUSED_PER_IP);
      return false;
    }
    return true;
  }

  /// The connection has logged in: its address is no longer charged.
  void loggedIn(InetAddress address) {
    unauthenticated.computeIfPresent(address, (a, n) -> n <= 1 ? null : n - 1);
  }

  /// The connection has ended.
  ///
  /// @param address null when exempt, or logged in before
  void leave(@Nullable InetAddress address) {
    connections.decrementAndGet();
    if (address != null) {
      loggedIn(address);
    }
    onLeave.run();
  }

  /// A connection from `address` ended by its own fault without a login.
  void failed(InetAddress address) {
    newMinute();
    if (failures.size() < FAILING_MAX) {
      failures.merge(address, 1, Integer::sum);
    }
  }

  boolean isFull() {
    return connections.get() >= limits.connectionsMax();
  }

  int connections() {
    return connections.get();
  }

  private void newMinute() {
    long began = minuteBegan.get();
    long now = System.nanoTime();
    if (now - began >= MINUTE_NANOS && minuteBegan.compareAndSet(began, now)) {
      failures.clear();
    }
  }
}

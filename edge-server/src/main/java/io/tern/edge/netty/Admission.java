package io.tern.edge.netty;

import io.tern.accounts.budget.Block;
import io.tern.accounts.budget.Budget;
import io.tern.accounts.budget.Budgets;
import io.tern.edge.config.BudgetsConfig;
import io.tern.edge.config.LimitsConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.net.InetAddress;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// Who may connect: counts connections in all, of each subscriber's address those that are open,
/// those that have not logged in and those that failed to in the last minute, and of each network
/// those that have not logged in. Any thread; no locks but the maps' bins.
///
/// Bounds: an address is kept only while it has such a connection, or until the minute of its
/// failures ends; at most [#FAILING_MAX] failing addresses are told apart (others pass unchecked
/// until the minute ends: an attacker with so many addresses is not stopped by counting addresses,
/// but by the network's bound). New connections a minute: [Budgets].
///
/// Connections from loopback may be exempt: everything behind it is this machine's own, and load
/// tests come from there.
final class Admission {

  static final int FAILING_MAX = 65_536;

  private static final long MINUTE_NANOS = 60_000_000_000L;

  private final LimitsConfig limits;
  private final BudgetsConfig budgets;
  private final Counters counters;
  private final LongSupplier nanoTime;

  private final AtomicInteger connections = new AtomicInteger();
  private final ConcurrentHashMap<Block, Integer> open = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<Block, Integer> unauthenticated = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<Block, Integer> failures = new ConcurrentHashMap<>();
  private final @Nullable Budgets<Block> connects;
  private final AtomicLong minuteBegan;

  /// Told after each connection that ends.
  private final Runnable onLeave;

  Admission(
      LimitsConfig limits,
      BudgetsConfig budgets,
      Counters counters,
      LongSupplier nanoTime,
      Runnable onLeave) {
    this.limits = limits;
    this.budgets = budgets;
    this.counters = counters;
    this.nanoTime = nanoTime;
    this.onLeave = onLeave;
    minuteBegan = new AtomicLong(nanoTime.getAsLong());
    connects =
        budgets.connectsPerIpPerMinute() == 0
            ? null
            : new Budgets<>(
                budgets.keysMax(), nanoTime, Budget.perMinute(budgets.connectsPerIpPerMinute()));
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
    if (address != null && !charge(address)) {
      connections.decrementAndGet();
      onLeave.run();
      return false;
    }
    counters.add(Count.CONNECTIONS_ACCEPTED);
    return true;
  }

  /// Charges a connection that entered without an address, now that a proxy has told it. False:
  /// this address may not, and is not charged; the connection stays counted until it leaves.
  boolean charge(InetAddress address) {
    newMinute();
    var one = Block.of(address);
    if (failures.getOrDefault(one, 0) >= limits.failuresPerMinuteMax()) {
      counters.add(Count.CONNECTIONS_REFUSED_FAILURES);
      return false;
    }
    if (!in(unauthenticated, one, limits.unauthenticatedPerIpMax())) {
      counters.add(Count.CONNECTIONS_REFUSED_PER_IP);
      return false;
    }
    var network = Block.wide(address);
    if (!in(unauthenticated, network, budgets.unauthenticatedPerNetworkMax())) {
      out(unauthenticated, one);
      counters.add(Count.CONNECTIONS_REFUSED_NETWORK);
      return false;
    }
    if (!in(open, one, budgets.connectionsPerIpMax())) {
      loggedIn(address);
      counters.add(Count.CONNECTIONS_REFUSED_OPEN);
      return false;
    }
    if (connects != null && connects.take(one) > 0) {
      loggedIn(address);
      out(open, one);
      counters.add(Count.CONNECTIONS_REFUSED_RATE);
      return false;
    }
    return true;
  }

  /// The connection has logged in: its address is no longer charged as one that has not.
  void loggedIn(InetAddress address) {
    out(unauthenticated, Block.of(address));
    out(unauthenticated, Block.wide(address));
  }

  /// The connection has ended.
  ///
  /// @param address whom it is charged to; null when exempt
  /// @param inside whether it had logged in
  void leave(@Nullable InetAddress address, boolean inside) {
    connections.decrementAndGet();
    if (address != null) {
      if (!inside) {
        loggedIn(address);
      }
      out(open, Block.of(address));
    }
    onLeave.run();
  }

  /// A connection from `address` ended by its own fault without a login.
  void failed(InetAddress address) {
    newMinute();
    if (failures.size() < FAILING_MAX) {
      failures.merge(Block.of(address), 1, Integer::sum);
    }
  }

  /// @param max 0 for any number
  private static boolean in(ConcurrentHashMap<Block, Integer> counts, Block block, int max) {
    if (counts.merge(block, 1, Integer::sum) > max && max > 0) {
      out(counts, block);
      return false;
    }
    return true;
  }

  private static void out(ConcurrentHashMap<Block, Integer> counts, Block block) {
    counts.computeIfPresent(block, (b, n) -> n <= 1 ? null : n - 1);
  }

  boolean isFull() {
    return connections.get() >= limits.connectionsMax();
  }

  int connections() {
    return connections.get();
  }

  /// Addresses and networks that are kept.
  int keys() {
    return open.size()
        + unauthenticated.size()
        + failures.size()
        + (connects == null ? 0 : connects.keys());
  }

  private void newMinute() {
    long began = minuteBegan.get();
    long now = nanoTime.getAsLong();
    if (now - began >= MINUTE_NANOS && minuteBegan.compareAndSet(began, now)) {
      failures.clear();
    }
  }
}

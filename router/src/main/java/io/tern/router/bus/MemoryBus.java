package io.tern.router.bus;

import io.tern.router.Bus;
import io.tern.router.Deliveries;
import io.tern.router.Delivery;
import io.tern.router.EdgeId;
import io.tern.router.RouterMetrics;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/// The bus of one process: a call. The sender's thread runs [Deliveries#deliver], which returns at
/// once, so order is kept and nothing waits here.
///
/// Any thread may call any method.
public final class MemoryBus implements Bus {

  private final ConcurrentHashMap<EdgeId, Deliveries> receivers = new ConcurrentHashMap<>();
  private final LongAdder dropped = new LongAdder();
  private final RouterMetrics metrics;

  public MemoryBus(RouterMetrics metrics) {
    this.metrics = metrics;
  }

  @Override
  public void toEdge(EdgeId edge, List<Delivery> deliveries) {
    var receiver = receivers.get(edge);
    if (receiver == null) {
      dropped.add(deliveries.size());
      metrics.onBusDrop(deliveries.size());
      return;
    }
    receiver.deliver(deliveries);
  }

  @Override
  public void toEveryEdge(Delivery delivery) {
    for (Deliveries receiver : receivers.values()) {
      receiver.deliver(List.of(delivery));
    }
  }

  @Override
  public void register(EdgeId edge, Deliveries deliveries) {
    if (receivers.putIfAbsent(edge, deliveries) != null) {
      throw new IllegalStateException(edge + " is registered already");
    }
  }

  @Override
  public void unregister(EdgeId edge) {
    receivers.remove(edge);
  }

  /// Deliveries that found no receiver.
  public long dropped() {
    return dropped.sum();
  }
}

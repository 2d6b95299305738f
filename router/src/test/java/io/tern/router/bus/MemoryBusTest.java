package io.tern.router.bus;

import io.tern.router.Bus;
import io.tern.router.RouterMetrics;

class MemoryBusTest extends BusContract {

  private final MemoryBus memory = new MemoryBus(RouterMetrics.NONE);

  @Override
  Bus create() {
    return memory;
  }

  @Override
  long dropped() {
    return memory.dropped();
  }
}

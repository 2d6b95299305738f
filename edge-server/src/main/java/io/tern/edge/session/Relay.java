package io.tern.edge.session;

import io.tern.router.Delivery;
import io.tern.router.EdgeId;

/// Hands something to the sessions of an edge, this one or another. Any thread; never blocks.
@FunctionalInterface
public interface Relay {
  void tell(EdgeId edge, Delivery delivery);
}

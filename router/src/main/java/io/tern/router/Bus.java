package io.tern.router;

import java.util.List;

/// How processes talk: memory, or NATS. May lose messages, never reorders those of one sender to
/// one receiver; whoever needs certainty acknowledges end to end.
public interface Bus {

  /// Hands everything that one ring batch has for an edge over as one message. Called by dispatch
  /// threads; may block them shortly, never an event loop.
  void toEdge(EdgeId edge, List<Delivery> deliveries);
}

package io.tern.router;

import java.util.List;

/// Takes what the shards have for an edge's sessions. Implemented by the edge server.
public interface Deliveries {

  /// Called by a dispatch thread with everything that one ring batch has for this edge, in order;
  /// returns at once. The list and its arrays are immutable and may be kept.
  void deliver(List<Delivery> batch);
}

package io.tern.router;

import java.util.List;

/// How processes talk: memory, or NATS. May lose messages, never reorders those of one sender to
/// one receiver; whoever needs certainty acknowledges end to end.
///
/// A receiver is an edge or a dispatcher (which hears what became of the commands it sent to other
/// shards); both are addressed by an [EdgeId].
public interface Bus {

  /// Hands everything that one ring batch has for a receiver over as one message. Called by
  /// dispatch threads, and by an edge for what passes no shard; may block them shortly if the bus
  /// is not in memory.
  ///
  /// A receiver that is not there (another life of it may be): counted and dropped.
  void toEdge(EdgeId edge, List<Delivery> deliveries);

  /// Hands one thing to everyone who is registered, edges or not; who has nothing to do with it
  /// passes it over. For what is rare and must not depend on the directory.
  void toEveryEdge(Delivery delivery);

  /// From now on `deliveries` gets what is sent to `edge`. Any thread. At most one receiver for
  /// each id.
  ///
  /// @throws IllegalStateException when there is one
  void register(EdgeId edge, Deliveries deliveries);

  /// Ends what [#register] began; does nothing where nothing was registered. Any thread.
  void unregister(EdgeId edge);
}

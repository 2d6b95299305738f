package io.tern.router;

/// What the router counts. Implemented by whoever exports metrics; called on the threads named, so
/// it must be cheap and never block.
public interface RouterMetrics {

  RouterMetrics NONE = new RouterMetrics() {};

  /// A command found the ring of `shard` full (events or bytes). Any thread.
  default void onRefused(int shard) {}

  /// A batch is taken up: told of its first command that is timed. Prepare thread.
  ///
  /// @param nanos since an edge took it off its socket
  default void onTaken(int shard, long nanos) {}

  /// A batch has been prepared, and its commit begins. Prepare thread.
  ///
  /// @param nanos since its first command was taken up
  default void onPrepared(int shard, long nanos) {}

  /// A batch has been committed. Prepare thread.
  ///
  /// @param events commands in it
  /// @param bytes of its writes
  /// @param nanos how long the commit took
  default void onCommit(int shard, int events, int bytes, long nanos) {}

  /// A round has been dispatched. Dispatch thread.
  ///
  /// @param lagNanos from the end of its commit to the end of its dispatch
  default void onDispatched(int shard, int events, long lagNanos) {}

  /// An edge has been handed `deliveries` things as one message. Dispatch thread.
  default void onDeliveries(int deliveries) {}

  /// The push queue has been offered an intent. Dispatch thread.
  default void onPush(boolean accepted) {}

  /// An entry was not acknowledged by a connected recipient in time. Dispatch thread.
  default void onWatchExpired() {}

  /// A session has been told to look into the store. Dispatch thread.
  default void onNudge() {}

  /// The directory has said where some users are. Dispatch thread.
  default void onLookedUp(long nanos) {}

  /// The directory did not answer. Dispatch thread.
  default void onDirectoryFailed() {}

  /// Something for a receiver that is not there was dropped. Any thread.
  default void onBusDrop(int deliveries) {}

  /// The readers' queue was full. Any thread.
  default void onReadersRefused() {}
}

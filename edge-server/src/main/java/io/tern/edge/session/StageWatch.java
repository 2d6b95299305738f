package io.tern.edge.session;

/// Hears how long the stages of some messages took. A sample, not every message: per-message facts
/// are counters. Any thread; never blocks.
public interface StageWatch {

  /// What is timed.
  enum Stage {
    /// From a SEND read off the socket to its SENT written.
    SEND_TO_SENT,
    /// From a DELIVER written to the ACK that covers it.
    DELIVER_TO_ACK,
    /// From a HELLO read to its HELLO_ACK written.
    HELLO,
    /// From a question asked of the readers to its answer on the event loop.
    QUESTION
  }

  void took(Stage stage, long nanos);

  StageWatch NONE = (stage, nanos) -> {};
}

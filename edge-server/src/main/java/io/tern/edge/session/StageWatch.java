package io.tern.edge.session;

/// Hears how long stages took: of a batch, a login or a page, and of messages a sample, because
/// per-message facts are counters. Any thread; never blocks.
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
    QUESTION,
    /// From a batch handed to the edge by the bus to the end of the pass, or of the round, that
    /// wrote it to its sockets.
    BUS_TO_WRITE,
    /// From a page of catch-up asked of the readers to its entries written.
    CATCH_UP_PAGE,
    /// A login's token or ticket checked.
    TOKEN,
    /// A text taken or refused by the provider.
    SMS
  }

  void took(Stage stage, long nanos);

  StageWatch NONE = (stage, nanos) -> {};
}

package io.tern.bench.yardstick;

/// One SEND on its way through the bare loop.
final class Arrival {

  /// Given by the committer before it hands the batch back to the event loop.
  long seq;

  private final BareConnection from;
  private final int rid;
  private final long chat;
  private final byte[] body;

  Arrival(BareConnection from, int rid, long chat, byte[] body) {
    this.from = from;
    this.rid = rid;
    this.chat = chat;
    this.body = body;
  }

  BareConnection from() {
    return from;
  }

  int rid() {
    return rid;
  }

  long chat() {
    return chat;
  }

  byte[] body() {
    return body;
  }
}

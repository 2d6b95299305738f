package io.tern.edge.session;

/// What a session has not pushed yet of a chat whose last entries its loop keeps: all from `next`
/// to `last`. Confined to the session's event loop.
final class Trail {

  private final RecentEntries.Tail tail;
  private long next;
  private long last;

  /// @param seq of a live entry that had no place
  Trail(RecentEntries.Tail tail, long seq) {
    this.tail = tail;
    next = seq;
    last = seq;
  }

  RecentEntries.Tail tail() {
    return tail;
  }

  /// To be pushed next.
  long next() {
    return next;
  }

  void pushed() {
    next++;
  }

  boolean isDone() {
    return next > last;
  }

  /// One more live entry of the chat. False when it does not follow the one before: what is between
  /// did not come to this session, so it cannot tell what to leave out.
  boolean extend(long seq) {
    if (seq != last + 1) {
      return false;
    }
    last = seq;
    return true;
  }
}

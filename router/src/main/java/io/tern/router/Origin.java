package io.tern.router;

import org.jspecify.annotations.Nullable;

/// Who hears the outcome of a command.
///
/// @param edge null when nobody waits (housekeeping); another shard's dispatcher has its own
///   address
/// @param session the edge's own number of the session
/// @param rid the request id to echo; 0 when the frame had none and only failure is told (a Sent
///   and an Enrolled always are)
/// @param sinceNanos when the edge took the command off the socket, by [System#nanoTime]; 0 = not
///   known
public record Origin(@Nullable EdgeId edge, long session, int rid, long sinceNanos) {

  public static final Origin NOBODY = new Origin(null, 0, 0);

  public Origin(@Nullable EdgeId edge, long session, int rid) {
    this(edge, session, rid, 0);
  }
}

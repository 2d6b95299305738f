package io.tern.client.core;

import io.tern.client.SendCallback;
import org.jspecify.annotations.Nullable;

/// A send from its acceptance to its answer: an element of its chat's list, in the order of csn.
final class Outgoing {

  final Chat chat;
  final byte[] content;

  /// Null for one that an earlier process left in the store.
  final @Nullable SendCallback callback;

  long csn;

  /// The number that the latest write had; `csn` may have changed since.
  long writtenCsn;

  /// How often it was written; one more than once may have been accepted without our knowing.
  int writes;

  /// How often the server failed with a 5xx.
  int serverErrors;

  /// Names the latest write; 0 while it waits to be written.
  int rid;

  long writtenAtMillis;

  @Nullable Outgoing previous;
  @Nullable Outgoing next;

  Outgoing(Chat chat, long csn, byte[] content, @Nullable SendCallback callback) {
    this.chat = chat;
    this.csn = csn;
    this.content = content;
    this.callback = callback;
  }

  boolean isInFlight() {
    return rid != 0;
  }

  /// Whether an attempt may have been accepted although no answer came.
  boolean mayHaveBeenAccepted() {
    return callback == null || writes > 1;
  }
}

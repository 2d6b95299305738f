package io.tern.store;

/// The state machine of one shard: chats and users of a range of slots. No threads, no I/O of its
/// own but reads of cold state from its [Storage] and the [CommitLog]; time comes with each call.
///
/// Confined to its owner (the ring's prepare handler). A round is: any number of [#prepare] and
/// [#settle], then one [#commit]. State in memory runs ahead of the log between prepare and commit;
/// that is safe because nothing of it is told to anyone before commit returns, and a commit that
/// fails ends the process.
public final class Shard {

  /// Executes one command against memory and adds its effects to the open batch. Never throws for
  /// what a client can cause.
  public Outcome prepare(Command command, long nowMillis) {
    throw new UnsupportedOperationException();
  }

  /// The outbox record of batch `n` has done its work: deletes it with the open batch.
  public void settle(long n) {
    throw new UnsupportedOperationException();
  }

  /// Bytes of the open batch, for the owner to bound it.
  public int openBytes() {
    throw new UnsupportedOperationException();
  }

  /// Makes the open batch durable and starts the next. Returns its number, or 0 when there was
  /// nothing to write. Numbers rise by one with each written batch, over restarts too.
  public long commit() {
    throw new UnsupportedOperationException();
  }

  /// What the outbox of the storage holds after a restart, oldest first: to be dispatched again.
  public java.util.List<OutboxRecord> outbox() {
    throw new UnsupportedOperationException();
  }
}

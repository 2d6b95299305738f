package io.tern.store;

/// The log of a shard that has no replicas: its storage's own synced WAL. Confined to the shard's
/// owner, but for [#durable].
public final class LocalLog implements CommitLog {

  private final Storage storage;
  private volatile long durable;

  public LocalLog(Storage storage) {
    this.storage = storage;
  }

  @Override
  public void commit(Batch batch, boolean sync) {
    storage.write(batch, sync);
    if (sync) {
      durable = batch.number();
    }
  }

  /// Number of the newest batch that was promised to survive a power cut; 0 before the first. Any
  /// thread.
  public long durable() {
    return durable;
  }
}

package io.tern.store;

/// What makes a batch durable before any of it is acknowledged: the synced WAL of the shard's own
/// storage ([LocalLog]), or a stream. Called by the shard's owner only.
public interface CommitLog {

  /// Returns when `batch` is applied to the shard's storage and, with `sync`, durable.
  ///
  /// @throws Storage.LostDurability when that cannot be promised; the process must end
  void commit(Batch batch, boolean sync);
}

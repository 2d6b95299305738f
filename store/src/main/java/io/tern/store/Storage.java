package io.tern.store;

/// One shard's keys and values: RocksDB, or memory with a simulated disk. Reads may come from any
/// thread; [#write] only from the shard's owner.
public interface Storage extends KeyValues, AutoCloseable {

  /// Applies the batch atomically. With `sync` it is on the disk when this returns, and so is every
  /// batch before it; without, it survives the process but perhaps not the machine.
  ///
  /// @throws LostDurability when the disk refuses: what is on it is unknown and the process must
  ///   end
  void write(Batch batch, boolean sync);

  /// The newest values as far as they can be read without the disk, for a thread that must not
  /// wait. Not a view of one moment: two values may be from before and after a write. Each method
  /// may throw [NotInMemory], a scan when it has visited some.
  KeyValues inMemory();

  /// A frozen view for a reader; to be closed by it.
  Snapshot snapshot();

  @Override
  void close();

  /// A view of one moment.
  interface Snapshot extends KeyValues, AutoCloseable {
    @Override
    void close();
  }

  /// What was asked for may be on the disk, and was not read.
  final class NotInMemory extends RuntimeException {
    private static final long serialVersionUID = 1;

    /// It is no fault, and often thrown: it has no stack trace.
    public NotInMemory() {
      super("not in memory", null, false, false);
    }
  }

  /// The log can no longer keep what it promised (an fsync failed, a write was refused). Nothing
  /// may be acknowledged after it.
  final class LostDurability extends RuntimeException {
    private static final long serialVersionUID = 1;

    public LostDurability(String message, Throwable cause) {
      super(message, cause);
    }
  }
}

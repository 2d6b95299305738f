package io.tern.accounts;

import io.tern.store.RecordKey;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Small versioned values that last: read one, then change it if nobody else has meanwhile. Any
/// thread; may block.
///
/// Versions of a key rise, over deletions too, so a change never goes through on a value that was
/// not the one that was read. A record that has ended is not there.
public interface Records {

  /// A record as it was read.
  ///
  /// @param version never 0
  record Versioned(long version, byte[] value) {}

  /// Null when there is none.
  @Nullable Versioned get(RecordKey key);

  /// Puts the value if the record's version is still `expected` (0 = there is none). False: it is
  /// not, and nothing was changed.
  ///
  /// @param value at most [io.tern.store.Command.PutRecord#VALUE_BYTES_MAX]; not to be changed
  /// @param expiresMillis when it ends; 0 = never
  /// @throws Unavailable whether it was done is unknown
  boolean put(RecordKey key, long expected, byte[] value, long expiresMillis);

  /// Deletes the record likewise.
  boolean delete(RecordKey key, long expected);

  /// The records of a kind in a slot, by id, some at a time.
  ///
  /// @param after only those behind this one, which is of the slot and kind; null for the first
  List<RecordKey> keys(int slot, char kind, @Nullable RecordKey after, int keysMax);
}

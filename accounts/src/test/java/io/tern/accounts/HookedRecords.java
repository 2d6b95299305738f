package io.tern.accounts;

import io.tern.store.RecordKey;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Records at which somebody else acts once, just before a change: what a race of two comes to,
/// every time.
final class HookedRecords implements Records {

  /// A change that is about to be made.
  enum Change {
    PUT,
    DELETE
  }

  private final Records records;
  private final Change change;
  private final char kind;
  private @Nullable Runnable act;

  /// @param kind of the record, see [Kinds]
  /// @param act what the other one does; with other records
  HookedRecords(Records records, Change change, char kind, Runnable act) {
    this.records = records;
    this.change = change;
    this.kind = kind;
    this.act = act;
  }

  boolean hasMet() {
    return act == null;
  }

  private void meet(Change about, RecordKey key) {
    if (act != null && about == change && key.kind() == kind) {
      Runnable once = Objects.requireNonNull(act);
      act = null;
      once.run();
    }
  }

  @Override
  public @Nullable Versioned get(RecordKey key) {
    return records.get(key);
  }

  @Override
  public boolean put(RecordKey key, long expected, byte[] value, long expiresMillis) {
    meet(Change.PUT, key);
    return records.put(key, expected, value, expiresMillis);
  }

  @Override
  public boolean delete(RecordKey key, long expected) {
    meet(Change.DELETE, key);
    return records.delete(key, expected);
  }

  @Override
  public List<RecordKey> keys(int slot, char kind, @Nullable RecordKey after, int keysMax) {
    return records.keys(slot, kind, after, keysMax);
  }
}

package io.tern.accounts;

import io.tern.store.RecordKey;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// [Records] in memory: for tests and simulations. What has ended is dropped when it is met.
public final class MemoryRecords implements Records {

  private record Kept(long version, byte[] value, long expiresMillis) {}

  private final InstantSource clock;
  private final Map<RecordKey, Kept> all = new HashMap<>();
  private long versions;

  public MemoryRecords(InstantSource clock) {
    this.clock = clock;
  }

  @Override
  public synchronized @Nullable Versioned get(RecordKey key) {
    Kept kept = kept(key);
    return kept == null ? null : new Versioned(kept.version, kept.value.clone());
  }

  @Override
  public synchronized boolean put(RecordKey key, long expected, byte[] value, long expiresMillis) {
    if (version(key) != expected) {
      return false;
    }
    all.put(key, new Kept(++versions, value.clone(), expiresMillis));
    return true;
  }

  @Override
  public synchronized boolean delete(RecordKey key, long expected) {
    if (version(key) != expected) {
      return false;
    }
    all.remove(key);
    return true;
  }

  @Override
  public synchronized List<RecordKey> keys(
      int slot, char kind, @Nullable RecordKey after, int keysMax) {
    return List.copyOf(all.keySet()).stream()
        .filter(key -> key.slot() == slot && key.kind() == kind && kept(key) != null)
        .filter(key -> after == null || Arrays.compareUnsigned(key.id(), after.id()) > 0)
        .sorted((a, b) -> Arrays.compareUnsigned(a.id(), b.id()))
        .limit(keysMax)
        .toList();
  }

  private long version(RecordKey key) {
    Kept kept = kept(key);
    return kept == null ? 0 : kept.version;
  }

  private @Nullable Kept kept(RecordKey key) {
    Kept kept = all.get(key);
    if (kept != null && kept.expiresMillis != 0 && kept.expiresMillis <= clock.millis()) {
      all.remove(key);
      return null;
    }
    return kept;
  }
}

package io.tern.client.core;

import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A map from a positive long to an object, without boxes: open addressing, linear probing, no
/// removal. Takes no memory until the first [#put]. Confined to its owner's thread.
final class LongMap<V> {

  private static final long[] NO_KEYS = {};
  private static final Object[] NO_VALUES = {};

  private long[] keys = NO_KEYS;
  private @Nullable Object[] values = NO_VALUES;
  private int size;

  @SuppressWarnings("unchecked")
  @Nullable V get(long key) {
    int mask = keys.length - 1;
    if (mask < 0) {
      return null;
    }
    for (int i = hash(key) & mask; keys[i] != 0; i = (i + 1) & mask) {
      if (keys[i] == key) {
        return (V) values[i];
      }
    }
    return null;
  }

  /// `key` must be positive and absent.
  void put(long key, V value) {
    assert key > 0 && get(key) == null;
    if (size * 2 >= keys.length) {
      grow();
    }
    insert(key, value);
    size++;
  }

  int size() {
    return size;
  }

  @SuppressWarnings("unchecked")
  void forEach(Consumer<V> action) {
    for (Object value : values) {
      if (value != null) {
        action.accept((V) value);
      }
    }
  }

  private void insert(long key, @Nullable Object value) {
    int mask = keys.length - 1;
    int i = hash(key) & mask;
    while (keys[i] != 0) {
      i = (i + 1) & mask;
    }
    keys[i] = key;
    values[i] = value;
  }

  private void grow() {
    long[] oldKeys = keys;
    Object[] oldValues = values;
    keys = new long[Math.max(4, oldKeys.length * 2)];
    values = Arrays.copyOf(NO_VALUES, keys.length);
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] != 0) {
        insert(oldKeys[i], oldValues[i]);
      }
    }
  }

  private static int hash(long key) {
    long h = key * 0x9E3779B97F4A7C15L;
    return (int) (h >>> 32);
  }
}

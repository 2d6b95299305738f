package io.tern.store;

import org.jspecify.annotations.Nullable;

/// Ordered bytes to read: a shard's storage, or a snapshot of it. Keys compare as unsigned bytes.
/// Each method may throw `UncheckedIOException` when what it needs is damaged or the disk fails.
public interface KeyValues {

  /// The value, owned by the caller, or null.
  byte @Nullable [] get(byte[] key);

  /// Visits the keys in [from, to), ascending, until `visitor` returns false. Arrays are the
  /// visitor's.
  void scan(byte[] from, byte[] to, Visitor visitor);

  /// As [#scan], from the last key down.
  void scanDown(byte[] from, byte[] to, Visitor visitor);

  /// Sees one pair; returns whether to go on.
  @FunctionalInterface
  interface Visitor {
    boolean visit(byte[] key, byte[] value);
  }
}

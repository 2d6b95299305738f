package io.tern.store;

/// Writes gathered to be applied at once, in RocksDB's own WriteBatch encoding: built in Java, it
/// crosses to native code once a batch instead of once a put, and it is what a replica applies byte
/// for byte.
///
/// ```
/// fixed64 sequence (0)   fixed32 count   count x record
/// record:  01 varint32 keyBytes key varint32 valueBytes value      put
///          00 varint32 keyBytes key                                delete
///          0F varint32 fromBytes from varint32 toBytes to          delete [from, to)
/// ```
///
/// Confined to its owner; reused after [#clear].
public final class Batch {

  public void put(byte[] key, byte[] value) {
    throw new UnsupportedOperationException();
  }

  public void delete(byte[] key) {
    throw new UnsupportedOperationException();
  }

  public void deleteRange(byte[] from, byte[] to) {
    throw new UnsupportedOperationException();
  }

  public int count() {
    throw new UnsupportedOperationException();
  }

  /// Size of the encoding so far.
  public int bytes() {
    throw new UnsupportedOperationException();
  }

  /// The encoding: a copy, owned by the caller.
  public byte[] encoded() {
    throw new UnsupportedOperationException();
  }

  public void clear() {
    throw new UnsupportedOperationException();
  }
}

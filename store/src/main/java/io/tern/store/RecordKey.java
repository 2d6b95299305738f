package io.tern.store;

import io.tern.protocol.UserId;
import java.util.Arrays;

/// Names a record of the user service: what it is about, in the slot of its user or of its hash.
/// Immutable.
///
/// @param slot whose shard keeps it
/// @param kind what it is; the user service gives these
/// @param id 1 to [#ID_BYTES_MAX] bytes; not to be changed
public record RecordKey(int slot, byte kind, byte[] id) {

  public static final int ID_BYTES_MAX = 32;

  public RecordKey {
    if (slot < 0 || slot >= Slots.COUNT || id.length < 1 || id.length > ID_BYTES_MAX) {
      throw new IllegalArgumentException("slot " + slot + ", id of " + id.length + " bytes");
    }
  }

  /// The user's record of this kind, where the user is.
  public static RecordKey ofUser(char kind, UserId user) {
    byte[] id = new byte[6];
    for (int i = 0; i < id.length; i++) {
      id[i] = (byte) (user.value() >>> (40 - 8 * i));
    }
    return new RecordKey(Slots.of(user), (byte) kind, id);
  }

  /// The record of a hash: its first bits say where it lies.
  ///
  /// @param hash random in every bit; at least 2 bytes
  public static RecordKey ofHash(char kind, byte[] hash) {
    int slot = ((hash[0] & 0xFF) << 8 | (hash[1] & 0xFF)) & (Slots.COUNT - 1);
    return new RecordKey(slot, (byte) kind, hash);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RecordKey(int s, byte k, byte[] i)
        && s == slot
        && k == kind
        && Arrays.equals(i, id);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * slot + kind) + Arrays.hashCode(id);
  }

  /// Not the id: it may be a hash that is nobody's business.
  @Override
  public String toString() {
    return "record " + (char) kind + " in slot " + slot;
  }
}

package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;

/// Where keys live: `slot = hash(chat or user) mod 16384`, and a shard owns a contiguous range of
/// slots. The hash is fixed for ever: keys on disk start with the slot.
public final class Slots {

  public static final int COUNT = 16_384;

  /// Next to the id of a user, in the place where a chat has its lower one.
  private static final long USER = -1;

  private Slots() {}

  /// A self chat is where its user is.
  public static int of(ChatId chat) {
    return of(chat.isSelf() ? USER : chat.low(), chat.high());
  }

  public static int of(UserId user) {
    return of(USER, user.value());
  }

  /// The shard of `slot` among `shards` equal ranges.
  public static int shardOf(int slot, int shards) {
    return (int) ((long) slot * shards / COUNT);
  }

  /// First slot of `shard`; of the one behind the last, [#COUNT].
  public static int firstOf(int shard, int shards) {
    return (int) (((long) shard * COUNT + shards - 1) / shards);
  }

  // MurmurHash3's 64-bit finalizer over both words: ids are random already, this only guards
  // against ids that are not.
  private static int of(long low, long high) {
    long h = low * 0x9E37_79B9_7F4A_7C15L ^ high;
    h = (h ^ (h >>> 33)) * 0xFF51_AFD7_ED55_8CCDL;
    h = (h ^ (h >>> 33)) * 0xC4CE_B9FE_1A85_EC53L;
    h ^= h >>> 33;
    return (int) (h & (COUNT - 1));
  }
}

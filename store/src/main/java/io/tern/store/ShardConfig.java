package io.tern.store;

/// Which slots a shard owns and how much of them it keeps at hand.
///
/// @param shard index among `shards`
/// @param hotChatsMax chats kept in memory between batches; the one used longest ago is written
///   down and dropped. About 400 bytes each for direct chats
public record ShardConfig(int shard, int shards, int hotChatsMax) {

  public static final int HOT_CHATS_MAX = 65_536;

  public ShardConfig {
    if (shards < 1 || shards > Slots.COUNT || shard < 0 || shard >= shards || hotChatsMax < 1) {
      throw new IllegalArgumentException(
          "shard " + shard + " of " + shards + ", " + hotChatsMax + " hot chats");
    }
  }

  public static ShardConfig of(int shard, int shards) {
    return new ShardConfig(shard, shards, HOT_CHATS_MAX);
  }

  public int firstSlot() {
    return Slots.firstOf(shard, shards);
  }

  int endSlot() {
    return Slots.firstOf(shard + 1, shards);
  }
}

package io.tern.store;

import io.tern.protocol.Limits;
import java.time.Duration;

/// Which slots a shard owns, how much of them it keeps at hand, and what it allows.
///
/// @param shard index among `shards`
/// @param hotChatsMax chats kept in memory between batches; the one used longest ago is written
///   down and dropped. About 500 bytes each for direct chats
/// @param hotMembersMax likewise for the members of all of them together, about 150 bytes each: a
///   large group counts as much as many direct chats
/// @param groupMembersMax members of a group; one more is refused with GROUP_FULL
/// @param editWindow how long after it was sent a message may be edited
/// @param revokeWindow how long after it was sent a message may be taken back
public record ShardConfig(
    int shard,
    int shards,
    int hotChatsMax,
    int hotMembersMax,
    int groupMembersMax,
    Duration editWindow,
    Duration revokeWindow) {

  public static final int HOT_CHATS_MAX = 65_536;
  public static final int HOT_MEMBERS_MAX = 4 * HOT_CHATS_MAX;
  public static final int GROUP_MEMBERS_MAX = 100;
  public static final Duration EDIT_WINDOW = Duration.ofSeconds(Limits.EDIT_SECONDS_MAX);
  public static final Duration REVOKE_WINDOW = Duration.ofSeconds(Limits.REVOKE_SECONDS_MAX);

  public ShardConfig {
    if (shards < 1 || shards > Slots.COUNT || shard < 0 || shard >= shards || hotChatsMax < 1) {
      throw new IllegalArgumentException(
          "shard " + shard + " of " + shards + ", " + hotChatsMax + " hot chats");
    }
    if (hotMembersMax < 1 || groupMembersMax < 1 || groupMembersMax > Limits.GROUP_MEMBERS_MAX) {
      throw new IllegalArgumentException(
          hotMembersMax + " hot members, groups of " + groupMembersMax);
    }
    if (editWindow.isNegative() || revokeWindow.isNegative()) {
      throw new IllegalArgumentException("edit " + editWindow + ", revoke " + revokeWindow);
    }
  }

  /// With the defaults for what it allows.
  public ShardConfig(int shard, int shards, int hotChatsMax) {
    this(
        shard, shards, hotChatsMax, HOT_MEMBERS_MAX, GROUP_MEMBERS_MAX, EDIT_WINDOW, REVOKE_WINDOW);
  }

  public static ShardConfig of(int shard, int shards) {
    return new ShardConfig(shard, shards, HOT_CHATS_MAX);
  }

  /// With groups of at most so many members.
  public ShardConfig withGroupMembersMax(int membersMax) {
    return new ShardConfig(
        shard, shards, hotChatsMax, hotMembersMax, membersMax, editWindow, revokeWindow);
  }

  public int firstSlot() {
    return Slots.firstOf(shard, shards);
  }

  int endSlot() {
    return Slots.firstOf(shard + 1, shards);
  }
}

package io.tern.store.rocks;

import io.tern.protocol.Limits;
import io.tern.store.ShardConfig;
import java.nio.file.Path;
import java.time.Duration;

/// Where the shards of this process live and how much they may use, all of them together.
///
/// @param data the data folder; created when absent
/// @param shards how many shards a new folder gets, and what an existing one must have; 0 = one per
///   core for a new folder, whatever it has for an existing one
/// @param blockCacheBytes memory for blocks read from files, their indexes and filters
/// @param writeBufferBytes memory for what was written and is not in a sorted file yet; beyond, the
///   fullest shard is flushed
/// @param walBytesMax size of the write-ahead logs; beyond, what holds the oldest is flushed. Also
///   what a restart reads at most
/// @param openFilesMax files kept open; beyond, the one used longest ago is closed
/// @param hotChatsMax chats kept in memory; beyond, the one used longest ago is written down
/// @param hotMembersMax and members of groups among them
/// @param groupMembersMax members of a group
/// @param editWindow how long after it was sent a message may be edited
/// @param revokeWindow how long after it was sent a message may be taken back
/// @param diskReserveBytes new messages are refused while the disk has less room than this
public record RocksStoreConfig(
    Path data,
    int shards,
    long blockCacheBytes,
    long writeBufferBytes,
    long walBytesMax,
    int openFilesMax,
    int hotChatsMax,
    int hotMembersMax,
    int groupMembersMax,
    Duration editWindow,
    Duration revokeWindow,
    long diskReserveBytes) {

  public static final int SHARDS_MAX = 256;

  private static final long MIB = 1L << 20;

  public RocksStoreConfig {
    require(shards >= 0 && shards <= SHARDS_MAX, "shards", shards, "0 to " + SHARDS_MAX);
    require(blockCacheBytes >= MIB, "blockCacheBytes", blockCacheBytes, "at least 1 MiB");
    require(writeBufferBytes >= MIB, "writeBufferBytes", writeBufferBytes, "at least 1 MiB");
    require(walBytesMax >= MIB, "walBytesMax", walBytesMax, "at least 1 MiB");
    require(openFilesMax >= 64, "openFilesMax", openFilesMax, "at least 64");
    require(hotChatsMax >= 1, "hotChatsMax", hotChatsMax, "at least 1");
    require(hotMembersMax >= 1, "hotMembersMax", hotMembersMax, "at least 1");
    require(
        groupMembersMax >= 1 && groupMembersMax <= Limits.GROUP_MEMBERS_MAX,
        "groupMembersMax",
        groupMembersMax,
        "1 to " + Limits.GROUP_MEMBERS_MAX);
    require(diskReserveBytes >= 0, "diskReserveBytes", diskReserveBytes, "0 (none) or more");
  }

  public static RocksStoreConfig of(Path data) {
    return new RocksStoreConfig(
        data,
        0,
        128 * MIB,
        128 * MIB,
        512 * MIB,
        1024,
        ShardConfig.HOT_CHATS_MAX,
        ShardConfig.HOT_MEMBERS_MAX,
        ShardConfig.GROUP_MEMBERS_MAX,
        ShardConfig.EDIT_WINDOW,
        ShardConfig.REVOKE_WINDOW,
        1024 * MIB);
  }

  public RocksStoreConfig withShards(int shards) {
    return new RocksStoreConfig(
        data,
        shards,
        blockCacheBytes,
        writeBufferBytes,
        walBytesMax,
        openFilesMax,
        hotChatsMax,
        hotMembersMax,
        groupMembersMax,
        editWindow,
        revokeWindow,
        diskReserveBytes);
  }

  public RocksStoreConfig withHotChatsMax(int hotChatsMax) {
    return new RocksStoreConfig(
        data,
        shards,
        blockCacheBytes,
        writeBufferBytes,
        walBytesMax,
        openFilesMax,
        hotChatsMax,
        hotMembersMax,
        groupMembersMax,
        editWindow,
        revokeWindow,
        diskReserveBytes);
  }

  public RocksStoreConfig withDiskReserveBytes(long diskReserveBytes) {
    return new RocksStoreConfig(
        data,
        shards,
        blockCacheBytes,
        writeBufferBytes,
        walBytesMax,
        openFilesMax,
        hotChatsMax,
        hotMembersMax,
        groupMembersMax,
        editWindow,
        revokeWindow,
        diskReserveBytes);
  }

  private static void require(boolean valid, String key, long value, String expected) {
    if (!valid) {
      throw new IllegalArgumentException(key + " = " + value + ": must be " + expected);
    }
  }
}

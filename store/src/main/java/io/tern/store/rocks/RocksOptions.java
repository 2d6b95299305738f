package io.tern.store.rocks;

import java.util.Properties;
import org.jspecify.annotations.Nullable;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.CompressionType;
import org.rocksdb.DBOptions;
import org.rocksdb.Env;
import org.rocksdb.IndexType;
import org.rocksdb.InfoLogLevel;
import org.rocksdb.LRUCache;
import org.rocksdb.Logger;
import org.rocksdb.Options;
import org.rocksdb.Priority;
import org.rocksdb.RocksDB;
import org.rocksdb.WALRecoveryMode;
import org.rocksdb.WriteBufferManager;

/// How Tern sets RocksDB up: once for all shards of a process, which share a block cache and a
/// write-buffer budget. Owns the native objects; to be closed after the databases.
final class RocksOptions implements AutoCloseable {

  static {
    RocksDB.loadLibrary();
    // Compaction can wait, commits cannot: its threads yield the CPU to everyone. Flushes have
    // threads of their own and stay as they are, for a full memtable stops the commits.
    Env.getDefault()
        .lowerThreadPoolCPUPriority(Priority.LOW)
        .lowerThreadPoolIOPriority(Priority.LOW);
  }

  private static final long MIB = 1L << 20;

  private final Cache blockCache;
  private final WriteBufferManager writeBuffers;
  private final BloomFilter bloom;
  private final DBOptions dbOptions;
  private final ColumnFamilyOptions cfOptions;
  private final Options existing;
  private final Options created;
  private @Nullable Silence silence;

  static RocksOptions create(RocksStoreConfig config, int shards) {
    return new RocksOptions(config, shards);
  }

  private RocksOptions(RocksStoreConfig config, int shards) {
    // Memory of write buffers is charged to the cache too, so that the sum has one bound.
    blockCache = new LRUCache(config.blockCacheBytes() + config.writeBufferBytes());
    // No stall: commits must not wait for a flush of another shard.
    writeBuffers = new WriteBufferManager(config.writeBufferBytes(), blockCache, false);
    bloom = new BloomFilter(10);
    dbOptions = dbOptions(config, shards);
    cfOptions = columnFamilyOptions(config);
    existing = new Options(dbOptions, cfOptions).setCreateIfMissing(false);
    created = new Options(dbOptions, cfOptions).setCreateIfMissing(true);
  }

  /// As [#create], to look only: RocksDB would otherwise start a new log file of its own in the
  /// folder, and move a running server's away.
  static RocksOptions readOnly(RocksStoreConfig config, int shards) {
    var options = new RocksOptions(config, shards);
    options.silence = new Silence();
    options.existing.setLogger(options.silence);
    return options;
  }

  /// The options to open a shard with; they stay this object's.
  Options forShard(boolean isNew) {
    return isNew ? created : existing;
  }

  private DBOptions dbOptions(RocksStoreConfig config, int shards) {
    return baseOptions()
        // A torn record at the end of the log is a crash; anything else damaged is a refusal. Point
        // in time, RocksDB's default, drops everything after one flipped bit without a word.
        .setWalRecoveryMode(WALRecoveryMode.TolerateCorruptedTailRecords)
        .setParanoidChecks(true)
        .setManualWalFlush(false)
        // After a failed fsync the kernel may have thrown the pages away: no retry helps.
        .setMaxBgErrorResumeCount(0)
        // One writer per database: nothing to be concurrent with.
        .setAllowConcurrentMemtableWrite(false)
        .setEnablePipelinedWrite(false)
        .setEnableWriteThreadAdaptiveYield(false)
        .setWriteBufferManager(writeBuffers)
        .setMaxTotalWalSize(Math.max(MIB, config.walBytesMax() / shards))
        .setMaxOpenFiles(Math.max(32, config.openFilesMax() / shards))
        .setMaxBackgroundJobs(2)
        .setBytesPerSync(MIB)
        // RocksDB's own log: small, and no periodic dumps that would wake an idle server.
        .setInfoLogLevel(InfoLogLevel.WARN_LEVEL)
        .setMaxLogFileSize(MIB)
        .setKeepLogFileNum(4)
        .setStatsDumpPeriodSec(0)
        .setStatsPersistPeriodSec(0);
  }

  /// Options that RocksJava has no setter for.
  private static DBOptions baseOptions() {
    var properties = new Properties();
    // A log file that is gone, or shorter than it was synced, is noticed at open.
    properties.setProperty("track_and_verify_wals_in_manifest", "true");
    DBOptions options = DBOptions.getDBOptionsFromProps(properties);
    if (options == null) {
      throw new IllegalStateException("this RocksDB does not know " + properties);
    }
    return options;
  }

  private ColumnFamilyOptions columnFamilyOptions(RocksStoreConfig config) {
    return new ColumnFamilyOptions()
        .setWriteBufferSize(Math.max(MIB, config.writeBufferBytes() / 2))
        .setMaxWriteBufferNumber(4)
        .setCompressionType(CompressionType.LZ4_COMPRESSION)
        .setBottommostCompressionType(CompressionType.ZSTD_COMPRESSION)
        .setLevelCompactionDynamicLevelBytes(true)
        .setTableFormatConfig(
            new BlockBasedTableConfig()
                .setBlockCache(blockCache)
                .setBlockSize(8 * 1024)
                .setIndexType(IndexType.kTwoLevelIndexSearch)
                .setPartitionFilters(true)
                .setCacheIndexAndFilterBlocks(true)
                .setCacheIndexAndFilterBlocksWithHighPriority(true)
                .setPinTopLevelIndexAndFilter(true)
                .setFilterPolicy(bloom)
                .setFormatVersion(5));
  }

  @Override
  public void close() {
    existing.close();
    created.close();
    cfOptions.close();
    dbOptions.close();
    writeBuffers.close();
    bloom.close();
    blockCache.close();
    if (silence != null) {
      silence.close();
    }
  }

  private static final class Silence extends Logger {
    Silence() {
      super(InfoLogLevel.FATAL_LEVEL);
    }

    @Override
    protected void log(InfoLogLevel level, String message) {
      // What matters comes as an exception.
    }
  }
}

package io.tern.bench.micro;

import io.tern.store.Batch;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;

/// A put into a batch of 64, a key of 19 bytes and a value of 130: bytes built in Java and handed
/// to RocksDB once, against RocksDB's own `WriteBatch.put`, which enters native code for each.
/// Neither is written to a database.
@State(Scope.Thread)
@Fork(2)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BatchBenchmark {

  static {
    RocksDB.loadLibrary();
  }

  private static final int PUTS = 64;

  private final byte[] key = new byte[19];
  private final byte[] value = new byte[130];
  private final Batch inJava = new Batch();
  private WriteBatch inRocks = new WriteBatch();

  @Setup(Level.Iteration)
  public void open() {
    inRocks = new WriteBatch();
  }

  @TearDown(Level.Iteration)
  public void close() {
    inRocks.close();
  }

  @Benchmark
  @OperationsPerInvocation(PUTS)
  public long inJava() {
    inJava.clear();
    for (int i = 0; i < PUTS; i++) {
      key[18] = (byte) i;
      inJava.put(key, value);
    }
    try (var batch = new WriteBatch(inJava.encoded())) {
      return batch.count();
    }
  }

  @Benchmark
  @OperationsPerInvocation(PUTS)
  public long inRocks() throws RocksDBException {
    inRocks.clear();
    for (int i = 0; i < PUTS; i++) {
      key[18] = (byte) i;
      inRocks.put(key, value);
    }
    return inRocks.count();
  }
}

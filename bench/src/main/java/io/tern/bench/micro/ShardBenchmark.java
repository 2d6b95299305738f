package io.tern.bench.micro;

import com.google.protobuf.ByteString;
import io.tern.bench.measure.Folders;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.store.Command;
import io.tern.store.LocalLog;
import io.tern.store.Outcome;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.rocks.RocksStore;
import io.tern.store.rocks.RocksStoreConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// A shard's round, per message: sends of 100 bytes into 100 direct chats, the recipient's
/// acknowledgement of what came before, and one synced commit for all of it. Held against the same
/// without a storage: the difference is RocksDB and the disk.
///
/// Time is wall-clock time, which for small batches is mostly waiting for the disk; what it costs
/// in CPU is the end-to-end scenarios' figure.
@State(Scope.Thread)
@Fork(2)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ShardBenchmark {

  private static final int CHATS = 100;
  private static final long NOW = 1_790_000_000_000L;

  @Param({"none", "rocks"})
  private String storage = "none";

  private final byte[] content =
      Content.newBuilder()
          .setKind(Kind.KIND_TEXT)
          .setBody(ByteString.copyFromUtf8("x".repeat(100)))
          .build()
          .toByteArray();
  private final Pair[] pairs = new Pair[CHATS];
  private @Nullable Path folder;
  private @Nullable RocksStore store;
  private Shard shard = none();
  private int next;
  private long now = NOW;

  private static final class Pair {
    final DeviceId sender;
    final DeviceId recipient;
    final ChatId chat;
    long csn;
    long acknowledged;
    long head;

    Pair(int i) {
      sender = new DeviceId(new UserId(1_000_003L * (2 * i + 1)), 1);
      recipient = new DeviceId(new UserId(1_000_003L * (2 * i + 2)), 1);
      chat = ChatId.direct(sender.user(), recipient.user());
    }
  }

  private static Shard none() {
    return new Shard(new Discarding(), new LocalLog(new Discarding()), ShardConfig.of(0, 1));
  }

  @Setup(Level.Iteration)
  public void open() throws IOException {
    for (int i = 0; i < CHATS; i++) {
      pairs[i] = new Pair(i);
    }
    if (storage.equals("rocks")) {
      folder = Files.createTempDirectory(Path.of("").toAbsolutePath(), "shard-benchmark");
      store = RocksStore.open(RocksStoreConfig.of(folder).withShards(1));
      shard = store.shard(0);
    } else {
      shard = none();
    }
    for (Pair pair : pairs) {
      shard.prepare(new Command.Enrol(pair.sender), now);
      shard.prepare(new Command.Enrol(pair.recipient), now);
    }
    shard.commit();
  }

  @TearDown(Level.Iteration)
  public void close() throws IOException {
    if (store != null && folder != null) {
      store.close();
      Folders.delete(folder);
    }
  }

  @Benchmark
  @OperationsPerInvocation(1)
  public void batchOf1() {
    round(1);
  }

  @Benchmark
  @OperationsPerInvocation(16)
  public void batchOf16() {
    round(16);
  }

  @Benchmark
  @OperationsPerInvocation(64)
  public void batchOf64() {
    round(64);
  }

  @Benchmark
  @OperationsPerInvocation(256)
  public void batchOf256() {
    round(256);
  }

  private void round(int messages) {
    now++;
    for (int i = 0; i < messages; i++) {
      Pair pair = pairs[next];
      next = (next + 1) % CHATS;
      if (pair.head > pair.acknowledged) {
        shard.prepare(new Command.Ack(pair.recipient, pair.chat, pair.head), now);
        pair.acknowledged = pair.head;
      }
      Outcome outcome =
          shard.prepare(new Command.Send(pair.sender, pair.chat, body(++pair.csn)), now);
      if (!(outcome instanceof Outcome.Sent sent)) {
        throw new IllegalStateException("refused: " + outcome);
      }
      pair.head = sent.entry().seq();
    }
    // The dispatcher gives the outbox record back a batch later.
    shard.settle(shard.commit());
  }

  /// `Send{csn, content}`, as an edge hands it over: an array of its own.
  private byte[] body(long csn) {
    var body = ByteBuffer.allocate(6 + 2 + content.length);
    // A csn of a fixed five bytes: not minimal, which protobuf does not mind.
    body.put((byte) (1 << 3));
    body.put((byte) (csn | 0x80)).put((byte) (csn >> 7 | 0x80)).put((byte) (csn >> 14 | 0x80));
    body.put((byte) (csn >> 21 | 0x80)).put((byte) (csn >> 28 & 0x7F));
    body.put((byte) (2 << 3 | 2)).put((byte) content.length).put(content);
    return body.array();
  }
}

package io.tern.accounts;

import io.tern.store.Command;
import io.tern.store.Outcome;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;

class ShardRecordsTest extends RecordsContractTest {

  private final World world = new World(1);

  /// The shard's owner, whoever asks.
  private final ExecutorService ring = Executors.newSingleThreadExecutor();

  private final Records records =
      new ShardRecords(
          new Shards() {
            @Override
            public Outcome execute(Command command) {
              return onRing(() -> world.execute(command));
            }

            @Override
            public <T> T read(Function<Snapshots, T> question) {
              return onRing(() -> world.read(question));
            }
          },
          world.clock);

  private <T> T onRing(Callable<T> work) {
    try {
      return ring.submit(work).get();
    } catch (ExecutionException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @AfterEach
  void stop() {
    ring.shutdown();
  }

  @Override
  Records records() {
    return records;
  }

  @Override
  MutableClock clock() {
    return world.clock;
  }
}

package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tern.store.Batch;
import io.tern.store.KeyValues;
import io.tern.store.Slots;
import io.tern.store.Storage;
import io.tern.store.memory.MemoryStorage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ReaderPoolTest {

  private static final int SHARDS = 4;

  private final AtomicInteger opened = new AtomicInteger();
  private final AtomicInteger open = new AtomicInteger();
  private final AtomicInteger refused = new AtomicInteger();
  private final ReaderPool readers = create();
  private boolean isCold;

  @AfterEach
  void close() {
    readers.close();
  }

  @Test
  void aQuestionOpensOnlyTheSnapshotsItAsksForAndTheyAreClosedAfterIt() {
    var answers = new CopyOnWriteArrayList<Integer>();
    var failures = new CopyOnWriteArrayList<Throwable>();

    readers.ask(
        shards -> {
          var first = shards.of(0);
          assertThat(shards.of(1)).as("of the same shard").isSameAs(first);
          assertThat(shards.of(Slots.COUNT - 1)).isNotSameAs(first);
          return open.get();
        },
        answers::add,
        failures::add);

    await().until(() -> !answers.isEmpty() || !failures.isEmpty());
    assertThat(failures).isEmpty();
    assertThat(answers).containsExactly(2);
    assertThat(opened).hasValue(2);
    await().until(() -> open.get() == 0);
  }

  @Test
  void aQuestionThatThrowsSaysWhyAndLeavesNoSnapshotOpen() {
    var failures = new CopyOnWriteArrayList<Throwable>();

    readers.<Integer>ask(
        shards -> {
          var _ = shards.of(0);
          throw new IllegalStateException("no such chat");
        },
        answer -> {
          throw new AssertionError(answer);
        },
        failures::add);

    await().until(() -> !failures.isEmpty());
    assertThat(failures.getFirst()).hasMessage("no such chat");
    assertThat(open).hasValue(0);
  }

  @Test
  void whatIsInMemoryIsAnsweredOnTheCallingThreadAndWithoutASnapshot() {
    Thread asking = Thread.currentThread();

    Boolean same =
        readers.fromMemory(shards -> {
          assertThat(shards.of(Slots.COUNT - 1).get(new byte[] {1})).isNull();
          return Thread.currentThread() == asking;
        });

    assertThat(same).isTrue();
    assertThat(opened).hasValue(0);
  }

  @Test
  void whatIsNotInMemoryHasNoAnswer() {
    isCold = true;

    assertThat(
            readers.<Integer>fromMemory(shards -> shards.of(0).get(new byte[] {1}) == null ? 1 : 2))
        .isNull();
  }

  @Test
  void aFullQueueRefuses() throws Exception {
    var busy = new CountDownLatch(1);
    var go = new CountDownLatch(1);
    var answered = new AtomicInteger();
    readers.ask(
        shards -> {
          busy.countDown();
          awaitLatch(go);
          return 0;
        },
        answer -> answered.incrementAndGet(),
        failure -> {});
    busy.await();
    int accepted = 0;
    while (readers.ask(shards -> 0, answer -> answered.incrementAndGet(), failure -> {})) {
      accepted++;
    }

    assertThat(accepted).isEqualTo(3);
    assertThat(refused).hasValue(1);
    go.countDown();
    await().until(() -> answered.get() == 4);
  }

  @Test
  void closeAnswersWhatWasAskedAndRefusesTheRest() {
    var answers = new CopyOnWriteArrayList<Integer>();
    for (int i = 0; i < 3; i++) {
      int number = i;
      readers.ask(shards -> number, answers::add, failure -> {});
    }

    readers.close();

    assertThat(answers).containsExactly(0, 1, 2);
    assertThat(readers.ask(shards -> 9, answers::add, failure -> {})).isFalse();
  }

  private ReaderPool create() {
    var shards = new ArrayList<Storage>();
    for (int i = 0; i < SHARDS; i++) {
      shards.add(new Counted(new MemoryStorage()));
    }
    return new ReaderPool(
        List.copyOf(shards),
        1,
        3,
        new RouterMetrics() {
          @Override
          public void onReadersRefused() {
            refused.incrementAndGet();
          }
        });
  }

  private static void awaitLatch(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /// Passes reads on.
  private abstract static class Over implements KeyValues {
    private final KeyValues over;

    Over(KeyValues over) {
      this.over = over;
    }

    @Override
    public final byte @Nullable [] get(byte[] key) {
      return over.get(key);
    }

    @Override
    public final void scan(byte[] from, byte[] to, Visitor visitor) {
      over.scan(from, to, visitor);
    }

    @Override
    public final void scanDown(byte[] from, byte[] to, Visitor visitor) {
      over.scanDown(from, to, visitor);
    }
  }

  /// Counts the snapshots that are open.
  private final class Counted extends Over implements Storage {
    private final Storage storage;

    Counted(Storage storage) {
      super(storage);
      this.storage = storage;
    }

    @Override
    public KeyValues inMemory() {
      if (isCold) {
        throw new NotInMemory();
      }
      return storage.inMemory();
    }

    @Override
    public Snapshot snapshot() {
      opened.incrementAndGet();
      open.incrementAndGet();
      return new CountedSnapshot(storage.snapshot());
    }

    @Override
    public void write(Batch batch, boolean sync) {
      storage.write(batch, sync);
    }

    @Override
    public void close() {
      storage.close();
    }
  }

  private final class CountedSnapshot extends Over implements Storage.Snapshot {
    private final Storage.Snapshot snapshot;

    CountedSnapshot(Storage.Snapshot snapshot) {
      super(snapshot);
      this.snapshot = snapshot;
    }

    @Override
    public void close() {
      snapshot.close();
      open.decrementAndGet();
    }
  }
}

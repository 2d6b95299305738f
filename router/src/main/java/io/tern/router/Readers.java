package io.tern.router;

import io.tern.store.KeyValues;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The bounded pool of platform threads on which all reads of the store run, one page at a time.
/// Each question gets snapshots of the shards it names and must not keep them.
public interface Readers {

  /// Runs `question` on a reader and hands its answer to `then` (on the reader's thread: hop if you
  /// own another). Any thread; never blocks. False: the queue is full, answer BUSY.
  ///
  /// If the question throws, `failed` gets the reason instead.
  <T> boolean ask(
      Function<Shards, T> question, Consumer<? super T> then, Consumer<Throwable> failed);

  /// Answers a question of few values at once, on the calling thread, which may be an event loop:
  /// from memtables and cached blocks, and never from the disk. Null when those are not enough:
  /// [#ask] then. What the question sees are the newest values, not those of one moment.
  <T> @Nullable T fromMemory(Function<Shards, T> question);

  /// Snapshots by slot, opened as they are asked for, closed when the question is answered.
  interface Shards {
    KeyValues of(int slot);
  }
}

package io.tern.tools.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.tools.simulation.ModelRun.Action;
import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Sequences of everything that the SDK can do, from seeds, against [ReferenceModel].
///
/// `-Dtern.sequences=N` runs N of them (default 1,000; `./verify` 20,000), `-Dtern.sequence=S`
/// replays one.
class ModelTest {

  private static final int SEQUENCES = Integer.getInteger("tern.sequences", 1_000);

  @Test
  void everySequenceLeavesWhatTheModelSays() {
    Long only = Long.getLong("tern.sequence");
    long first = only != null ? only : 1;
    long last = only != null ? only : SEQUENCES;
    Map<Action, Integer> done = new EnumMap<>(Action.class);
    long started = System.nanoTime();
    for (long seed = first; seed <= last; seed++) {
      run(seed).done.forEach((action, count) -> done.merge(action, count, Integer::sum));
    }
    long millis = (System.nanoTime() - started) / 1_000_000;
    System.out.printf(
        "model: sequences %d to %d hold, %d ms, %.1f ms each, %d actions of %d kinds: %s%n",
        first,
        last,
        millis,
        (double) millis / (last - first + 1),
        done.values().stream().mapToInt(n -> n).sum(),
        done.size(),
        done);
    if (last - first >= 200) {
      assertThat(done).containsOnlyKeys(Action.values()).hasSizeGreaterThanOrEqualTo(25);
    }
  }

  /// Seeds that failed once. What 5 found, that an author's own device kept back what everyone has
  /// got, `ReceiptsTest` holds by itself; 17685 was the model's: a mark behind a block.
  @ParameterizedTest
  @ValueSource(longs = {5, 17_685})
  void sequencesThatFailedOnce(long seed) {
    run(seed);
  }

  private static ModelRun run(long seed) {
    var run = new ModelRun(seed);
    try {
      run.go();
    } catch (AssertionError | RuntimeException e) {
      throw new AssertionError(
          "sequence %d: replay with ./verify --only ModelTest --sequence %d%n%s%n%s"
              .formatted(seed, seed, String.join("\n", run.story), e.getMessage()),
          e);
    }
    return run;
  }
}

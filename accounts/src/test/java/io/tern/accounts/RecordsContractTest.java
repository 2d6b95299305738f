package io.tern.accounts;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.UserId;
import io.tern.store.RecordKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What every [Records] does.
abstract class RecordsContractTest {

  private static final RecordKey KEY = RecordKey.ofUser('a', new UserId(77));

  abstract Records records();

  abstract MutableClock clock();

  private static byte[] bytes(String text) {
    return text.getBytes(java.nio.charset.StandardCharsets.UTF_8);
  }

  private long version() {
    Records.Versioned found = records().get(KEY);
    return found == null ? 0 : found.version();
  }

  @Test
  void whatWasPutIsThere() {
    assertThat(records().get(KEY)).isNull();
    assertThat(records().put(KEY, 0, bytes("one"), 0)).isTrue();
    assertThat(Objects.requireNonNull(records().get(KEY)).value()).isEqualTo(bytes("one"));
  }

  @Test
  void aChangeOfWhatWasNotReadDoesNotGoThrough() {
    records().put(KEY, 0, bytes("one"), 0);
    long one = version();
    assertThat(records().put(KEY, 0, bytes("two"), 0)).isFalse();
    assertThat(records().put(KEY, one, bytes("two"), 0)).isTrue();
    assertThat(records().put(KEY, one, bytes("three"), 0)).isFalse();
    assertThat(records().delete(KEY, one)).isFalse();
    assertThat(Objects.requireNonNull(records().get(KEY)).value()).isEqualTo(bytes("two"));
  }

  @Test
  void aVersionDoesNotComeBackAfterADeletion() {
    records().put(KEY, 0, bytes("one"), 0);
    long one = version();
    assertThat(records().delete(KEY, one)).isTrue();
    assertThat(records().get(KEY)).isNull();
    records().put(KEY, 0, bytes("one"), 0);
    assertThat(version()).isGreaterThan(one);
    assertThat(records().put(KEY, one, bytes("late"), 0)).isFalse();
  }

  @Test
  void whatHasEndedIsNotThere() {
    long end = clock().millis() + 1_000;
    records().put(KEY, 0, bytes("one"), end);
    long one = version();
    clock().pass(Duration.ofMillis(999));
    assertThat(version()).isEqualTo(one);
    clock().pass(Duration.ofMillis(1));
    assertThat(records().get(KEY)).isNull();
    assertThat(records().keys(KEY.slot(), 'a', null, 10)).isEmpty();
    assertThat(records().put(KEY, one, bytes("late"), 0)).isFalse();
    assertThat(records().put(KEY, 0, bytes("new"), 0)).isTrue();
    assertThat(version()).isGreaterThan(one);
  }

  @Test
  void keysOfOtherKindsAndSlotsAreOthers() {
    byte[] hash = new byte[32];
    hash[31] = 1;
    records().put(RecordKey.ofHash('n', hash), 0, bytes("n"), 0);
    records().put(RecordKey.ofHash('u', hash), 0, bytes("u"), 0);
    hash = hash.clone();
    hash[1] = 1;
    records().put(RecordKey.ofHash('n', hash), 0, bytes("other"), 0);
    assertThat(records().keys(0, 'n', null, 10)).hasSize(1);
    assertThat(records().keys(1, 'n', null, 10)).hasSize(1);
    assertThat(records().keys(0, 'u', null, 10)).hasSize(1);
    assertThat(records().keys(0, 'v', null, 10)).isEmpty();
  }

  @Test
  void keysComeInPiecesByTheirIds() {
    for (int i = 40; i > 0; i--) {
      byte[] hash = new byte[2 + i % 3];
      hash[1] = 9;
      hash[hash.length - 1] = (byte) (hash.length == 2 ? 9 : i * 6);
      records().put(RecordKey.ofHash('n', hash), 0, bytes("n" + i), 0);
    }
    var all = records().keys(9, 'n', null, 100);
    assertThat(all).hasSizeGreaterThan(20).doesNotHaveDuplicates();
    assertThat(all).isSortedAccordingTo((a, b) -> java.util.Arrays.compareUnsigned(a.id(), b.id()));
    var pieces = new ArrayList<RecordKey>();
    RecordKey after = null;
    while (true) {
      var piece = records().keys(9, 'n', after, 7);
      pieces.addAll(piece);
      if (piece.size() < 7) {
        break;
      }
      after = piece.getLast();
    }
    assertThat(pieces).isEqualTo(all);
  }

  @Test
  void ofManyWhoChangeTheSameOneGoesThrough() throws InterruptedException {
    int threads = 8;
    int rounds = 200;
    var wins = new int[threads];
    var start = new CountDownLatch(1);
    var all = new ArrayList<Thread>();
    var failures = new ConcurrentLinkedQueue<Throwable>();
    for (int t = 0; t < threads; t++) {
      int own = t;
      all.add(
          Thread.ofPlatform()
              .uncaughtExceptionHandler((thread, failure) -> failures.add(failure))
              .start(() -> {
                awaitQuietly(start);
                for (int i = 0; i < rounds; i++) {
                  long version = version();
                  if (records().put(KEY, version, bytes(own + " " + i), 0)) {
                    wins[own]++;
                  }
                }
              }));
    }
    start.countDown();
    for (Thread thread : all) {
      thread.join();
    }
    assertThat(failures).isEmpty();
    int won = java.util.stream.IntStream.of(wins).sum();
    assertThat(won).isBetween(1, threads * rounds);
    assertThat(records().get(KEY)).isNotNull();
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void theyDoWhatAMapDoes(long seed) {
    var random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    record Model(long version, byte[] value, long ends) {}
    Map<RecordKey, Model> model = new HashMap<>();
    var versions = new HashMap<RecordKey, Long>();
    for (int i = 0; i < 1_000; i++) {
      var key =
          RecordKey.ofUser("abc".charAt(random.nextInt(3)), new UserId(1 + random.nextInt(3)));
      clock().pass(Duration.ofMillis(random.nextInt(50)));
      long now = clock().millis();
      model.values().removeIf(m -> m.ends != 0 && m.ends <= now);
      Model known = model.get(key);
      long right = known == null ? 0 : known.version;
      long expected = random.nextInt(4) == 0 ? versions.getOrDefault(key, 0L) : right;
      if (random.nextInt(5) == 0) {
        boolean deleted = records().delete(key, expected);
        assertThat(deleted).as("seed %d step %d", seed, i).isEqualTo(expected == right);
        if (deleted) {
          model.remove(key);
        }
      } else {
        byte[] value = bytes("value " + i);
        long ends = random.nextBoolean() ? 0 : now + random.nextInt(1, 300);
        boolean put = records().put(key, expected, value, ends);
        assertThat(put).as("seed %d step %d", seed, i).isEqualTo(expected == right);
        if (put) {
          long version = Objects.requireNonNull(records().get(key)).version();
          assertThat(version).isGreaterThan(versions.getOrDefault(key, 0L));
          versions.put(key, version);
          model.put(key, new Model(version, value, ends));
        }
      }
      Records.Versioned found = records().get(key);
      Model now2 = model.get(key);
      assertThat(found == null).as("seed %d step %d", seed, i).isEqualTo(now2 == null);
      if (found != null && now2 != null) {
        assertThat(found.value()).isEqualTo(now2.value);
      }
    }
  }
}

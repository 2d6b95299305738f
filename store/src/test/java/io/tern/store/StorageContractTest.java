package io.tern.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What every [Storage] does. One subclass for each implementation.
public abstract class StorageContractTest {

  private Storage storage;

  /// A new, empty storage.
  protected abstract Storage create();

  @BeforeEach
  void open() {
    storage = create();
  }

  @AfterEach
  void close() {
    storage.close();
  }

  @Test
  void whatWasPutIsThere() {
    write(batch -> batch.put(bytes("key"), bytes("value")));

    assertThat(get("key")).isEqualTo("value");
    assertThat(get("ke")).isNull();
    assertThat(get("key2")).isNull();
  }

  @Test
  void anEmptyValueIsAValue() {
    write(batch -> batch.put(bytes("key"), bytes("")));

    assertThat(get("key")).isEmpty();
  }

  @Test
  void theLastOfTwoPutsInABatchWins() {
    write(batch -> {
      batch.put(bytes("key"), bytes("one"));
      batch.put(bytes("key"), bytes("two"));
    });

    assertThat(get("key")).isEqualTo("two");
  }

  @Test
  void deletedKeysAreGone() {
    put("a", "b", "c", "d");

    write(batch -> {
      batch.delete(bytes("b"));
      batch.delete(bytes("never there"));
    });
    assertThat(keys("a", "z")).containsExactly("a", "c", "d");

    write(batch -> batch.deleteRange(bytes("a"), bytes("d")));
    assertThat(keys("a", "z")).containsExactly("d");
  }

  @Test
  void whatWasWrittenJustNowIsInMemory() {
    put("a", "b");

    assertThat(storage.inMemory().get(bytes("a"))).isNotNull();
    assertThat(storage.inMemory().get(bytes("c"))).isNull();
    write(batch -> batch.delete(bytes("a")));
    assertThat(storage.inMemory().get(bytes("a"))).isNull();
    var keys = new ArrayList<String>();
    KeyValues.Visitor visitor = (key, value) -> keys.add(new String(key, StandardCharsets.UTF_8));
    storage.inMemory().scan(bytes("a"), bytes("z"), visitor);
    storage.inMemory().scanDown(bytes("a"), bytes("z"), visitor);
    assertThat(keys).containsExactly("b", "b");
  }

  @Test
  void aScanIsFromInclusiveToExclusiveAscending() {
    put("d", "a", "c", "b");

    assertThat(keys("a", "d")).containsExactly("a", "b", "c");
    assertThat(keys("aa", "c")).containsExactly("b");
    assertThat(keys("d", "a")).isEmpty();
    assertThat(keys("b", "b")).isEmpty();
  }

  @Test
  void aScanDownIsTheSameBackwards() {
    put("d", "a", "c", "b");

    assertThat(keysDown("a", "d")).containsExactly("c", "b", "a");
    assertThat(keysDown("aa", "c")).containsExactly("b");
    assertThat(keysDown("a", "cc")).containsExactly("c", "b", "a");
    assertThat(keysDown("d", "a")).isEmpty();
  }

  @Test
  void aScanStopsWhenTheVisitorHasEnough() {
    put("a", "b", "c");
    var seen = new ArrayList<String>();

    storage.scan(
        bytes("a"),
        bytes("z"),
        (key, value) -> {
          seen.add(string(key));
          return seen.size() < 2;
        });

    assertThat(seen).containsExactly("a", "b");
  }

  @Test
  void aVisitorMayAskTheStorage() {
    put("a", "b");
    var seen = new ArrayList<@Nullable String>();

    storage.scan(bytes("a"), bytes("z"), (key, value) -> seen.add(get(string(key))));

    assertThat(seen).containsExactly("value of a", "value of b");
  }

  @Test
  void keysCompareAsUnsignedBytes() {
    write(batch -> {
      batch.put(new byte[] {(byte) 0x80}, bytes("high"));
      batch.put(new byte[] {0x7F}, bytes("low"));
    });
    var seen = new ArrayList<String>();

    storage.scan(new byte[] {0}, new byte[] {-1}, (key, value) -> seen.add(string(value)));

    assertThat(seen).containsExactly("low", "high");
  }

  @Test
  void aSnapshotSeesTheMomentItWasTaken() {
    put("a", "b");
    try (Storage.Snapshot snapshot = storage.snapshot()) {
      write(batch -> {
        batch.put(bytes("a"), bytes("new"));
        batch.delete(bytes("b"));
        batch.put(bytes("c"), bytes("new"));
      });

      assertThat(snapshot.get(bytes("a"))).isEqualTo(bytes("value of a"));
      assertThat(snapshot.get(bytes("c"))).isNull();
      var seen = new ArrayList<String>();
      snapshot.scan(bytes("a"), bytes("z"), (key, value) -> seen.add(string(key)));
      snapshot.scanDown(bytes("a"), bytes("z"), (key, value) -> seen.add(string(key)));
      assertThat(seen).containsExactly("a", "b", "b", "a");
    }
    assertThat(get("a")).isEqualTo("new");
    assertThat(keys("a", "z")).containsExactly("a", "c");
  }

  @Test
  void arraysHandedOutMayBeChanged() {
    put("a");
    byte[] value = Objects.requireNonNull(storage.get(bytes("a")));
    value[0] = 'X';
    storage.scan(
        bytes("a"),
        bytes("b"),
        (key, scanned) -> {
          key[0] = 'X';
          scanned[0] = 'X';
          return true;
        });

    assertThat(get("a")).isEqualTo("value of a");
  }

  @Test
  void aClosedStorageRefuses() {
    Storage.Snapshot snapshot = storage.snapshot();
    snapshot.close();
    storage.close();
    storage.close();

    assertThatThrownBy(() -> storage.get(bytes("a"))).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> storage.snapshot()).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> put("a")).isInstanceOf(IllegalStateException.class);
  }

  /// Random batches against a sorted map.
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void behavesLikeASortedMap(long seed) {
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    var model = new TreeMap<String, String>();
    var batch = new Batch();
    for (int round = 0; round < 200; round++) {
      batch.clear();
      for (int i = random.nextInt(20); i >= 0; i--) {
        String key = key(random);
        switch (random.nextInt(10)) {
          case 0 -> {
            String to = key(random);
            if (key.compareTo(to) <= 0) {
              batch.deleteRange(bytes(key), bytes(to));
              model.subMap(key, to).clear();
            }
          }
          case 1, 2 -> {
            batch.delete(bytes(key));
            model.remove(key);
          }
          default -> {
            String value = "v".repeat(random.nextInt(300)) + round;
            batch.put(bytes(key), bytes(value));
            model.put(key, value);
          }
        }
      }
      storage.write(batch, random.nextInt(8) == 0);
      String from = key(random);
      String to = key(random);
      List<String> expected =
          from.compareTo(to) < 0 ? List.copyOf(model.subMap(from, to).keySet()) : List.of();
      assertThat(keys(from, to)).as("seed %d", seed).isEqualTo(expected);
      assertThat(keysDown(from, to)).as("seed %d", seed).isEqualTo(expected.reversed());
      assertThat(get(from)).as("seed %d", seed).isEqualTo(model.get(from));
    }
  }

  private static String key(RandomGenerator random) {
    return "%02d".formatted(random.nextInt(60));
  }

  private void put(String... keys) {
    write(batch -> {
      for (String key : keys) {
        batch.put(bytes(key), bytes("value of " + key));
      }
    });
  }

  private void write(java.util.function.Consumer<Batch> content) {
    var batch = new Batch();
    content.accept(batch);
    storage.write(batch, true);
  }

  private @Nullable String get(String key) {
    byte[] value = storage.get(bytes(key));
    return value == null ? null : string(value);
  }

  private List<String> keys(String from, String to) {
    var keys = new ArrayList<String>();
    storage.scan(bytes(from), bytes(to), (key, value) -> keys.add(string(key)));
    return keys;
  }

  private List<String> keysDown(String from, String to) {
    var keys = new ArrayList<String>();
    storage.scanDown(bytes(from), bytes(to), (key, value) -> keys.add(string(key)));
    return keys;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static String string(byte[] bytes) {
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }
}

package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// Records of the user service: compared and set, ended by housekeeping.
class RecordsTest {

  private static final RecordKey KEY = RecordKey.ofUser('a', ALICE);

  private final ShardNode node = new ShardNode();

  private Outcome.Recorded put(RecordKey key, long expected, String value, long expires) {
    return recorded(node.run(command(key, expected, value, expires)));
  }

  private static Command command(RecordKey key, long expected, String value, long expires) {
    return new Command.PutRecord(
        key, expected, value.getBytes(java.nio.charset.StandardCharsets.UTF_8), expires);
  }

  private static Outcome.Recorded recorded(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.Recorded.class);
    return (Outcome.Recorded) outcome;
  }

  private String value(RecordKey key) {
    Reads.Recorded found = Reads.record(node.storage, key, node.now);
    return found == null ? "" : new String(found.value(), java.nio.charset.StandardCharsets.UTF_8);
  }

  @Test
  void aRecordIsChangedIfItIsAsItWasRead() {
    Outcome.Recorded one = put(KEY, 0, "one", 0);
    assertThat(one.stored()).isTrue();
    assertThat(put(KEY, 0, "two", 0)).isEqualTo(new Outcome.Recorded(false, one.version()));
    assertThat(value(KEY)).isEqualTo("one");
    Outcome.Recorded two = put(KEY, one.version(), "two", 0);
    assertThat(two.version()).isGreaterThan(one.version());
    assertThat(Objects.requireNonNull(Reads.record(node.storage, KEY, node.now)).version())
        .isEqualTo(two.version());
  }

  @Test
  void ofTwoInOneBatchTheFirstGoesThrough() {
    Outcome.Recorded first = recorded(node.prepare(command(KEY, 0, "one", 0)));
    Outcome.Recorded second = recorded(node.prepare(command(KEY, 0, "two", 0)));
    Outcome.Recorded third = recorded(node.prepare(command(KEY, first.version(), "three", 0)));
    node.shard.commit();
    assertThat(first.stored()).isTrue();
    assertThat(second.stored()).isFalse();
    assertThat(third.stored()).isTrue();
    assertThat(third.version()).isGreaterThan(first.version());
    assertThat(value(KEY)).isEqualTo("three");
  }

  @Test
  void whatWasStoredIsSafeFromAPowerCut() {
    long version = put(KEY, 0, "one", 0).version();
    node.storage.crash(0);
    node.start();
    assertThat(value(KEY)).isEqualTo("one");
    assertThat(put(KEY, version, "two", 0).stored()).isTrue();
  }

  @Test
  void aVersionDoesNotComeBack() {
    long first = put(KEY, 0, "one", 0).version();
    assertThat(recorded(node.run(new Command.PutRecord(KEY, first, null, 0))))
        .isEqualTo(new Outcome.Recorded(true, 0));
    assertThat(value(KEY)).isEmpty();
    node.restart();
    assertThat(put(KEY, 0, "new", 0).version()).isGreaterThan(first);
    assertThat(put(KEY, first, "late", 0).stored()).isFalse();
  }

  @Test
  void deletingNothingIsDone() {
    assertThat(recorded(node.run(new Command.PutRecord(KEY, 0, null, 0))).stored()).isTrue();
  }

  @Test
  void housekeepingErasesWhatHasEnded() {
    long version = put(KEY, 0, "one", node.now + 1_000).version();
    put(RecordKey.ofUser('b', ALICE), 0, "stays", 0);
    long later = put(RecordKey.ofUser('c', ALICE), 0, "longer", node.now + 1_000).version();
    put(RecordKey.ofUser('c', ALICE), later, "longer", node.now + 100_000);
    node.now += 1_000;
    assertThat(value(KEY)).isEmpty();
    assertThat(put(KEY, version, "late", 0).stored()).isFalse();
    for (int i = 0; i < 40; i++) {
      node.run(new Command.Tick(0, false));
    }
    assertThat(node.storage.get(Keys.record(KEY))).isNull();
    assertThat(node.storage.get(Keys.recordEnd(KEY, node.now))).isNull();
    assertThat(value(RecordKey.ofUser('b', ALICE))).isEqualTo("stays");
    assertThat(value(RecordKey.ofUser('c', ALICE))).isEqualTo("longer");
    node.now += 100_000;
    node.run(new Command.Tick(0, false));
    assertThat(node.storage.get(Keys.record(RecordKey.ofUser('c', ALICE)))).isNull();
  }

  @Test
  void moreThanOneTickErasesAreErasedByTheNext() {
    byte[] hash = new byte[32];
    for (int i = 0; i < 2 * Expiries.ERASURES_PER_TICK; i++) {
      hash[30] = (byte) (i >>> 8);
      hash[31] = (byte) i;
      node.prepare(command(RecordKey.ofHash('t', hash.clone()), 0, "x", node.now + 1_000 + i % 7));
    }
    node.shard.commit();
    node.now += 5_000;
    for (int i = 0; i < 40; i++) {
      node.run(new Command.Tick(0, false));
    }
    int[] left = {0};
    node.storage.scan(
        Keys.tagFrom('A', 0),
        Keys.tagFrom('B', 0),
        (key, value) -> {
          left[0]++;
          return true;
        });
    node.storage.scan(
        Keys.tagFrom('Y', 0),
        Keys.tagFrom('Z', 0),
        (key, value) -> {
          left[0]++;
          return true;
        });
    assertThat(left[0]).isZero();
  }

  @Test
  void recordsAreFoundByKindAndSlot() {
    var bob = new UserId(5);
    put(RecordKey.ofUser('w', ALICE), 0, "alice", 0);
    put(RecordKey.ofUser('w', bob), 0, "bob", 0);
    put(RecordKey.ofUser('x', ALICE), 0, "other", 0);
    var found = Reads.records(node.storage, Slots.of(ALICE), 'w', null, node.now, 10);
    assertThat(found).extracting(Reads.Recorded::key).containsExactly(RecordKey.ofUser('w', ALICE));
  }

  @Test
  void aRecordHasItsSize() {
    var large = new byte[Command.PutRecord.VALUE_BYTES_MAX + 1];
    refused(node.run(new Command.PutRecord(KEY, 0, large, 0)), ErrorCode.BODY_TOO_LARGE);
    assertThat(
            recorded(
                    node.run(
                        new Command.PutRecord(
                            KEY, 0, new byte[Command.PutRecord.VALUE_BYTES_MAX], 0)))
                .stored())
        .isTrue();
  }

  @Test
  void aFullDiskTakesNoRecordButLetsOneGo() {
    long version = put(KEY, 0, "one", 0).version();
    node.hasRoom = false;
    refused(node.run(command(KEY, version, "two", 0)), ErrorCode.BUSY);
    assertThat(recorded(node.run(new Command.PutRecord(KEY, version, null, 0))).stored()).isTrue();
  }
}

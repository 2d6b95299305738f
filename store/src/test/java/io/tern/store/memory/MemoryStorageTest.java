package io.tern.store.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.store.Batch;
import io.tern.store.Storage;
import io.tern.store.StorageContractTest;
import org.junit.jupiter.api.Test;

class MemoryStorageTest extends StorageContractTest {

  @Override
  protected Storage create() {
    return new MemoryStorage();
  }

  @Test
  void aPowerCutKeepsAPrefixOfWhatWasNotSynced() {
    var storage = new MemoryStorage();
    write(storage, 1, true);
    write(storage, 2, false);
    write(storage, 3, false);
    write(storage, 4, false);

    assertThat(storage.crash(1)).isEqualTo(2);

    assertThat(storage.get(new byte[] {1})).isNotNull();
    assertThat(storage.get(new byte[] {2})).isNotNull();
    assertThat(storage.get(new byte[] {3})).isNull();
    assertThat(storage.get(new byte[] {4})).isNull();
  }

  @Test
  void aPowerCutPutsBackWhatWasOverwrittenAndDeleted() {
    var storage = new MemoryStorage();
    write(storage, 1, true);
    var batch = new Batch();
    batch.put(new byte[] {1}, new byte[] {99});
    batch.deleteRange(new byte[] {0}, new byte[] {9});
    storage.write(batch, false);
    assertThat(storage.get(new byte[] {1})).isNull();

    storage.crash(0);

    assertThat(storage.get(new byte[] {1})).containsExactly(1);
  }

  @Test
  void aSyncKeepsEveryBatchBeforeIt() {
    var storage = new MemoryStorage();
    write(storage, 1, false);
    write(storage, 2, true);

    assertThat(storage.crash(0)).isZero();
    assertThat(storage.get(new byte[] {1})).isNotNull();
  }

  @Test
  void aRestartLosesNothing() {
    var storage = new MemoryStorage();
    write(storage, 1, false);
    storage.close();

    storage.restart();

    assertThat(storage.get(new byte[] {1})).isNotNull();
  }

  @Test
  void aBrokenDiskPromisesNothingUntilTheNextLife() {
    var storage = new MemoryStorage();
    storage.breakDisk();
    assertThatThrownBy(() -> write(storage, 1, true)).isInstanceOf(Storage.LostDurability.class);

    assertThat(storage.crash(0)).isEqualTo(1);

    assertThat(storage.get(new byte[] {1})).isNull();
    write(storage, 1, true);
    assertThat(storage.get(new byte[] {1})).isNotNull();
  }

  private static void write(Storage storage, int key, boolean sync) {
    var batch = new Batch();
    batch.put(new byte[] {(byte) key}, new byte[] {(byte) key});
    storage.write(batch, sync);
  }
}

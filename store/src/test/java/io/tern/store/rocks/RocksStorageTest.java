package io.tern.store.rocks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.store.Batch;
import io.tern.store.KeyValues;
import io.tern.store.Storage;
import io.tern.store.StorageContractTest;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RocksStorageTest extends StorageContractTest {

  @TempDir Path folder;
  private @Nullable RocksStore store;

  @Override
  protected Storage create() {
    var opened = RocksStore.open(RocksStoreConfig.of(folder).withShards(1));
    store = opened;
    return opened.storage(0);
  }

  /// After a restart nothing is in memory, and it says so in place of reading a file.
  @Test
  void whatIsOnTheDiskAloneIsNotInMemoryUntilItWasRead() {
    byte[] key = {7};
    RocksStoreConfig config = RocksStoreConfig.of(folder.resolve("cold")).withShards(1);
    try (var before = RocksStore.open(config)) {
      var batch = new Batch();
      batch.put(key, key);
      before.storage(0).write(batch, true);
    }

    try (var after = RocksStore.open(config)) {
      KeyValues inMemory = after.storage(0).inMemory();
      assertThatThrownBy(() -> inMemory.get(key)).isInstanceOf(Storage.NotInMemory.class);
      KeyValues.Visitor all = (k, v) -> true;
      assertThatThrownBy(() -> inMemory.scan(key, new byte[] {8}, all))
          .isInstanceOf(Storage.NotInMemory.class);
      assertThatThrownBy(() -> inMemory.scanDown(key, new byte[] {8}, all))
          .isInstanceOf(Storage.NotInMemory.class);

      assertThat(after.storage(0).get(key)).isEqualTo(key);
      assertThat(inMemory.get(key)).isEqualTo(key);
    }
  }

  @AfterEach
  void closeStore() {
    if (store != null) {
      store.close();
    }
  }
}

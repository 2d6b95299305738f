package io.tern.store.rocks;

import io.tern.store.Storage;
import io.tern.store.StorageContractTest;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
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

  @AfterEach
  void closeStore() {
    if (store != null) {
      store.close();
    }
  }
}

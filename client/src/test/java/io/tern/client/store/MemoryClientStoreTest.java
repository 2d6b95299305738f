package io.tern.client.store;

import io.tern.client.ClientStore;

class MemoryClientStoreTest extends ClientStoreContractTest {

  private final MemoryClientStore store = new MemoryClientStore();

  @Override
  ClientStore open() {
    return store;
  }
}

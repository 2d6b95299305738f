package io.tern.accounts;

class ShardRecordsTest extends RecordsContractTest {

  private final World world = new World(1);
  private final Records records = new ShardRecords(world, world.clock);

  @Override
  Records records() {
    return records;
  }

  @Override
  MutableClock clock() {
    return world.clock;
  }
}

package io.tern.accounts;

class MemoryRecordsTest extends RecordsContractTest {

  private final MutableClock clock = new MutableClock();
  private final Records records = new MemoryRecords(clock);

  @Override
  Records records() {
    return records;
  }

  @Override
  MutableClock clock() {
    return clock;
  }
}

package io.tern.router;

/// The rings, dispatch and readers of one process.
///
/// @param ringEvents commands that one shard's ring holds, a power of two; beyond, BUSY
/// @param ringBytes bytes of bodies in one shard's ring; beyond, BUSY
/// @param batchEvents commands in one commit at most
/// @param batchBytes bytes of writes after which a batch is committed
/// @param readers threads that read the store
/// @param readersQueue questions that wait for a reader; beyond, BUSY
public record RouterConfig(
    int ringEvents,
    long ringBytes,
    int batchEvents,
    int batchBytes,
    int readers,
    int readersQueue,
    DispatchConfig dispatch) {

  public static final RouterConfig DEFAULT =
      new RouterConfig(
          8_192,
          64L << 20,
          1_024,
          512 << 10,
          Math.max(1, Runtime.getRuntime().availableProcessors()),
          4_096,
          DispatchConfig.DEFAULT);

  public RouterConfig {
    require(
        ringEvents >= 2 && ringEvents <= 1 << 20 && Integer.bitCount(ringEvents) == 1,
        "ringEvents",
        ringEvents,
        "a power of two, 2 to 1,048,576");
    require(ringBytes >= 1 << 20, "ringBytes", ringBytes, "at least 1 MiB");
    require(
        batchEvents >= 1 && batchEvents <= ringEvents,
        "batchEvents",
        batchEvents,
        "1 to ringEvents");
    require(batchBytes >= 4096, "batchBytes", batchBytes, "at least 4096");
    require(readers >= 1 && readers <= 1024, "readers", readers, "1 to 1024");
    require(readersQueue >= 1, "readersQueue", readersQueue, "at least 1");
  }

  private static void require(boolean valid, String key, Object value, String wanted) {
    if (!valid) {
      throw new IllegalArgumentException(key + " is " + value + "; it must be " + wanted);
    }
  }
}

package io.tern.tools.system;

import io.tern.tools.history.Report;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LongSummaryStatistics;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// A campaign in which the server dies again and again, and comes back on the same data and port.
final class Faults implements AutoCloseable {

  /// How the server dies. Returns when it is dead and its data can be opened again.
  @FunctionalInterface
  interface Death {
    void strike(ServerProcess server) throws IOException;
  }

  private static final int LIFE_MILLIS_MAX = 1_500;
  private static final Duration RECOVERY_MAX = Duration.ofSeconds(40);

  private final String name;
  private final long seed;
  private final Random random;
  private final ServerProcess.Plan plan;
  private final Death death;
  private final Campaign campaign;
  private final LongSummaryStatistics recoveryMillis = new LongSummaryStatistics();
  private final LongSummaryStatistics readyMillis = new LongSummaryStatistics();
  private ServerProcess server;
  private int deaths;

  /// Starts server and campaign.
  ///
  /// @param folder for logs, stores of devices and histories of failures
  Faults(
      String name,
      long seed,
      ServerProcess.Plan plan,
      Path folder,
      Campaign.Plan campaignPlan,
      Death death)
      throws IOException {
    this.name = name;
    this.seed = seed;
    this.plan = plan;
    this.death = death;
    random = new Random(seed);
    System.out.printf("%s: seed %d (replay the schedule with -Dtern.seed=%d)%n", name, seed, seed);
    server = ServerProcess.start(plan);
    var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), plan.port());
    campaign = new Campaign(name, seed, address, folder, campaignPlan);
    try {
      server.awaitReady();
      campaign.start();
    } catch (AssertionError | RuntimeException e) {
      close();
      throw e;
    }
  }

  /// The seed of this run: `-Dtern.seed`, or a new one.
  static long seed() {
    return Long.getLong("tern.seed", System.nanoTime() & 0xFFFF_FFFFL);
  }

  /// A server's plan for these tests: no limit of sends, and clients that come back soon.
  static ServerProcess.Plan plan(Path data, Path log, Random random) {
    return ServerProcess.Plan.of(data, ServerProcess.freePort(random), log)
        .with("limits.send.rate", 0)
        // Every device reads everything at the end.
        .with("limits.cheap.rate", 0)
        // A device whose connection is cut again and again comes back as often.
        .with("budgets.logins-per-device-per-minute", 0)
        .with("store.disk-reserve", "16 MiB");
  }

  /// Lets the server die `times` times at random moments: under load, while it starts, and as soon
  /// as it is ready.
  void strike(int times) throws IOException {
    while (deaths < times) {
      int moment = random.nextInt(10);
      if (moment == 0 && deaths > 0) {
        die("as soon as it was ready");
      } else {
        campaign.awaitAcknowledged(1, RECOVERY_MAX);
        pause(random.nextInt(LIFE_MILLIS_MAX));
        die("under load");
      }
      if (moment <= 2 && deaths < times) {
        pause(random.nextInt((int) Math.max(1, (long) readyMillis.getAverage())));
        die(server.isReady() ? "just after its start" : "while it started");
      }
      var ready = server.awaitReady();
      readyMillis.accept(ready.after().toMillis());
      campaign.reconnect();
    }
    campaign.awaitAcknowledged(1, RECOVERY_MAX);
  }

  private void die(String when) throws IOException {
    long before = campaign.acknowledged();
    long began = System.nanoTime();
    death.strike(server);
    server.close();
    deaths++;
    server = ServerProcess.start(plan);
    long dead = System.nanoTime();
    // Recovery is timed in the background: the next strike may come before it.
    int number = deaths;
    Thread.ofVirtual()
        .start(() -> {
          try {
            var recovery = campaign.awaitAcknowledged(1, RECOVERY_MAX);
            long millis = recovery.plusNanos(dead - began).toMillis();
            synchronized (recoveryMillis) {
              recoveryMillis.accept(millis);
            }
            System.out.printf(
                "%s %d: %s, %,d acknowledged before, the next one %,d ms after%n",
                name, number, when, before, millis);
          } catch (AssertionError e) {
            System.out.printf("%s %d: %s, no recovery: %s%n", name, number, when, e);
          }
        });
  }

  /// Waits for quiet, checks, and prints the result.
  Report finish() throws IOException {
    var report = campaign.finish();
    synchronized (recoveryMillis) {
      System.out.printf(
          "%s: seed %d, %d deaths, ready after %.0f ms (mean), next acknowledgement %.0f ms after death (mean, max %d): %s%n",
          name,
          seed,
          deaths,
          readyMillis.getAverage(),
          recoveryMillis.getAverage(),
          recoveryMillis.getMax(),
          report);
    }
    return report;
  }

  Campaign campaign() {
    return campaign;
  }

  ServerProcess server() {
    return server;
  }

  /// Lets real time pass: the moment of a fault is the point, there is no condition to wait for.
  private static void pause(int millis) {
    try {
      var _ = new CountDownLatch(1).await(millis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    campaign.close();
    server.close();
  }
}

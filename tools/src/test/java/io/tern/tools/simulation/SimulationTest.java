package io.tern.tools.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.store.Batch;
import io.tern.store.CommitLog;
import io.tern.store.LocalLog;
import io.tern.store.Storage;
import io.tern.tools.history.History;
import io.tern.tools.history.HistoryChecker;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/// Whole worlds from seeds: devices that chat, lose their connection and restart, a server that is
/// killed and loses power. At the end the checker looks at everything that was seen.
///
/// `-Dtern.seeds=N` runs N worlds (default 2,000), `-Dtern.seed=S` replays one.
class SimulationTest {

  private static final int SEEDS = Integer.getInteger("tern.seeds", 2_000);
  private static final long ACTIVE_MICROS = 12_000_000;
  private static final long SETTLE_MICROS_MAX = 400_000_000;

  @Test
  void everyWorldKeepsThePromises() {
    Long only = Long.getLong("tern.seed");
    long first = only != null ? only : 1;
    long last = only != null ? only : SEEDS;
    long started = System.nanoTime();
    for (long seed = first; seed <= last; seed++) {
      assertThat(violations(seed, LocalLog::new))
          .as("seed %d: replay with ./verify --only SimulationTest --seed %d", seed, seed)
          .isEmpty();
    }
    System.out.printf(
        "simulation: seeds %d to %d hold, %d ms%n",
        first, last, (System.nanoTime() - started) / 1_000_000);
  }

  @Test
  void aSeedTellsTheSameStoryTwice() {
    assertThat(story(77)).isEqualTo(story(77));
  }

  @Test
  void aLogThatDoesNotSyncIsCaught() {
    assertThat(seedsUntilCaught(disk -> (batch, sync) -> disk.write(batch, false)))
        .isBetween(1L, 300L);
  }

  /// Everything is told before it is written: the batch reaches the disk with the next one.
  @Test
  void aLogThatAcknowledgesBeforeItWritesIsCaught() {
    Function<Storage, CommitLog> late =
        disk -> {
          var held = new ArrayList<Batch>();
          return (batch, sync) -> {
            for (var earlier : held) {
              disk.write(earlier, true);
            }
            held.clear();
            held.add(copyOf(batch));
          };
        };
    assertThat(seedsUntilCaught(late)).isBetween(1L, 300L);
  }

  private static Batch copyOf(Batch batch) {
    var copy = new Batch();
    Batch.decode(
        batch.encoded(),
        new Batch.Visitor() {
          @Override
          public void put(byte[] key, byte[] value) {
            copy.put(key, value);
          }

          @Override
          public void delete(byte[] key) {
            copy.delete(key);
          }

          @Override
          public void deleteRange(byte[] from, byte[] to) {
            copy.deleteRange(from, to);
          }
        });
    return copy;
  }

  private static long seedsUntilCaught(Function<Storage, CommitLog> bug) {
    for (long seed = 1; seed <= 300; seed++) {
      try {
        if (!violations(seed, bug).isEmpty()) {
          return seed;
        }
      } catch (IllegalStateException e) {
        // The shard itself found that its storage cannot be right.
        return seed;
      }
    }
    return -1;
  }

  private static String story(long seed) {
    var run = new Run(seed, LocalLog::new);
    run.go();
    return run.world.stamp() + " " + run.world.micros();
  }

  private static List<String> violations(long seed, Function<Storage, CommitLog> logs) {
    var run = new Run(seed, logs);
    run.go();
    return run.violations;
  }

  /// One world.
  private static final class Run {

    final World world;
    final SimServer server;
    final History history;
    final List<SimDevice> devices = new ArrayList<>();
    final List<UserId> users = new ArrayList<>();
    final List<String> violations = new ArrayList<>();

    Run(long seed, Function<Storage, CommitLog> logs) {
      world = new World(seed);
      server = new SimServer(world, logs);
      history = new History(world::stamp);
    }

    void go() {
      server.start();
      int people = 2 + world.random.nextInt(3);
      for (int i = 0; i < people; i++) {
        users.add(new UserId(1 + (world.random.nextLong() & (UserId.VALUE_MAX >> 1))));
      }
      for (UserId user : users) {
        int count = 1 + world.random.nextInt(2);
        for (int index = 1; index <= count; index++) {
          devices.add(new SimDevice(world, server, history.device(new DeviceId(user, index))));
        }
      }
      // Everyone exists before anyone is written to: a device that logs in for the first time later
      // starts from the present.
      do {
        world.run(1_000_000);
      } while (!devices.stream().allMatch(SimDevice::isQuiet));
      act(ACTIVE_MICROS);
      settle();
      if (violations.isEmpty()) {
        record();
        var report = HistoryChecker.check(history);
        report.violations().forEach(v -> violations.add(v.toString()));
      }
    }

    private void act(long micros) {
      long until = world.micros() + micros;
      while (world.micros() < until) {
        world.run(world.some(100, 300_000));
        SimDevice device = devices.get(world.random.nextInt(devices.size()));
        UserId peer = users.get(world.random.nextInt(users.size()));
        switch (world.random.nextInt(40)) {
          case 0, 1 -> device.cut();
          case 2 -> device.restart();
          case 3 -> outage(false);
          case 4 -> outage(true);
          case 5, 6, 7, 8, 9 -> device.read(peer);
          case 10 -> {
            for (int i = 0; i < 20; i++) {
              device.send(peer);
            }
          }
          default -> device.send(peer);
        }
      }
    }

    private void outage(boolean power) {
      server.die(power);
      world.run(world.some(1_000, 3_000_000));
      if (server.life() == null) {
        server.start();
      }
    }

    /// No more faults: everything must come to rest, and all devices at the same place.
    private void settle() {
      if (server.life() == null) {
        server.start();
      }
      devices.forEach(SimDevice::networkChanged);
      long until = world.micros() + SETTLE_MICROS_MAX;
      while (!isSettled()) {
        if (world.micros() > until) {
          violations.add("the world did not settle: " + whoIsNot());
          return;
        }
        world.run(500_000);
      }
      world.run(5_000_000);
    }

    private boolean isSettled() {
      return whoIsNot().isEmpty();
    }

    private List<String> whoIsNot() {
      var late = new ArrayList<String>();
      for (SimDevice device : devices) {
        if (!device.isQuiet()) {
          late.add(device.id + " is not quiet");
        }
      }
      for (ChatId chat : chats()) {
        long head = 0;
        for (SimDevice device : members(chat)) {
          head = Math.max(head, device.position(chat));
        }
        for (SimDevice device : members(chat)) {
          if (device.position(chat) < head) {
            late.add(device.id + " is at " + device.position(chat) + " of " + head + " in " + chat);
          }
        }
      }
      return late;
    }

    private List<ChatId> chats() {
      var chats = new ArrayList<ChatId>();
      for (int i = 0; i < users.size(); i++) {
        for (int j = i; j < users.size(); j++) {
          chats.add(ChatId.direct(users.get(i), users.get(j)));
        }
      }
      return chats;
    }

    private List<SimDevice> members(ChatId chat) {
      return devices.stream()
          .filter(d -> d.id.user().value() == chat.low() || d.id.user().value() == chat.high())
          .toList();
    }

    private void record() {
      for (SimDevice device : devices) {
        for (ChatId chat : chats()) {
          if (members(chat).contains(device) && device.position(chat) > 0) {
            device.recordHistory(chat, 0);
          }
        }
        device.recordSummaries();
      }
      world.run(30_000_000);
    }
  }
}

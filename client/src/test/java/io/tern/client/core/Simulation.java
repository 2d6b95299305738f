package io.tern.client.core;

import static io.tern.client.core.Simulation.check;
import static io.tern.client.core.Simulation.isSentBy;
import static io.tern.client.core.Simulation.text;

import io.tern.client.Body;
import io.tern.client.FakeLog;
import io.tern.client.FakeServer;
import io.tern.client.FakeSession;
import io.tern.client.GroupChange;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Setting;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Random;

/// Clients and a [FakeServer] in a world of simulated time, networks and processes, driven by one
/// seed on one thread. What the rules promise is checked while it runs and at the end; a broken
/// promise is an AssertionError.
final class Simulation {

  /// How bad the world is; every number is a probability.
  record World(
      double cut,
      double halfOpen,
      double connectFails,
      double refuseSend,
      double forgetSent,
      double loseDelivery,
      double repeatDelivery,
      double refuseQuestion,
      double refuseHello,
      double loseMark,
      double restart,
      double goAway,
      double listenerFails,
      double forgetChange,
      double dropBacklog) {

    static final World GOOD = new World(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    static World of(Random random) {
      double[] p = new double[15];
      for (int i = 0; i < p.length; i++) {
        // A third of the faults is absent in each world, so that the others get far.
        p[i] = random.nextInt(3) == 0 ? 0 : random.nextDouble() * 0.15;
      }
      return new World(
          p[0],
          p[1] / 4,
          p[2] * 3,
          p[3],
          p[4] / 2,
          p[5],
          p[6],
          p[7],
          p[8],
          p[9],
          p[10] / 2,
          p[11] / 2,
          p[12] / 10,
          p[13] * 2,
          p[14]);
    }
  }

  private record Event(long at, long order, Runnable action) {}

  final Random random;
  final FakeServer server = new FakeServer();
  final List<SimulatedDevice> devices = new ArrayList<>();
  final List<SimulatedLink> links = new ArrayList<>();
  World world;
  long now = 1_000;
  private long order;
  private final PriorityQueue<Event> events =
      new PriorityQueue<>(
          (a, b) -> a.at != b.at ? Long.compare(a.at, b.at) : Long.compare(a.order, b.order));
  int sends;
  int refusals;
  int reconnects;
  int histories;
  int changes;
  int resets;

  Simulation(long seed, int users, int devicesPerUser) {
    random = new Random(seed);
    world = World.of(random);
    server.faults = new SimulatedFaults(this);
    server.echoesOwn = random.nextBoolean();
    server.sendsPerSecond = random.nextInt(3) == 0 ? 50 : 0;
    server.pushesOwnEvents = random.nextBoolean();
    server.onAck = this::checkAck;
    for (int u = 0; u < users; u++) {
      for (int d = 1; d <= devicesPerUser; d++) {
        devices.add(new SimulatedDevice(this, new DeviceId(new UserId(100 + u), d)));
      }
    }
  }

  void at(long millis, Runnable action) {
    events.add(new Event(Math.max(now, millis), order++, action));
  }

  /// Runs what is due until `until`.
  void runUntil(long until) {
    while (true) {
      Event next = events.peek();
      SimulatedDevice timed = null;
      long timedAt = until;
      for (SimulatedDevice device : devices) {
        if (device.core != null && device.core.deadlineMillis() < timedAt) {
          timed = device;
          timedAt = device.core.deadlineMillis();
        }
      }
      if (timed != null && (next == null || timedAt < next.at)) {
        now = Math.max(now, timedAt);
        timed.onTimer();
      } else if (next != null && next.at <= until) {
        events.remove();
        now = Math.max(now, next.at);
        next.action.run();
      } else {
        now = until;
        return;
      }
    }
  }

  /// The app's and the world's whims for `millis`.
  void live(long millis) {
    long end = now + millis;
    while (now < end) {
      runUntil(Math.min(end, now + 1 + random.nextInt(60)));
      SimulatedDevice device = devices.get(random.nextInt(devices.size()));
      device.act();
      if (random.nextDouble() < world.cut && !links.isEmpty()) {
        links.get(random.nextInt(links.size())).cut();
      }
      if (random.nextDouble() < world.goAway && !server.sessions.isEmpty()) {
        goAway();
      }
      if (random.nextDouble() < world.restart / 4) {
        device.kill();
        at(now + random.nextInt(3_000), device::start);
      }
    }
  }

  /// The world becomes good; everything must come to its end.
  void settle() {
    world = World.GOOD;
    for (SimulatedDevice device : devices) {
      device.start();
      ClientCore live = Objects.requireNonNull(device.core);
      live.setActivity(now, ClientActivity.CLIENT_ACTIVITY_ACTIVE);
      live.endPass(now);
    }
    // At least twice: the server repeats what nobody has acknowledged.
    for (int i = 0; i < 2 || (i < 60 && !isSettled()); i++) {
      runUntil(now + 60_000);
      server.nudgeAll();
    }
    runUntil(now + 60_000);
  }

  private boolean isSettled() {
    return devices.stream().allMatch(d -> d.core != null && d.core.pendingSends() == 0)
        && server.sessions.size() == devices.size();
  }

  void checkEnd() {
    check(server.violations.isEmpty(), "the server saw: " + server.violations);
    for (SimulatedDevice device : devices) {
      for (SimulatedDevice.Sent sent : device.sent.values()) {
        check(sent.outcomes == 1, device.id + " " + sent.text + " had outcomes: " + sent.outcomes);
        FakeLog log = server.log(sent.chat);
        long places = log.entries.stream().filter(e -> text(e.content()).equals(sent.text)).count();
        if (sent.seq > 0) {
          check(places == 1, sent.text + " is in the log " + places + " times");
          check(
              text(log.entries.get((int) sent.seq - 1).content()).equals(sent.text),
              sent.text + " is not at " + sent.seq);
        } else {
          boolean unknown =
              ErrorCode.classOf(sent.code) == ErrorCode.ErrorClass.SERVER
                  || ErrorCode.classOf(sent.code) == ErrorCode.ErrorClass.PROTOCOL;
          check(places == 0 || (unknown && places == 1), sent.text + " was refused, and is there");
        }
      }
    }
    checkChanges();
    for (FakeLog log : server.chats.values()) {
      Map<DeviceId, Long> lastIndex = new HashMap<>();
      Map<DeviceId, Long> lastCsn = new HashMap<>();
      for (FakeLog.Entry entry : log.entries) {
        if (entry.csn() == 0) {
          continue;
        }
        long index = Long.parseLong(text(entry.content()).split(" ", 2)[0]);
        Long before = lastIndex.put(entry.sender(), index);
        check(before == null || before < index, "order of " + entry.sender() + " in " + log.id);
        Long csn = lastCsn.put(entry.sender(), entry.csn());
        check((csn == null ? 0 : csn) + 1 == entry.csn(), "csn hole of " + entry.sender());
      }
      for (SimulatedDevice device : devices) {
        if (log.sees(device.id.user())) {
          long have = device.heard.getOrDefault(log.id, 0L);
          for (FakeLog.Entry entry : log.entries) {
            check(
                entry.seq() <= have
                    || entry.seq() < log.first(device.id.user())
                    || entry.seq() > log.last(device.id.user())
                    || isSentBy(entry, device.id),
                device.id
                    + " lacks "
                    + entry.seq()
                    + " of "
                    + log.id
                    + ", it has "
                    + have
                    + ", position "
                    + Objects.requireNonNull(device.core).position(log.id));
          }
          check(log.positions.getOrDefault(device.id, 0L) <= log.head(), "ACK beyond the head");
        }
      }
    }
  }

  /// An operation that was done has one entry; one that was refused has none, unless the refusal
  /// left it open.
  private void checkChanges() {
    Map<String, Integer> places = new HashMap<>();
    for (FakeLog log : server.chats.values()) {
      for (FakeLog.Entry entry : log.entries) {
        Body body = Body.of(entry.content());
        if (body instanceof Body.Group group
            && group.change() instanceof GroupChange.Titled titled) {
          places.merge(titled.title(), 1, Integer::sum);
        } else if (body instanceof Body.Group group
            && group.change() instanceof GroupChange.Created created) {
          places.merge(created.title(), 1, Integer::sum);
        }
      }
    }
    for (SimulatedDevice device : devices) {
      device.changed.forEach((title, code) -> {
        int n = places.getOrDefault(title, 0);
        if (code == 0) {
          check(n == 1, title + " was done " + n + " times");
        } else {
          boolean unknown = code < 0 || ErrorCode.classOf(code) == ErrorCode.ErrorClass.SERVER;
          check(n == 0 || (unknown && n == 1), title + " was refused, and done " + n + " times");
        }
      });
      Map<String, Long> mine = device.settled;
      Map<String, Setting> theirs = server.settings.getOrDefault(device.id.user(), Map.of());
      theirs.forEach((key, setting) -> {
        Long until = mine.get(key);
        check(
            until != null && until == setting.getChat().getMuteUntilMs(),
            device.id + " has " + until + " for " + setting);
      });
    }
  }

  static boolean isSentBy(FakeLog.Entry entry, DeviceId device) {
    return entry.csn() > 0 && entry.sender().equals(device);
  }

  private void checkAck(DeviceId id, ChatId chat, long seq) {
    SimulatedDevice device =
        devices.stream().filter(d -> d.id.equals(id)).findFirst().orElseThrow();
    FakeLog log = server.log(chat);
    long have = device.heard.getOrDefault(chat, 0L);
    long first = log.first(id.user());
    for (long s = Math.max(first, have + 1); s <= Math.min(seq, log.head()); s++) {
      check(
          isSentBy(log.entries.get((int) s - 1), id),
          id + " acknowledged " + seq + " and has " + have + " of " + chat);
    }
  }

  private void goAway() {
    var sessions = List.copyOf(server.sessions.values());
    FakeSession session = sessions.get(random.nextInt(sessions.size()));
    session.frame(
        io.tern.protocol.FrameType.GOAWAY,
        0,
        0,
        0,
        0,
        io.tern.protocol.v1.GoAway.newBuilder()
            .setCode(ErrorCode.DRAIN.number())
            .setGraceMs(random.nextInt(500))
            .setAfterMinMs(random.nextInt(200))
            .setAfterMaxMs(200 + random.nextInt(2_000))
            .build()
            .toByteArray());
    at(now + 500, session::shut);
  }

  static void check(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  static String text(Content content) {
    return content.getBody().toStringUtf8();
  }
}

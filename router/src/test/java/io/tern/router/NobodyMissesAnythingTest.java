package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Send;
import io.tern.router.bus.MemoryBus;
import io.tern.router.catchup.CatchUp;
import io.tern.router.catchup.CatchUpConfig;
import io.tern.router.directory.MemoryDirectory;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.GroupChange;
import io.tern.store.KeyValues;
import io.tern.store.LocalLog;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.Slots;
import io.tern.store.memory.MemoryStorage;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Shards, dispatchers, directory, bus and catch-up together, on one thread, with everything
/// between them late by chance: devices come, go and take over, groups are made and change, pages
/// come late, rings are full, the process dies. In the end every device has every entry that its
/// user may see, and nothing is owed. The directory does not answer dispatch now and then.
class NobodyMissesAnythingTest {

  @Test
  void whateverTheOrderOfEvents() {
    Seeds.each(400, seed -> new World(seed).run());
  }

  private static final int SHARDS = 2;
  private static final int WINDOW = 6;

  private record Submitted(Command command, Origin origin) {}

  private record Committed(List<Submitted> commands, List<Outcome> outcomes, long n) {}

  /// An app: keeps what it has stored and what it has sent over all its sessions.
  private static final class Device {
    final DeviceId id;
    final Map<ChatId, Long> stored = new HashMap<>();
    final Map<ChatId, Long> csns = new HashMap<>();
    final Map<ChatId, Long> accepted = new HashMap<>();
    final LinkedHashMap<ChatId, ArrayDeque<Command.Send>> unanswered = new LinkedHashMap<>();

    /// Where its own messages are, as SENT told: they need no DELIVER.
    final Map<ChatId, Set<Long>> ownSeqs = new HashMap<>();

    @Nullable Session session;

    Device(DeviceId id) {
      this.id = id;
    }

    void store(ChatId chat, long seq) {
      long have = Math.max(stored.getOrDefault(chat, 0L), seq);
      var own = ownSeqs.getOrDefault(chat, Set.of());
      while (own.contains(have + 1)) {
        have++;
      }
      stored.put(chat, have);
    }
  }

  /// What an edge knows of a connection.
  private static final class Session {
    final Attachment attachment;
    final CatchUp catchUp;
    final List<Item> unacknowledged = new ArrayList<>();
    @Nullable Function<Readers.Shards, CatchUp.Page> question;
    CatchUp.@Nullable Page page;

    Session(Attachment attachment, CatchUp catchUp) {
      this.attachment = attachment;
      this.catchUp = catchUp;
    }
  }

  private record Item(ChatId chat, long seq) {}

  private static final class World {
    private final Random random;
    private final EdgeId edge = new EdgeId("edge", 1);
    private final CatchUpConfig catchUpConfig;
    private final List<MemoryStorage> storages = new ArrayList<>();
    private final List<Device> devices = new ArrayList<>();
    private final List<ChatId> groups = new ArrayList<>();
    private final Readers.Shards readers;

    // One life of the process.
    private MemoryDirectory directory;
    private MemoryBus bus;
    private final List<Shard> shards = new ArrayList<>();
    private final List<Dispatcher> dispatchers = new ArrayList<>();
    private final List<ArrayDeque<Submitted>> rings = new ArrayList<>();
    private final List<ArrayDeque<Committed>> committed = new ArrayList<>();
    private final List<ArrayDeque<Long>> settled = new ArrayList<>();
    private final ArrayDeque<Delivery> inbox = new ArrayDeque<>();

    private long now = 1_000;
    private long sessions;
    private long lives;
    private boolean calm;
    private boolean isDirectoryAway;

    World(long seed) {
      random = new Random(seed);
      catchUpConfig =
          new CatchUpConfig(1_000_000, 16 + random.nextInt(16), 2, 1 + random.nextInt(6), 4_000);
      for (int i = 0; i < SHARDS; i++) {
        storages.add(new MemoryStorage());
      }
      readers = slot -> storages.get(Slots.shardOf(slot, SHARDS));
      int users = 2 + random.nextInt(4);
      for (int user = 1; user <= users; user++) {
        for (int device = 1; device <= 1 + random.nextInt(2); device++) {
          devices.add(new Device(new DeviceId(new UserId(user * 7919L), device)));
        }
      }
      directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
      bus = new MemoryBus(RouterMetrics.NONE);
      live();
    }

    void run() {
      for (int step = 0; step < 600; step++) {
        now += random.nextInt(60);
        switch (random.nextInt(13)) {
          case 0, 1 -> send(any());
          case 2, 3 -> commit(random.nextInt(SHARDS));
          case 4, 5 -> dispatch(random.nextInt(SHARDS));
          case 6 -> receive(random.nextInt(6));
          case 7 -> read(any());
          case 8 -> acknowledge(any());
          case 9 -> dispatchers.get(random.nextInt(SHARDS)).tick(now);
          case 10 -> comeOrGo(any());
          case 11 -> change(any());
          default -> {
            // Away one time in four, for some forty steps.
            if (random.nextInt(3) == 0) {
              isDirectoryAway = random.nextInt(4) == 0;
            }
            if (random.nextInt(60) == 0) {
              die();
            }
          }
        }
      }
      comeToRest();
      check();
    }

    // ---- the process

    private void live() {
      lives++;
      directory =
          new MemoryDirectory(
              new MemoryDirectory.Config(1 + random.nextInt(6), 2 + random.nextInt(6), 1_000),
              lives << 32);
      bus = new MemoryBus(RouterMetrics.NONE);
      bus.register(edge, inbox::addAll);
      shards.clear();
      dispatchers.clear();
      rings.clear();
      committed.clear();
      settled.clear();
      inbox.clear();
      for (int i = 0; i < SHARDS; i++) {
        var storage = storages.get(i);
        shards.add(new Shard(storage, new LocalLog(storage), ShardConfig.of(i, SHARDS)));
        rings.add(new ArrayDeque<>());
        committed.add(new ArrayDeque<>());
        var done = new ArrayDeque<Long>();
        settled.add(done);
        var address = new EdgeId("shard-" + i, lives);
        var dispatcher =
            new Dispatcher(
                address,
                new FailingDirectory(directory, () -> !calm && isDirectoryAway),
                bus,
                (user, chat, seq) -> calm || random.nextInt(3) > 0,
                this::submit,
                new DispatchConfig(
                    Duration.ofSeconds(3),
                    Duration.ofSeconds(1),
                    2 + random.nextInt(20),
                    Duration.ofSeconds(1)),
                RouterMetrics.NONE,
                done::add);
        dispatchers.add(dispatcher);
        bus.register(address, dispatcher);
      }
      for (int i = 0; i < SHARDS; i++) {
        dispatchers.get(i).recover(shards.get(i).outboxAfter(0), now);
      }
    }

    private void die() {
      for (var storage : storages) {
        storage.crash(random);
      }
      for (var device : devices) {
        device.session = null;
      }
      live();
    }

    private boolean submit(Command command, Origin origin) {
      int shard = Slots.shardOf(command.slot(), SHARDS);
      if (command instanceof Command.Send && dispatchers.get(shard).isFull()) {
        return false;
      }
      var ring = rings.get(shard);
      return ring.size() < 8 && ring.add(new Submitted(command, origin));
    }

    private void commit(int shard) {
      var ring = rings.get(shard);
      var machine = shards.get(shard);
      for (var n = settled.get(shard).poll(); n != null; n = settled.get(shard).poll()) {
        machine.settle(n);
      }
      var commands = new ArrayList<Submitted>();
      var outcomes = new ArrayList<Outcome>();
      for (int i = 1 + random.nextInt(6); i > 0 && !ring.isEmpty(); i--) {
        var one = ring.remove();
        commands.add(one);
        outcomes.add(machine.prepare(one.command, now));
      }
      long n = machine.commit();
      if (!commands.isEmpty()) {
        committed.get(shard).add(new Committed(commands, outcomes, n));
      }
    }

    private void dispatch(int shard) {
      var dispatcher = dispatchers.get(shard);
      var round = committed.get(shard).poll();
      if (round != null) {
        for (int i = 0; i < round.commands.size(); i++) {
          var one = round.commands.get(i);
          dispatcher.on(one.command, one.origin, round.outcomes.get(i), now);
        }
        dispatcher.endOfBatch(round.n, now);
      }
    }

    // ---- the edge

    private void receive(int some) {
      for (int i = 0; i < some && !inbox.isEmpty(); i++) {
        switch (inbox.remove()) {
          case Delivery.Answer answer -> answered(answer);
          case Delivery.Entries entries -> {
            for (var to : entries.to()) {
              var device = open(to);
              if (device == null) {
                directory.missed(to, entries.chat(), this::nudge);
              } else {
                onLive(device, entries);
              }
            }
          }
          case Delivery.Nudge nudge -> {
            var device = open(nudge.to());
            if (device == null) {
              directory.missed(nudge.to(), nudge.chat(), this::nudge);
            } else {
              var session = Objects.requireNonNull(device.session);
              if (nudge.from() > 0) {
                session.catchUp.startAt(nudge.chat(), nudge.from());
              } else if (session.unacknowledged.stream()
                  .noneMatch(i2 -> i2.chat.equals(nudge.chat()))) {
                session.catchUp.start(nudge.chat());
              }
            }
          }
          case Delivery.Receipts receipts -> {}
          case Delivery.Replaced replaced -> {}
          case Delivery.Progress progress -> {}
          case Delivery.Revoked revoked -> {}
          case Delivery.Gone gone -> {}
          case Delivery.Presence presence -> {}
          case Delivery.Typing typing -> {}
        }
      }
    }

    private void nudge(EdgeId to, Delivery.Nudge nudge) {
      bus.toEdge(to, List.of(nudge));
    }

    private @Nullable Device open(Attachment to) {
      for (var device : devices) {
        if (device.session != null && device.session.attachment.equals(to)) {
          return device;
        }
      }
      return null;
    }

    private void onLive(Device device, Delivery.Entries entry) {
      var session = Objects.requireNonNull(device.session);
      if (session.catchUp.holdsBack(entry)) {
        return;
      }
      if (session.unacknowledged.size() >= WINDOW) {
        session.catchUp.startAt(entry.chat(), entry.seq());
        return;
      }
      push(device, new Item(entry.chat(), entry.seq()));
    }

    private void push(Device device, Item item) {
      Objects.requireNonNull(device.session).unacknowledged.add(item);
      // What is missing below, HISTORY has: an own send whose SENT is still to come (again), what
      // came
      // too late for the session before, the beginning of a chat that the list does not know yet.
      // Of
      // all these the server tells, but perhaps after this entry. CatchUpTest is strict about
      // holes.
      device.store(item.chat, item.seq);
    }

    private void answered(Delivery.Answer answer) {
      for (var device : devices) {
        var session = device.session;
        if (session != null
            && session.attachment.session() == answer.to().session()
            && answer.command() instanceof Command.Send send) {
          var waiting = device.unanswered.get(send.chat());
          if (answer.outcome() instanceof Outcome.Refused refused) {
            refused(device, send, refused);
          }
          if (!(answer.outcome() instanceof Outcome.Sent sent)) {
            continue;
          }
          if (waiting != null && waiting.remove(send)) {
            device.accepted.merge(send.chat(), 1L, Long::sum);
          }
          device.ownSeqs.computeIfAbsent(send.chat(), c -> new HashSet<>()).add(sent.entry().seq());
          device.store(send.chat(), 0);
        }
      }
    }

    /// Not a member any more, or not yet: what was to be said in the group is dropped.
    private void refused(Device device, Command.Send send, Outcome.Refused refused) {
      if (send.chat().isGroup() && refused.code().errorClass() == ErrorCode.ErrorClass.REQUEST) {
        device.unanswered.remove(send.chat());
        long last =
            refused.csn() > 0 ? refused.csn() - 1 : device.accepted.getOrDefault(send.chat(), 0L);
        device.csns.put(send.chat(), last);
        device.accepted.put(send.chat(), last);
      }
    }

    private void read(Device device) {
      var session = device.session;
      if (session == null) {
        return;
      }
      if (session.page != null) {
        var page = session.catchUp.onPage(session.page);
        session.page = null;
        page.items().forEach(item -> push(device, new Item(item.chat(), item.seq())));
        page.tail().forEach(entry -> onLive(device, entry));
      } else if (session.question != null) {
        if (random.nextInt(6) == 0) {
          session.catchUp.onPageFailed();
        } else {
          session.page = session.question.apply(readers);
        }
        session.question = null;
      } else {
        int inFlight = session.unacknowledged.size();
        session.question = session.catchUp.next(WINDOW - inFlight, 10_000, inFlight);
      }
    }

    private void acknowledge(Device device) {
      var session = device.session;
      if (session == null || session.unacknowledged.isEmpty()) {
        return;
      }
      var chat = session.unacknowledged.getFirst().chat;
      long upTo = device.stored.getOrDefault(chat, 0L);
      if (submit(new Command.Ack(device.id, chat, upTo), new Origin(edge, 0, 0))) {
        session.unacknowledged.removeIf(item -> item.chat.equals(chat) && item.seq <= upTo);
      }
    }

    private void comeOrGo(Device device) {
      var session = device.session;
      if (session == null || random.nextInt(4) == 0) {
        come(device);
      } else {
        Set<ChatId> due = session.catchUp.behind();
        if (due != null) {
          due = new HashSet<>(due);
          for (var item : session.unacknowledged) {
            due.add(item.chat);
          }
        }
        device.session = null;
        directory.detach(session.attachment, due);
      }
    }

    private void come(Device device) {
      var attached = directory.attach(device.id, edge, ++sessions, true).join();
      var catchUp = new CatchUp(device.id, catchUpConfig);
      catchUp.startAll(attached.news());
      device.session = new Session(attached.now(), catchUp);
      // What has no answer is sent again, in order.
      device.unanswered.values().forEach(sends -> sends.forEach(one -> submitSend(device, one)));
      // Readers may be fast.
      for (int i = random.nextInt(10); i > 0; i--) {
        read(device);
      }
    }

    // ---- the app

    private void send(Device device) {
      if (device.session == null) {
        return;
      }
      var chat =
          !groups.isEmpty() && random.nextInt(3) == 0
              ? groups.get(random.nextInt(groups.size()))
              : ChatId.direct(device.id.user(), any().id.user());
      long csn = device.csns.merge(chat, 1L, Long::sum);
      var body =
          Send.newBuilder()
              .setCsn(csn)
              .setContent(
                  Content.newBuilder()
                      .setKind(Kind.KIND_TEXT)
                      .setBody(ByteString.copyFromUtf8(device.id + " " + csn)))
              .build()
              .toByteArray();
      var send = new Command.Send(device.id, chat, body);
      device.unanswered.computeIfAbsent(chat, c -> new ArrayDeque<>()).add(send);
      submitSend(device, send);
    }

    /// A group is made, or changes. What finds no place, or is not allowed, does not happen.
    private void change(Device device) {
      if (device.session == null) {
        return;
      }
      var opId = new byte[Limits.OP_ID_BYTES];
      random.nextBytes(opId);
      var origin = new Origin(edge, device.session.attachment.session(), 1);
      var other = any().id.user();
      if (groups.size() < 2) {
        var group = ChatId.group(groups.size() + 1);
        var birth = GroupBirth.newBuilder().setTitle("group");
        devices.stream()
            .map(one -> one.id.user().value())
            .distinct()
            .filter(user -> random.nextBoolean())
            .forEach(birth::addMembers);
        if (submit(new Command.GroupCreate(device.id, group, opId, birth.build()), origin)) {
          groups.add(group);
        }
        return;
      }
      GroupChange change =
          switch (random.nextInt(5)) {
            case 0, 1 -> new GroupChange.Add(List.of(other));
            case 2 -> new GroupChange.Remove(other);
            case 3 -> new GroupChange.SetRole(other, Role.ROLE_ADMIN);
            default -> new GroupChange.Leave();
          };
      var group = groups.get(random.nextInt(groups.size()));
      submit(new Command.GroupEdit(device.id, group, opId, change), origin);
    }

    private void submitSend(Device device, Command.Send send) {
      var session = Objects.requireNonNull(device.session);
      submit(send, new Origin(edge, session.attachment.session(), 1));
    }

    // ---- the end

    private void comeToRest() {
      calm = true;
      for (var device : devices) {
        if (device.session == null) {
          come(device);
        }
      }
      for (int i = 0; ; i++) {
        assertThat(i).as("it comes to rest").isLessThan(3_000);
        now += 100;
        boolean idle = inbox.isEmpty();
        for (int shard = 0; shard < SHARDS; shard++) {
          idle &= rings.get(shard).isEmpty() && committed.get(shard).isEmpty();
          idle &= settled.get(shard).isEmpty() && storedOutbox(shard) == 0;
          commit(shard);
          dispatch(shard);
          dispatchers.get(shard).tick(now);
        }
        receive(100);
        for (var device : devices) {
          var session = Objects.requireNonNull(device.session);
          idle &= session.catchUp.isLive() && session.unacknowledged.isEmpty();
          read(device);
          acknowledge(device);
          for (var sends : device.unanswered.values()) {
            idle &= sends.isEmpty();
            if (i % 10 == 9) {
              sends.forEach(one -> submitSend(device, one));
            }
          }
        }
        if (idle) {
          return;
        }
      }
    }

    private int storedOutbox(int shard) {
      var storage = storages.get(shard);
      return new Shard(storage, new LocalLog(storage), ShardConfig.of(shard, SHARDS))
          .outboxAfter(0)
          .size();
    }

    private void check() {
      for (var device : devices) {
        var user = device.id.user();
        var seen = new HashSet<ChatId>();
        for (var other : devices) {
          var chat = ChatId.direct(user, other.id.user());
          long head = Reads.after(kv(chat), chat, user, 1, 1, 1).head();
          assertThat(device.stored.getOrDefault(chat, 0L))
              .as("%s has all of %s", device.id, chat)
              .isEqualTo(head);
          if (head > 0) {
            seen.add(chat);
          }
        }
        for (var group : groups) {
          if (Reads.sees(kv(group), group, user)) {
            seen.add(group);
            assertThat(device.stored.getOrDefault(group, 0L))
                .as("%s has all of %s that %s may see", device.id, group, user)
                .isGreaterThanOrEqualTo(headOfOthers(group, device.id));
          } else {
            assertThat(device.stored)
                .as("%s was never in %s", device.id, group)
                .doesNotContainKey(group);
          }
        }
        assertThat(listed(user)).as("list of %s", user).isEqualTo(seen);
      }
    }

    /// The newest entry of the group that the device may see and has not sent: that one it knows,
    /// or was told that it is no member, for a repeat of what had been accepted before.
    private long headOfOthers(ChatId group, DeviceId device) {
      return Reads.before(kv(group), group, device.user(), Long.MAX_VALUE, 1_000, 1_000_000)
          .entries()
          .stream()
          .filter(entry -> entry.csn() == 0 || !entry.sender().equals(device))
          .mapToLong(Entry::seq)
          .max()
          .orElse(0);
    }

    private Set<ChatId> listed(UserId user) {
      return new HashSet<>(Reads.chatsOf(readers.of(Slots.of(user)), user, null, 100));
    }

    private KeyValues kv(ChatId chat) {
      return readers.of(Slots.of(chat));
    }

    private Device any() {
      return devices.get(random.nextInt(devices.size()));
    }
  }
}

package io.tern.store;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The shard against a reference that keeps everything in plain lists and knows nothing of
/// snapshots, batches or disks, over random commands. Chats are dropped from memory all the time
/// (two fit), the process restarts, the power goes: what was promised must be as the reference has
/// it. Replay one seed with `-Dtern.seed=S`, run more with `-Dtern.store.seeds=N`.
class ShardModelTest {

  private static final int STEPS = 600;
  private static final long START = 1_700_000_000_000L;

  private static final List<DeviceId> DEVICES =
      List.of(device(1, 1), device(1, 2), device(2, 1), device(2, 2), device(3, 1), device(4, 1));

  private static final List<ChatId> CHATS =
      List.of(chat(1, 2), chat(1, 3), chat(2, 3), chat(1, 1), chat(3, 4));

  static LongStream seeds() {
    Long one = Long.getLong("tern.seed");
    return one != null
        ? LongStream.of(one)
        : LongStream.range(0, Long.getLong("tern.store.seeds", 150));
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void theShardDoesWhatTheReferenceDoes(long seed) {
    try {
      new Run(seed).run();
    } catch (AssertionError | RuntimeException e) {
      throw new AssertionError("replay with -Dtern.seed=" + seed, e);
    }
  }

  // ---- the reference
  // -----------------------------------------------------------------------------

  private static final class Model {
    final Map<ChatId, Chat> chats = new TreeMap<>(Comparator.comparing(ChatId::toString));

    Chat chat(ChatId id) {
      return chats.computeIfAbsent(id, ignored -> new Chat());
    }

    Model copy() {
      var copy = new Model();
      chats.forEach((id, chat) -> copy.chats.put(id, chat.copy()));
      return copy;
    }
  }

  private static final class Chat {
    final List<Line> lines = new ArrayList<>();
    final Map<DeviceId, List<Integer>> sends = new HashMap<>();
    final Map<DeviceId, Long> positions = new HashMap<>();
    final Map<UserId, Long> delivered = new HashMap<>();
    final Map<UserId, Long> read = new HashMap<>();

    Chat copy() {
      var copy = new Chat();
      for (Line line : lines) {
        copy.lines.add(line.copy());
      }
      sends.forEach((device, seqs) -> copy.sends.put(device, new ArrayList<>(seqs)));
      copy.positions.putAll(positions);
      copy.delivered.putAll(delivered);
      copy.read.putAll(read);
      return copy;
    }

    long unread(UserId user) {
      long seen = read.getOrDefault(user, 0L);
      for (int i = 0; i < lines.size(); i++) {
        if (lines.get(i).from.user().equals(user)) {
          seen = Math.max(seen, i + 1);
        }
      }
      long unread = 0;
      for (int i = (int) seen; i < lines.size(); i++) {
        unread += lines.get(i).erased ? 0 : 1;
      }
      return unread;
    }
  }

  private static final class Line {
    final DeviceId from;
    final int csn;
    final String text;
    final long tsMillis;
    final long expiresMillis;
    boolean erased;

    Line(DeviceId from, int csn, String text, long tsMillis, long expiresMillis) {
      this.from = from;
      this.csn = csn;
      this.text = text;
      this.tsMillis = tsMillis;
      this.expiresMillis = expiresMillis;
    }

    Line copy() {
      var copy = new Line(from, csn, text, tsMillis, expiresMillis);
      copy.erased = erased;
      return copy;
    }
  }

  // ---- one run
  // -----------------------------------------------------------------------------------

  private static final class Run {
    final RandomGenerator random;
    final ShardNode node = new ShardNode(2);

    /// With every prepared command; as of the last commit; as of the last synced one, which a power
    /// cut cannot take.
    Model now = new Model();

    Model committed = new Model();
    final List<Model> sinceSync = new ArrayList<>();

    Run(long seed) {
      random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
      sinceSync.add(new Model());
      node.now = START;
      lookAtAllSlots();
    }

    void run() {
      for (int step = 0; step < STEPS; step++) {
        node.now += random.nextInt(-200, 2000);
        switch (random.nextInt(100)) {
          case 0 -> restart();
          case 1 -> cutPower();
          case 2, 3, 4, 5 -> tick();
          default -> {
            if (random.nextInt(4) == 0) {
              commit();
            }
            command();
          }
        }
      }
      commit();
      compare();
    }

    void command() {
      DeviceId device = DEVICES.get(random.nextInt(DEVICES.size()));
      ChatId id = CHATS.get(random.nextInt(CHATS.size()));
      Chat chat = now.chat(id);
      boolean member = device.user().value() == id.low() || device.user().value() == id.high();
      switch (random.nextInt(10)) {
        case 0, 1 -> acknowledge(device, id, chat, member);
        case 2 -> read(device, id, chat, member);
        default -> send(device, id, chat, member);
      }
    }

    void send(DeviceId device, ChatId id, Chat chat, boolean member) {
      List<Integer> sends = chat.sends.computeIfAbsent(device, ignored -> new ArrayList<>());
      int last = sends.size();
      int csn = last + 1 + (random.nextInt(4) == 0 ? random.nextInt(-5, 4) : 0);
      // Mostly the text that this csn always has.
      String text = device + " " + csn + (random.nextInt(10) == 0 ? "!" : "");
      int ttl = random.nextInt(5) == 0 ? random.nextInt(1, 60) : 0;
      Content content =
          Content.newBuilder()
              .setKind(Kind.KIND_TEXT)
              .setBody(ByteString.copyFromUtf8(text))
              .setTtlS(ttl)
              .build();
      Outcome outcome = node.prepare(new Command.Send(device, id, ShardNode.body(csn, content)));
      if (csn <= 0) {
        ShardNode.refused(outcome, ErrorCode.ARGUMENT);
      } else if (!member) {
        ShardNode.refused(outcome, ErrorCode.NOT_MEMBER);
      } else if (csn > last + 1) {
        assertThat(ShardNode.refused(outcome, ErrorCode.OUT_OF_ORDER).csn()).isEqualTo(last + 1);
      } else if (csn <= last) {
        repeat(outcome, chat, sends.get(csn - 1), content);
      } else {
        long previous = chat.lines.isEmpty() ? 0 : chat.lines.getLast().tsMillis;
        long ts = Math.max(previous, node.now);
        chat.lines.add(
            new Line(device, csn, text, ts, ttl == 0 ? Long.MAX_VALUE : ts + ttl * 1000L));
        sends.add(chat.lines.size());
        Outcome.Sent sent = ShardNode.sent(outcome);
        assertThat(sent.repeat()).isFalse();
        assertThat(sent.entry().seq()).isEqualTo(chat.lines.size());
        assertThat(sent.entry().tsMillis()).isEqualTo(ts);
      }
    }

    void repeat(Outcome outcome, Chat chat, int seq, Content content) {
      Line first = chat.lines.get(seq - 1);
      // The ttl is part of the content; the reference keeps when it ends.
      long ttlMillis =
          first.expiresMillis == Long.MAX_VALUE ? 0 : first.expiresMillis - first.tsMillis;
      boolean same =
          first.text.equals(content.getBody().toStringUtf8())
              && ttlMillis == content.getTtlS() * 1000L;
      if (same || first.erased) {
        Outcome.Sent sent = ShardNode.sent(outcome);
        assertThat(sent.repeat()).isTrue();
        assertThat(sent.entry().seq()).isEqualTo(seq);
        assertThat(sent.entry().tsMillis()).isEqualTo(first.tsMillis);
      } else {
        ShardNode.refused(outcome, ErrorCode.CONFLICT);
      }
    }

    void acknowledge(DeviceId device, ChatId id, Chat chat, boolean member) {
      long seq = random.nextInt(-1, chat.lines.size() + 3);
      Outcome outcome = node.prepare(new Command.Ack(device, id, seq));
      if (!member) {
        ShardNode.refused(outcome, ErrorCode.NOT_MEMBER);
      } else if (seq < 1 || seq > chat.lines.size()) {
        ShardNode.refused(outcome, ErrorCode.ARGUMENT);
      } else {
        chat.positions.merge(device, seq, Math::max);
        long delivered = chat.delivered.getOrDefault(device.user(), 0L);
        assertThat(outcome instanceof Outcome.Moved).isEqualTo(seq > delivered);
        chat.delivered.merge(device.user(), seq, Math::max);
      }
    }

    void read(DeviceId device, ChatId id, Chat chat, boolean member) {
      long seq = random.nextInt(-1, chat.lines.size() + 3);
      Outcome outcome = node.prepare(new Command.Read(device, id, seq, false));
      if (!member) {
        ShardNode.refused(outcome, ErrorCode.NOT_MEMBER);
      } else if (seq < 1 || seq > chat.lines.size()) {
        ShardNode.refused(outcome, ErrorCode.ARGUMENT);
      } else {
        long read = chat.read.getOrDefault(device.user(), 0L);
        assertThat(outcome instanceof Outcome.Moved).isEqualTo(seq > read);
        chat.read.merge(device.user(), seq, Math::max);
        chat.delivered.merge(device.user(), seq, Math::max);
      }
    }

    void tick() {
      commit();
      node.prepare(new Command.Tick(0, false));
      for (Chat chat : now.chats.values()) {
        for (Line line : chat.lines) {
          line.erased |= line.expiresMillis <= node.now;
        }
      }
      commit();
      compare();
    }

    /// A new life looks at every slot's expiries, some at a tick; here before anything is due.
    void lookAtAllSlots() {
      for (int i = 0; i <= Slots.COUNT / Shard.NEW_SLOTS_PER_TICK; i++) {
        node.shard.prepare(new Command.Tick(0, false), 0);
        assertThat(node.shard.commit()).isZero();
      }
    }

    void commit() {
      node.shard.commit();
      committed = now.copy();
      if (node.storage.unsyncedBatches() == 0) {
        sinceSync.clear();
        sinceSync.add(committed);
      } else if (sinceSync.size() <= node.storage.unsyncedBatches()) {
        sinceSync.add(committed);
      } else {
        sinceSync.set(sinceSync.size() - 1, committed);
      }
    }

    /// The process is killed: what was committed is there, what was prepared is not.
    void restart() {
      node.restart();
      lookAtAllSlots();
      // Everything in the operating system's hands counts as written from here on.
      sinceSync.clear();
      sinceSync.add(committed);
      now = committed.copy();
      compare();
    }

    void cutPower() {
      int unsynced = node.storage.unsyncedBatches();
      int kept = random.nextInt(unsynced + 1);
      node.storage.crash(kept);
      node.start();
      lookAtAllSlots();
      committed = sinceSync.get(Math.min(kept, sinceSync.size() - 1));
      sinceSync.clear();
      sinceSync.add(committed);
      now = committed.copy();
      compare();
    }

    /// Storage has what was committed.
    void compare() {
      for (ChatId id : CHATS) {
        Chat chat = committed.chat(id);
        var viewer = new UserId(id.high());
        List<Entry> entries =
            Reads.after(node.storage, id, viewer, 1, Integer.MAX_VALUE, Integer.MAX_VALUE)
                .entries();
        assertThat(entries).hasSize(chat.lines.size());
        for (int i = 0; i < entries.size(); i++) {
          Entry entry = entries.get(i);
          Line line = chat.lines.get(i);
          assertThat(entry.seq()).isEqualTo(i + 1);
          assertThat(entry.sender()).isEqualTo(line.from);
          assertThat(entry.csn()).isEqualTo(line.csn);
          assertThat(entry.tsMillis()).isEqualTo(line.tsMillis);
          assertThat(ShardNode.textOf(entry)).isEqualTo(line.erased ? "" : line.text);
        }
        if (!entries.isEmpty()) {
          compareSummaries(id, chat);
        }
      }
    }

    void compareSummaries(ChatId id, Chat chat) {
      for (DeviceId device : DEVICES) {
        UserId user = device.user();
        if (user.value() != id.low() && user.value() != id.high()) {
          continue;
        }
        Reads.Summary summary = Objects.requireNonNull(Reads.summary(node.storage, id, device));
        assertThat(summary.head()).isEqualTo(chat.lines.size());
        assertThat(summary.position()).isEqualTo(chat.positions.getOrDefault(device, 0L));
        assertThat(summary.delivered()).isEqualTo(chat.delivered.getOrDefault(user, 0L));
        assertThat(summary.read()).isEqualTo(chat.read.getOrDefault(user, 0L));
        assertThat(summary.unread()).isEqualTo(chat.unread(user));
        assertThat(summary.lastCsn()).isEqualTo(chat.sends.getOrDefault(device, List.of()).size());
        if (!id.isSelf()) {
          UserId peer = id.peerOf(user);
          assertThat(summary.peerDelivered()).isEqualTo(chat.delivered.getOrDefault(peer, 0L));
          assertThat(summary.peerRead()).isEqualTo(chat.read.getOrDefault(peer, 0L));
        }
      }
    }
  }

  private static DeviceId device(long user, int index) {
    return new DeviceId(new UserId(user), index);
  }

  private static ChatId chat(long one, long other) {
    return ChatId.direct(new UserId(one), new UserId(other));
  }
}

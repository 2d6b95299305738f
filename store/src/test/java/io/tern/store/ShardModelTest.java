package io.tern.store;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Reaction;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Setting;
import io.tern.store.ReferenceChats.Block;
import io.tern.store.ReferenceChats.Chat;
import io.tern.store.ReferenceChats.Line;
import io.tern.store.ReferenceChats.Marks;
import io.tern.store.ReferenceChats.Membership;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The shard against [ReferenceChats], over random commands of every kind. Chats are dropped from
/// memory all the time (two fit), the process restarts, the power goes: what was promised must be
/// as the reference has it, and readers must see it so. Replay one seed with `-Dtern.seed=S`, run
/// more with `-Dtern.store.seeds=N`.
class ShardModelTest {

  private static final int STEPS = 600;
  private static final long START = 1_700_000_000_000L;

  private static final List<DeviceId> DEVICES =
      List.of(
          device(1, 1),
          device(1, 2),
          device(2, 1),
          device(2, 2),
          device(3, 1),
          device(4, 1),
          device(5, 1));

  private static final List<UserId> USERS =
      DEVICES.stream().map(DeviceId::user).distinct().toList();

  private static final List<ChatId> CHATS =
      List.of(
          chat(1, 2),
          chat(1, 3),
          chat(2, 3),
          chat(1, 1),
          chat(3, 4),
          ChatId.group(71),
          ChatId.group(72),
          ChatId.group(73));

  private static final List<RecordKey> RECORDS =
      List.of(
          RecordKey.ofUser('a', USERS.get(0)),
          RecordKey.ofUser('w', USERS.get(0)),
          RecordKey.ofUser('a', USERS.get(1)),
          RecordKey.ofHash('n', new byte[32]),
          RecordKey.ofHash('n', new byte[] {0, 0, 1}));

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

  // ---- one run

  private static final class Run {
    final RandomGenerator random;
    final ShardNode node = new ShardNode(2);

    /// With every prepared command; as of the last commit; as of the last synced one, which a power
    /// cut cannot take.
    ReferenceChats now = new ReferenceChats();

    ReferenceChats committed = new ReferenceChats();
    final List<ReferenceChats> sinceSync = new ArrayList<>();

    /// What users' shards owe to direct chats: told in any order, and more than once.
    Set<Command> duties = new LinkedHashSet<>();

    /// Those of the open batch.
    final List<Command> newDuties = new ArrayList<>();

    int ops;

    long versionMax;

    /// About; ticks end batches too.
    final int commandsPerBatch;

    Run(long seed) {
      random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
      commandsPerBatch = any(List.of(1, 4, 40));
      sinceSync.add(new ReferenceChats());
      node.groupMembersMax = ReferenceChats.GROUP_MEMBERS_MAX;
      node.editMillis = ReferenceChats.EDIT_MILLIS;
      node.revokeMillis = ReferenceChats.REVOKE_MILLIS;
      node.start();
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
          case 6, 7 -> duty();
          default -> {
            if (random.nextInt(commandsPerBatch) == 0) {
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
      DeviceId device = any(DEVICES);
      Chat chat = now.chat(any(CHATS));
      switch (random.nextInt(20)) {
        case 0, 1, 2 -> acknowledge(device, chat);
        case 3, 4 -> read(device, chat);
        case 5, 6 -> changeGroup(device, chat);
        case 7 -> changeSettings(device);
        case 8, 9 -> putRecord();
        default -> send(device, chat);
      }
    }

    <T> T any(List<T> all) {
      return all.get(random.nextInt(all.size()));
    }

    // ---- sends

    void send(DeviceId device, Chat chat) {
      List<Integer> sends = chat.sends(device);
      int last = sends.size();
      int csn = last + 1 + (random.nextInt(6) == 0 ? random.nextInt(-5, 4) : 0);
      // A repeat mostly has what it had.
      Content content =
          csn > 0 && csn <= last && random.nextInt(10) > 0
              ? chat.line(sends.get(csn - 1)).sent
              : content(chat, device + " " + csn);
      Outcome outcome =
          node.prepare(new Command.Send(device, chat.id, ShardNode.body(csn, content)));
      if (csn <= 0) {
        ShardNode.refused(outcome, ErrorCode.ARGUMENT);
      } else if (!chat.members.containsKey(device.user())) {
        ShardNode.refused(outcome, ErrorCode.NOT_MEMBER);
      } else if (csn <= last) {
        repeat(outcome, chat, sends.get(csn - 1), content);
      } else if (chat.in(device.user()) == null) {
        ShardNode.refused(outcome, ErrorCode.NOT_MEMBER);
      } else if (csn > last + 1) {
        assertThat(ShardNode.refused(outcome, ErrorCode.OUT_OF_ORDER).csn()).isEqualTo(last + 1);
      } else {
        ErrorCode refusal = chat.refusal(device.user(), content, node.now);
        if (refusal != null) {
          ShardNode.refused(outcome, refusal);
        } else {
          Line line = chat.append(device, csn, content, node.now);
          sent(outcome, chat, line);
        }
      }
    }

    void sent(Outcome outcome, Chat chat, Line line) {
      Outcome.Sent sent = ShardNode.sent(outcome);
      assertThat(sent.repeat()).isFalse();
      assertThat(sent.entry().seq()).isEqualTo(chat.head());
      assertThat(sent.entry().tsMillis()).isEqualTo(line.tsMillis);
      assertThat(sent.members())
          .containsExactlyInAnyOrderElementsOf(
              chat.members.entrySet().stream()
                  .filter(member -> member.getValue().sees(chat.head()))
                  .map(Map.Entry::getKey)
                  .toList());
      newDuties.addAll(
          sent.duties().stream().filter(duty -> duty instanceof Command.SetBlock).toList());
    }

    void repeat(Outcome outcome, Chat chat, int seq, Content content) {
      Line first = chat.line(seq);
      if (first.sent.equals(content) || !first.asSent) {
        Outcome.Sent sent = ShardNode.sent(outcome);
        assertThat(sent.repeat()).isTrue();
        assertThat(sent.entry().seq()).isEqualTo(seq);
        assertThat(sent.entry().tsMillis()).isEqualTo(first.tsMillis);
      } else {
        ShardNode.refused(outcome, ErrorCode.CONFLICT);
      }
    }

    Content content(Chat chat, String text) {
      var content = Content.newBuilder().setBody(ByteString.copyFromUtf8(text));
      // Mostly something new, so that it happens to a message more than once.
      long target =
          random.nextInt(4) == 0
              ? random.nextInt(0, (int) chat.head() + 2)
              : Math.max(0, chat.head() - random.nextInt(4));
      switch (random.nextInt(16)) {
        case 0, 1 -> mention(content.setKind(Kind.KIND_EDIT).setTarget(target));
        case 2 -> content.setKind(Kind.KIND_REVOKE).setTarget(target).clearBody();
        case 3, 4 ->
            content
                .setKind(Kind.KIND_REACTION)
                .setTarget(target)
                .setBody(ByteString.copyFromUtf8(any(List.of("", "+", "-"))));
        case 5 -> content.setKind(Kind.KIND_OPENED).setTarget(target).clearBody();
        case 6 -> content.setKind(Kind.KIND_TIMER).setTtlS(any(List.of(0, 0, 20, 40))).clearBody();
        default -> {
          content.setKind(Kind.KIND_TEXT);
          if (random.nextInt(5) == 0) {
            content.setTtlS(random.nextInt(1, 60));
          }
          if (random.nextInt(8) == 0) {
            content.setViewOnce(true);
          }
          mention(content);
        }
      }
      return content.build();
    }

    void mention(Content.Builder content) {
      if (random.nextInt(3) == 0) {
        content.addMentions(any(USERS).value()).addMentions(any(USERS).value());
      }
    }

    // ---- watermarks

    void acknowledge(DeviceId device, Chat chat) {
      long seq = random.nextInt(-1, (int) chat.head() + 3);
      UserId user = device.user();
      Outcome outcome = node.prepare(new Command.Ack(device, chat.id, seq));
      if (!chat.members.containsKey(user)) {
        ShardNode.refused(outcome, ErrorCode.NOT_MEMBER);
      } else if (seq < 1 || seq > chat.head(user)) {
        ShardNode.refused(outcome, ErrorCode.ARGUMENT);
      } else {
        chat.positions.merge(device, seq, Math::max);
        Marks marks = chat.marks(user);
        if (seq <= marks.delivered()) {
          assertThat(outcome).isEqualTo(Outcome.Done.DONE);
          return;
        }
        long shown = chat.isBlocked() ? marks.shownDelivered() : seq;
        moved(outcome, chat, user, new Marks(seq, marks.read(), shown, marks.shownRead()));
        boolean othersKnow = !chat.id.isGroup() && !chat.isBlocked();
        assertThat(((Outcome.Moved) outcome).observers())
            .doesNotContain(user)
            .hasSize(othersKnow && !chat.id.isSelf() ? 1 : 0);
      }
    }

    void read(DeviceId device, Chat chat) {
      long seq = random.nextInt(-1, (int) chat.head() + 3);
      boolean hidden = random.nextInt(4) == 0;
      UserId user = device.user();
      Outcome outcome = node.prepare(new Command.Read(device, chat.id, seq, hidden));
      if (!chat.members.containsKey(user)) {
        ShardNode.refused(outcome, ErrorCode.NOT_MEMBER);
      } else if (seq < 1 || seq > chat.head(user)) {
        ShardNode.refused(outcome, ErrorCode.ARGUMENT);
      } else {
        Marks marks = chat.marks(user);
        if (seq <= marks.read()) {
          assertThat(outcome).isEqualTo(Outcome.Done.DONE);
          return;
        }
        boolean blocked = chat.isBlocked();
        moved(
            outcome,
            chat,
            user,
            new Marks(
                Math.max(seq, marks.delivered()),
                seq,
                blocked ? marks.shownDelivered() : Math.max(seq, marks.shownDelivered()),
                blocked || hidden ? marks.shownRead() : seq));
        assertThat(((Outcome.Moved) outcome).observers()).contains(user);
      }
    }

    void moved(Outcome outcome, Chat chat, UserId user, Marks to) {
      assertThat(outcome).isInstanceOf(Outcome.Moved.class);
      var moved = (Outcome.Moved) outcome;
      assertThat(moved.member()).isEqualTo(user);
      assertThat(
              new Marks(moved.delivered(), moved.read(), moved.shownDelivered(), moved.shownRead()))
          .isEqualTo(to);
      chat.marks.put(user, to);
    }

    // ---- groups

    void changeGroup(DeviceId device, Chat chat) {
      if (!chat.id.isGroup()) {
        return;
      }
      if (chat.head() == 0) {
        createGroup(device, chat);
        return;
      }
      UserId user = device.user();
      // Sometimes an op id that was used before.
      int op = random.nextInt(5) == 0 ? random.nextInt(ops + 1) : ++ops;
      GroupChange change = change();
      Outcome outcome =
          node.prepare(new Command.GroupEdit(device, chat.id, ShardNode.opId(op), change));
      Integer done = chat.ops.get(user + " " + op);
      if (done != null) {
        assertThat(ShardNode.sent(outcome).repeat()).isTrue();
        assertThat(ShardNode.sent(outcome).entry().seq()).isEqualTo((long) done);
        return;
      }
      ErrorCode refusal = chat.refusal(user, change);
      if (refusal != null) {
        ShardNode.refused(outcome, refusal);
        return;
      }
      chat.apply(user, change, chat.head() + 1);
      event(outcome, chat, device);
      chat.ops.put(user + " " + op, (int) chat.head());
    }

    void createGroup(DeviceId device, Chat chat) {
      var birth = GroupBirth.newBuilder().setTitle("group");
      UserId owner = device.user();
      for (UserId user : USERS) {
        if (random.nextBoolean() && !user.equals(owner)) {
          birth.addMembers(user.value());
        }
      }
      int op = ++ops;
      Outcome outcome =
          node.prepare(new Command.GroupCreate(device, chat.id, ShardNode.opId(op), birth.build()));
      if (birth.getMembersCount() >= ReferenceChats.GROUP_MEMBERS_MAX) {
        ShardNode.refused(outcome, ErrorCode.GROUP_FULL);
        return;
      }
      chat.title = "group";
      chat.join(owner, 1, Role.ROLE_OWNER);
      for (long member : birth.getMembersList()) {
        chat.join(new UserId(member), 1, Role.ROLE_MEMBER);
      }
      event(outcome, chat, device);
      chat.ops.put(owner + " " + op, 1);
      assertThat(ShardNode.sent(outcome).duties()).hasSize(birth.getMembersCount() + 1);
    }

    /// The server's entry about a command of the device is the newest now.
    void event(Outcome outcome, Chat chat, DeviceId device) {
      Content said = ShardNode.contentOf(ShardNode.sent(outcome).entry());
      Line line = chat.append(device, 0, said, node.now);
      sent(outcome, chat, line);
    }

    GroupChange change() {
      UserId user = any(USERS);
      return switch (random.nextInt(12)) {
        case 0, 1, 2 -> new GroupChange.Add(List.of(user, any(USERS)));
        case 3 -> new GroupChange.Remove(user);
        case 4 -> new GroupChange.Leave();
        case 5, 6 ->
            new GroupChange.SetRole(
                user, any(List.of(Role.ROLE_MEMBER, Role.ROLE_ADMIN, Role.ROLE_OWNER)));
        case 7 -> new GroupChange.Title(any(List.of("a", "b", "group")));
        case 8 -> new GroupChange.AdminOnlySend(random.nextInt(3) == 0);
        case 9 -> new GroupChange.AdminOnlyEdit(random.nextInt(3) == 0);
        case 10 -> new GroupChange.Invite(new byte[random.nextInt(3)]);
        default -> new GroupChange.Join(new byte[random.nextInt(3)]);
      };
    }

    // ---- records

    void putRecord() {
      RecordKey key = any(RECORDS);
      ReferenceChats.Kept before = now.record(key, node.now);
      long right = before == null ? 0 : before.version();
      long expected = random.nextInt(4) == 0 ? random.nextLong(versionMax + 1) : right;
      String value = random.nextInt(5) == 0 ? null : "record " + random.nextInt(1000);
      long ends = random.nextBoolean() ? 0 : node.now + random.nextInt(1, 20_000);
      Outcome outcome =
          node.prepare(
              new Command.PutRecord(
                  key,
                  expected,
                  value == null ? null : value.getBytes(StandardCharsets.UTF_8),
                  ends));
      assertThat(outcome).isInstanceOf(Outcome.Recorded.class);
      var recorded = (Outcome.Recorded) outcome;
      assertThat(recorded.stored()).isEqualTo(expected == right);
      if (!recorded.stored()) {
        assertThat(recorded.version()).isEqualTo(right);
      } else if (value == null) {
        now.records.remove(key);
      } else {
        // It was told to nobody what a restart took back: only then may a version come again.
        assertThat(recorded.version()).isGreaterThan(right);
        versionMax = Math.max(versionMax, recorded.version());
        now.records.put(key, new ReferenceChats.Kept(recorded.version(), value, ends));
      }
    }

    // ---- settings

    void changeSettings(DeviceId device) {
      UserId user = device.user();
      var set = new ArrayList<Setting>();
      Map<String, Setting> all = now.settings(user);
      for (int i = random.nextInt(1, 4); i > 0; i--) {
        set.add(setting(user));
      }
      Chat self = now.chat(ChatId.direct(user, user));
      Outcome outcome = node.prepare(new Command.ChangeSettings(device, List.copyOf(set)));
      for (Setting setting : set) {
        boolean gone =
            (setting.hasContact() && setting.getContact().getRemoved())
                || (setting.hasStar() && !setting.getStar().getOn())
                || (setting.hasBlock() && !setting.getBlock().getOn())
                || (setting.hasChat() && !setting.getChat().getPin());
        if (gone) {
          all.remove(keyOf(setting));
        } else {
          all.put(keyOf(setting), setting);
        }
      }
      event(outcome, self, device);
    }

    static String keyOf(Setting setting) {
      return switch (setting.getWhatCase()) {
        case CHAT -> "chat " + setting.getChat().getChat();
        case STAR -> "star " + setting.getStar().getChat() + " " + setting.getStar().getSeq();
        case HIDE -> "hide " + setting.getHide().getChat() + " " + setting.getHide().getSeq();
        case CONTACT -> "contact " + setting.getContact().getUser();
        case PRIVACY -> "privacy";
        case BLOCK -> "block " + setting.getBlock().getUser();
        case WHAT_NOT_SET -> throw new IllegalArgumentException();
      };
    }

    Setting setting(UserId user) {
      UserId other = any(USERS.stream().filter(u -> !u.equals(user)).toList());
      boolean on = random.nextBoolean();
      int seq = random.nextInt(1, 5);
      var setting = Setting.newBuilder();
      switch (random.nextInt(6)) {
        case 0 -> setting.getChatBuilder().setChat(other.value()).setPin(on);
        case 1 -> setting.getStarBuilder().setChat(other.value()).setSeq(seq).setOn(on);
        case 2 -> setting.getHideBuilder().setChat(other.value()).setSeq(seq);
        case 3 -> setting.getContactBuilder().setUser(other.value()).setName("x").setRemoved(on);
        case 4 -> setting.getPrivacyBuilder().setHideReadReceipts(on);
        default -> setting.getBlockBuilder().setUser(other.value()).setOn(random.nextInt(4) == 0);
      }
      return setting.build();
    }

    /// The other half of a block, told again and again.
    void duty() {
      if (duties.isEmpty()) {
        return;
      }
      Command duty = any(List.copyOf(duties));
      assertThat(node.prepare(duty)).isEqualTo(Outcome.Done.DONE);
      if (duty instanceof Command.SetBlock(ChatId id, UserId by, boolean on, long version)) {
        Block before = now.chat(id).blocks.get(by);
        if (before == null || before.version() < version) {
          now.chat(id).blocks.put(by, new Block(on, version));
        }
      }
    }

    // ---- time, restarts

    void tick() {
      commit();
      node.prepare(new Command.Tick(0, false));
      for (Chat chat : now.chats.values()) {
        chat.expire(node.now);
        chat.tell();
      }
      now.endRecords(node.now);
      commit();
      compare();
      for (Chat chat : committed.chats.values()) {
        if (chat.id.isGroup() && chat.membersIn() > 0) {
          var progress = Reads.progress(node.storage, chat.id);
          assertThat(progress.getAllDelivered())
              .isBetween(chat.toldDelivered, chat.allDelivered(false));
          assertThat(progress.getAllRead()).isBetween(chat.toldRead, chat.allRead(false));
        }
      }
    }

    /// A new life looks at every slot's expiries, some at a tick; here before anything is due.
    void lookAtAllSlots() {
      for (int i = 0; i <= Slots.COUNT / Expiries.NEW_SLOTS_PER_TICK; i++) {
        node.shard.prepare(new Command.Tick(0, false, true), 0);
        node.shard.commit();
      }
    }

    void commit() {
      node.shard.commit();
      duties.addAll(newDuties);
      newDuties.clear();
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
      restarted(committed);
    }

    void cutPower() {
      int unsynced = node.storage.unsyncedBatches();
      int kept = random.nextInt(unsynced + 1);
      node.storage.crash(kept);
      node.start();
      restarted(sinceSync.get(Math.min(kept, sinceSync.size() - 1)));
    }

    void restarted(ReferenceChats survived) {
      newDuties.clear();
      // Nothing was settled: all that was ever owed is owed again.
      var owed = new LinkedHashSet<Command>();
      node.shard.outbox().forEach(record -> owed.addAll(record.duties()));
      assertThat(owed).containsAll(duties);
      lookAtAllSlots();
      // Everything in the operating system's hands counts as written from here on.
      node.storage.restart();
      sinceSync.clear();
      committed = survived;
      sinceSync.add(committed);
      now = committed.copy();
      compare();
    }

    // ---- storage has what was committed

    void compare() {
      for (ChatId id : CHATS) {
        Chat chat = committed.chat(id);
        for (UserId user : USERS) {
          compareEntries(chat, user);
        }
        for (DeviceId device : DEVICES) {
          compareSummary(chat, device);
        }
        if (id.isGroup()) {
          compareGroup(chat);
        } else {
          assertThat(Reads.isBlocked(node.storage, id)).isEqualTo(chat.isBlocked());
        }
        for (UserId user : USERS) {
          compareReactions(chat, user);
        }
      }
      for (RecordKey key : RECORDS) {
        Reads.Recorded found = Reads.record(node.storage, key, node.now);
        ReferenceChats.Kept kept = committed.record(key, node.now);
        assertThat(found == null).isEqualTo(kept == null);
        if (found != null && kept != null) {
          assertThat(new String(found.value(), StandardCharsets.UTF_8)).isEqualTo(kept.value());
          assertThat(found.version()).isEqualTo(kept.version());
          assertThat(found.expiresMillis()).isEqualTo(kept.endsMillis());
        }
      }
      for (UserId user : USERS) {
        assertThat(
                Reads.settings(node.storage, user, new byte[0], 999, Integer.MAX_VALUE).settings())
            .containsExactlyInAnyOrderElementsOf(committed.settings(user).values());
      }
    }

    void compareEntries(Chat chat, UserId viewer) {
      List<Entry> entries =
          Reads.after(node.storage, chat.id, viewer, 1, Integer.MAX_VALUE, Integer.MAX_VALUE)
              .entries();
      Membership member = chat.members.get(viewer);
      assertThat(Reads.sees(node.storage, chat.id, viewer)).isEqualTo(member != null);
      if (member == null) {
        assertThat(entries).isEmpty();
        return;
      }
      long seq = member.joined();
      for (Entry entry : entries) {
        Line line = chat.line(seq);
        assertThat(entry.seq()).isEqualTo(seq++);
        assertThat(entry.sender()).isEqualTo(line.from);
        assertThat(entry.csn()).isEqualTo(line.csn);
        assertThat(entry.tsMillis()).isEqualTo(line.tsMillis);
        boolean isWithheld = !member.isIn() && line.editSeq > member.left();
        assertThat(entry.editedMillis()).isEqualTo(isWithheld ? 0 : line.editedMillis);
        assertThat(ShardNode.contentOf(entry))
            .isEqualTo(isWithheld ? ReferenceChats.TOMBSTONE : line.content);
      }
      assertThat(seq - 1).isEqualTo(chat.head(viewer));
    }

    void compareSummary(Chat chat, DeviceId device) {
      UserId user = device.user();
      Membership member = chat.members.get(user);
      Reads.Summary summary = Reads.summary(node.storage, chat.id, device);
      if (member == null || chat.head() == 0) {
        assertThat(summary).isNull();
        return;
      }
      Reads.Summary found = Objects.requireNonNull(summary);
      assertThat(found.head()).isEqualTo(chat.head(user));
      assertThat(found.first()).isEqualTo(member.joined());
      assertThat(found.position()).isEqualTo(chat.positions.getOrDefault(device, 0L));
      assertThat(found.delivered()).isEqualTo(chat.marks(user).delivered());
      assertThat(found.read()).isEqualTo(chat.marks(user).read());
      assertThat(found.unread()).isEqualTo(chat.unread(user));
      assertThat(found.unreadMentions()).isEqualTo(chat.unreadMentions(user));
      assertThat(found.lastCsn()).isEqualTo(chat.sends.getOrDefault(device, List.of()).size());
      assertThat(found.ttlSeconds()).isEqualTo((int) chat.ttlSeconds);
      if (chat.id.isGroup()) {
        Reads.GroupSummary group = Objects.requireNonNull(found.group());
        assertThat(group.title()).isEqualTo(chat.title);
        assertThat(group.role()).isEqualTo(chat.role(user));
        assertThat(group.memberCount()).isEqualTo((int) chat.membersIn());
      } else if (!chat.id.isSelf()) {
        Marks peer = chat.marks(chat.id.peerOf(user));
        assertThat(found.peerDelivered()).isEqualTo(peer.shownDelivered());
        assertThat(found.peerRead()).isEqualTo(peer.shownRead());
      }
    }

    void compareGroup(Chat chat) {
      Reads.GroupInfo info = Reads.groupInfo(node.storage, chat.id);
      if (chat.head() == 0) {
        assertThat(info).isNull();
        return;
      }
      Reads.GroupInfo found = Objects.requireNonNull(info);
      assertThat(found.adminOnlySend()).isEqualTo(chat.adminOnlySend);
      assertThat(found.adminOnlyEdit()).isEqualTo(chat.adminOnlyEdit);
      assertThat(found.invite()).hasSize(chat.invite);
      var members = new ArrayList<Reads.GroupMember>();
      chat.members.forEach((user, member) -> {
        if (member.isIn()) {
          members.add(new Reads.GroupMember(user, member.role(), member.joined()));
        }
      });
      assertThat(found.members()).isEqualTo(members);
    }

    void compareReactions(Chat chat, UserId viewer) {
      var expected = new HashMap<Long, Map<String, Reaction>>();
      long head = chat.members.containsKey(viewer) ? chat.head(viewer) : 0;
      chat.reactions.forEach((seq, all) -> {
        all.forEach((user, reacted) -> {
          if (reacted.seq() > head) {
            return;
          }
          String text = reacted.text();
          var texts = expected.computeIfAbsent(seq, s -> new HashMap<>());
          Reaction before = texts.getOrDefault(text, Reaction.newBuilder().setText(text).build());
          texts.put(
              text,
              before.toBuilder()
                  .setCount(before.getCount() + 1)
                  .setOwn(before.getOwn() || user.equals(viewer))
                  .build());
        });
      });
      Map<Long, List<Reaction>> found =
          node.reactions(chat.id, 1, Math.max(1, chat.head()), viewer);
      assertThat(found.keySet()).isEqualTo(expected.keySet());
      found.forEach((seq, reactions) ->
          assertThat(reactions)
              .containsExactlyInAnyOrderElementsOf(
                  Objects.requireNonNull(expected.get(seq)).values()));
    }
  }

  private static DeviceId device(long user, int index) {
    return new DeviceId(new UserId(user), index);
  }

  private static ChatId chat(long one, long other) {
    return ChatId.direct(new UserId(one), new UserId(other));
  }
}

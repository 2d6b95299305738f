package io.tern.tools.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.client.Groups.Changed;
import io.tern.client.SendCallback;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Users;
import io.tern.store.LocalLog;
import io.tern.tools.simulation.ReferenceModel.Line;
import io.tern.tools.simulation.ReferenceModel.Part;
import io.tern.tools.simulation.ReferenceModel.Room;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// A group under fire: members send, edit, react, revoke, add, remove, leave and hand over all at
/// once, while connections break, apps die and the server is killed and loses power.
///
/// What came of it must be a story that could have happened one thing after the other: the group's
/// log, put together from what its members read, is replayed through [ReferenceModel], which has to
/// allow every entry where it stands. Every answer that anyone got is in it, once, and everyone has
/// seen what was theirs to see and nothing else.
///
/// `-Dtern.seeds=N` runs N / 8 worlds (default 250), `-Dtern.seed=S` replays one.
class GroupFaultsTest {

  private static final int SEEDS = Math.max(1, Integer.getInteger("tern.seeds", 2_000) / 8);

  @Test
  void whatHappenedToAGroupCouldHaveHappenedOneAfterTheOther() {
    Long only = Long.getLong("tern.seed");
    long first = only != null ? only : 1;
    long last = only != null ? only : SEEDS;
    long entries = 0;
    long changes = 0;
    long started = System.nanoTime();
    for (long seed = first; seed <= last; seed++) {
      var run = new Run(seed);
      try {
        run.go();
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError(
            "seed %d: replay with ./verify --only GroupFaultsTest --seed %d%n%s"
                .formatted(seed, seed, e.getMessage()),
            e);
      }
      entries += run.log.size();
      changes += run.log.values().stream().filter(Run::isChange).count();
    }
    System.out.printf(
        "groups under fire: seeds %d to %d hold, %d entries, %d changes of groups, %d ms%n",
        first, last, entries, changes, (System.nanoTime() - started) / 1_000_000);
  }

  /// One world with one group.
  private static final class Run {

    private static final long ACTIVE_MICROS = 12_000_000;
    private static final long SETTLE_MICROS_MAX = 400_000_000;

    final World world;
    final SimServer server;
    final List<UserId> users = new ArrayList<>();
    final List<ModelDevice> devices = new ArrayList<>();

    /// What members read in the end, by seq.
    final NavigableMap<Long, PageEntry> log = new TreeMap<>();

    /// What each device read as a tombstone.
    private final Map<ModelDevice, Set<Long>> gone = new HashMap<>();

    private final Map<Long, Content> sent = new HashMap<>();
    private final Map<Long, GroupEdit> changed = new HashMap<>();
    private final Set<Content> refused = new HashSet<>();
    private @Nullable ChatId group;
    private int texts;

    Run(long seed) {
      world = new World(seed * 31);
      server = new SimServer(world, LocalLog::new);
    }

    void go() {
      server.start();
      int people = 3 + world.random.nextInt(3);
      for (int i = 0; i < people; i++) {
        users.add(new UserId(101 + i));
        for (int index = 1; index <= 1 + world.random.nextInt(2); index++) {
          devices.add(new ModelDevice(world, server, new DeviceId(users.get(i), index)));
        }
      }
      await("everyone is up", () -> devices.stream().allMatch(ModelDevice::isUp));
      create();
      long until = world.micros() + ACTIVE_MICROS;
      while (world.micros() < until) {
        world.run(world.some(100, 300_000));
        act(devices.get(world.random.nextInt(devices.size())));
      }
      settle();
      readLog();
      Room room = replay();
      checkAnswers();
      checkScreens(room);
    }

    private ChatId group() {
      return Objects.requireNonNull(group);
    }

    private void create() {
      GroupCreate.Builder create = GroupCreate.newBuilder().setTitle("under fire");
      users.stream().skip(1).forEach(user -> create.addMembers(user.value()));
      ModelDevice founder = devices.getFirst();
      founder
          .core()
          .changes()
          .createGroup(
              create,
              done -> group = done.group(),
              refusal -> {
                throw new AssertionError(refusal);
              });
      founder.endPass();
      await("the group is there", () -> group != null);
    }

    private void act(ModelDevice device) {
      switch (world.random.nextInt(40)) {
        case 0, 1 -> device.cut();
        case 2 -> device.restart();
        case 3 -> outage(false);
        case 4 -> outage(true);
        case 5, 6, 7, 8 ->
            edit(
                device,
                GroupEdit.newBuilder().setAdd(Users.newBuilder().addUsers(anyone().value())));
        case 9, 10, 11 -> {
          // The founder stays, so that somebody can read all of the log in the end.
          UserId user = users.get(1 + world.random.nextInt(users.size() - 1));
          edit(device, GroupEdit.newBuilder().setRemove(user.value()));
        }
        case 12 -> {
          if (!device.id.user().equals(users.getFirst())) {
            edit(device, GroupEdit.newBuilder().setLeave(true));
          }
        }
        case 13, 14, 15 -> edit(device, GroupEdit.newBuilder().setRole(role(Role.ROLE_ADMIN)));
        case 16 -> edit(device, GroupEdit.newBuilder().setRole(role(Role.ROLE_OWNER)));
        case 17, 18 -> edit(device, GroupEdit.newBuilder().setTitle("t" + world.random.nextInt(3)));
        case 19 ->
            edit(device, GroupEdit.newBuilder().setAdminOnlySend(world.random.nextBoolean()));
        case 20, 21 -> send(device, about(Kind.KIND_REACTION).setBody(text()));
        case 22, 23 -> send(device, about(Kind.KIND_EDIT).setBody(text()));
        case 24 -> send(device, about(Kind.KIND_REVOKE));
        case 25 -> {
          for (int i = 0; i < 15; i++) {
            send(device, Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(text()));
          }
        }
        default -> send(device, Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(text()));
      }
    }

    private RoleChange.Builder role(Role role) {
      return RoleChange.newBuilder().setUser(anyone().value()).setRole(role);
    }

    private UserId anyone() {
      return users.get(world.random.nextInt(users.size()));
    }

    private ByteString text() {
      return ByteString.copyFromUtf8("m" + texts++);
    }

    private Content.Builder about(Kind kind) {
      return Content.newBuilder().setKind(kind).setTarget(1 + world.random.nextInt(20));
    }

    private void send(ModelDevice device, Content.Builder builder) {
      // Each can be told from all others.
      Content content = builder.setForwarded(++texts).build();
      device.send(
          group(),
          content,
          new SendCallback() {
            @Override
            public void onSent(ChatId chat, long seq, long csn, long tsMillis, boolean repeat) {
              answered(seq, content);
            }

            @Override
            public void onRefused(ChatId chat, TernException refusal) {
              if (refusal.errorClass() == ErrorCode.ErrorClass.REQUEST) {
                refused.add(content);
              }
            }
          });
    }

    private void answered(long seq, Content content) {
      Content before = sent.put(seq, content);
      assertThat(before == null || before.equals(content)).as("two sends at seq %d", seq).isTrue();
    }

    private void edit(ModelDevice device, GroupEdit.Builder builder) {
      GroupEdit edit = builder.build();
      device
          .core()
          .changes()
          .editGroup(
              group(),
              builder,
              (Changed done) -> {
                GroupEdit before = changed.put(done.seq(), edit);
                assertThat(before).as("two changes at seq %d", done.seq()).isNull();
              },
              refusal -> {});
      device.endPass();
    }

    private void outage(boolean power) {
      server.die(power);
      world.run(world.some(1_000, 3_000_000));
      if (server.life() == null) {
        server.start();
      }
    }

    private void await(String what, java.util.function.BooleanSupplier condition) {
      long until = world.micros() + SETTLE_MICROS_MAX;
      while (!condition.getAsBoolean()) {
        assertThat(world.micros())
            .as("never: %s; %s", what, devices.stream().map(Run::state).toList())
            .isLessThan(until);
        world.run(500_000);
      }
    }

    private static String state(ModelDevice device) {
      String up = device.isRefused() ? "refused" : device.isUp() ? "up" : "down";
      return device.id + " " + up + ", " + device.core().pendingSends() + " sends";
    }

    private void settle() {
      if (server.life() == null) {
        server.start();
      }
      devices.forEach(ModelDevice::goOnline);
      await(
          "everyone is up and answered",
          () -> devices.stream().allMatch(d -> d.isUp() && d.core().pendingSends() == 0));
      // Requests that wait for their time, holes that are read, the last entries.
      world.run(60_000_000);
    }

    // ---- what came of it

    private void readLog() {
      for (ModelDevice device : devices) {
        readFrom(device, 0);
      }
      assertThat(log.firstKey()).isEqualTo(1L);
      assertThat(log).as("seqs without holes").hasSize((int) (long) log.lastKey());
    }

    private void readFrom(ModelDevice device, long after) {
      var pages = new HistoryPage[1];
      var refusals = new TernException[1];
      while (pages[0] == null) {
        refusals[0] = null;
        device
            .core()
            .queries()
            .historyAfter(group(), after, 100, p -> pages[0] = p, r -> refusals[0] = r);
        device.endPass();
        await("HISTORY is answered", () -> pages[0] != null || refusals[0] != null);
      }
      long last = after;
      for (PageEntry entry : pages[0].getEntriesList()) {
        last = entry.getSeq();
        PageEntry mine = neutral(entry);
        if (isGone(mine)) {
          gone.computeIfAbsent(device, d -> new HashSet<>()).add(last);
        }
        PageEntry known = log.get(last);
        if (known == null || (isGone(known) && !isGone(mine))) {
          log.put(last, mine);
        } else if (!isGone(mine)) {
          assertThat(known).as("entry %d as %s has it", last, device.id).isEqualTo(mine);
        }
      }
      if (pages[0].getMore() && last > after) {
        readFrom(device, last);
      }
    }

    /// Without what depends on who asks.
    private static PageEntry neutral(PageEntry entry) {
      return PageEntry.newBuilder()
          .setSeq(entry.getSeq())
          .setEntry(entry.getEntry().toBuilder().clearCsn())
          .build();
    }

    private static boolean isGone(PageEntry entry) {
      return entry.getEntry().getContent().getKind() == Kind.KIND_TOMBSTONE;
    }

    private static boolean isChange(PageEntry entry) {
      return entry.getEntry().getContent().getKind() == Kind.KIND_GROUP;
    }

    /// Each entry after the other through the model.
    private Room replay() {
      var model = new ReferenceModel(900_000, 172_800_000, 0);
      Map<Long, Content> original = new HashMap<>(sent);
      devices.forEach(device ->
          device
              .view(group())
              .rows
              .forEach((seq, row) -> {
                if (!row.isGone() && row.editedMillis == 0) {
                  original.putIfAbsent(seq, row.content);
                }
              }));
      for (PageEntry page : log.values()) {
        long seq = page.getSeq();
        var entry = page.getEntry();
        var from = new DeviceId(new UserId(entry.getSender()), entry.getDevice());
        Content content = entry.getContent();
        ErrorCode refusal;
        if (isChange(page)) {
          refusal = replayChange(model, from, content.getBody(), entry.getTsMs());
        } else {
          // What the log has of an edited or erased message is not what was sent.
          Content as = original.getOrDefault(seq, content);
          refusal =
              as.getKind() == Kind.KIND_TOMBSTONE
                      || (as.getTarget() == 0 && as.getKind() != Kind.KIND_TEXT)
                  ? unknown(model, from, entry.getTsMs())
                  : model.send(from, group(), as, entry.getTsMs());
        }
        assertThat(refusal).as("entry %d: %s", seq, page).isNull();
        assertThat(room(model).head()).isEqualTo(seq);
      }
      Room room = room(model);
      for (Line line : room.lines) {
        Content now = Objects.requireNonNull(log.get(line.seq)).getEntry().getContent();
        if (line.removed) {
          assertThat(now.getKind()).as("entry %d", line.seq).isEqualTo(Kind.KIND_TOMBSTONE);
        } else if (line.isMessage()) {
          assertThat(now.getBody()).as("entry %d", line.seq).isEqualTo(line.content.getBody());
        }
      }
      return room;
    }

    /// An entry whose words nobody has any more: its sender was allowed to send some.
    private @Nullable ErrorCode unknown(ReferenceModel model, DeviceId from, long now) {
      return model.send(from, group(), Content.newBuilder().setKind(Kind.KIND_TEXT).build(), now);
    }

    private Room room(ReferenceModel model) {
      return Objects.requireNonNull(model.rooms.get(group()));
    }

    private @Nullable ErrorCode replayChange(
        ReferenceModel model, DeviceId from, ByteString body, long now) {
      GroupEvent event;
      try {
        event = GroupEvent.parseFrom(body);
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
      if (event.hasCreated()) {
        return model.create(from, group(), event.getCreated(), now);
      }
      GroupEdit.Builder edit = GroupEdit.newBuilder();
      switch (event.getChangeCase()) {
        case ADDED -> edit.setAdd(event.getAdded());
        case REMOVED -> edit.setRemove(event.getRemoved());
        case LEFT -> edit.setLeave(true);
        case ROLE -> edit.setRole(event.getRole());
        case TITLE -> edit.setTitle(event.getTitle());
        case ADMIN_ONLY_SEND -> edit.setAdminOnlySend(event.getAdminOnlySend());
        default -> throw new AssertionError(event);
      }
      ErrorCode refusal = model.edit(from, group(), edit.build(), ByteString.EMPTY, now);
      if (refusal == null) {
        Line line = Objects.requireNonNull(room(model).line(room(model).head()));
        assertThat(line.content.getBody()).as("what the event says").isEqualTo(body);
      }
      return refusal;
    }

    /// Every answer is in the log, and what was refused is not.
    private void checkAnswers() {
      sent.forEach((seq, content) -> {
        PageEntry entry = Objects.requireNonNull(log.get(seq), "answered, but not there: " + seq);
        Kind kind = entry.getEntry().getContent().getKind();
        assertThat(kind).as("entry %d", seq).isIn(content.getKind(), Kind.KIND_TOMBSTONE);
      });
      changed.forEach((seq, edit) ->
          assertThat(isChange(Objects.requireNonNull(log.get(seq)))).as("%d", seq).isTrue());
      for (PageEntry entry : log.values()) {
        assertThat(refused).doesNotContain(entry.getEntry().getContent());
      }
    }

    /// Everyone who is in it has everything since they came, and nobody what they may not see.
    private void checkScreens(Room room) {
      for (ModelDevice device : devices) {
        Part part = room.parts.get(device.id.user().value());
        Set<Long> seqs = device.view(group()).rows.keySet();
        if (part == null) {
          assertThat(seqs).as("%s", device.id).isEmpty();
          continue;
        }
        assertThat(seqs)
            .as("%s has what came since it joined at %d", device.id, part.joined)
            .containsAll(
                log.subMap(part.joined, true, Math.min(room.head(), part.left), true).keySet());
        assertThat(seqs.stream().filter(seq -> seq > part.left))
            .as("%s left at %d", device.id, part.left)
            .isEmpty();
        // What is there for others is gone for those who left before it was edited.
        assertThat(gone.getOrDefault(device, Set.of()))
            .as("%s left at %d", device.id, part.left)
            .allMatch(seq ->
                isGone(Objects.requireNonNull(log.get(seq)))
                    || editOf(room.lines.get((int) (seq - 1))) > part.left);
      }
    }

    private static long editOf(Line line) {
      return line.lastEdit == null ? 0 : line.lastEdit.seq;
    }
  }
}

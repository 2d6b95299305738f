package io.tern.edge.session;

import static io.tern.edge.session.SessionWorld.EDGE;
import static io.tern.edge.session.SessionWorld.ME;
import static io.tern.edge.session.SessionWorld.PEER;
import static io.tern.edge.session.SessionWorld.ack;
import static io.tern.edge.session.SessionWorld.frame;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.router.Origin;
import io.tern.store.Command;
import io.tern.store.LocalLog;
import io.tern.store.Outcome;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// A session that was full for a moment while much went to many: it takes what it missed from what
/// its loop keeps, in order, and the store is asked for the rest only.
class TrailTest {

  private static final ChatId CHAT = ChatId.direct(ME, PEER);
  private static final DeviceId MINE = new DeviceId(ME, 1);
  private static final int WINDOW = 3;
  private static final int RUNS = 100;

  /// So that turns come.
  private static final long STEP_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  /// Whatever comes in which order: no hole is pushed, and in the end everything has come.
  @Test
  void nothingIsLeftOut() {
    long seed = Long.getLong("tern.seed", System.nanoTime());
    System.out.println("TRAILS: seed " + seed);
    for (int i = 0; i < RUNS; i++) {
      new World().run(new Random(seed + i));
    }
  }

  @Test
  void whoWasFullIsLiveAgainWithoutTheStore() {
    var world = new World();
    for (int i = 0; i < 6; i++) {
      world.peerWrites();
    }
    assertThat(world.pushed()).containsExactly(1L, 2L, 3L);
    assertThat(world.edge.session.outbound().isBehind()).isTrue();

    world.edge.input(ack(2));
    assertThat(world.pushed()).containsExactly(1L, 2L, 3L, 4L, 5L);
    world.edge.input(ack(5));
    assertThat(world.edge.session.outbound().isBehind()).isFalse();
    world.peerWrites();

    assertThat(world.pushed()).containsExactly(1L, 2L, 3L, 4L, 5L, 6L, 7L);
    assertThat(world.edge.types()).containsOnly(FrameType.DELIVER);
    assertThat(world.edge.questions).isEmpty();
    assertThat(world.count(Count.ENTRIES_HELD_BACK)).isEqualTo(3);
    assertThat(world.count(Count.TRAILS)).isOne();
  }

  @Test
  void aFullSocketThatDrainsGetsWhatWaited() {
    var world = new World();
    world.edge.writable(false);
    world.peerWrites();
    world.peerWrites();
    assertThat(world.pushed()).isEmpty();

    world.edge.writable(true);
    assertThat(world.pushed()).containsExactly(1L, 2L);
    assertThat(world.edge.types()).containsOnly(FrameType.DELIVER);
  }

  /// What the device sent itself is not pushed to it, so a trail cannot tell what to leave out. The
  /// entry that shows it must not overtake what is read from the store.
  @Test
  void behindAnEntryOfItsOwnTheStoreIsAsked() {
    var world = new World();
    for (int i = 0; i < 4; i++) {
      world.peerWrites();
    }
    world.iWrite();
    world.edge.input(ack(3));
    assertThat(world.pushed()).containsExactly(1L, 2L, 3L, 4L);
    for (int i = 0; i < 4; i++) {
      world.peerWrites();
    }
    world.iWrite();
    world.peerWrites();
    assertThat(world.edge.types()).endsWith(FrameType.SENT, FrameType.BEHIND);
    assertThat(world.pushed()).containsExactly(1L, 2L, 3L, 4L, 6L, 7L);

    world.edge.input(ack(7));
    world.edge.settle();
    world.edge.input(ack(9));
    world.edge.settle();
    assertThat(world.pushed()).startsWith(1L, 2L, 3L, 4L, 6L, 7L, 8L);
  }

  @Test
  void whatIsNoLongerKeptComesFromTheStore() {
    var world = new World();
    for (int i = 0; i < 5; i++) {
      world.peerWrites();
    }
    world.sweepAfter(RecentEntries.KEPT_NANOS + 1);
    world.edge.input(ack(3));
    assertThat(world.edge.types()).endsWith(FrameType.BEHIND);

    world.edge.settle();
    assertThat(world.pushed()).containsExactly(1L, 2L, 3L, 4L, 5L);
  }

  @Test
  void aNudgeOnTheWayThereAsksForNothing() {
    var world = new World();
    for (int i = 0; i < 5; i++) {
      world.peerWrites();
    }
    world.take(new Delivery.Nudge(CHAT, world.me()));
    assertThat(world.edge.questions).isEmpty();
    world.edge.input(ack(3));
    assertThat(world.pushed()).containsExactly(1L, 2L, 3L, 4L, 5L);
  }

  @Test
  void whatWaitsIsDueToTheDeviceWhenItGoes() {
    var world = new World();
    world.edge.writable(false);
    world.peerWrites();
    world.edge.session.onClosed();
    var attached = world.edge.directory.attach(MINE, EDGE, 999, true).join();
    assertThat(attached.news()).containsExactly(CHAT);
  }

  private static final class World {
    final SessionWorld edge =
        SessionWorld.live(
            "limits.window.entries=" + WINDOW,
            "limits.cheap.rate=1000000",
            "limits.cheap.burst=1000000");
    final SessionTable table = new SessionTable(0, edge.edge, 1, 8);
    final Shard shard = new Shard(edge.storage, new LocalLog(edge.storage), ShardConfig.of(0, 1));

    long csn;
    long peerCsn;

    /// What the device has stored, what it has sent, and how far it has looked at what came.
    long position;

    final List<Long> own = new ArrayList<>();
    int seen;

    World() {
      table.add(edge.session);
    }

    void run(Random random) {
      for (int step = 0; step < 120; step++) {
        edge.now += STEP_NANOS;
        switch (random.nextInt(12)) {
          case 0, 1, 2, 3, 4 -> peerWrites();
          case 5 -> iWrite();
          case 6, 7 -> acknowledge();
          case 8 -> edge.writable = !edge.writable;
          case 9 -> writable();
          case 10 -> someQuestions(random);
          default -> rarely(random);
        }
        look();
      }
      long head = csn + peerCsn;
      for (int i = 0; i < 2 * head && (position < head || mustGoOn()); i++) {
        edge.now += STEP_NANOS;
        writable();
        edge.settle();
        look();
        acknowledge();
      }
      assertThat(position)
          .as(
              "wake %d, closing %s, %d questions, last %s",
              edge.wakeMillis,
              edge.session.isClosing(),
              edge.questions.size(),
              edge.types().subList(Math.max(0, seen - 10), seen))
          .isEqualTo(head);
      assertThat(edge.session.outbound().isBehind()).isFalse();
    }

    private boolean mustGoOn() {
      return edge.session.outbound().isBehind();
    }

    private void rarely(Random random) {
      switch (random.nextInt(4)) {
        case 0 -> sweepAfter(TimeUnit.SECONDS.toNanos(random.nextInt(12)));
        case 1 -> take(new Delivery.Nudge(CHAT, me()));
        case 2 -> edge.input(frame(FrameType.CATCH_UP, FrameHeader.RID, 9, 0, 0, new byte[0]));
        default ->
            edge.input(
                frame(
                    FrameType.CATCH_UP,
                    FrameHeader.RID | FrameHeader.CHAT,
                    9,
                    PEER.value(),
                    0,
                    new byte[0]));
      }
    }

    private void writable() {
      edge.writable = true;
      edge.session.onWritable(edge.now);
    }

    private void someQuestions(Random random) {
      if (!edge.questions.isEmpty()) {
        edge.questions.poll().run();
      }
      while (!edge.tasks.isEmpty() && random.nextInt(4) > 0) {
        edge.tasks.poll().run();
      }
    }

    /// As a client does: what is there already is dropped, and a hole must not come.
    private void look() {
      for (; seen < edge.out.size(); seen++) {
        var out = edge.out.get(seen);
        if (out.type() == FrameType.SENT) {
          own.add(out.seq());
        } else if (out.type() == FrameType.DELIVER) {
          passOwn();
          assertThat(out.seq())
              .as("position %d, own %s", position, own)
              .isLessThanOrEqualTo(position + 1);
          position = Math.max(position, out.seq());
        }
        passOwn();
      }
    }

    private void passOwn() {
      while (own.contains(position + 1)) {
        position++;
      }
    }

    private void acknowledge() {
      if (position == 0) {
        return;
      }
      edge.input(ack(position));
      List.copyOf(edge.submitted).forEach(submitted -> commit(submitted.command()));
      edge.submitted.clear();
    }

    void peerWrites() {
      Outcome.Sent sent = (Outcome.Sent) commit(send(new DeviceId(PEER, 1), ++peerCsn));
      take(
          new Delivery.Entries(
              CHAT, sent.entry().seq(), PEER, new byte[10], new byte[11], everybody()));
    }

    void iWrite() {
      Command.Send send = send(MINE, ++csn);
      Outcome.Sent sent = (Outcome.Sent) commit(send);
      take(new Delivery.Answer(new Origin(EDGE, edge.session.id(), (int) csn), send, sent));
    }

    private static Command.Send send(DeviceId from, long csn) {
      var content = Content.newBuilder().setKind(Kind.KIND_TEXT);
      content.setBody(ByteString.copyFromUtf8("entry"));
      return new Command.Send(
          from, CHAT, Send.newBuilder().setCsn(csn).setContent(content).build().toByteArray());
    }

    private Outcome commit(Command command) {
      Outcome outcome = shard.prepare(command, 1_000);
      assertThat(outcome).isNotInstanceOf(Outcome.Refused.class);
      shard.commit();
      if (outcome instanceof Outcome.Sent sent) {
        sent.duties().forEach(this::commit);
      }
      return outcome;
    }

    void take(Delivery delivery) {
      table.take(List.of(delivery), edge.now);
      while (table.hasWaiting()) {
        table.work(2, Integer.MAX_VALUE, edge.now);
        table.answer(edge.now);
      }
    }

    void sweepAfter(long nanos) {
      edge.now += nanos;
      table.sweep(edge.now);
    }

    Attachment me() {
      return edge.directory.lookup(List.of(ME)).getFirst().sessions().getFirst();
    }

    /// The session, and two that are not there any more.
    private List<Attachment> everybody() {
      var all = new ArrayList<Attachment>();
      for (int i = 0; i < 2; i++) {
        all.add(
            new Attachment(
                new DeviceId(new UserId(5_000 + i), 1),
                EDGE,
                (1_000L + i) << SessionTable.LOOP_BITS,
                1));
      }
      all.add(me());
      return all;
    }

    List<Long> pushed() {
      return edge.out.stream()
          .filter(out -> out.type() == FrameType.DELIVER)
          .map(FakeHost.Out::seq)
          .toList();
    }

    long count(Count count) {
      return edge.counters.get(count);
    }
  }
}

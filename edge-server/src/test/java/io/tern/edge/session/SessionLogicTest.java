package io.tern.edge.session;

import static io.tern.edge.session.SessionWorld.ME;
import static io.tern.edge.session.SessionWorld.PEER;
import static io.tern.edge.session.SessionWorld.ack;
import static io.tern.edge.session.SessionWorld.frame;
import static io.tern.edge.session.SessionWorld.hello;
import static io.tern.edge.session.SessionWorld.live;
import static io.tern.edge.session.SessionWorld.preface;
import static io.tern.edge.session.SessionWorld.send;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.DeviceRemove;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Send;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.LocalLog;
import io.tern.store.Outcome;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SessionLogicTest {

  private static final ChatId CHAT = ChatId.direct(ME, PEER);
  private static final byte[] NOTHING = {};

  private static Error error(FakeHost.Out frame) {
    assertThat(frame.type()).isEqualTo(FrameType.ERROR);
    try {
      return Error.parseFrom(frame.body());
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  private static Receipt receipt(FakeHost.Out frame) {
    assertThat(frame.type()).isEqualTo(FrameType.RECEIPT);
    try {
      return Receipt.parseFrom(frame.body());
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  private static Attachment route(SessionWorld world) {
    return world.directory.lookup(List.of(ME)).getFirst().sessions().getFirst();
  }

  private static Delivery.Entries entry(SessionWorld world, long seq, int bytes) {
    return new Delivery.Entries(
        CHAT, seq, PEER, new byte[bytes], new byte[bytes + 1], List.of(route(world)));
  }

  private static Delivery.Answer sent(SessionWorld.Submitted send, long seq) {
    var command = (Command.Send) send.command();
    var entry = new Entry(command.chat(), seq, command.from(), seq, 5, seq, NOTHING);
    return new Delivery.Answer(
        send.origin(), command, new Outcome.Sent(entry, false, List.of(ME, PEER), List.of()));
  }

  /// A frame of this type with every header part it must have.
  private static byte[] wellFormed(FrameType type) {
    return frame(type, type.requiredFlags(), 9, PEER.value(), 1, NOTHING);
  }

  // ---- frames by state -------------------------------------------------------------------------

  @ParameterizedTest
  @EnumSource(FrameType.class)
  void beforeHelloOnlyHelloIsTaken(FrameType type) {
    var world = new SessionWorld();
    world.input(preface(), type == FrameType.HELLO ? hello() : wellFormed(type));
    if (type == FrameType.HELLO) {
      assertThat(world.session.isClosing()).isFalse();
    } else {
      assertThat(error(world.out.getLast()).getCode()).isEqualTo(ErrorCode.UNEXPECTED.number());
      assertThat(world.finished).isTrue();
      assertThat(world.submitted).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource(FrameType.class)
  void whileHelloIsUnderWayEveryFrameWaits(FrameType type) {
    var world = new SessionWorld();
    byte[] early = wellFormed(type);
    world.input(preface(), hello(), early);
    world.settle();
    assertThat(world.session.isClosing()).isFalse();
    assertThat(world.kept.readableBytes()).isEqualTo(early.length);
    assertThat(world.submitted).hasSize(1);
    assertThat(world.out).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(FrameType.class)
  void aLiveSessionTakesWhatClientsMaySendAndEndsAtTheRest(FrameType type) {
    SessionWorld world = live();
    world.input(wellFormed(type));
    world.settle();
    boolean ends = !type.isFromClient() || type == FrameType.HELLO || type == FrameType.BYE;
    // An empty token is no token.
    ends |= type == FrameType.REAUTH;
    assertThat(world.session.isClosing()).as(world.types().toString()).isEqualTo(ends);
    if (!type.isFromClient() || type == FrameType.HELLO) {
      assertThat(error(world.out.getLast()).getCode()).isEqualTo(ErrorCode.UNEXPECTED.number());
    }
    if (type.isFromClient() && FrameType.isRequest(type.code()) && !ends) {
      boolean answered =
          world.out.stream().anyMatch(f -> f.rid() == 9) || world.submitted.size() == 1;
      boolean noReply = (type.requiredFlags() & FrameHeader.RID) == 0;
      assertThat(answered || noReply).as("%s", world.types()).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource(FrameType.class)
  void afterTheFarewellNothingIsTaken(FrameType type) {
    SessionWorld world = live();
    world.session.disconnect(CloseReason.DRAIN, "", world.now);
    int frames = world.out.size();
    world.input(wellFormed(type));
    world.settle();
    assertThat(world.out).hasSize(frames);
    assertThat(world.submitted).isEmpty();
    assertThat(world.kept.readableBytes()).isZero();
  }

  @Test
  void requestsThatAreNotBuiltAreUnsupported() {
    SessionWorld world = live();
    world.input(wellFormed(FrameType.PUSH_REGISTER));
    assertThat(error(world.out.getLast()).getCode()).isEqualTo(ErrorCode.UNSUPPORTED.number());
    assertThat(world.out.getLast().rid()).isEqualTo(9);
  }

  // ---- handshake -------------------------------------------------------------------------------

  @Test
  void whenHelloFailsWhatWaitsIsDropped() {
    var world = new SessionWorld();
    byte[] bad = hello();
    bad[bad.length - 1] = 'x';
    world.input(preface(), bad, send(1));
    world.settle();
    assertThat(world.types()).containsExactly(FrameType.ERROR);
    assertThat(error(world.out.getFirst()).getCode()).isEqualTo(ErrorCode.TOKEN_INVALID.number());
    assertThat(world.submitted).isEmpty();
    assertThat(world.kept.readableBytes()).isZero();
  }

  @Test
  void aFullRingAtHelloIsBusyAndLeavesNoRoute() {
    var world = new SessionWorld();
    world.ringIsFull = true;
    world.input(preface(), hello());
    world.settle();
    assertThat(error(world.out.getLast()).getCode()).isEqualTo(ErrorCode.BUSY.number());
    assertThat(world.directory.lookup(List.of(ME)).getFirst().sessions()).isEmpty();
  }

  @Test
  void aConnectionThatGoesWhileItLogsInLeavesNoRoute() {
    var world = new SessionWorld();
    world.input(preface(), hello());
    world.settle();
    SessionWorld.Submitted enrol = world.submitted.getLast();
    world.session.onClosed();
    world.deliver(
        new Delivery.Answer(enrol.origin(), enrol.command(), new Outcome.Enrolled(true, false)));
    assertThat(world.out).isEmpty();
    assertThat(world.directory.lookup(List.of(ME)).getFirst().sessions()).isEmpty();
  }

  @Test
  void aNewerSessionEndsThisOneAndKeepsItsOwnRoute() {
    SessionWorld world = live();
    Attachment old = route(world);
    Attachment newer =
        world.directory.attach(new DeviceId(ME, 1), SessionWorld.EDGE, 512, true).join().now();
    world.deliver(new Delivery.Replaced(old));
    assertThat(world.types()).containsExactly(FrameType.GOAWAY);
    assertThat(route(world)).isEqualTo(newer);
    assertThat(world.disconnector.ended(CloseReason.REPLACED)).isEqualTo(1);
  }

  // ---- sends -----------------------------------------------------------------------------------

  @Test
  void aFullRingIsBusyAndTheSocketIsReadLater() {
    SessionWorld world = live();
    world.ringIsFull = true;
    world.input(send(5));
    Error busy = error(world.out.getLast());
    assertThat(busy.getCode()).isEqualTo(ErrorCode.BUSY.number());
    assertThat(busy.getRetryMs()).isPositive();
    assertThat(world.session.wantsInput(0, world.now)).isFalse();
    world.now += 50_000_000;
    world.session.onWake(world.now);
    assertThat(world.session.wantsInput(0, world.now)).isTrue();
  }

  @Test
  void anAckThatFindsTheRingFullIsOfferedAgainAndNotLost() {
    SessionWorld world = live();
    world.ringIsFull = true;
    world.input(ack(3));
    assertThat(world.session.isHeld()).isTrue();
    assertThat(world.session.wantsInput(world.kept.readableBytes(), world.now)).isFalse();
    world.ringIsFull = false;
    world.session.onWake(world.now);
    world.settle();
    assertThat(world.submitted).hasSize(1);
    assertThat(world.submitted.getFirst().command())
        .isEqualTo(new Command.Ack(new DeviceId(ME, 1), CHAT, 3));
  }

  @Test
  void theSendBeyondTheLimitWaitsForAnAnswer() {
    SessionWorld world = live("limits.send.in-flight=2");
    world.input(send(1), send(2), send(3));
    assertThat(world.submitted).hasSize(2);
    assertThat(world.session.isHeld()).isTrue();
    world.deliver(sent(world.submitted.getFirst(), 1));
    assertThat(world.submitted).hasSize(3);
    assertThat(world.session.isHeld()).isFalse();
    assertThat(world.types()).containsExactly(FrameType.SENT);
    assertThat(world.out.getFirst().rid()).isEqualTo(1);
    assertThat(world.out.getFirst().seq()).isEqualTo(1);
  }

  @Test
  void anUnknownRecipientIsLookedUpOnceAndRefused() {
    SessionWorld world = live();
    byte[] toNobody =
        frame(FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, 4, 77, 0, new byte[2]);
    world.input(toNobody, send(5));
    assertThat(world.session.isHeld()).isTrue();
    assertThat(world.questions).hasSize(1);
    world.settle();
    assertThat(error(world.out.getFirst()).getCode()).isEqualTo(ErrorCode.NOT_FOUND.number());
    assertThat(world.out.getFirst().rid()).isEqualTo(4);
    assertThat(world.submitted).hasSize(1);
  }

  @Test
  void aBodyThatIsTooLongByItsFrameIsRefusedWithoutTheRing() {
    SessionWorld world = live();
    world.input(
        frame(
            FrameType.SEND,
            FrameHeader.RID | FrameHeader.CHAT,
            6,
            PEER.value(),
            0,
            new byte[20_000]));
    assertThat(error(world.out.getLast()).getCode()).isEqualTo(ErrorCode.BODY_TOO_LARGE.number());
    assertThat(world.submitted).isEmpty();
    assertThat(world.session.isLive()).isTrue();
  }

  @Test
  void whatTheShardRefusesIsToldWithItsCsn() {
    SessionWorld world = live();
    world.input(send(8));
    SessionWorld.Submitted send = world.submitted.getFirst();
    world.deliver(
        new Delivery.Answer(
            send.origin(), send.command(), new Outcome.Refused(ErrorCode.OUT_OF_ORDER, 42, "")));
    assertThat(error(world.out.getLast()).getCsn()).isEqualTo(42);
    assertThat(world.out.getLast().rid()).isEqualTo(8);
  }

  // ---- budgets ---------------------------------------------------------------------------------

  @Test
  void overTheCheapBudgetTheSocketIsReadLaterAndFarOverItTheSessionEnds() {
    SessionWorld world = live("limits.cheap.rate=20", "limits.cheap.burst=60");
    byte[] ping = frame(FrameType.PING, 0, 0, 0, 0, NOTHING);
    for (int i = 0; i < 60; i++) {
      world.input(ping);
    }
    assertThat(world.session.wantsInput(0, world.now)).isTrue();
    world.input(ping);
    assertThat(world.session.wantsInput(0, world.now)).isFalse();
    world.pass(500);
    assertThat(world.session.wantsInput(0, world.now)).isTrue();
    for (int i = 0; i < 700 && !world.session.isClosing(); i++) {
      world.input(ping);
    }
    assertThat(error(world.out.getLast()).getCode()).isEqualTo(ErrorCode.FLOW.number());
    assertThat(world.disconnector.ended(CloseReason.FLOW)).isEqualTo(1);
  }

  @Test
  void aSlowedSessionWakesWhenItsBudgetHasRefilled() {
    SessionWorld world = live("limits.cheap.rate=20", "limits.cheap.burst=1");
    byte[] ping = frame(FrameType.PING, 0, 0, 0, 0, NOTHING);
    world.input(ping, ping);
    assertThat(world.session.wantsInput(0, world.now)).isFalse();
    assertThat(world.wakeMillis).isBetween(1L, 51L);
    long left = world.wakeMillis;
    // Woken for something else: it asks again for the rest.
    world.now += 10_000_000;
    world.session.onWake(world.now);
    assertThat(world.wakeMillis).isEqualTo(left - 10);
    world.now += world.wakeMillis * 1_000_000;
    assertThat(world.session.wantsInput(0, world.now)).isTrue();
  }

  @Test
  void anAckOfSomethingDeliveredIsFree() {
    SessionWorld world = live("limits.cheap.rate=1", "limits.cheap.burst=1");
    for (int seq = 1; seq <= 500; seq++) {
      world.deliver(entry(world, seq, 10));
      world.input(ack(seq));
    }
    assertThat(world.session.isLive()).isTrue();
    assertThat(world.session.wantsInput(0, world.now)).isTrue();
    assertThat(world.submitted).hasSize(500);
  }

  // ---- what is pushed --------------------------------------------------------------------------

  @Test
  void anEntryBeyondTheWindowIsNotPushedAndBehindIsToldOnce() {
    SessionWorld world = live("limits.window.entries=3");
    world.readersAreFull = true;
    for (int seq = 1; seq <= 6; seq++) {
      world.deliver(entry(world, seq, 10));
    }
    assertThat(world.types())
        .containsExactly(FrameType.DELIVER, FrameType.DELIVER, FrameType.DELIVER, FrameType.BEHIND);
    assertThat(world.counters.get(Count.ENTRIES_HELD_BACK)).isEqualTo(3);
  }

  @Test
  void aWindowIsAlsoFullByBytesButOneEntryAlwaysFits() {
    SessionWorld world = live("limits.window.bytes=32 KiB");
    world.readersAreFull = true;
    world.deliver(entry(world, 1, 40_000));
    world.deliver(entry(world, 2, 10));
    assertThat(world.types()).containsExactly(FrameType.DELIVER, FrameType.BEHIND);
  }

  @Test
  void whatComesWhileAPageIsUnderWayIsPushedBehindItAndTheSessionIsLive() {
    SessionWorld world = live();
    world.table.take(List.of(new Delivery.Nudge(CHAT, route(world))), world.now);
    world.table.take(List.of(entry(world, 1, 10), entry(world, 2, 10)), world.now);
    assertThat(world.types()).isEmpty();

    world.settle();

    assertThat(world.types())
        .containsExactly(FrameType.DELIVER, FrameType.DELIVER, FrameType.CATCH_UP_PAGE);
    assertThat(world.session.outbound().isBehind()).isFalse();
  }

  @Test
  void aFullSocketStopsEntriesAndMergesReceipts() {
    SessionWorld world = live();
    world.readersAreFull = true;
    world.writable(false);
    world.deliver(entry(world, 1, 10));
    for (int i = 1; i <= 20; i++) {
      world.deliver(new Delivery.Receipts(CHAT, PEER, i, i - 1, List.of(route(world))));
    }
    world.deliver(new Delivery.Typing(CHAT, PEER, true, false, List.of(route(world))));
    assertThat(world.types()).containsExactly(FrameType.BEHIND);

    world.writable(true);
    assertThat(world.types()).containsExactly(FrameType.BEHIND, FrameType.RECEIPT);
    assertThat(receipt(world.out.getLast()).getDelivered()).isEqualTo(20);
    assertThat(receipt(world.out.getLast()).getRead()).isEqualTo(19);
    assertThat(world.counters.get(Count.TYPING_DROPPED)).isEqualTo(1);
  }

  @Test
  void framesThatWantAnAnswerWaitWhileTheSocketIsFull() {
    SessionWorld world = live();
    world.writable(false);
    world.input(send(1));
    assertThat(world.session.isHeld()).isTrue();
    world.writable(true);
    assertThat(world.submitted).hasSize(1);
  }

  @Test
  void moreReceiptsThanCanWaitEndTheSession() {
    SessionWorld world = live();
    world.writable(false);
    for (int i = 0; i <= HeldReceipts.PLACES_MAX; i++) {
      ChatId chat = ChatId.direct(ME, new io.tern.protocol.UserId(10_000 + i));
      world.deliver(new Delivery.Receipts(chat, chat.peerOf(ME), 1, 0, List.of(route(world))));
      if (world.session.isClosing()) {
        break;
      }
    }
    assertThat(world.types()).containsExactly(FrameType.GOAWAY);
    assertThat(world.disconnector.ended(CloseReason.STALLED)).isEqualTo(1);
  }

  @Test
  void aPageThatEndsTheSessionIsStillDueToItsDevice() {
    SessionWorld world = live();
    store(world);
    // The page is on its way when so many receipts wait that its own is one too many.
    world.table.take(List.of(new Delivery.Nudge(CHAT, route(world))), world.now);
    world.writable = false;
    for (int i = 0; i < HeldReceipts.PLACES_MAX; i++) {
      ChatId chat = ChatId.direct(ME, new io.tern.protocol.UserId(10_000 + i));
      var receipt = new Delivery.Receipts(chat, chat.peerOf(ME), 1, 0, List.of(route(world)));
      world.table.take(List.of(receipt), world.now);
    }
    // What comes meanwhile is the page's tail.
    world.table.take(List.of(entry(world, 3, 10)), world.now);

    world.settle();

    assertThat(world.disconnector.ended(CloseReason.STALLED)).isEqualTo(1);
    assertThat(world.types()).doesNotContain(FrameType.DELIVER);
    var attached = world.directory.attach(new DeviceId(ME, 1), SessionWorld.EDGE, 999, true).join();
    assertThat(attached.news()).containsExactly(CHAT);
  }

  /// One entry of each of the two, and the peer has what is theirs to have.
  private static void store(SessionWorld world) {
    var shard = new Shard(world.storage, new LocalLog(world.storage), ShardConfig.of(0, 1));
    var peer = new DeviceId(PEER, 1);
    var content = Content.newBuilder().setKind(Kind.KIND_TEXT);
    content.setBody(ByteString.copyFromUtf8("entry"));
    byte[] send = Send.newBuilder().setCsn(1).setContent(content).build().toByteArray();
    var commands =
        List.of(
            new Command.Send(new DeviceId(ME, 2), CHAT, send),
            new Command.Ack(peer, CHAT, 1),
            new Command.Send(peer, CHAT, send));
    for (Command command : commands) {
      assertThat(shard.prepare(command, 1_000)).isNotInstanceOf(Outcome.Refused.class);
      shard.commit();
    }
  }

  @Test
  void whatIsNotAcknowledgedIsNewsOfTheDeviceWhenItGoes() {
    SessionWorld world = live();
    world.deliver(entry(world, 1, 10));
    world.session.onClosed();
    var attached = world.directory.attach(new DeviceId(ME, 1), SessionWorld.EDGE, 999, true).join();
    assertThat(attached.news()).containsExactly(CHAT);
  }

  @Test
  void anEntryForASessionThatHasEndedBecomesNews() {
    SessionWorld world = live();
    Delivery.Entries late = entry(world, 1, 10);
    world.session.onClosed();
    world.table.remove(world.session);
    world.deliver(late);
    var attached = world.directory.attach(new DeviceId(ME, 1), SessionWorld.EDGE, 999, true).join();
    assertThat(attached.news()).containsExactly(CHAT);
  }

  /// A world whose session has come up with nothing to catch up: no reader has been asked anything
  /// but whether the device has been here.
  private static SessionWorld liveWithoutAQuestion() {
    var world = new SessionWorld();
    Attachment before =
        world.directory.attach(new DeviceId(ME, 1), SessionWorld.EDGE, 99, true).join().now();
    world.directory.detach(before, Set.of());
    world.input(preface(), hello());
    world.enrolled();
    assertThat(world.session.isLive()).isTrue();
    assertThat(world.counters.get(Count.QUESTIONS)).isOne();
    world.out.clear();
    world.submitted.clear();
    return world;
  }

  @Test
  void aReadWaitsUntilItIsKnownWhetherTheUserHidesIt() {
    SessionWorld world = liveWithoutAQuestion();
    world.readersAreFull = true;
    world.input(frame(FrameType.READ, FrameType.READ.requiredFlags(), 0, PEER.value(), 1, NOTHING));
    assertThat(world.session.isHeld()).isTrue();
    assertThat(world.submitted).isEmpty();

    world.readersAreFull = false;
    world.session.onWake(world.now);
    // Offered again, asked, and offered once more.
    world.settle();
    world.settle();
    assertThat(world.submitted)
        .extracting(SessionWorld.Submitted::command)
        .containsExactly(new Command.Read(new DeviceId(ME, 1), CHAT, 1, false));
  }

  @Test
  void whatOthersReadWaitsUntilItIsKnownWhetherTheUserMaySeeIt() {
    SessionWorld world = liveWithoutAQuestion();
    world.readersAreFull = true;
    for (int i = 2; i <= 9; i++) {
      world.deliver(new Delivery.Receipts(CHAT, PEER, i, i - 1, List.of(route(world))));
    }
    world.deliver(new Delivery.Receipts(CHAT, ME, 5, 5, List.of(route(world))));
    assertThat(world.types()).as("one's own").containsExactly(FrameType.RECEIPT);
    world.out.clear();

    world.readersAreFull = false;
    world.session.onWake(world.now);
    world.settle();
    assertThat(world.types()).containsExactly(FrameType.RECEIPT);
    assertThat(receipt(world.out.getFirst()).getRead()).isEqualTo(8);
    assertThat(receipt(world.out.getFirst()).getDelivered()).isEqualTo(9);
  }

  @Test
  void whileTheSocketIsFullTheNewestCountOfAGroupIsKept() {
    SessionWorld world = live();
    world.writable(false);
    for (int i = 1; i <= 5; i++) {
      world.deliver(
          new Delivery.Progress(ChatId.group(7), i, i - 1, 10, 9, i, i - 1, List.of(route(world))));
    }
    assertThat(world.out).isEmpty();
    world.writable(true);
    assertThat(world.types()).containsExactly(FrameType.RECEIPT);
    Receipt receipt = receipt(world.out.getFirst());
    assertThat(receipt.getMember()).isZero();
    assertThat(receipt.getDelivered()).isEqualTo(5);
    assertThat(receipt.getCount().getDelivered()).isEqualTo(5);
    assertThat(receipt.getCount().getSeq()).isEqualTo(10);
    assertThat(world.counters.get(Count.GROUP_RECEIPTS)).isEqualTo(1);
  }

  @Test
  void theChangeBeyondTheLimitWaitsForAnAnswer() {
    SessionWorld world = live();
    for (int rid = 1; rid <= Changes.CHANGES_MAX + 1; rid++) {
      world.input(
          frame(
              FrameType.GROUP_EDIT,
              FrameType.GROUP_EDIT.requiredFlags(),
              rid,
              7,
              0,
              GroupEdit.newBuilder()
                  .setOpId(ByteString.copyFrom(new byte[16]))
                  .setTitle("title " + rid)
                  .build()
                  .toByteArray()));
    }
    assertThat(world.submitted).hasSize(Changes.CHANGES_MAX);
    assertThat(world.session.isHeld()).isTrue();
    SessionWorld.Submitted first = world.submitted.getFirst();
    world.deliver(
        new Delivery.Answer(
            first.origin(), first.command(), new Outcome.Refused(ErrorCode.NOT_MEMBER, 0, "")));
    assertThat(error(world.out.getFirst()).getCode()).isEqualTo(ErrorCode.NOT_MEMBER.number());
    assertThat(world.submitted).hasSize(Changes.CHANGES_MAX + 1);
  }

  @Test
  void aChangeThatFindsTheRingFullIsBusy() {
    SessionWorld world = live();
    world.ringIsFull = true;
    world.input(
        frame(
            FrameType.DEVICE_REMOVE,
            FrameHeader.RID,
            3,
            0,
            0,
            DeviceRemove.newBuilder().setDevice(2).build().toByteArray()));
    assertThat(error(world.out.getLast()).getCode()).isEqualTo(ErrorCode.BUSY.number());
    assertThat(error(world.out.getLast()).getRetryMs()).isPositive();
  }

  @Test
  void thatTheDeviceIsHereIsSaidAgainWhenTheRingWasFull() {
    SessionWorld world = new SessionWorld();
    world.input(preface(), hello());
    world.settle();
    SessionWorld.Submitted enrol = world.submitted.removeLast();
    world.ringIsFull = true;
    world.deliver(
        new Delivery.Answer(enrol.origin(), enrol.command(), new Outcome.Enrolled(true, false)));
    assertThat(world.session.isLive()).isTrue();
    assertThat(world.seen).isEmpty();
    world.ringIsFull = false;
    world.pass(500);
    assertThat(world.seen).hasSize(1);
    world.deliver(
        new Delivery.Answer(
            world.seen.getFirst().origin(),
            world.seen.getFirst().command(),
            new Outcome.Refused(ErrorCode.REVOKED, 0, "")));
    assertThat(world.disconnector.ended(CloseReason.REVOKED)).isEqualTo(1);
  }

  @Test
  void thatSomebodyLookedAwayIsSaidAgainWhenTheRingWasFullAndOnlyOnce() {
    SessionWorld world = live();
    world.seen.clear();
    world.ringIsFull = true;
    world.input(become(ClientActivity.CLIENT_ACTIVITY_INACTIVE));
    world.pass(500);
    assertThat(world.seen).isEmpty();
    world.ringIsFull = false;
    world.pass(500);
    assertThat(world.seen)
        .singleElement()
        .matches(said -> ((Command.Seen) said.command()).atMillis() == world.wallMillis);
    world.pass(70_000);
    world.input(become(ClientActivity.CLIENT_ACTIVITY_PASSIVE));
    world.pass(70_000);
    world.session.onClosed();
    assertThat(world.seen).hasSize(1);
  }

  @Test
  void whoEndsBeforeItWasSaidThatSomebodyLookedAwayHasItSaid() {
    SessionWorld world = live();
    world.seen.clear();
    world.input(become(ClientActivity.CLIENT_ACTIVITY_INACTIVE));
    world.session.onClosed();
    assertThat(world.seen)
        .singleElement()
        .matches(said -> ((Command.Seen) said.command()).atMillis() == world.wallMillis);
  }

  @Test
  void aSessionInTheBackgroundAsksOnlyWhetherItsDeviceWasRemoved() {
    SessionWorld world = new SessionWorld();
    world.input(
        preface(),
        hello(hello ->
            hello
                .setState(ClientActivity.CLIENT_ACTIVITY_PASSIVE)
                .setToken(ByteString.copyFromUtf8("good"))));
    world.enrolled();
    world.settle();
    assertThat(world.session.isLive()).isTrue();
    assertThat(world.seen)
        .singleElement()
        .matches(said -> ((Command.Seen) said.command()).atMillis() == 0);
    assertThat(world.directory.lookup(List.of(ME)).getFirst().isOnline()).isFalse();
    world.deliver(
        new Delivery.Answer(
            world.seen.getFirst().origin(),
            world.seen.getFirst().command(),
            new Outcome.Refused(ErrorCode.REVOKED, 0, "")));
    assertThat(world.disconnector.ended(CloseReason.REVOKED)).isEqualTo(1);
  }

  private static byte[] become(ClientActivity activity) {
    return frame(
        FrameType.CLIENT_STATE,
        0,
        0,
        0,
        0,
        ClientState.newBuilder().setState(activity).build().toByteArray());
  }

  @Test
  void aTicketPassesEnrolToo() {
    SessionWorld world = new SessionWorld();
    world.takesTickets = true;
    world.input(preface(), hello(hello -> hello.setResume(ByteString.copyFromUtf8("ticket"))));
    world.settle();
    assertThat(world.submitted)
        .extracting(SessionWorld.Submitted::command)
        .containsExactly(new Command.Enrol(new DeviceId(ME, 1)));
    SessionWorld.Submitted enrol = world.submitted.getFirst();
    world.deliver(
        new Delivery.Answer(
            enrol.origin(), enrol.command(), new Outcome.Refused(ErrorCode.REVOKED, 0, "")));
    assertThat(error(world.out.getLast()).getCode()).isEqualTo(ErrorCode.REVOKED.number());
  }

  // ---- time ------------------------------------------------------------------------------------

  @Test
  void aSilentSessionEndsAfterOneAndAHalfHeartbeatsAndTenSeconds() {
    SessionWorld world = live("limits.ping=20 s");
    world.pass(39_900);
    assertThat(world.session.isLive()).isTrue();
    world.input(frame(FrameType.PONG, 0, 0, 0, 0, NOTHING));
    world.pass(39_900);
    assertThat(world.session.isLive()).isTrue();
    world.pass(200);
    assertThat(world.types()).endsWith(FrameType.GOAWAY);
    assertThat(world.disconnector.ended(CloseReason.IDLE)).isEqualTo(1);
  }

  @Test
  void aSessionThatDoesNotReadIsCutAndItsFarewellHasATime() {
    SessionWorld world = live("limits.stall-timeout=30 s");
    world.writable(false);
    world.pass(1_000);
    world.pass(29_000);
    assertThat(world.session.isLive()).isTrue();
    world.pass(1_001);
    assertThat(world.disconnector.ended(CloseReason.STALLED)).isEqualTo(1);
    assertThat(world.aborted).isFalse();
    world.pass(1_000);
    assertThat(world.aborted).isTrue();
  }

  @Test
  void aFrameThatTricklesIsCutAtItsAbsoluteDeadline() {
    SessionWorld world = live();
    byte[] send = send(1);
    for (int i = 0; i < send.length - 1; i++) {
      world.input(new byte[] {send[i]});
      world.pass(1_600);
    }
    assertThat(world.disconnector.ended(CloseReason.FRAME_TIMEOUT)).isEqualTo(1);
  }

  @Test
  void aProofOfIdentityRunsOutUnlessItIsRenewed() {
    SessionWorld world = live();
    world.pass(3_600_000 - 1_000);
    // Only the identity is looked at here: the session has been idle for long.
    assertThat(world.disconnector.ended(CloseReason.IDLE)).isEqualTo(1);

    SessionWorld ending = live("limits.ping=1200 s");
    ending.identityUntil = 0;
    ending.wallMillis += 3_600_000;
    ending.session.onSweep(ending.now);
    assertThat(ending.disconnector.ended(CloseReason.IDENTITY_RAN_OUT)).isEqualTo(1);
  }

  @Test
  void aFaultInOneSessionEndsThatSessionOnly() {
    SessionWorld world = live();
    var impossible =
        new Delivery.Answer(
            new io.tern.router.Origin(SessionWorld.EDGE, world.session.id(), 1),
            new Command.Send(new DeviceId(ME, 1), CHAT, NOTHING),
            Outcome.Done.DONE);
    world.deliver(impossible);
    assertThat(world.disconnector.ended(CloseReason.INTERNAL)).isEqualTo(1);
  }
}

package io.tern.edge.session;

import static io.tern.edge.session.SessionWorld.frame;
import static io.tern.edge.session.SessionWorld.hello;
import static io.tern.edge.session.SessionWorld.preface;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Error;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;

/// What a session may do when the server has too much to do, and when its account has done too
/// much.
class OverloadTest {

  private static final UserId ALICE = new UserId(1);
  private static final UserId BOB = new UserId(2);
  private static final byte[] NOTHING = {};

  private static Error error(FakeHost.Out out) {
    assertThat(out.type()).isEqualTo(FrameType.ERROR);
    try {
      return Error.parseFrom(out.body());
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] chats(int rid) {
    return frame(FrameType.CHATS, FrameHeader.RID, rid, 0, 0, NOTHING);
  }

  private static byte[] watch(int rid) {
    return frame(FrameType.PRESENCE_SUB, FrameHeader.RID, rid, 0, 0, NOTHING);
  }

  private static byte[] typing() {
    return frame(FrameType.TYPING, FrameHeader.CHAT, 0, SessionWorld.PEER.value(), 0, NOTHING);
  }

  // ---- the order of shedding -------------------------------------------------------------------

  @Test
  void presenceIsShedFirstThenQuestionsThenLoginsAndMessagesNever() {
    for (int fill : new int[] {0, 24, 25, 49, 50, 74, 75, 99}) {
      SessionWorld world = SessionWorld.live();
      world.fill = fill;
      world.now += Shedding.LOOK_NANOS;
      world.input(watch(1), chats(2), SessionWorld.send(3), typing());
      world.settle();
      var answers = new ArrayList<FrameType>();
      for (int rid = 1; rid <= 2; rid++) {
        int one = rid;
        FakeHost.Out out = world.out.stream().filter(o -> o.rid() == one).findFirst().orElseThrow();
        answers.add(out.type());
        if (out.type() == FrameType.ERROR) {
          assertThat(error(out).getCode()).isEqualTo(ErrorCode.BUSY.number());
          assertThat(error(out).getRetryMs()).isEqualTo(1_000);
        }
      }
      assertThat(answers)
          .as("%d %%", fill)
          .containsExactly(
              fill < 25 ? FrameType.PRESENCE_PAGE : FrameType.ERROR,
              fill < 50 ? FrameType.CHATS_PAGE : FrameType.ERROR);
      assertThat(world.counters.get(Count.PRESENCE_SHED)).isEqualTo(fill < 25 ? 0 : 2);
      assertThat(world.counters.get(Count.QUESTIONS_SHED)).isEqualTo(fill < 50 ? 0 : 1);
      assertThat(world.submitted).as("the message").hasSize(1);

      var newcomer = new SessionWorld();
      newcomer.fill = fill;
      newcomer.input(preface(), hello());
      newcomer.settle();
      if (fill < 75) {
        assertThat(newcomer.submitted).as("%d %%: enrolment", fill).hasSize(1);
      } else {
        assertThat(error(newcomer.out.getLast()).getCode()).isEqualTo(ErrorCode.BUSY.number());
        assertThat(error(newcomer.out.getLast()).getRetryMs()).isGreaterThanOrEqualTo(500);
        assertThat(newcomer.counters.get(Count.LOGINS_SHED)).isEqualTo(1);
        assertThat(newcomer.session.isClosing()).isTrue();
      }
    }
  }

  @Test
  void aPageOfCatchUpIsPutOffAndComesWhenThereIsRoomAgain() {
    var world = new SessionWorld();
    world.fill = 60;
    world.input(preface(), hello());
    world.enrolled();
    world.settle();
    assertThat(world.types()).containsExactly(FrameType.HELLO_ACK);
    assertThat(world.counters.get(Count.QUESTIONS_SHED)).isEqualTo(1);
    world.fill = 10;
    world.now += Shedding.LOOK_NANOS;
    world.session.onWake(world.now);
    world.settle();
    assertThat(world.types()).contains(FrameType.CATCH_UP_PAGE);
  }

  // ---- budgets ---------------------------------------------------------------------------------

  @Test
  void aDeviceThatLogsInAgainAndAgainIsToldWhenToComeBack() {
    var world = new SessionWorld("budgets.logins-per-device-per-minute=2");
    for (int i = 0; i < 2; i++) {
      assertThat(world.edge.budgets().takeLogin(new io.tern.protocol.DeviceId(SessionWorld.ME, 1)))
          .isZero();
    }
    world.input(preface(), hello());
    world.settle();
    Error error = error(world.out.getLast());
    assertThat(error.getCode()).isEqualTo(ErrorCode.RATE.number());
    assertThat(error.getRetryMs()).isEqualTo(30_000);
    assertThat(world.session.isClosing()).isTrue();
    assertThat(world.counters.get(Count.LOGINS_OVER_BUDGET)).isEqualTo(1);
    assertThat(world.submitted).isEmpty();
  }

  @Test
  void allDevicesOfAnAccountTogetherHaveItsBudget() {
    var node =
        new Node(
            "limits.send.rate=1000",
            "limits.send.burst=1000",
            "budgets.sends-per-account-per-minute=3");
    Node.Client phone = node.login(ALICE, 1);
    Node.Client laptop = node.login(ALICE, 2);
    Node.Client bob = node.login(BOB, 1);
    ChatId chat = ChatId.direct(ALICE, BOB);
    assertThat(phone.text(chat, "one").type()).isEqualTo(FrameType.SENT);
    assertThat(laptop.text(chat, "two").type()).isEqualTo(FrameType.SENT);
    assertThat(phone.text(chat, "three").type()).isEqualTo(FrameType.SENT);
    assertThat(laptop.text(chat, "four").error()).isEqualTo(ErrorCode.RATE);
    assertThat(node.counters.get(Count.SENDS_OVER_ACCOUNT)).isEqualTo(1);
    assertThat(bob.text(chat, "five").type()).isEqualTo(FrameType.SENT);
  }

  @Test
  void allMembersOfAChatTogetherHaveItsBudget() {
    var node =
        new Node(
            "limits.send.rate=1000",
            "limits.send.burst=1000",
            "budgets.sends-per-chat-per-minute=2");
    Node.Client alice = node.login(ALICE, 1);
    Node.Client bob = node.login(BOB, 1);
    ChatId chat = ChatId.direct(ALICE, BOB);
    assertThat(alice.text(chat, "one").type()).isEqualTo(FrameType.SENT);
    assertThat(bob.text(chat, "two").type()).isEqualTo(FrameType.SENT);
    assertThat(alice.text(chat, "three").error()).isEqualTo(ErrorCode.RATE);
    assertThat(node.counters.get(Count.SENDS_OVER_CHAT)).isEqualTo(1);
  }

  @Test
  void whoHasWrittenToTooManyStrangersWritesOnlyWhereItHasBefore() {
    var node =
        new Node("limits.send.rate=1000", "limits.send.burst=1000", "budgets.strangers-per-hour=2");
    Node.Client alice = node.login(ALICE, 1);
    for (int i = 2; i <= 5; i++) {
      node.login(new UserId(i), 1);
    }
    assertThat(alice.text(ChatId.direct(ALICE, new UserId(2)), "hello").type())
        .isEqualTo(FrameType.SENT);
    assertThat(alice.text(ChatId.direct(ALICE, new UserId(3)), "hello").type())
        .isEqualTo(FrameType.SENT);
    assertThat(alice.text(ChatId.direct(ALICE, new UserId(4)), "hello").error())
        .isEqualTo(ErrorCode.RATE);
    assertThat(alice.text(ChatId.direct(ALICE, new UserId(2)), "again").type())
        .isEqualTo(FrameType.SENT);
    assertThat(alice.text(ChatId.direct(ALICE, new UserId(5)), "hello").error())
        .isEqualTo(ErrorCode.RATE);
    assertThat(alice.text(ChatId.direct(ALICE, ALICE), "a note").type()).isEqualTo(FrameType.SENT);
    assertThat(node.counters.get(Count.SENDS_TO_STRANGERS)).isEqualTo(2);
    assertThat(node.counters.get(Count.STRANGERS_REFUSED)).isEqualTo(2);
  }
}

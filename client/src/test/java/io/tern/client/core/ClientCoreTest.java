package io.tern.client.core;

import static io.tern.client.core.Script.CHAT;
import static io.tern.client.core.Script.ME;
import static io.tern.client.core.Script.PEER;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.client.ClientListener.ConnectionState.Down;
import io.tern.client.ClientListener.ConnectionState.Refused;
import io.tern.client.ClientListener.ConnectionState.Up;
import io.tern.client.ClientListener.Message;
import io.tern.client.ClientStore.ResumeTicket;
import io.tern.client.TernClient.Receipted;
import io.tern.client.TernException;
import io.tern.client.core.Script.Out;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.CatchUpPage;
import io.tern.protocol.v1.ChatDue;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Send;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The rules for clients (SPEC section 6 and 7), one by one.
class ClientCoreTest {

  private final Script client = new Script();

  // ---- sending

  @Test
  void helloAndWaitingSendsLeaveInOneFlight() throws Exception {
    client.store.renumberSends(CHAT, 0, 0);
    client.start();
    for (int i = 0; i < 20; i++) {
      client.send("m" + i);
    }
    client.connected();

    assertThat(client.writesBytes).hasSize(1);
    List<Out> out = client.out();
    assertThat(out.get(0).type()).isEqualTo(FrameType.HELLO);
    // Eight frames may wait at the server for the answer to HELLO.
    assertThat(out).hasSize(9);
    assertThat(csns(out)).containsExactly(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L);

    client.helloAck(client.ack());
    assertThat(csns(client.out())).hasSize(12).startsWith(9L).endsWith(20L);
  }

  @Test
  void earlySendsStayWithin16KiB() {
    client.store.renumberSends(CHAT, 0, 0);
    client.start();
    for (int i = 0; i < 5; i++) {
      client.send("x".repeat(6_000));
    }
    client.connected();
    assertThat(client.out(FrameType.SEND)).hasSize(2);
  }

  @Test
  void atMost32SendsAreInFlight() {
    numberedAndUp();
    for (int i = 0; i < 100; i++) {
      client.send("m" + i);
    }
    List<Out> first = client.out(FrameType.SEND);
    assertThat(first).hasSize(32);
    client.sentAnswer(first.get(0).rid(), 1).sentAnswer(first.get(1).rid(), 2);
    assertThat(client.out(FrameType.SEND)).hasSize(2);
  }

  @Test
  void aSendIsKeptBeforeItIsWritten() {
    client.start().send("one");
    assertThat(client.store.pendingSends()).hasSize(1);
    assertThat(client.out()).isEmpty();
  }

  @Test
  void unansweredSendsGoOutAgainWithTheSameNumberAndBody() {
    numberedAndUp();
    client.send("one").send("two");
    List<Out> before = client.out(FrameType.SEND);
    reconnect();
    List<Out> after = client.out(FrameType.SEND);
    assertThat(after).hasSize(2);
    for (int i = 0; i < 2; i++) {
      assertThat(after.get(i).body()).isEqualTo(before.get(i).body());
    }
    client.sentAnswer(after.get(0).rid(), 1).sentAnswer(after.get(1).rid(), 2);
    assertThat(client.sent).extracting(Receipted::seq).containsExactly(1L, 2L);
    assertThat(client.store.pendingSends()).isEmpty();
  }

  @Test
  void aRestartedProcessSendsWhatTheStoreKept() {
    numberedAndUp();
    client.send("one");
    byte[] body = client.out(FrameType.SEND).get(0).body();

    client.restart().connected();
    Out again = client.out(FrameType.SEND).get(0);
    assertThat(again.body()).isEqualTo(body);
    client.helloAck(client.ack()).sentAnswer(again.rid(), 4);
    assertThat(client.sent).extracting(Receipted::seq).containsExactly(4L);
  }

  @Test
  void theFirstSendOfAChatWaitsForTheServersCount() throws Exception {
    client.up().send("one").send("two");
    Out question =
        client.out().stream()
            .filter(o -> o.type() == FrameType.CHAT_INFO)
            .findFirst()
            .orElseThrow();
    client.in(
        FrameType.CHAT_INFO_PAGE,
        FrameHeader.RID | FrameHeader.CHAT,
        question.rid(),
        PEER.value(),
        0,
        ChatInfoPage.newBuilder().setLastCsn(41).build());
    assertThat(csns(client.out())).containsExactly(42L, 43L);
  }

  @Test
  void outOfOrderGoesBackToTheNamedNumber() throws Exception {
    numberedAndUp();
    client.send("one").send("two").send("three");
    List<Out> out = client.out(FrameType.SEND);
    client.error(out.get(0).rid(), ErrorCode.BUSY.number(), 100, 0);
    client.error(out.get(1).rid(), ErrorCode.OUT_OF_ORDER.number(), 0, 1);
    assertThat(client.out()).isEmpty();
    client.error(out.get(2).rid(), ErrorCode.OUT_OF_ORDER.number(), 0, 1);
    client.sleep(99);
    assertThat(client.out()).isEmpty();
    client.sleep(60);
    assertThat(csns(client.out())).containsExactly(1L, 2L, 3L);
    assertThat(client.refused).isEmpty();
  }

  /// The store has lost its memory and the server holds other messages under these numbers.
  @Test
  void aNumberThatAnotherMessageHasIsGivenUp() throws Exception {
    numberedAndUp();
    client.send("one").send("two");
    List<Out> out = client.out(FrameType.SEND);
    client.error(out.get(0).rid(), ErrorCode.CONFLICT.number(), 0, 31);
    client.error(out.get(1).rid(), ErrorCode.CONFLICT.number(), 0, 31);
    assertThat(csns(client.out())).containsExactly(31L, 32L);
    assertThat(client.refused).isEmpty();
  }

  @Test
  void manyReadMarksGoOutBitByBit() {
    client.up();
    for (int i = 1; i <= 40; i++) {
      client.core().read(client.now, ChatId.direct(ME, new UserId(1000 + i)), 5);
    }
    client.core().endPass(client.now);
    assertThat(client.out(FrameType.READ)).hasSize(16);
    client.sleep(2_000);
    assertThat(client.out(FrameType.READ)).hasSize(24);
  }

  @Test
  void aRefusalForGoodGivesItsNumberToTheNext() throws Exception {
    numberedAndUp();
    client.send("one").send("two").send("three");
    List<Out> out = client.out(FrameType.SEND);
    client.error(out.get(0).rid(), ErrorCode.NOT_FOUND.number(), 0, 0);
    client.error(out.get(1).rid(), ErrorCode.OUT_OF_ORDER.number(), 0, 1);
    client.error(out.get(2).rid(), ErrorCode.OUT_OF_ORDER.number(), 0, 1);

    List<Out> again = client.out(FrameType.SEND);
    assertThat(csns(again)).containsExactly(1L, 2L);
    assertThat(texts(again)).containsExactly("two", "three");
    assertThat(client.refused).extracting(TernException::code).containsExactly(ErrorCode.NOT_FOUND);
  }

  /// Codes that this version does not know do what their class says.
  @Test
  void unknownCodesObeyTheirClass() {
    numberedAndUp();
    client.send("final").send("later");
    List<Out> out = client.out(FrameType.SEND);
    client.error(out.get(0).rid(), 499, 0, 0);
    assertThat(client.refused).extracting(TernException::number).containsExactly(499);
    client.error(out.get(1).rid(), 399, 50, 0);
    client.sleep(100);
    assertThat(client.out(FrameType.SEND)).hasSize(1);

    client.error(0, 299, 0, 0);
    assertThat(client.state()).isEqualTo(new Refused(299, "error 299"));
    assertThat(client.core().deadlineMillis()).isEqualTo(ClientCore.NEVER);
  }

  @Test
  void aServerErrorIsTriedThreeTimes() {
    numberedAndUp();
    client.send("one");
    for (int i = 0; i < 3; i++) {
      assertThat(client.refused).isEmpty();
      client.error(client.out(FrameType.SEND).get(0).rid(), 500, 0, 0);
      client.sleep(5_000);
    }
    assertThat(client.refused).extracting(TernException::code).containsExactly(ErrorCode.INTERNAL);
  }

  @Test
  void aRefusedRateHoldsTheWholeDevice() {
    numberedAndUp();
    var other = ChatId.direct(ME, new UserId(1234));
    client.store.renumberSends(other, 0, 0);
    client.send("one");
    client.error(client.out(FrameType.SEND).get(0).rid(), ErrorCode.RATE.number(), 1_000, 0);
    client.core().send(client.now, other, Script.content("two"), client);
    client.core().endPass(client.now);
    client.sleep(999);
    assertThat(client.out(FrameType.SEND)).isEmpty();
    client.sleep(300);
    assertThat(client.out(FrameType.SEND)).hasSize(2);
  }

  @Test
  void theServersRateIsKept() {
    client.store.renumberSends(CHAT, 0, 0);
    client.start().connected();
    var ack = client.ack();
    ack.getLimitsBuilder().setSendsPerS(10).setSendsBurst(4);
    client.helloAck(ack);
    for (int i = 0; i < 20; i++) {
      client.send("m" + i);
    }
    assertThat(client.out(FrameType.SEND)).hasSize(4);
    client.sleep(1_000);
    assertThat(client.out(FrameType.SEND)).hasSize(10);
  }

  @Test
  void whatIsTooMuchIsRefusedAtOnce() {
    client.up();
    client.send("x".repeat(16 * 1024 + 1));
    assertThat(client.refused.get(0).code()).isEqualTo(ErrorCode.BODY_TOO_LARGE);
    for (int i = 0; i < 1001; i++) {
      client.send("m" + i);
    }
    assertThat(client.refused).hasSize(2);
    assertThat(client.refused.get(1).code()).isEqualTo(ErrorCode.QUOTA);
  }

  @Test
  void closingTellsEverySendThatItsOutcomeIsUnknownAndKeepsIt() {
    numberedAndUp();
    client.send("one").send("two");
    client.core().close(client.now);
    assertThat(client.refused).hasSize(2);
    assertThat(client.out(FrameType.BYE)).hasSize(1);
    assertThat(client.store.pendingSends()).hasSize(2);
  }

  @Test
  void anAnswerThatNeverComesEndsTheConnection() {
    numberedAndUp();
    client.send("one").sleep(29_000);
    assertThat(client.state()).isInstanceOf(Up.class);
    client.sleep(2_000);
    assertThat(client.disconnects).isEqualTo(1);
  }

  // ---- receiving

  @Test
  void entriesAreDeliveredInOrderAndAcknowledgedOncePerPass() {
    client.up();
    client.out();
    ByteBuf two = Unpooled.buffer();
    for (long seq = 1; seq <= 3; seq++) {
      two.writeBytes(
          Script.frame(
              FrameType.DELIVER,
              FrameHeader.CHAT | FrameHeader.SEQ,
              0,
              PEER.value(),
              seq,
              Script.entry(seq).toByteArray()));
    }
    client.core().onBytes(client.now, two);
    assertThat(client.out()).isEmpty();
    client.core().endPass(client.now);

    assertThat(client.messages).extracting(Message::seq).containsExactly(1L, 2L, 3L);
    assertThat(client.messages).extracting(Message::sender).containsOnly(PEER);
    List<Out> acks = client.out(FrameType.ACK);
    assertThat(acks).hasSize(1);
    assertThat(acks.get(0).seq()).isEqualTo(3);
  }

  @Test
  void anAcknowledgementIsAtMost8EntriesLate() {
    client.up();
    client.core().setActivity(client.now, ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    for (long seq = 1; seq <= 9; seq++) {
      client.deliver(seq);
    }
    assertThat(client.out(FrameType.ACK)).extracting(Out::seq).containsExactly(8L);
    client.sleep(1_999);
    assertThat(client.out(FrameType.ACK)).isEmpty();
    client.sleep(1);
    assertThat(client.out(FrameType.ACK)).extracting(Out::seq).containsExactly(9L);
  }

  @Test
  void whoIsWokenSaysSoFromTheFirstFrameOn() throws Exception {
    client.activity = ClientActivity.CLIENT_ACTIVITY_PASSIVE;
    client.restart().connected();
    Hello hello = Hello.parseFrom(client.out(FrameType.HELLO).get(0).body());
    assertThat(hello.getState()).isEqualTo(ClientActivity.CLIENT_ACTIVITY_PASSIVE);
    client.helloAck(client.ack());
    assertThat(client.out(FrameType.CLIENT_STATE)).isEmpty();
  }

  @Test
  void aChangeOfActivityWhileHelloIsUnderWayIsToldAfterIt() throws Exception {
    client.start().connected();
    client.core().setActivity(client.now, ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    client.core().endPass(client.now);
    client.helloAck(client.ack());
    List<Out> told = client.out(FrameType.CLIENT_STATE);
    assertThat(told).hasSize(1);
    assertThat(ClientState.parseFrom(told.get(0).body()).getState())
        .isEqualTo(ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    client.restart().connected();
    client.core().setActivity(client.now, ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    client.core().setActivity(client.now, ClientActivity.CLIENT_ACTIVITY_ACTIVE);
    client.helloAck(client.ack());
    assertThat(client.out(FrameType.CLIENT_STATE)).isEmpty();
  }

  @Test
  void aRepeatedEntryIsDroppedAndAcknowledgedAgain() {
    client.up().deliver(1).deliver(2);
    client.out();
    client.deliver(1);
    assertThat(client.messages).hasSize(2);
    assertThat(client.out(FrameType.ACK)).extracting(Out::seq).containsExactly(2L);
  }

  @Test
  void aHoleIsReadByHistoryAndNeverSteppedOver() throws Exception {
    client.up().deliver(1);
    client.out();
    client.deliver(4);
    assertThat(client.messages).extracting(Message::seq).containsExactly(1L);
    List<Out> out = client.out();
    assertThat(out).extracting(Out::type).containsExactly(FrameType.HISTORY);
    assertThat(History.parseFrom(out.get(0).body()).getAfter()).isEqualTo(1);
    client.deliver(5).deliver(7);
    assertThat(client.out(FrameType.HISTORY)).isEmpty();

    client.in(
        FrameType.HISTORY_PAGE,
        FrameHeader.RID | FrameHeader.CHAT,
        out.get(0).rid(),
        PEER.value(),
        0,
        page(2, 3));
    // 7 left a hole behind 5: the next page.
    assertThat(client.messages).extracting(Message::seq).containsExactly(1L, 2L, 3L, 4L, 5L);
    out = client.out();
    assertThat(out).extracting(Out::type).contains(FrameType.ACK, FrameType.HISTORY);
    Out next = out.stream().filter(o -> o.type() == FrameType.HISTORY).findFirst().orElseThrow();
    assertThat(History.parseFrom(next.body()).getAfter()).isEqualTo(5);
    client.in(FrameType.HISTORY_PAGE, FrameHeader.RID, next.rid(), PEER.value(), 0, page(6, 7));
    assertThat(client.messages).hasSize(7);
  }

  @Test
  void aPageThatDoesNotCloseTheHoleIsAskedForAgainLater() {
    client.up().deliver(1).deliver(9);
    Out question = client.out(FrameType.HISTORY).get(0);
    client.in(
        FrameType.HISTORY_PAGE,
        FrameHeader.RID,
        question.rid(),
        PEER.value(),
        0,
        HistoryPage.newBuilder().setHead(9).build());
    assertThat(client.messages).hasSize(1);
    client.sleep(1_000);
    assertThat(client.out(FrameType.HISTORY)).isNotEmpty();
    assertThat(client.core().position(CHAT)).isEqualTo(1);
  }

  @Test
  void ownSendsAreNotDeliveredAndLeaveNoHole() {
    numberedAndUp();
    client.deliver(1);
    client.send("mine");
    client.sentAnswer(client.out(FrameType.SEND).get(0).rid(), 2).deliver(3);
    assertThat(client.messages).extracting(Message::seq).containsExactly(1L, 3L);
    assertThat(client.out(FrameType.HISTORY)).isEmpty();
    assertThat(client.store.position(CHAT)).isEqualTo(3);
  }

  @Test
  void anOwnPlaceThatIsAheadWaitsForTheEntriesBelow() {
    numberedAndUp();
    client.deliver(1);
    client.send("mine");
    client.sentAnswer(client.out(FrameType.SEND).get(0).rid(), 3);
    assertThat(client.store.position(CHAT)).isEqualTo(1);
    client.deliver(2);
    assertThat(client.store.position(CHAT)).isEqualTo(3);
  }

  @Test
  void resetMovesOnWithoutThoseEntries() {
    client.up().deliver(1);
    client.in(
        FrameType.RESET,
        FrameHeader.CHAT | FrameHeader.SEQ,
        0,
        PEER.value(),
        50,
        Receipt.getDefaultInstance());
    assertThat(client.resets).containsExactly(50L);
    client.deliver(51);
    assertThat(client.messages).extracting(Message::seq).containsExactly(1L, 51L);
  }

  @Test
  void whatCatchesUpSaysWhereToBegin() {
    client.up();
    client.in(
        FrameType.CATCH_UP_PAGE,
        0,
        0,
        0,
        0,
        CatchUpPage.newBuilder()
            .addChats(
                ChatDue.newBuilder().setChat(PEER.value()).setHead(42).setDue(2).setPosition(40))
            .build());
    client.deliver(41).deliver(42);
    assertThat(client.messages).extracting(Message::seq).containsExactly(41L, 42L);
    assertThat(client.out())
        .extracting(Out::type)
        .doesNotContain(FrameType.CHAT_INFO, FrameType.HISTORY);
  }

  /// Of a backlog that is too long to push, the page says where the rest begins, and so does RESET.
  @Test
  void aResetToWhereAPageBeginsIsToldOnce() {
    client.up();
    catchUpFrom40();
    assertThat(client.resets).isEmpty();
    resetTo40();
    resetTo40();
    assertThat(client.resets).containsExactly(40L);
    assertThat(client.store.position(CHAT)).isEqualTo(40);
    assertThat(client.out(FrameType.ACK)).extracting(Out::seq).contains(40L);
    client.deliver(41).deliver(42);
    assertThat(client.messages).extracting(Message::seq).containsExactly(41L, 42L);
    // Its ACK was lost, and it is said again.
    client.restart().connected().helloAck(client.ack());
    catchUpFrom40();
    resetTo40();
    assertThat(client.resets).containsExactly(40L);
  }

  @Test
  void aResetIsToldAlsoWhenTheAppEndsBetweenPageAndReset() {
    client.up();
    catchUpFrom40();
    client.restart().connected().helloAck(client.ack());
    catchUpFrom40();
    resetTo40();
    assertThat(client.resets).containsExactly(40L);
    client.restart().connected().helloAck(client.ack());
    client.deliver(41);
    assertThat(client.messages).extracting(Message::seq).containsExactly(41L);
    assertThat(client.out(FrameType.CHAT_INFO)).isEmpty();
  }

  @Test
  void aResetBehindWhichOnesOwnEntriesFollowIsTold() {
    numberedAndUp();
    client.send("mine");
    client.sentAnswer(client.out(FrameType.SEND).get(0).rid(), 41);
    catchUpFrom40();
    resetTo40();
    assertThat(client.resets).containsExactly(40L);
    assertThat(client.store.position(CHAT)).isEqualTo(41);
    client.deliver(42);
    assertThat(client.messages).extracting(Message::seq).containsExactly(42L);
  }

  private void catchUpFrom40() {
    client.in(
        FrameType.CATCH_UP_PAGE,
        0,
        0,
        0,
        0,
        CatchUpPage.newBuilder()
            .addChats(
                ChatDue.newBuilder().setChat(PEER.value()).setHead(42).setDue(2).setPosition(40))
            .build());
  }

  private void resetTo40() {
    client.in(
        FrameType.RESET,
        FrameHeader.CHAT | FrameHeader.SEQ,
        0,
        PEER.value(),
        40,
        Receipt.getDefaultInstance());
  }

  @Test
  void theFirstEntryThatComesIsNotTakenForTheFirstThereIs() {
    client.up().deliver(42).deliver(43);
    assertThat(client.messages).isEmpty();
    var question = client.out(FrameType.CHAT_INFO);
    assertThat(question).hasSize(1);
    client.in(
        FrameType.CHAT_INFO_PAGE,
        FrameHeader.RID,
        question.get(0).rid(),
        0,
        0,
        ChatInfoPage.newBuilder().setHead(43).setPosition(41).build());
    assertThat(client.messages).extracting(Message::seq).containsExactly(42L, 43L);
    assertThat(client.out(FrameType.HISTORY)).isEmpty();
  }

  /// Found by the crash campaign over groups: a user was added while the session was live, and the
  /// session fell behind before it was known where the chat begins.
  @Test
  void whatCatchesUpLaterDoesNotSayWhereToBegin() {
    client.up().deliver(42).deliver(43);
    var question = client.out(FrameType.CHAT_INFO);
    assertThat(question).hasSize(1);
    // 42 and 43 were pushed live, so the rest comes behind 43.
    client.in(
        FrameType.CATCH_UP_PAGE,
        0,
        0,
        0,
        0,
        CatchUpPage.newBuilder()
            .addChats(
                ChatDue.newBuilder().setChat(PEER.value()).setHead(44).setDue(1).setPosition(43))
            .build());
    assertThat(client.store.position(CHAT)).isLessThan(42);
    client.deliver(44);
    client.in(
        FrameType.CHAT_INFO_PAGE,
        FrameHeader.RID,
        question.get(0).rid(),
        0,
        0,
        ChatInfoPage.newBuilder().setHead(44).setPosition(41).build());
    assertThat(client.messages).extracting(Message::seq).containsExactly(42L, 43L, 44L);
  }

  @Test
  void whatIsMissingFromTheStartIsReadByHistory() {
    client.up().deliver(3);
    client.in(
        FrameType.CHAT_INFO_PAGE,
        FrameHeader.RID,
        client.out(FrameType.CHAT_INFO).get(0).rid(),
        0,
        0,
        ChatInfoPage.newBuilder().setHead(3).build());
    assertThat(client.messages).isEmpty();
    assertThat(client.out(FrameType.HISTORY)).hasSize(1);
  }

  @Test
  void receiptsNeverGoBack() {
    client.up();
    receipt(5, 2);
    receipt(3, 2);
    receipt(4, 4);
    assertThat(client.receipts).containsExactly(PEER + " 5 2", PEER + " 5 4");
  }

  @Test
  void caughtUpIsToldOnceAndAfterTheHoles() {
    client.up().deliver(1).deliver(3);
    Out question = client.out(FrameType.HISTORY).get(0);
    caughtUpPage();
    assertThat(client.caughtUp).isZero();
    client.in(FrameType.HISTORY_PAGE, FrameHeader.RID, question.rid(), PEER.value(), 0, page(2, 3));
    assertThat(client.caughtUp).isEqualTo(1);
    caughtUpPage();
    assertThat(client.caughtUp).isEqualTo(1);
  }

  @Test
  void aReadMarkGoesOutAgainUntilItIsKnownToBeTaken() {
    client.up().deliver(1);
    client.core().read(client.now, CHAT, 1);
    client.core().endPass(client.now);
    assertThat(client.out(FrameType.READ)).hasSize(1);
    reconnect();
    assertThat(client.out(FrameType.READ)).extracting(Out::seq).containsExactly(1L);
    client.in(
        FrameType.RECEIPT,
        FrameHeader.CHAT,
        0,
        PEER.value(),
        0,
        Receipt.newBuilder().setMember(ME.value()).setRead(1).build());
    reconnect();
    assertThat(client.out(FrameType.READ)).isEmpty();
  }

  // ---- connection

  @Test
  void backOffIsFullJitterWithinItsBoundsAndObeysTheServer() {
    for (long seed = 1; seed <= 200; seed++) {
      var backoff = new Backoff();
      var random = new SplittableRandom(seed);
      for (int n = 0; n < 12; n++) {
        assertThat(backoff.nextMillis(random)).isBetween(0L, Math.min(120_000, 500L << n));
      }
      backoff.configure(2_000, 8_000);
      backoff.reset();
      for (int n = 0; n < 6; n++) {
        assertThat(backoff.nextMillis(random)).isBetween(0L, Math.min(8_000, 2_000L << n));
      }
    }
  }

  @Test
  void backOffIsSpreadOverItsWholeRange() {
    var random = new SplittableRandom(42);
    var backoff = new Backoff();
    for (int n = 0; n < 8; n++) {
      backoff.nextMillis(random);
    }
    long limit = backoff.limitMillis(8);
    int[] tenths = new int[10];
    for (int i = 0; i < 10_000; i++) {
      backoff.reset();
      for (int n = 0; n < 8; n++) {
        backoff.nextMillis(new SplittableRandom(1));
      }
      tenths[(int) (backoff.nextMillis(random) * 10 / (limit + 1))]++;
    }
    for (int count : tenths) {
      assertThat(count).isBetween(850, 1150);
    }
  }

  @Test
  void aChangedNetworkIsTriedWithinASecondEvenAfterManyFailures() {
    client.start();
    for (int i = 0; i < 12; i++) {
      client.lost().nextTimer();
    }
    client.lost();
    client.core().networkChanged(client.now);
    assertThat(client.core().deadlineMillis() - client.now).isBetween(0L, 1_000L);
  }

  @Test
  void aServerThatGoesAwaySaysWhenAndWhere() {
    numberedAndUp();
    client.send("one");
    int rid = client.out(FrameType.SEND).get(0).rid();
    client.in(
        FrameType.GOAWAY,
        0,
        0,
        0,
        0,
        GoAway.newBuilder()
            .setCode(ErrorCode.DRAIN.number())
            .setGraceMs(5_000)
            .setAfterMinMs(2_000)
            .setAfterMaxMs(4_000)
            .addEdges("127.0.0.9:99")
            .build());
    client.send("two");
    assertThat(client.out(FrameType.SEND)).isEmpty();
    assertThat(client.disconnects).isZero();

    // The last answer is there: nothing holds it any more.
    client.sentAnswer(rid, 1);
    assertThat(client.disconnects).isEqualTo(1);
    assertThat(((Down) client.state()).retryMillis()).isBetween(2_000L, 4_000L);
    client.sleep(4_000);
    assertThat(client.connects.get(client.connects.size() - 1))
        .isEqualTo(InetSocketAddress.createUnresolved("127.0.0.9", 99));
  }

  @Test
  void busyAtHelloIsObeyed() {
    client.start().connected().error(0, ErrorCode.BUSY.number(), 7_000, 0);
    assertThat(((Down) client.state()).retryMillis()).isBetween(7_000L, 7_500L);
  }

  @Test
  void protocolErrorsStopAfterThree() {
    client.start();
    for (int i = 0; i < 3; i++) {
      client.connected().error(0, ErrorCode.MALFORMED.number(), 0, 0);
      if (i < 2) {
        client.nextTimer();
      }
    }
    assertThat(client.state()).isInstanceOf(Refused.class);
    client.core().reconnect(client.now);
    client.connected().helloAck(client.ack());
    assertThat(client.state()).isInstanceOf(Up.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {202, 203, 204, 206, 207, 250})
  void identityErrorsAreNotTriedAgain(int code) {
    client.start().connected().error(0, code, 0, 0);
    assertThat(client.state()).isInstanceOf(Refused.class);
    assertThat(client.connects).hasSize(1);
    assertThat(client.core().deadlineMillis()).isEqualTo(ClientCore.NEVER);
  }

  @Test
  void aRefusedClientStaysRefusedOnAnotherNetwork() {
    client.start().connected().error(0, ErrorCode.REVOKED.number(), 0, 0);
    client.core().networkChanged(client.now);
    assertThat(client.core().deadlineMillis()).isEqualTo(ClientCore.NEVER);
  }

  @Test
  void ticketsAreUsedWithARisingCountAndReplacedByTheToken() throws Exception {
    client.store.setResumeTicket(new ResumeTicket(new byte[] {1}, 5));
    client.start().connected();
    Hello first = Hello.parseFrom(client.out(FrameType.HELLO).get(0).body());
    assertThat(first.getCount()).isEqualTo(6);
    assertThat(first.getToken().isEmpty()).isTrue();
    assertThat(Objects.requireNonNull(client.store.resumeTicket()).count()).isEqualTo(6);

    client.error(0, ErrorCode.RESUME_REJECTED.number(), 0, 0);
    client.connected();
    Hello second = Hello.parseFrom(client.out(FrameType.HELLO).get(0).body());
    assertThat(second.getResume().isEmpty()).isTrue();
    assertThat(second.getToken().toStringUtf8()).isEqualTo("token");
    assertThat(second.getCount()).isEqualTo(6);
  }

  @Test
  void anExpiredTokenIsReplacedWhenThereIsAnother() throws Exception {
    client.start().connected();
    client.token = "newer".getBytes(StandardCharsets.UTF_8);
    client.out();
    client.error(0, ErrorCode.TOKEN_EXPIRED.number(), 0, 0);
    client.connected();
    Hello hello = Hello.parseFrom(client.out(FrameType.HELLO).get(0).body());
    assertThat(hello.getToken().toStringUtf8()).isEqualTo("newer");
    client.error(0, ErrorCode.TOKEN_EXPIRED.number(), 0, 0);
    assertThat(client.state()).isInstanceOf(Refused.class);
  }

  @Test
  void aSilentConnectionIsAskedAndThenDead() {
    client.up().sleep(239_000);
    assertThat(client.out(FrameType.PING)).isEmpty();
    client.sleep(1_000);
    assertThat(client.out(FrameType.PING)).hasSize(1);
    client.sleep(20_000);
    assertThat(client.disconnects).isEqualTo(1);
    assertThat(client.states).anyMatch(s -> s instanceof Down d && d.reason().contains("dead"));
  }

  @Test
  void aLineThatHoldsIsAskedLessOften() throws Exception {
    client.up();
    for (int i = 0; i < 3; i++) {
      client.sleep(240_000);
      assertThat(client.out(FrameType.PING)).hasSize(1);
      client.in(FrameType.PONG, 0, 0, 0, 0, Receipt.getDefaultInstance());
    }
    ClientState told = ClientState.parseFrom(client.out(FrameType.CLIENT_STATE).get(0).body());
    assertThat(told.getPingS()).isEqualTo(270);
  }

  @Test
  void aFixedIntervalStaysAndTheServersIdleLimitIsKept() {
    client.ping = Duration.ofSeconds(30);
    client.restart().connected().helloAck(client.ack().setIdleS(40));
    client.out();
    client.sleep(20_000);
    assertThat(client.out(FrameType.PING)).hasSize(1);
  }

  @Test
  void serverFramesMayComeByteByByte() {
    client.up();
    ByteBuf all = Unpooled.buffer();
    for (long seq = 1; seq <= 5; seq++) {
      all.writeBytes(
          Script.frame(
              FrameType.DELIVER,
              FrameHeader.CHAT | FrameHeader.SEQ,
              0,
              PEER.value(),
              seq,
              Script.entry(seq).toByteArray()));
    }
    ByteBuf in = Unpooled.buffer();
    while (all.isReadable()) {
      in.writeByte(all.readByte());
      client.core().onBytes(client.now, in);
    }
    client.core().endPass(client.now);
    assertThat(client.messages).hasSize(5);
  }

  /// Whatever comes, the client answers with a new connection or a refusal, never with an
  /// exception.
  @Test
  void garbageFromTheServerDoesNoHarm() {
    long seed = Long.getLong("tern.client.seed", System.nanoTime());
    System.out.println("garbage: -Dtern.client.seed=" + seed);
    var random = new SplittableRandom(seed);
    for (int round = 0; round < 3_000; round++) {
      var victim = new Script();
      victim.up().send("one").deliver(1);
      var types = FrameType.values();
      for (int i = 0; i < 5; i++) {
        var body = new byte[random.nextInt(30)];
        random.nextBytes(body);
        ByteBuf frame =
            Script.frame(
                types[random.nextInt(types.length)],
                random.nextInt(64),
                random.nextInt(0x8000),
                random.nextBoolean() ? PEER.value() : random.nextLong() & 0xFFFFFFFFFFFFL,
                random.nextInt(5),
                body);
        if (random.nextInt(4) == 0) {
          int at = random.nextInt(frame.writerIndex());
          frame.setByte(at, random.nextInt(256));
        }
        victim.core().onBytes(victim.now, frame);
        victim.core().endPass(victim.now);
        assertThat(victim.states)
            .noneMatch(s -> s instanceof Refused r && r.detail().contains("Exception"));
      }
    }
  }

  // ---- helpers

  private void numberedAndUp() {
    client.store.renumberSends(CHAT, 0, 0);
    client.up();
    client.out();
  }

  private void reconnect() {
    client.lost().nextTimer();
    client.connected().helloAck(client.ack());
  }

  private void receipt(long delivered, long read) {
    client.in(
        FrameType.RECEIPT,
        FrameHeader.CHAT,
        0,
        PEER.value(),
        0,
        Receipt.newBuilder().setDelivered(delivered).setRead(read).build());
  }

  private void caughtUpPage() {
    client.in(FrameType.CATCH_UP_PAGE, 0, 0, 0, 0, CatchUpPage.newBuilder().setDone(true).build());
  }

  private static HistoryPage page(long from, long to) {
    HistoryPage.Builder page = HistoryPage.newBuilder().setHead(to);
    for (long seq = from; seq <= to; seq++) {
      page.addEntries(PageEntry.newBuilder().setSeq(seq).setEntry(Script.entry(seq)));
    }
    return page.build();
  }

  private static List<Long> csns(List<Out> out) throws InvalidProtocolBufferException {
    var csns = new ArrayList<Long>();
    for (Out frame : out) {
      if (frame.type() == FrameType.SEND) {
        csns.add(Send.parseFrom(frame.body()).getCsn());
      }
    }
    return csns;
  }

  private static List<String> texts(List<Out> out) throws InvalidProtocolBufferException {
    var texts = new ArrayList<String>();
    for (Out frame : out) {
      texts.add(Send.parseFrom(frame.body()).getContent().getBody().toStringUtf8());
    }
    return texts;
  }
}

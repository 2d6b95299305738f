package io.tern.client.core;

import static io.tern.client.core.Script.CHAT;
import static io.tern.client.core.Script.ME;
import static io.tern.client.core.Script.PEER;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.buffer.ByteBuf;
import io.tern.client.ClientListener.Message;
import io.tern.client.TernException;
import io.tern.client.core.Script.Out;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.CatchUpPage;
import io.tern.protocol.v1.ChatDue;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Receipt;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/// The rules for clients about receiving (SPEC sections 6 and 7), one by one.
class ReceivingCoreTest {

  private final Script client = new Script();

  @Test
  void entriesAreDeliveredInOrderAndAcknowledgedOncePerPass() {
    client.up();
    client.out();
    ByteBuf two = Script.delivers(1, 3);
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
  void whatTheListenerDoesNotTakeComesAgainAndIsAFailureUnlessItIsMeant() {
    var logged = new ListAppender<ILoggingEvent>();
    logged.start();
    var logger = (Logger) LoggerFactory.getLogger(ClientCore.class);
    logger.addAppender(logged);
    try {
      client.numberedAndUp();
      client.refusal = new TernException(ErrorCode.BUSY, 0, "no room");
      client.deliver(1);
      assertThat(logged.list).noneMatch(event -> event.getLevel().isGreaterOrEqual(Level.ERROR));
      assertThat(client.disconnects).isEqualTo(1);

      client.nextTimer().connected().helloAck(client.ack());
      client.refusal = new IllegalStateException("a bug");
      client.deliver(1);
      assertThat(logged.list).anyMatch(event -> event.getLevel().isGreaterOrEqual(Level.ERROR));
      assertThat(client.core().position(Script.CHAT)).isZero();

      client.nextTimer().connected().helloAck(client.ack());
      client.refusal = null;
      client.deliver(1);
      assertThat(client.messages).hasSize(1);
      assertThat(client.core().position(Script.CHAT)).isEqualTo(1);
    } finally {
      logger.detachAppender(logged);
    }
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
    client.numberedAndUp();
    client.deliver(1);
    client.send("mine");
    client.sentAnswer(client.out(FrameType.SEND).get(0).rid(), 2).deliver(3);
    assertThat(client.messages).extracting(Message::seq).containsExactly(1L, 3L);
    assertThat(client.out(FrameType.HISTORY)).isEmpty();
    assertThat(client.store.position(CHAT)).isEqualTo(3);
  }

  @Test
  void anOwnPlaceThatIsAheadWaitsForTheEntriesBelow() {
    client.numberedAndUp();
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
    catchUpFrom40();
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
    client.numberedAndUp();
    client.send("mine");
    client.sentAnswer(client.out(FrameType.SEND).get(0).rid(), 41);
    catchUpFrom40();
    resetTo40();
    assertThat(client.resets).containsExactly(40L);
    assertThat(client.store.position(CHAT)).isEqualTo(41);
    client.deliver(42);
    assertThat(client.messages).extracting(Message::seq).containsExactly(42L);
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
    client.reconnect();
    assertThat(client.out(FrameType.READ)).extracting(Out::seq).containsExactly(1L);
    client.in(
        FrameType.RECEIPT,
        FrameHeader.CHAT,
        0,
        PEER.value(),
        0,
        Receipt.newBuilder().setMember(ME.value()).setRead(1).build());
    client.reconnect();
    assertThat(client.out(FrameType.READ)).isEmpty();
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
}

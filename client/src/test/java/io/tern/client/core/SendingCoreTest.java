package io.tern.client.core;

import static io.tern.client.core.Script.CHAT;
import static io.tern.client.core.Script.ME;
import static io.tern.client.core.Script.PEER;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import io.tern.client.ClientListener.ConnectionState.Refused;
import io.tern.client.ClientListener.ConnectionState.Up;
import io.tern.client.ClientStore.PendingSend;
import io.tern.client.TernClient.Receipted;
import io.tern.client.TernException;
import io.tern.client.core.Script.Out;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.LinkPreview;
import io.tern.protocol.v1.Send;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// The rules for clients about sending (SPEC sections 6 and 7), one by one.
class SendingCoreTest {

  private final Script client = new Script();

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
    client.numberedAndUp();
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
    client.numberedAndUp();
    client.send("one").send("two");
    List<Out> before = client.out(FrameType.SEND);
    client.reconnect();
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
    client.numberedAndUp();
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
    client.numberedAndUp();
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
    client.numberedAndUp();
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
    client.numberedAndUp();
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
    client.numberedAndUp();
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
    client.numberedAndUp();
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
    client.numberedAndUp();
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
  void theBytesOfSendsWithoutAnAnswerAreBounded() {
    client.numberedAndUp();
    for (int i = 0; i < 20; i++) {
      client.send("x".repeat(16_000));
    }
    // 16 of them and their few bytes around are within 256 KiB.
    assertThat(client.refused).hasSize(4);
    assertThat(client.refused.get(0).code()).isEqualTo(ErrorCode.QUOTA);
    assertThat(client.refused.get(0)).hasMessageContaining("262144 bytes");
    assertThat(client.store.pendingSends()).hasSize(16);

    client.send("a small one has a place");
    assertThat(client.refused).hasSize(4);

    List<Out> out = client.out(FrameType.SEND);
    client.sentAnswer(out.get(0).rid(), 1).send("x".repeat(16_000));
    assertThat(client.refused).as("an answer makes room").hasSize(4);
    client.send("x".repeat(16_000));
    assertThat(client.refused).hasSize(5);
  }

  @Test
  void whatAnEarlierProcessLeftIsSentHoweverMuchItIs() {
    client.store.renumberSends(CHAT, 0, 0);
    byte[] content = Script.content("x".repeat(16_000)).toByteArray();
    for (int csn = 1; csn <= 30; csn++) {
      client.store.addSend(new PendingSend(CHAT, csn, content));
    }
    client.up();
    client.send("x");
    assertThat(client.refused).hasSize(1);
    assertThat(client.refused.get(0).code()).isEqualTo(ErrorCode.QUOTA);

    int seq = 0;
    for (var out = client.out(FrameType.SEND); !out.isEmpty(); out = client.out(FrameType.SEND)) {
      for (Out send : out) {
        client.sentAnswer(send.rid(), ++seq);
      }
    }
    assertThat(seq).isEqualTo(30);
    assertThat(client.store.pendingSends()).isEmpty();
    client.send("x");
    assertThat(client.refused).hasSize(1);
  }

  /// Kept and written it would end every connection it goes out on, and the next process's too.
  @Test
  void whatFitsNoFrameIsRefusedAtOnceAndNotKept() {
    client.numberedAndUp();
    client.send(preview(70_000)).send(preview(Limits.LINK_PREVIEW_BYTES_MAX));
    assertThat(client.refused).extracting(TernException::code).containsOnly(ErrorCode.ARGUMENT);
    Content tooMany =
        Script.content("x").toBuilder()
            .setUnknownFields(
                UnknownFieldSet.newBuilder()
                    .addField(
                        99,
                        UnknownFieldSet.Field.newBuilder()
                            .addLengthDelimited(ByteString.copyFrom(new byte[70_000]))
                            .build())
                    .build())
            .build();
    client.send(tooMany);
    assertThat(client.refused).hasSize(3);
    assertThat(client.refused.get(2).code()).isEqualTo(ErrorCode.BODY_TOO_LARGE);
    assertThat(client.store.pendingSends()).isEmpty();
    assertThat(client.out()).isEmpty();

    client.send(preview(3_000));
    assertThat(client.out(FrameType.SEND)).hasSize(1);
  }

  private static Content preview(int bytes) {
    return Script.content("look").toBuilder()
        .setPreview(LinkPreview.newBuilder().setThumbnail(ByteString.copyFrom(new byte[bytes])))
        .build();
  }

  @Test
  void closingTellsEverySendThatItsOutcomeIsUnknownAndKeepsIt() {
    client.numberedAndUp();
    client.send("one").send("two");
    client.core().close(client.now);
    assertThat(client.refused).hasSize(2);
    assertThat(client.out(FrameType.BYE)).hasSize(1);
    assertThat(client.store.pendingSends()).hasSize(2);
  }

  @Test
  void anAnswerThatNeverComesEndsTheConnection() {
    client.numberedAndUp();
    client.send("one").sleep(29_000);
    assertThat(client.state()).isInstanceOf(Up.class);
    client.sleep(2_000);
    assertThat(client.disconnects).isEqualTo(1);
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

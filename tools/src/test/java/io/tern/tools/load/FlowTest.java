package io.tern.tools.load;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/// The bookkeeping must see every fault it exists for: each test seeds one.
class FlowTest {

  private final Flow flow = new Flow();

  @Test
  void messagesThatArriveOnceAndInOrderAreSound() {
    for (int i = 1; i <= 1_000; i++) {
      long number = flow.send(i * 10L);
      flow.acked(number, number);
      flow.delivered(number, number);
      flow.receipted(number);

      assertThat(flow.nextComplete()).isEqualTo(number);
      assertThat(flow.intendedNanos(number)).isEqualTo(i * 10L);
    }

    assertThat(flow.nextComplete()).isZero();
    assertThat(flow.inFlight()).isZero();
    assertSound();
  }

  @Test
  void deliveredBeforeSentIsSound() {
    flow.send(0);
    flow.delivered(1, 5);
    assertThat(flow.lost()).isZero();
    flow.acked(1, 5);

    assertSound();
  }

  @Test
  void manyInFlightKeepTheirTimes() {
    for (int i = 1; i <= 500; i++) {
      flow.send(i);
    }
    for (int i = 1; i <= 500; i++) {
      assertThat(flow.intendedNanos(i)).isEqualTo(i);
      flow.acked(i, i * 2L);
      flow.delivered(i, i * 2L);
    }
    flow.receipted(600);

    int complete = 0;
    while (flow.nextComplete() != 0) {
      complete++;
    }
    assertThat(complete).isEqualTo(300);
    assertThat(flow.inFlight()).isEqualTo(200);
    assertSound();
  }

  @Test
  void anAcknowledgedMessageThatNeverArrivesIsLost() {
    sendAndAck(3);
    flow.delivered(1, 1);
    flow.delivered(3, 3);

    assertThat(flow.lost()).isEqualTo(1);
    assertThat(flow.reordered()).isZero();
  }

  @Test
  void theLastMessageIsMissedToo() {
    sendAndAck(3);
    flow.delivered(1, 1);
    flow.delivered(2, 2);

    assertThat(flow.lost()).isEqualTo(1);
  }

  @Test
  void aMessageWithoutSentMayBeMissing() {
    sendAndAck(1);
    flow.send(0);
    flow.delivered(1, 1);

    assertThat(flow.lost()).isZero();
    assertThat(flow.inFlight()).isEqualTo(2);
  }

  @Test
  void theSameMessageAtTwoSeqsIsDoubled() {
    sendAndAck(2);
    flow.delivered(1, 1);
    flow.delivered(2, 2);
    flow.delivered(1, 3);

    assertThat(flow.doubled()).isEqualTo(1);
    assertThat(flow.lost()).isZero();
  }

  @Test
  void aMessageAfterALaterOneIsReorderedAndNotLost() {
    sendAndAck(3);
    flow.delivered(1, 1);
    flow.delivered(3, 3);
    flow.delivered(2, 2);

    assertThat(flow.reordered()).isEqualTo(1);
    assertThat(flow.lost()).isZero();
    assertThat(flow.doubled()).isZero();
  }

  @Test
  void aMessageNobodySentIsWrong() {
    sendAndAck(1);
    flow.delivered(2, 2);

    assertThat(flow.wrong()).isEqualTo(1);
  }

  @Test
  void anEntryAtAnotherSeqThanItsSentIsWrong() {
    sendAndAck(1);
    flow.delivered(1, 7);

    assertThat(flow.wrong()).isEqualTo(1);
  }

  @Test
  void aSentThatContradictsTheDeliveryIsWrong() {
    flow.send(0);
    flow.delivered(1, 7);
    flow.acked(1, 8);

    assertThat(flow.wrong()).isEqualTo(1);
  }

  @Test
  void seqsThatDoNotRiseWithTheCsnsAreWrong() {
    flow.send(0);
    flow.send(0);
    flow.acked(1, 5);
    flow.acked(2, 5);

    assertThat(flow.wrong()).isEqualTo(1);
  }

  @Test
  void aMessageAcknowledgedTwiceIsWrong() {
    sendAndAck(1);
    flow.acked(1, 1);

    assertThat(flow.wrong()).isEqualTo(1);
  }

  @Test
  void receiptsNeverGoBack() {
    sendAndAck(2);
    flow.receipted(2);
    flow.receipted(1);

    assertThat(flow.nextComplete()).isEqualTo(1);
    assertThat(flow.nextComplete()).isEqualTo(2);
  }

  @Test
  void aMessageToAGroupIsCompleteWhenEveryRecipientHasIt() {
    var group = Flow.toGroup(3);
    group.send(0);
    group.delivered(0, 1, 4);
    group.delivered(2, 1, 4);
    group.acked(1, 4);
    assertThat(group.nextComplete()).isZero();
    assertThat(group.lost()).isEqualTo(1);

    group.delivered(1, 1, 4);
    assertThat(group.nextComplete()).isEqualTo(1);
    assertThat(group.lost()).isZero();
    assertThat(group.wrong()).isZero();
  }

  @Test
  void aReceiptDoesNotCompleteAMessageToAGroup() {
    var group = Flow.toGroup(2);
    group.send(0);
    group.acked(1, 4);
    group.receipted(4);

    assertThat(group.nextComplete()).isZero();
  }

  @Test
  void faultsAreToldApartForEachRecipient() {
    var group = Flow.toGroup(2);
    for (int number = 1; number <= 3; number++) {
      group.send(0);
      group.acked(number, number);
    }
    group.delivered(0, 1, 1);
    group.delivered(0, 3, 3);
    group.delivered(0, 2, 2);
    group.delivered(1, 1, 1);
    group.delivered(1, 1, 4);

    assertThat(group.reordered()).isEqualTo(1);
    assertThat(group.doubled()).isEqualTo(1);
    assertThat(group.lost()).isEqualTo(2);
  }

  @Test
  void oneMessageAtTwoSeqsForTwoRecipientsIsWrong() {
    var group = Flow.toGroup(2);
    group.send(0);
    group.delivered(0, 1, 4);
    group.delivered(1, 1, 5);

    assertThat(group.wrong()).isEqualTo(1);
  }

  @Test
  void aMessageOfSomebodyWhoOnlyReadsIsWrong() {
    var reader = Flow.toGroup(0);
    reader.delivered(0, 1, 1);

    assertThat(reader.wrong()).isEqualTo(1);
    assertThat(reader.inFlight()).isZero();
  }

  private void sendAndAck(int messages) {
    for (int i = 1; i <= messages; i++) {
      flow.send(0);
      flow.acked(i, i);
    }
  }

  private void assertSound() {
    assertThat(flow.lost()).isZero();
    assertThat(flow.doubled()).isZero();
    assertThat(flow.reordered()).isZero();
    assertThat(flow.wrong()).isZero();
  }
}

package io.tern.tools.history;

import static io.tern.tools.history.Story.ALICE;
import static io.tern.tools.history.Story.BOB;
import static io.tern.tools.history.Story.CHAT;
import static io.tern.tools.history.Story.EVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.tools.history.Story.Line;
import org.junit.jupiter.api.Test;

/// Each bug that a server could have, told as the history it would leave, breaks the rule that is
/// there for it, and only then.
class HistoryCheckerTest {

  private final Story story = new Story();

  @Test
  void aGoodConversationIsClean() {
    story.alice.up(1);
    var first = story.tell(story.alice);
    story.bob.reading(CHAT, first.seq());
    story.alice.receipt(CHAT, BOB, first.seq(), first.seq());
    story.tell(story.bob);
    story.tell(story.aliceTablet);
    story.refuse(story.bob, ErrorCode.QUOTA);
    story.alice.up(2);
    story.alice.summary(CHAT, BOB, 3, 3, 1);

    var report = story.end();

    assertThat(report.violations()).isEmpty();
    assertThat(report.isClean()).isTrue();
    assertThat(report.totals())
        .extracting(
            Report.Totals::entries,
            Report.Totals::sends,
            Report.Totals::acknowledged,
            Report.Totals::refused)
        .containsExactly(3L, 4L, 3L, 1L);
  }

  @Test
  void anAcknowledgedEntryThatIsGoneIsLost() {
    story.tell(story.alice);
    story.say(story.alice);
    story.log.removeLast();

    assertBroken(Rule.LOST, "nowhere", Rule.LOST);
  }

  @Test
  void anEntryGoneFromTheMiddleIsLostAndLeavesAHole() {
    story.tell(story.alice);
    var gone = story.tell(story.alice);
    story.tell(story.alice);
    story.log.remove(gone);

    assertBroken(
        Rule.LOST, "nowhere", Rule.LOST, Rule.HOLE, Rule.DELIVERED_WRONG, Rule.NOT_AT_HEAD);
  }

  @Test
  void contentSwappedWithinABatchIsAltered() {
    var first = story.say(story.alice);
    var second = story.say(story.alice);
    story.log.set(0, new Line(1, first.sender(), second.hash(), first.tsMillis(), 1));
    story.log.set(1, new Line(2, first.sender(), first.hash(), second.tsMillis(), 2));
    story.log.forEach(line -> story.show(story.aliceTablet, line));
    story.log.forEach(line -> story.show(story.bob, line));

    assertBroken(
        Rule.ALTERED,
        "but is at seq 2",
        Rule.ALTERED,
        Rule.SENDER_ORDER,
        Rule.REAL_TIME_ORDER,
        Rule.CSN_REUSED);
  }

  @Test
  void aSendCommittedTwiceIsDoubled() {
    var line = story.tell(story.alice);
    var again = story.commit(story.alice, line.hash());
    story.show(story.bob, again);
    story.show(
        story.aliceTablet,
        new Line(again.seq(), again.sender(), again.hash(), again.tsMillis(), 1));

    assertBroken(Rule.DOUBLED, "is at seq 1 and at 2", Rule.DOUBLED);
  }

  @Test
  void aSendAcknowledgedAtTwoSeqsReusesItsCsn() {
    int n = story.alice.sending(CHAT, story.newHash());
    var line = story.commit(story.alice, 1001);
    story.sent(story.alice, n, line);
    story.alice.sent(CHAT, n, 2, line.csn(), line.tsMillis(), true);
    story.show(story.bob, line);
    story.show(story.aliceTablet, line);

    assertBroken(Rule.CSN_REUSED, "at seq 1 and at seq 2", Rule.CSN_REUSED, Rule.ALTERED);
  }

  @Test
  void twoSendsWithOneCsnReuseIt() {
    var first = story.tell(story.alice);
    int n = story.alice.sending(CHAT, story.newHash());
    var second = story.commit(story.alice, 1002);
    story.alice.sent(CHAT, n, second.seq(), first.csn(), second.tsMillis(), false);
    story.show(story.bob, second);
    story.show(
        story.aliceTablet,
        new Line(second.seq(), second.sender(), second.hash(), second.tsMillis(), first.csn()));

    assertBroken(Rule.CSN_REUSED, "csn 1", Rule.CSN_REUSED);
  }

  @Test
  void anEntryThatNobodySentIsAPhantom() {
    var phantom = story.commit(story.alice, 77);
    story.show(story.bob, phantom);
    story.show(story.aliceTablet, phantom);

    assertBroken(Rule.PHANTOM, "never sent", Rule.PHANTOM, Rule.NOT_AT_HEAD);
  }

  @Test
  void anEntryUnderAnotherSendersNameIsAPhantom() {
    var line = story.say(story.alice);
    story.log.set(0, new Line(1, story.bob.id(), line.hash(), line.tsMillis(), 1));

    assertBroken(Rule.PHANTOM, "u", Rule.PHANTOM, Rule.LOST, Rule.NOT_AT_HEAD);
  }

  @Test
  void anEntryDeliveredBeforeItWasSentIsAPhantom() {
    story.show(story.bob, new Line(1, story.alice.id(), 1001, 5000, 1));
    story.show(story.aliceTablet, new Line(1, story.alice.id(), 1001, 5000, 1));
    story.say(story.alice);

    assertBroken(Rule.PHANTOM, "before send 0", Rule.PHANTOM, Rule.REAL_TIME_ORDER);
  }

  @Test
  void aSkippedSeqIsAHole() {
    story.tell(story.alice);
    var late = story.say(story.alice);
    story.log.set(1, new Line(3, late.sender(), late.hash(), late.tsMillis(), late.csn()));

    assertBroken(
        Rule.HOLE, "from seq 1 to 3", Rule.HOLE, Rule.LOST, Rule.ALTERED, Rule.NOT_AT_HEAD);
  }

  @Test
  void aSeqUsedTwiceDiverges() {
    var line = story.say(story.alice);
    story.show(story.bob, line);
    story.show(story.aliceTablet, line);
    story.readLog(story.alice);
    story.readLog(story.bob);
    story.log.clear();
    var other = story.say(story.bob);
    story.show(story.aliceTablet, new Line(2, other.sender(), other.hash(), other.tsMillis(), 1));
    story.readLog(story.aliceTablet);

    assertThat(story.check().counts()).containsKeys(Rule.DIVERGED, Rule.LOST);
  }

  @Test
  void aLogThatEndsEarlierForOneDeviceDiverges() {
    story.tell(story.alice);
    story.tell(story.alice);
    story.readLog(story.alice);
    story.log.removeLast();
    story.readLog(story.bob);

    var report = story.check();

    assertThat(report.counts()).containsOnlyKeys(Rule.DIVERGED);
    assertThat(report.toString()).contains("ends at seq 1, as read by others at 2");
  }

  @Test
  void sendsInAnotherOrderBreakTheSenderOrder() {
    int n1 = story.alice.sending(CHAT, 1);
    int n2 = story.alice.sending(CHAT, 2);
    var second = story.commit(story.alice, 2);
    var first = story.commit(story.alice, 1);
    story.sent(story.alice, n2, new Line(1, second.sender(), 2, second.tsMillis(), 2));
    story.sent(story.alice, n1, new Line(2, first.sender(), 1, first.tsMillis(), 1));
    story.show(story.bob, second);
    story.show(story.bob, first);
    story.aliceTablet.delivered(CHAT, 1, story.alice.id(), 2, second.tsMillis(), 0);
    story.aliceTablet.delivered(CHAT, 2, story.alice.id(), 1, first.tsMillis(), 0);

    assertBroken(Rule.SENDER_ORDER, "sent earlier", Rule.SENDER_ORDER);
  }

  @Test
  void aReplyBelowWhatItAnswersBreaksTheOrderOfTime() {
    int n = story.alice.sending(CHAT, 1);
    story.alice.sent(CHAT, n, 2, 1, 5001, false);
    int reply = story.bob.sending(CHAT, 2);
    var replyLine = story.commit(story.bob, 2);
    story.commit(story.alice, 1);
    story.sent(story.bob, reply, replyLine);
    story.log.forEach(line -> story.show(story.aliceTablet, line));
    story.show(story.alice, replyLine);
    story.show(story.bob, story.log.get(1));

    assertBroken(Rule.REAL_TIME_ORDER, "seq 2 had been seen", Rule.REAL_TIME_ORDER);
  }

  @Test
  void aRefusedSendInTheLogIsTold() {
    int n = story.alice.sending(CHAT, 1);
    story.alice.refused(CHAT, n, ErrorCode.BLOCKED);
    var line = story.commit(story.alice, 1);
    story.show(story.bob, line);
    story.show(story.aliceTablet, line);

    assertBroken(Rule.REFUSED_BUT_THERE, "refused with 402", Rule.REFUSED_BUT_THERE);
  }

  @Test
  void aSendOfUnknownOutcomeMayBeThereOrNot() {
    story.refuse(story.alice, ErrorCode.TIMEOUT);
    int n = story.alice.sending(CHAT, 1);
    story.alice.refused(CHAT, n, ErrorCode.INTERNAL);
    var line = story.commit(story.alice, 1);
    story.show(story.bob, line);
    story.show(story.aliceTablet, line);

    assertThat(story.end().violations()).isEmpty();
  }

  @Test
  void aSendThatNobodyAnsweredIsTold() {
    story.alice.sending(CHAT, 1);

    assertBroken(Rule.UNANSWERED, "never got an answer (not in the log)", Rule.UNANSWERED);
  }

  @Test
  void aDeliveryTwiceIsARepeat() {
    var line = story.tell(story.alice);
    story.show(story.bob, line);

    assertBroken(Rule.DELIVERY_ORDER, "seq 1 after it had got seq 1", Rule.DELIVERY_ORDER);
  }

  @Test
  void aDeliveryTwiceIsRightForADeviceThatForgot() {
    var first = story.tell(story.alice);
    var second = story.tell(story.alice);
    story.bob.opened(false);
    // Its next life knows as little.
    story.bob.opened(true);
    story.show(story.bob, first);
    story.show(story.bob, second);

    assertThat(story.end().violations()).isEmpty();
  }

  @Test
  void aSkippedDeliveryIsTold() {
    story.say(story.alice);
    var second = story.say(story.alice);
    story.show(story.bob, second);
    story.log.forEach(line -> story.show(story.aliceTablet, line));

    assertBroken(Rule.DELIVERY_ORDER, "without seq 1", Rule.DELIVERY_ORDER);
  }

  @Test
  void deliveriesOutOfOrderAreTold() {
    var first = story.say(story.alice);
    var second = story.say(story.alice);
    story.show(story.bob, second);
    story.show(story.bob, first);
    story.log.forEach(line -> story.show(story.aliceTablet, line));

    assertBroken(Rule.DELIVERY_ORDER, "after", Rule.DELIVERY_ORDER);
  }

  @Test
  void anotherContentThanTheLogsIsTold() {
    var line = story.say(story.alice);
    story.show(story.bob, new Line(1, line.sender(), 4711, line.tsMillis(), 1));
    story.show(story.aliceTablet, line);

    assertBroken(Rule.DELIVERED_WRONG, "got 1267", Rule.DELIVERED_WRONG);
  }

  @Test
  void aDeliveryToAStrangerIsTold() {
    var line = story.tell(story.alice);
    var eve = story.device(EVE, 1);
    eve.delivered(CHAT, line.seq(), line.sender(), line.hash(), line.tsMillis(), 0);

    assertBroken(Rule.NOT_MEMBER, "not in the chat", Rule.NOT_MEMBER);
  }

  @Test
  void aWatermarkByLastWriteGoesBack() {
    story.tell(story.alice);
    story.tell(story.alice);
    story.alice.receipt(CHAT, BOB, 2, 0);
    story.alice.receipt(CHAT, BOB, 1, 0);

    assertBroken(Rule.RECEIPT_BACKWARD, "from delivered 2", Rule.RECEIPT_BACKWARD);
  }

  @Test
  void aReceiptForWhatHasNotArrivedIsUnfounded() {
    var line = story.say(story.alice);
    story.alice.receipt(CHAT, BOB, line.seq(), 0);
    story.show(story.bob, line);
    story.show(story.aliceTablet, line);

    assertBroken(Rule.RECEIPT_UNFOUNDED, "no device of theirs", Rule.RECEIPT_UNFOUNDED);
  }

  @Test
  void aReceiptForWhatWasOnlyWrittenToTheSocketIsUnfounded() {
    var slow = story.device(BOB, 2);
    slow.explicitAcks();
    var line = story.say(story.alice);
    slow.delivered(CHAT, line.seq(), line.sender(), line.hash(), line.tsMillis(), 0);
    story.alice.receipt(CHAT, BOB, line.seq(), 0);
    slow.acking(CHAT, line.seq());
    story.alice.receipt(CHAT, BOB, line.seq(), 0);
    story.show(story.bob, line);
    story.show(story.aliceTablet, line);

    assertThat(story.end().count(Rule.RECEIPT_UNFOUNDED)).isEqualTo(1);
  }

  @Test
  void aReceiptAboveHeadIsUnfounded() {
    story.tell(story.alice);
    story.alice.receipt(CHAT, BOB, 2, 0);

    assertBroken(Rule.RECEIPT_UNFOUNDED, "head 1", Rule.RECEIPT_UNFOUNDED);
  }

  @Test
  void readWithoutReadingIsUnfounded() {
    story.tell(story.alice);
    story.alice.receipt(CHAT, BOB, 1, 1);

    assertBroken(Rule.RECEIPT_UNFOUNDED, "had read up to 0", Rule.RECEIPT_UNFOUNDED);
  }

  @Test
  void aWatermarkForgottenAtTheEndIsLost() {
    story.tell(story.alice);
    story.tell(story.alice);
    story.alice.summary(CHAT, BOB, 2, 1, 0);

    assertBroken(Rule.WATERMARK_LOST, "acknowledged 2", Rule.WATERMARK_LOST);
  }

  @Test
  void aReadMarkForgottenAtTheEndIsLost() {
    story.tell(story.alice);
    story.bob.reading(CHAT, 1);
    story.alice.receipt(CHAT, BOB, 1, 1);
    story.alice.summary(CHAT, BOB, 1, 1, 0);

    assertBroken(Rule.WATERMARK_LOST, "read 1", Rule.WATERMARK_LOST);
  }

  @Test
  void timeThatGoesBackIsTold() {
    var line = story.tell(story.alice);
    int n = story.alice.sending(CHAT, 1);
    var earlier = new Line(2, story.alice.id(), 1, line.tsMillis() - 1, 2);
    story.log.add(earlier);
    story.sent(story.alice, n, earlier);
    story.show(story.bob, earlier);
    story.show(story.aliceTablet, earlier);

    assertBroken(Rule.TIME, "the entry before it", Rule.TIME);
  }

  @Test
  void anAcknowledgementWithAnotherTimeIsTold() {
    int n = story.alice.sending(CHAT, 1);
    var line = story.commit(story.alice, 1);
    story.alice.sent(CHAT, n, 1, 1, line.tsMillis() + 3, true);
    story.show(story.bob, line);
    story.show(story.aliceTablet, line);

    assertBroken(Rule.TIME, "acknowledged with time", Rule.TIME);
  }

  @Test
  void aDeviceThatMissesTheLastEntryIsNotAtHead() {
    var line = story.say(story.alice);
    story.show(story.aliceTablet, line);

    assertBroken(Rule.NOT_AT_HEAD, "up to seq 0 of 1", Rule.NOT_AT_HEAD);
  }

  @Test
  void anEpochThatDoesNotRiseIsTold() {
    story.alice.up(2);
    story.alice.up(2);

    assertBroken(Rule.EPOCH, "epoch 2 after epoch 2", Rule.EPOCH);
  }

  @Test
  void withoutHistoryPagesTheLogIsWhatWasSeen() {
    story.tell(story.alice);
    story.tell(story.bob);
    int n = story.alice.sending(CHAT, story.newHash());
    story.alice.sent(CHAT, n, 4, 2, 5003, false);
    story.bob.delivered(CHAT, 4, story.alice.id(), 1003, 5003, 0);
    story.bob.online();

    var report = story.check();

    assertThat(report.counts()).containsKeys(Rule.HOLE, Rule.DELIVERY_ORDER);
    assertThat(report.toString()).contains("nothing at seq 3, head is 4");
  }

  @Test
  void twoEqualContentsAreAnErrorOfTheRecording() {
    story.alice.sending(CHAT, 1);
    story.alice.sending(CHAT, 1);

    assertThatThrownBy(story::check)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("same content");
  }

  @Test
  void examplesAreBoundedAndCountsAreNot() {
    for (int i = 0; i < 100; i++) {
      story.say(story.alice);
    }
    story.log.clear();
    story.readLog(story.bob);
    story.bob.entry(CHAT, 1, new DeviceId(ALICE, 1), 1001, 5000);

    var report = story.check();

    assertThat(report.count(Rule.LOST)).isEqualTo(99);
    assertThat(report.violations()).hasSize(HistoryChecker.EXAMPLES_MAX);
  }

  private void assertBroken(Rule rule, String explanation, Rule... allowed) {
    var report = story.end();
    assertThat(report.counts()).containsKey(rule);
    assertThat(report.counts().keySet()).isSubsetOf(allowed);
    assertThat(report.violations())
        .filteredOn(v -> v.rule() == rule)
        .anySatisfy(v -> assertThat(v.toString()).contains(explanation));
  }
}

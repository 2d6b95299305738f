package io.tern.tools.history;

import static io.tern.tools.history.GroupStory.BEN;
import static io.tern.tools.history.GroupStory.CAT;
import static io.tern.tools.history.GroupStory.GROUP;
import static io.tern.tools.history.GroupStory.added;
import static io.tern.tools.history.GroupStory.removed;
import static io.tern.tools.history.GroupStory.role;
import static io.tern.tools.history.GroupStory.titled;
import static io.tern.tools.history.HistoryFileTest.assertReadBackSaysTheSame;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ErrorCode;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Role;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Each bug that a server could have with groups, edits and revokes, told as the history it would
/// leave, breaks the rule that is there for it, and only then.
class GroupHistoryTest {

  private final GroupStory story = new GroupStory();

  @Test
  void aGoodGroupIsClean() throws IOException {
    goodGroup();

    var report = story.end();

    assertThat(report.violations()).isEmpty();
    assertThat(report.totals())
        .extracting(Report.Totals::entries, Report.Totals::changes, Report.Totals::changesRefused)
        .containsExactly(10L, 7L, 1L);
  }

  @Test
  void aGroupsHistoryReadBackSaysTheSame(@TempDir Path folder) throws IOException {
    goodGroup();
    var edited = story.say(story.ben);
    edit(edited, 41);
    story.ann.count(GROUP, 1, 1, 1, 1);
    story.list(CAT, Role.ROLE_OWNER);

    assertReadBackSaysTheSame(story.history, story.end(), folder);
  }

  private void goodGroup() {
    story.tell(story.ben);
    story.change(story.ann, added(CAT));
    story.tell(story.cat);
    story.refuse(story.cat, titled("mine"), ErrorCode.NOT_ALLOWED);
    story.change(story.ann, role(BEN, Role.ROLE_ADMIN));
    story.change(story.ben, removed(CAT));
    story.tell(story.annTablet);
    story.change(story.ann, added(CAT));
    story.change(story.cat, GroupEvent.newBuilder().setLeft(true).build());
    // The same again is another change.
    story.change(story.ann, added(CAT));
    story.ann.progress(GROUP, 7, 0);
  }

  // ---- changes of the group

  @Test
  void anAcknowledgedChangeThatIsGoneIsLost() {
    story.changeUnseen(story.ann, titled("new"));
    story.log.removeLast();

    assertBroken(Rule.LOST, "where there is nothing", Rule.LOST);
  }

  @Test
  void aChangeWhosePlaceHoldsAnotherIsLost() {
    int n = story.ann.changing(GROUP, GroupFacts.fingerprint(titled("a")));
    int m = story.ann.changing(GROUP, GroupFacts.fingerprint(titled("b")));
    var first = story.commitChange(story.ann, titled("b"));
    var second = story.commitChange(story.ann, titled("a"));
    story.ann.changed(GROUP, n, first.seq());
    story.ann.changed(GROUP, m, second.seq());
    story.showAll(first);
    story.showAll(second);

    assertBroken(Rule.LOST, "where there is the change", Rule.LOST, Rule.PHANTOM);
  }

  @Test
  void aChangeMadeTwiceIsDoubled() {
    story.change(story.ann, titled("new"));
    story.showAll(story.commitChange(story.ann, titled("new")));

    assertBroken(Rule.DOUBLED, "asked for no more often", Rule.DOUBLED);
  }

  @Test
  void aChangeAcknowledgedAtTwoPlacesIsDoubled() {
    int n = story.ann.changing(GROUP, GroupFacts.fingerprint(titled("new")));
    var line = story.commitChange(story.ann, titled("new"));
    story.ann.changed(GROUP, n, line.seq());
    story.ann.changed(GROUP, n, line.seq() + 1);
    story.showAll(line);

    assertBroken(Rule.DOUBLED, "and at seq 3", Rule.DOUBLED);
  }

  @Test
  void twoChangesAtOnePlaceLoseOne() {
    int n = story.ann.changing(GROUP, GroupFacts.fingerprint(titled("new")));
    int m = story.ann.changing(GROUP, GroupFacts.fingerprint(titled("new")));
    var line = story.commitChange(story.ann, titled("new"));
    story.ann.changed(GROUP, n, line.seq());
    story.ann.changed(GROUP, m, line.seq());
    story.showAll(line);

    assertBroken(Rule.LOST, "as another change was", Rule.LOST);
  }

  @Test
  void aRefusedChangeInTheLogIsTold() {
    story.refuse(story.ben, titled("mine"), ErrorCode.NOT_ALLOWED);
    story.showAll(story.commitChange(story.ben, titled("mine")));

    assertBroken(Rule.REFUSED_BUT_THERE, "refused for good", Rule.REFUSED_BUT_THERE);
  }

  @Test
  void aChangeOfUnknownOutcomeMayBeThereOrNot() {
    story.refuse(story.ben, titled("a"), ErrorCode.TIMEOUT);
    story.refuse(story.ben, titled("b"), ErrorCode.TIMEOUT);
    story.showAll(story.commitChange(story.ben, titled("b")));

    assertThat(story.end().violations()).isEmpty();
  }

  @Test
  void aChangeWithoutAPlaceComesBeforeOneOfUnknownOutcome() {
    story.refuse(story.ann, titled("a"), ErrorCode.TIMEOUT);
    int n = story.ann.changing(GROUP, GroupFacts.fingerprint(titled("a")));
    story.showAll(story.commitChange(story.ann, titled("a")));
    story.ann.changed(GROUP, n, 0);

    assertThat(story.end().violations()).isEmpty();
  }

  @Test
  void aChangeThatWasMadeWithoutAPlaceAndIsNowhereIsLost() {
    int n = story.ann.changing(GROUP, GroupFacts.fingerprint(titled("a")));
    story.ann.changed(GROUP, n, 0);

    assertBroken(Rule.LOST, "acknowledged at seq 0", Rule.LOST);
  }

  @Test
  void aChangeThatNobodyAskedForIsAPhantom() {
    story.showAll(story.commitChange(story.ben, titled("x")));

    assertBroken(Rule.PHANTOM, "nobody asked for", Rule.PHANTOM);
  }

  @Test
  void aChangeSeenBeforeItWasAskedForIsAPhantom() {
    var line = story.commitChange(story.ann, titled("new"));
    story.showAll(line);
    int n = story.ann.changing(GROUP, GroupFacts.fingerprint(titled("new")));
    story.ann.changed(GROUP, n, line.seq());

    assertBroken(Rule.PHANTOM, "was asked for", Rule.PHANTOM, Rule.REAL_TIME_ORDER);
  }

  @Test
  void aChangeBelowWhatWasThereBreaksTheOrderOfTime() {
    var early = story.commitChange(story.ann, titled("new"));
    story.tell(story.ben);
    int n = story.ann.changing(GROUP, GroupFacts.fingerprint(titled("new")));
    story.ann.changed(GROUP, n, early.seq());
    story.deaf.addAll(story.all);

    var report = story.end();

    assertThat(report.counts()).containsKey(Rule.REAL_TIME_ORDER);
    assertThat(report.toString()).contains("seen before it was asked for");
  }

  @Test
  void aChangeThatNobodyAnsweredIsTold() {
    story.ann.changing(GROUP, GroupFacts.fingerprint(titled("new")));

    assertBroken(Rule.UNANSWERED, "not in a log", Rule.UNANSWERED);
  }

  // ---- who is in it

  @Test
  void aMemberThatTheListHasNotIsTold() {
    story.change(story.ann, added(CAT));
    story.unlist(CAT);

    assertBroken(Rule.MEMBERS, "was told that the members are", Rule.MEMBERS);
  }

  @Test
  void aRoleThatIsForgottenIsTold() {
    story.change(story.ann, role(BEN, Role.ROLE_ADMIN));
    story.list(BEN, Role.ROLE_MEMBER);

    assertBroken(Rule.MEMBERS, "ROLE_ADMIN", Rule.MEMBERS);
  }

  @Test
  void bringingInWhoIsInIsTold() {
    story.change(story.ann, added(BEN));

    var report = story.end();

    assertThat(report.counts()).containsKey(Rule.MEMBERS);
    assertThat(report.toString()).contains("who is in it since seq 1");
  }

  @Test
  void takingOutWhoIsNotInIsTold() {
    story.change(story.ann, removed(CAT));

    assertBroken(Rule.MEMBERS, "who is not in it", Rule.MEMBERS);
  }

  // ---- who sees what

  @Test
  void anEntryShownBeforeTheyJoinedIsTold() {
    var before = story.tell(story.ann);
    story.show(story.cat, before);
    story.change(story.ann, added(CAT));

    assertBroken(Rule.NOT_MEMBER, "not in the chat at that time", Rule.NOT_MEMBER);
  }

  @Test
  void anEntryShownAfterTheyLeftIsTold() {
    story.change(story.ann, removed(BEN));
    story.show(story.ben, story.tell(story.ann));

    assertBroken(Rule.NOT_MEMBER, "not in the chat at that time", Rule.NOT_MEMBER);
  }

  @Test
  void anEntryReadFromBeforeTheyJoinedIsTold() {
    var before = story.tell(story.ann);
    story.change(story.ann, added(CAT));
    story.read(story.cat, before);

    assertBroken(Rule.NOT_MEMBER, "could read seq 2", Rule.NOT_MEMBER);
  }

  @Test
  void anEntryReadFromAfterTheyLeftIsTold() {
    story.change(story.ann, removed(BEN));
    var after = story.tell(story.ann);
    story.readLog(story.ben);
    story.read(story.ben, after);
    story.ben.historyEnd(GROUP);
    story.readLog(story.ann);

    var report = story.check();

    assertThat(report.counts()).containsKey(Rule.NOT_MEMBER);
    assertThat(report.toString()).contains("could read seq 3 and left at seq 2");
  }

  @Test
  void whatWasBeforeTheyCameBackIsNotTheirsToRead() {
    story.change(story.ann, removed(BEN));
    story.tell(story.ann);
    story.change(story.ann, added(BEN));
    story.read(story.ben, story.log.getFirst());

    assertBroken(Rule.NOT_MEMBER, "joined at seq 4", Rule.NOT_MEMBER, Rule.HOLE);
  }

  @Test
  void aMessageOfAStrangerIsTold() {
    story.tell(story.cat);

    assertBroken(Rule.NOT_MEMBER, "who was not in it then", Rule.NOT_MEMBER);
  }

  @Test
  void whoCameBackNeedsNotSeeWhatTheyMissed() {
    story.deaf.add(story.ben);
    story.tell(story.ann);
    story.change(story.ann, removed(BEN));
    story.tell(story.ann);
    story.deaf.clear();
    story.change(story.ann, added(BEN));
    story.tell(story.ann);

    assertThat(story.end().violations()).isEmpty();
  }

  @Test
  void aHoleForOneMemberIsTold() {
    story.deaf.add(story.ben);
    story.tell(story.ann);
    story.deaf.clear();
    story.tell(story.ann);

    assertBroken(Rule.DELIVERY_ORDER, "without seq 2", Rule.DELIVERY_ORDER);
  }

  @Test
  void aMemberWhoIsNotShownTheChangeThatAddedThemIsTold() {
    story.deaf.add(story.cat);
    story.change(story.ann, added(CAT));
    story.deaf.clear();
    story.tell(story.ann);

    assertBroken(Rule.DELIVERY_ORDER, "without seq 2", Rule.DELIVERY_ORDER);
  }

  @Test
  void aMemberWhoMissesTheirRemovalIsNotAtHead() {
    story.deaf.add(story.ben);
    story.change(story.ann, removed(BEN));

    assertBroken(Rule.NOT_AT_HEAD, "up to seq 1 of 2", Rule.NOT_AT_HEAD);
  }

  @Test
  void aMemberWhoGetsNothingIsNotAtHead() {
    story.deaf.add(story.cat);
    story.change(story.ann, added(CAT));
    story.tell(story.ann);

    assertBroken(Rule.NOT_AT_HEAD, "up to seq 0 of 3", Rule.NOT_AT_HEAD);
  }

  @Test
  void whoChangesAGroupMustBeShownTheChangeToo() {
    story.deaf.add(story.ann);
    story.change(story.ann, titled("new"));

    assertBroken(Rule.NOT_AT_HEAD, "up to seq 1 of 2", Rule.NOT_AT_HEAD);
  }

  @Test
  void anEntryThatOneMemberCannotReadIsAHole() {
    story.change(story.ann, added(CAT));
    var last = story.tell(story.ann);
    story.cat.entry(GROUP, last.seq(), last.sender(), last.hash(), last.tsMillis());
    story.cat.historyEnd(GROUP);
    story.readLog(story.ann);

    var report = story.check();

    assertThat(report.counts()).containsOnlyKeys(Rule.HOLE);
    assertThat(report.toString()).contains("begins at seq 3, they joined at seq 2");
  }

  @Test
  void aMemberWhoCanReadNothingIsTold() {
    story.change(story.ann, added(CAT));
    story.cat.historyEnd(GROUP);
    story.readLog(story.ann);

    var report = story.check();

    assertThat(report.counts()).containsOnlyKeys(Rule.DIVERGED);
    assertThat(report.toString()).contains("ends at seq 0, as read by others at 2");
  }

  @Test
  void differentEntriesAtOneSeqDiverge() {
    var line = story.tell(story.ann);
    story.readLog(story.ann);
    story.rewrite(line.seq(), 4711);
    story.readLog(story.ben);

    assertThat(story.check().counts()).containsKey(Rule.DIVERGED);
  }

  @Test
  void anotherChangeThanTheLogsIsTold() {
    var line = story.changeUnseen(story.ann, titled("new"));
    var other = titled("old");
    story.show(
        story.ben,
        new GroupStory.Line(
            line.seq(),
            line.sender(),
            ContentHash.of(other.toByteArray()),
            line.tsMillis(),
            0,
            other));
    story.deaf.add(story.ben);
    story.showAll(line);

    assertBroken(Rule.DELIVERED_WRONG, "the log has", Rule.DELIVERED_WRONG);
  }

  // ---- receipts

  @Test
  void theGroupsWatermarkGoingBackIsTold() {
    story.tell(story.ann);
    story.ann.progress(GROUP, 2, 0);
    story.ann.progress(GROUP, 1, 0);

    assertBroken(Rule.RECEIPT_BACKWARD, "of everyone went from", Rule.RECEIPT_BACKWARD);
  }

  @Test
  void theGroupsWatermarkForgottenAtTheEndIsLost() {
    story.tell(story.ann);
    story.ben.progress(GROUP, 2, 0);
    story.ann.progress(GROUP, 1, 0, true);

    assertBroken(Rule.WATERMARK_LOST, "of everyone", Rule.WATERMARK_LOST);
  }

  @Test
  void everyoneHasItWhenOneHasNotIsUnfounded() {
    story.deaf.add(story.ben);
    var line = story.tell(story.ann);
    story.ann.progress(GROUP, 2, 0);
    story.show(story.ben, line);

    assertBroken(Rule.RECEIPT_UNFOUNDED, "cannot", Rule.RECEIPT_UNFOUNDED);
  }

  @Test
  void everyoneHasReadItWhenOneHasNotIsUnfounded() {
    story.tell(story.ann);
    story.ann.progress(GROUP, 2, 2);

    assertBroken(Rule.RECEIPT_UNFOUNDED, "has read up to seq 2", Rule.RECEIPT_UNFOUNDED);
  }

  @Test
  void whoLeftOrCameLaterIsNotWaitedFor() {
    story.change(story.ann, added(CAT));
    story.deaf.add(story.cat);
    story.tell(story.ann);
    story.deaf.clear();
    story.show(story.cat, story.log.getLast());
    var gone = story.change(story.ann, removed(CAT));
    story.tell(story.ann);
    story.ann.progress(GROUP, gone.seq() + 1, 0);

    assertThat(story.end().violations()).isEmpty();
  }

  @Test
  void aCountOfMoreThanCanHaveItIsUnfounded() {
    story.change(story.ann, added(CAT));
    story.deaf.add(story.cat);
    var line = story.tell(story.ann);
    story.ann.count(GROUP, line.seq(), 2, 1, 0);
    story.ann.count(GROUP, line.seq(), 2, 2, 0);
    story.show(story.cat, line);

    assertBroken(Rule.RECEIPT_UNFOUNDED, "delivered to 2 of 2", Rule.RECEIPT_UNFOUNDED);
    assertThat(story.check().count(Rule.RECEIPT_UNFOUNDED)).isEqualTo(1);
  }

  @Test
  void aCountOfMoreThanWereThereIsUnfounded() {
    var line = story.tell(story.ann);
    story.change(story.ann, added(CAT));
    story.ann.count(GROUP, line.seq(), 2, 1, 0);

    assertBroken(Rule.RECEIPT_UNFOUNDED, "delivered to 1 of 2", Rule.RECEIPT_UNFOUNDED);
  }

  @Test
  void aGroupsReceiptToAStrangerIsTold() {
    story.cat.progress(GROUP, 1, 0);

    assertBroken(Rule.NOT_MEMBER, "a receipt of the group", Rule.NOT_MEMBER);
  }

  // ---- edits and revokes

  @Test
  void editsAndRevokesChangeWhatIsThere() {
    var message = story.tell(story.ann);
    var first = edit(message, 41);
    var second = edit(message, 42);
    story.rewrite(first.seq(), ContentHash.VOID_EDIT);
    story.rewrite(message.seq(), 42);
    // Who comes late gets it as it is by now.
    story.deaf.add(story.ben);
    var other = story.tell(story.ann);
    revoke(other);
    story.rewrite(other.seq(), ContentHash.TOMBSTONE);
    story.deaf.clear();
    for (var line : story.log.subList((int) other.seq() - 1, story.log.size())) {
      story.show(story.ben, line);
    }
    assertThat(second.seq()).isEqualTo(4);

    assertThat(story.end().violations()).isEmpty();
  }

  @Test
  void whatIsEditedIsGoneForThoseWhoHadLeft() {
    story.change(story.ann, added(CAT));
    story.deaf.add(story.cat);
    var message = story.tell(story.ann);
    var other = story.tell(story.ann);
    var end = story.change(story.ann, removed(CAT));
    edit(message, 41);
    story.rewrite(message.seq(), 41);
    story.withhold(story.cat, message.seq());
    // Who comes late gets it as it is by now.
    story.show(
        story.cat,
        new GroupStory.Line(
            message.seq(),
            message.sender(),
            ContentHash.TOMBSTONE,
            message.tsMillis(),
            message.csn(),
            null));
    story.show(story.cat, other);
    story.show(story.cat, end);

    assertThat(story.end().violations()).isEmpty();
  }

  @Test
  void whatIsGoneForThoseWhoAreThereIsTold() {
    story.change(story.ann, added(CAT));
    var message = story.tell(story.ann);
    edit(message, 41);
    story.rewrite(message.seq(), 41);
    story.change(story.ann, removed(CAT));
    story.withhold(story.cat, message.seq());
    story.withhold(story.ben, message.seq());

    var report = story.end();
    assertThat(report.counts()).containsOnlyKeys(Rule.DIVERGED).containsValue(2L);
    assertThat(report.toString()).contains("gone for");
  }

  @Test
  void anAcknowledgedEditThatChangedNothingIsTold() {
    var message = story.tell(story.ann);
    edit(message, 41);

    assertBroken(Rule.STALE, "the last about it, says 29", Rule.STALE);
  }

  @Test
  void aMessageTakenBackThatIsStillThereIsTold() {
    var message = story.tell(story.ann);
    revoke(message);

    assertBroken(Rule.STALE, "the last about it", Rule.STALE);
  }

  @Test
  void anEditThatStillSaysWhatWasTakenBackIsTold() {
    var message = story.tell(story.ann);
    edit(message, 41);
    revoke(message);
    story.rewrite(message.seq(), ContentHash.TOMBSTONE);

    assertBroken(Rule.STALE, "holds no more", Rule.STALE);
  }

  @Test
  void aMessageGoneThoughItsRevokeWasRefusedIsTold() {
    var message = story.tell(story.ann);
    int n = story.ann.sending(GROUP, story.newHash());
    story.ann.amending(GROUP, n, message.seq(), ContentHash.TOMBSTONE);
    story.ann.refused(GROUP, n, ErrorCode.NOT_ALLOWED);
    story.rewrite(message.seq(), ContentHash.TOMBSTONE);

    assertBroken(Rule.STALE, "no edit or revoke of the log", Rule.STALE);
  }

  @Test
  void aMessageGoneThatNobodyTookBackIsLost() {
    var message = story.tell(story.ann);
    story.rewrite(message.seq(), ContentHash.TOMBSTONE);

    assertBroken(Rule.LOST, "is nowhere", Rule.LOST, Rule.PHANTOM, Rule.DELIVERED_WRONG);
  }

  @Test
  void aContentFromAnEditThatIsNotInTheLogIsTold() {
    var message = story.say(story.ann);
    int n = story.ann.sending(GROUP, story.newHash());
    story.ann.amending(GROUP, n, message.seq(), 41);
    story.ann.refused(GROUP, n, ErrorCode.NOT_ALLOWED);
    story.show(
        story.ben,
        new GroupStory.Line(
            message.seq(), message.sender(), 41, message.tsMillis(), message.csn(), null));
    story.deaf.add(story.ben);
    story.showAll(message);

    assertBroken(Rule.DELIVERED_WRONG, "got 29", Rule.DELIVERED_WRONG);
  }

  private GroupStory.Line edit(GroupStory.Line message, long result) {
    return amend(message, result);
  }

  private GroupStory.Line revoke(GroupStory.Line message) {
    return amend(message, ContentHash.TOMBSTONE);
  }

  private GroupStory.Line amend(GroupStory.Line message, long result) {
    long hash = story.newHash();
    int n = story.ann.sending(GROUP, hash);
    story.ann.amending(GROUP, n, message.seq(), result);
    var line = story.sent(story.ann, n, hash);
    story.showAll(line);
    return line;
  }

  private void assertBroken(Rule rule, String explanation, Rule... allowed) {
    var report = story.end();
    assertThat(report.counts()).as(report.toString()).containsKey(rule);
    assertThat(report.counts().keySet()).as(report.toString()).isSubsetOf(allowed);
    assertThat(report.violations())
        .filteredOn(v -> v.rule() == rule)
        .anySatisfy(v -> assertThat(v.toString()).contains(explanation));
  }
}

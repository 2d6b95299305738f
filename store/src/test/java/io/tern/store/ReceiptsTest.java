package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.ALICE_2;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.BOB_2;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.EVE;
import static io.tern.store.ShardNode.EVE_1;
import static io.tern.store.ShardNode.sent;
import static io.tern.store.ShardNode.text;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Kind;
import io.tern.store.GroupProgress.Author;
import io.tern.store.Reads.EntryInfo;
import io.tern.store.Reads.MemberTimes;
import io.tern.store.v1.ChatSnapshot;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// What others are told of what one has got and read: hidden reads, groups, pages of an entry.
class ReceiptsTest {

  private static final ChatId GROUP = ChatId.group(77);

  private final ShardNode node = new ShardNode();

  private Outcome readHidden(DeviceId from, ChatId chat, long seq) {
    return node.run(new Command.Read(from, chat, seq, true));
  }

  private Outcome read(DeviceId from, long seq) {
    return node.run(new Command.Read(from, GROUP, seq, false));
  }

  private Outcome ack(DeviceId from, long seq) {
    return node.run(new Command.Ack(from, GROUP, seq));
  }

  private Reads.GroupSummary group(DeviceId viewer) {
    return Objects.requireNonNull(node.summary(GROUP, viewer).group());
  }

  // ---- hidden reads

  @Test
  void aHiddenReadIsForOnesOwnDevices() {
    node.send(ALICE_1, 1, "one");
    node.send(ALICE_1, 2, "two");
    node.ack(BOB_1, 2);

    assertThat(readHidden(BOB_1, CHAT, 2))
        .isEqualTo(new Outcome.Moved(BOB, 2, 2, 2, 0, List.of(BOB)));

    assertThat(node.summary(ALICE_1).peerRead()).isZero();
    assertThat(node.summary(ALICE_1).peerDelivered()).isEqualTo(2);
    assertThat(Reads.times(node.storage, CHAT, BOB, 1).readMillis()).isZero();
    assertThat(node.summary(BOB_2).read()).isEqualTo(2);
    assertThat(node.summary(BOB_2).unread()).isZero();
    node.restart();
    assertThat(readHidden(BOB_1, CHAT, 2)).isEqualTo(Outcome.Done.DONE);
  }

  @Test
  void aHiddenReadStillTellsOfTheDelivery() {
    node.send(ALICE_1, 1, "one");

    assertThat(readHidden(BOB_1, CHAT, 1))
        .isEqualTo(new Outcome.Moved(BOB, 1, 1, 1, 0, List.of(ALICE, BOB)));

    assertThat(node.summary(ALICE_1).peerDelivered()).isEqualTo(1);
    assertThat(node.summary(ALICE_1).peerRead()).isZero();
    assertThat(Reads.times(node.storage, CHAT, BOB, 1).deliveredMillis()).isEqualTo(node.now);
  }

  @Test
  void aLaterReadThatIsShownShowsNothingOfWhenTheHiddenOneWas() {
    for (int csn = 1; csn <= 3; csn++) {
      node.send(ALICE_1, csn, "text");
    }
    readHidden(BOB_1, CHAT, 1);
    node.now += 1000;
    node.prepare(new Command.Read(BOB_1, CHAT, 2, false));
    node.prepare(new Command.Read(BOB_1, CHAT, 3, true));
    node.shard.commit();
    node.restart();

    assertThat(Reads.times(node.storage, CHAT, BOB, 1).readMillis()).isEqualTo(node.now);
    assertThat(Reads.times(node.storage, CHAT, BOB, 3).readMillis()).isZero();
    assertThat(node.summary(ALICE_1).peerRead()).isEqualTo(2);
    assertThat(node.summary(ALICE_1).peerDelivered()).isEqualTo(3);
    assertThat(node.summary(BOB_1).read()).isEqualTo(3);
    assertThat(node.ack(BOB_1, 3)).isEqualTo(Outcome.Done.DONE);
  }

  // ---- groups

  @Test
  void inAGroupNobodyElseIsToldOfEachReceipt() {
    node.create(ALICE_1, GROUP, BOB);

    assertThat(ack(BOB_1, 1)).isEqualTo(new Outcome.Moved(BOB, 1, 0, 1, 0, List.of()));
    assertThat(read(BOB_1, 1)).isEqualTo(new Outcome.Moved(BOB, 1, 1, 1, 1, List.of(BOB)));
  }

  @Test
  void aTickTellsWhatEveryoneHasGotAndRead() {
    node.create(ALICE_1, GROUP, BOB, EVE);
    node.send(ALICE_1, GROUP, 1, "one");
    assertThat(node.tick()).isEmpty();
    ack(ALICE_1, 2);
    ack(BOB_1, 2);
    assertThat(node.tick()).containsExactly(progress(0, 0, new Author(ALICE, 2, 2, 1, 0)));
    assertThat(node.tick()).isEmpty();

    ack(EVE_1, 1);
    assertThat(node.tick()).containsExactly(progress(1, 0));
    ack(EVE_1, 2);
    read(BOB_1, 2);
    read(EVE_1, 1);
    assertThat(node.tick()).containsExactly(progress(2, 1, new Author(ALICE, 2, 2, 2, 1)));
    assertThat(group(BOB_1).allDelivered()).isEqualTo(2);
    assertThat(group(BOB_1).allRead()).isEqualTo(1);
    read(EVE_1, 2);
    assertThat(node.tick()).containsExactly(progress(2, 2, new Author(ALICE, 2, 2, 2, 2)));
    read(ALICE_1, 2);
    assertThat(node.tick()).isEmpty();
    assertThat(node.storage.unsyncedBatches()).isPositive();
  }

  private static GroupProgress progress(long delivered, long read, Author... authors) {
    return new GroupProgress(GROUP, delivered, read, List.of(authors));
  }

  @Test
  void whoComesLaterIsNotWaitedFor() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");
    node.send(BOB_1, GROUP, 1, "two");
    node.edit(ALICE_1, GROUP, new GroupChange.Add(List.of(EVE)));
    ack(ALICE_1, 4);
    ack(BOB_1, 4);

    assertThat(node.tick())
        .containsExactly(
            progress(3, 0, new Author(ALICE, 2, 1, 1, 0), new Author(BOB, 3, 1, 1, 0)));
    node.edit(ALICE_1, GROUP, new GroupChange.Remove(BOB));
    ack(ALICE_1, 5);
    read(ALICE_1, 5);
    assertThat(node.tick()).containsExactly(progress(3, 3));
    assertThat(group(ALICE_1).memberCount()).isEqualTo(2);
  }

  @Test
  void anEventIsNotCountedForItsAuthor() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");
    node.send(ALICE_1, GROUP, 2, text("+").setKind(Kind.KIND_REACTION).setTarget(2));
    ack(BOB_1, 3);

    assertThat(node.tick().getFirst().authors()).containsExactly(new Author(ALICE, 2, 1, 1, 0));
  }

  @Test
  void hiddenReadsAreNotCounted() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");
    ack(ALICE_1, 2);
    readHidden(BOB_1, GROUP, 2);

    assertThat(node.tick()).containsExactly(progress(2, 0, new Author(ALICE, 2, 1, 1, 0)));
    assertThat(info(2).read()).isZero();
    assertThat(info(2).delivered()).isEqualTo(1);
  }

  /// A device does not acknowledge what it sent itself, and nobody reads what they wrote.
  @Test
  void onesOwnEntriesNeedNoReceipt() {
    node.create(ALICE_1, GROUP, BOB);
    read(ALICE_1, 1);
    node.send(ALICE_1, GROUP, 1, "one");
    node.send(ALICE_1, GROUP, 2, "two");
    ack(BOB_1, 3);
    assertThat(node.tick()).containsExactly(progress(3, 0, new Author(ALICE, 3, 1, 1, 0)));
    node.restart();
    read(BOB_1, 3);
    assertThat(node.tick()).containsExactly(progress(3, 3, new Author(ALICE, 3, 1, 1, 1)));
  }

  @Test
  void toWriteIsNeitherToGetNorToReadWhatIsThere() {
    node.create(ALICE_1, GROUP, BOB);
    ack(ALICE_1, 1);
    ack(BOB_1, 1);
    node.send(ALICE_1, GROUP, 1, "one");
    node.send(BOB_1, GROUP, 1, "written before Bob saw it");
    read(ALICE_1, 3);

    assertThat(node.tick().getFirst()).matches(is -> is.allDelivered() == 1 && is.allRead() == 0);
    read(BOB_1, 2);
    assertThat(node.tick().getFirst()).matches(is -> is.allDelivered() == 3 && is.allRead() == 3);
  }

  @Test
  void whoWritesAgainBeforeTheyReadKeepsWhatTheyHadReached() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");
    node.send(BOB_1, GROUP, 1, "two");
    node.send(ALICE_1, GROUP, 2, "written before Alice saw it");
    // A change of the group writes a snapshot.
    node.edit(ALICE_1, GROUP, new GroupChange.Add(List.of(EVE)));
    node.restart();
    read(BOB_1, 5);
    node.tick();
    assertThat(group(BOB_1).allRead()).isEqualTo(2);

    read(ALICE_1, 3);
    node.tick();
    assertThat(group(BOB_1).allRead()).isEqualTo(4);
  }

  @Test
  void whoHidesWhatTheyReadDoesNotShowItByWriting() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");
    readHidden(BOB_1, GROUP, 2);
    node.send(BOB_1, GROUP, 1, "two");
    read(ALICE_1, 3);
    node.tick();

    assertThat(group(ALICE_1).allRead()).isZero();
    assertThat(group(ALICE_1).allDelivered()).isEqualTo(3);
  }

  @Test
  void aSnapshotOfAnEarlierVersionKnowsOfTheNewestSend() throws Exception {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");
    node.send(BOB_1, GROUP, 1, "two");
    read(ALICE_1, 3);
    read(BOB_1, 2);
    // A change of the group writes a snapshot of everything up to it.
    node.edit(ALICE_1, GROUP, new GroupChange.Add(List.of(EVE)));
    ChatSnapshot.Builder snapshot =
        ChatSnapshot.parseFrom(node.storage.get(Keys.chat(GROUP))).toBuilder();
    snapshot
        .getMembersBuilderList()
        .forEach(m -> m.clearOwnFromSeq().clearOwnToSeq().clearReadBefore());
    var batch = new Batch();
    batch.put(Keys.chat(GROUP), snapshot.build().toByteArray());
    node.storage.write(batch, true);
    node.restart();

    assertThat(node.tick().getFirst()).matches(is -> is.allDelivered() == 3 && is.allRead() == 3);
    node.send(EVE_1, GROUP, 1, "three");
    read(ALICE_1, 5);
    node.tick();
    assertThat(group(ALICE_1).allRead()).isEqualTo(3);
    read(EVE_1, 4);
    read(BOB_1, 5);
    assertThat(node.tick().getFirst()).matches(is -> is.allDelivered() == 5 && is.allRead() == 5);
  }

  @Test
  void whoLeftAndCameBackIsWaitedForFromThenOn() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(BOB_1, GROUP, 1, "one");
    node.edit(BOB_1, GROUP, new GroupChange.Leave());
    node.send(ALICE_1, GROUP, 1, "two");
    node.edit(ALICE_1, GROUP, new GroupChange.Add(List.of(BOB)));
    read(ALICE_1, 5);
    node.tick();
    assertThat(group(ALICE_1).allRead()).isEqualTo(4);
    read(BOB_1, 5);
    node.tick();
    assertThat(group(ALICE_1).allRead()).isEqualTo(5);
  }

  @Test
  void whatMovedBeforeACrashIsCountedAfterIt() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");
    ack(ALICE_1, 2);
    ack(BOB_1, 2);

    node.restart();

    assertThat(node.tick()).containsExactly(progress(2, 0, new Author(ALICE, 2, 1, 1, 0)));
    node.restart();
    assertThat(node.tick()).isEmpty();
    assertThat(group(ALICE_1).allDelivered()).isEqualTo(2);
  }

  @Test
  void aTickTellsOfSoManyGroupsAndTheNextOneOfTheRest() {
    int groups = GroupMarks.GROUPS_PER_TICK + 10;
    for (int i = 1; i <= groups; i++) {
      var group = ChatId.group(i);
      node.create(ALICE_1, group, BOB);
      node.send(ALICE_1, group, 1, "one");
      node.run(new Command.Ack(BOB_1, group, 2));
    }

    assertThat(node.tick()).hasSize(GroupMarks.GROUPS_PER_TICK);
    assertThat(node.tick()).hasSize(10);
    assertThat(node.tick()).isEmpty();
  }

  @Test
  void whileThereAreGroupsToCountTheNextTickIsDueAtOnce() {
    Outcome.Ticked lookedAtSlots;
    do {
      lookedAtSlots = ticked(true);
    } while (lookedAtSlots.more());
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");

    assertThat(ticked(true).dueMillis()).as("counts no groups").isLessThanOrEqualTo(node.now);
    assertThat(ticked(false).dueMillis()).isEqualTo(Long.MAX_VALUE);
  }

  private Outcome.Ticked ticked(boolean onlyExpired) {
    return (Outcome.Ticked) node.run(new Command.Tick(0, false, onlyExpired));
  }

  @Test
  void fewerLargeGroupsFitIntoATick() {
    List<DeviceId> guests = guests(1_000);
    List<DeviceId> authors = guests.subList(0, GroupMarks.AUTHORS_PER_GROUP);
    int looks = (guests.size() + 1) * (authors.size() + 1);
    int fitting = GroupMarks.STEPS_PER_TICK / looks + 1;
    for (int i = 0; i < fitting + 2; i++) {
      largeGroup(ChatId.group(100 + i), guests);
    }
    node.tick();
    for (int i = 0; i < fitting + 2; i++) {
      for (DeviceId author : authors) {
        node.prepare(new Command.Send(author, ChatId.group(100 + i), ShardNode.body(1, "text")));
      }
      node.prepare(new Command.Ack(ALICE_1, ChatId.group(100 + i), 1 + authors.size()));
    }
    node.shard.commit();

    assertThat(node.tick()).hasSize(fitting);
    assertThat(node.tick()).hasSize(2);
  }

  @Test
  void aTickTellsSoManyAuthorsAndTheNextOneTheRest() {
    List<DeviceId> guests = largeGroup(80);
    for (DeviceId guest : guests) {
      sent(node.send(guest, GROUP, 1, "text"));
    }
    ack(ALICE_1, 81);
    var told = new ArrayList<Author>();
    for (int i = 0; i < 3; i++) {
      List<GroupProgress> progress = node.tick();
      assertThat(progress).hasSize(1);
      assertThat(progress.getFirst().authors())
          .hasSizeLessThanOrEqualTo(GroupMarks.AUTHORS_PER_GROUP);
      told.addAll(progress.getFirst().authors());
    }
    assertThat(told).extracting(Author::user).doesNotHaveDuplicates().hasSize(80);
    assertThat(node.tick()).isEmpty();
  }

  @Test
  void aGroupInWhichNothingMovesCostsNothing() {
    List<DeviceId> guests = largeGroup(80);
    for (DeviceId guest : guests) {
      sent(node.send(guest, GROUP, 1, "text"));
    }
    ack(ALICE_1, 81);
    for (int i = 0; i < 4; i++) {
      node.tick();
    }
    node.prepare(new Command.Tick(0, false));

    assertThat(node.shard.commit()).isZero();
  }

  @Test
  void marksThatAreNotInMemoryAreReadABoundedPieceATick() {
    List<DeviceId> guests = largeGroup(700);
    ChatId other = ChatId.group(78);
    node.create(ALICE_1, other, guests.stream().map(DeviceId::user).toArray(UserId[]::new));
    for (DeviceId guest : guests) {
      node.prepare(new Command.Ack(guest, GROUP, 1));
      node.prepare(new Command.Ack(guest, other, 1));
    }
    node.prepare(new Command.Ack(ALICE_1, GROUP, 1));
    node.prepare(new Command.Ack(ALICE_1, other, 1));
    node.shard.commit();
    node.restart();

    assertThat(node.tick()).hasSize(1);
    assertThat(node.tick()).hasSize(1);
    assertThat(group(ALICE_1).allDelivered()).isEqualTo(1);
    assertThat(Reads.progress(node.storage, other).getAllDelivered()).isEqualTo(1);
  }

  private List<DeviceId> largeGroup(int guests) {
    List<DeviceId> devices = guests(guests);
    largeGroup(GROUP, devices);
    return devices;
  }

  private void largeGroup(ChatId group, List<DeviceId> guests) {
    sent(node.create(ALICE_1, group, guests.stream().map(DeviceId::user).toArray(UserId[]::new)));
  }

  private static List<DeviceId> guests(int count) {
    return IntStream.rangeClosed(1, count)
        .mapToObj(i -> new DeviceId(new UserId(10_000 + i), 1))
        .toList();
  }

  // ---- one entry

  private EntryInfo info(long seq) {
    return Objects.requireNonNull(
        Reads.entryInfo(node.storage, GROUP, seq, ALICE, null, Limits.PAGE_ENTRIES_MAX));
  }

  @Test
  void anEntrysAuthorLearnsWhoGotItWhen() {
    node.create(ALICE_1, GROUP, BOB, EVE);
    long first = sent(node.send(ALICE_1, GROUP, 1, "one")).entry().tsMillis();
    ack(BOB_1, 2);
    node.now += 1000;
    read(BOB_1, 2);
    node.edit(ALICE_1, GROUP, new GroupChange.Remove(EVE));
    node.edit(ALICE_1, GROUP, new GroupChange.Add(List.of(new UserId(4004))));

    assertThat(info(2))
        .isEqualTo(
            new EntryInfo(
                List.of(
                    new MemberTimes(BOB, new Reads.Times(first, node.now)),
                    new MemberTimes(EVE, new Reads.Times(0, 0))),
                false,
                2,
                1,
                1));
    assertThat(Reads.entryInfo(node.storage, GROUP, 2, BOB, null, 10)).isNull();
    assertThat(Reads.entryInfo(node.storage, GROUP, 9, ALICE, null, 10)).isNull();
  }

  @Test
  void whoHasLeftLearnsNotWhoReadItLater() {
    node.create(ALICE_1, GROUP, BOB, EVE);
    node.send(ALICE_1, GROUP, 1, "one");
    ack(BOB_1, 2);
    node.now += 1000;
    read(EVE_1, 2);
    long then = node.now;
    node.edit(ALICE_1, GROUP, new GroupChange.Leave());
    EntryInfo before = info(2);
    node.now += 1000;
    read(BOB_1, 2);

    assertThat(info(2)).isEqualTo(before);
    assertThat(before.members())
        .containsExactlyInAnyOrder(
            new MemberTimes(BOB, new Reads.Times(then - 1000, 0)),
            new MemberTimes(EVE, new Reads.Times(then, then)));
    assertThat(before.read()).isEqualTo(1);
  }

  @Test
  void aDirectEntryHasOneReader() {
    node.send(ALICE_1, 1, "one");
    node.ack(BOB_1, 1);

    EntryInfo info =
        Objects.requireNonNull(Reads.entryInfo(node.storage, CHAT, 1, ALICE, null, 10));

    assertThat(info.members()).extracting(MemberTimes::user).containsExactly(BOB);
    assertThat(info.total()).isEqualTo(1);
    assertThat(info.delivered()).isEqualTo(1);
    ChatId notes = ChatId.direct(ALICE, ALICE);
    node.send(ALICE_2, notes, 1, "note");
    assertThat(
            Objects.requireNonNull(Reads.entryInfo(node.storage, notes, 1, ALICE, null, 10))
                .total())
        .isZero();
  }

  @Test
  void whoGotAnEntryOfALargeGroupIsPaged() {
    List<DeviceId> guests = largeGroup(250);
    node.send(ALICE_1, GROUP, 1, "one");
    for (DeviceId guest : guests.subList(0, 57)) {
      node.prepare(new Command.Ack(guest, GROUP, 2));
    }
    node.shard.commit();

    var paged = new ArrayList<UserId>();
    UserId after = null;
    EntryInfo page;
    do {
      page = Objects.requireNonNull(Reads.entryInfo(node.storage, GROUP, 2, ALICE, after, 100));
      assertThat(page.total()).isEqualTo(250);
      assertThat(page.delivered()).isEqualTo(57);
      page.members().forEach(member -> paged.add(member.user()));
      after = paged.getLast();
    } while (page.more());

    assertThat(paged).isEqualTo(guests.stream().map(DeviceId::user).toList());
  }
}

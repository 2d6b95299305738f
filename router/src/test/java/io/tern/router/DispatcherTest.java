package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Kind;
import io.tern.router.directory.MemoryDirectory;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.GroupChange;
import io.tern.store.GroupProgress;
import io.tern.store.OutboxRecord;
import io.tern.store.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The dispatcher as plain logic: outcomes built by hand, time as a number.
class DispatcherTest {

  private static final EdgeId EDGE = new EdgeId("edge", 1);
  private static final EdgeId OTHER_EDGE = new EdgeId("other", 1);
  private static final EdgeId ADDRESS = new EdgeId("shard-0", 1);
  private static final DeviceId ALICE = new DeviceId(new UserId(1001), 1);
  private static final DeviceId ALICES_LAPTOP = new DeviceId(new UserId(1001), 2);
  private static final DeviceId BOB = new DeviceId(new UserId(2002), 1);
  private static final DeviceId BOBS_LAPTOP = new DeviceId(new UserId(2002), 2);
  private static final DeviceId CAROL = new DeviceId(new UserId(3003), 1);
  private static final ChatId CHAT = ChatId.direct(ALICE.user(), BOB.user());
  private static final ChatId OTHER_CHAT = ChatId.direct(ALICE.user(), CAROL.user());
  private static final ChatId GROUP = ChatId.group(77);
  private static final DispatchConfig CONFIG =
      new DispatchConfig(Duration.ofSeconds(10), Duration.ofSeconds(5), 8, Duration.ofSeconds(2));

  private record Submitted(Command command, Origin origin) {}

  private record Push(UserId user, ChatId chat, long seq) {}

  private final List<Map.Entry<EdgeId, List<Delivery>>> calls = new ArrayList<>();
  private final List<Push> pushes = new ArrayList<>();
  private final List<Submitted> submitted = new ArrayList<>();
  private final List<Long> settled = new ArrayList<>();
  private final Map<ChatId, Long> heads = new HashMap<>();
  private boolean pushQueueAccepts = true;
  private boolean ringsAccept = true;
  private final MemoryDirectory directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
  private Dispatcher dispatcher;
  private long now = 1_000_000;
  private long batch;

  @BeforeEach
  void create() {
    dispatcher = dispatcher(directory);
  }

  // ---- answers

  @Test
  void theSenderIsAnswered() {
    var sent = sent(ALICE, CHAT, ALICE.user(), BOB.user());
    on(send(ALICE, CHAT), new Origin(EDGE, 5, 77), sent);
    endOfBatch();

    assertThat(deliveries(EDGE, Delivery.Answer.class))
        .containsExactly(new Delivery.Answer(new Origin(EDGE, 5, 77), send(ALICE, CHAT), sent));
  }

  @Test
  void aFrameWithoutRequestIdHearsOnlyOfFailure() {
    var origin = new Origin(EDGE, 5, 0);
    on(new Command.Ack(BOB, CHAT, 1), origin, new Outcome.Moved(BOB.user(), 1, 0, 1, 0, List.of()));
    on(new Command.Ack(BOB, CHAT, 1), origin, Outcome.Done.DONE);
    endOfBatch();
    assertThat(calls).isEmpty();

    on(new Command.Ack(BOB, CHAT, 9), origin, new Outcome.Refused(ErrorCode.ARGUMENT, 0, "seq"));
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).hasSize(1);
  }

  @Test
  void nobodyWaitsForHousekeeping() {
    on(new Command.Tick(0, false), Origin.NOBODY, Outcome.Ticked.NOTHING);
    endOfBatch();

    assertThat(calls).isEmpty();
  }

  @Test
  void aRepeatIsAnsweredAndNotDeliveredAgain() {
    attach(BOB, EDGE, 2);
    var first = sent(ALICE, CHAT, ALICE.user(), BOB.user());
    on(
        send(ALICE, CHAT),
        new Origin(EDGE, 1, 1),
        new Outcome.Sent(first.entry(), true, first.members(), List.of()));
    endOfBatch();

    assertThat(all()).hasOnlyElementsOfType(Delivery.Answer.class).hasSize(1);
    assertThat(settled).isEmpty();
  }

  // ---- entries

  @Test
  void everySessionOfARecipientGetsTheSameBody() {
    var phone = attach(BOB, EDGE, 2);
    var laptop = attach(BOBS_LAPTOP, EDGE, 3);
    on(ALICE, CHAT);
    endOfBatch();

    var entries = only(EDGE, Delivery.Entries.class);
    assertThat(entries.to()).containsExactlyInAnyOrder(phone, laptop);
    var body = parse(entries.body());
    assertThat(body.getSender()).as("named by the chat").isZero();
    assertThat(body.getDevice()).isEqualTo(1);
    assertThat(body.getCsn()).isZero();
    assertThat(body.getContent().getBody().toStringUtf8()).isEqualTo("hello");
  }

  @Test
  void theSendersOtherDevicesSeeTheCsnAndTheSendingDeviceNothing() {
    attach(ALICE, EDGE, 1);
    var laptop = attach(ALICES_LAPTOP, EDGE, 2);
    on(ALICE, CHAT);
    endOfBatch();

    var entries = only(EDGE, Delivery.Entries.class);
    assertThat(entries.to()).containsExactly(laptop);
    assertThat(parse(entries.ownBody()).getCsn()).isEqualTo(1);
  }

  @Test
  void aGroupsEntryNamesItsSenderAndGoesOnceToEachEdge() {
    var bob = attach(BOB, EDGE, 2);
    var carol = attach(CAROL, OTHER_EDGE, 3);
    on(ALICE, GROUP, ALICE.user(), BOB.user(), CAROL.user());
    endOfBatch();

    assertThat(calls).hasSize(2);
    assertThat(only(EDGE, Delivery.Entries.class).to()).containsExactly(bob);
    assertThat(only(OTHER_EDGE, Delivery.Entries.class).to()).containsExactly(carol);
    assertThat(parse(only(EDGE, Delivery.Entries.class).body()).getSender())
        .isEqualTo(ALICE.user().value());
    assertThat(only(EDGE, Delivery.Entries.class).body())
        .isSameAs(only(OTHER_EDGE, Delivery.Entries.class).body());
  }

  @Test
  void anEdgeGetsARoundAsOneMessageInOrder() {
    attach(BOB, EDGE, 2);
    for (int i = 0; i < 3; i++) {
      on(
          send(ALICE, CHAT),
          new Origin(EDGE, 1, i + 1),
          sent(ALICE, CHAT, ALICE.user(), BOB.user()));
    }
    endOfBatch();

    assertThat(calls).hasSize(1);
    assertThat(deliveries(EDGE, Delivery.Entries.class))
        .extracting(Delivery.Entries::seq)
        .containsExactly(2L, 3L, 4L);
    assertThat(deliveries(EDGE, Delivery.Answer.class))
        .extracting(answer -> answer.to().rid())
        .containsExactly(1, 2, 3);
  }

  @Test
  void aSelfChatReachesOnesOtherDevicesAndIsOwedToNobody() {
    var laptop = attach(ALICES_LAPTOP, EDGE, 2);
    var self = ChatId.direct(ALICE.user(), ALICE.user());
    heads.put(self, 1L);
    on(ALICE, self, ALICE.user());
    endOfBatch();

    assertThat(only(EDGE, Delivery.Entries.class).to()).containsExactly(laptop);
    assertThat(pushes).isEmpty();
    assertThat(settled).containsExactly(batch);
  }

  // ---- receipts

  @Test
  void receiptsOfOneMemberAreOneReceiptPerRound() {
    var alice = attach(ALICE, EDGE, 1);
    for (long seq = 1; seq <= 3; seq++) {
      on(
          new Command.Ack(BOB, CHAT, seq),
          Origin.NOBODY,
          new Outcome.Moved(BOB.user(), seq, 0, seq, 0, List.of(ALICE.user())));
    }
    on(
        new Command.Read(BOB, CHAT, 2, false),
        Origin.NOBODY,
        new Outcome.Moved(BOB.user(), 3, 2, 3, 2, List.of(ALICE.user())));
    endOfBatch();

    assertThat(all())
        .containsExactly(new Delivery.Receipts(CHAT, BOB.user(), 3, 2, List.of(alice)));
  }

  @Test
  void aReadIsToldToOnesOtherDevicesButNotToTheOneThatRead() {
    attach(BOB, EDGE, 2);
    var laptop = attach(BOBS_LAPTOP, EDGE, 3);
    on(
        new Command.Read(BOB, CHAT, 2, false),
        Origin.NOBODY,
        new Outcome.Moved(BOB.user(), 2, 2, 2, 2, List.of(ALICE.user(), BOB.user())));
    endOfBatch();

    assertThat(only(EDGE, Delivery.Receipts.class).to()).containsExactly(laptop);
  }

  @Test
  void receiptsOfDifferentChatsAndMembersStayApart() {
    attach(ALICE, EDGE, 1);
    ack(BOB, CHAT, 4);
    ack(CAROL, OTHER_CHAT, 2);
    endOfBatch();

    assertThat(deliveries(EDGE, Delivery.Receipts.class))
        .extracting(Delivery.Receipts::chat, Delivery.Receipts::delivered)
        .containsExactlyInAnyOrder(
            org.assertj.core.groups.Tuple.tuple(CHAT, 4L),
            org.assertj.core.groups.Tuple.tuple(OTHER_CHAT, 2L));
  }

  @Test
  void allUsersOfARoundAreLookedUpInOneCall() {
    var counting = new CountingDirectory(directory);
    dispatcher = dispatcher(counting);
    attach(ALICE, EDGE, 1);
    attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    on(ALICE, OTHER_CHAT);
    ack(BOB, CHAT, 1);
    endOfBatch();

    assertThat(counting.lookups).isEqualTo(1);
  }

  // ---- absent recipients

  @Test
  void anAbsentRecipientIsPushedToAndTheRecordSettled() {
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(pushes).containsExactly(new Push(BOB.user(), CHAT, 2));
    assertThat(settled).containsExactly(batch);
  }

  @Test
  void anAbsentDeviceFindsTheChatInItsNews() {
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(directory.attach(BOB, EDGE, 3, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void aSecondDeviceThatIsAwayFindsTheChatInItsNewsToo() {
    attach(BOB, EDGE, 2);
    directory.detach(attach(BOBS_LAPTOP, EDGE, 3), Set.of());
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(pushes).isEmpty();
    assertThat(directory.attach(BOBS_LAPTOP, EDGE, 4, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void aDeviceThatAttachesBetweenLookupAndNewsIsServedLive() {
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    var racing =
        new CountingDirectory(directory) {
          @Override
          public Map<UserId, Routes> addNews(Collection<News> news) {
            var attached = directory.attach(BOB, EDGE, 3, true).join();
            assertThat(attached.news()).as("too early for this entry").isEmpty();
            return super.addNews(news);
          }
        };
    dispatcher = dispatcher(racing);
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(only(EDGE, Delivery.Entries.class).to())
        .extracting(Attachment::session)
        .containsExactly(3L);
    assertThat(pushes).isEmpty();
  }

  /// Neither its news nor a look after them would name the entry.
  @Test
  void aDeviceThatAttachesBeforeTheNewsAndLeavesRightAfterThemMissesNothing() {
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    var racing =
        new CountingDirectory(directory) {
          @Override
          public Map<UserId, Routes> addNews(Collection<News> news) {
            var attached = directory.attach(BOB, EDGE, 3, true).join();
            var routes = super.addNews(news);
            directory.detach(attached.now(), Set.of());
            return routes;
          }
        };
    dispatcher = dispatcher(racing);
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(only(EDGE, Delivery.Entries.class).to())
        .extracting(Attachment::session)
        .containsExactly(3L);
  }

  @Test
  void aPushThatIsRefusedIsOfferedAgainAndKeepsTheRecord() {
    pushQueueAccepts = false;
    on(ALICE, CHAT);
    endOfBatch();
    assertThat(settled).isEmpty();

    pass(1);
    assertThat(settled).isEmpty();
    pushQueueAccepts = true;
    pass(1);

    assertThat(pushes.getLast()).isEqualTo(new Push(BOB.user(), CHAT, 2));
    assertThat(settled).containsExactly(batch);
  }

  @Test
  void anAcknowledgementMakesARefusedPushUnnecessary() {
    pushQueueAccepts = false;
    on(ALICE, CHAT);
    endOfBatch();
    long owed = batch;
    ack(BOB, CHAT, 2);
    endOfBatch();
    assertThat(settled).containsExactly(owed);

    pushQueueAccepts = true;
    pushes.clear();
    pass(1);
    assertThat(pushes).isEmpty();
  }

  @Test
  void tooManyRefusedPushesStopTheRounds() {
    pushQueueAccepts = false;
    for (int i = 0; i < CONFIG.watchedMax() + 1; i++) {
      assertThat(dispatcher.isFull()).isFalse();
      on(ALICE, CHAT);
      endOfBatch();
    }
    assertThat(dispatcher.isFull()).isTrue();

    pushQueueAccepts = true;
    pass(1);
    assertThat(dispatcher.isFull()).isFalse();
    assertThat(settled).hasSize(CONFIG.watchedMax() + 1);
  }

  // ---- the watch

  @Test
  void theRecordIsSettledWhenTheRecipientAcknowledges() {
    attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    on(ALICE, CHAT);
    endOfBatch();
    long owed = batch;
    assertThat(settled).isEmpty();

    ack(BOB, CHAT, 2);
    endOfBatch();
    assertThat(settled).isEmpty();
    ack(BOB, CHAT, 3);
    endOfBatch();

    assertThat(settled).containsExactly(owed);
    assertThat(dispatcher.watched()).isZero();
    pass(60);
    assertThat(pushes).isEmpty();
  }

  @Test
  void oneAcknowledgementSettlesSeveralRounds() {
    attach(BOB, EDGE, 2);
    for (int i = 0; i < 3; i++) {
      on(ALICE, CHAT);
      endOfBatch();
    }
    ack(BOB, CHAT, 4);
    endOfBatch();

    assertThat(settled).containsExactly(1L, 2L, 3L);
  }

  @Test
  void aRoundIsSettledOnlyWhenEveryRecipientOfEveryEntryIsDone() {
    attach(BOB, EDGE, 2);
    attach(CAROL, EDGE, 3);
    on(ALICE, CHAT);
    on(ALICE, OTHER_CHAT);
    endOfBatch();

    ack(CAROL, OTHER_CHAT, 2);
    endOfBatch();
    assertThat(settled).isEmpty();
    ack(BOB, CHAT, 2);
    endOfBatch();
    assertThat(settled).containsExactly(1L);
  }

  @Test
  void aSessionThatDoesNotAcknowledgeIsNudgedOnceAndThenPushedTo() {
    var bob = attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    on(ALICE, CHAT);
    endOfBatch();
    calls.clear();

    pass(4);
    assertThat(all()).isEmpty();
    pass(2);
    assertThat(all()).containsExactly(new Delivery.Nudge(CHAT, bob));
    assertThat(pushes).isEmpty();

    pass(5);
    assertThat(pushes)
        .containsExactlyInAnyOrder(new Push(BOB.user(), CHAT, 2), new Push(BOB.user(), CHAT, 3));
    assertThat(settled).containsExactly(1L);
    assertThat(dispatcher.watched()).isZero();
    assertThat(all()).hasSize(1);
  }

  @Test
  void whatIsAcknowledgedInTimeIsNeitherNudgedNorPushed() {
    attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    endOfBatch();
    pass(4);
    ack(BOB, CHAT, 2);
    endOfBatch();
    calls.clear();

    pass(20);
    assertThat(all()).isEmpty();
    assertThat(pushes).isEmpty();
  }

  @Test
  void beyondTheBoundAnEntryBecomesAPushAtOnce() {
    attach(BOB, EDGE, 2);
    for (int i = 0; i < CONFIG.watchedMax() + 2; i++) {
      on(ALICE, CHAT);
    }
    endOfBatch();

    assertThat(dispatcher.watched()).isEqualTo(CONFIG.watchedMax());
    assertThat(pushes).hasSize(2);
    assertThat(deliveries(EDGE, Delivery.Entries.class)).hasSize(CONFIG.watchedMax() + 2);
  }

  // ---- chat lists

  @Test
  void aChatsFirstEntryIsOwedToTheListsOfBoth() {
    heads.put(CHAT, 0L);
    attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    endOfBatch();

    assertThat(submitted)
        .extracting(Submitted::command)
        .containsExactlyInAnyOrder(
            new Command.ListChat(ALICE.user(), CHAT), new Command.ListChat(BOB.user(), CHAT));
    ack(BOB, CHAT, 1);
    endOfBatch();
    assertThat(settled).isEmpty();

    answerLists();
    pass(1);
    assertThat(settled).containsExactly(1L);
  }

  @Test
  void aListThatFoundAFullRingIsSubmittedAgainUntilItIsAnswered() {
    heads.put(CHAT, 0L);
    ringsAccept = false;
    on(ALICE, CHAT);
    endOfBatch();
    assertThat(settled).isEmpty();

    ringsAccept = true;
    pass(1);
    assertThat(submitted).hasSize(2);
    // Lost on the way: once more.
    submitted.clear();
    pass(2);
    assertThat(submitted).hasSize(2);
    answerLists();
    pass(1);
    assertThat(settled).containsExactly(1L);
    submitted.clear();
    pass(20);
    assertThat(submitted).isEmpty();
  }

  @Test
  void aDeviceThatCameBeforeItsListKnewTheChatIsNudged() {
    heads.put(CHAT, 0L);
    attach(ALICE, EDGE, 1);
    on(ALICE, CHAT);
    endOfBatch();
    calls.clear();
    // Found nothing in the chat list, and was not there when the entry was dispatched.
    var bob = attach(BOB, EDGE, 2);

    answerLists();
    pass(1);

    assertThat(all()).containsExactly(new Delivery.Nudge(CHAT, bob));
  }

  @Test
  void aDeviceThatCameAndLeftBeforeItsListKnewTheChatFindsItInItsNews() {
    heads.put(CHAT, 0L);
    on(ALICE, CHAT);
    endOfBatch();
    // Its scan has found nothing, so it thinks that nothing is due.
    directory.detach(attach(BOB, EDGE, 2), Set.of());

    answerLists();
    pass(1);

    assertThat(directory.attach(BOB, EDGE, 3, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void aShardIsAnsweredThroughItsAddress() {
    var origin = new Origin(new EdgeId("shard-5", 3), 12, 1);
    on(new Command.ListChat(BOB.user(), CHAT), origin, Outcome.Done.DONE);
    endOfBatch();

    assertThat(deliveries(new EdgeId("shard-5", 3), Delivery.Answer.class))
        .extracting(Delivery.Answer::to)
        .containsExactly(origin);
  }

  @Test
  void aListThatIsRefusedForNowIsTriedAgain() {
    heads.put(CHAT, 0L);
    on(ALICE, CHAT);
    endOfBatch();
    var first = List.copyOf(submitted);
    submitted.clear();
    for (var one : first) {
      dispatcher.deliver(
          List.of(
              new Delivery.Answer(
                  one.origin(), one.command(), new Outcome.Refused(ErrorCode.BUSY, 0, ""))));
    }
    pass(2);

    assertThat(submitted).hasSize(2);
    assertThat(settled).isEmpty();
  }

  // ---- a former life

  @Test
  void whatAFormerLifeOwedIsDeliveredWatchedAndPushedOnlyAfterTheWatch() {
    var bob = attach(BOB, EDGE, 2);
    var entry = entry(ALICE, CHAT);
    var due = new OutboxRecord.Due(entry, List.of(ALICE.user(), BOB.user()), List.of(BOB.user()));
    var nobodyWaits =
        new OutboxRecord.Due(entry(ALICE, OTHER_CHAT), List.of(ALICE.user()), List.of());
    dispatcher.recover(
        List.of(
            new OutboxRecord(41, List.of(nobodyWaits), List.of()),
            new OutboxRecord(42, List.of(due), List.of(new Command.ListChat(BOB.user(), CHAT)))),
        now);

    assertThat(settled).containsExactly(41L);
    assertThat(only(EDGE, Delivery.Entries.class).to()).containsExactly(bob);
    assertThat(submitted).hasSize(1);
    assertThat(pushes).isEmpty();

    answerLists();
    pass(11);
    assertThat(pushes).containsExactly(new Push(BOB.user(), CHAT, entry.seq()));
    assertThat(settled).containsExactly(41L, 42L);
  }

  @Test
  void whoComesBackAndAcknowledgesWhatAFormerLifeOwedIsNotPushedTo() {
    var entry = entry(ALICE, CHAT);
    dispatcher.recover(
        List.of(
            new OutboxRecord(
                42,
                List.of(
                    new OutboxRecord.Due(
                        entry, List.of(ALICE.user(), BOB.user()), List.of(BOB.user()))),
                List.of())),
        now);
    pass(3);
    ack(BOB, CHAT, entry.seq());
    endOfBatch();
    pass(20);

    assertThat(pushes).isEmpty();
    assertThat(settled).containsExactly(42L);
  }

  // ---- plumbing

  // ---- groups, settings, devices

  @Test
  void whatTheServerMadeOfAChangeGoesToTheActingDeviceToo() {
    var acting = attach(ALICE, EDGE, 1);
    var member = attach(BOB, EDGE, 2);
    var entry = new Entry(GROUP, 9, ALICE, 0, now, 9, CONTENT);
    on(
        new Command.GroupEdit(ALICE, GROUP, NO_BODY, new GroupChange.Title("new")),
        new Origin(EDGE, 1, 3),
        new Outcome.Sent(entry, false, List.of(ALICE.user(), BOB.user()), List.of()));
    endOfBatch();

    var entries = only(EDGE, Delivery.Entries.class);
    assertThat(entries.to()).containsExactlyInAnyOrder(acting, member);
    assertThat(entries.ownBody()).isSameAs(entries.body());
    assertThat(parse(entries.body()).getSender()).isEqualTo(ALICE.user().value());
    assertThat(all().getFirst()).isInstanceOf(Delivery.Answer.class);
  }

  @Test
  void aThousandMembersCostOneLookupOneEncodingAndOneMessageAnEdge() {
    var counting = new CountingDirectory(directory);
    dispatcher = dispatcher(counting);
    var members = new UserId[1_000];
    for (int i = 0; i < members.length; i++) {
      members[i] = new UserId(10_000 + i);
      attach(new DeviceId(members[i], 1), i % 2 == 0 ? EDGE : OTHER_EDGE, i + 1);
    }
    on(new DeviceId(members[0], 1), GROUP, members);
    endOfBatch();

    assertThat(counting.lookups).isEqualTo(1);
    assertThat(calls).hasSize(2);
    var here = only(EDGE, Delivery.Entries.class);
    var there = only(OTHER_EDGE, Delivery.Entries.class);
    assertThat(here.body()).isSameAs(there.body());
    assertThat(here.to()).hasSize(499);
    assertThat(there.to()).hasSize(500);
  }

  @Test
  void absentMembersGetNewsAndThoseBeyondTheWatchAPushIntentAtOnce() {
    var members = new UserId[20];
    for (int i = 0; i < members.length; i++) {
      members[i] = new UserId(10_000 + i);
      var session = attach(new DeviceId(members[i], 1), EDGE, i + 1);
      if (i >= 15) {
        directory.detach(session, Set.of());
      }
    }
    on(new DeviceId(members[0], 1), GROUP, members);
    endOfBatch();

    // Fourteen are there, eight of them fit the watch; five are not there.
    assertThat(dispatcher.watched()).isEqualTo(CONFIG.watchedMax());
    assertThat(pushes).hasSize(14 - CONFIG.watchedMax() + 5);
    var news = directory.attach(new DeviceId(members[19], 1), EDGE, 99, true).join().news();
    assertThat(news).containsExactly(GROUP);
  }

  @Test
  void aChangeThatBlocksIsAnsweredWhenTheChatsShardHasCommittedIt() {
    attach(ALICE, EDGE, 1);
    var self = ChatId.direct(ALICE.user(), ALICE.user());
    var change = new Command.ChangeSettings(ALICE, List.of());
    var block = new Command.SetBlock(CHAT, ALICE.user(), true, 5);
    var other = new Command.SetBlock(OTHER_CHAT, ALICE.user(), true, 5);
    var entry = new Entry(self, 5, ALICE, 0, now, 5, CONTENT);
    var origin = new Origin(EDGE, 1, 3);
    var outcome = new Outcome.Sent(entry, false, List.of(ALICE.user()), List.of(block, other));
    on(change, origin, outcome);
    endOfBatch();

    assertThat(deliveries(EDGE, Delivery.Entries.class)).hasSize(1);
    assertThat(deliveries(EDGE, Delivery.Answer.class)).isEmpty();
    assertThat(settled).isEmpty();
    var duties = List.copyOf(submitted);
    assertThat(duties).extracting(Submitted::command).containsExactly(block, other);
    done(duties.get(0));
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).as("one of two").isEmpty();

    submitted.clear();
    done(duties.get(1));
    assertThat(submitted)
        .as("so that the answer does not wait for the next tick")
        .extracting(Submitted::command)
        .containsExactly(new Command.Tick(change.slot(), false));
    endOfBatch();
    assertThat(only(EDGE, Delivery.Answer.class))
        .isEqualTo(new Delivery.Answer(origin, change, outcome));
    assertThat(settled).containsExactly(1L);

    done(duties.get(1));
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).as("told once").hasSize(1);
  }

  @Test
  void aBlockThatACrashInterruptedIsRepeatedUntilItIsDone() {
    var block = new Command.SetBlock(CHAT, ALICE.user(), true, 5);
    ringsAccept = false;
    dispatcher.recover(List.of(new OutboxRecord(7, List.of(), List.of(block))), now);
    assertThat(submitted).isEmpty();
    ringsAccept = true;
    pass(1);
    assertThat(submitted).extracting(Submitted::command).containsExactly(block);
    pass(3);
    assertThat(submitted).as("not answered").hasSizeGreaterThan(1);
    assertThat(settled).isEmpty();
    done(submitted.getFirst());
    pass(1);
    assertThat(settled).containsExactly(7L);
    assertThat(calls).isEmpty();
  }

  @Test
  void aRepeatIsAnsweredAtOnceAndHasNoDuties() {
    var block = new Command.SetBlock(CHAT, ALICE.user(), true, 5);
    var entry = new Entry(GROUP, 5, ALICE, 0, now, 5, CONTENT);
    on(
        new Command.GroupEdit(ALICE, GROUP, NO_BODY, new GroupChange.Leave()),
        new Origin(EDGE, 1, 3),
        new Outcome.Sent(entry, true, List.of(ALICE.user(), BOB.user()), List.of(block)));
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).hasSize(1);
    assertThat(submitted).isEmpty();
  }

  @Test
  void howFarAGroupHasGotIsToldToItsAuthorsOnly() {
    var phone = attach(ALICE, EDGE, 1);
    var laptop = attach(ALICES_LAPTOP, OTHER_EDGE, 2);
    attach(BOB, EDGE, 3);
    var author = new GroupProgress.Author(ALICE.user(), 40, 99, 57, 12);
    on(
        new Command.Tick(0, false),
        Origin.NOBODY,
        new Outcome.Ticked(List.of(new GroupProgress(GROUP, 30, 20, List.of(author)))));
    endOfBatch();

    assertThat(only(EDGE, Delivery.Progress.class))
        .isEqualTo(new Delivery.Progress(GROUP, 30, 20, 40, 99, 57, 12, List.of(phone)));
    assertThat(only(OTHER_EDGE, Delivery.Progress.class).to()).containsExactly(laptop);
    assertThat(all()).hasSize(2);
  }

  @Test
  void theSessionOfARemovedDeviceIsEndedAndNoOther() {
    attach(ALICE, EDGE, 1);
    var laptop = attach(ALICES_LAPTOP, OTHER_EDGE, 2);
    on(
        new Command.RemoveDevice(ALICE, 2),
        new Origin(EDGE, 1, 3),
        new Outcome.DeviceRemoved(ALICES_LAPTOP));
    endOfBatch();

    assertThat(only(OTHER_EDGE, Delivery.Revoked.class).session()).isEqualTo(laptop);
    assertThat(deliveries(EDGE, Delivery.Revoked.class)).isEmpty();
    assertThat(everywhere)
        .containsExactly(
            new Delivery.Gone(laptop.device().user(), laptop.device().index(), ErrorCode.REVOKED));
    assertThat(deliveries(EDGE, Delivery.Answer.class)).hasSize(1);
  }

  @Test
  void theSessionsOfAnErasedUserEndAndItIsAnsweredWhenTheirChatsKnow() {
    var phone = attach(ALICE, EDGE, 1);
    var laptop = attach(ALICES_LAPTOP, OTHER_EDGE, 2);
    attach(BOB, EDGE, 3);
    var erase = new Command.EraseUser(ALICE.user());
    var leave = new Command.Leave(GROUP, ALICE.user());
    on(erase, new Origin(EDGE, 1, 3), new Outcome.UserErased(ALICE.user(), List.of(leave), false));
    endOfBatch();

    assertThat(only(EDGE, Delivery.Revoked.class))
        .isEqualTo(new Delivery.Revoked(phone, ErrorCode.REVOKED));
    assertThat(only(OTHER_EDGE, Delivery.Revoked.class).session()).isEqualTo(laptop);
    assertThat(deliveries(EDGE, Delivery.Answer.class)).isEmpty();
    assertThat(settled).isEmpty();
    assertThat(submitted).extracting(Submitted::command).containsExactly(leave);
    done(submitted.getFirst());
    endOfBatch();
    assertThat(deliveries(EDGE, Delivery.Answer.class)).hasSize(1);
    assertThat(settled).containsExactly(1L);
  }

  @Test
  void whatAnErasedUsersChatsAreOwedIsRepeatedAfterACrash() {
    var leave = new Command.Leave(GROUP, ALICE.user());
    dispatcher.recover(List.of(new OutboxRecord(7, List.of(), List.of(leave))), now);
    assertThat(submitted).extracting(Submitted::command).containsExactly(leave);
    done(submitted.getFirst());
    pass(1);
    assertThat(settled).containsExactly(7L);
  }

  @Test
  void theSessionsOfABannedUserEnd() {
    var phone = attach(ALICE, EDGE, 1);
    attach(BOB, EDGE, 3);
    on(
        new Command.Ban(ALICE.user(), 99),
        new Origin(EDGE, 1, 3),
        new Outcome.UserBanned(ALICE.user()));
    endOfBatch();
    assertThat(only(EDGE, Delivery.Revoked.class))
        .isEqualTo(new Delivery.Revoked(phone, ErrorCode.BANNED));
    assertThat(deliveries(EDGE, Delivery.Answer.class)).hasSize(1);
  }

  // ---- a directory that does not answer

  private boolean isDirectoryAway;

  private void withFailingDirectory() {
    dispatcher = dispatcher(new FailingDirectory(directory, () -> isDirectoryAway));
  }

  @Test
  void whatCameWhileTheDirectoryWasAwayIsToldWhenItIsBack() {
    withFailingDirectory();
    var phone = attach(BOB, EDGE, 2);
    isDirectoryAway = true;
    on(send(ALICE, CHAT), new Origin(EDGE, 5, 77), sent(ALICE, CHAT, ALICE.user(), BOB.user()));
    endOfBatch();
    pass(2);
    assertThat(deliveries(EDGE, Delivery.Answer.class)).as("the sender is answered").hasSize(1);
    assertThat(all()).hasSize(1);
    assertThat(pushes).as("he may well be connected").isEmpty();
    assertThat(settled).isEmpty();

    isDirectoryAway = false;
    pass(1);
    assertThat(only(EDGE, Delivery.Nudge.class)).isEqualTo(new Delivery.Nudge(CHAT, phone, 2));
    ack(BOB, CHAT, 2);
    endOfBatch();
    assertThat(settled).containsExactly(1L);
    pass(20);
    assertThat(deliveries(EDGE, Delivery.Nudge.class)).as("told once").hasSize(1);
    assertThat(pushes).isEmpty();
  }

  @Test
  void whoIsAbsentFindsInItsNewsWhatCameWhileTheDirectoryWasAway() {
    withFailingDirectory();
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    isDirectoryAway = true;
    on(ALICE, CHAT);
    endOfBatch();
    // Longer than the watch: he is pushed to, and that is no news.
    pass(15);
    assertThat(pushes).containsExactly(new Push(BOB.user(), CHAT, 2));
    assertThat(settled).as("a crash now must not lose the news").isEmpty();

    isDirectoryAway = false;
    pass(1);
    assertThat(settled).containsExactly(1L);
    assertThat(directory.attach(BOB, EDGE, 3, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void aDirectoryThatIsAwayForLongStopsTheSends() {
    withFailingDirectory();
    isDirectoryAway = true;
    for (int i = 0; i < 5; i++) {
      assertThat(dispatcher.isFull()).isFalse();
      on(ALICE, ChatId.direct(ALICE.user(), new UserId(4000 + i)));
      endOfBatch();
    }
    assertThat(dispatcher.isFull()).as("10 are owed something, of 8").isTrue();
    isDirectoryAway = false;
    pass(1);
    assertThat(dispatcher.isFull()).isFalse();
  }

  @Test
  void newsThatTheDirectoryDidNotTakeAreGivenAgain() {
    directory.detach(attach(BOB, EDGE, 2), Set.of());
    boolean[] refuses = {true};
    dispatcher =
        dispatcher(
            new CountingDirectory(directory) {
              @Override
              public Map<UserId, Routes> addNews(Collection<News> news) {
                if (refuses[0]) {
                  throw new IllegalStateException("no room");
                }
                return super.addNews(news);
              }
            });
    on(ALICE, CHAT);
    endOfBatch();
    pass(1);
    refuses[0] = false;
    pass(1);
    assertThat(directory.attach(BOB, EDGE, 3, true).join().news()).containsExactly(CHAT);
  }

  @Test
  void aNudgeThatFoundNoDirectoryComesLater() {
    withFailingDirectory();
    var phone = attach(BOB, EDGE, 2);
    on(ALICE, CHAT);
    endOfBatch();
    isDirectoryAway = true;
    pass(6);
    assertThat(deliveries(EDGE, Delivery.Nudge.class)).isEmpty();
    isDirectoryAway = false;
    pass(1);
    assertThat(only(EDGE, Delivery.Nudge.class)).isEqualTo(new Delivery.Nudge(CHAT, phone));
  }

  @Test
  void aLifeThatBeginsWithoutTheDirectoryTellsWhatIsOwedWhenItIsBack() {
    withFailingDirectory();
    isDirectoryAway = true;
    var entry = entry(ALICE, CHAT);
    dispatcher.recover(
        List.of(
            new OutboxRecord(
                7,
                List.of(
                    new OutboxRecord.Due(
                        entry, List.of(ALICE.user(), BOB.user()), List.of(BOB.user()))),
                List.of())),
        now);
    var phone = attach(BOB, EDGE, 2);
    isDirectoryAway = false;
    pass(1);
    assertThat(only(EDGE, Delivery.Nudge.class))
        .isEqualTo(new Delivery.Nudge(CHAT, phone, entry.seq()));
    ack(BOB, CHAT, entry.seq());
    endOfBatch();
    assertThat(settled).contains(7L);
  }

  @Test
  void aRemovedDeviceIsOutWithoutTheDirectoryToo() {
    withFailingDirectory();
    isDirectoryAway = true;
    on(new Command.RemoveDevice(BOBS_LAPTOP, 1), Origin.NOBODY, new Outcome.DeviceRemoved(BOB));
    endOfBatch();
    assertThat(everywhere).containsExactly(new Delivery.Gone(BOB.user(), 1, ErrorCode.REVOKED));
  }

  private void done(Submitted duty) {
    dispatcher.deliver(
        List.of(new Delivery.Answer(duty.origin(), duty.command(), Outcome.Done.DONE)));
  }

  /// What went to every edge.
  private final List<Delivery> everywhere = new ArrayList<>();

  private Dispatcher dispatcher(Directory over) {
    return new Dispatcher(
        ADDRESS,
        over,
        new Bus() {
          @Override
          public void toEdge(EdgeId edge, List<Delivery> deliveries) {
            assertThat(deliveries).isNotEmpty();
            calls.add(Map.entry(edge, deliveries));
          }

          @Override
          public void toEveryEdge(Delivery delivery) {
            everywhere.add(delivery);
          }

          @Override
          public void register(EdgeId edge, Deliveries deliveries) {}

          @Override
          public void unregister(EdgeId edge) {}
        },
        (user, chat, seq) -> {
          pushes.add(new Push(user, chat, seq));
          return pushQueueAccepts;
        },
        (command, origin) -> {
          if (ringsAccept) {
            submitted.add(new Submitted(command, origin));
          }
          return ringsAccept;
        },
        CONFIG,
        RouterMetrics.NONE,
        settled::add);
  }

  private Attachment attach(DeviceId device, EdgeId edge, long session) {
    return directory.attach(device, edge, session, true).join().now();
  }

  private void on(Command command, Origin origin, Outcome outcome) {
    dispatcher.on(command, origin, outcome, now);
  }

  private void on(DeviceId from, ChatId chat) {
    on(from, chat, new UserId(chat.low()), new UserId(chat.high()));
  }

  private void on(DeviceId from, ChatId chat, UserId... members) {
    on(send(from, chat), Origin.NOBODY, sent(from, chat, members));
  }

  private void ack(DeviceId from, ChatId chat, long seq) {
    on(
        new Command.Ack(from, chat, seq),
        Origin.NOBODY,
        new Outcome.Moved(from.user(), seq, 0, seq, 0, List.of(ALICE.user())));
  }

  private void endOfBatch() {
    dispatcher.endOfBatch(++batch, now);
  }

  private void pass(int seconds) {
    for (int i = 0; i < seconds; i++) {
      now += 1_000;
      dispatcher.tick(now);
    }
  }

  private void answerLists() {
    for (var one : submitted) {
      assertThat(one.origin().edge()).isEqualTo(ADDRESS);
      dispatcher.deliver(
          List.of(new Delivery.Answer(one.origin(), one.command(), Outcome.Done.DONE)));
    }
    submitted.clear();
  }

  private static Command.Send send(DeviceId from, ChatId chat) {
    return new Command.Send(from, chat, NO_BODY);
  }

  private static final byte[] NO_BODY = {};

  private Outcome.Sent sent(DeviceId from, ChatId chat, UserId... members) {
    var entry = entry(from, chat);
    List<Command> duties =
        entry.seq() > 1
            ? List.of()
            : Arrays.stream(members)
                .<Command>map(member -> new Command.ListChat(member, chat))
                .toList();
    return new Outcome.Sent(entry, false, Arrays.asList(members), duties);
  }

  // Chats begin in the middle, unless a test says otherwise: no chat lists.
  private Entry entry(DeviceId from, ChatId chat) {
    long seq = heads.merge(chat, 2L, (head, first) -> head + 1);
    return new Entry(chat, seq, from, 1, now, seq, CONTENT);
  }

  private static final byte[] CONTENT =
      Content.newBuilder()
          .setKind(Kind.KIND_TEXT)
          .setBody(com.google.protobuf.ByteString.copyFromUtf8("hello"))
          .build()
          .toByteArray();

  private List<Delivery> all() {
    return calls.stream().flatMap(call -> call.getValue().stream()).toList();
  }

  private <D extends Delivery> List<D> deliveries(EdgeId edge, Class<D> type) {
    return calls.stream()
        .filter(call -> call.getKey().equals(edge))
        .flatMap(call -> call.getValue().stream())
        .filter(type::isInstance)
        .map(type::cast)
        .toList();
  }

  private <D extends Delivery> D only(EdgeId edge, Class<D> type) {
    var found = deliveries(edge, type);
    assertThat(found).hasSize(1);
    return found.getFirst();
  }

  private static Deliver parse(byte[] body) {
    try {
      return Deliver.parseFrom(body);
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  private static class CountingDirectory implements Directory {
    private final Directory over;
    int lookups;

    CountingDirectory(Directory over) {
      this.over = over;
    }

    @Override
    public CompletableFuture<Attached> attach(
        DeviceId device, EdgeId edge, long session, boolean active) {
      return over.attach(device, edge, session, active);
    }

    @Override
    public void setActive(Attachment attachment, boolean active) {
      over.setActive(attachment, active);
    }

    @Override
    public void detach(Attachment attachment, @Nullable Set<ChatId> due) {
      over.detach(attachment, due);
    }

    @Override
    public List<Routes> lookup(List<UserId> users) {
      lookups++;
      return over.lookup(users);
    }

    @Override
    public Map<UserId, Routes> addNews(Collection<News> news) {
      return over.addNews(news);
    }
  }
}

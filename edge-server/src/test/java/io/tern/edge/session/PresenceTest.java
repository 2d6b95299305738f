package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.Block;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Contact;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Presence;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Typing;
import io.tern.protocol.v1.UserPresence;
import java.time.Duration;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Presence and typing as clients see them.
class PresenceTest {

  private static final UserId ALICE = new UserId(1_001);
  private static final UserId BOB = new UserId(2_002);
  private static final UserId CAROL = new UserId(3_003);
  private static final ChatId CHAT = ChatId.direct(ALICE, BOB);
  private static final Typing TYPES = Typing.newBuilder().setOn(true).build();

  private final Node node = new Node();
  private Node.Client alice;
  private Node.Client bob;

  @BeforeEach
  void bothAreThere() {
    alice = node.login(ALICE, 1);
    bob = node.login(BOB, 1);
    node.pass(Duration.ofSeconds(2));
  }

  private static UserPresence watch(Node.Client client, UserId user) {
    FakeHost.Out page =
        client.ask(FrameType.PRESENCE_SUB, PresenceSub.newBuilder().addUsers(user.value()).build());
    assertThat(page.type()).as("%s", page.error()).isEqualTo(FrameType.PRESENCE_PAGE);
    return page.as(Presence.getDefaultInstance()).getUsers(0);
  }

  private static List<UserPresence> told(Node.Client client) {
    return client.take(FrameType.PRESENCE).stream()
        .flatMap(out -> out.as(Presence.getDefaultInstance()).getUsersList().stream())
        .toList();
  }

  private static Setting.Builder shows(Audience online, Audience lastSeen) {
    return Setting.newBuilder()
        .setPrivacy(Privacy.newBuilder().setOnline(online).setLastSeen(lastSeen));
  }

  private static final UserPresence NOTHING_OF_BOB =
      UserPresence.newBuilder().setUser(BOB.value()).build();

  @Test
  void comingIsToldWithinASecondAndGoingAfterTheGrace() {
    assertThat(watch(alice, BOB).getOnline()).isTrue();
    bob.disconnect();
    node.pass(Duration.ofSeconds(4));
    assertThat(told(alice)).isEmpty();
    node.pass(Duration.ofSeconds(2));
    assertThat(told(alice))
        .singleElement()
        .matches(user -> !user.getOnline() && user.getLastSeenMs() > 0);

    node.login(BOB, 1);
    node.pass(Duration.ofSeconds(1));
    assertThat(told(alice)).singleElement().matches(UserPresence::getOnline);
  }

  @Test
  void aReconnectIsNotTold() {
    watch(alice, BOB);
    bob.disconnect();
    node.pass(Duration.ofSeconds(2));
    node.login(BOB, 1);
    node.pass(Duration.ofSeconds(10));
    assertThat(told(alice)).isEmpty();
  }

  @Test
  void aUserIsThereWhileAnyDeviceIs() {
    watch(alice, BOB);
    Node.Client laptop = node.login(BOB, 2);
    bob.disconnect();
    node.pass(Duration.ofSeconds(10));
    assertThat(told(alice)).isEmpty();
    laptop.disconnect();
    node.pass(Duration.ofSeconds(6));
    assertThat(told(alice)).singleElement().matches(user -> !user.getOnline());
  }

  @Test
  void aDeviceThatIsBehindStopsWatchingAsSoonAsAnotherOneChangesWhatIsShown() {
    var narrow = new Node("limits.window.entries=2");
    alice = narrow.login(ALICE, 1);
    bob = narrow.login(BOB, 1);
    Node.Client laptop = narrow.login(BOB, 2);
    watch(laptop, ALICE);
    laptop.acknowledges = false;
    for (int i = 0; i < 4; i++) {
      alice.text(CHAT, "more");
    }
    assertThat(laptop.take(FrameType.BEHIND)).hasSize(1);
    bob.set(shows(Audience.AUDIENCE_NOBODY, Audience.AUDIENCE_NOBODY));
    assertThat(told(laptop)).singleElement().matches(UserPresence::getLapsed);
  }

  @Test
  void nobodyIsToldWhoDoesNotWatchAndNotAfterTheLease() {
    watch(alice, BOB);
    Node.Client carol = node.login(CAROL, 1);
    node.wallMillis += Watching.LEASE.toMillis();
    bob.disconnect();
    node.pass(Duration.ofSeconds(6));
    assertThat(told(alice)).isEmpty();
    assertThat(told(carol)).isEmpty();
  }

  @Test
  void aWatchReplacesTheOneBeforeAndAnEmptyOneEndsIt() {
    node.login(CAROL, 1);
    watch(alice, CAROL);
    watch(alice, BOB);
    assertThat(node.hub.watches()).isEqualTo(1);
    alice.ask(FrameType.PRESENCE_SUB, PresenceSub.getDefaultInstance());
    assertThat(node.hub.watches()).isZero();
  }

  @Test
  void aSessionThatEndsWatchesNothing() {
    watch(alice, BOB);
    alice.disconnect();
    assertThat(node.hub.watches()).isZero();
  }

  @Test
  void moreThanAHundredIsAnArgument() {
    var many =
        PresenceSub.newBuilder()
            .addAllUsers(LongStream.rangeClosed(1, 60).boxed().toList())
            .addAllGroups(LongStream.rangeClosed(1, 41).boxed().toList())
            .build();
    assertThat(alice.ask(FrameType.PRESENCE_SUB, many).error()).isEqualTo(ErrorCode.ARGUMENT);
    assertThat(
            alice.ask(FrameType.PRESENCE_SUB, PresenceSub.newBuilder().addUsers(0).build()).error())
        .isEqualTo(ErrorCode.ARGUMENT);
  }

  // ---- privacy ---------------------------------------------------------------------------------

  @Test
  void whoHidesBlocksOrDoesNotExistLooksTheSame() {
    bob.set(shows(Audience.AUDIENCE_NOBODY, Audience.AUDIENCE_NOBODY));
    assertThat(watch(alice, BOB)).isEqualTo(NOTHING_OF_BOB);
    bob.disconnect();
    node.pass(Duration.ofSeconds(6));
    assertThat(told(alice)).isEmpty();

    Node.Client again = node.login(BOB, 1);
    again.set(shows(Audience.AUDIENCE_EVERYONE, Audience.AUDIENCE_EVERYONE));
    assertThat(watch(alice, BOB).getOnline()).isTrue();
    again.set(Setting.newBuilder().setBlock(Block.newBuilder().setUser(ALICE.value()).setOn(true)));
    assertThat(watch(alice, BOB)).isEqualTo(NOTHING_OF_BOB);
    assertThat(watch(again, ALICE).getOnline()).isFalse();
    UserId nobody = new UserId(77);
    assertThat(watch(alice, nobody))
        .isEqualTo(UserPresence.newBuilder().setUser(nobody.value()).build());
  }

  @Test
  void whatOneDoesNotShowOneIsNotShown() {
    alice.set(shows(Audience.AUDIENCE_NOBODY, Audience.AUDIENCE_EVERYONE));
    UserPresence seen = watch(alice, BOB);
    assertThat(seen.getOnline()).isFalse();
    assertThat(seen.getLastSeenMs()).isPositive();
  }

  @Test
  void contactsAreTheOnesOfWhoShows() {
    bob.set(shows(Audience.AUDIENCE_CONTACTS, Audience.AUDIENCE_CONTACTS_EXCEPT));
    assertThat(watch(alice, BOB)).isEqualTo(NOTHING_OF_BOB);
    bob.set(Setting.newBuilder().setContact(Contact.newBuilder().setUser(ALICE.value())));
    assertThat(told(alice)).singleElement().matches(UserPresence::getLapsed);
    assertThat(watch(alice, BOB).getOnline()).isTrue();
    assertThat(watch(alice, BOB).getLastSeenMs()).isPositive();
    bob.set(
        Setting.newBuilder()
            .setPrivacy(
                Privacy.newBuilder()
                    .setOnline(Audience.AUDIENCE_CONTACTS)
                    .setLastSeen(Audience.AUDIENCE_CONTACTS_EXCEPT)
                    .addExcept(ALICE.value())));
    assertThat(watch(alice, BOB).getOnline()).isTrue();
    assertThat(watch(alice, BOB).getLastSeenMs()).isZero();
  }

  @Test
  void aChangeOfPrivacyEndsTheWatchesOfThatUserAndTheirOwn() {
    watch(alice, BOB);
    watch(bob, ALICE);
    bob.set(shows(Audience.AUDIENCE_NOBODY, Audience.AUDIENCE_NOBODY));
    assertThat(told(alice))
        .singleElement()
        .matches(user -> user.getLapsed() && user.getUser() == BOB.value());
    assertThat(told(bob))
        .singleElement()
        .matches(user -> user.getLapsed() && user.getUser() == ALICE.value());
    assertThat(node.hub.watches()).isZero();
  }

  @Test
  void theEndOfAWatchIsToldHoweverBusyTheSessionIs() {
    watch(alice, BOB);
    alice.writable = false;
    bob.set(shows(Audience.AUDIENCE_NOBODY, Audience.AUDIENCE_NOBODY));
    assertThat(told(alice)).singleElement().matches(UserPresence::getLapsed);
  }

  @Test
  void aBlockEndsTheWatchesOfBothBeforeItIsAnswered() {
    watch(alice, BOB);
    watch(bob, ALICE);
    Node.Client carol = node.login(CAROL, 1);
    watch(carol, BOB);
    bob.set(Setting.newBuilder().setBlock(Block.newBuilder().setUser(ALICE.value()).setOn(true)));
    assertThat(node.hub.watches()).isEqualTo(1);
    told(alice);
    told(carol);
    bob.disconnect();
    node.pass(Duration.ofSeconds(6));
    assertThat(told(alice)).isEmpty();
    assertThat(told(carol)).singleElement().matches(user -> !user.getOnline());
  }

  // ---- last seen -------------------------------------------------------------------------------

  @Test
  void lastSeenIsWrittenOnComingAndGoingAndOnceAMinuteWhileActive() {
    long came = node.wallMillis;
    Node.Client carol = node.login(CAROL, 1);
    assertThat(watch(alice, CAROL).getLastSeenMs()).isEqualTo(came);
    node.pass(Duration.ofSeconds(90));
    assertThat(watch(alice, CAROL).getLastSeenMs()).as("not active").isEqualTo(came);
    carol.text(ChatId.direct(CAROL, ALICE), "active");
    node.pass(Duration.ofSeconds(1));
    long active = node.wallMillis;
    assertThat(watch(alice, CAROL).getLastSeenMs()).isEqualTo(active);
    carol.text(ChatId.direct(CAROL, ALICE), "still active");
    node.pass(Duration.ofSeconds(30));
    assertThat(watch(alice, CAROL).getLastSeenMs()).isEqualTo(active);
    carol.disconnect();
    assertThat(watch(alice, CAROL).getLastSeenMs()).isEqualTo(node.wallMillis);
  }

  // ---- the background --------------------------------------------------------------------------

  // TERN-23-3
  @ParameterizedTest
  @EnumSource(names = {"CLIENT_ACTIVITY_INACTIVE", "CLIENT_ACTIVITY_PASSIVE"})
  void whoGoesToTheBackgroundIsOfflineAfterTheGraceAndWasSeenThen(ClientActivity background) {
    assertThat(watch(alice, BOB).getOnline()).isTrue();
    bob.become(background);
    long left = node.wallMillis;
    node.pass(Duration.ofSeconds(4));
    assertThat(told(alice)).isEmpty();
    node.pass(Duration.ofSeconds(2));
    assertThat(told(alice))
        .singleElement()
        .matches(user -> !user.getOnline())
        .extracting(UserPresence::getLastSeenMs)
        .satisfies(seen -> assertThat(seen).isBetween(left, left + 1_000));

    // What it does there is no sign of a person.
    node.pass(Duration.ofSeconds(100));
    bob.become(background);
    node.pass(Duration.ofSeconds(10));
    bob.disconnect();
    node.pass(Duration.ofSeconds(10));
    assertThat(told(alice)).isEmpty();
    assertThat(watch(alice, BOB).getLastSeenMs()).isLessThanOrEqualTo(left + 1_000);
  }

  // TERN-23-3
  @ParameterizedTest
  @EnumSource(names = {"CLIENT_ACTIVITY_INACTIVE", "CLIENT_ACTIVITY_PASSIVE"})
  void whoIsWokenIsNotThereUntilSomebodyLooksAndGetsMessagesAllTheSame(ClientActivity woken) {
    assertThat(watch(alice, CAROL).getLastSeenMs()).isZero();
    Node.Client carol = node.login(CAROL, 1, woken);
    node.pass(Duration.ofSeconds(10));
    assertThat(told(alice)).isEmpty();
    assertThat(watch(alice, CAROL))
        .isEqualTo(UserPresence.newBuilder().setUser(CAROL.value()).build());
    alice.text(ChatId.direct(ALICE, CAROL), "woken");
    assertThat(carol.take(FrameType.DELIVER)).hasSize(1);
    node.pass(Duration.ofSeconds(90));
    assertThat(told(alice)).as("an acknowledgement is no person").isEmpty();

    carol.become(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
    node.pass(Duration.ofSeconds(1));
    assertThat(told(alice)).singleElement().matches(UserPresence::getOnline);
    assertThat(watch(alice, CAROL).getLastSeenMs()).isEqualTo(node.wallMillis);
  }

  @Test
  void whoDoesNotSayIsThereAndWhoSaysNothingOfItStaysAsTheyAre() {
    Node.Client carol = node.login(CAROL, 1, ClientActivity.CLIENT_ACTIVITY_UNSPECIFIED);
    assertThat(watch(alice, CAROL).getOnline()).isTrue();
    carol.become(ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    carol.become(ClientActivity.CLIENT_ACTIVITY_UNSPECIFIED);
    assertThat(watch(alice, CAROL).getOnline()).isFalse();
    carol.become(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
    carol.become(ClientActivity.CLIENT_ACTIVITY_UNSPECIFIED);
    assertThat(watch(alice, CAROL).getOnline()).isTrue();
  }

  @Test
  void aUserIsThereWhileAnyDeviceIsInFront() {
    watch(alice, BOB);
    Node.Client laptop = node.login(BOB, 2, ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    laptop.become(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
    bob.become(ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    node.pass(Duration.ofSeconds(10));
    assertThat(told(alice)).isEmpty();
    laptop.disconnect();
    node.pass(Duration.ofSeconds(6));
    assertThat(told(alice))
        .as("bob's phone is connected")
        .singleElement()
        .matches(user -> !user.getOnline());
  }

  @Test
  void aSessionInTheBackgroundThatTakesTheFirstOnesPlaceIsToldLikeLeaving() {
    watch(alice, BOB);
    node.login(BOB, 1, ClientActivity.CLIENT_ACTIVITY_PASSIVE);
    node.pass(Duration.ofSeconds(4));
    assertThat(told(alice)).isEmpty();
    node.pass(Duration.ofSeconds(2));
    assertThat(told(alice)).singleElement().matches(user -> !user.getOnline());
  }

  @Test
  void aLookAtAnotherAppIsNotToldAndGoingBackAndForthCostsLittle() {
    watch(alice, BOB);
    long commands = node.seen;
    for (int second = 0; second < 20; second++) {
      for (int i = 0; i < 10; i++) {
        bob.become(ClientActivity.CLIENT_ACTIVITY_INACTIVE);
        bob.become(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
      }
      node.pass(Duration.ofSeconds(1));
    }
    assertThat(told(alice)).isEmpty();
    assertThat(node.seen - commands).as("writes, one a sweep").isEqualTo(20);
    for (int second = 0; second < 20; second++) {
      for (int i = 0; i < 10; i++) {
        bob.become(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
        bob.become(ClientActivity.CLIENT_ACTIVITY_INACTIVE);
      }
      node.pass(Duration.ofSeconds(1));
    }
    assertThat(told(alice)).isEmpty();
    assertThat(node.seen - commands).isEqualTo(40);
    node.pass(Duration.ofSeconds(6));
    assertThat(told(alice)).singleElement().matches(user -> !user.getOnline());
  }

  @Test
  void aVisitTooShortToBeToldMovesLastSeen() {
    bob.become(ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    node.pass(Duration.ofSeconds(60));
    assertThat(watch(alice, BOB).getOnline()).isFalse();
    bob.become(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
    bob.become(ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    long left = node.wallMillis;
    node.pass(Duration.ofSeconds(6));
    assertThat(told(alice))
        .singleElement()
        .matches(user -> !user.getOnline() && user.getLastSeenMs() >= left);
  }

  @Test
  void whoHidesIsNotBetrayedByGoingToTheBackground() {
    bob.set(shows(Audience.AUDIENCE_NOBODY, Audience.AUDIENCE_NOBODY));
    assertThat(watch(alice, BOB)).isEqualTo(NOTHING_OF_BOB);
    bob.become(ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    node.pass(Duration.ofSeconds(10));
    bob.become(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
    node.pass(Duration.ofSeconds(10));
    assertThat(told(alice)).isEmpty();
    assertThat(watch(alice, BOB)).isEqualTo(NOTHING_OF_BOB);
  }

  // ---- typing ----------------------------------------------------------------------------------

  @Test
  void typingReachesWhoWatchesTheUserAndNobodyElse() {
    alice.tell(FrameType.TYPING, CHAT, TYPES);
    assertThat(bob.take(FrameType.TYPING_PUSH)).isEmpty();
    Node.Client carol = node.login(CAROL, 1);
    watch(bob, ALICE);
    watch(carol, ALICE);
    alice.tell(FrameType.TYPING, CHAT, Typing.newBuilder().setOn(true).setRecording(true).build());

    FakeHost.Out push = bob.take(FrameType.TYPING_PUSH).getFirst();
    assertThat(push.chat()).isEqualTo(ALICE.value());
    Typing typing = push.as(Typing.getDefaultInstance());
    assertThat(typing.getOn()).isTrue();
    assertThat(typing.getRecording()).isTrue();
    assertThat(typing.getMember()).isZero();
    assertThat(carol.take(FrameType.TYPING_PUSH)).isEmpty();
  }

  @Test
  void typingInAGroupReachesMembersWhoWatchIt() {
    Node.Client carol = node.login(CAROL, 1);
    ChatId group = ChatId.group(alice.create("typists", BOB, CAROL).chat());
    var sub = PresenceSub.newBuilder().addGroups(group.high()).build();
    for (Node.Client client : List.of(alice, bob, carol)) {
      client.ask(FrameType.PRESENCE_SUB, sub);
    }
    alice.tell(FrameType.TYPING, group, TYPES);
    assertThat(alice.take(FrameType.TYPING_PUSH)).isEmpty();
    assertThat(bob.take(FrameType.TYPING_PUSH))
        .singleElement()
        .matches(push -> push.as(Typing.getDefaultInstance()).getMember() == ALICE.value());
    carol.take(FrameType.TYPING_PUSH);

    alice.edit(group, GroupEdit.newBuilder().setRemove(CAROL.value()));
    alice.tell(FrameType.TYPING, group, TYPES);
    assertThat(carol.take(FrameType.TYPING_PUSH)).as("removed, watches still").isEmpty();
    carol.tell(FrameType.TYPING, group, TYPES);
    assertThat(alice.take(FrameType.TYPING_PUSH)).as("from outside").isEmpty();
  }

  // TERN-23-4
  @Test
  void nobodyTypesInTheBackground() {
    watch(bob, ALICE);
    alice.become(ClientActivity.CLIENT_ACTIVITY_INACTIVE);
    alice.tell(FrameType.TYPING, CHAT, TYPES);
    assertThat(bob.take(FrameType.TYPING_PUSH)).isEmpty();
    assertThat(node.counters.get(Count.TYPING_DROPPED)).isEqualTo(1);
    alice.become(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
    alice.tell(FrameType.TYPING, CHAT, TYPES);
    assertThat(bob.take(FrameType.TYPING_PUSH)).hasSize(1);
  }

  @Test
  void typingDoesNotPassABlockAndIsDroppedFirst() {
    watch(bob, ALICE);
    bob.writable = false;
    alice.tell(FrameType.TYPING, CHAT, TYPES);
    bob.writable = true;
    assertThat(bob.take(FrameType.TYPING_PUSH)).isEmpty();
    assertThat(node.counters.get(Count.TYPING_DROPPED)).isEqualTo(1);

    alice.set(Setting.newBuilder().setBlock(Block.newBuilder().setUser(BOB.value()).setOn(true)));
    watch(bob, ALICE);
    alice.tell(FrameType.TYPING, CHAT, TYPES);
    assertThat(bob.take(FrameType.TYPING_PUSH)).isEmpty();
  }
}

package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.GroupChange;
import io.tern.store.Outcome;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What a round becomes: answers to who asked, entries and endings to whose they are, one message
/// an edge.
class DispatcherTest extends DispatcherFixture {

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

  /// Counts the look-ups.
  private static final class CountingDirectory extends ForwardingDirectory {
    int lookups;

    CountingDirectory(Directory over) {
      super(over);
    }

    @Override
    public List<Routes> lookup(List<UserId> users) {
      lookups++;
      return super.lookup(users);
    }
  }
}

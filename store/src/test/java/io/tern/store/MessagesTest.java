package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.EVE;
import static io.tern.store.ShardNode.EVE_1;
import static io.tern.store.ShardNode.body;
import static io.tern.store.ShardNode.contentOf;
import static io.tern.store.ShardNode.refused;
import static io.tern.store.ShardNode.sent;
import static io.tern.store.ShardNode.text;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.LinkPreview;
import io.tern.protocol.v1.Reaction;
import io.tern.protocol.v1.Role;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Events about messages: edits, revokes, reactions, view-once, timers, mentions.
class MessagesTest {

  private static final ChatId GROUP = ChatId.group(77);

  private final ShardNode node = new ShardNode();

  private static Content.Builder event(Kind kind, long target) {
    return Content.newBuilder().setKind(kind).setTarget(target);
  }

  private static Content.Builder edit(long target, String text) {
    return text(text).setKind(Kind.KIND_EDIT).setTarget(target);
  }

  private static Content.Builder reaction(long target, String text) {
    return text(text).setKind(Kind.KIND_REACTION).setTarget(target);
  }

  private static Content.Builder timer(int seconds) {
    return Content.newBuilder().setKind(Kind.KIND_TIMER).setTtlS(seconds);
  }

  private Content content(long seq) {
    return contentOf(node.entry(CHAT, ALICE, seq));
  }

  private void lookAtAllSlots() {
    for (int i = 0; i <= Slots.COUNT / Expiries.NEW_SLOTS_PER_TICK; i++) {
      node.tick();
    }
  }

  // ---- edits

  @Test
  void anEditRewritesItsMessage() {
    Content original =
        text("one")
            .setReplyTo(1)
            .setForwarded(3)
            .setPreview(LinkPreview.newBuilder().setUrl("http://a"))
            .build();
    node.send(BOB_1, 1, "zero");
    node.run(new Command.Send(ALICE_1, CHAT, body(1, original)));
    node.now += 60_000;

    Entry event = sent(node.send(ALICE_1, CHAT, 2, edit(2, "two"))).entry();

    assertThat(event.seq()).isEqualTo(3);
    Entry edited = node.entry(CHAT, BOB, 2);
    assertThat(edited.editedMillis()).isEqualTo(node.now);
    assertThat(edited.tsMillis()).isEqualTo(node.now - 60_000);
    assertThat(contentOf(edited))
        .isEqualTo(
            original.toBuilder().setBody(ByteString.copyFromUtf8("two")).clearPreview().build());
    assertThat(content(3).getBody().toStringUtf8()).isEqualTo("two");
    assertThat(node.summary(BOB_1).unread()).isEqualTo(1);
  }

  @Test
  void onlyTheNewestEditKeepsItsText() {
    node.send(ALICE_1, 1, "one");
    node.send(ALICE_1, CHAT, 2, edit(1, "two"));
    node.prepare(new Command.Send(ALICE_1, CHAT, body(3, edit(1, "three").build())));
    node.prepare(new Command.Send(ALICE_1, CHAT, body(4, edit(1, "four").build())));
    node.shard.commit();

    assertThat(node.texts()).containsExactly("four", "", "", "four");
    assertThat(content(2)).isEqualTo(Content.newBuilder().setKind(Kind.KIND_EDIT).build());
    assertThat(sent(node.send(ALICE_1, CHAT, 2, edit(1, "two"))).repeat()).isTrue();
    assertThat(sent(node.send(ALICE_1, 1, "one")).repeat()).isTrue();
    node.restart();
    assertThat(sent(node.send(ALICE_1, 1, "one")).repeat()).isTrue();
    assertThat(sent(node.send(ALICE_1, 5, "five")).entry().seq()).isEqualTo(5);
  }

  @Test
  void onlyOnesOwnMessageIsEditedAndOnlyForAWhile() {
    node.send(ALICE_1, 1, "one");
    refused(node.send(BOB_1, CHAT, 1, edit(1, "mine")), ErrorCode.NOT_ALLOWED);
    node.now += ShardConfig.EDIT_WINDOW.toMillis();
    sent(node.send(ALICE_1, CHAT, 2, edit(1, "two")));
    node.now += 1;

    refused(node.send(ALICE_1, CHAT, 3, edit(1, "three")), ErrorCode.NOT_ALLOWED);

    assertThat(node.texts()).containsExactly("two", "two");
  }

  @ParameterizedTest
  @ValueSource(strings = {"KIND_EDIT", "KIND_REVOKE", "KIND_REACTION", "KIND_OPENED"})
  void anEventNeedsAMessageThatIsThere(String name) {
    Kind kind = Kind.valueOf(name);
    node.send(ALICE_1, 1, "one");
    sent(node.send(ALICE_1, CHAT, 2, event(Kind.KIND_REVOKE, 1)));
    // Nothing, before the start, the future, itself, an event, what was taken back.
    for (long target : new long[] {0, -1, Long.MAX_VALUE, 3, 2, 1}) {
      refused(node.send(ALICE_1, CHAT, 3, event(kind, target)), ErrorCode.NOT_FOUND);
    }
  }

  @Test
  void whatOneCannotSeeIsNoTarget() {
    node.create(ALICE_1, GROUP, EVE);
    node.send(ALICE_1, GROUP, 1, "before");
    node.edit(ALICE_1, GROUP, new GroupChange.Add(List.of(BOB)));

    refused(node.send(BOB_1, GROUP, 1, reaction(2, "+")), ErrorCode.NOT_FOUND);
    refused(node.send(BOB_1, GROUP, 1, reaction(3, "+")), ErrorCode.NOT_FOUND);
  }

  @Test
  void whoHasLeftSeesNothingOfWhatBecameOfMessagesLater() {
    node.create(ALICE_1, GROUP, BOB, EVE);
    node.send(ALICE_1, GROUP, 1, "early");
    node.send(ALICE_1, GROUP, 2, edit(2, "in time"));
    node.send(ALICE_1, GROUP, 3, "late");
    node.send(ALICE_1, GROUP, 4, reaction(2, "a"));
    node.send(EVE_1, GROUP, 1, reaction(2, "a"));
    node.edit(BOB_1, GROUP, new GroupChange.Leave());
    node.send(ALICE_1, GROUP, 5, edit(4, "after he left"));
    node.send(ALICE_1, GROUP, 6, reaction(2, "b"));
    node.send(EVE_1, GROUP, 2, reaction(4, "c"));

    Entry early = node.entry(GROUP, BOB, 2);
    assertThat(ShardNode.textOf(early)).isEqualTo("in time");
    assertThat(early.editedMillis()).isPositive();
    Entry late = node.entry(GROUP, BOB, 4);
    assertThat(late.kind()).isEqualTo(Kind.KIND_TOMBSTONE_VALUE);
    assertThat(late.editedMillis()).isZero();
    assertThat(Reads.before(node.storage, GROUP, BOB, 5, 1, 1000).entries().getFirst().kind())
        .isEqualTo(Kind.KIND_TOMBSTONE_VALUE);
    assertThat(node.reactions(GROUP, 1, 9, BOB))
        .isEqualTo(Map.of(2L, List.of(Reaction.newBuilder().setText("a").setCount(1).build())));

    assertThat(ShardNode.textOf(node.entry(GROUP, ALICE, 4))).isEqualTo("after he left");
    assertThat(node.reactions(GROUP, 1, 9, ALICE)).containsOnlyKeys(2L, 4L);
  }

  // ---- revokes

  @Test
  void aRevokedMessageIsATombstoneThatDoesNotCount() {
    node.send(ALICE_1, CHAT, 1, text("one").addMentions(BOB.value()));
    node.send(ALICE_1, 2, "two");
    node.send(ALICE_1, CHAT, 3, edit(1, "one!").addMentions(BOB.value()));
    node.send(BOB_1, CHAT, 1, reaction(1, "+"));
    assertThat(node.summary(BOB_1).unread()).isZero();
    node.send(ALICE_1, CHAT, 4, text("three").addMentions(BOB.value()));
    assertThat(node.summary(BOB_1).unreadMentions()).isEqualTo(1);

    sent(node.send(ALICE_1, CHAT, 5, event(Kind.KIND_REVOKE, 1)));
    sent(node.send(ALICE_1, CHAT, 6, event(Kind.KIND_REVOKE, 5)));

    assertThat(node.texts()).containsExactly("", "two", "", "+", "", "", "");
    assertThat(content(1).getKind()).isEqualTo(Kind.KIND_TOMBSTONE);
    assertThat(content(1).getMentionsList()).isEmpty();
    assertThat(node.entry(CHAT, ALICE, 1).editedMillis()).isZero();
    assertThat(node.reactions(CHAT, 1, 9, BOB)).isEmpty();
    assertThat(node.summary(BOB_1).unread()).isZero();
    assertThat(node.summary(BOB_1).unreadMentions()).isZero();
    assertThat(sent(node.send(ALICE_1, CHAT, 1, text("one"))).repeat()).isTrue();
  }

  @Test
  void aMessageIsSentEditedReactedToAndRevokedInOneBatch() {
    node.prepareSend(ALICE_1, 1, "one");
    node.prepare(new Command.Send(ALICE_1, CHAT, body(2, edit(1, "two").build())));
    node.prepare(new Command.Send(BOB_1, CHAT, body(1, reaction(1, "+").build())));
    sent(
        node.prepare(new Command.Send(ALICE_1, CHAT, body(3, event(Kind.KIND_REVOKE, 1).build()))));
    refused(
        node.prepare(new Command.Send(BOB_1, CHAT, body(2, reaction(1, "+").build()))),
        ErrorCode.NOT_FOUND);
    node.shard.commit();

    assertThat(node.texts()).containsExactly("", "", "+", "");
    assertThat(node.reactions(CHAT, 1, 9, BOB)).isEmpty();
    assertThat(node.summary(BOB_1).unread()).isZero();
  }

  @Test
  void onesOwnMessageIsRevokedForAWhile() {
    node.send(ALICE_1, 1, "one");
    refused(node.send(BOB_1, CHAT, 1, event(Kind.KIND_REVOKE, 1)), ErrorCode.NOT_ALLOWED);
    node.now += ShardConfig.REVOKE_WINDOW.toMillis() + 1;

    refused(node.send(ALICE_1, CHAT, 2, event(Kind.KIND_REVOKE, 1)), ErrorCode.NOT_ALLOWED);
  }

  @Test
  void adminsOfAGroupRevokeWhatOthersSent() {
    node.create(ALICE_1, GROUP, BOB, EVE);
    node.send(EVE_1, GROUP, 1, "rude");
    refused(node.send(BOB_1, GROUP, 1, event(Kind.KIND_REVOKE, 2)), ErrorCode.NOT_ALLOWED);
    node.edit(ALICE_1, GROUP, new GroupChange.SetRole(BOB, Role.ROLE_ADMIN));

    sent(node.send(BOB_1, GROUP, 1, event(Kind.KIND_REVOKE, 2)));

    assertThat(node.contents(GROUP, EVE).get(1).getKind()).isEqualTo(Kind.KIND_TOMBSTONE);
    refused(node.send(BOB_1, GROUP, 2, edit(1, "x")), ErrorCode.NOT_FOUND);
  }

  // ---- reactions

  @Test
  void aUserHasOneReactionToAMessage() {
    node.create(ALICE_1, GROUP, BOB, EVE);
    node.send(ALICE_1, GROUP, 1, "one");
    node.send(ALICE_1, GROUP, 2, reaction(2, "a"));
    node.send(BOB_1, GROUP, 1, reaction(2, "b"));
    node.send(EVE_1, GROUP, 1, reaction(2, "b"));

    assertThat(node.reactions(GROUP, 1, 2, ALICE))
        .isEqualTo(
            Map.of(
                2L,
                List.of(
                    Reaction.newBuilder().setText("b").setCount(2).build(),
                    Reaction.newBuilder().setText("a").setCount(1).setOwn(true).build())));

    node.send(ALICE_1, GROUP, 3, reaction(2, "b"));
    node.send(EVE_1, GROUP, 2, reaction(2, ""));
    assertThat(node.reactions(GROUP, 2, 2, EVE))
        .isEqualTo(Map.of(2L, List.of(Reaction.newBuilder().setText("b").setCount(2).build())));
    assertThat(node.reactions(GROUP, 3, 9, EVE)).isEmpty();
    assertThat(node.summary(GROUP, EVE_1).unread()).isZero();
  }

  @Test
  void aReactionThatAnEarlierVersionKeptIsTold() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");
    var batch = new Batch();
    batch.put(Keys.reaction(GROUP, 2, ALICE), "a".getBytes(StandardCharsets.UTF_8));
    node.storage.write(batch, true);

    assertThat(node.reactions(GROUP, 2, 2, BOB))
        .isEqualTo(Map.of(2L, List.of(Reaction.newBuilder().setText("a").setCount(1).build())));
  }

  @Test
  void aReactionIsAShortText() {
    node.send(ALICE_1, 1, "one");
    refused(
        node.send(BOB_1, CHAT, 1, reaction(1, "x".repeat(Limits.REACTION_BYTES_MAX + 1))),
        ErrorCode.ARGUMENT);
    var notText = event(Kind.KIND_REACTION, 1).setBody(ByteString.copyFrom(new byte[] {-1}));
    refused(node.send(BOB_1, CHAT, 1, notText), ErrorCode.ARGUMENT);
    sent(node.send(BOB_1, CHAT, 1, reaction(1, "x".repeat(Limits.REACTION_BYTES_MAX))));
  }

  @Test
  void aPageNamesTheMostFrequentReactions() {
    node.create(ALICE_1, GROUP);
    node.edit(ALICE_1, GROUP, new GroupChange.Invite(new byte[] {7}));
    node.send(ALICE_1, GROUP, 1, "one");
    for (int i = 0; i < 40; i++) {
      var guest = new io.tern.protocol.DeviceId(new io.tern.protocol.UserId(10_000 + i), 1);
      node.edit(guest, GROUP, new GroupChange.Join(new byte[] {7}));
      node.send(ALICE_1, GROUP, 2 + i, "text");
      sent(node.send(guest, GROUP, 1, reaction(node.summary(GROUP, guest).head(), "x")));
      sent(node.send(guest, GROUP, 2, reaction(node.summary(GROUP, guest).head() - 1, "r" + i)));
    }

    assertThat(node.reactions(GROUP, 1, Long.MAX_VALUE - 1, ALICE).values())
        .allMatch(reactions -> reactions.size() <= Limits.PAGE_REACTIONS_MAX);
  }

  // ---- view once

  @Test
  void whatWasOpenedOnceIsGone() {
    node.send(ALICE_1, CHAT, 1, text("secret").setViewOnce(true));
    refused(node.send(ALICE_1, CHAT, 2, event(Kind.KIND_OPENED, 1)), ErrorCode.NOT_ALLOWED);
    assertThat(node.texts()).containsExactly("secret");

    sent(node.send(BOB_1, CHAT, 1, event(Kind.KIND_OPENED, 1)));

    assertThat(node.texts()).containsExactly("", "");
    assertThat(content(1).getKind()).isEqualTo(Kind.KIND_TOMBSTONE);
    refused(node.send(BOB_1, CHAT, 2, event(Kind.KIND_OPENED, 1)), ErrorCode.NOT_FOUND);
  }

  @Test
  void onlyWhatIsViewOnceIsOpenedAndOnlyInDirectChats() {
    node.create(ALICE_1, GROUP, BOB);
    refused(node.send(ALICE_1, GROUP, 1, text("secret").setViewOnce(true)), ErrorCode.ARGUMENT);
    node.send(ALICE_1, 1, "one");

    refused(node.send(BOB_1, CHAT, 1, event(Kind.KIND_OPENED, 1)), ErrorCode.NOT_ALLOWED);
  }

  @Test
  void whatNobodyOpensGoesAfterTwoWeeks() {
    lookAtAllSlots();
    node.send(ALICE_1, CHAT, 1, text("secret").setViewOnce(true));
    node.now += Limits.VIEW_ONCE_SECONDS_MAX * 1000L - 1;
    node.tick();
    assertThat(node.texts()).containsExactly("secret");
    node.now += 1;
    node.tick();

    assertThat(node.texts()).containsExactly("");
  }

  // ---- timers

  @Test
  void aTimerHoldsForLaterMessages() {
    lookAtAllSlots();
    node.send(ALICE_1, 1, "before");
    sent(node.send(BOB_1, CHAT, 1, timer(100)));
    assertThat(node.summary(ALICE_1).ttlSeconds()).isEqualTo(100);
    node.restart();
    lookAtAllSlots();
    node.send(ALICE_1, 2, "hundred");
    node.send(ALICE_1, CHAT, 3, text("ten").setTtlS(10));
    node.send(ALICE_1, CHAT, 4, text("hundred too").setTtlS(1000));
    node.send(BOB_1, CHAT, 2, reaction(3, "+"));
    sent(node.send(BOB_1, CHAT, 3, timer(0)));
    node.send(ALICE_1, 5, "for ever");

    node.now += 10_000;
    node.tick();
    assertThat(node.texts())
        .containsExactly("before", "", "hundred", "", "hundred too", "+", "", "for ever");
    node.now += 90_000;
    node.tick();

    assertThat(node.texts()).containsExactly("before", "", "", "", "", "+", "", "for ever");
    assertThat(node.summary(BOB_1).unread()).isEqualTo(1);
  }

  @Test
  void whoMayEditAGroupMaySetItsTimer() {
    node.create(ALICE_1, GROUP, BOB);
    sent(node.send(BOB_1, GROUP, 1, timer(5)));
    node.edit(ALICE_1, GROUP, new GroupChange.AdminOnlyEdit(true));

    refused(node.send(BOB_1, GROUP, 2, timer(0)), ErrorCode.NOT_ALLOWED);
    sent(node.send(ALICE_1, GROUP, 1, timer(0)));
  }

  @Test
  void whatExpiresTakesEditsReactionsAndMentionsAlong() {
    lookAtAllSlots();
    node.send(ALICE_1, CHAT, 1, text("one").setTtlS(60).addMentions(BOB.value()));
    node.send(ALICE_1, CHAT, 2, edit(1, "two").addMentions(BOB.value()));
    node.send(ALICE_1, CHAT, 3, reaction(1, "+"));
    assertThat(node.summary(BOB_1).unreadMentions()).isEqualTo(1);
    node.now += 60_000;
    node.tick();

    assertThat(node.texts()).containsExactly("", "", "+");
    assertThat(content(2).getTarget()).isZero();
    assertThat(node.reactions(CHAT, 1, 9, BOB)).isEmpty();
    assertThat(node.summary(BOB_1).unreadMentions()).isZero();
    assertThat(node.summary(BOB_1).unread()).isZero();
  }

  @Test
  void whatIsRevokedInTheBatchOfItsExpiryIsErasedOnce() {
    lookAtAllSlots();
    node.send(ALICE_1, CHAT, 1, text("one").setTtlS(60));
    node.send(ALICE_1, 2, "two");
    node.now += 60_000;
    sent(
        node.prepare(new Command.Send(ALICE_1, CHAT, body(3, event(Kind.KIND_REVOKE, 1).build()))));
    node.prepare(new Command.Tick(0, false));
    refused(
        node.prepare(new Command.Send(ALICE_1, CHAT, body(4, edit(1, "x").build()))),
        ErrorCode.NOT_FOUND);
    node.shard.commit();

    assertThat(node.summary(BOB_1).unread()).isEqualTo(1);
  }

  // ---- mentions

  @Test
  void unreadMentionsAreThoseOfMembersAboveWhatTheyHaveSeen() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, text("@b").addMentions(BOB.value()).addMentions(EVE.value()));
    node.send(ALICE_1, GROUP, 2, text("@b@b").addMentions(BOB.value()).addMentions(BOB.value()));
    node.send(ALICE_1, GROUP, 3, text("?").addMentions(0).addMentions(-1));
    assertThat(node.summary(GROUP, BOB_1).unreadMentions()).isEqualTo(2);

    node.run(new Command.Read(BOB_1, GROUP, 2, false));
    assertThat(node.summary(GROUP, BOB_1).unreadMentions()).isEqualTo(1);
    node.send(ALICE_1, GROUP, 4, edit(4, "@b").addMentions(BOB.value()));
    assertThat(node.summary(GROUP, BOB_1).unreadMentions()).isEqualTo(2);
    node.send(ALICE_1, GROUP, 5, edit(4, "nobody"));
    assertThat(node.summary(GROUP, BOB_1).unreadMentions()).isEqualTo(1);
    node.send(BOB_1, GROUP, 1, "here");
    assertThat(node.summary(GROUP, BOB_1).unreadMentions()).isZero();
    node.edit(ALICE_1, GROUP, new GroupChange.Add(List.of(EVE)));
    assertThat(node.summary(GROUP, EVE_1).unreadMentions()).isZero();
  }

  // ---- kinds

  @Test
  void kindsOfTheServerAreNotForClients() {
    for (int kind : new int[] {-1, 0, 3, 32, 33, 40, 47}) {
      var content = text("x").setKindValue(kind);
      refused(node.send(ALICE_1, CHAT, 1, content), ErrorCode.ARGUMENT);
    }
  }

  @Test
  void kindsOfLaterVersionsPassAndCountByTheirRange() {
    sent(node.send(ALICE_1, CHAT, 1, text("message").setKindValue(15)));
    sent(node.send(ALICE_1, CHAT, 2, text("event").setKindValue(31)));
    sent(node.send(ALICE_1, CHAT, 3, text("?").setKindValue(48)));

    assertThat(node.summary(BOB_1).unread()).isEqualTo(1);
    sent(node.send(BOB_1, CHAT, 1, reaction(1, "+")));
    refused(node.send(BOB_1, CHAT, 2, reaction(2, "+")), ErrorCode.NOT_FOUND);
  }
}

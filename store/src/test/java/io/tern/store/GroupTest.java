package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.ALICE_2;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.EVE;
import static io.tern.store.ShardNode.EVE_1;
import static io.tern.store.ShardNode.opId;
import static io.tern.store.ShardNode.refused;
import static io.tern.store.ShardNode.sent;
import static io.tern.store.ShardNode.text;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Role;
import io.tern.store.Reads.GroupInfo;
import io.tern.store.Reads.GroupMember;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// Groups: who is in them, who may change what, who sees what.
class GroupTest {

  private static final ChatId GROUP = ChatId.group(77);
  private static final UserId CARL = new UserId(4004);
  private static final DeviceId CARL_1 = new DeviceId(CARL, 1);
  private static final byte[] TOKEN = new byte[16];
  private static final byte[] OTHER_TOKEN = {1};

  private final ShardNode node = new ShardNode();

  private GroupInfo info() {
    return Objects.requireNonNull(Reads.groupInfo(node.storage, GROUP));
  }

  private static GroupEvent eventOf(Entry entry) {
    try {
      return GroupEvent.parseFrom(ShardNode.contentOf(entry).getBody());
    } catch (com.google.protobuf.InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  private Role role(UserId user) {
    return Reads.roleOf(node.storage, GROUP, user);
  }

  private static GroupChange add(UserId... users) {
    return new GroupChange.Add(List.of(users));
  }

  private static GroupChange admin(UserId user) {
    return new GroupChange.SetRole(user, Role.ROLE_ADMIN);
  }

  // ---- creating

  @Test
  void itsCreatorOwnsAGroup() {
    Outcome.Sent sent = sent(node.create(ALICE_1, GROUP, BOB, ALICE, EVE, BOB));

    assertThat(sent.entry().seq()).isEqualTo(1);
    assertThat(sent.entry().csn()).isZero();
    assertThat(sent.entry().kind()).isEqualTo(Kind.KIND_GROUP_VALUE);
    assertThat(sent.members()).containsExactly(ALICE, BOB, EVE);
    assertThat(sent.duties())
        .containsExactly(
            new Command.ListChat(ALICE, GROUP),
            new Command.ListChat(BOB, GROUP),
            new Command.ListChat(EVE, GROUP));
    assertThat(eventOf(sent.entry()).getCreated().getMembersList())
        .containsExactly(BOB.value(), EVE.value());
    assertThat(info().title()).isEqualTo("group");
    assertThat(info().version()).isEqualTo(1);
    assertThat(info().members())
        .containsExactly(
            new GroupMember(ALICE, Role.ROLE_OWNER, 1),
            new GroupMember(BOB, Role.ROLE_MEMBER, 1),
            new GroupMember(EVE, Role.ROLE_MEMBER, 1));
  }

  @Test
  void theSameCreationIsTheSameGroup() {
    Entry first = sent(node.create(ALICE_1, GROUP, BOB)).entry();
    node.edit(ALICE_1, GROUP, new GroupChange.Title("renamed"));
    node.restart();

    Outcome.Sent again = sent(node.create(ALICE_1, GROUP, BOB));

    assertThat(again.repeat()).isTrue();
    assertThat(again.entry()).usingRecursiveComparison().isEqualTo(first);
    assertThat(info().title()).isEqualTo("renamed");
    refused(node.create(BOB_1, GROUP, ALICE), ErrorCode.CONFLICT);
  }

  @Test
  void aGroupHasNoMoreMembersThanAllowed() {
    node.groupMembersMax = 3;
    node.start();
    refused(node.create(ALICE_1, GROUP, BOB, EVE, CARL), ErrorCode.GROUP_FULL);
    sent(node.create(ALICE_1, GROUP, BOB));
    refused(node.edit(ALICE_1, GROUP, add(EVE, CARL)), ErrorCode.GROUP_FULL);
    node.edit(ALICE_1, GROUP, new GroupChange.Invite(TOKEN));
    sent(node.edit(ALICE_1, GROUP, add(BOB, EVE)));

    refused(node.edit(CARL_1, GROUP, new GroupChange.Join(TOKEN)), ErrorCode.GROUP_FULL);
  }

  @Test
  void whatIsTooLongOrNoIdIsRefused() {
    String title = "é".repeat(Limits.GROUP_TITLE_BYTES_MAX / 2);
    byte[] op = opId(5);
    for (var birth :
        List.of(
            GroupBirth.newBuilder().setTitle(title + "x"),
            GroupBirth.newBuilder().addMembers(0),
            GroupBirth.newBuilder().addMembers(-1))) {
      refused(
          node.run(new Command.GroupCreate(ALICE_1, GROUP, op, birth.build())), ErrorCode.ARGUMENT);
    }
    refused(
        node.run(
            new Command.GroupCreate(ALICE_1, GROUP, new byte[15], GroupBirth.getDefaultInstance())),
        ErrorCode.ARGUMENT);
    sent(
        node.run(
            new Command.GroupCreate(
                ALICE_1, GROUP, op, GroupBirth.newBuilder().setTitle(title).build())));
    refused(node.edit(ALICE_1, GROUP, new GroupChange.Title(title + "x")), ErrorCode.ARGUMENT);
    refused(node.edit(ALICE_1, GROUP, add()), ErrorCode.ARGUMENT);
    refused(
        node.edit(ALICE_1, GROUP, new GroupChange.Invite(new byte[Limits.INVITE_BYTES_MAX + 1])),
        ErrorCode.ARGUMENT);
    refused(
        node.run(new Command.GroupEdit(ALICE_1, GROUP, new byte[0], new GroupChange.Title("x"))),
        ErrorCode.ARGUMENT);
  }

  // ---- once

  @Test
  void aRepeatedChangeHasOneEffect() {
    node.create(ALICE_1, GROUP, BOB);
    var leave = new Command.GroupEdit(BOB_1, GROUP, opId(7), new GroupChange.Leave());
    Entry first = sent(node.run(leave)).entry();

    assertThat(sent(node.run(leave)).repeat()).isTrue();
    node.restart();
    Outcome.Sent again = sent(node.run(leave));

    assertThat(again.repeat()).isTrue();
    assertThat(again.entry()).usingRecursiveComparison().isEqualTo(first);
    assertThat(again.duties()).isEmpty();
    assertThat(node.seqs(GROUP, ALICE)).containsExactly(1L, 2L);
  }

  @Test
  void anOpIdIsItsUsersOwn() {
    node.create(ALICE_1, GROUP, BOB);
    sent(node.run(new Command.GroupEdit(BOB_1, GROUP, opId(7), new GroupChange.Title("b"))));

    Outcome.Sent other =
        sent(node.run(new Command.GroupEdit(ALICE_1, GROUP, opId(7), new GroupChange.Title("a"))));

    assertThat(other.repeat()).isFalse();
    assertThat(info().title()).isEqualTo("a");
  }

  @Test
  void theNewestChangesAreKnownAgain() {
    node.create(ALICE_1, GROUP, BOB);
    for (int i = 0; i <= Limits.GROUP_OPS_MAX; i++) {
      node.run(new Command.GroupEdit(ALICE_1, GROUP, opId(i + 10), new GroupChange.Title("t" + i)));
    }
    node.restart();

    Command oldest =
        new Command.GroupEdit(ALICE_1, GROUP, opId(11), new GroupChange.Title("again"));
    Command forgotten =
        new Command.GroupEdit(ALICE_1, GROUP, opId(10), new GroupChange.Title("new"));
    assertThat(sent(node.run(oldest)).repeat()).isTrue();
    assertThat(sent(node.run(forgotten)).repeat()).isFalse();
    assertThat(sent(node.create(ALICE_1, GROUP, BOB)).repeat()).isTrue();
  }

  @Test
  void aChangeThatChangesNothingIsAConflict() {
    node.create(ALICE_1, GROUP, BOB);
    node.edit(ALICE_1, GROUP, new GroupChange.Invite(TOKEN));
    for (GroupChange nothing :
        List.of(
            add(BOB, ALICE),
            new GroupChange.Remove(EVE),
            new GroupChange.SetRole(BOB, Role.ROLE_MEMBER),
            new GroupChange.Title("group"),
            new GroupChange.Picture(""),
            new GroupChange.Description(""),
            new GroupChange.AdminOnlySend(false),
            new GroupChange.AdminOnlyEdit(false),
            new GroupChange.Invite(TOKEN),
            new GroupChange.Join(TOKEN))) {
      refused(node.edit(ALICE_1, GROUP, nothing), ErrorCode.CONFLICT);
    }
    assertThat(node.seqs(GROUP, ALICE)).hasSize(2);
  }

  // ---- who may

  @Test
  void strangersAndFormerMembersMayNothing() {
    node.create(ALICE_1, GROUP, BOB);
    node.edit(ALICE_1, GROUP, new GroupChange.Remove(BOB));
    for (DeviceId outside : List.of(EVE_1, BOB_1)) {
      for (ChatId group : List.of(GROUP, ChatId.group(78))) {
        for (GroupChange change :
            List.of(
                add(CARL),
                new GroupChange.Remove(ALICE),
                new GroupChange.Leave(),
                admin(BOB),
                new GroupChange.Title("x"),
                new GroupChange.Invite(TOKEN))) {
          refused(node.edit(outside, group, change), ErrorCode.NOT_MEMBER);
        }
        refused(node.edit(outside, group, new GroupChange.Join(TOKEN)), ErrorCode.NOT_ALLOWED);
        refused(node.send(outside, group, 1, "x"), ErrorCode.NOT_MEMBER);
      }
    }
  }

  @Test
  void rolesSayWhoMayWhat() {
    node.create(ALICE_1, GROUP, BOB, EVE, CARL);
    sent(node.edit(ALICE_1, GROUP, admin(BOB)));
    UserId dan = new UserId(5005);

    for (GroupChange admins :
        List.of(
            add(dan),
            new GroupChange.Remove(CARL),
            new GroupChange.Invite(TOKEN),
            new GroupChange.AdminOnlySend(true),
            new GroupChange.AdminOnlyEdit(true))) {
      refused(node.edit(EVE_1, GROUP, admins), ErrorCode.NOT_ALLOWED);
      sent(node.edit(BOB_1, GROUP, admins));
    }
    refused(node.edit(EVE_1, GROUP, new GroupChange.Title("x")), ErrorCode.NOT_ALLOWED);
    sent(node.edit(BOB_1, GROUP, new GroupChange.AdminOnlyEdit(false)));
    for (GroupChange members :
        List.of(
            new GroupChange.Title("x"),
            new GroupChange.Picture("x"),
            new GroupChange.Description("x"))) {
      sent(node.edit(EVE_1, GROUP, members));
    }
    refused(node.edit(BOB_1, GROUP, new GroupChange.Remove(ALICE)), ErrorCode.NOT_ALLOWED);
    refused(node.edit(BOB_1, GROUP, new GroupChange.Remove(BOB)), ErrorCode.NOT_ALLOWED);
    refused(node.edit(BOB_1, GROUP, admin(EVE)), ErrorCode.NOT_ALLOWED);
    refused(node.edit(ALICE_1, GROUP, admin(ALICE)), ErrorCode.NOT_ALLOWED);
    refused(node.edit(ALICE_1, GROUP, admin(CARL)), ErrorCode.NOT_FOUND);
    refused(
        node.edit(ALICE_1, GROUP, new GroupChange.SetRole(EVE, Role.ROLE_UNSPECIFIED)),
        ErrorCode.ARGUMENT);
    sent(node.edit(ALICE_1, GROUP, new GroupChange.Remove(BOB)));
  }

  @Test
  void onlyAdminsSendWhenOnlyAdminsMay() {
    node.create(ALICE_1, GROUP, BOB, EVE);
    node.edit(ALICE_1, GROUP, admin(BOB));
    sent(node.send(EVE_1, GROUP, 1, "before"));
    sent(node.edit(ALICE_1, GROUP, new GroupChange.AdminOnlySend(true)));

    refused(node.send(EVE_1, GROUP, 2, "text"), ErrorCode.NOT_ALLOWED);
    refused(
        node.send(EVE_1, GROUP, 2, text("edited").setKind(Kind.KIND_EDIT).setTarget(3)),
        ErrorCode.NOT_ALLOWED);
    sent(node.send(BOB_1, GROUP, 1, "text"));
    sent(node.send(EVE_1, GROUP, 2, text("+").setKind(Kind.KIND_REACTION).setTarget(5)));
    node.restart();
    refused(node.send(EVE_1, GROUP, 3, "text"), ErrorCode.NOT_ALLOWED);
  }

  @Test
  void anOwnerHandsTheGroupOver() {
    node.create(ALICE_1, GROUP, BOB);

    Outcome.Sent sent =
        sent(node.edit(ALICE_1, GROUP, new GroupChange.SetRole(BOB, Role.ROLE_OWNER)));

    assertThat(role(BOB)).isEqualTo(Role.ROLE_OWNER);
    assertThat(role(ALICE)).isEqualTo(Role.ROLE_ADMIN);
    assertThat(eventOf(sent.entry()).getRole().getUser()).isEqualTo(BOB.value());
    refused(node.edit(ALICE_1, GROUP, admin(BOB)), ErrorCode.NOT_ALLOWED);
  }

  @Test
  void theEldestAdminElseTheEldestMemberFollowsAnOwnerWhoLeaves() {
    node.create(ALICE_1, GROUP, BOB, EVE, CARL);
    node.edit(ALICE_1, GROUP, admin(CARL));
    node.edit(ALICE_1, GROUP, admin(EVE));

    Outcome.Sent sent = sent(node.edit(ALICE_1, GROUP, new GroupChange.Leave()));

    assertThat(eventOf(sent.entry()).getNewOwner()).isEqualTo(EVE.value());
    assertThat(sent.members()).containsExactly(ALICE, BOB, EVE, CARL);
    assertThat(role(EVE)).isEqualTo(Role.ROLE_OWNER);
    assertThat(role(ALICE)).isEqualTo(Role.ROLE_UNSPECIFIED);
    node.edit(CARL_1, GROUP, new GroupChange.Leave());
    node.edit(EVE_1, GROUP, new GroupChange.Leave());
    assertThat(role(BOB)).isEqualTo(Role.ROLE_OWNER);
  }

  @Test
  void anEmptyGroupStaysEmpty() {
    node.create(ALICE_1, GROUP);
    node.edit(ALICE_1, GROUP, new GroupChange.Invite(TOKEN));
    sent(node.edit(ALICE_1, GROUP, new GroupChange.Leave()));

    refused(node.edit(BOB_1, GROUP, new GroupChange.Join(TOKEN)), ErrorCode.NOT_ALLOWED);
    assertThat(info().members()).isEmpty();
  }

  // ---- links

  @Test
  void whoHasTheLinkJoins() {
    node.create(ALICE_1, GROUP);
    sent(node.edit(ALICE_1, GROUP, new GroupChange.Invite(TOKEN)));
    refused(node.edit(BOB_1, GROUP, new GroupChange.Join(OTHER_TOKEN)), ErrorCode.NOT_ALLOWED);

    Outcome.Sent joined = sent(node.edit(BOB_1, GROUP, new GroupChange.Join(TOKEN)));

    assertThat(joined.members()).containsExactly(ALICE, BOB);
    assertThat(joined.duties()).containsExactly(new Command.ListChat(BOB, GROUP));
    assertThat(eventOf(joined.entry()).getJoined()).isTrue();
    assertThat(role(BOB)).isEqualTo(Role.ROLE_MEMBER);
    assertThat(node.seqs(GROUP, BOB)).containsExactly(3L);
  }

  @Test
  void aNewLinkMakesTheOldOneVoid() {
    node.create(ALICE_1, GROUP);
    node.edit(ALICE_1, GROUP, new GroupChange.Invite(TOKEN));
    node.edit(ALICE_1, GROUP, new GroupChange.Invite(OTHER_TOKEN));
    refused(node.edit(BOB_1, GROUP, new GroupChange.Join(TOKEN)), ErrorCode.NOT_ALLOWED);
    node.edit(ALICE_1, GROUP, new GroupChange.Invite(new byte[0]));
    node.restart();

    refused(node.edit(BOB_1, GROUP, new GroupChange.Join(OTHER_TOKEN)), ErrorCode.NOT_ALLOWED);
    refused(node.edit(BOB_1, GROUP, new GroupChange.Join(new byte[0])), ErrorCode.NOT_ALLOWED);
    assertThat(info().invite()).isEmpty();
  }

  // ---- who sees what

  @Test
  void membersSeeWhatWasThereInTheirTime() {
    node.create(ALICE_1, GROUP, EVE);
    node.send(ALICE_1, GROUP, 1, "before");
    Outcome.Sent added = sent(node.edit(ALICE_1, GROUP, add(BOB)));
    node.send(ALICE_1, GROUP, 2, "during");
    Outcome.Sent removed = sent(node.edit(ALICE_1, GROUP, new GroupChange.Remove(BOB)));
    node.send(ALICE_1, GROUP, 3, "after");

    assertThat(added.members()).containsExactly(ALICE, EVE, BOB);
    assertThat(added.duties()).containsExactly(new Command.ListChat(BOB, GROUP));
    assertThat(removed.members()).containsExactly(ALICE, EVE, BOB);
    assertThat(node.seqs(GROUP, BOB)).containsExactly(3L, 4L, 5L);
    assertThat(Reads.before(node.storage, GROUP, BOB, 100, 10, 9999).entries())
        .extracting(Entry::seq)
        .containsExactly(3L, 4L, 5L);
    assertThat(Reads.after(node.storage, GROUP, BOB, 1, 10, 9999).first()).isEqualTo(3);
    assertThat(Reads.after(node.storage, GROUP, BOB, 1, 10, 9999).head()).isEqualTo(5);
    assertThat(Reads.isMember(node.storage, GROUP, BOB)).isFalse();
    assertThat(Reads.sees(node.storage, GROUP, BOB)).isTrue();
    assertThat(Reads.sees(node.storage, GROUP, CARL)).isFalse();
    assertThat(Reads.summary(node.storage, GROUP, CARL_1)).isNull();
    Reads.Summary bobs = node.summary(GROUP, BOB_1);
    assertThat(bobs.head()).isEqualTo(5);
    assertThat(bobs.first()).isEqualTo(3);
    assertThat(bobs.unread()).isEqualTo(1);
    assertThat(Objects.requireNonNull(bobs.group()).role()).isEqualTo(Role.ROLE_UNSPECIFIED);
    refused(node.run(new Command.Ack(BOB_1, GROUP, 6)), ErrorCode.ARGUMENT);
    assertThat(node.run(new Command.Ack(BOB_1, GROUP, 5))).isInstanceOf(Outcome.Moved.class);
  }

  @Test
  void whoComesBackSeesFromThereOn() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(BOB_1, GROUP, 1, "one");
    node.edit(ALICE_1, GROUP, new GroupChange.Remove(BOB));
    node.send(ALICE_1, GROUP, 1, "not for bob");
    node.edit(ALICE_1, GROUP, add(BOB));
    node.restart();

    assertThat(node.seqs(GROUP, BOB)).containsExactly(5L);
    assertThat(node.summary(GROUP, BOB_1).unread()).isZero();
    assertThat(node.summary(GROUP, BOB_1).lastCsn()).isEqualTo(1);
    refused(node.send(BOB_1, GROUP, 1, "other"), ErrorCode.CONFLICT);
    assertThat(sent(node.send(BOB_1, GROUP, 2, "two")).entry().seq()).isEqualTo(6);
    assertThat(info().members()).extracting(GroupMember::user).containsExactly(ALICE, BOB);
  }

  @Test
  void aSendOfOneWhoWasRemovedMeanwhileIsStillKnown() {
    node.create(ALICE_1, GROUP, BOB);
    Entry first = sent(node.send(BOB_1, GROUP, 1, "one")).entry();
    node.edit(ALICE_1, GROUP, new GroupChange.Remove(BOB));

    Outcome.Sent again = sent(node.send(BOB_1, GROUP, 1, "one"));

    assertThat(again.repeat()).isTrue();
    assertThat(again.entry().seq()).isEqualTo(first.seq());
    refused(node.send(BOB_1, GROUP, 2, "two"), ErrorCode.NOT_MEMBER);
  }

  @Test
  void changesAndSendsOfOneBatchHaveTheirPlaces() {
    node.create(ALICE_1, GROUP, BOB);
    node.prepare(new Command.Send(BOB_1, GROUP, ShardNode.body(1, "one")));
    node.prepare(new Command.GroupEdit(ALICE_1, GROUP, opId(8), new GroupChange.Remove(BOB)));
    refused(
        node.prepare(new Command.Send(BOB_1, GROUP, ShardNode.body(2, "two"))),
        ErrorCode.NOT_MEMBER);
    node.prepare(new Command.Send(ALICE_1, GROUP, ShardNode.body(1, "three")));
    node.shard.commit();
    node.restart();

    assertThat(node.seqs(GROUP, BOB)).containsExactly(1L, 2L, 3L);
    assertThat(node.seqs(GROUP, ALICE)).containsExactly(1L, 2L, 3L, 4L);
    assertThat(sent(node.send(ALICE_1, GROUP, 2, "four")).members()).containsExactly(ALICE);
  }

  @Test
  void changesAreNotCountedAsUnread() {
    node.create(ALICE_1, GROUP, BOB);
    node.edit(ALICE_1, GROUP, new GroupChange.Title("x"));
    node.send(ALICE_1, GROUP, 1, "text");
    node.edit(ALICE_1, GROUP, new GroupChange.Title("y"));

    assertThat(node.summary(GROUP, BOB_1).unread()).isEqualTo(1);
    assertThat(node.summary(GROUP, BOB_1).head()).isEqualTo(4);
    assertThat(node.summary(GROUP, ALICE_2).unread()).isZero();
  }

  // ---- memory and restarts

  @Test
  void whatAGroupIsSurvivesARestartAndEviction() {
    node.hotMembersMax = 1;
    node.start();
    node.create(ALICE_1, GROUP, BOB, EVE);
    node.edit(ALICE_1, GROUP, admin(BOB));
    node.edit(ALICE_1, GROUP, new GroupChange.Description("about"));
    node.edit(ALICE_1, GROUP, new GroupChange.Picture("blob"));
    node.edit(ALICE_1, GROUP, new GroupChange.AdminOnlyEdit(true));
    node.send(EVE_1, GROUP, 1, text("").setKind(Kind.KIND_TEXT));
    node.send(ALICE_1, 1, "elsewhere");
    GroupInfo before = info();

    refused(node.edit(EVE_1, GROUP, new GroupChange.Title("x")), ErrorCode.NOT_ALLOWED);
    node.restart();
    refused(node.edit(EVE_1, GROUP, new GroupChange.Title("x")), ErrorCode.NOT_ALLOWED);
    sent(node.edit(BOB_1, GROUP, new GroupChange.Title("x")));

    assertThat(info().description()).isEqualTo("about");
    assertThat(info().picture()).isEqualTo("blob");
    assertThat(info().adminOnlyEdit()).isTrue();
    assertThat(info().members()).isEqualTo(before.members());
  }

  /// After a crash a large group has thousands of them.
  @Test
  void whatIsOwedToTheSameMembersHasOneListOfThem() {
    node.create(ALICE_1, GROUP, BOB);
    node.send(ALICE_1, GROUP, 1, "one");
    node.send(ALICE_1, GROUP, 2, "two");
    node.edit(ALICE_1, GROUP, add(EVE));
    node.send(ALICE_1, GROUP, 3, "three");
    node.restart();

    var owed = node.shard.outbox().stream().flatMap(record -> record.entries().stream()).toList();
    assertThat(owed).hasSize(5);
    for (int first : new int[] {1, 3}) {
      OutboxRecord.Due one = owed.get(first);
      OutboxRecord.Due next = owed.get(first + 1);
      assertThat(next.members()).isNotEmpty().isSameAs(one.members());
      assertThat(next.waiting()).isNotEmpty().isSameAs(one.waiting());
    }
    assertThat(owed.get(2).members()).containsExactly(ALICE, BOB);
    assertThat(owed.get(3).members()).containsExactly(ALICE, BOB, EVE);
    assertThat(owed.get(3).waiting()).containsExactly(BOB, EVE);
  }

  @Test
  void dutiesAreOwedAgainAfterARestart() {
    node.create(ALICE_1, GROUP, BOB);
    node.edit(ALICE_1, GROUP, add(EVE));
    node.edit(ALICE_1, GROUP, new GroupChange.Remove(BOB));

    List<OutboxRecord> owed = node.shard.outbox();
    node.restart();

    assertThat(node.shard.outbox()).usingRecursiveComparison().isEqualTo(owed);
    assertThat(owed.get(0).duties())
        .containsExactly(new Command.ListChat(ALICE, GROUP), new Command.ListChat(BOB, GROUP));
    assertThat(owed.get(1).duties()).containsExactly(new Command.ListChat(EVE, GROUP));
    assertThat(owed.get(2).duties()).isEmpty();
    assertThat(owed.get(2).entries().getFirst().waiting()).containsExactly(BOB, EVE);
    assertThat(owed.get(0).entries().getFirst().waiting()).containsExactly(BOB);
    assertThat(owed.get(1).entries().getFirst().members()).containsExactly(ALICE, BOB, EVE);
  }

  @Test
  void inspectionShowsWhatAGroupIs() {
    node.create(ALICE_1, GROUP, BOB);
    node.edit(ALICE_1, GROUP, new GroupChange.Remove(BOB));

    Inspect.ChatView chat = Objects.requireNonNull(Inspect.chat(node.storage, GROUP));

    assertThat(chat.title()).isEqualTo("group");
    assertThat(chat.blocked()).isFalse();
    assertThat(chat.members())
        .extracting(Inspect.MemberView::user, Inspect.MemberView::role, m -> m.leftSeq())
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple(ALICE, Role.ROLE_OWNER, 0L),
            org.assertj.core.groups.Tuple.tuple(BOB, Role.ROLE_UNSPECIFIED, 2L));
  }

  @Test
  void aLargeGroupWorks() {
    var others = new ArrayList<UserId>();
    for (int i = 1; i < Limits.GROUP_MEMBERS_MAX; i++) {
      others.add(new UserId(100_000 + i));
    }
    Outcome.Sent sent = sent(node.create(ALICE_1, GROUP, others.toArray(UserId[]::new)));
    assertThat(sent.members()).hasSize(Limits.GROUP_MEMBERS_MAX);
    assertThat(sent.entry().content()).hasSizeLessThan(Limits.BODY_BYTES_MAX);
    for (int i = 1; i <= 300; i++) {
      sent(node.send(new DeviceId(others.get(i), 1), GROUP, 1, "from " + i));
    }
    node.restart();

    assertThat(sent(node.send(new DeviceId(others.get(7), 1), GROUP, 2, "more")).entry().seq())
        .isEqualTo(302);
    refused(node.edit(ALICE_1, GROUP, add(BOB)), ErrorCode.GROUP_FULL);
    assertThat(info().members()).hasSize(Limits.GROUP_MEMBERS_MAX);
  }

  @Test
  void ofFormerMembersOnlySoManyAreRemembered() {
    node.create(ALICE_1, GROUP);
    node.edit(ALICE_1, GROUP, new GroupChange.Invite(TOKEN));
    for (int i = 0; i <= ChatState.FORMER_MEMBERS_MAX; i++) {
      var guest = new DeviceId(new UserId(100_000 + i), 1);
      sent(node.edit(guest, GROUP, new GroupChange.Join(TOKEN)));
      if (i == 0) {
        sent(node.send(guest, GROUP, 1, "hello"));
      }
      sent(node.edit(guest, GROUP, new GroupChange.Leave()));
    }
    node.restart();

    assertThat(Reads.sees(node.storage, GROUP, new UserId(100_000))).isFalse();
    assertThat(Reads.sees(node.storage, GROUP, new UserId(100_001))).isTrue();
    var first = new DeviceId(new UserId(100_000), 1);
    sent(node.edit(first, GROUP, new GroupChange.Join(TOKEN)));
    assertThat(sent(node.send(first, GROUP, 1, "again")).repeat()).isFalse();
  }

  @Test
  void aDiskWithoutRoomRefusesChanges() {
    node.create(ALICE_1, GROUP, BOB);
    node.hasRoom = false;

    refused(node.create(ALICE_1, ChatId.group(79), BOB), ErrorCode.BUSY);
    refused(node.edit(ALICE_1, GROUP, new GroupChange.Title("x")), ErrorCode.BUSY);
    assertThat(sent(node.create(ALICE_1, GROUP, BOB)).repeat()).isTrue();
  }
}

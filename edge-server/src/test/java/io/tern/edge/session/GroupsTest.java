package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.EntryInfoPage;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupCreated;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEdited;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Users;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Groups as clients see them: sessions, shards and dispatchers together.
class GroupsTest {

  private static final UserId ALICE = new UserId(1_001);
  private static final UserId BOB = new UserId(2_002);
  private static final UserId CAROL = new UserId(3_003);
  private static final UserId NOBODY = new UserId(9_999);

  private final Node node = new Node();
  private Node.Client alice;
  private Node.Client bob;
  private Node.Client carol;

  @BeforeEach
  void everybodyIsThere() {
    alice = node.login(ALICE, 1);
    bob = node.login(BOB, 1);
    carol = node.login(CAROL, 1);
  }

  private static ChatId group(FakeHost.Out created) {
    assertThat(created.type()).as("%s", created.error()).isEqualTo(FrameType.GROUP_CREATED);
    assertThat(created.flags() & FrameHeader.GROUP).isNotZero();
    return ChatId.group(created.chat());
  }

  private static GroupEdit.Builder add(UserId... users) {
    return GroupEdit.newBuilder()
        .setAdd(Users.newBuilder().addAllUsers(Arrays.stream(users).map(UserId::value).toList()));
  }

  private static GroupEdit.Builder role(UserId user, Role role) {
    return GroupEdit.newBuilder()
        .setRole(RoleChange.newBuilder().setUser(user.value()).setRole(role));
  }

  private static List<Kind> kinds(List<FakeHost.Out> delivers) {
    return delivers.stream()
        .map(out -> out.as(Deliver.getDefaultInstance()).getContent().getKind())
        .toList();
  }

  private static HistoryPage history(Node.Client client, ChatId chat) {
    FakeHost.Out page = client.ask(FrameType.HISTORY, chat, History.getDefaultInstance());
    assertThat(page.type()).as("%s", page.error()).isEqualTo(FrameType.HISTORY_PAGE);
    return page.as(HistoryPage.getDefaultInstance());
  }

  private static ChatInfoPage info(Node.Client client, ChatId chat) {
    FakeHost.Out page = client.ask(FrameType.CHAT_INFO, chat, ChatInfo.getDefaultInstance());
    assertThat(page.type()).as("%s", page.error()).isEqualTo(FrameType.CHAT_INFO_PAGE);
    return page.as(ChatInfoPage.getDefaultInstance());
  }

  private static ChatItem item(Node.Client client, ChatId chat) {
    return client
        .ask(FrameType.CHATS, Chats.getDefaultInstance())
        .as(ChatsPage.getDefaultInstance())
        .getChatsList()
        .stream()
        .filter(item -> item.getGroup() == chat.isGroup())
        .filter(item -> item.getChat() == chat.wireId(client.id.user()))
        .findFirst()
        .orElseThrow();
  }

  // ---- life ------------------------------------------------------------------------------------

  @Test
  void everyMemberGetsTheBirthAndWhatIsWrittenAndTheActingDeviceTheBirthToo() {
    ChatId group = group(alice.create("climbers", BOB, CAROL));
    assertThat(bob.text(group, "hello").type()).isEqualTo(FrameType.SENT);

    assertThat(kinds(alice.take(FrameType.DELIVER)))
        .containsExactly(Kind.KIND_GROUP, Kind.KIND_TEXT);
    assertThat(kinds(bob.take(FrameType.DELIVER))).containsExactly(Kind.KIND_GROUP);
    List<FakeHost.Out> carols = carol.take(FrameType.DELIVER);
    assertThat(kinds(carols)).containsExactly(Kind.KIND_GROUP, Kind.KIND_TEXT);
    Deliver text = carols.getLast().as(Deliver.getDefaultInstance());
    assertThat(text.getSender()).isEqualTo(BOB.value());
    assertThat(text.getCsn()).isZero();
    assertThat(carols.getLast().flags() & FrameHeader.GROUP).isNotZero();
    assertThat(carols.getLast().chat()).isEqualTo(group.high());
  }

  @Test
  void theSameCreationIsTheSameGroupAndAnotherUsersIsAnother() {
    var request =
        GroupCreate.newBuilder()
            .setTitle("once")
            .setOpId(node.opId())
            .addMembers(BOB.value())
            .build();
    FakeHost.Out first = alice.ask(FrameType.GROUP_CREATE, request);
    FakeHost.Out again = alice.ask(FrameType.GROUP_CREATE, request);
    assertThat(group(again)).isEqualTo(group(first));
    assertThat(again.seq()).isEqualTo(first.seq());
    assertThat(kinds(bob.take(FrameType.DELIVER))).containsExactly(Kind.KIND_GROUP);

    assertThat(group(carol.ask(FrameType.GROUP_CREATE, request))).isNotEqualTo(group(first));
  }

  @Test
  void aRepeatedCreationIsAnsweredWhateverItsMembersSayByNow() {
    var request =
        GroupCreate.newBuilder()
            .setTitle("once")
            .setOpId(node.opId())
            .addMembers(BOB.value())
            .addMembers(NOBODY.value())
            .build();
    FakeHost.Out first = alice.ask(FrameType.GROUP_CREATE, request);
    bob.set(
        Setting.newBuilder().setPrivacy(Privacy.newBuilder().setGroups(Audience.AUDIENCE_NOBODY)));

    FakeHost.Out again = alice.ask(FrameType.GROUP_CREATE, request);
    assertThat(group(again)).isEqualTo(group(first));
    assertThat(again.as(GroupCreated.getDefaultInstance()).getRefusedList())
        .containsExactly(NOBODY.value());
  }

  @Test
  void whoDoesNotExistOrDoesNotWantToIsLeftOutAndNamed() {
    carol.set(
        Setting.newBuilder().setPrivacy(Privacy.newBuilder().setGroups(Audience.AUDIENCE_NOBODY)));
    FakeHost.Out created = alice.create("some", BOB, CAROL, NOBODY);
    assertThat(created.as(GroupCreated.getDefaultInstance()).getRefusedList())
        .containsExactlyInAnyOrder(CAROL.value(), NOBODY.value());
    assertThat(info(alice, group(created)).getMembersList())
        .extracting(member -> member.getUser())
        .containsExactlyInAnyOrder(ALICE.value(), BOB.value());

    assertThat(alice.create("none", CAROL).error()).isEqualTo(ErrorCode.NOT_ALLOWED);
    FakeHost.Out edited = alice.edit(group(created), add(CAROL));
    assertThat(edited.error()).isEqualTo(ErrorCode.NOT_ALLOWED);
    assertThat(node.counters.get(Count.CHANGES_REFUSED)).isEqualTo(2);
  }

  @Test
  void whoMayNotAddLearnsNothingOfOthersPrivacy() {
    ChatId group = group(alice.create("quiet", BOB));
    carol.set(
        Setting.newBuilder().setPrivacy(Privacy.newBuilder().setGroups(Audience.AUDIENCE_NOBODY)));
    UserId dave = new UserId(4_004);
    node.login(dave, 1);

    // Neither a member who is no admin nor a stranger can tell the two apart.
    assertThat(bob.edit(group, add(CAROL)).error())
        .isEqualTo(bob.edit(group, add(dave)).error())
        .isEqualTo(ErrorCode.NOT_ALLOWED);
    assertThat(carol.edit(group, add(CAROL)).error()).isEqualTo(ErrorCode.NOT_MEMBER);
    assertThat(carol.edit(group, add(dave)).error()).isEqualTo(ErrorCode.NOT_MEMBER);
  }

  @Test
  void aNewcomerSeesFromWhereTheyJoinedAndAFormerMemberUpToWhereTheyLeft() {
    ChatId group = group(alice.create("walkers", BOB));
    alice.text(group, "before");
    FakeHost.Out added = alice.edit(group, add(CAROL));
    assertThat(added.type()).isEqualTo(FrameType.GROUP_EDITED);
    long joined = added.seq();
    alice.text(group, "during");
    FakeHost.Out left = carol.edit(group, GroupEdit.newBuilder().setLeave(true));
    alice.text(group, "after");
    alice.edit(group, GroupEdit.newBuilder().setTitle("secret plans"));

    HistoryPage page = history(carol, group);
    assertThat(page.getFirst()).isEqualTo(joined);
    assertThat(page.getHead()).isEqualTo(left.seq());
    assertThat(page.getEntriesList())
        .extracting(PageEntry::getSeq)
        .containsExactly(joined, joined + 1, joined + 2);
    assertThat(carol.text(group, "let me in").error()).isEqualTo(ErrorCode.NOT_MEMBER);

    ChatInfoPage info = info(carol, group);
    assertThat(info.getRole()).isEqualTo(Role.ROLE_UNSPECIFIED);
    assertThat(info.getTitle()).isEmpty();
    assertThat(info.getMembersCount()).isZero();
    ChatItem item = item(carol, group);
    assertThat(item.getTitle()).isEmpty();
    assertThat(item.getHead()).isEqualTo(left.seq());
    assertThat(item.getRole()).isEqualTo(Role.ROLE_UNSPECIFIED);
  }

  @Test
  void aStrangerIsAnsweredAsIfThereWereNoGroup() {
    ChatId group = group(alice.create("closed", BOB));
    for (ChatId chat : List.of(group, ChatId.group(12_345))) {
      assertThat(carol.ask(FrameType.HISTORY, chat, History.getDefaultInstance()).error())
          .isEqualTo(ErrorCode.NOT_MEMBER);
      assertThat(carol.ask(FrameType.CHAT_INFO, chat, ChatInfo.getDefaultInstance()).error())
          .isEqualTo(ErrorCode.NOT_MEMBER);
      assertThat(carol.ask(FrameType.ENTRY_INFO, chat, 1, EntryInfo.getDefaultInstance()).error())
          .isEqualTo(ErrorCode.NOT_MEMBER);
      assertThat(carol.text(chat, "hello?").error()).isEqualTo(ErrorCode.NOT_MEMBER);
      assertThat(carol.edit(chat, GroupEdit.newBuilder().setTitle("mine")).error())
          .isEqualTo(ErrorCode.NOT_MEMBER);
    }
  }

  @Test
  void aLinkLetsInUntilItIsTakenBackAndOnlyAdminsAreToldWhatItHolds() {
    ChatId group = group(alice.create("open", BOB));
    alice.edit(group, GroupEdit.newBuilder().setInvite(true));
    ByteString link = info(alice, group).getInvite();
    assertThat(link.size()).isEqualTo(Changes.INVITE_BYTES);
    assertThat(info(bob, group).getInvite()).isEmpty();

    FakeHost.Out joined = carol.edit(group, GroupEdit.newBuilder().setJoin(link));
    assertThat(joined.type()).as("%s", joined.error()).isEqualTo(FrameType.GROUP_EDITED);
    assertThat(info(carol, group).getRole()).isEqualTo(Role.ROLE_MEMBER);

    UserId dave = new UserId(4_004);
    Node.Client daves = node.login(dave, 1);
    alice.edit(group, GroupEdit.newBuilder().setInvite(false));
    assertThat(daves.edit(group, GroupEdit.newBuilder().setJoin(link)).error())
        .isEqualTo(ErrorCode.NOT_ALLOWED);
    assertThat(info(alice, group).getInvite()).isEmpty();
  }

  @Test
  void roleAndMembersVersionAreToldAndTheListIsSparedWhenItIsKnown() {
    ChatId group = group(alice.create("team", BOB, CAROL));
    FakeHost.Out edited = alice.edit(group, role(BOB, Role.ROLE_ADMIN));
    long version = edited.as(GroupEdited.getDefaultInstance()).getMembersVersion();
    ChatInfoPage info = info(carol, group);
    assertThat(info.getMembersVersion()).isEqualTo(version);
    assertThat(info.getMembersList())
        .filteredOn(member -> member.getUser() == BOB.value())
        .singleElement()
        .matches(member -> member.getRole() == Role.ROLE_ADMIN);

    ChatInfoPage known =
        carol
            .ask(
                FrameType.CHAT_INFO,
                group,
                ChatInfo.newBuilder().setMembersVersion(version).build())
            .as(ChatInfoPage.getDefaultInstance());
    assertThat(known.getUnchanged()).isTrue();
    assertThat(known.getMembersCount()).isZero();
    assertThat(known.getTitle()).isEqualTo("team");
  }

  @Test
  void whatCannotBeAskedIsAnArgument() {
    ChatId group = group(alice.create("args", BOB));
    assertThat(
            alice
                .ask(
                    FrameType.GROUP_CREATE,
                    GroupCreate.newBuilder().setOpId(ByteString.copyFromUtf8("short")).build())
                .error())
        .isEqualTo(ErrorCode.ARGUMENT);
    assertThat(alice.edit(group, GroupEdit.newBuilder()).error()).isEqualTo(ErrorCode.ARGUMENT);
    assertThat(alice.edit(group, GroupEdit.newBuilder().setLeave(false)).error())
        .isEqualTo(ErrorCode.ARGUMENT);
    assertThat(alice.edit(group, add()).error()).isEqualTo(ErrorCode.ARGUMENT);
    assertThat(alice.edit(group, role(BOB, Role.ROLE_UNSPECIFIED)).error())
        .isEqualTo(ErrorCode.ARGUMENT);
    assertThat(alice.edit(group, GroupEdit.newBuilder().setTitle("x".repeat(300))).error())
        .isEqualTo(ErrorCode.ARGUMENT);
    assertThat(alice.session.isLive()).isTrue();
  }

  @Test
  void changesAreChargedAsSends() {
    var slow = new Node("limits.send.rate=1", "limits.send.burst=2");
    Node.Client client = slow.login(ALICE, 1);
    assertThat(client.create("one").type()).isEqualTo(FrameType.GROUP_CREATED);
    assertThat(client.create("two").type()).isEqualTo(FrameType.GROUP_CREATED);
    assertThat(client.create("three").error()).isEqualTo(ErrorCode.RATE);
  }

  // ---- receipts --------------------------------------------------------------------------------

  @Test
  void theAuthorIsToldHowFarTheirNewestMessageHasGotAndNobodyElseIs() {
    ChatId group = group(alice.create("counted", BOB, CAROL));
    carol.disconnect();
    node.pass(Duration.ofSeconds(2));
    alice.take(FrameType.RECEIPT);
    bob.take(FrameType.RECEIPT);
    FakeHost.Out sent = alice.text(group, "who is there?");
    node.pass(Duration.ofSeconds(2));

    Receipt delivered = alice.take(FrameType.RECEIPT).getLast().as(Receipt.getDefaultInstance());
    assertThat(delivered.getMember()).isZero();
    assertThat(delivered.getCount().getSeq()).isEqualTo(sent.seq());
    assertThat(delivered.getCount().getTotal()).isEqualTo(2);
    assertThat(delivered.getCount().getDelivered()).isEqualTo(1);
    assertThat(delivered.getCount().getRead()).isZero();

    bob.tell(FrameType.READ, group, sent.seq());
    node.pass(Duration.ofSeconds(2));
    Receipt read = alice.take(FrameType.RECEIPT).getLast().as(Receipt.getDefaultInstance());
    assertThat(read.getCount().getRead()).isEqualTo(1);
    assertThat(bob.take(FrameType.RECEIPT)).isEmpty();
  }

  @Test
  void whoHidesWhatTheyReadIsNotCountedAndIsNotTold() {
    ChatId group = group(alice.create("hidden", BOB));
    bob.set(Setting.newBuilder().setPrivacy(Privacy.newBuilder().setHideReadReceipts(true)));
    FakeHost.Out sent = alice.text(group, "read me");
    bob.tell(FrameType.READ, group, sent.seq());
    FakeHost.Out answer = bob.text(group, "mine");
    alice.tell(FrameType.READ, group, answer.seq());
    node.pass(Duration.ofSeconds(3));

    assertThat(alice.take(FrameType.RECEIPT))
        .extracting(out -> out.as(Receipt.getDefaultInstance()).getCount().getRead())
        .containsOnly(0);
    assertThat(bob.take(FrameType.RECEIPT))
        .isNotEmpty()
        .allMatch(out -> out.as(Receipt.getDefaultInstance()).getRead() == 0)
        .allMatch(out -> out.as(Receipt.getDefaultInstance()).getCount().getRead() == 0);
  }

  @Test
  void entryInfoComesInPagesAndOnlyForOnesOwn() {
    List<UserId> crowd = IntStream.range(0, 60).mapToObj(i -> new UserId(50_000 + i)).toList();
    crowd.forEach(user -> node.login(user, 1));
    ChatId group = group(alice.create("crowd", crowd.toArray(UserId[]::new)));
    long seq = alice.text(group, "all of you").seq();
    node.pass(Duration.ofSeconds(1));

    List<Long> seen = new ArrayList<>();
    ByteString token = ByteString.EMPTY;
    do {
      EntryInfoPage page =
          alice
              .ask(
                  FrameType.ENTRY_INFO,
                  group,
                  seq,
                  EntryInfo.newBuilder().setLimit(25).setPageToken(token).build())
              .as(EntryInfoPage.getDefaultInstance());
      assertThat(page.getTotal()).isEqualTo(60);
      assertThat(page.getDelivered()).isEqualTo(60);
      assertThat(page.getMembersCount()).isBetween(1, 25);
      page.getMembersList()
          .forEach(member -> {
            assertThat(member.getDeliveredAtMs()).isPositive();
            assertThat(member.getReadAtMs()).isZero();
            seen.add(member.getUser());
          });
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    assertThat(seen).containsExactlyElementsOf(crowd.stream().map(UserId::value).toList());

    Node.Client one = node.login(crowd.getFirst(), 2);
    assertThat(one.ask(FrameType.ENTRY_INFO, group, seq, EntryInfo.getDefaultInstance()).error())
        .isEqualTo(ErrorCode.NOT_ALLOWED);
    assertThat(alice.ask(FrameType.ENTRY_INFO, group, 999, EntryInfo.getDefaultInstance()).error())
        .isEqualTo(ErrorCode.NOT_FOUND);
  }

  @Test
  void aGroupOfTheLargestSizeIsAnsweredInFramesThatEveryClientTakes() {
    List<UserId> crowd =
        IntStream.range(1, Limits.GROUP_MEMBERS_MAX)
            .mapToObj(i -> new UserId(UserId.VALUE_MAX - i))
            .toList();
    for (UserId user : crowd) {
      // Enrolled and gone: a thousand connections would prove no more.
      node.login(user, 1).disconnect();
      // Logins take turns.
      node.now += 1_000_000;
    }
    ChatId group = group(alice.create("t".repeat(256), crowd.toArray(UserId[]::new)));
    long seq = alice.text(group, "to all").seq();

    ChatInfoPage info = info(alice, group);
    assertThat(info.getMembersCount()).isEqualTo(Limits.GROUP_MEMBERS_MAX);
    assertThat(info.getSerializedSize()).isLessThan(Limits.FRAME_BYTES_NEGOTIABLE_MIN);
    int members = 0;
    ByteString token = ByteString.EMPTY;
    do {
      FakeHost.Out page =
          alice.ask(
              FrameType.ENTRY_INFO,
              group,
              seq,
              EntryInfo.newBuilder().setLimit(100).setPageToken(token).build());
      assertThat(page.body().length).isLessThan(4_096);
      EntryInfoPage found = page.as(EntryInfoPage.getDefaultInstance());
      assertThat(found.getTotal()).isEqualTo(Limits.GROUP_MEMBERS_MAX - 1);
      members += found.getMembersCount();
      token = found.getNextPageToken();
    } while (!token.isEmpty());
    assertThat(members).isEqualTo(Limits.GROUP_MEMBERS_MAX - 1);

    UserId one = new UserId(5_005);
    node.login(one, 1);
    assertThat(alice.edit(group, add(one)).error()).isEqualTo(ErrorCode.GROUP_FULL);
  }

  // ---- events ----------------------------------------------------------------------------------

  @Test
  void anEditIsInTheHistoryWithItsTimeAndReactionsAreSummedUp() {
    ChatId group = group(alice.create("talk", BOB, CAROL));
    long seq = alice.text(group, "helo").seq();
    Content.Builder edit =
        Content.newBuilder()
            .setKind(Kind.KIND_EDIT)
            .setTarget(seq)
            .setBody(ByteString.copyFromUtf8("hello"));
    assertThat(alice.send(group, edit).type()).isEqualTo(FrameType.SENT);
    Content.Builder reaction =
        Content.newBuilder()
            .setKind(Kind.KIND_REACTION)
            .setTarget(seq)
            .setBody(ByteString.copyFromUtf8("+1"));
    assertThat(bob.send(group, reaction).type()).isEqualTo(FrameType.SENT);
    assertThat(carol.send(group, reaction).type()).isEqualTo(FrameType.SENT);

    PageEntry entry =
        history(bob, group).getEntriesList().stream()
            .filter(e -> e.getSeq() == seq)
            .findFirst()
            .orElseThrow();
    assertThat(entry.getEntry().getContent().getBody().toStringUtf8()).isEqualTo("hello");
    assertThat(entry.getEntry().getEditedMs()).isPositive();
    assertThat(entry.getReactions(0).getText()).isEqualTo("+1");
    assertThat(entry.getReactions(0).getCount()).isEqualTo(2);
    assertThat(entry.getReactions(0).getOwn()).isTrue();
  }

  @Test
  void reactionsNeverMakeAPageLargerThanAFrame() {
    List<Node.Client> crowd =
        IntStream.range(0, 16).mapToObj(i -> node.login(new UserId(60_000 + i), 1)).toList();
    ChatId group =
        group(alice.create("loud", crowd.stream().map(c -> c.id.user()).toArray(UserId[]::new)));
    List<Long> seqs = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      seqs.add(alice.text(group, "text " + i).seq());
    }
    for (long seq : seqs) {
      for (int j = 0; j < crowd.size(); j++) {
        crowd
            .get(j)
            .send(
                group,
                Content.newBuilder()
                    .setKind(Kind.KIND_REACTION)
                    .setTarget(seq)
                    .setBody(ByteString.copyFromUtf8((char) ('a' + j) + "x".repeat(63))));
      }
    }
    for (boolean down : List.of(true, false)) {
      List<Long> found = new ArrayList<>();
      long from = down ? 102 : 1;
      boolean more = true;
      boolean cut = false;
      while (more) {
        var request = History.newBuilder().setLimit(100);
        FakeHost.Out out =
            alice.ask(
                FrameType.HISTORY,
                group,
                (down ? request.setBefore(from) : request.setAfter(from)).build());
        assertThat(out.body().length).isLessThan(Limits.FRAME_BYTES_MAX - Limits.HEADER_BYTES_MAX);
        HistoryPage page = out.as(HistoryPage.getDefaultInstance());
        List<Long> piece = page.getEntriesList().stream().map(PageEntry::getSeq).toList();
        for (int i = 1; i < piece.size(); i++) {
          assertThat(piece.get(i)).isEqualTo(piece.get(i - 1) + 1);
        }
        more = page.getMore();
        cut |= more && piece.size() < 100;
        from = down ? piece.getFirst() : piece.getLast();
        found.addAll(piece);
      }
      assertThat(cut).as("by bytes").isTrue();
      assertThat(found).doesNotHaveDuplicates().containsAll(seqs);
    }
  }

  @Test
  void aMentionIsCountedInTheListUntilItIsRead() {
    ChatId group = group(alice.create("hey", BOB, CAROL));
    FakeHost.Out sent =
        alice.send(
            group,
            Content.newBuilder()
                .setKind(Kind.KIND_TEXT)
                .setBody(ByteString.copyFromUtf8("@bob"))
                .addMentions(BOB.value()));
    assertThat(item(bob, group).getUnreadMentions()).isEqualTo(1);
    assertThat(item(carol, group).getUnreadMentions()).isZero();
    assertThat(item(carol, group).getUnread()).isEqualTo(1);
    assertThat(item(carol, group).getTitle()).isEqualTo("hey");
    assertThat(item(carol, group).getMembers()).isEqualTo(3);
    bob.tell(FrameType.READ, group, sent.seq());
    assertThat(item(bob, group).getUnreadMentions()).isZero();
  }

  // ---- coming back -----------------------------------------------------------------------------

  @Test
  void whoComesBackIsResetToWhereTheySeeAgain() {
    ChatId group = group(alice.create("again", BOB, CAROL));
    alice.edit(group, GroupEdit.newBuilder().setRemove(CAROL.value()));
    carol.disconnect();
    alice.text(group, "without carol");
    FakeHost.Out back = alice.edit(group, add(CAROL));
    alice.text(group, "with carol");

    Node.Client again = node.login(CAROL, 1);
    assertThat(again.take(FrameType.RESET))
        .singleElement()
        .matches(reset -> reset.seq() == back.seq() - 1 && reset.chat() == group.high());
    assertThat(again.take(FrameType.DELIVER))
        .extracting(FakeHost.Out::seq)
        .containsExactly(back.seq(), back.seq() + 1);
  }

  @Test
  void aMemberWhoWasAwayIsCaughtUpWithEventsAndMessages() {
    ChatId group = group(alice.create("away", BOB));
    bob.disconnect();
    alice.text(group, "one");
    alice.edit(group, add(CAROL));
    alice.text(group, "two");
    Node.Client again = node.login(BOB, 1);
    List<FakeHost.Out> delivers = again.take(FrameType.DELIVER);
    assertThat(kinds(delivers)).containsExactly(Kind.KIND_TEXT, Kind.KIND_GROUP, Kind.KIND_TEXT);
    assertThat(delivers).allMatch(out -> out.as(Deliver.getDefaultInstance()).getSender() == 1_001);
  }
}

package io.tern.client.core;

import static io.tern.client.core.Script.CHAT;
import static io.tern.client.core.Script.ME;
import static io.tern.client.core.Script.PEER;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import io.tern.client.Body;
import io.tern.client.ClientListener.Message;
import io.tern.client.ClientListener.Presence;
import io.tern.client.ClientListener.ReceiptCount;
import io.tern.client.ClientListener.Typing;
import io.tern.client.GroupChange;
import io.tern.client.Groups.Changed;
import io.tern.client.TernException;
import io.tern.client.core.Script.Out;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Block;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.DeviceItem;
import io.tern.protocol.v1.DeviceRemove;
import io.tern.protocol.v1.DeviceRemoved;
import io.tern.protocol.v1.DevicesPage;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.EntryInfoMember;
import io.tern.protocol.v1.EntryInfoPage;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupCreated;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEdited;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.SettingsSet;
import io.tern.protocol.v1.UserPresence;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// The rules for clients that belong to groups, settings, presence and devices (SPEC sections 19 to
/// 24), one by one.
class ConversationCoreTest {

  private static final ChatId GROUP = ChatId.group(77);
  private static final int IN_GROUP = FrameHeader.CHAT | FrameHeader.GROUP;

  private final Script client = new Script();
  private final List<Changed> changed = new ArrayList<>();
  private final List<TernException> refused = new ArrayList<>();

  // ---- operations

  @Test
  void aGroupOperationIsRepeatedWithTheSameIdOverReconnects() throws Exception {
    client.up();
    createGroup("friends");
    Out first = client.out(FrameType.GROUP_CREATE).get(0);
    assertThat(GroupCreate.parseFrom(first.body()).getOpId().size()).isEqualTo(16);
    client.reconnect();

    Out again = client.out(FrameType.GROUP_CREATE).get(0);
    assertThat(again.body()).isEqualTo(first.body());
    assertThat(changed).isEmpty();
    created(again.rid());
    assertThat(changed).containsExactly(new Changed(GROUP, 1, 5, List.of(PEER)));
    client.reconnect();
    assertThat(client.out(FrameType.GROUP_CREATE)).isEmpty();
  }

  @Test
  void twoOperationsHaveTwoIds() throws Exception {
    client.up();
    createGroup("friends");
    createGroup("friends");
    List<Out> out = client.out(FrameType.GROUP_CREATE);
    assertThat(GroupCreate.parseFrom(out.get(0).body()).getOpId())
        .isNotEqualTo(GroupCreate.parseFrom(out.get(1).body()).getOpId());
  }

  @Test
  void laterIsNoAnswerToAnOperationHoweverOftenItComes() {
    client.up();
    edit(GroupEdit.newBuilder().setTitle("new"));
    byte[] body = new byte[0];
    for (int i = 0; i < 12; i++) {
      Out out = client.out(FrameType.GROUP_EDIT).get(0);
      body = i == 0 ? out.body() : body;
      assertThat(out.body()).isEqualTo(body);
      client.error(out.rid(), ErrorCode.TIMEOUT.number(), 50, 0).sleep(200);
    }
    assertThat(refused).isEmpty();
    client.error(
        client.out(FrameType.GROUP_EDIT).get(0).rid(), ErrorCode.NOT_ALLOWED.number(), 0, 0);
    assertThat(refused).extracting(TernException::code).containsExactly(ErrorCode.NOT_ALLOWED);
  }

  @Test
  void aChangeOfOursThatIsNotPushedIsReadByHistory() throws Exception {
    joinedAt(1);
    deliverGroup(1, PEER, text("one"));
    edit(GroupEdit.newBuilder().setTitle("new"));
    int rid = client.out(FrameType.GROUP_EDIT).get(0).rid();
    client.in(
        FrameType.GROUP_EDITED,
        FrameHeader.RID | FrameHeader.SEQ,
        rid,
        0,
        2,
        GroupEdited.newBuilder().setMembersVersion(3).build());
    assertThat(changed).extracting(Changed::seq).containsExactly(2L);
    Out question = client.out(FrameType.HISTORY).get(0);
    assertThat(History.parseFrom(question.body()).getAfter()).isEqualTo(1);
    history(question, 0, 2, entry(2, ME, event(GroupEvent.newBuilder().setTitle("new"))));

    assertThat(client.messages).extracting(Message::seq).containsExactly(1L, 2L);
    assertThat(client.messages.get(1).body())
        .isEqualTo(new Body.Group(new GroupChange.Titled("new"), null));
  }

  @Test
  void aChangeOfOursThatIsPushedIsHeardOnce() {
    joinedAt(1);
    edit(GroupEdit.newBuilder().setTitle("new"));
    int rid = client.out(FrameType.GROUP_EDIT).get(0).rid();
    deliverGroup(1, ME, event(GroupEvent.newBuilder().setTitle("new")));
    client.in(
        FrameType.GROUP_EDITED,
        FrameHeader.RID | FrameHeader.SEQ,
        rid,
        0,
        1,
        GroupEdited.getDefaultInstance());
    assertThat(client.messages).hasSize(1);
    assertThat(client.out(FrameType.HISTORY)).isEmpty();
  }

  // ---- membership

  @Test
  void whoCameBackStartsWhereTheMembershipDoes() throws Exception {
    joinedAt(1);
    deliverGroup(1, PEER, text("one"));
    client.out();
    deliverGroup(40, PEER, text("forty"));
    history(client.out(FrameType.HISTORY).get(0), 40, 40, entry(40, PEER, text("forty")));

    assertThat(client.resets).containsExactly(39L);
    assertThat(client.messages).extracting(Message::seq).containsExactly(1L, 40L);
    assertThat(client.out(FrameType.ACK)).extracting(Out::seq).endsWith(40L);
  }

  @Test
  void aResetIsAcknowledged() {
    client.up();
    client.out();
    client.in(
        FrameType.RESET,
        IN_GROUP | FrameHeader.SEQ,
        0,
        GROUP.high(),
        39,
        Receipt.getDefaultInstance());
    assertThat(client.resets).containsExactly(39L);
    assertThat(client.out(FrameType.ACK)).extracting(Out::seq).containsExactly(39L);
    deliverGroup(40, PEER, text("forty"));
    assertThat(client.messages).extracting(Message::seq).containsExactly(40L);
  }

  @Test
  void whatIsMissingInAGroupThatIsNotOursAnyMoreIsGivenUp() {
    joinedAt(1);
    deliverGroup(3, PEER, text("three"));
    Out question = client.out(FrameType.HISTORY).get(0);
    client.error(question.rid(), ErrorCode.NOT_MEMBER.number(), 0, 0).sleep(60_000);
    assertThat(client.out(FrameType.HISTORY)).isEmpty();
    client.in(
        FrameType.CATCH_UP_PAGE,
        0,
        0,
        0,
        0,
        io.tern.protocol.v1.CatchUpPage.newBuilder().setDone(true).build());
    assertThat(client.caughtUp).isEqualTo(1);
  }

  @Test
  void theHistoryOfAMemberBeginsWithTheMembership() throws Exception {
    client.up();
    var pages = new ArrayList<HistoryPage>();
    client.core().queries().historyAfter(GROUP, 0, 10, pages::add, refused::add);
    client.core().endPass(client.now);
    history(client.out(FrameType.HISTORY).get(0), 500, 501);
    Out next = client.out(FrameType.HISTORY).get(0);
    assertThat(History.parseFrom(next.body()).getAfter()).isEqualTo(499);
    history(next, 500, 501, entry(500, PEER, text("a")), entry(501, PEER, text("b")));
    assertThat(pages).hasSize(1);
    assertThat(pages.get(0).getEntriesCount()).isEqualTo(2);
  }

  // ---- entries

  @Test
  void anEditedMessageSaysSince() {
    client.up();
    client.in(
        FrameType.DELIVER,
        FrameHeader.CHAT | FrameHeader.SEQ,
        0,
        PEER.value(),
        1,
        Script.entry(1).toBuilder().setEditedMs(4711).build());
    assertThat(client.messages).extracting(Message::editedMillis).containsExactly(4711L);
  }

  @Test
  void settingsComeFromTheChatWithOneself() throws Exception {
    client.up();
    var block = Setting.newBuilder().setBlock(Block.newBuilder().setUser(9).setOn(true)).build();
    var star =
        Setting.newBuilder().setStar(io.tern.protocol.v1.Star.newBuilder().setSeq(3)).build();
    var content =
        Content.newBuilder()
            .setKind(Kind.KIND_SETTING)
            .setBody(Settings.newBuilder().addSet(block).addSet(star).build().toByteString())
            .build();
    client.in(
        FrameType.DELIVER,
        FrameHeader.CHAT | FrameHeader.SEQ | FrameHeader.OWN,
        0,
        ME.value(),
        1,
        Deliver.newBuilder().setDevice(2).setContent(content).build());
    assertThat(client.settings).containsExactly(block, star);
    assertThat(client.messages).hasSize(1);
  }

  @Test
  void aSettingIsAskedForUntilItIsSet() throws Exception {
    client.up();
    var done = new ArrayList<String>();
    client
        .core()
        .changes()
        .set(
            List.of(Setting.newBuilder().setBlock(Block.newBuilder().setUser(9)).build()),
            nothing -> done.add("done"),
            refused::add);
    client.core().endPass(client.now);
    Out first = client.out(FrameType.SETTINGS).get(0);
    assertThat(Settings.parseFrom(first.body()).getSetCount()).isEqualTo(1);
    client.reconnect();
    Out again = client.out(FrameType.SETTINGS).get(0);
    client.in(
        FrameType.SETTINGS_SET,
        FrameHeader.RID | FrameHeader.SEQ,
        again.rid(),
        0,
        1,
        SettingsSet.getDefaultInstance());
    assertThat(done).containsExactly("done");
  }

  // ---- receipts

  @Test
  void whatEveryoneHasReachedIsToldAndNeverGoesBack() {
    client.up();
    receipt(Receipt.newBuilder().setDelivered(5).setRead(2));
    receipt(Receipt.newBuilder().setDelivered(4).setRead(2));
    receipt(Receipt.newBuilder().setDelivered(5).setRead(3));
    assertThat(client.groupReceipts).containsExactly("5 2", "5 3");
    assertThat(client.receipts).isEmpty();
  }

  @Test
  void anEntryOfOursIsCounted() {
    client.up();
    receipt(
        Receipt.newBuilder()
            .setCount(
                io.tern.protocol.v1.ReceiptCount.newBuilder()
                    .setSeq(7)
                    .setTotal(99)
                    .setDelivered(57)
                    .setRead(12)));
    assertThat(client.counts).containsExactly(new ReceiptCount(GROUP, 7, 99, 57, 12));
    assertThat(client.groupReceipts).isEmpty();
  }

  @Test
  void ownReadMarksOfOtherDevicesComeInGroupsToo() {
    client.up();
    receipt(Receipt.newBuilder().setMember(ME.value()).setRead(3).setDelivered(3));
    assertThat(client.receipts).containsExactly(ME + " 3 3");
  }

  @Test
  void theChatListTellsWhatEveryoneHasReached() {
    client.up();
    client.core().queries().chats(null, 10, page -> {}, refused::add);
    client.core().endPass(client.now);
    client.in(
        FrameType.CHATS_PAGE,
        FrameHeader.RID,
        client.out(FrameType.CHATS).get(0).rid(),
        0,
        0,
        ChatsPage.newBuilder()
            .addChats(
                ChatItem.newBuilder()
                    .setChat(GROUP.high())
                    .setGroup(true)
                    .setAllDelivered(9)
                    .setAllRead(8))
            .build());
    assertThat(client.groupReceipts).containsExactly("9 8");
  }

  @Test
  void entryInfoNamesTheEntryAndThePage() throws Exception {
    client.up();
    var pages = new ArrayList<EntryInfoPage>();
    client.core().queries().entryInfo(GROUP, 12, new byte[] {5}, 20, pages::add, refused::add);
    client.core().endPass(client.now);
    Out question = client.out(FrameType.ENTRY_INFO).get(0);
    assertThat(question.seq()).isEqualTo(12);
    assertThat(question.chat()).isEqualTo(GROUP.high());
    EntryInfo asked = EntryInfo.parseFrom(question.body());
    assertThat(asked.getLimit()).isEqualTo(20);
    assertThat(asked.getPageToken()).isEqualTo(ByteString.copyFrom(new byte[] {5}));
    client.in(
        FrameType.ENTRY_INFO_PAGE,
        FrameHeader.RID,
        question.rid(),
        0,
        0,
        EntryInfoPage.newBuilder()
            .setTotal(1)
            .addMembers(EntryInfoMember.newBuilder().setUser(9).setReadAtMs(3))
            .build());
    assertThat(pages).hasSize(1);
  }

  // ---- presence and typing

  @Test
  void aWatchIsRenewedBeforeItsTenMinutesAreOver() throws Exception {
    client.ping = Duration.ofMinutes(30);
    client.restart().connected().helloAck(client.ack());
    watch(PEER);
    answerWatch();
    client.sleep(8 * 60_000 - 1);
    assertThat(client.out(FrameType.PRESENCE_SUB)).isEmpty();
    client.sleep(2);
    List<Out> renewed = client.out(FrameType.PRESENCE_SUB);
    assertThat(renewed).hasSize(1);
    assertThat(PresenceSub.parseFrom(renewed.get(0).body()).getUsersList())
        .containsExactly(PEER.value());
  }

  @Test
  void aNewConnectionWatchesAgain() {
    client.up();
    watch(PEER);
    answerWatch();
    client.reconnect();
    assertThat(client.out(FrameType.PRESENCE_SUB)).hasSize(1);
  }

  @Test
  void whatLapsedIsWatchedAgainAtARandomMoment() {
    var waits = new ArrayList<Long>();
    for (int seed = 1; seed <= 20; seed++) {
      var one = new Script();
      one.seed = seed;
      one.restart().connected().helloAck(one.ack());
      one.core().watching().watch(one.now, List.of(PEER), List.of());
      one.core().endPass(one.now);
      answerWatch(one);
      one.in(
          FrameType.PRESENCE,
          0,
          0,
          0,
          0,
          io.tern.protocol.v1.Presence.newBuilder()
              .addUsers(UserPresence.newBuilder().setUser(PEER.value()).setLapsed(true))
              .build());
      assertThat(one.presences).last().isEqualTo(new Presence(PEER, false, 0));
      long from = one.now;
      while (one.out(FrameType.PRESENCE_SUB).isEmpty()) {
        one.nextTimer();
      }
      waits.add(one.now - from);
    }
    assertThat(waits).allSatisfy(wait -> assertThat(wait).isBetween(0L, 5_000L));
    assertThat(waits).anyMatch(wait -> wait < 1_700).anyMatch(wait -> wait > 3_300);
  }

  @Test
  void whatIsWatchedLastCounts() throws Exception {
    client.up();
    watch(PEER);
    Out first = client.out(FrameType.PRESENCE_SUB).get(0);
    var carol = new UserId(1234);
    watch(carol);
    assertThat(client.out(FrameType.PRESENCE_SUB)).isEmpty();
    client.in(
        FrameType.PRESENCE_PAGE,
        FrameHeader.RID,
        first.rid(),
        0,
        0,
        io.tern.protocol.v1.Presence.getDefaultInstance());
    Out second = client.out(FrameType.PRESENCE_SUB).get(0);
    assertThat(PresenceSub.parseFrom(second.body()).getUsersList()).containsExactly(carol.value());
  }

  @Test
  void nothingIsWatchedAnyMore() throws Exception {
    client.up();
    watch(PEER);
    answerWatch();
    client.core().watching().watch(client.now, List.of(), List.of());
    client.core().endPass(client.now);
    List<Out> out = client.out(FrameType.PRESENCE_SUB);
    assertThat(out).hasSize(1);
    assertThat(out.get(0).body()).isEmpty();
    client.in(
        FrameType.PRESENCE_PAGE,
        FrameHeader.RID,
        out.get(0).rid(),
        0,
        0,
        io.tern.protocol.v1.Presence.getDefaultInstance());
    client.reconnect();
    client.sleep(20 * 60_000);
    assertThat(client.out(FrameType.PRESENCE_SUB)).isEmpty();
  }

  @Test
  void recordingIsAWayOfTyping() {
    client.up();
    client.out();
    client.core().watching().typing(CHAT, Typing.VOICE);
    client.core().endPass(client.now);
    assertThat(client.out(FrameType.TYPING).get(0).body()).containsExactly(8, 1, 24, 1);
    client.in(
        FrameType.TYPING_PUSH,
        IN_GROUP,
        0,
        GROUP.high(),
        0,
        io.tern.protocol.v1.Typing.newBuilder()
            .setOn(true)
            .setRecording(true)
            .setMember(PEER.value())
            .build());
    client.in(
        FrameType.TYPING_PUSH,
        FrameHeader.CHAT,
        0,
        PEER.value(),
        0,
        io.tern.protocol.v1.Typing.newBuilder().setOn(true).build());
    assertThat(client.typings)
        .containsExactly(GROUP + " " + PEER + " VOICE", CHAT + " " + PEER + " TEXT");
  }

  // ---- devices

  @Test
  void devicesAreListedAndRemoved() throws Exception {
    client.up();
    var devices = new ArrayList<DeviceItem>();
    var done = new ArrayList<String>();
    client.core().queries().devices(devices::addAll, refused::add);
    client.core().changes().removeDevice(3, nothing -> done.add("removed"), refused::add);
    client.core().endPass(client.now);
    List<Out> out = client.out();
    client.in(
        FrameType.DEVICES_PAGE,
        FrameHeader.RID,
        only(out, FrameType.DEVICES).rid(),
        0,
        0,
        DevicesPage.newBuilder().addDevices(DeviceItem.newBuilder().setDevice(3)).build());
    Out remove = only(out, FrameType.DEVICE_REMOVE);
    assertThat(DeviceRemove.parseFrom(remove.body()).getDevice()).isEqualTo(3);
    client.in(
        FrameType.DEVICE_REMOVED,
        FrameHeader.RID,
        remove.rid(),
        0,
        0,
        DeviceRemoved.getDefaultInstance());
    assertThat(devices).extracting(DeviceItem::getDevice).containsExactly(3);
    assertThat(done).containsExactly("removed");
  }

  // ---- helpers

  private void createGroup(String title) {
    client
        .core()
        .changes()
        .createGroup(GroupCreate.newBuilder().setTitle(title), changed::add, refused::add);
    client.core().endPass(client.now);
  }

  private void created(int rid) {
    client.in(
        FrameType.GROUP_CREATED,
        IN_GROUP | FrameHeader.RID | FrameHeader.SEQ,
        rid,
        GROUP.high(),
        1,
        GroupCreated.newBuilder().setMembersVersion(5).addRefused(PEER.value()).build());
  }

  private void edit(GroupEdit.Builder change) {
    client.core().changes().editGroup(GROUP, change, changed::add, refused::add);
    client.core().endPass(client.now);
  }

  /// The client is up and knows that its time in the group began at `seq`.
  private void joinedAt(long seq) {
    client.store.setPosition(GROUP, seq - 1);
    client.up();
    client.out();
  }

  private void deliverGroup(long seq, UserId sender, Content content) {
    client.in(
        FrameType.DELIVER,
        IN_GROUP | FrameHeader.SEQ | (sender.equals(ME) ? FrameHeader.OWN : 0),
        0,
        GROUP.high(),
        seq,
        deliver(sender, content));
  }

  private static Deliver deliver(UserId sender, Content content) {
    return Deliver.newBuilder()
        .setSender(sender.value())
        .setDevice(1)
        .setTsMs(5)
        .setContent(content)
        .build();
  }

  private static PageEntry entry(long seq, UserId sender, Content content) {
    return PageEntry.newBuilder()
        .setSeq(seq)
        .setOwn(sender.equals(ME))
        .setEntry(deliver(sender, content))
        .build();
  }

  private void history(Out question, long first, long head, PageEntry... entries) {
    client.in(
        FrameType.HISTORY_PAGE,
        FrameHeader.RID,
        question.rid(),
        0,
        0,
        HistoryPage.newBuilder()
            .addAllEntries(List.of(entries))
            .setFirst(first)
            .setHead(head)
            .build());
  }

  private static Content text(String text) {
    return Script.content(text);
  }

  private static Content event(GroupEvent.Builder event) {
    return Content.newBuilder()
        .setKind(Kind.KIND_GROUP)
        .setBody(event.build().toByteString())
        .build();
  }

  private void receipt(Receipt.Builder receipt) {
    client.in(FrameType.RECEIPT, IN_GROUP, 0, GROUP.high(), 0, receipt.build());
  }

  private void watch(UserId user) {
    client.core().watching().watch(client.now, List.of(user), List.of());
    client.core().endPass(client.now);
  }

  private void answerWatch() {
    answerWatch(client);
  }

  private static void answerWatch(Script client) {
    Out question = client.out(FrameType.PRESENCE_SUB).get(0);
    MessageLite page =
        io.tern.protocol.v1.Presence.newBuilder()
            .addUsers(UserPresence.newBuilder().setUser(PEER.value()).setOnline(true))
            .build();
    client.in(FrameType.PRESENCE_PAGE, FrameHeader.RID, question.rid(), 0, 0, page);
    assertThat(client.presences).last().isEqualTo(new Presence(PEER, true, 0));
  }

  private static Out only(List<Out> out, FrameType type) {
    return out.stream().filter(o -> o.type() == type).findFirst().orElseThrow();
  }
}

package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Block;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Contact;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.EntryInfoPage;
import io.tern.protocol.v1.Hide;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.SettingsSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Settings, privacy, blocks and "delete for me" as clients see them.
class SettingsTest {

  private static final UserId ALICE = new UserId(1_001);
  private static final UserId BOB = new UserId(2_002);
  private static final ChatId CHAT = ChatId.direct(ALICE, BOB);
  private static final ChatId NOTES = ChatId.direct(ALICE, ALICE);

  private final Node node = new Node();
  private Node.Client alice;
  private Node.Client bob;

  @BeforeEach
  void bothAreThere() {
    alice = node.login(ALICE, 1);
    bob = node.login(BOB, 1);
  }

  private static Setting.Builder block(UserId user, boolean on) {
    return Setting.newBuilder().setBlock(Block.newBuilder().setUser(user.value()).setOn(on));
  }

  private static Setting.Builder hidesReads(boolean hides) {
    return Setting.newBuilder().setPrivacy(Privacy.newBuilder().setHideReadReceipts(hides));
  }

  private static Setting.Builder mute(UserId chat, long until) {
    return Setting.newBuilder()
        .setChat(ChatSetting.newBuilder().setChat(chat.value()).setMuteUntilMs(until));
  }

  private static ChatItem item(Node.Client client, ChatId chat) {
    return client
        .ask(FrameType.CHATS, Chats.getDefaultInstance())
        .as(ChatsPage.getDefaultInstance())
        .getChatsList()
        .stream()
        .filter(item -> !item.getGroup() && item.getChat() == chat.wireId(client.id.user()))
        .findFirst()
        .orElseThrow();
  }

  private static List<Receipt> receipts(Node.Client client) {
    return client.take(FrameType.RECEIPT).stream()
        .map(out -> out.as(Receipt.getDefaultInstance()))
        .toList();
  }

  // ---- settings --------------------------------------------------------------------------------

  @Test
  void aSettingIsAnEntryOfTheSelfChatOnEveryDevice() throws Exception {
    Node.Client laptop = node.login(ALICE, 2);
    FakeHost.Out set = alice.set(mute(BOB, 77), mute(BOB, 78));
    assertThat(set.type()).isEqualTo(FrameType.SETTINGS_SET);
    for (Node.Client device : List.of(alice, laptop)) {
      FakeHost.Out entry = device.take(FrameType.DELIVER).getLast();
      assertThat(entry.seq()).isEqualTo(set.seq());
      assertThat(entry.chat()).isEqualTo(NOTES.wireId(ALICE));
      assertThat(entry.flags() & FrameHeader.OWN).isNotZero();
      var content = entry.as(Deliver.getDefaultInstance()).getContent();
      assertThat(content.getKind()).isEqualTo(Kind.KIND_SETTING);
      assertThat(Settings.parseFrom(content.getBody()).getSetList())
          .last()
          .matches(setting -> setting.getChat().getMuteUntilMs() == 78);
    }
    alice.text(CHAT, "so that there is a chat");
    assertThat(item(alice, CHAT).getSettings().getMuteUntilMs()).isEqualTo(78);
    assertThat(item(bob, CHAT).hasSettings()).isFalse();
  }

  @Test
  void settingsAreReadInPages() {
    for (int i = 0; i < 130; i++) {
      alice.set(
          Setting.newBuilder()
              .setContact(Contact.newBuilder().setUser(70_000 + i).setName("c" + i)));
    }
    List<Long> users = new ArrayList<>();
    ByteString token = ByteString.EMPTY;
    int pages = 0;
    do {
      SettingsSet page =
          alice
              .ask(FrameType.SETTINGS, Settings.newBuilder().setPageToken(token).build())
              .as(SettingsSet.getDefaultInstance());
      page.getSettingsList().forEach(setting -> users.add(setting.getContact().getUser()));
      token = page.getNextPageToken();
      pages++;
    } while (!token.isEmpty());
    assertThat(pages).isGreaterThan(1);
    assertThat(users).hasSize(130).doesNotHaveDuplicates();
  }

  @Test
  void whatCannotBeSetIsAnArgument() {
    assertThat(alice.set(block(ALICE, true)).error()).isEqualTo(ErrorCode.ARGUMENT);
    assertThat(alice.set(Setting.newBuilder()).error()).isEqualTo(ErrorCode.ARGUMENT);
    assertThat(alice.set(mute(BOB, -1)).error()).isEqualTo(ErrorCode.ARGUMENT);
    assertThat(
            alice
                .ask(
                    FrameType.SETTINGS,
                    Settings.newBuilder().setPageToken(ByteString.copyFrom(new byte[40])).build())
                .error())
        .isEqualTo(ErrorCode.ARGUMENT);
    var many = new Setting.Builder[17];
    Arrays.setAll(many, i -> mute(BOB, i));
    assertThat(alice.set(many).error()).isEqualTo(ErrorCode.ARGUMENT);
    assertThat(alice.session.isLive()).isTrue();
  }

  // ---- delete for me ---------------------------------------------------------------------------

  @Test
  void whatOneDeletesForOneselfIsATombstoneForOnesDevicesOnly() {
    long seq = bob.text(CHAT, "embarrassing").seq();
    alice.set(Setting.newBuilder().setHide(Hide.newBuilder().setChat(BOB.value()).setSeq(seq)));

    assertThat(kindInHistory(alice, seq)).isEqualTo(Kind.KIND_TOMBSTONE);
    assertThat(kindInHistory(bob, seq)).isEqualTo(Kind.KIND_TEXT);
    assertThat(item(alice, CHAT).getLast().getEntry().getContent().getKind())
        .isEqualTo(Kind.KIND_TOMBSTONE);
    assertThat(item(bob, CHAT).getLast().getEntry().getContent().getKind())
        .isEqualTo(Kind.KIND_TEXT);
  }

  @Test
  void aDeviceThatCatchesUpLaterGetsTheTombstoneToo() {
    Node.Client laptop = node.login(ALICE, 2);
    laptop.disconnect();
    long seq = bob.text(CHAT, "gone before the laptop comes").seq();
    alice.set(Setting.newBuilder().setHide(Hide.newBuilder().setChat(BOB.value()).setSeq(seq)));

    Node.Client again = node.login(ALICE, 2);
    assertThat(again.take(FrameType.DELIVER))
        .filteredOn(out -> out.chat() == BOB.value())
        .singleElement()
        .matches(out ->
            out.as(Deliver.getDefaultInstance()).getContent().getKind() == Kind.KIND_TOMBSTONE);
  }

  @Test
  void anEditOfWhatOneDeletedForOneselfSaysNothing() {
    Node.Client laptop = node.login(ALICE, 2);
    laptop.disconnect();
    long seq = bob.text(CHAT, "embarrassing").seq();
    alice.send(CHAT, about(Kind.KIND_REACTION, seq, "!"));
    alice.set(Setting.newBuilder().setHide(Hide.newBuilder().setChat(BOB.value()).setSeq(seq)));
    long edit = bob.send(CHAT, about(Kind.KIND_EDIT, seq, "still embarrassing")).seq();
    Content nothing = Content.newBuilder().setKind(Kind.KIND_EDIT).build();

    assertThat(item(alice, CHAT).getLast().getEntry().getContent()).isEqualTo(nothing);
    assertThat(inHistory(alice, seq).getEntry().getContent().getKind())
        .isEqualTo(Kind.KIND_TOMBSTONE);
    assertThat(inHistory(alice, seq).getReactionsList()).isEmpty();
    assertThat(inHistory(alice, edit).getEntry().getContent()).isEqualTo(nothing);
    assertThat(inHistory(bob, edit).getEntry().getContent().getTarget()).isEqualTo(seq);
    assertThat(inHistory(bob, seq).getReactionsList()).hasSize(1);
    assertThat(node.login(ALICE, 2).take(FrameType.DELIVER))
        .filteredOn(out -> out.chat() == BOB.value() && out.seq() == edit)
        .singleElement()
        .matches(out -> out.as(Deliver.getDefaultInstance()).getContent().equals(nothing));
  }

  private static Content.Builder about(Kind kind, long seq, String text) {
    return Content.newBuilder().setKind(kind).setTarget(seq).setBody(ByteString.copyFromUtf8(text));
  }

  private static Kind kindInHistory(Node.Client client, long seq) {
    return inHistory(client, seq).getEntry().getContent().getKind();
  }

  private static PageEntry inHistory(Node.Client client, long seq) {
    return client
        .ask(FrameType.HISTORY, CHAT, History.getDefaultInstance())
        .as(HistoryPage.getDefaultInstance())
        .getEntriesList()
        .stream()
        .filter(entry -> entry.getSeq() == seq)
        .findFirst()
        .orElseThrow();
  }

  // ---- read receipts ---------------------------------------------------------------------------

  @Test
  void whoHidesWhatTheyReadShowsItToNobodyButTheirOwnDevices() {
    Node.Client laptop = node.login(BOB, 2);
    bob.set(hidesReads(true));
    long seq = alice.text(CHAT, "read me").seq();
    receipts(alice);
    bob.tell(FrameType.READ, CHAT, seq);

    assertThat(receipts(alice)).allMatch(receipt -> receipt.getRead() == 0);
    assertThat(receipts(laptop))
        .filteredOn(receipt -> receipt.getMember() == BOB.value())
        .last()
        .matches(receipt -> receipt.getRead() == seq);
    assertThat(item(alice, CHAT).getPeerRead()).isZero();
    EntryInfoPage info =
        alice
            .ask(FrameType.ENTRY_INFO, CHAT, seq, EntryInfo.getDefaultInstance())
            .as(EntryInfoPage.getDefaultInstance());
    assertThat(info.getRead()).isZero();
    assertThat(info.getMembers(0).getDeliveredAtMs()).isPositive();
    assertThat(info.getMembers(0).getReadAtMs()).isZero();
  }

  @Test
  void whoHidesWhatTheyReadIsNotToldWhatOthersRead() {
    long seq = bob.text(CHAT, "read me").seq();
    bob.set(hidesReads(true));
    receipts(bob);
    alice.tell(FrameType.READ, CHAT, seq);

    assertThat(receipts(bob)).allMatch(receipt -> receipt.getRead() == 0);
    assertThat(item(bob, CHAT).getPeerRead()).isZero();
    ChatInfoPage info =
        bob.ask(FrameType.CHAT_INFO, CHAT, ChatInfo.getDefaultInstance())
            .as(ChatInfoPage.getDefaultInstance());
    assertThat(info.getMembersList())
        .filteredOn(member -> member.getUser() == ALICE.value())
        .singleElement()
        .matches(member -> member.getRead() == 0);

    bob.set(hidesReads(false));
    assertThat(item(bob, CHAT).getPeerRead()).isEqualTo(seq);
  }

  @Test
  void anotherDevicesPrivacyIsHeardOfInTheSelfChat() {
    Node.Client laptop = node.login(BOB, 2);
    long seq = laptop.text(CHAT, "read me").seq();
    bob.set(hidesReads(true));
    receipts(laptop);
    alice.tell(FrameType.READ, CHAT, seq);
    assertThat(receipts(laptop)).allMatch(receipt -> receipt.getRead() == 0);
  }

  /// Bob's other device, which has been told what Alice read and takes no entry more.
  private static Node.Client behind(Node node, Node.Client alice) {
    Node.Client laptop = node.login(BOB, 2);
    alice.tell(FrameType.READ, CHAT, laptop.text(CHAT, "read me").seq());
    assertThat(receipts(laptop)).anyMatch(receipt -> receipt.getRead() > 0);
    laptop.acknowledges = false;
    for (int i = 0; i < 4; i++) {
      alice.text(CHAT, "more");
    }
    assertThat(laptop.take(FrameType.BEHIND)).hasSize(1);
    laptop.take(FrameType.DELIVER);
    return laptop;
  }

  @Test
  void aDeviceThatIsBehindHearsOfAnotherDevicesPrivacyAtOnce() {
    var narrow = new Node("limits.window.entries=2");
    alice = narrow.login(ALICE, 1);
    bob = narrow.login(BOB, 1);
    Node.Client laptop = behind(narrow, alice);
    bob.set(hidesReads(true));
    assertThat(laptop.take(FrameType.DELIVER)).isEmpty();
    receipts(laptop);

    alice.tell(FrameType.READ, CHAT, bob.text(CHAT, "read me too").seq());
    assertThat(receipts(laptop)).allMatch(receipt -> receipt.getRead() == 0);
    bob.set(hidesReads(false));
    alice.tell(FrameType.READ, CHAT, bob.text(CHAT, "and me").seq());
    assertThat(receipts(laptop)).anyMatch(receipt -> receipt.getRead() > 0);
  }

  @Test
  void whatAnOldEntrySaidOfPrivacyDoesNotComeBackWithTheCatchUp() {
    var narrow = new Node("limits.window.entries=2");
    alice = narrow.login(ALICE, 1);
    bob = narrow.login(BOB, 1);
    Node.Client laptop = behind(narrow, alice);
    long notes = bob.set(hidesReads(true)).seq();
    for (int i = 0; i < 4; i++) {
      bob.set(mute(ALICE, i));
    }
    bob.set(hidesReads(false));
    // One by one, until the old entry is there.
    List<FakeHost.Out> pushed = List.of();
    for (long seq = 1; pushed.stream().noneMatch(out -> isNotes(out, notes)); seq++) {
      assertThat(seq).isLessThan(20);
      laptop.tell(FrameType.ACK, CHAT, seq);
      pushed = laptop.take(FrameType.DELIVER);
    }
    receipts(laptop);
    alice.tell(FrameType.READ, CHAT, bob.text(CHAT, "read me too").seq());
    assertThat(receipts(laptop)).anyMatch(receipt -> receipt.getRead() > 0);
  }

  private static boolean isNotes(FakeHost.Out out, long seq) {
    return out.chat() == BOB.value() && out.seq() == seq;
  }

  @Test
  void aNewSessionKnowsItsUsersPrivacyBeforeItTellsAnything() {
    long seq = bob.text(CHAT, "read me").seq();
    bob.set(hidesReads(true));
    bob.disconnect();
    Node.Client again = node.login(BOB, 1);
    alice.tell(FrameType.READ, CHAT, seq);
    assertThat(receipts(again)).allMatch(receipt -> receipt.getRead() == 0);
  }

  @Test
  void aReadRightBehindTheCatchUpIsNotHeldAlsoWhereTheSelfChatIsReset() {
    bob.set(hidesReads(false), mute(ALICE, 5));
    alice.text(CHAT, "one");
    var laptop = node.new Client(new DeviceId(BOB, 2));
    laptop.hello();
    node.settle();
    assertThat(laptop.take(FrameType.RESET)).hasSize(2);
    laptop.tellUnsettled(FrameType.READ, CHAT, 1);
    assertThat(laptop.session.isHeld()).isFalse();
    laptop.disconnect();
    assertThat(item(bob, CHAT).getRead()).isEqualTo(1);
  }

  // ---- blocks ----------------------------------------------------------------------------------

  @Test
  void aBlockIsAnsweredWhenTheChatsShardHasIt() {
    alice.text(CHAT, "hello");
    bob.text(CHAT, "hello");
    assertThat(Node.shardOf(CHAT)).as("another shard").isNotEqualTo(Node.shardOf(NOTES));
    node.stalled.add(Node.shardOf(CHAT));
    Settings request = Settings.newBuilder().addSet(block(BOB, true)).build();
    assertThatThrownBy(() -> alice.ask(FrameType.SETTINGS, request)).hasMessageContaining("answer");
    node.stalled.clear();
    node.settle();
    assertThat(alice.take(FrameType.SETTINGS_SET)).hasSize(1);
    assertThat(bob.text(CHAT, "still there?").error()).isEqualTo(ErrorCode.BLOCKED);
    assertThat(alice.text(CHAT, "no").error()).isEqualTo(ErrorCode.BLOCKED);
  }

  @Test
  void behindABlockNoReceiptPassesAndItCanBeTakenBack() {
    long seq = bob.text(CHAT, "before").seq();
    alice.set(block(BOB, true));
    receipts(bob);
    alice.tell(FrameType.READ, CHAT, seq);
    assertThat(receipts(bob)).isEmpty();
    assertThat(item(bob, CHAT).getPeerRead()).isZero();

    alice.set(block(BOB, false));
    assertThat(bob.text(CHAT, "friends again").type()).isEqualTo(FrameType.SENT);
  }

  @Test
  void aBlockedUserCannotAddTheBlockerToAGroup() {
    alice.set(block(BOB, true));
    assertThat(bob.create("trap", ALICE).error()).isEqualTo(ErrorCode.NOT_ALLOWED);
    assertThat(alice.create("fine", BOB).type()).isEqualTo(FrameType.GROUP_CREATED);
  }
}

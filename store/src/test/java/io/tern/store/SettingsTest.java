package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.ALICE_2;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.EVE;
import static io.tern.store.ShardNode.refused;
import static io.tern.store.ShardNode.sent;
import static io.tern.store.ShardNode.text;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.store.v1.User;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// What users set for themselves, and blocks, which are set for two.
class SettingsTest {

  private static final ChatId NOTES = ChatId.direct(ALICE, ALICE);

  private final ShardNode node = new ShardNode();

  private static Setting.Builder contact(UserId user, String name) {
    var setting = Setting.newBuilder();
    setting.getContactBuilder().setUser(user.value()).setName(name);
    return setting;
  }

  private static Setting.Builder noContact(UserId user) {
    var setting = Setting.newBuilder();
    setting.getContactBuilder().setUser(user.value()).setRemoved(true);
    return setting;
  }

  private static Setting.Builder mute(UserId other, long untilMillis) {
    var setting = Setting.newBuilder();
    setting.getChatBuilder().setChat(other.value()).setMuteUntilMs(untilMillis);
    return setting;
  }

  private static Setting.Builder star(long seq, boolean on) {
    var setting = Setting.newBuilder();
    setting.getStarBuilder().setChat(77).setGroup(true).setSeq(seq).setOn(on);
    return setting;
  }

  private static Setting.Builder hide(UserId other, long seq) {
    var setting = Setting.newBuilder();
    setting.getHideBuilder().setChat(other.value()).setSeq(seq);
    return setting;
  }

  private static Setting.Builder block(UserId other, boolean on) {
    var setting = Setting.newBuilder();
    setting.getBlockBuilder().setUser(other.value()).setOn(on);
    return setting;
  }

  private List<Setting> all(UserId user) {
    return Reads.settings(node.storage, user, new byte[0], 10_000, Integer.MAX_VALUE).settings();
  }

  // ---- settings

  @Test
  void aChangeIsAnEntryOfTheSelfChat() throws Exception {
    Setting.Builder[] set = {contact(BOB, "Bob"), mute(EVE, 5)};

    Outcome.Sent sent = sent(node.set(ALICE_1, set));

    assertThat(sent.entry().chat()).isEqualTo(NOTES);
    assertThat(sent.entry().seq()).isEqualTo(1);
    assertThat(sent.entry().csn()).isZero();
    assertThat(sent.entry().sender()).isEqualTo(ALICE_1);
    assertThat(sent.entry().kind()).isEqualTo(Kind.KIND_SETTING_VALUE);
    assertThat(sent.members()).containsExactly(ALICE);
    assertThat(sent.duties()).containsExactly(new Command.ListChat(ALICE, NOTES));
    assertThat(Settings.parseFrom(ShardNode.contentOf(sent.entry()).getBody()).getSetList())
        .containsExactly(set[0].build(), set[1].build());
    assertThat(node.summary(NOTES, ALICE_2).unread()).isZero();
    assertThat(sent(node.set(ALICE_2, mute(EVE, 0))).duties()).isEmpty();
    assertThat(node.storage.unsyncedBatches()).isZero();
  }

  @Test
  void aSelfChatIsWhereItsUserIs() {
    for (int i = 1; i < 1000; i++) {
      var user = new UserId(i * 7919L);
      assertThat(Slots.of(ChatId.direct(user, user))).isEqualTo(Slots.of(user));
    }
  }

  @Test
  void theLastOfAKeyWins() {
    node.set(ALICE_1, contact(BOB, "old"), contact(EVE, "Eve"), contact(BOB, "new"));

    assertThat(all(ALICE))
        .containsExactly(contact(BOB, "new").build(), contact(EVE, "Eve").build());
    assertThat(ShardNode.contentOf(node.entry(NOTES, ALICE, 1)).getBody().toStringUtf8())
        .doesNotContain("old");
  }

  @Test
  void whatIsSetIsAskedForByWhatItIsAbout() {
    node.send(ALICE_1, 1, "one");
    var privacy = Setting.newBuilder();
    privacy.getPrivacyBuilder().setOnline(Audience.AUDIENCE_NOBODY).setHideReadReceipts(true);
    node.set(ALICE_1, contact(BOB, "Bob"), mute(BOB, 5), star(4, true), privacy);
    node.set(ALICE_1, hide(BOB, 1), hide(BOB, 3), hide(EVE, 2));

    assertThat(Objects.requireNonNull(Reads.contact(node.storage, ALICE, BOB)).getName())
        .isEqualTo("Bob");
    assertThat(Reads.contact(node.storage, BOB, ALICE)).isNull();
    assertThat(Reads.chatSetting(node.storage, ALICE, CHAT).getMuteUntilMs()).isEqualTo(5);
    assertThat(Reads.chatSetting(node.storage, BOB, CHAT).getMuteUntilMs()).isZero();
    assertThat(Reads.privacy(node.storage, ALICE)).isEqualTo(privacy.getPrivacy());
    assertThat(Reads.privacy(node.storage, BOB).getHideReadReceipts()).isFalse();
    assertThat(Reads.hidden(node.storage, ALICE, CHAT, 1, 3)).isEqualTo(Set.of(1L, 3L));
    assertThat(Reads.hidden(node.storage, ALICE, CHAT, 2, Long.MAX_VALUE)).isEqualTo(Set.of(3L));
    assertThat(Reads.hidden(node.storage, BOB, CHAT, 1, 3)).isEmpty();
  }

  @Test
  void whatIsTakenBackLeavesNothing() {
    node.set(ALICE_1, contact(BOB, "Bob"), mute(BOB, 5), star(4, true), block(EVE, true));
    assertThat(all(ALICE)).hasSize(4);

    node.set(ALICE_1, noContact(BOB), mute(BOB, 0), star(4, false), block(EVE, false));

    assertThat(all(ALICE)).isEmpty();
    assertThat(countsOf(ALICE)).isEqualTo(List.of(0, 0, 0, 0, 0));
    node.set(ALICE_1, noContact(BOB), mute(BOB, 0), star(4, false), block(EVE, false));
    assertThat(countsOf(ALICE)).isEqualTo(List.of(0, 0, 0, 0, 0));
  }

  private List<Integer> countsOf(UserId user) {
    byte[] value = Objects.requireNonNull(node.storage.get(Keys.user(user)));
    User counts = Protos.parse(User.parser(), value);
    return List.of(
        counts.getChatSettings(),
        counts.getStars(),
        counts.getHides(),
        counts.getContacts(),
        counts.getBlocks());
  }

  @Test
  void settingsArePaged() {
    for (int i = 1; i <= 25; i++) {
      node.set(ALICE_1, contact(new UserId(i), "c" + i), star(i, true));
    }
    for (int pageSize : new int[] {1, 3, 10, 50, 51}) {
      var paged = new ArrayList<Setting>();
      byte[] next = {};
      do {
        var page = Reads.settings(node.storage, ALICE, next, pageSize, Integer.MAX_VALUE);
        assertThat(page.settings()).hasSizeBetween(1, pageSize);
        paged.addAll(page.settings());
        next = page.next();
      } while (next.length > 0);
      assertThat(paged).isEqualTo(all(ALICE)).hasSize(50);
    }
    assertThat(Reads.settings(node.storage, ALICE, new byte[0], 50, 100).settings())
        .hasSizeBetween(1, 3);
    assertThat(Reads.settings(node.storage, ALICE, new byte[] {-1, -1}, 50, 100).settings())
        .isEmpty();
    assertThat(Reads.settings(node.storage, ALICE, new byte[999], 50, 999).settings()).isNotEmpty();
    assertThat(Reads.settings(node.storage, BOB, new byte[0], 50, 999).settings()).isEmpty();
  }

  @Test
  void whatCannotBeSetIsRefused() {
    var tooMany = new Setting.Builder[Limits.SETTINGS_MAX + 1];
    for (int i = 0; i < tooMany.length; i++) {
      tooMany[i] = star(i + 1, true);
    }
    for (Setting.Builder[] set :
        List.of(
            tooMany,
            new Setting.Builder[0],
            new Setting.Builder[] {Setting.newBuilder()},
            new Setting.Builder[] {star(0, true)},
            new Setting.Builder[] {hide(BOB, -1)},
            new Setting.Builder[] {block(ALICE, true)},
            new Setting.Builder[] {contact(ALICE, "me")},
            new Setting.Builder[] {contact(BOB, "x".repeat(Limits.CONTACT_NAME_BYTES_MAX + 1))})) {
      refused(node.set(ALICE_1, set), ErrorCode.ARGUMENT);
    }
    assertThat(all(ALICE)).isEmpty();
  }

  @Test
  void aUserHasSoManyBlocksAndNotOneMore() {
    for (int i = 1; i <= Limits.BLOCKS_MAX; i++) {
      node.prepare(
          new Command.ChangeSettings(
              ALICE_1, List.of(block(new UserId(50_000 + i), true).build())));
    }
    refused(
        node.prepare(new Command.ChangeSettings(ALICE_1, List.of(block(BOB, true).build()))),
        ErrorCode.QUOTA);
    node.shard.commit();
    node.restart();

    refused(node.set(ALICE_1, block(BOB, true)), ErrorCode.QUOTA);
    sent(node.set(ALICE_1, block(new UserId(50_001), true)));
    sent(node.set(ALICE_1, contact(BOB, "Bob")));
    sent(node.set(ALICE_1, block(new UserId(50_001), false)));
    sent(node.set(ALICE_1, block(BOB, true)));
    refused(node.set(ALICE_1, block(EVE, true)), ErrorCode.QUOTA);
    sent(node.set(ALICE_1, block(BOB, false), block(EVE, true)));
  }

  @Test
  void notesGoOnNextToSettings() {
    node.send(ALICE_1, NOTES, 1, "note");
    node.set(ALICE_1, contact(BOB, "Bob"));
    node.send(ALICE_1, NOTES, 2, "note 2");
    node.restart();

    assertThat(sent(node.send(ALICE_1, NOTES, 2, "note 2")).entry().seq()).isEqualTo(3);
    assertThat(sent(node.send(ALICE_1, NOTES, 1, "note")).entry().seq()).isEqualTo(1);
    assertThat(sent(node.send(ALICE_1, NOTES, 3, "note 3")).entry().seq()).isEqualTo(4);
    refused(
        node.send(ALICE_1, NOTES, 4, text("x").setKind(Kind.KIND_EDIT).setTarget(2)),
        ErrorCode.NOT_FOUND);
  }

  // ---- blocks

  @Test
  void aBlockIsOwedToTheDirectChat() {
    Outcome.Sent sent = sent(node.set(ALICE_1, contact(EVE, "Eve"), block(BOB, true)));

    assertThat(sent.duties())
        .containsExactly(
            new Command.ListChat(ALICE, NOTES), new Command.SetBlock(CHAT, ALICE, true, 1));
    assertThat(Reads.isBlocked(node.storage, ALICE, BOB)).isTrue();
    assertThat(Reads.isBlocked(node.storage, BOB, ALICE)).isFalse();
    assertThat(Reads.isBlocked(node.storage, CHAT)).isFalse();
    node.restart();
    assertThat(node.shard.outbox().getFirst().duties()).isEqualTo(sent.duties());

    sent.duties().forEach(node::run);
    assertThat(Reads.isBlocked(node.storage, CHAT)).isTrue();
    node.set(ALICE_1, block(BOB, false));
    assertThat(Reads.isBlocked(node.storage, ALICE, BOB)).isFalse();
  }

  @Test
  void betweenBlockedUsersNothingIsSent() {
    node.send(ALICE_1, 1, "one");
    node.block(BOB_1, ALICE, true);

    refused(node.send(ALICE_1, 2, "two"), ErrorCode.BLOCKED);
    refused(node.send(BOB_1, 1, "two"), ErrorCode.BLOCKED);
    refused(
        node.send(ALICE_1, CHAT, 2, text("+").setKind(Kind.KIND_REACTION).setTarget(1)),
        ErrorCode.BLOCKED);
    assertThat(sent(node.send(ALICE_1, 1, "one")).repeat()).isTrue();
    node.restart();
    refused(node.send(ALICE_1, 2, "two"), ErrorCode.BLOCKED);

    node.block(BOB_1, ALICE, false);
    assertThat(sent(node.send(ALICE_1, 2, "two")).entry().seq()).isEqualTo(2);
  }

  @Test
  void aChatNobodyWroteToCanBeBlocked() {
    node.block(ALICE_1, BOB, true);
    node.restart();

    refused(node.send(BOB_1, 1, "one"), ErrorCode.BLOCKED);
    node.block(ALICE_1, BOB, false);
    node.restart();
    assertThat(sent(node.send(BOB_1, 1, "one")).duties()).hasSize(2);
  }

  @Test
  void eitherSideBlocksByItself() {
    node.block(ALICE_1, BOB, true);
    node.block(BOB_1, ALICE, true);
    node.block(ALICE_1, BOB, false);
    refused(node.send(ALICE_1, 1, "one"), ErrorCode.BLOCKED);

    node.block(BOB_1, ALICE, false);

    sent(node.send(ALICE_1, 1, "one"));
  }

  @Test
  void anOldBlockComesTooLate() {
    node.run(new Command.SetBlock(CHAT, ALICE, false, 7));
    assertThat(node.run(new Command.SetBlock(CHAT, ALICE, true, 6))).isEqualTo(Outcome.Done.DONE);
    sent(node.send(ALICE_1, 1, "one"));
    node.restart();
    assertThat(node.run(new Command.SetBlock(CHAT, ALICE, true, 7))).isEqualTo(Outcome.Done.DONE);
    sent(node.send(ALICE_1, 2, "two"));
    node.run(new Command.SetBlock(CHAT, ALICE, true, 8));
    node.run(new Command.SetBlock(CHAT, ALICE, true, 8));

    refused(node.send(ALICE_1, 3, "three"), ErrorCode.BLOCKED);
    refused(node.run(new Command.SetBlock(CHAT, EVE, true, 1)), ErrorCode.ARGUMENT);
    refused(node.run(new Command.SetBlock(NOTES, ALICE, true, 1)), ErrorCode.ARGUMENT);
  }

  @Test
  void noReceiptPassesABlock() {
    for (int csn = 1; csn <= 4; csn++) {
      node.send(ALICE_1, csn, "text");
    }
    node.ack(BOB_1, 1);
    node.read(BOB_1, 1);
    node.block(ALICE_1, BOB, true);

    assertThat(node.ack(BOB_1, 3)).isEqualTo(new Outcome.Moved(BOB, 3, 1, 1, 1, List.of()));
    assertThat(node.read(BOB_1, 2)).isEqualTo(new Outcome.Moved(BOB, 3, 2, 1, 1, List.of(BOB)));
    assertThat(node.summary(ALICE_1).peerDelivered()).isEqualTo(1);
    assertThat(node.summary(ALICE_1).peerRead()).isEqualTo(1);
    assertThat(node.summary(BOB_1).delivered()).isEqualTo(3);
    assertThat(node.summary(BOB_1).read()).isEqualTo(2);
    node.restart();
    node.block(ALICE_1, BOB, false);
    assertThat(node.summary(ALICE_1).peerDelivered()).isEqualTo(1);

    assertThat(node.ack(BOB_1, 4)).isEqualTo(new Outcome.Moved(BOB, 4, 2, 4, 1, List.of(ALICE)));
    assertThat(node.summary(ALICE_1).peerDelivered()).isEqualTo(4);
    assertThat(node.summary(ALICE_1).peerRead()).isEqualTo(1);
  }
}

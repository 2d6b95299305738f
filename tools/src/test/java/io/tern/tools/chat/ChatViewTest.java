package io.tern.tools.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.tern.client.ClientListener.ConnectionState;
import io.tern.client.ClientListener.Message;
import io.tern.client.ClientListener.Presence;
import io.tern.client.ClientListener.ReceiptCount;
import io.tern.client.ClientListener.Typing;
import io.tern.client.Draft;
import io.tern.client.TernClient.Receipted;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.protocol.v1.Setting;
import io.tern.tools.Names;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatViewTest {

  private static final UserId ALICE = Names.id("alice");
  private static final UserId BOB = Names.id("bob");
  private static final UserId CAROL = Names.id("carol");
  private static final ChatId CHAT = ChatId.direct(ALICE, BOB);
  private static final ChatId GROUP = ChatId.group(77);

  @TempDir Path folder;

  private final FakeScreen screen = new FakeScreen();
  private final List<Long> seen = new ArrayList<>();
  private final List<Runnable> later = new ArrayList<>();
  private ChatView view;

  @BeforeEach
  void aliceSitsDown() {
    var names = new Names(folder.resolve("names"));
    List.of("alice", "bob", "carol").forEach(names::learn);
    view = new ChatView(ALICE, names, screen, (chat, seq) -> seen.add(seq), later::add);
  }

  @Test
  void historyComesFirstAndCountsAsRead() {
    open(entry(1, true, "hello"), entry(2, false, "hi"));

    assertThat(screen.texts()).containsExactly("alice: hello  #1", "bob: hi  #2");
    assertThat(seen).containsExactly(2L);
  }

  @Test
  void whatArrivesWhileTheHistoryIsFetchedComesAfterItAndOnce() {
    view.opening(CHAT);
    view.onMessage(message(2, BOB, "two"));
    view.onMessage(message(3, BOB, "three"));
    view.opened(CHAT, page(entry(1, false, "one"), entry(2, false, "two")), null);

    assertThat(screen.texts()).containsExactly("bob: one  #1", "bob: two  #2", "bob: three  #3");
  }

  @Test
  void ownMessagesGetTheirTicksAsTheyAreEarned() {
    screen.hasStatus = true;
    open();
    view.sent(new Receipted(CHAT, 1, 1, 0, false), text("hello"));
    assertThat(screen.status).contains("✓ #1").doesNotContain("✓✓");

    view.onReceipt(CHAT, BOB, 1, 0);
    assertThat(screen.status).contains("✓✓ #1").doesNotContain("read");

    view.onReceipt(CHAT, BOB, 1, 1);
    assertThat(screen.status).contains("read #1");
  }

  @Test
  void withoutALineThatStaysTicksArePrintedWhenTheyMove() {
    open();
    view.sent(new Receipted(CHAT, 1, 1, 0, false), text("hello"));
    view.onReceipt(CHAT, BOB, 1, 0);
    view.onReceipt(CHAT, BOB, 1, 0);
    view.onReceipt(CHAT, BOB, 1, 1);

    assertThat(screen.lines)
        .endsWith("✓ #1", "✓ #1  ✓✓ #1", "✓ #1  ✓✓ #1  read #1")
        .doesNotHaveDuplicates();
  }

  @Test
  void readImpliesDelivered() {
    screen.hasStatus = true;
    open();
    view.sent(new Receipted(CHAT, 1, 1, 0, false), text("hello"));
    view.onReceipt(CHAT, BOB, 0, 1);

    assertThat(screen.status).contains("✓✓ #1  read #1");
  }

  @Test
  void ticksOfEarlierMessagesAreKnownWhenAChatOpens() {
    screen.hasStatus = true;
    view.opening(CHAT);
    var item = ChatItem.newBuilder().setPeerDelivered(5).setPeerRead(1).build();
    view.opened(CHAT, page(entry(1, true, "a"), entry(2, true, "b")), item);

    assertThat(screen.status).contains("✓ #2  ✓✓ #2  read #1");
  }

  @Test
  void anotherChatIsAnnouncedAndNotMarkedAsRead() {
    open();
    view.onMessage(
        new Message(ChatId.direct(ALICE, CAROL), 7, CAROL, 1, 0, text("psst"), false, 0, 0));

    assertThat(screen.lines.getLast()).isEqualTo("(carol: psst — /with carol)");
    assertThat(seen).isEmpty();
  }

  @Test
  void typingShowsUntilTheMessageComes() {
    screen.hasStatus = true;
    open();
    view.onTyping(CHAT, BOB, Typing.TEXT);
    assertThat(screen.status).contains("typing");

    view.onMessage(message(1, BOB, "here"));
    assertThat(screen.status).doesNotContain("typing");
  }

  @Test
  void typingThatIsNotRepeatedEnds() {
    screen.hasStatus = true;
    open();
    view.onTyping(CHAT, BOB, Typing.TEXT);
    view.onTyping(CHAT, BOB, Typing.TEXT);
    later.getFirst().run();
    assertThat(screen.status).contains("typing");

    later.getLast().run();
    assertThat(screen.status).doesNotContain("typing");
  }

  @Test
  void aLostConnectionIsSaid() {
    open();
    view.onConnection(new ConnectionState.Down("connection reset", 1_500));

    assertThat(screen.lines.getLast()).contains("connection reset").contains("1.5 s");
  }

  @Test
  void aMessageCannotSteerTheTerminal() {
    open(entry(1, false, "\u001b[2Jboo"));

    assertThat(screen.texts()).containsExactly("bob: ␛[2Jboo  #1");
  }

  // ---- groups and events

  @Test
  void aGroupIsCalledByItsTitle() {
    screen.hasStatus = true;
    openGroup();
    assertThat(screen.lines).containsExactly("— +terns —");
    assertThat(screen.status).startsWith("+terns");

    view.onMessage(inGroup(1, BOB, event(GroupEvent.newBuilder().setTitle("gulls"))));
    assertThat(screen.texts()).containsExactly("bob calls the group “gulls”  #1");
    assertThat(screen.status).startsWith("+gulls");
  }

  @Test
  void ticksInAGroupAreWhatEveryoneHas() {
    screen.hasStatus = true;
    openGroup();
    view.sent(new Receipted(GROUP, 5, 1, 0, false), text("hello"));
    view.onReceiptCount(new ReceiptCount(GROUP, 5, 3, 2, 1));
    assertThat(screen.status).contains("✓ #5  (#5: ✓✓ 2, read 1 of 3)");

    view.onGroupReceipt(GROUP, 5, 4);
    assertThat(screen.status).contains("✓ #5  ✓✓ #5  read #4  (#5");
    view.onGroupReceipt(GROUP, 5, 5);
    assertThat(screen.status).contains("✓ #5  ✓✓ #5  read #5").doesNotContain("(#5");
  }

  @Test
  void whoTypesAndWhoRecordsIsNamed() {
    screen.hasStatus = true;
    openGroup();
    view.onTyping(GROUP, BOB, Typing.TEXT);
    view.onTyping(GROUP, CAROL, Typing.VOICE);
    assertThat(screen.status).contains("bob is typing…").contains("carol is recording…");
    view.onMessage(inGroup(1, CAROL, text("here")));
    assertThat(screen.status).contains("bob is typing…").doesNotContain("carol");
  }

  @Test
  void repliesAndReactionsQuoteWhatTheyAreAbout() {
    open(entry(1, true, "shall we meet at the harbour at six?"));
    view.onMessage(
        new Message(CHAT, 2, BOB, 1, 0, Draft.text("yes").replyTo(1).content(), false, 0, 0));
    view.onMessage(new Message(CHAT, 3, BOB, 1, 0, Draft.react(2, "👍"), false, 0, 0));
    view.onMessage(
        new Message(CHAT, 4, BOB, 1, 0, Draft.edit(2, Draft.text("at seven")), false, 0, 0));
    view.onMessage(new Message(CHAT, 5, BOB, 1, 0, Draft.react(2, ""), false, 0, 0));
    view.onMessage(new Message(CHAT, 6, BOB, 1, 0, Draft.revoke(2), false, 0, 0));
    view.onMessage(
        new Message(CHAT, 7, BOB, 1, 0, Draft.text("?").replyTo(2).content(), false, 0, 0));

    assertThat(screen.texts())
        .endsWith(
            "bob: ↩ #1 “shall we meet at the har…” yes  #2",
            "bob 👍 to #2 “yes”  #3",
            "bob edits #2: at seven  #4",
            "bob takes their reaction to #2 back “at seven”  #5",
            "bob takes #2 back  #6",
            "bob: ↩ #2 ?  #7");
  }

  @Test
  void aMutedChatIsNotAnnounced() {
    open();
    var other = ChatId.direct(ALICE, CAROL);
    view.onSetting(
        Setting.newBuilder()
            .setChat(ChatSetting.newBuilder().setChat(CAROL.value()).setMuteUntilMs(Long.MAX_VALUE))
            .build());
    view.onMessage(new Message(other, 7, CAROL, 1, 0, text("psst"), false, 0, 0));
    assertThat(screen.lines).noneMatch(line -> line.contains("psst"));
  }

  @Test
  void aRegistrationIsShownInItsChatAndAnnouncedInAnother() {
    open();
    var content =
        Content.newBuilder()
            .setKind(Kind.KIND_REGISTERED)
            .setBody(RegisteredEvent.newBuilder().setAtMs(1_000).build().toByteString())
            .build();
    view.onMessage(new Message(CHAT, 1, BOB, 2, 1_000, content, false, 0, 0));
    assertThat(screen.lines.getLast())
        .contains("bob has registered anew, on another device, at 1970-01-01T00:00:01Z");
    var other = ChatId.direct(ALICE, CAROL);
    view.onMessage(new Message(other, 7, CAROL, 2, 1_000, content, false, 0, 0));
    assertThat(screen.lines.getLast())
        .startsWith("(carol has registered anew")
        .endsWith("— /with carol)");
  }

  @Test
  void beingAddedToAGroupIsAnnouncedAndWhatOthersDoThereIsNot() {
    open();
    view.onMessage(
        inGroup(
            1,
            BOB,
            event(
                GroupEvent.newBuilder()
                    .setCreated(
                        GroupBirth.newBuilder().setTitle("terns").addMembers(ALICE.value())))));
    assertThat(screen.lines.getLast())
        .isEqualTo("(bob creates the group “terns” with alice in +terns — /with +terns)");
    view.onMessage(inGroup(2, BOB, Draft.react(1, "x")));
    view.onMessage(inGroup(3, CAROL, text("hi")));
    assertThat(screen.lines.getLast()).isEqualTo("(carol in +terns: hi — /with +terns)");
    assertThat(screen.lines).hasSize(3);
  }

  @Test
  void presenceOfTheOtherOneIsShown() {
    screen.hasStatus = true;
    open();
    view.onPresence(new Presence(BOB, true, 0));
    assertThat(screen.status).contains("bob · online");
    view.onPresence(new Presence(CAROL, false, 0));
    view.onPresence(new Presence(BOB, false, 3_600_000));
    assertThat(screen.status).containsPattern("bob · last seen \\d\\d:00");
  }

  private void openGroup() {
    view.learn(
        List.of(
            ChatItem.newBuilder().setChat(GROUP.high()).setGroup(true).setTitle("terns").build()));
    view.opening(GROUP);
    view.opened(GROUP, page(), null);
  }

  private static Message inGroup(long seq, UserId from, Content content) {
    return new Message(GROUP, seq, from, 1, 0, content, false, 0, 0);
  }

  private static Content event(GroupEvent.Builder event) {
    return Content.newBuilder()
        .setKind(Kind.KIND_GROUP)
        .setBody(event.build().toByteString())
        .build();
  }

  private void open(PageEntry... entries) {
    view.opening(CHAT);
    view.opened(CHAT, page(entries), null);
  }

  private static HistoryPage page(PageEntry... entries) {
    return HistoryPage.newBuilder().addAllEntries(List.of(entries)).build();
  }

  private static PageEntry entry(long seq, boolean own, String text) {
    return PageEntry.newBuilder()
        .setSeq(seq)
        .setOwn(own)
        .setEntry(Deliver.newBuilder().setContent(text(text)))
        .build();
  }

  private static Message message(long seq, UserId from, String text) {
    return new Message(CHAT, seq, from, 1, 0, text(text), false, 0, 0);
  }

  private static Content text(String text) {
    return Content.newBuilder()
        .setKind(Kind.KIND_TEXT)
        .setBody(ByteString.copyFromUtf8(text))
        .build();
  }

  private static final class FakeScreen implements Screen {
    private final List<String> lines = new ArrayList<>();
    private String status = "";
    private boolean hasStatus;

    @Override
    public void print(String line) {
      lines.add(line);
    }

    @Override
    public void status(String line) {
      status = line;
    }

    @Override
    public boolean hasStatus() {
      return hasStatus;
    }

    /// The lines with a message, without the time of day.
    List<String> texts() {
      return lines.stream()
          .filter(line -> line.matches("\\d\\d:\\d\\d  .*"))
          .map(line -> line.substring(7))
          .toList();
    }
  }
}

package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tern.client.Body;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientStore;
import io.tern.client.Draft;
import io.tern.client.GroupChange;
import io.tern.client.Groups;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.netty.TernTransport;
import io.tern.client.store.MemoryClientStore;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Setting;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The SDK and the server together: what one promises the other about groups, devices, settings and
/// presence.
class LiveClientTest {

  private static final UserId ALICE = Names.id("alice");
  private static final UserId BOB = Names.id("bob");
  private static final UserId CAROL = Names.id("carol");

  @TempDir Path folder;

  private LiveServer server;
  private TernTransport transport;
  private final List<Device> devices = new ArrayList<>();

  @BeforeEach
  void start() throws IOException {
    server = new LiveServer(folder);
    transport = TernTransport.create(1);
  }

  @AfterEach
  void stop() {
    devices.forEach(Device::away);
    transport.close();
    server.close();
  }

  @Test
  void everyDeviceOfEveryMemberHearsAGroupInOrderTheActorsToo() throws Exception {
    var alice = new Device(ALICE, 1);
    var bob = new Device(BOB, 1);
    var group = get(alice.tern().groups().create("terns", List.of(BOB))).group();
    await().until(() -> bob.seqs(group).equals(List.of(1L)));
    var second = new Device(ALICE, 2);
    get(alice.tern().groups().setTitle(group, "gulls"));
    get(bob.tern().sendText(group, "hello"));
    get(bob.tern().groups().setDescription(group, "birds"));

    await().until(() -> alice.seqs(group).equals(List.of(1L, 2L, 3L, 4L)));
    await().until(() -> bob.seqs(group).equals(List.of(1L, 2L, 4L)));
    await().until(() -> second.seqs(group).equals(List.of(2L, 3L, 4L)));
  }

  @Test
  void aChangeWithTheSameOperationIdIsMadeOnceOverRestarts() throws Exception {
    byte[] creation = Groups.newOpId();
    byte[] addition = Groups.newOpId();
    new Device(BOB, 1);
    new Device(CAROL, 1);
    var alice = new Device(ALICE, 1);
    var created = get(alice.tern().groups().withOpId(creation).create("terns", List.of(BOB)));
    var group = created.group();
    var added = get(alice.tern().groups().withOpId(addition).add(group, List.of(CAROL)));
    alice.away();
    alice.back();

    var again = get(alice.tern().groups().withOpId(creation).create("terns", List.of(BOB)));
    assertThat(again.group()).isEqualTo(group);
    assertThat(again.seq()).isEqualTo(created.seq());
    assertThat(get(alice.tern().groups().withOpId(addition).add(group, List.of(CAROL))).seq())
        .isEqualTo(added.seq());
    assertRefused(alice.tern().groups().add(group, List.of(CAROL)), ErrorCode.CONFLICT);
  }

  @Test
  void whoWasRemovedAndComesBackStartsThere() throws Exception {
    var alice = new Device(ALICE, 1);
    var bob = new Device(BOB, 1);
    var group = get(alice.tern().groups().create("terns", List.of(BOB))).group();
    get(alice.tern().sendText(group, "two"));
    await().until(() -> bob.seqs(group).equals(List.of(1L, 2L)));
    bob.away();
    get(alice.tern().groups().remove(group, BOB));
    get(alice.tern().sendText(group, "not for bob"));
    get(alice.tern().groups().add(group, List.of(BOB)));
    get(alice.tern().sendText(group, "welcome back"));

    bob.back();
    await().until(() -> bob.seqs(group).contains(6L));
    assertThat(bob.seqs(group)).containsExactly(1L, 2L, 5L, 6L);
    assertThat(bob.resets).contains(group + " 4");
    assertThat(get(bob.tern().historyAfter(group, 0, 10)).getFirst()).isEqualTo(5);
    bob.away();
    bob.back();
    get(alice.tern().sendText(group, "seven"));
    await().until(() -> bob.seqs(group).contains(7L));
    assertThat(bob.seqs(group)).containsExactly(1L, 2L, 5L, 6L, 7L);
  }

  @Test
  void aNewDeviceStartsFromThePresentAndReadsTheRest() throws Exception {
    var alice = new Device(ALICE, 1);
    new Device(BOB, 1);
    var chat = ChatId.direct(ALICE, BOB);
    for (int i = 1; i <= 3; i++) {
      get(alice.tern().sendText(chat, "m" + i));
    }
    get(alice.tern().settings().setStar(chat, 1, true));
    var second = new Device(ALICE, 2);
    await().until(() -> second.resets.contains(chat + " 3"));
    assertThat(second.seqs(chat)).isEmpty();
    assertThat(get(second.tern().historyBefore(chat, 0, 10)).getEntriesCount()).isEqualTo(3);
    assertThat(get(second.tern().settings().all())).hasSize(1);
    get(alice.tern().sendText(chat, "m4"));
    await().until(() -> second.seqs(chat).equals(List.of(4L)));
    assertThat(get(second.tern().devices())).extracting(d -> d.getDevice()).containsExactly(1, 2);
    get(alice.tern().removeDevice(2));
    await().until(() -> second.refusals.contains(ErrorCode.REVOKED.number()));
  }

  @Test
  void settingsAreHeardOfByAllDevicesOnce() throws Exception {
    var alice = new Device(ALICE, 1);
    var second = new Device(ALICE, 2);
    get(alice.tern().settings().setContact(BOB, "Bob"));
    get(second.tern().settings().setContact(BOB, "Bobby"));
    for (var device : List.of(alice, second)) {
      await().until(() -> device.settings.size() == 2);
      assertThat(device.settings)
          .extracting(setting -> setting.getContact().getName())
          .containsExactly("Bob", "Bobby");
    }
  }

  @Test
  void aGroupIsToldHowFarItHasGot() throws Exception {
    var alice = new Device(ALICE, 1);
    var bob = new Device(BOB, 1);
    var carol = new Device(CAROL, 1);
    var group = get(alice.tern().groups().create("terns", List.of(BOB, CAROL))).group();
    long seq = get(alice.tern().sendText(group, "news")).seq();
    await().until(() -> alice.groupReceipts.contains(seq + " 0"));
    bob.tern().read(group, seq);
    await()
        .until(() -> alice.counts.contains(new ClientListener.ReceiptCount(group, seq, 2, 2, 1)));
    carol.tern().read(group, seq);
    await().until(() -> alice.groupReceipts.contains(seq + " " + seq));
    var info = get(alice.tern().entryInfo(group, seq, null, 10));
    assertThat(info.getMembersList()).allMatch(member -> member.getReadAtMs() > 0);
  }

  @Test
  void aBlockHoldsBackMessagesPresenceAndTyping() throws Exception {
    var alice = new Device(ALICE, 1);
    var bob = new Device(BOB, 1);
    var chat = ChatId.direct(ALICE, BOB);
    alice.tern().watch(List.of(BOB), List.of());
    await().until(() -> alice.isOnline(BOB));
    bob.tern().typing(chat, ClientListener.Typing.VOICE);
    await().until(() -> alice.typings.contains(BOB + " VOICE"));

    get(bob.tern().settings().setBlock(ALICE, true));
    // The lapsed watch is made again by itself, and shows nothing.
    await().until(() -> !alice.isOnline(BOB));
    assertRefused(alice.tern().sendText(chat, "hello?"), ErrorCode.BLOCKED);
    assertRefused(bob.tern().sendText(chat, "hello?"), ErrorCode.BLOCKED);
    get(bob.tern().settings().setBlock(ALICE, false));
    get(alice.tern().sendText(chat, "hello!"));
    await().until(() -> bob.seqs(chat).equals(List.of(1L)));
  }

  @Test
  void whoHidesWhatTheyReadIsNotToldWhatOthersRead() throws Exception {
    var alice = new Device(ALICE, 1);
    var bob = new Device(BOB, 1);
    var chat = ChatId.direct(ALICE, BOB);
    get(bob.tern().settings().setPrivacy(Privacy.newBuilder().setHideReadReceipts(true).build()));
    get(alice.tern().sendText(chat, "one"));
    await().until(() -> bob.seqs(chat).contains(1L));
    bob.tern().read(chat, 1);
    get(bob.tern().sendText(chat, "two"));
    await().until(() -> alice.seqs(chat).contains(2L));
    alice.tern().read(chat, 2);
    get(alice.tern().sendText(chat, "three"));
    await().until(() -> bob.seqs(chat).contains(3L));

    assertThat(alice.receipts).noneMatch(receipt -> receipt.startsWith(BOB + " read"));
    assertThat(bob.receipts).noneMatch(receipt -> receipt.startsWith(ALICE + " read"));
    assertThat(get(alice.tern().entryInfo(chat, 1, null, 10)).getMembers(0).getReadAtMs()).isZero();
  }

  @Test
  void whoMayAddOneIsOnesOwnChoice() throws Exception {
    var alice = new Device(ALICE, 1);
    var bob = new Device(BOB, 1);
    get(
        bob.tern()
            .settings()
            .setPrivacy(Privacy.newBuilder().setGroups(Audience.AUDIENCE_NOBODY).build()));
    assertRefused(alice.tern().groups().create("terns", List.of(BOB)), ErrorCode.NOT_ALLOWED);
    new Device(CAROL, 1);
    var created = get(alice.tern().groups().create("terns", List.of(BOB, CAROL)));
    assertThat(created.refused()).containsExactly(BOB);
    var invite = get(alice.tern().groups().invite(created.group()));
    get(bob.tern().groups().join(invite));
    await()
        .until(() ->
            alice.bodies(created.group()).contains(new Body.Group(new GroupChange.Joined(), null)));
  }

  @Test
  void editsReactionsAndRevokesAreHeardAndKept() throws Exception {
    var alice = new Device(ALICE, 1);
    var bob = new Device(BOB, 1);
    var chat = ChatId.direct(ALICE, BOB);
    get(alice.tern().sendText(chat, "helo"));
    await().until(() -> bob.seqs(chat).contains(1L));
    bob.away();
    get(alice.tern().edit(chat, 1, Draft.text("hello")));
    get(alice.tern().send(chat, Draft.text("secret").viewOnce()));
    bob.back();
    await().until(() -> bob.seqs(chat).equals(List.of(1L, 2L, 3L)));
    get(bob.tern().react(chat, 1, "👍"));
    get(bob.tern().opened(chat, 3));
    await().until(() -> alice.bodies(chat).contains(new Body.Opened(3)));

    var page = get(alice.tern().historyAfter(chat, 0, 10));
    assertThat(page.getEntries(0).getEntry().getContent().getBody().toStringUtf8())
        .isEqualTo("hello");
    assertThat(page.getEntries(0).getEntry().getEditedMs()).isPositive();
    assertThat(page.getEntries(0).getReactions(0).getText()).isEqualTo("👍");
    assertThat(Body.of(page.getEntries(2).getEntry().getContent())).isEqualTo(new Body.Removed());
    assertRefused(bob.tern().edit(chat, 1, Draft.text("mine")), ErrorCode.NOT_ALLOWED);
    assertRefused(bob.tern().react(chat, 3, "x"), ErrorCode.NOT_FOUND);
  }

  private static <T> T get(CompletableFuture<T> answer) throws Exception {
    return answer.get(20, TimeUnit.SECONDS);
  }

  private static void assertRefused(CompletableFuture<?> answer, ErrorCode code) {
    assertThatThrownBy(() -> get(answer))
        .isInstanceOf(ExecutionException.class)
        .cause()
        .isInstanceOfSatisfying(
            TernException.class, refused -> assertThat(refused.code()).isEqualTo(code));
  }

  /// A device that comes and goes, and keeps what it has heard.
  private final class Device implements ClientListener {
    private final UserId user;
    private final int index;
    private final ClientStore store = new MemoryClientStore();
    private final List<Message> messages = new CopyOnWriteArrayList<>();
    private final List<String> resets = new CopyOnWriteArrayList<>();
    private final List<Setting> settings = new CopyOnWriteArrayList<>();
    private final List<String> receipts = new CopyOnWriteArrayList<>();
    private final List<String> groupReceipts = new CopyOnWriteArrayList<>();
    private final List<ReceiptCount> counts = new CopyOnWriteArrayList<>();
    private final List<String> typings = new CopyOnWriteArrayList<>();
    private final List<Presence> presences = new CopyOnWriteArrayList<>();
    private final List<Integer> refusals = new CopyOnWriteArrayList<>();
    private TernClient client;

    Device(UserId user, int index) throws Exception {
      this.user = user;
      this.index = index;
      devices.add(this);
      client = connect();
      get(client.ready());
    }

    private TernClient connect() {
      return TernClient.start(
          ClientConfig.of(
              user,
              index,
              List.of(server.address().resolve()),
              () -> DevelopmentIssuer.token(user, index),
              store),
          this,
          transport);
    }

    TernClient tern() {
      return client;
    }

    void away() {
      client.close();
      client.closed().join();
    }

    void back() throws Exception {
      client = connect();
      get(client.ready());
    }

    List<Long> seqs(ChatId chat) {
      return messages.stream().filter(m -> m.chat().equals(chat)).map(Message::seq).toList();
    }

    List<Body> bodies(ChatId chat) {
      return messages.stream().filter(m -> m.chat().equals(chat)).map(Message::body).toList();
    }

    boolean isOnline(UserId other) {
      return presences.stream()
          .filter(p -> p.user().equals(other))
          .reduce((first, last) -> last)
          .map(Presence::online)
          .orElse(false);
    }

    @Override
    public void onMessage(Message message) {
      messages.add(message);
    }

    @Override
    public void onReset(ChatId chat, long seq) {
      resets.add(chat + " " + seq);
    }

    @Override
    public void onSetting(Setting setting) {
      settings.add(setting);
    }

    @Override
    public void onReceipt(ChatId chat, UserId member, long delivered, long read) {
      receipts.add(member + (read > 0 ? " read " + read : " delivered " + delivered));
    }

    @Override
    public void onGroupReceipt(ChatId group, long allDelivered, long allRead) {
      groupReceipts.add(allDelivered + " " + allRead);
    }

    @Override
    public void onReceiptCount(ReceiptCount count) {
      counts.add(count);
    }

    @Override
    public void onTyping(ChatId chat, UserId member, Typing typing) {
      typings.add(member + " " + typing);
    }

    @Override
    public void onPresence(Presence presence) {
      presences.add(presence);
    }

    @Override
    public void onConnection(ConnectionState state) {
      if (state instanceof ConnectionState.Refused refused) {
        refusals.add(refused.code());
      }
    }
  }
}

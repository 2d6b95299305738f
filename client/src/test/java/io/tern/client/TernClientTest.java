package io.tern.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tern.client.ClientListener.ConnectionState;
import io.tern.client.ClientListener.Message;
import io.tern.client.TernClient.Receipted;
import io.tern.client.netty.TernTransport;
import io.tern.client.store.MemoryClientStore;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Setting;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The client on real sockets against a fake server.
class TernClientTest {

  private static final UserId ALICE = new UserId(1001);
  private static final UserId BOB = new UserId(2002);

  private NettyFakeServer server;
  private TernTransport transport;
  private final List<TernClient> clients = new ArrayList<>();

  @BeforeEach
  void start() throws InterruptedException {
    server = new NettyFakeServer();
    transport = TernTransport.create(1);
  }

  @AfterEach
  void stop() throws InterruptedException {
    for (TernClient client : clients) {
      client.close();
    }
    for (TernClient client : clients) {
      client.closed().join();
    }
    transport.close();
    server.close();
  }

  @Test
  void twoPeopleChat() throws Exception {
    var heard = new Recorder();
    var bob = connect(BOB, new MemoryClientStore(), heard);
    bob.ready().get(10, TimeUnit.SECONDS);
    var receipts = new Recorder();
    var alice = connect(ALICE, new MemoryClientStore(), receipts);

    Receipted sent = alice.sendText(alice.direct(BOB), "Grüße aus 東京 🦆").get(10, TimeUnit.SECONDS);

    assertThat(sent.seq()).isEqualTo(1);
    assertThat(sent.csn()).isEqualTo(1);
    await().until(() -> heard.texts().equals(List.of("Grüße aus 東京 🦆")));
    await().until(() -> receipts.receipts.contains(BOB + " delivered 1 read 0"));
    bob.read(bob.direct(ALICE), 1);
    await().until(() -> receipts.receipts.contains(BOB + " delivered 1 read 1"));
  }

  @Test
  void sendsOutliveLostConnections() throws Exception {
    var heard = new Recorder();
    connect(BOB, new MemoryClientStore(), heard);
    var alice = connect(ALICE, new MemoryClientStore(), new Recorder());
    var futures = new ArrayList<CompletableFuture<Receipted>>();
    for (int i = 0; i < 300; i++) {
      futures.add(alice.sendText(alice.direct(BOB), "m" + i));
      if (i % 100 == 50) {
        futures.get(i - 20).get(10, TimeUnit.SECONDS);
        server.cutAll();
        alice.reconnect();
      }
    }
    CompletableFuture.allOf(futures.toArray(CompletableFuture[]::new)).get(20, TimeUnit.SECONDS);
    for (int i = 0; i < 300; i++) {
      assertThat(futures.get(i).join().seq()).isEqualTo(i + 1);
    }
    await().atMost(Duration.ofSeconds(20)).until(() -> heard.messages.size() >= 300);
    assertThat(heard.messages).extracting(Message::seq).isSorted().doesNotHaveDuplicates();
    server.with(s -> assertThat(s.violations).isEmpty());
  }

  @Test
  void whoWasAwayGetsEverythingInOrder() throws Exception {
    var alice = connect(ALICE, new MemoryClientStore(), new Recorder());
    for (int i = 0; i < 50; i++) {
      alice.sendText(alice.direct(BOB), "m" + i);
    }
    alice.sendText(alice.direct(BOB), "last").get(10, TimeUnit.SECONDS);

    var heard = new Recorder();
    connect(BOB, new MemoryClientStore(), heard);
    await().until(() -> heard.caughtUp == 1);

    assertThat(heard.texts()).hasSize(51).startsWith("m0", "m1").endsWith("m49", "last");
    ChatId chat = ChatId.direct(ALICE, BOB);
    await()
        .untilAsserted(() ->
            server.with(s ->
                assertThat(s.log(chat).positions)
                    .containsEntry(new io.tern.protocol.DeviceId(BOB, 1), 51L)));
  }

  @Test
  void aRegistrationOfTheOtherSideIsHeardLiveAndInACatchUpAndOnOnesOwnDevices() throws Exception {
    var bobs = new Recorder();
    var bob = connect(BOB, new MemoryClientStore(), bobs);
    bob.ready().get(10, TimeUnit.SECONDS);
    var alices = new Recorder();
    var alice = connect(ALICE, new MemoryClientStore(), alices);
    alice.sendText(alice.direct(BOB), "hi").get(10, TimeUnit.SECONDS);
    var alone = new UserId(3003);
    alice.sendText(alice.direct(alone), "anybody?").get(10, TimeUnit.SECONDS);
    server.with(s -> s.registeredAnew(new DeviceId(ALICE, 1), 5_000));
    // He has not answered: not a word.
    assertThat(bobs.bodies()).doesNotContain(new Body.Registered(5_000));
    bob.sendText(bob.direct(ALICE), "hi").get(10, TimeUnit.SECONDS);

    server.with(s -> s.registeredAnew(new DeviceId(ALICE, 1), 6_000));
    await().until(() -> bobs.bodies().contains(new Body.Registered(6_000)));
    await().until(() -> alices.bodies().contains(new Body.Registered(6_000)));
    Message told = bobs.messages.get(bobs.messages.size() - 1);
    assertThat(told.sender()).isEqualTo(ALICE);
    assertThat(told.device()).isEqualTo(1);
    assertThat(told.own()).isFalse();

    bob.close();
    bob.closed().join();
    server.with(s -> s.registeredAnew(new DeviceId(ALICE, 1), 7_000));
    var later = new Recorder();
    connect(BOB, new MemoryClientStore(), later);
    await().until(() -> later.bodies().contains(new Body.Registered(7_000)));
    server.with(s -> assertThat(s.violations).isEmpty());
  }

  @Test
  void historyAndChatListArrive() throws Exception {
    var alice = connect(ALICE, new MemoryClientStore(), new Recorder());
    ChatId chat = alice.direct(BOB);
    for (int i = 0; i < 10; i++) {
      alice.sendText(chat, "m" + i).get(10, TimeUnit.SECONDS);
    }

    var newest = alice.historyBefore(chat, 0, 3).get(10, TimeUnit.SECONDS);
    var first = alice.historyAfter(chat, 0, 4).get(10, TimeUnit.SECONDS);
    var next = alice.historyAfter(chat, 4, 4).get(10, TimeUnit.SECONDS);
    var list = alice.chats(null, 10).get(10, TimeUnit.SECONDS);

    assertThat(newest.getEntriesList()).extracting(e -> e.getSeq()).containsExactly(8L, 9L, 10L);
    assertThat(first.getEntriesList()).extracting(e -> e.getSeq()).containsExactly(1L, 2L, 3L, 4L);
    assertThat(first.getMore()).isTrue();
    assertThat(next.getEntriesList()).extracting(e -> e.getSeq()).containsExactly(5L, 6L, 7L, 8L);
    assertThat(list.getChatsList()).hasSize(1);
    assertThat(list.getChats(0).getHead()).isEqualTo(10);
  }

  @Test
  void aGroupIsFoundedJoinedAndLeft() throws Exception {
    var heard = new Recorder();
    var bob = connect(BOB, new MemoryClientStore(), heard);
    var alice = connect(ALICE, new MemoryClientStore(), new Recorder());

    ChatId group = get(alice.groups().create("terns", List.of())).group();
    get(alice.sendText(group, "alone"));
    Invite invite = Invite.parse(get(alice.groups().invite(group)).text());
    get(bob.groups().join(invite));
    get(alice.sendText(group, "welcome"));
    get(alice.react(group, 4, "🐦"));
    await().until(() -> heard.messages.size() == 3);

    assertThat(heard.messages)
        .extracting(Message::body)
        .startsWith(new Body.Group(new GroupChange.Joined(), null), new Body.Text("welcome"));
    assertThat(heard.messages.get(2).body()).isEqualTo(new Body.Reacted(4, "🐦"));
    assertThat(get(alice.groups().info(group)).getMembersList())
        .extracting(m -> m.getUser())
        .containsExactly(ALICE.value(), BOB.value());
    get(bob.groups().leave(group));
    assertThatThrownBy(() -> get(bob.sendText(group, "too late")))
        .hasRootCauseInstanceOf(TernException.class)
        .hasMessageContaining("NOT_MEMBER");
  }

  @Test
  void settingsReachTheOtherDevicesAndAreReadPageByPage() throws Exception {
    var heard = new Recorder();
    connect(ALICE, new MemoryClientStore(), heard).ready().get(10, TimeUnit.SECONDS);
    var other = connect(ALICE, 2, new MemoryClientStore(), new Recorder());

    ChatId chat = other.direct(BOB);
    get(other.settings().setChat(chat, UserSettings.FOREVER, true, false));
    get(other.settings().setStar(chat, 1, true));
    get(other.settings().hide(chat, 2));
    get(other.settings().setContact(BOB, "Bob"));
    get(other.settings().setBlock(BOB, true));

    assertThat(get(other.settings().all())).hasSize(5);
    await().until(() -> heard.settings.size() == 5);
    assertThat(heard.settings.get(0).getChat().getPin()).isTrue();
    assertThat(get(other.devices())).extracting(d -> d.getDevice()).containsExactly(1, 2);
    get(other.removeDevice(1));
    await()
        .until(() ->
            heard.states.stream()
                .anyMatch(s -> s instanceof ConnectionState.Refused r && r.code() == 203));
  }

  @Test
  void whoWatchesSeesWhoIsThereAndTyping() throws Exception {
    var heard = new Recorder();
    var alice = connect(ALICE, new MemoryClientStore(), heard);
    var bob = connect(BOB, new MemoryClientStore(), new Recorder());
    bob.ready().get(10, TimeUnit.SECONDS);
    alice.watch(List.of(BOB), List.of());
    await().until(() -> heard.presences.contains(new ClientListener.Presence(BOB, true, 0)));

    bob.typing(bob.direct(ALICE), ClientListener.Typing.VOICE);
    await().until(() -> heard.typings.contains(ClientListener.Typing.VOICE));
    assertThatThrownBy(() -> alice.watch(Collections.nCopies(101, BOB), List.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static <T> T get(CompletableFuture<T> answer) throws Exception {
    return answer.get(10, TimeUnit.SECONDS);
  }

  @Test
  void aStoreThatLostItsMemoryGoesOnWithTheServersCount() throws Exception {
    var first = connect(ALICE, new MemoryClientStore(), new Recorder());
    for (int i = 0; i < 5; i++) {
      first.sendText(first.direct(BOB), "old" + i).get(10, TimeUnit.SECONDS);
    }
    first.close();
    first.closed().join();

    var second = connect(ALICE, new MemoryClientStore(), new Recorder());
    Receipted sent = second.sendText(second.direct(BOB), "new").get(10, TimeUnit.SECONDS);

    assertThat(sent.csn()).isEqualTo(6);
    assertThat(sent.seq()).isEqualTo(6);
    assertThat(sent.repeat()).isFalse();
  }

  @Test
  void secondSessionOfADeviceRefusesTheFirst() throws Exception {
    var first = new Recorder();
    connect(ALICE, new MemoryClientStore(), first).ready().get(10, TimeUnit.SECONDS);
    connect(ALICE, new MemoryClientStore(), new Recorder()).ready().get(10, TimeUnit.SECONDS);
    await()
        .until(() ->
            first.states.stream()
                .anyMatch(s -> s instanceof ConnectionState.Refused r && r.code() == 206));
  }

  @Test
  void aClosedClientMayBeClosedAgainAndRefusesWhatItIsAsked() throws Exception {
    Set<Thread> before = loops();
    var client = TernClient.start(config(ALICE, 1, new MemoryClientStore()), new Recorder());
    get(client.ready());
    client.close();
    get(client.closed());
    for (boolean isLoopGone : List.of(false, true)) {
      if (isLoopGone) {
        await().until(() -> before.containsAll(loops()));
      }
      client.close();
      assertClosed(client.sendText(client.direct(BOB), "late"));
      assertClosed(client.chats(null, 10));
      assertClosed(client.groups().create("late", List.of(BOB)));
      client.read(client.direct(BOB), 1);
      client.typing(client.direct(BOB), ClientListener.Typing.TEXT);
    }
  }

  /// The threads of all transports.
  private static Set<Thread> loops() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("tern-client"))
        .collect(Collectors.toSet());
  }

  @Test
  void aClientWhoseTransportHasEndedSaysSo() throws Exception {
    Set<Thread> before = loops();
    var gone = TernTransport.create(1);
    var client = TernClient.start(config(ALICE, 1, new MemoryClientStore()), new Recorder(), gone);
    get(client.ready());
    gone.close();
    await().until(() -> before.containsAll(loops()));
    assertClosed(client.sendText(client.direct(BOB), "late"));
    client.close();
    assertThatThrownBy(() -> get(client.closed())).hasMessageContaining("transport");
  }

  private static void assertClosed(CompletableFuture<?> answer) {
    assertThatThrownBy(() -> get(answer))
        .hasRootCauseInstanceOf(TernException.class)
        .hasMessageContaining("the client is closed");
  }

  @Test
  void aStoreThatCannotBeClosedDoesNotKeepTheClientOpen() throws Exception {
    var store = new MemoryClientStore();
    var failing =
        (ClientStore)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {ClientStore.class},
                (proxy, method, args) -> {
                  if (method.getName().equals("close")) {
                    throw new UncheckedIOException(new IOException("disk full"));
                  }
                  return method.invoke(store, args);
                });
    Set<Thread> before = loops();
    var client = TernClient.start(config(ALICE, 1, failing), new Recorder());
    get(client.ready());
    client.close();
    assertThatThrownBy(() -> get(client.closed())).hasRootCauseMessage("disk full");
    await().until(() -> before.containsAll(loops()));
  }

  @Test
  void aChatOfOthersIsRefusedBeforeAnythingGoesOut() throws Exception {
    var alice = connect(ALICE, new MemoryClientStore(), new Recorder());
    ChatId others = ChatId.direct(BOB, new UserId(3003));
    var calls =
        List.<ThrowingCallable>of(
            () -> alice.sendText(others, "to whom?"),
            () -> alice.read(others, 1),
            () -> alice.typing(others, ClientListener.Typing.TEXT),
            () -> alice.historyBefore(others, 0, 10),
            () -> alice.historyAfter(others, 0, 10),
            () -> alice.historyAround(others, 1, 10),
            () -> alice.chatInfo(others),
            () -> alice.entryInfo(others, 1, null, 10),
            () -> alice.settings().setStar(others, 1, true),
            () -> alice.settings().setChat(others, 0, true, false),
            () -> alice.settings().hide(others, 1));
    for (var call : calls) {
      assertThatThrownBy(call)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("not a chat of");
    }
    get(alice.ready());
    server.with(s -> assertThat(s.log(ChatId.direct(ALICE, BOB)).entries).isEmpty());
  }

  @Test
  void whyThereIsNoConnectionIsSaidInWords() throws Exception {
    SocketAddress nobody;
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      nobody = socket.getLocalSocketAddress();
    }
    var heard = new Recorder();
    var config =
        ClientConfig.of(
            ALICE, 1, List.of(nobody), () -> FakeServer.token(ALICE, 1), new MemoryClientStore());
    clients.add(TernClient.start(config, heard, transport));
    await()
        .untilAsserted(() ->
            assertThat(heard.states)
                .filteredOn(ConnectionState.Down.class::isInstance)
                .extracting(state -> ((ConnectionState.Down) state).reason())
                .contains("connection refused"));
  }

  /// Nothing would ever complete it: that thread is the one that would.
  @Test
  void waitingForAnAnswerOnTheLoopThatBringsItIsAnErrorAndNotADeadlock() throws Exception {
    var alice = connect(ALICE, new MemoryClientStore(), new Recorder());
    ChatId chat = alice.direct(BOB);
    var thrown =
        get(
            alice
                .sendText(chat, "one")
                .handle((sent, failed) -> {
                  try {
                    return alice.sendText(chat, "two").join();
                  } catch (IllegalStateException e) {
                    return e;
                  }
                }));
    assertThat(thrown).isInstanceOf(IllegalStateException.class);
    // A dependent one too; an answer that is there may be asked for anywhere.
    var second =
        get(
            alice
                .chats(null, 10)
                .thenCompose(page ->
                    alice
                        .groups()
                        .create("a", List.of())
                        .thenApply(made -> made.group())
                        .thenCompose(group -> {
                          try {
                            return CompletableFuture.completedFuture(
                                (Object) alice.groups().invite(group).get(1, TimeUnit.SECONDS));
                          } catch (Exception e) {
                            return CompletableFuture.completedFuture((Object) e);
                          }
                        })));
    assertThat(second).isInstanceOf(IllegalStateException.class);
    assertThat(get(alice.sendText(chat, "three")).seq()).isEqualTo(3);
    assertThat(get(alice.chats(null, 10)).getChatsCount()).isPositive();
  }

  @Test
  void whoGivesAnAnswerUpGivesItsPlaceBack() throws Exception {
    server.cutAll();
    server.close();
    var alice = connect(ALICE, new MemoryClientStore(), new Recorder());
    for (int i = 0; i < 200; i++) {
      CompletableFuture<?> question = alice.chats(null, 10);
      CompletableFuture<?> change = alice.settings().setBlock(BOB, true);
      if (i % 2 == 0) {
        question.cancel(true);
        change.orTimeout(1, TimeUnit.MILLISECONDS);
        assertThatThrownBy(change::join).hasCauseInstanceOf(TimeoutException.class);
      } else {
        question.completeExceptionally(new IllegalStateException("not needed"));
        change.cancel(false);
      }
    }
    CompletableFuture<?> last = alice.chats(null, 10);
    // It waits for a connection; at the bound it would be refused with QUOTA.
    alice.close();
    get(alice.closed());
    assertThatThrownBy(last::join).hasMessageContaining("TIMEOUT");
  }

  @Test
  void aChangeOfAGroupThatIsAskedAgainAfterARestartHasOneEffect() throws Exception {
    byte[] creation = Groups.newOpId();
    byte[] title = Groups.newOpId();
    var store = new MemoryClientStore();
    var before = connect(ALICE, store, new Recorder());
    var created = get(before.groups().withOpId(creation).create("terns", List.of(BOB)));
    var named = get(before.groups().withOpId(title).setTitle(created.group(), "gulls"));
    before.close();
    get(before.closed());

    var after = connect(ALICE, store, new Recorder());
    assertThat(get(after.groups().withOpId(creation).create("terns", List.of(BOB))).group())
        .isEqualTo(created.group());
    assertThat(get(after.groups().withOpId(title).setTitle(created.group(), "gulls")).seq())
        .isEqualTo(named.seq());
    assertThat(get(after.groups().setTitle(created.group(), "skuas")).seq())
        .as("one without an id of its own is another change")
        .isEqualTo(named.seq() + 1);
  }

  @Test
  void anOperationIdHas16Bytes() {
    var alice = connect(ALICE, new MemoryClientStore(), new Recorder());
    assertThat(Groups.newOpId()).hasSize(16).isNotEqualTo(Groups.newOpId());
    assertThatThrownBy(() -> alice.groups().withOpId(new byte[15]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("16 bytes");
  }

  @Test
  void whatWaitsForABusyLoopIsBoundedInBytes() throws Exception {
    var alice =
        TernClient.start(
            config(ALICE, 1, new MemoryClientStore()).withPendingSendBytesMax(64 * 1024),
            new Recorder(),
            transport);
    clients.add(alice);
    var busy = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    alice.send(
        alice.direct(BOB),
        Draft.text("x".repeat(20_000)).content(),
        new SendCallback() {
          @Override
          public void onSent(ChatId in, long seq, long csn, long tsMillis, boolean repeat) {}

          @Override
          public void onRefused(ChatId in, TernException tooLarge) {
            busy.countDown();
            try {
              goOn.await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          }
        });
    assertThat(busy.await(10, TimeUnit.SECONDS)).isTrue();
    var sends = new ArrayList<CompletableFuture<Receipted>>();
    for (int i = 0; i < 5; i++) {
      sends.add(alice.sendText(alice.direct(BOB), "x".repeat(16_000)));
    }
    assertThat(sends.get(4)).isCompletedExceptionally();
    assertThatThrownBy(sends.get(4)::join).hasMessageContaining("QUOTA");
    assertThat(sends.get(3)).isNotDone();
    goOn.countDown();
    for (int i = 0; i < 4; i++) {
      get(sends.get(i));
    }
  }

  @Test
  @SuppressWarnings("NullAway") // An app may be compiled without it.
  void whatIsNoArgumentFailsWhereItIsGiven() {
    var alice = connect(ALICE, new MemoryClientStore(), new Recorder());
    assertThatThrownBy(() -> alice.send(alice.direct(BOB), (Content) null))
        .isInstanceOf(NullPointerException.class);
    assertThatThrownBy(() -> alice.sendText(null, "x")).isInstanceOf(NullPointerException.class);
    assertThatThrownBy(() -> alice.reauth(null)).isInstanceOf(NullPointerException.class);
  }

  private TernClient connect(UserId user, ClientStore store, ClientListener listener) {
    return connect(user, 1, store, listener);
  }

  private TernClient connect(UserId user, int device, ClientStore store, ClientListener listener) {
    TernClient client = TernClient.start(config(user, device, store), listener, transport);
    clients.add(client);
    return client;
  }

  private ClientConfig config(UserId user, int device, ClientStore store) {
    return ClientConfig.of(
        user, device, server.addresses(), () -> FakeServer.token(user, device), store);
  }

  private static final class Recorder implements ClientListener {
    final List<Message> messages = new CopyOnWriteArrayList<>();
    final List<String> receipts = new CopyOnWriteArrayList<>();
    final List<ConnectionState> states = new CopyOnWriteArrayList<>();
    final List<Setting> settings = new CopyOnWriteArrayList<>();
    final List<Presence> presences = new CopyOnWriteArrayList<>();
    final List<Typing> typings = new CopyOnWriteArrayList<>();
    volatile int caughtUp;

    List<String> texts() {
      return messages.stream().map(m -> m.content().getBody().toStringUtf8()).toList();
    }

    List<Body> bodies() {
      return messages.stream().map(Message::body).toList();
    }

    @Override
    public void onMessage(Message message) {
      messages.add(message);
    }

    @Override
    public void onSetting(Setting setting) {
      settings.add(setting);
    }

    @Override
    public void onPresence(Presence presence) {
      presences.add(presence);
    }

    @Override
    public void onTyping(ChatId chat, UserId member, Typing typing) {
      typings.add(typing);
    }

    @Override
    public void onReceipt(ChatId chat, UserId member, long delivered, long read) {
      receipts.add(member + " delivered " + delivered + " read " + read);
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer: the event loop
    public void onCaughtUp() {
      caughtUp++;
    }

    @Override
    public void onConnection(ConnectionState state) {
      states.add(state);
    }
  }
}

package io.tern.router;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import io.tern.router.bus.MemoryBus;
import io.tern.router.directory.MemoryDirectory;
import io.tern.store.Command;
import io.tern.store.LocalLog;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.Slots;
import io.tern.store.memory.MemoryStorage;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The router with real rings and threads over real shards in memory.
class RouterTest {

  private static final int SHARDS = 3;
  private static final DeviceId ALICE = new DeviceId(new UserId(1001), 1);
  private static final DeviceId BOB = new DeviceId(new UserId(2002), 1);
  private static final DeviceId BOBS_LAPTOP = new DeviceId(new UserId(2002), 2);
  private static final ChatId CHAT = ChatId.direct(ALICE.user(), BOB.user());
  private static final EdgeId EDGE = new EdgeId("edge", 7);

  private record Push(UserId user, ChatId chat, long seq) {}

  private final List<MemoryStorage> storages = new ArrayList<>();
  private final MemoryBus bus = new MemoryBus(RouterMetrics.NONE);
  private final MemoryDirectory directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
  private final ConcurrentLinkedQueue<Delivery> delivered = new ConcurrentLinkedQueue<>();
  private final List<Push> pushes = new CopyOnWriteArrayList<>();
  private final List<String> fatal = new CopyOnWriteArrayList<>();
  private Router router;

  @BeforeEach
  void start() {
    for (int i = 0; i < SHARDS; i++) {
      storages.add(new MemoryStorage());
    }
    bus.register(EDGE, delivered::addAll);
    router = open();
  }

  @AfterEach
  void stop() {
    router.close();
    assertThat(fatal).isEmpty();
  }

  @Test
  void aMessageIsAnsweredDeliveredAcknowledgedAndReceipted() {
    var alice = attach(ALICE, 1);
    var bob = attach(BOB, 2);

    assertThat(router.submit(send(ALICE, 1, "hello"), new Origin(EDGE, 1, 77))).isTrue();

    var answer = awaitDelivery(Delivery.Answer.class);
    assertThat(answer.to().rid()).isEqualTo(77);
    assertThat(((Outcome.Sent) answer.outcome()).entry().seq()).isEqualTo(1);
    var entries = awaitDelivery(Delivery.Entries.class);
    assertThat(entries.to()).containsExactly(bob);
    assertThat(text(entries.body())).isEqualTo("hello");

    router.submit(new Command.Ack(BOB, CHAT, 1), new Origin(EDGE, 2, 0));
    var receipt = awaitDelivery(Delivery.Receipts.class);
    assertThat(receipt.member()).isEqualTo(BOB.user());
    assertThat(receipt.delivered()).isEqualTo(1);
    assertThat(receipt.to()).containsExactly(alice);
    assertThat(pushes).isEmpty();
  }

  @Test
  void whoIsNotThereIsPushedTo() {
    attach(ALICE, 1);

    router.submit(send(ALICE, 1, "hello"), new Origin(EDGE, 1, 1));

    await().until(() -> !pushes.isEmpty());
    assertThat(pushes).containsExactly(new Push(BOB.user(), CHAT, 1));
  }

  @Test
  void theFirstEntryPutsTheChatIntoBothLists() {
    router.submit(send(ALICE, 1, "hello"), new Origin(EDGE, 1, 1));

    await()
        .untilAsserted(() -> {
          for (var user : List.of(ALICE.user(), BOB.user())) {
            var shard = storages.get(Slots.shardOf(Slots.of(user), SHARDS));
            assertThat(Reads.chatsOf(shard, user, null, 10)).containsExactly(CHAT);
          }
        });
  }

  @Test
  void nothingIsOwedWhenAllHaveAcknowledgedAndTheRouterHasClosed() {
    attach(BOB, 2);
    router.submit(send(ALICE, 1, "one"), new Origin(EDGE, 1, 1));
    router.submit(send(ALICE, 2, "two"), new Origin(EDGE, 1, 2));
    awaitDelivery(Delivery.Entries.class);
    router.submit(new Command.Ack(BOB, CHAT, 2), new Origin(EDGE, 2, 0));

    await()
        .untilAsserted(() ->
            assertThat(shard(Slots.shardOf(Slots.of(CHAT), SHARDS)).outboxAfter(0)).isEmpty());
  }

  @Test
  void whatACrashLeftOwedIsDispatchedByTheNextLife() {
    attach(BOB, 2);
    router.submit(send(ALICE, 1, "one"), new Origin(EDGE, 1, 1));
    awaitDelivery(Delivery.Entries.class);
    router.close();
    delivered.clear();

    // Bob has not acknowledged. The directory of the next life happens to know him.
    router = open();

    var entries = awaitDelivery(Delivery.Entries.class);
    assertThat(text(entries.body())).isEqualTo("one");
  }

  @Test
  void anotherDeviceOfTheSenderSeesTheCsn() {
    attach(BOB, 2);
    var laptop = attach(BOBS_LAPTOP, 3);

    router.submit(send(BOB, 1, "from my phone"), new Origin(EDGE, 2, 1));

    var entries = awaitDelivery(Delivery.Entries.class);
    assertThat(entries.to()).containsExactly(laptop);
    assertThat(deliver(entries.ownBody()).getCsn()).isEqualTo(1);
    assertThat(deliver(entries.body()).getCsn()).isZero();
  }

  @Test
  void aProbeCompletesWhenEveryShardHasCommitted() {
    var before = storages.stream().mapToLong(MemoryStorage::syncs).sum();

    assertThat(router.probe()).succeedsWithin(10, SECONDS);

    assertThat(storages.stream().mapToLong(MemoryStorage::syncs).sum() - before)
        .isGreaterThanOrEqualTo(SHARDS);
    assertThat(router.health()).hasSize(SHARDS).noneMatch(Router.Health::failed);
  }

  @Test
  void aReaderSeesWhatIsCommitted() {
    router.submit(send(ALICE, 1, "hello"), new Origin(EDGE, 1, 1));
    awaitDelivery(Delivery.Answer.class);
    var heads = new ConcurrentLinkedQueue<Long>();

    boolean asked =
        router
            .readers()
            .ask(
                shards ->
                    Reads.after(shards.of(Slots.of(CHAT)), CHAT, BOB.user(), 1, 10, 1000).head(),
                heads::add,
                failure -> fatal.add(failure.toString()));

    assertThat(asked).isTrue();
    await().until(() -> !heads.isEmpty());
    assertThat(heads).containsExactly(1L);
  }

  @Test
  void aChatWithAUserWhoWasErasedMeanwhileIsShut() {
    router.submit(new Command.Enrol(BOB), new Origin(EDGE, 2, 1));
    router.submit(new Command.EraseUser(BOB.user()), new Origin(EDGE, 2, 2));
    await().until(() -> answered(2));

    router.submit(send(ALICE, 1, "hello"), new Origin(EDGE, 1, 3));

    var shard = storages.get(Slots.shardOf(Slots.of(CHAT), SHARDS));
    await().until(() -> Reads.isBlocked(shard, CHAT));
    await().until(() -> answered(3));
  }

  /// With one tick a second this would take 24.
  @Test
  void whatExpiresAtOnceIsErasedWithoutWaitingForTicks() {
    int messages = 6_000;
    for (int csn = 1; csn <= messages; csn++) {
      var content = Content.newBuilder().setKind(Kind.KIND_TEXT).setTtlS(1);
      var body = Send.newBuilder().setCsn(csn).setContent(content).build().toByteArray();
      assertThat(router.submit(new Command.Send(ALICE, CHAT, body), Origin.NOBODY)).isTrue();
    }
    var shard = storages.get(Slots.shardOf(Slots.of(CHAT), SHARDS));

    await()
        .atMost(20, SECONDS)
        .until(() -> {
          var entries = Reads.after(shard, CHAT, BOB.user(), 1, messages, 1 << 20).entries();
          return entries.size() == messages
              && entries.stream().allMatch(entry -> entry.kind() == Kind.KIND_TOMBSTONE_VALUE);
        });
  }

  /// With one tick in ten while nothing happens, this would take more than ten.
  @Test
  void aMessageIsErasedWhenItsTimeHasComeThoughNothingElseHappens() {
    var content = Content.newBuilder().setKind(Kind.KIND_TEXT).setTtlS(3);
    var body = Send.newBuilder().setCsn(1).setContent(content).build().toByteArray();
    assertThat(router.submit(new Command.Send(ALICE, CHAT, body), Origin.NOBODY)).isTrue();
    var shard = storages.get(Slots.shardOf(Slots.of(CHAT), SHARDS));

    await()
        .atMost(8, SECONDS)
        .until(() -> {
          var entries = Reads.after(shard, CHAT, BOB.user(), 1, 1, 1 << 20).entries();
          return !entries.isEmpty() && entries.getFirst().kind() == Kind.KIND_TOMBSTONE_VALUE;
        });
  }

  private boolean answered(int rid) {
    return delivered.stream()
        .anyMatch(one -> one instanceof Delivery.Answer answer && answer.to().rid() == rid);
  }

  private Router open() {
    var opened = new ArrayList<Router.Opened>();
    for (int i = 0; i < SHARDS; i++) {
      opened.add(new Router.Opened(shard(i), storages.get(i)));
    }
    return new Router(
        RouterConfig.DEFAULT,
        opened,
        directory,
        bus,
        (user, chat, seq) -> pushes.add(new Push(user, chat, seq)),
        RouterMetrics.NONE,
        InstantSource.system(),
        (what, cause) -> fatal.add(what + ": " + cause));
  }

  private Shard shard(int index) {
    var storage = storages.get(index);
    return new Shard(storage, new LocalLog(storage), ShardConfig.of(index, SHARDS));
  }

  private Attachment attach(DeviceId device, long session) {
    return directory.attach(device, EDGE, session, true).join().now();
  }

  private <D extends Delivery> D awaitDelivery(Class<D> type) {
    await().until(() -> delivered.stream().anyMatch(type::isInstance));
    return delivered.stream().filter(type::isInstance).map(type::cast).findFirst().orElseThrow();
  }

  private static Command.Send send(DeviceId from, long csn, String text) {
    var body =
        Send.newBuilder()
            .setCsn(csn)
            .setContent(
                Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFromUtf8(text)))
            .build()
            .toByteArray();
    return new Command.Send(from, CHAT, body);
  }

  private static String text(byte[] body) {
    return deliver(body).getContent().getBody().toStringUtf8();
  }

  private static Deliver deliver(byte[] body) {
    try {
      return Deliver.parseFrom(body);
    } catch (com.google.protobuf.InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }
}

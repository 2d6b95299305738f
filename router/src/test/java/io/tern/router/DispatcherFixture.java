package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Kind;
import io.tern.router.directory.MemoryDirectory;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;

/// What a test of the dispatcher as plain logic stands on: outcomes built by hand, time as a
/// number, a directory in memory, and everything that leaves the dispatcher kept in lists.
abstract class DispatcherFixture {

  static final EdgeId EDGE = new EdgeId("edge", 1);
  static final EdgeId OTHER_EDGE = new EdgeId("other", 1);
  static final EdgeId ADDRESS = new EdgeId("shard-0", 1);
  static final DeviceId ALICE = new DeviceId(new UserId(1001), 1);
  static final DeviceId ALICES_LAPTOP = new DeviceId(new UserId(1001), 2);
  static final DeviceId BOB = new DeviceId(new UserId(2002), 1);
  static final DeviceId BOBS_LAPTOP = new DeviceId(new UserId(2002), 2);
  static final DeviceId CAROL = new DeviceId(new UserId(3003), 1);
  static final ChatId CHAT = ChatId.direct(ALICE.user(), BOB.user());
  static final ChatId OTHER_CHAT = ChatId.direct(ALICE.user(), CAROL.user());
  static final ChatId GROUP = ChatId.group(77);
  static final DispatchConfig CONFIG =
      new DispatchConfig(Duration.ofSeconds(10), Duration.ofSeconds(5), 8, Duration.ofSeconds(2));

  static final byte[] NO_BODY = {};
  static final byte[] CONTENT =
      Content.newBuilder()
          .setKind(Kind.KIND_TEXT)
          .setBody(com.google.protobuf.ByteString.copyFromUtf8("hello"))
          .build()
          .toByteArray();

  record Submitted(Command command, Origin origin) {}

  record Push(UserId user, ChatId chat, long seq) {}

  final List<Map.Entry<EdgeId, List<Delivery>>> calls = new ArrayList<>();

  /// What went to every edge.
  final List<Delivery> everywhere = new ArrayList<>();

  final List<Push> pushes = new ArrayList<>();
  final List<Submitted> submitted = new ArrayList<>();
  final List<Long> settled = new ArrayList<>();
  final Map<ChatId, Long> heads = new HashMap<>();
  boolean pushQueueAccepts = true;
  boolean ringsAccept = true;
  final MemoryDirectory directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
  Dispatcher dispatcher;
  long now = 1_000_000;
  long batch;

  @BeforeEach
  void create() {
    dispatcher = dispatcher(directory);
  }

  void done(Submitted duty) {
    dispatcher.deliver(
        List.of(new Delivery.Answer(duty.origin(), duty.command(), Outcome.Done.DONE)));
  }

  Dispatcher dispatcher(Directory over) {
    return dispatcher(over, CONFIG);
  }

  Dispatcher dispatcher(Directory over, DispatchConfig config) {
    return new Dispatcher(
        ADDRESS,
        over,
        new Bus() {
          @Override
          public void toEdge(EdgeId edge, List<Delivery> deliveries) {
            assertThat(deliveries).isNotEmpty();
            calls.add(Map.entry(edge, deliveries));
          }

          @Override
          public void toEveryEdge(Delivery delivery) {
            everywhere.add(delivery);
          }

          @Override
          public void register(EdgeId edge, Deliveries deliveries) {}

          @Override
          public void unregister(EdgeId edge) {}
        },
        (user, chat, seq) -> {
          pushes.add(new Push(user, chat, seq));
          return pushQueueAccepts;
        },
        (command, origin) -> {
          if (ringsAccept) {
            submitted.add(new Submitted(command, origin));
          }
          return ringsAccept;
        },
        config,
        RouterMetrics.NONE,
        settled::add);
  }

  Attachment attach(DeviceId device, EdgeId edge, long session) {
    return directory.attach(device, edge, session, true).join().now();
  }

  void on(Command command, Origin origin, Outcome outcome) {
    dispatcher.on(command, origin, outcome, now);
  }

  void on(DeviceId from, ChatId chat) {
    on(from, chat, new UserId(chat.low()), new UserId(chat.high()));
  }

  void on(DeviceId from, ChatId chat, UserId... members) {
    on(send(from, chat), Origin.NOBODY, sent(from, chat, members));
  }

  void ack(DeviceId from, ChatId chat, long seq) {
    on(
        new Command.Ack(from, chat, seq),
        Origin.NOBODY,
        new Outcome.Moved(from.user(), seq, 0, seq, 0, List.of(ALICE.user())));
  }

  void endOfBatch() {
    dispatcher.endOfBatch(++batch, now);
  }

  void pass(int seconds) {
    for (int i = 0; i < seconds; i++) {
      now += 1_000;
      dispatcher.tick(now);
    }
  }

  void answerLists() {
    for (var one : submitted) {
      assertThat(one.origin().edge()).isEqualTo(ADDRESS);
      dispatcher.deliver(
          List.of(new Delivery.Answer(one.origin(), one.command(), Outcome.Done.DONE)));
    }
    submitted.clear();
  }

  static Command.Send send(DeviceId from, ChatId chat) {
    return new Command.Send(from, chat, NO_BODY);
  }

  Outcome.Sent sent(DeviceId from, ChatId chat, UserId... members) {
    var entry = entry(from, chat);
    List<Command> duties =
        entry.seq() > 1
            ? List.of()
            : Arrays.stream(members)
                .<Command>map(member -> new Command.ListChat(member, chat))
                .toList();
    return new Outcome.Sent(entry, false, Arrays.asList(members), duties);
  }

  // Chats begin in the middle, unless a test says otherwise: no chat lists.
  Entry entry(DeviceId from, ChatId chat) {
    long seq = heads.merge(chat, 2L, (head, first) -> head + 1);
    return new Entry(chat, seq, from, 1, now, seq, CONTENT);
  }

  List<Delivery> all() {
    return calls.stream().flatMap(call -> call.getValue().stream()).toList();
  }

  <D extends Delivery> List<D> deliveries(EdgeId edge, Class<D> type) {
    return calls.stream()
        .filter(call -> call.getKey().equals(edge))
        .flatMap(call -> call.getValue().stream())
        .filter(type::isInstance)
        .map(type::cast)
        .toList();
  }

  <D extends Delivery> D only(EdgeId edge, Class<D> type) {
    var found = deliveries(edge, type);
    assertThat(found).hasSize(1);
    return found.getFirst();
  }

  static Deliver parse(byte[] body) {
    try {
      return Deliver.parseFrom(body);
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }
}

package io.tern.router.catchup;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import io.tern.router.Delivery;
import io.tern.router.Readers;
import io.tern.router.Seeds;
import io.tern.store.Command;
import io.tern.store.LocalLog;
import io.tern.store.Outcome;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.memory.MemoryStorage;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Catch-up over a real shard in memory.
class CatchUpTest {

  private static final UserId BOB = new UserId(5_000);
  private static final DeviceId PHONE = new DeviceId(BOB, 1);
  private static final CatchUpConfig SMALL = new CatchUpConfig(20, 8, 3, 6, 4_000);

  private final MemoryStorage storage = new MemoryStorage();
  private final Shard shard = new Shard(storage, new LocalLog(storage), ShardConfig.of(0, 1));
  private final Readers.Shards shards = slot -> storage;
  private final Map<DeviceId, Map<ChatId, Long>> csns = new HashMap<>();
  private long now = 1_000;

  // ---- examples

  @Test
  void aSessionWithNothingNewIsLiveAtOnceWhenItsNewsAreKnown() {
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(Set.of());

    assertThat(catchUp.isLive()).isTrue();
    assertThat(catchUp.next(10, 1_000, 0)).isNull();
    assertThat(catchUp.behind()).isEmpty();
  }

  @Test
  void aScanFindsWhatTheDeviceHasNotAcknowledged() {
    var chat = chatWith(1);
    say(1, 3);
    ack(PHONE, chat, 1);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(null);
    assertThat(catchUp.behind()).as("not known before the scan").isNull();

    var pages = drain(catchUp);

    assertThat(pages.due).containsExactly(new CatchUp.Due(chat, 3, 2, 1, 0, 0, 0));
    assertThat(pages.seqs(chat)).containsExactly(2L, 3L);
    assertThat(catchUp.isLive()).isTrue();
  }

  @Test
  void onlyChatsInTheNewsAreLookedAt() {
    say(1, 2);
    say(2, 2);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(Set.of(chatWith(2)));

    var pages = drain(catchUp);

    assertThat(pages.seqs(chatWith(2))).containsExactly(1L, 2L);
    assertThat(pages.seqs(chatWith(1))).isEmpty();
  }

  @Test
  void theSummaryTellsThePeersWatermarks() {
    var chat = chatWith(1);
    var alice = friend(1);
    send(PHONE, chat);
    say(1, 1);
    ack(alice, chat, 1);
    execute(new Command.Read(alice, chat, 1, false));
    ack(PHONE, chat, 1);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(Set.of(chat));

    assertThat(drain(catchUp).due).containsExactly(new CatchUp.Due(chat, 2, 1, 1, 0, 1, 1));
  }

  @Test
  void ownEntriesOfOtherDevicesCarryTheirCsn() throws InvalidProtocolBufferException {
    var chat = chatWith(1);
    send(new DeviceId(BOB, 2), chat);
    say(1, 1);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(null);

    var items = drain(catchUp).items;

    assertThat(items).extracting(CatchUp.Item::own).containsExactly(true, false);
    assertThat(Deliver.parseFrom(items.get(0).body()).getCsn()).isEqualTo(1);
    assertThat(Deliver.parseFrom(items.get(1).body()).getCsn()).isZero();
    assertThat(Deliver.parseFrom(items.get(1).body()).getSender()).isZero();
  }

  @Test
  void chatsWithTheNewestEntriesComeFirstAndTakeTurns() {
    say(1, 10);
    say(2, 10);
    say(3, 2);
    // Scans all three with one question.
    var catchUp = new CatchUp(PHONE, new CatchUpConfig(20, 64, 3, 6, 4_000));
    catchUp.startAll(null);

    var pages = drain(catchUp);

    assertThat(pages.due)
        .extracting(CatchUp.Due::chat)
        .containsExactly(chatWith(3), chatWith(2), chatWith(1));
    // Pieces of three, pages of six.
    assertThat(pages.items.subList(0, 8))
        .extracting(CatchUp.Item::chat)
        .containsExactly(
            chatWith(3),
            chatWith(3),
            chatWith(2),
            chatWith(2),
            chatWith(2),
            chatWith(1),
            chatWith(2),
            chatWith(2));
  }

  @Test
  void aLongBacklogIsCutAndAnnounced() {
    var chat = chatWith(1);
    say(1, 50);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(null);

    var pages = drain(catchUp);

    assertThat(pages.due).containsExactly(new CatchUp.Due(chat, 50, 20, 30, 30, 0, 0));
    assertThat(pages.seqs(chat)).isEqualTo(longs(31, 50));
  }

  @Test
  void aChatThatGrowsTooFastWhileItIsCaughtUpIsCutToo() {
    var chat = chatWith(1);
    say(1, 5);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(Set.of(chat));
    var first = ask(catchUp, 2);
    assertThat(first.items()).extracting(CatchUp.Item::seq).containsExactly(1L, 2L);
    say(1, 95);

    var pages = drain(catchUp);

    assertThat(pages.due).containsExactly(new CatchUp.Due(chat, 100, 20, 80, 80, 0, 0));
    assertThat(pages.seqs(chat)).isEqualTo(longs(81, 100));
  }

  @Test
  void nothingIsReadWhileTheWindowIsClosed() {
    say(1, 4);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(Set.of(chatWith(1)));
    var counted = answer(catchUp, catchUp.next(0, 0, 5));
    assertThat(counted.due()).hasSize(1);
    assertThat(counted.items()).isEmpty();

    assertThat(catchUp.next(0, 0, 5)).isNull();
    assertThat(catchUp.next(1, 0, 5)).isNull();
    assertThat(catchUp.isLive()).isFalse();
    assertThat(ask(catchUp, 1).items()).hasSize(1);
  }

  @Test
  void atMostOneQuestionIsUnderWay() {
    say(1, 4);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(null);

    assertThat(catchUp.next(10, 1_000, 0)).isNotNull();
    assertThat(catchUp.next(10, 1_000, 0)).isNull();
    catchUp.onPageFailed();
    assertThat(catchUp.next(10, 1_000, 0)).isNotNull();
  }

  @Test
  void whatIsHeldBackDuringTheLastPageComesBehindIt() {
    var chat = chatWith(1);
    say(1, 2);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(Set.of(chat));
    var question = Objects.requireNonNull(catchUp.next(10, 4_000, 0));
    // Committed before the snapshot, delivered after the question was made.
    assertThat(holdsBack(catchUp, chat, 2)).isTrue();
    var page = question.apply(shards);
    // Committed after the snapshot, delivered before the page is back.
    say(1, 2);
    assertThat(holdsBack(catchUp, chat, 3)).isTrue();
    assertThat(holdsBack(catchUp, chat, 4)).isTrue();

    var arrived = catchUp.onPage(page);

    assertThat(arrived.items()).extracting(CatchUp.Item::seq).containsExactly(1L, 2L);
    assertThat(arrived.tail()).extracting(Delivery.Entries::seq).containsExactly(3L, 4L);
    assertThat(catchUp.isLive()).isTrue();
    assertThat(holdsBack(catchUp, chat, 5)).isFalse();
  }

  @Test
  void aTailThatIsFullIsLetGoAndTheChatLookedAtAgain() {
    for (int bytes : new int[] {1, CatchUp.TAIL_BYTES_MAX / 4 + 1}) {
      long fits = Math.min(CatchUp.TAIL_ENTRIES_MAX, CatchUp.TAIL_BYTES_MAX / bytes);
      var chat = chatWith(bytes);
      say(bytes, 1);
      var catchUp = new CatchUp(PHONE, new CatchUpConfig(1_000, 8, 300, 300, 400_000));
      catchUp.startAll(Set.of(chat));
      var page = Objects.requireNonNull(catchUp.next(300, 400_000, 0)).apply(shards);
      say(bytes, (int) fits + 1);
      for (long seq = 2; seq <= 2 + fits; seq++) {
        assertThat(catchUp.holdsBack(entry(chat, seq, bytes))).isTrue();
      }

      assertThat(catchUp.onPage(page).tail()).isEmpty();
      assertThat(catchUp.isLive()).isFalse();

      // What it held then is no longer counted.
      var next = Objects.requireNonNull(catchUp.next(300, 400_000, 0)).apply(shards);
      for (long seq = 3 + fits; seq < 3 + 2 * fits; seq++) {
        assertThat(catchUp.holdsBack(entry(chat, seq, bytes))).isTrue();
      }
      var arrived = catchUp.onPage(next);
      assertThat(arrived.items()).hasSize((int) fits + 1);
      assertThat(arrived.tail()).hasSize((int) fits);
      assertThat(catchUp.isLive()).isTrue();
    }
  }

  @Test
  void whatIsHeldBackWhileNoQuestionIsUnderWayIsRead() {
    var chat = chatWith(1);
    say(1, 1);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(Set.of(chat));
    assertThat(catchUp.next(10, 4_000, 0)).isNotNull();
    say(1, 1);
    assertThat(holdsBack(catchUp, chat, 2)).isTrue();
    catchUp.onPageFailed();
    say(1, 1);
    assertThat(holdsBack(catchUp, chat, 3)).isTrue();

    var pages = drain(catchUp);

    assertThat(pages.seqs(chat)).containsExactly(1L, 2L, 3L);
    assertThat(pages.tail).isEmpty();
    assertThat(catchUp.isLive()).isTrue();
  }

  @Test
  void aCompleteChatIsLiveWhileOthersAreBehind() {
    say(1, 1);
    say(2, 20);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(Set.of(chatWith(1), chatWith(2)));
    ask(catchUp, 6);

    assertThat(holdsBack(catchUp, chatWith(1), 1)).isFalse();
    assertThat(holdsBack(catchUp, chatWith(2), 1)).isTrue();
    assertThat(holdsBack(catchUp, chatWith(3), 1)).isFalse();
    assertThat(catchUp.behind()).containsExactly(chatWith(2));
  }

  @Test
  void theScanLetsThePassedChatsGoLiveAndHoldsTheOthersBack() {
    for (int i = 1; i <= 6; i++) {
      say(i, 1);
      ack(PHONE, chatWith(i), 1);
    }
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(null);
    // Two chats a question.
    ask(catchUp, 6);

    assertThat(holdsBack(catchUp, chatWith(1), 1)).isFalse();
    assertThat(holdsBack(catchUp, chatWith(2), 1)).isFalse();
    assertThat(holdsBack(catchUp, chatWith(3), 1)).isTrue();
    assertThat(holdsBack(catchUp, chatWith(6), 1)).isTrue();
    drain(catchUp);
    assertThat(holdsBack(catchUp, chatWith(6), 1)).isFalse();
  }

  @Test
  void aNewChatThatIsNotInTheListYetIsFoundWhenTheScanHeldItBack() {
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(null);
    var chat = chatWith(1);
    assertThat(holdsBack(catchUp, chat, 1)).isTrue();
    // Its first entry is there, the list comes later.
    sendOnly(friend(1), chat);

    assertThat(drain(catchUp).seqs(chat)).containsExactly(1L);
  }

  // ---- a new device: it starts from the present, and what comes after it is there is pushed

  @Test
  void aNudgeDuringTheScanOfANewDeviceTakesNothingOfWhatCameMeanwhile() {
    var chat = chatWith(1);
    say(1, 1);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startFromPresent();
    var question = Objects.requireNonNull(catchUp.next(10, 4_000, 0));
    say(1, 2);
    assertThat(holdsBack(catchUp, chat, 2)).isTrue();
    catchUp.start(chat);
    assertThat(holdsBack(catchUp, chat, 3)).isTrue();
    catchUp.onPage(question.apply(shards));

    assertFromThePresent(catchUp, chat, 1, 2L, 3L);
  }

  @Test
  void whatComesLiveAfterANudgeOfANewDeviceIsPushedToo() {
    var chat = chatWith(1);
    say(1, 1);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startFromPresent();
    catchUp.start(chat);
    say(1, 2);
    assertThat(holdsBack(catchUp, chat, 2)).isTrue();
    assertThat(holdsBack(catchUp, chat, 3)).isTrue();

    assertFromThePresent(catchUp, chat, 1, 2L, 3L);
  }

  @Test
  void whatComesLiveWhileANewDevicesChatIsCountedIsPushedToo() {
    var chat = chatWith(1);
    say(1, 1);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startFromPresent();
    catchUp.start(chat);
    // The scan, then the chat itself.
    ask(catchUp, 6);
    var question = Objects.requireNonNull(catchUp.next(10, 4_000, 0));
    say(1, 2);
    assertThat(holdsBack(catchUp, chat, 2)).isTrue();
    assertThat(holdsBack(catchUp, chat, 3)).isTrue();
    var overtaken = catchUp.onPage(question.apply(shards));
    assertThat(overtaken.due()).isEmpty();

    assertFromThePresent(catchUp, chat, 1, 2L, 3L);
  }

  @Test
  void aNewDeviceThatAsksAgainStartsWhereItDidBefore() {
    var chat = chatWith(1);
    say(1, 1);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startFromPresent();
    var page = ask(catchUp, 0);
    assertThat(page.due()).extracting(CatchUp.Due::resetTo).containsExactly(1L);
    say(1, 2);
    assertThat(holdsBack(catchUp, chat, 2)).isTrue();
    catchUp.start(chat);

    assertFromThePresent(catchUp, chat, 1, 2L, 3L);
  }

  private void assertFromThePresent(CatchUp catchUp, ChatId chat, long present, Long... pushed) {
    var pages = drain(catchUp);
    assertThat(pages.due).extracting(CatchUp.Due::resetTo).containsOnly(present);
    assertThat(pages.seqs(chat)).containsExactly(pushed);
    assertThat(catchUp.isLive()).isTrue();
  }

  @Test
  void aNewStartOvertakesAPageUnderWay() {
    var chat = chatWith(1);
    say(1, 4);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAll(Set.of(chat));
    var page = Objects.requireNonNull(catchUp.next(2, 4_000, 0)).apply(shards);
    catchUp.start(chat);

    var pushed = catchUp.onPage(page);

    assertThat(pushed.items()).isEmpty();
    assertThat(pushed.due()).isEmpty();
    assertThat(drain(catchUp).seqs(chat)).containsExactly(1L, 2L, 3L, 4L);
  }

  @Test
  void aLiveEntryWithoutPlaceIsReadFromTheStoreLater() {
    var chat = chatWith(1);
    say(1, 9);
    var catchUp = new CatchUp(PHONE, SMALL);
    catchUp.startAt(chat, 6);

    assertThat(holdsBack(catchUp, chat, 1)).isTrue();
    assertThat(drain(catchUp).seqs(chat)).isEqualTo(longs(6, 9));
    assertThat(catchUp.isLive()).isTrue();
  }

  @Test
  void moreChatsThanAreToldApartAreFoundByAScanThatWaitsForAcknowledgements() {
    for (int i = 1; i <= 12; i++) {
      say(i, 2);
      ack(PHONE, chatWith(i), 1);
    }
    var catchUp = new CatchUp(PHONE, SMALL);
    for (int i = 1; i <= 12; i++) {
      catchUp.startAt(chatWith(i), 2);
    }
    assertThat(catchUp.behind()).isNull();
    assertThat(holdsBack(catchUp, chatWith(12), 1)).isTrue();
    assertThat(holdsBack(catchUp, chatWith(99), 1)).as("might be one of them").isTrue();

    var pushed = new Pages();
    for (var question = catchUp.next(10, 4_000, 1);
        question != null;
        question = catchUp.next(10, 4_000, 1)) {
      pushed.add(answer(catchUp, question));
    }
    assertThat(pushed.items).as("the eight that were told apart").hasSize(8);
    pushed.items.forEach(item -> ack(PHONE, item.chat(), item.seq()));

    assertThat(drain(catchUp).items).hasSize(4);
    assertThat(catchUp.isLive()).isTrue();
  }

  // ---- a property

  /// Any interleaving of entries, live deliveries, acknowledgements, pages that come late or fail,
  /// nudges and new sessions: in the end every entry above what the device had acknowledged has
  /// reached the session at least once, those of one chat in order but for repeats, nothing is held
  /// back any more, and the state stays within its bound.
  @Test
  void everyEntryReachesTheSessionInOrder() {
    Seeds.each(300, seed -> new Interleaving(seed).run());
  }

  private static final class Interleaving {
    private final Random random;
    private final CatchUpTest world = new CatchUpTest();
    private final CatchUpConfig config;
    private final int chats;

    /// How fast live entries and acknowledgements come in.
    private final int haste;

    private final Map<ChatId, Long> heads = new HashMap<>();

    // The device: what it has stored of each chat without a hole, over all its sessions.
    private final Map<ChatId, Long> stored = new HashMap<>();
    private final Map<ChatId, Long> acknowledged = new HashMap<>();

    // The session.
    private @Nullable CatchUp catchUp;
    private @Nullable Function<Readers.Shards, CatchUp.Page> question;
    private CatchUp.@Nullable Page page;
    private final List<CatchUp.Item> unacknowledged = new ArrayList<>();

    // Committed, looked up while the session was attached, on their way to it.
    private final List<Live> live = new ArrayList<>();
    private @Nullable Set<ChatId> news;
    private static final int WINDOW = 10;

    private record Live(ChatId chat, long seq, CatchUp session) {}

    Interleaving(long seed) {
      random = new Random(seed);
      chats = 1 + random.nextInt(14);
      haste = random.nextInt(4);
      config =
          new CatchUpConfig(
              1_000_000,
              4 + random.nextInt(12),
              1 + random.nextInt(4),
              1 + random.nextInt(8),
              200 + random.nextInt(2_000));
    }

    void run() {
      for (int step = 0; step < 400; step++) {
        switch (random.nextInt(8)) {
          case 0, 1 -> commit();
          case 2, 3 -> {
            for (int i = random.nextInt(2 + 2 * haste); i > 0; i--) {
              deliverLive();
            }
          }
          case 4 -> ask();
          case 5 -> read();
          case 6 -> arrive();
          default -> {
            if (random.nextInt(8) == 0) {
              session();
            } else if (random.nextInt(4) < haste) {
              acknowledge();
            } else if (catchUp != null && unacknowledged.isEmpty()) {
              // A nudge.
              catchUp.start(chatWith(1 + random.nextInt(chats)));
            }
          }
        }
      }
      if (catchUp == null) {
        session();
      }
      settleDown();
      heads.forEach((chat, head) ->
          assertThat(stored.getOrDefault(chat, 0L)).as("chat %s", chat).isEqualTo(head));
    }

    private void session() {
      var old = catchUp;
      if (old == null || random.nextBoolean()) {
        // Attach; the news of before, or unknown.
        var session = new CatchUp(PHONE, config);
        session.startAll(random.nextInt(3) == 0 ? null : news);
        if (old != null) {
          // Take-over: what the older session had not acknowledged is unknown.
          session.startAll(null);
        }
        catchUp = session;
        news = null;
      } else {
        var due = old.behind();
        if (due != null) {
          var all = new HashSet<>(due);
          unacknowledged.forEach(item -> all.add(item.chat()));
          // What is still on its way to the session reaches its edge after the detach.
          live.forEach(one -> all.add(one.chat));
          news = all;
        } else {
          news = null;
        }
        catchUp = null;
      }
      live.clear();
      question = null;
      page = null;
      unacknowledged.clear();
      // The client of a new session goes on from what it has stored.
    }

    private void commit() {
      int number = 1 + random.nextInt(chats);
      var chat = chatWith(number);
      int entries = random.nextInt(4) == 0 ? 6 : 1;
      for (int i = 0; i < entries; i++) {
        world.say(number, 1);
        long seq = heads.merge(chat, 1L, Long::sum);
        if (catchUp != null) {
          live.add(new Live(chat, seq, catchUp));
        } else if (news != null) {
          news.add(chat);
        }
      }
    }

    private void deliverLive() {
      if (live.isEmpty() || catchUp == null) {
        return;
      }
      var one = live.removeFirst();
      take(catchUp, entry(one.chat, one.seq, 1 + random.nextInt(500)));
    }

    private void take(CatchUp session, Delivery.Entries entry) {
      if (session.holdsBack(entry)) {
        return;
      }
      if (unacknowledged.size() >= WINDOW) {
        session.startAt(entry.chat(), entry.seq());
        return;
      }
      push(new CatchUp.Item(entry.chat(), entry.seq(), false, entry.body()));
    }

    private void ask() {
      if (catchUp != null && question == null && page == null) {
        question =
            catchUp.next(
                WINDOW - unacknowledged.size(), 1 + random.nextInt(2_000), unacknowledged.size());
      }
    }

    private void read() {
      if (catchUp != null && question != null) {
        if (random.nextInt(8) == 0) {
          catchUp.onPageFailed();
        } else {
          page = question.apply(world.shards);
        }
        question = null;
      }
    }

    private void arrive() {
      if (catchUp != null && page != null) {
        var now = catchUp.onPage(page);
        page = null;
        assertThat(now.items().size()).isLessThanOrEqualTo(config.pageEntries());
        now.items().forEach(this::push);
        assertThat(now.tail().size()).isLessThanOrEqualTo(CatchUp.TAIL_ENTRIES_MAX);
        assertThat(now.tail().stream().mapToInt(entry -> entry.body().length).sum())
            .isLessThanOrEqualTo(CatchUp.TAIL_BYTES_MAX);
        for (var entry : now.tail()) {
          take(catchUp, entry);
        }
        var behind = catchUp.behind();
        if (behind != null) {
          assertThat(behind.size()).isLessThanOrEqualTo(2 * config.chatsMax());
        }
      }
    }

    private void push(CatchUp.Item item) {
      unacknowledged.add(item);
      long have = stored.getOrDefault(item.chat(), 0L);
      assertThat(item.seq()).as("no hole in %s", item.chat()).isLessThanOrEqualTo(have + 1);
      if (item.seq() == have + 1) {
        stored.put(item.chat(), item.seq());
      }
    }

    private void acknowledge() {
      if (unacknowledged.isEmpty()) {
        return;
      }
      int some = 1 + random.nextInt(unacknowledged.size());
      for (int i = 0; i < some; i++) {
        var item = unacknowledged.removeFirst();
        long upTo = stored.getOrDefault(item.chat(), 0L);
        if (acknowledged.getOrDefault(item.chat(), 0L) < upTo) {
          acknowledged.put(item.chat(), upTo);
          world.ack(PHONE, item.chat(), upTo);
        }
      }
    }

    private void settleDown() {
      for (int i = 0; ; i++) {
        if (Objects.requireNonNull(catchUp).isLive() && live.isEmpty()) {
          break;
        }
        assertThat(i).as("it comes to an end").isLessThan(10_000);
        while (!live.isEmpty()) {
          deliverLive();
        }
        ask();
        read();
        arrive();
        acknowledge();
      }
    }
  }

  // ---- plumbing

  private static final class Pages {
    final List<CatchUp.Due> due = new ArrayList<>();
    final List<CatchUp.Item> items = new ArrayList<>();
    final List<Delivery.Entries> tail = new ArrayList<>();

    void add(CatchUp.Page page) {
      due.addAll(page.due());
      items.addAll(page.items());
      tail.addAll(page.tail());
    }

    List<Long> seqs(ChatId chat) {
      return items.stream()
          .filter(item -> item.chat().equals(chat))
          .map(CatchUp.Item::seq)
          .toList();
    }
  }

  private Pages drain(CatchUp catchUp) {
    var pages = new Pages();
    for (var question = catchUp.next(10, 4_000, 0);
        question != null;
        question = catchUp.next(10, 4_000, 0)) {
      pages.add(answer(catchUp, question));
    }
    return pages;
  }

  private CatchUp.Page ask(CatchUp catchUp, int windowEntries) {
    return answer(catchUp, catchUp.next(windowEntries, 4_000, 0));
  }

  private CatchUp.Page answer(
      CatchUp catchUp, @Nullable Function<Readers.Shards, CatchUp.Page> question) {
    return catchUp.onPage(Objects.requireNonNull(question).apply(shards));
  }

  private static boolean holdsBack(CatchUp catchUp, ChatId chat, long seq) {
    return catchUp.holdsBack(entry(chat, seq, 10));
  }

  /// What a dispatcher hands over, but for the recipients.
  private static Delivery.Entries entry(ChatId chat, long seq, int bytes) {
    var body = new byte[bytes];
    return new Delivery.Entries(chat, seq, friend(1).user(), body, body, List.of());
  }

  private static List<Long> longs(int from, int to) {
    return IntStream.rangeClosed(from, to).mapToObj(i -> (long) i).toList();
  }

  private static DeviceId friend(int number) {
    return new DeviceId(new UserId(number), 1);
  }

  private static ChatId chatWith(int number) {
    return ChatId.direct(friend(number).user(), BOB);
  }

  private void say(int number, int entries) {
    for (int i = 0; i < entries; i++) {
      send(friend(number), chatWith(number));
    }
  }

  private void send(DeviceId from, ChatId chat) {
    var sent = sendOnly(from, chat);
    sent.duties().forEach(this::execute);
  }

  private Outcome.Sent sendOnly(DeviceId from, ChatId chat) {
    long csn = csns.computeIfAbsent(from, device -> new HashMap<>()).merge(chat, 1L, Long::sum);
    var body =
        Send.newBuilder()
            .setCsn(csn)
            .setContent(
                Content.newBuilder()
                    .setKind(Kind.KIND_TEXT)
                    .setBody(ByteString.copyFromUtf8("entry")))
            .build()
            .toByteArray();
    return (Outcome.Sent) execute(new Command.Send(from, chat, body));
  }

  private void ack(DeviceId device, ChatId chat, long seq) {
    execute(new Command.Ack(device, chat, seq));
  }

  private Outcome execute(Command command) {
    var outcome = shard.prepare(command, ++now);
    shard.commit();
    assertThat(outcome).isNotInstanceOf(Outcome.Refused.class);
    return outcome;
  }
}

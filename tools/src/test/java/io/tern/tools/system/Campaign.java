package io.tern.tools.system;

import com.google.protobuf.ByteString;
import io.tern.client.netty.TernTransport;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.tools.history.History;
import io.tern.tools.history.HistoryChecker;
import io.tern.tools.history.HistoryFile;
import io.tern.tools.history.Report;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;
import org.jspecify.annotations.Nullable;

/// Users who chat in pairs, with themselves and in groups, each on several devices, while something
/// happens to their server; and the proof afterwards that nothing was lost, doubled or reordered.
///
/// Messages are edited, taken back and reacted to; in the [Rooms] members come and go meanwhile. A
/// crowd of users is in groups only.
///
/// Devices with an odd index keep their state in files, the others in memory. Now and then a device
/// goes away and comes back, with its memory or without it. Spectators see the frames themselves:
/// one is a second device of the first user, one is the only device of a user who sends nothing and
/// acknowledges late.
final class Campaign implements AutoCloseable {

  /// @param users who chat in pairs, and in groups if there are any
  /// @param restarts whether devices go away and come back meanwhile
  /// @param groups what happens in groups; [Groups#NONE] for none
  record Plan(
      int users,
      int devicesPerUser,
      int messagesPerSecond,
      int inFlightMax,
      boolean restarts,
      boolean spectators,
      Duration quietMax,
      Groups groups) {
    static final Plan DEFAULT =
        new Plan(6, 2, 4_000, 32, true, true, Duration.ofSeconds(40), Groups.DEFAULT);
  }

  /// @param count that there are from the start; as many again are founded meanwhile
  /// @param crowd users who are in groups only; every third has a second device
  record Groups(
      int count, int crowd, int messagesPerSecond, int changesPerSecond, int amendsPerSecond) {
    static final Groups NONE = new Groups(0, 0, 0, 0, 0);
    static final Groups DEFAULT = new Groups(4, 14, 200, 60, 60);
  }

  /// What a spectator's device is called among its user's.
  private static final int SPECTATOR_INDEX = 9;

  private static final Duration LAZY = Duration.ofMillis(300);

  private static final Duration PACE = Duration.ofMillis(5);
  private static final Duration ANSWER_MAX = Duration.ofSeconds(20);
  private static final String[] WORDS = {
    "tern",
    "Möwe",
    "чайка",
    "海鳥",
    "طائر",
    "🐦",
    "ziggurat",
    "e\u0301tude",
    "\u202Eabc\u202C",
    "नमस्ते"
  };

  private final String name;
  private final long seed;
  private final InetSocketAddress edge;
  private final Path folder;
  private final Plan plan;
  private final Random random;
  private final History history = History.inRealTime();
  private final List<Talker> talkers = new ArrayList<>();

  /// Those who have direct chats.
  private final List<Talker> pairs = new ArrayList<>();

  private final List<Spectator> spectators = new ArrayList<>();
  private final Map<ChatId, ChatView> chats = new ConcurrentHashMap<>();
  private final Rooms rooms;
  private final Talker.Scene scene;
  private final AtomicLong acknowledged = new AtomicLong();
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
  private final ScheduledExecutorService driver =
      Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().name("campaign").factory());
  private final TernTransport transport = TernTransport.create(1);
  private long sends;
  private double owed;
  private double owedInGroups;
  private double owedChanges;
  private double owedAmends;
  private long lastPaceNanos;
  private int historiesMissing;
  private boolean isClosed;
  private volatile boolean isTalking;

  /// @param folder for the stores of devices and, if the campaign fails, its history
  Campaign(String name, long seed, InetSocketAddress edge, Path folder, Plan plan) {
    this.name = name;
    this.seed = seed;
    this.edge = edge;
    this.folder = folder;
    this.plan = plan;
    random = new Random(seed);
    var users = new ArrayList<UserId>();
    for (int i = 0; i < plan.users; i++) {
      users.add(DevelopmentIssuer.userId(name + "-" + seed + "-" + i));
    }
    var lazy = DevelopmentIssuer.userId(name + "-" + seed + "-lazy");
    // Spectators cannot say what they miss of a group that they are not in.
    var staying = plan.spectators ? List.of(users.getFirst(), lazy) : List.<UserId>of();
    rooms = new Rooms(name, random, talkers, staying, 2 * plan.groups.count);
    scene =
        new Talker.Scene(
            edge,
            folder,
            random,
            driver,
            transport,
            this::view,
            acknowledged::incrementAndGet,
            rooms);
    for (int i = 0; i < plan.users; i++) {
      var theirs = new ArrayList<ChatId>();
      theirs.add(ChatId.direct(users.get(i), users.get(i)));
      for (int other = 1; other <= Math.min(2, plan.users / 2); other++) {
        theirs.add(ChatId.direct(users.get(i), users.get((i + other) % plan.users)));
        theirs.add(ChatId.direct(users.get(i), users.get((i - other + plan.users) % plan.users)));
      }
      var distinct = theirs.stream().distinct().toList();
      distinct.forEach(this::view);
      for (int index = 1; index <= plan.devicesPerUser; index++) {
        pairs.add(talker(new DeviceId(users.get(i), index), distinct));
      }
    }
    if (plan.spectators) {
      var chat = ChatId.direct(users.getFirst(), lazy);
      view(chat);
      for (var talker : pairs) {
        if (talker.user().equals(users.getFirst())) {
          talker.addChat(chat);
        }
      }
      spectators.add(spectator(new DeviceId(users.getFirst(), SPECTATOR_INDEX), Duration.ZERO));
      spectators.add(spectator(new DeviceId(lazy, SPECTATOR_INDEX), LAZY));
    }
    talkers.addAll(pairs);
    for (int i = 0; i < plan.groups.crowd; i++) {
      var user = DevelopmentIssuer.userId(name + "-" + seed + "-crowd-" + i);
      for (int index = 1; index <= (i % 3 == 0 ? 2 : 1); index++) {
        talkers.add(talker(new DeviceId(user, index), List.of()));
      }
    }
  }

  private Talker talker(DeviceId id, List<ChatId> direct) {
    return new Talker(id, history.device(id), direct, plan.inFlightMax, scene);
  }

  private ChatView view(ChatId chat) {
    return chats.computeIfAbsent(chat, ChatView::new);
  }

  private Spectator spectator(DeviceId id, Duration ackDelay) {
    return new Spectator(id, history.device(id), edge, ackDelay, seed + id.hashCode());
  }

  /// Connects every device, and starts to talk.
  void start() {
    spectators.forEach(Spectator::start);
    onDriver(() -> talkers.forEach(talker -> talker.open(true)));
    Awaitility.await("every device is up")
        .atMost(ANSWER_MAX)
        .until(() ->
            talkers.stream().allMatch(Talker::isUp)
                && spectators.stream().allMatch(Spectator::hasBeenUp));
    for (int i = 0; i < plan.groups.count; i++) {
      // Half of them are the first user's, who has a spectator.
      var founder = talkers.get(i % 2 == 0 ? 0 : i * plan.devicesPerUser);
      await(
          CompletableFuture.supplyAsync(() -> rooms.found(founder), driver)
              .thenCompose(founding -> founding));
    }
    isTalking = true;
    lastPaceNanos = System.nanoTime();
    driver.scheduleAtFixedRate(this::pace, PACE.toMillis(), PACE.toMillis(), TimeUnit.MILLISECONDS);
  }

  /// Sends acknowledged so far.
  long acknowledged() {
    return acknowledged.get();
  }

  /// Waits until `more` sends have been acknowledged from now on. Returns how long it took.
  Duration awaitAcknowledged(long more, Duration atMost) {
    long target = acknowledged.get() + more;
    long began = System.nanoTime();
    try {
      Awaitility.await()
          .pollInterval(Duration.ofMillis(5))
          .pollDelay(Duration.ZERO)
          .atMost(atMost)
          .until(() -> acknowledged.get() >= target || failure.get() != null);
    } catch (ConditionTimeoutException e) {
      throw new AssertionError(
          "only %d of %d sends were acknowledged in %s; %s"
              .formatted(more - (target - acknowledged.get()), more, atMost, states()),
          e);
    }
    rethrow();
    return Duration.ofNanos(System.nanoTime() - began);
  }

  /// Lets every second device, by chance, try at once to reach the server, as after a change of
  /// network; the others wait until their back-off ends.
  void reconnect() {
    onDriver(() -> {
      for (var talker : talkers) {
        if (random.nextBoolean()) {
          talker.reconnect();
        }
      }
    });
  }

  /// Stops talking, waits until everything has arrived everywhere, lets every device read the whole
  /// history, and checks. A broken rule also leaves the history in `folder`.
  Report finish() throws IOException {
    isTalking = false;
    spectators.forEach(Spectator::becomeQuiet);
    rethrow();
    // Who lost often enough in #reconnect waits for up to two minutes by now; their person looks at
    // the app once more.
    onDriver(() -> talkers.stream().filter(talker -> !talker.isUp()).forEach(Talker::reconnect));
    var missing = awaitQuiet();
    if (missing != null) {
      System.out.println(name + ": not quiet after " + plan.quietMax + ": " + missing);
    }
    for (var talker : talkers) {
      // A device that cannot even ask is told as one that is not at head.
      talker.recorder().online();
      var client = talker.client();
      if (client == null || !talker.isUp()) {
        continue;
      }
      try {
        for (var chat : talker.chats()) {
          await(client.recordHistory(chat));
        }
        // Also of groups that they never were in: those must not show anything.
        for (var group : rooms.ids()) {
          await(client.recordHistory(group));
          await(client.recordMembers(group));
        }
        await(client.recordSummaries());
      } catch (CompletionException e) {
        System.out.println(name + ": " + talker + " could not read its history: " + e.getCause());
        historiesMissing++;
      }
    }
    spectators.forEach(spectator -> history.device(spectator.id()).online());
    var report = HistoryChecker.check(history);
    if (!report.isClean()) {
      var file = Files.createDirectories(folder).resolve(name + "-" + seed + ".jsonl");
      HistoryFile.write(history, file);
      System.out.println(name + ": history of seed " + seed + " is in " + file);
    }
    return report;
  }

  /// Devices that could not read their history at the end: none, where a test is to prove anything.
  int historiesMissing() {
    return historiesMissing;
  }

  /// Falls silent, without waiting for anything.
  void stopTalking() {
    isTalking = false;
  }

  @Override
  public void close() {
    if (isClosed) {
      return;
    }
    isClosed = true;
    driver.shutdownNow();
    spectators.forEach(Spectator::close);
    talkers.forEach(Talker::shut);
    transport.close();
  }

  // ---- Talking (driver thread) -----------------------------------------------------------------

  private void pace() {
    if (!isTalking) {
      return;
    }
    try {
      long now = System.nanoTime();
      double seconds = (now - lastPaceNanos) * 1e-9;
      lastPaceNanos = now;
      owed = owing(owed, seconds, plan.messagesPerSecond);
      for (; owed >= 1; owed--) {
        any(pairs).say(newContent("talk"));
      }
      owedInGroups = owing(owedInGroups, seconds, plan.groups.messagesPerSecond);
      for (; owedInGroups >= 1; owedInGroups--) {
        var seat = rooms.anySeat();
        if (seat != null) {
          seat.talker().sayIn(seat.group(), newContent("group"));
        }
      }
      owedChanges = owing(owedChanges, seconds, plan.groups.changesPerSecond);
      for (; owedChanges >= 1; owedChanges--) {
        rooms.change();
      }
      owedAmends = owing(owedAmends, seconds, plan.groups.amendsPerSecond);
      for (; owedAmends >= 1; owedAmends--) {
        any(talkers).amend();
      }
      if (random.nextInt(10) == 0) {
        any(talkers).readSomething();
      }
      if (plan.restarts && random.nextInt(60) == 0) {
        any(talkers).goAway();
      }
    } catch (RuntimeException | Error e) {
      failure.compareAndSet(null, e);
      throw e;
    }
  }

  /// What could not be sent while the server was away is not made up for.
  private static double owing(double before, double seconds, int perSecond) {
    return Math.min(before + seconds * perSecond, Math.max(1, perSecond * 0.1));
  }

  private <T> T any(List<T> all) {
    return all.get(random.nextInt(all.size()));
  }

  private Content newContent(String about) {
    long number = ++sends;
    var text = new StringBuilder();
    text.append(about).append(' ').append(number).append(' ');
    int words = random.nextInt(50) == 0 ? 400 : random.nextInt(12);
    for (int i = 0; i < words; i++) {
      text.append(WORDS[random.nextInt(WORDS.length)]).append(' ');
    }
    return Content.newBuilder()
        .setKind(Kind.KIND_TEXT)
        .setBody(ByteString.copyFromUtf8(text.toString()))
        .build();
  }

  private void onDriver(Runnable task) {
    await(CompletableFuture.runAsync(task, driver));
  }

  // ---- Quiet -----------------------------------------------------------------------------------

  /// Null when everything has arrived, else what has not.
  private @Nullable String awaitQuiet() {
    var missing = new AtomicReference<@Nullable String>("nothing looked at yet");
    try {
      Awaitility.await()
          .pollInterval(Duration.ofMillis(200))
          .pollDelay(Duration.ZERO)
          .atMost(plan.quietMax)
          .until(() -> {
            missing.set(whatIsMissing());
            return missing.get() == null;
          });
    } catch (ConditionTimeoutException e) {
      return missing.get();
    }
    return null;
  }

  private @Nullable String whatIsMissing() {
    for (var talker : talkers) {
      var missing = talker.whatIsMissing();
      if (missing != null) {
        return missing;
      }
    }
    for (var spectator : spectators) {
      for (var view : chats.values()) {
        long due = view.due(spectator.id());
        if (view.isBetween(spectator.id().user())) {
          var missing = whatIsMissing(spectator, view.chat(), due);
          if (missing != null) {
            return missing;
          }
        }
      }
    }
    for (var talker : talkers) {
      var missing = whatTheServerMisses(talker);
      if (missing != null) {
        return missing;
      }
    }
    return null;
  }

  /// Acknowledgements are on their way for a while after everything has arrived. The server also
  /// says how far a group goes for this user.
  private @Nullable String whatTheServerMisses(Talker talker) {
    var client = talker.client();
    if (client == null) {
      return talker + " is away";
    }
    var page = await(client.client().chats(null, 100));
    for (var item : page.getChatsList()) {
      var chat = ChatId.fromWire(talker.user(), item.getChat(), item.getGroup());
      var view = chats.get(chat);
      if (view == null) {
        return talker + " has an unknown chat " + chat;
      }
      long head = chat.isGroup() ? item.getHead() : view.head();
      long due = view.due(talker.id(), head);
      if (item.getHead() != head) {
        return "%s: head of %s is %d, seen %d".formatted(talker, chat, item.getHead(), head);
      }
      if (chat.isGroup() && talker.reached(chat) < due) {
        return "%s has got up to %d of %d in %s".formatted(talker, talker.reached(chat), due, chat);
      }
      if (item.getDelivered() < due) {
        return "%s has acknowledged %d of %d in %s"
            .formatted(talker, item.getDelivered(), due, chat);
      }
      var lagging = lagging(talker.user(), chat, head);
      if (lagging != null) {
        return lagging;
      }
    }
    return null;
  }

  /// A spectator who is behind. The first user's is in all of their groups, and the lazy one, whom
  /// nobody can ask, in the first group, which is the first user's too.
  private @Nullable String lagging(UserId user, ChatId chat, long head) {
    if (!chat.isGroup() || !user.equals(talkers.getFirst().user())) {
      return null;
    }
    for (var spectator : spectators) {
      boolean isIn = spectator.id().user().equals(user) || chat.equals(rooms.ids().getFirst());
      var missing =
          isIn ? whatIsMissing(spectator, chat, view(chat).due(spectator.id(), head)) : null;
      if (missing != null) {
        return missing;
      }
    }
    return null;
  }

  /// A lazy one acknowledges long after it has got something, and its peers are told of it then.
  private static @Nullable String whatIsMissing(Spectator spectator, ChatId chat, long due) {
    if (spectator.reached(chat) < due) {
      return "%s has got up to %d of %d in %s"
          .formatted(spectator.id(), spectator.reached(chat), due, chat);
    }
    if (spectator.settled(chat) < due) {
      return "the server knows of %d of %d that %s has acknowledged in %s"
          .formatted(spectator.settled(chat), due, spectator.id(), chat);
    }
    return null;
  }

  private String states() {
    var states = new StringBuilder();
    for (var talker : talkers) {
      states.append('\n').append(talker).append(": ").append(talker.state());
    }
    // The loops of clients, in case one of them is stuck.
    Thread.getAllStackTraces()
        .forEach((thread, stack) -> {
          if (thread.getName().startsWith("tern-client")) {
            states.append('\n').append(thread.getName()).append(' ').append(thread.getState());
            for (var frame : stack) {
              states.append("\n    at ").append(frame);
            }
          }
        });
    return states.toString();
  }

  private void rethrow() {
    var thrown = failure.get();
    for (var spectator : spectators) {
      thrown = thrown == null ? spectator.failure() : thrown;
    }
    if (thrown != null) {
      throw new AssertionError("the campaign itself failed", thrown);
    }
  }

  private static <T> T await(CompletableFuture<T> future) {
    return future.orTimeout(ANSWER_MAX.toSeconds(), TimeUnit.SECONDS).join();
  }
}

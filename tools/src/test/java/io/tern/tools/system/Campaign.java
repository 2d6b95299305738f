package io.tern.tools.system;

import com.google.protobuf.ByteString;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientStore;
import io.tern.client.TernClient;
import io.tern.client.netty.TernTransport;
import io.tern.client.store.FileClientStore;
import io.tern.client.store.MemoryClientStore;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.tools.history.DeviceRecorder;
import io.tern.tools.history.History;
import io.tern.tools.history.HistoryChecker;
import io.tern.tools.history.HistoryFile;
import io.tern.tools.history.RecordedClient;
import io.tern.tools.history.Report;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;
import org.jspecify.annotations.Nullable;

/// Users who chat in pairs and with themselves, each on several devices, while something happens to
/// their server; and the proof afterwards that nothing was lost, doubled or reordered.
///
/// Devices with an odd index keep their state in files, the others in memory. Now and then a device
/// goes away and comes back, with its memory or without it. Spectators see the frames themselves:
/// one is a second device of the first user, one is the only device of a user who sends nothing and
/// acknowledges late.
final class Campaign implements AutoCloseable {

  /// @param restarts whether devices go away and come back meanwhile
  record Plan(
      int users,
      int devicesPerUser,
      int messagesPerSecond,
      int inFlightMax,
      boolean restarts,
      boolean spectators,
      Duration quietMax) {
    static final Plan DEFAULT = new Plan(6, 2, 4_000, 32, true, true, Duration.ofSeconds(40));
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
  private final List<Device> devices = new ArrayList<>();
  private final List<Spectator> spectators = new ArrayList<>();
  private final Map<ChatId, ChatView> chats = new LinkedHashMap<>();
  private final AtomicLong acknowledged = new AtomicLong();
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
  private final ScheduledExecutorService driver =
      Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().name("campaign").factory());
  private final TernTransport transport = TernTransport.create(1);
  private long sends;
  private double owed;
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
    for (int i = 0; i < plan.users; i++) {
      var theirs = new ArrayList<ChatId>();
      theirs.add(ChatId.direct(users.get(i), users.get(i)));
      for (int other = 1; other <= Math.min(2, plan.users / 2); other++) {
        theirs.add(ChatId.direct(users.get(i), users.get((i + other) % plan.users)));
        theirs.add(ChatId.direct(users.get(i), users.get((i - other + plan.users) % plan.users)));
      }
      var distinct = theirs.stream().distinct().toList();
      distinct.forEach(chat -> chats.computeIfAbsent(chat, ChatView::new));
      for (int index = 1; index <= plan.devicesPerUser; index++) {
        devices.add(new Device(new DeviceId(users.get(i), index), distinct));
      }
    }
    if (plan.spectators) {
      var lazy = DevelopmentIssuer.userId(name + "-" + seed + "-lazy");
      var chat = ChatId.direct(users.getFirst(), lazy);
      chats.put(chat, new ChatView(chat));
      for (var device : devices) {
        if (device.id.user().equals(users.getFirst())) {
          device.addChat(chat);
        }
      }
      spectators.add(spectator(new DeviceId(users.getFirst(), SPECTATOR_INDEX), Duration.ZERO));
      spectators.add(spectator(new DeviceId(lazy, SPECTATOR_INDEX), LAZY));
    }
  }

  private Spectator spectator(DeviceId id, Duration ackDelay) {
    return new Spectator(id, history.device(id), edge, ackDelay, seed + id.hashCode());
  }

  /// Connects every device, and starts to talk.
  void start() {
    spectators.forEach(Spectator::start);
    onDriver(() -> devices.forEach(device -> device.open(true)));
    Awaitility.await("every device is up")
        .atMost(ANSWER_MAX)
        .until(() ->
            devices.stream().allMatch(device -> device.isUp)
                && spectators.stream().allMatch(Spectator::hasBeenUp));
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
      for (var device : devices) {
        if (random.nextBoolean()) {
          device.reconnect();
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
    var missing = awaitQuiet();
    if (missing != null) {
      System.out.println(name + ": not quiet after " + plan.quietMax + ": " + missing);
    }
    for (var device : devices) {
      // A device that cannot even ask is told as one that is not at head.
      device.recorder.online();
      var client = device.client;
      if (client == null || !device.isUp) {
        continue;
      }
      try {
        for (var chat : device.chats) {
          await(client.recordHistory(chat));
        }
        await(client.recordSummaries());
      } catch (CompletionException e) {
        System.out.println(name + ": " + device + " could not read its history: " + e.getCause());
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
    for (var device : devices) {
      device.shut();
    }
    transport.close();
  }

  // ---- Talking (driver thread) -----------------------------------------------------------------

  private void pace() {
    if (!isTalking) {
      return;
    }
    try {
      long now = System.nanoTime();
      owed += (now - lastPaceNanos) * 1e-9 * plan.messagesPerSecond;
      lastPaceNanos = now;
      // What could not be sent while the server was away is not made up for.
      owed = Math.min(owed, plan.messagesPerSecond * 0.1);
      for (; owed >= 1; owed--) {
        devices.get(random.nextInt(devices.size())).say();
      }
      if (random.nextInt(10) == 0) {
        devices.get(random.nextInt(devices.size())).readSomething();
      }
      if (plan.restarts && random.nextInt(60) == 0) {
        devices.get(random.nextInt(devices.size())).goAway();
      }
    } catch (RuntimeException | Error e) {
      failure.compareAndSet(null, e);
      throw e;
    }
  }

  private Content newContent(Device from) {
    long number = ++sends;
    var text = new StringBuilder();
    text.append(from.id).append(' ').append(number).append(' ');
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
    for (var device : devices) {
      var missing = device.whatIsMissing();
      if (missing != null) {
        return missing;
      }
    }
    for (var spectator : spectators) {
      for (var view : chats.values()) {
        long due = view.due(spectator.id());
        if (view.isMember(spectator.id().user()) && spectator.reached(view.chat) < due) {
          return "%s has got up to %d of %d in %s"
              .formatted(spectator.id(), spectator.reached(view.chat), due, view);
        }
      }
    }
    for (var device : devices) {
      var missing = whatTheServerMisses(device);
      if (missing != null) {
        return missing;
      }
    }
    return null;
  }

  /// Acknowledgements are on their way for a while after everything has arrived.
  private @Nullable String whatTheServerMisses(Device device) {
    var page = await(device.client().client().chats(null, 100));
    var me = device.id.user();
    for (var item : page.getChatsList()) {
      var chat = ChatId.fromWire(me, item.getChat(), item.getGroup());
      var view = chats.get(chat);
      if (view == null) {
        return device + " has an unknown chat " + chat;
      }
      if (item.getHead() != view.head()) {
        return "%s: head of %s is %d, seen %d".formatted(device, chat, item.getHead(), view.head());
      }
      if (item.getDelivered() < view.due(device.id)) {
        return "%s has acknowledged %d of %d in %s"
            .formatted(device, item.getDelivered(), view.due(device.id), chat);
      }
    }
    return null;
  }

  private String states() {
    var states = new StringBuilder();
    for (var device : devices) {
      states.append('\n').append(device).append(": ").append(device.state);
      states.append(", in flight ").append(device.inFlight);
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

  // ---- Devices ---------------------------------------------------------------------------------

  private final class Device implements ClientListener {
    final DeviceId id;
    final List<ChatId> chats;
    final DeviceRecorder recorder;
    final AtomicInteger inFlight = new AtomicInteger();
    private final Map<ChatId, BitSet> seen = new HashMap<>(); // guarded by itself

    private @Nullable ClientStore store;
    private @Nullable RecordedClient client;
    volatile boolean isUp;
    volatile String state = "new";

    Device(DeviceId id, List<ChatId> chats) {
      this.id = id;
      this.chats = new ArrayList<>(chats);
      recorder = history.device(id);
      for (var chat : chats) {
        seen.put(chat, new BitSet());
      }
    }

    void addChat(ChatId chat) {
      chats.add(chat);
      seen.put(chat, new BitSet());
    }

    RecordedClient client() {
      var open = client;
      if (open == null) {
        throw new IllegalStateException(id + " is away");
      }
      return open;
    }

    void open(boolean kept) {
      if (store == null) {
        store = newStore();
      }
      var config =
          ClientConfig.of(
              id.user(),
              id.index(),
              List.of(edge),
              () -> DevelopmentIssuer.token(id.user(), id.index()),
              store);
      client = RecordedClient.start(config, recorder, kept, this, transport);
    }

    private ClientStore newStore() {
      if (id.index() % 2 == 0) {
        return new MemoryClientStore();
      }
      try {
        return FileClientStore.open(
            Files.createDirectories(folder.resolve("stores").resolve(id.toString())));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void say() {
      var to = client;
      if (to == null || inFlight.get() >= plan.inFlightMax) {
        return;
      }
      var chat = chats.get(random.nextInt(chats.size()));
      inFlight.incrementAndGet();
      var _ =
          to.send(chat, newContent(this))
              .whenComplete((receipted, refusal) -> {
                inFlight.decrementAndGet();
                if (receipted != null) {
                  acknowledged.incrementAndGet();
                  place(receipted);
                }
              });
    }

    @Override
    public void onSent(TernClient.Receipted receipted) {
      place(receipted);
    }

    private void place(TernClient.Receipted receipted) {
      see(receipted.chat(), receipted.seq(), id);
    }

    void readSomething() {
      var to = client;
      var chat = chats.get(random.nextInt(chats.size()));
      int last;
      synchronized (seen) {
        // What was sent from here may be above something that has not come yet.
        last = seen.get(chat).nextClearBit(1) - 1;
      }
      if (to != null && last > 0) {
        to.read(chat, last);
      }
    }

    /// Leaves, and comes back in a while: with what it knew, or having lost it all.
    void goAway() {
      var leaving = client;
      if (leaving == null) {
        return;
      }
      client = null;
      isUp = false;
      boolean forgets = random.nextInt(4) == 0 && id.index() % 2 == 0;
      long awayMillis = random.nextInt(1_000);
      leaving.close();
      var _ =
          leaving
              .client()
              .closed()
              .thenRun(() ->
                  driver.schedule(
                      () -> {
                        store = forgets ? null : reopened();
                        open(!forgets);
                      },
                      awayMillis,
                      TimeUnit.MILLISECONDS));
    }

    private @Nullable ClientStore reopened() {
      // A file store is opened again from its folder, as a new process would.
      return id.index() % 2 == 0 ? store : null;
    }

    void reconnect() {
      var open = client;
      if (open != null) {
        open.client().reconnect();
      }
    }

    void shut() {
      var open = client;
      if (open != null) {
        open.close();
      }
    }

    @Nullable String whatIsMissing() {
      if (client == null || !isUp) {
        return id + " is not up: " + state;
      }
      if (inFlight.get() > 0) {
        return id + " has " + inFlight + " sends without an answer";
      }
      synchronized (seen) {
        for (var chat : chats) {
          long seq = Campaign.this.chats.get(chat).firstMissing(seen.get(chat), id);
          if (seq > 0) {
            return "%s lacks seq %d of %s".formatted(id, seq, chat);
          }
        }
      }
      return null;
    }

    private void see(ChatId chat, long seq, DeviceId sender) {
      Campaign.this.chats.get(chat).see(seq, sender);
      synchronized (seen) {
        seen.get(chat).set((int) seq);
      }
    }

    @Override
    public void onMessage(Message message) {
      see(message.chat(), message.seq(), new DeviceId(message.sender(), message.device()));
    }

    @Override
    public void onConnection(ConnectionState now) {
      state = now.toString();
      isUp = now instanceof ConnectionState.Up;
    }

    @Override
    public String toString() {
      return id.toString();
    }
  }

  /// What is known of a chat's log while the campaign runs.
  private static final class ChatView {
    private final ChatId chat;
    private final List<@Nullable DeviceId> senders = new ArrayList<>();

    ChatView(ChatId chat) {
      this.chat = chat;
      senders.add(null);
    }

    boolean isMember(UserId user) {
      return user.value() == chat.low() || user.value() == chat.high();
    }

    synchronized void see(long seq, DeviceId sender) {
      while (senders.size() <= seq) {
        senders.add(null);
      }
      senders.set((int) seq, sender);
    }

    synchronized long head() {
      return senders.size() - 1L;
    }

    /// The highest seq that `device` must have acknowledged.
    synchronized long due(DeviceId device) {
      int seq = senders.size() - 1;
      while (seq > 0 && device.equals(senders.get(seq))) {
        seq--;
      }
      return seq;
    }

    /// The first seq that is not in `seen` and that `device` has not sent itself; 0 for none.
    synchronized long firstMissing(BitSet seen, DeviceId device) {
      for (int seq = seen.nextClearBit(1); seq < senders.size(); seq = seen.nextClearBit(seq + 1)) {
        if (!device.equals(senders.get(seq))) {
          return seq;
        }
      }
      return 0;
    }

    @Override
    public String toString() {
      return chat.toString();
    }
  }
}

package io.tern.tools.system;

import io.tern.client.Body;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientStore;
import io.tern.client.Draft;
import io.tern.client.Groups;
import io.tern.client.Groups.Changed;
import io.tern.client.Invite;
import io.tern.client.TernClient;
import io.tern.client.netty.TernTransport;
import io.tern.client.store.FileClientStore;
import io.tern.client.store.MemoryClientStore;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Kind;
import io.tern.tools.history.DeviceRecorder;
import io.tern.tools.history.RecordedClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// A device of a campaign: talks with the SDK, edits, takes back and reacts, asks for changes of
/// groups, goes away and comes back. Its app knows what it has seen of each chat.
///
/// What it does comes from the campaign's thread, what it hears from the client's loop. It does not
/// go away while a change of a group is not answered: the SDK repeats those only as long as the app
/// lives, and every change is to be answered.
final class Talker implements ClientListener {

  /// What a device needs of its campaign.
  ///
  /// @param driver the thread on which all that it does begins
  record Scene(
      InetSocketAddress edge,
      Path folder,
      Random random,
      ScheduledExecutorService driver,
      TernTransport transport,
      Function<ChatId, ChatView> views,
      Runnable onAcknowledged,
      Rooms rooms) {}

  /// A message that can be edited, taken back or reacted to.
  private record Said(ChatId chat, long seq, Content content, boolean own) {}

  private static final int SAID_MAX = 32;

  private final DeviceId id;
  private final DeviceRecorder recorder;
  private final Scene scene;
  private final int inFlightMax;

  /// Its direct chats.
  private final List<ChatId> chats;

  private final AtomicInteger inFlight = new AtomicInteger();
  private final AtomicInteger changesInFlight = new AtomicInteger();
  private final Map<ChatId, BitSet> seen = new HashMap<>(); // guarded by itself
  private final ArrayDeque<Said> said = new ArrayDeque<>(); // guarded by itself

  /// How far each group has come to it.
  private final Map<ChatId, Long> reached = new ConcurrentHashMap<>();

  private @Nullable ClientStore store;
  private @Nullable RecordedClient client;
  private long events;
  private volatile boolean isUp;
  private volatile String state = "new";

  Talker(DeviceId id, DeviceRecorder recorder, List<ChatId> chats, int inFlightMax, Scene scene) {
    this.id = id;
    this.recorder = recorder;
    this.chats = new ArrayList<>(chats);
    this.inFlightMax = inFlightMax;
    this.scene = scene;
    for (var chat : chats) {
      seen.put(chat, new BitSet());
    }
  }

  /// Before it opens.
  void addChat(ChatId chat) {
    chats.add(chat);
    seen.put(chat, new BitSet());
  }

  DeviceId id() {
    return id;
  }

  UserId user() {
    return id.user();
  }

  List<ChatId> chats() {
    return chats;
  }

  DeviceRecorder recorder() {
    return recorder;
  }

  boolean isUp() {
    return isUp;
  }

  @Nullable RecordedClient client() {
    return client;
  }

  String state() {
    return state + ", in flight " + inFlight + ", changes " + changesInFlight;
  }

  void open(boolean kept) {
    if (store == null) {
      store = newStore();
    }
    var config =
        ClientConfig.of(
            id.user(),
            id.index(),
            List.of(scene.edge),
            () -> DevelopmentIssuer.token(id.user(), id.index()),
            store);
    client = RecordedClient.start(config, recorder, kept, this, scene.transport);
  }

  private ClientStore newStore() {
    if (id.index() % 2 == 0) {
      return new MemoryClientStore();
    }
    try {
      return FileClientStore.open(
          Files.createDirectories(scene.folder.resolve("stores").resolve(id.toString())));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  // ---- What it does (campaign's thread) --------------------------------------------------------

  private <T> T any(List<T> all) {
    return all.get(scene.random.nextInt(all.size()));
  }

  /// Says `content` in one of its direct chats.
  void say(Content content) {
    sayIn(any(chats), content);
  }

  /// Says `content`; nothing, if too much is under way or it is away.
  void sayIn(ChatId chat, Content content) {
    var to = free();
    if (to != null) {
      answered(to.send(chat, content))
          .thenAccept(receipted -> remember(new Said(chat, receipted.seq(), content, true)));
    }
  }

  /// Edits, takes back or reacts to something that was said.
  void amend() {
    var to = free();
    var about = to == null ? null : anySaid();
    if (to == null || about == null) {
      return;
    }
    // What sets it apart from all others of this device: nobody looks at it.
    int mark = (int) ++events;
    int what = scene.random.nextInt(8);
    if (about.own && what < 4) {
      var newer = Draft.text("edited " + events + " by " + id);
      var event = Draft.edit(about.seq, newer).toBuilder().setForwarded(mark).build();
      answered(to.edit(about.chat, about.content, event));
    } else if (about.own ? what < 6 : what == 0) {
      // Of others only admins may: most are refused.
      var event = Draft.revoke(about.seq).toBuilder().setForwarded(mark).build();
      answered(to.revoke(about.chat, event));
    } else {
      var event = Draft.react(about.seq, "r" + scene.random.nextInt(5));
      answered(to.send(about.chat, event.toBuilder().setForwarded(mark).build()));
    }
  }

  private @Nullable RecordedClient free() {
    return inFlight.get() >= inFlightMax ? null : client;
  }

  private CompletableFuture<TernClient.Receipted> answered(
      CompletableFuture<TernClient.Receipted> send) {
    inFlight.incrementAndGet();
    return send.whenComplete((receipted, refusal) -> {
      inFlight.decrementAndGet();
      if (receipted != null) {
        scene.onAcknowledged.run();
        place(receipted);
      }
    });
  }

  private void remember(Said what) {
    synchronized (said) {
      if (said.size() == SAID_MAX) {
        said.removeFirst();
      }
      said.addLast(what);
    }
  }

  private @Nullable Said anySaid() {
    synchronized (said) {
      return said.isEmpty() ? null : any(List.copyOf(said));
    }
  }

  void readSomething() {
    var to = client;
    if (to == null) {
      return;
    }
    var groups = List.copyOf(reached.keySet());
    if (!groups.isEmpty() && scene.random.nextInt(3) == 0) {
      var group = any(groups);
      to.read(group, reached.getOrDefault(group, 1L));
      return;
    }
    if (chats.isEmpty()) {
      return;
    }
    var chat = any(chats);
    int last;
    synchronized (seen) {
      // What was sent from here may be above something that has not come yet.
      last = seenOf(chat).nextClearBit(1) - 1;
    }
    if (last > 0) {
      to.read(chat, last);
    }
  }

  /// Whether it may ask for a change now: one at a time.
  boolean mayChange() {
    return client != null && changesInFlight.get() == 0;
  }

  CompletableFuture<Changed> found(String title, Collection<UserId> members) {
    return changing(open().found(title, members));
  }

  CompletableFuture<Changed> change(
      ChatId group, GroupEvent event, Function<Groups, CompletableFuture<Changed>> change) {
    return changing(open().change(group, event, change));
  }

  CompletableFuture<Invite> invite(ChatId group) {
    return changing(open().invite(group));
  }

  private <T> CompletableFuture<T> changing(CompletableFuture<T> change) {
    changesInFlight.incrementAndGet();
    return change.whenComplete((done, failure) -> changesInFlight.decrementAndGet());
  }

  private RecordedClient open() {
    var open = client;
    if (open == null) {
      throw new IllegalStateException(id + " is away");
    }
    return open;
  }

  /// Leaves, and comes back in a while: with what it knew, or having lost it all.
  void goAway() {
    var leaving = client;
    if (leaving == null || changesInFlight.get() > 0) {
      return;
    }
    client = null;
    isUp = false;
    boolean forgets = scene.random.nextInt(4) == 0 && id.index() % 2 == 0;
    long awayMillis = scene.random.nextInt(1_000);
    leaving.close();
    var _ =
        leaving
            .client()
            .closed()
            .thenRun(() ->
                scene.driver.schedule(
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

  // ---- What it has -----------------------------------------------------------------------------

  /// Null when it has everything of its direct chats and all its answers.
  @Nullable String whatIsMissing() {
    if (client == null || !isUp) {
      return id + " is not up: " + state;
    }
    if (inFlight.get() > 0 || changesInFlight.get() > 0) {
      return "%s has %s sends and %s changes without an answer"
          .formatted(id, inFlight, changesInFlight);
    }
    synchronized (seen) {
      for (var chat : chats) {
        long seq = scene.views.apply(chat).firstMissing(seenOf(chat), id);
        if (seq > 0) {
          return "%s lacks seq %d of %s".formatted(id, seq, chat);
        }
      }
    }
    return null;
  }

  /// How far a group has come to this device.
  long reached(ChatId group) {
    return reached.getOrDefault(group, 0L);
  }

  // ---- What it hears (client's loop) -----------------------------------------------------------

  @Override
  public void onSent(TernClient.Receipted receipted) {
    place(receipted);
  }

  private void place(TernClient.Receipted receipted) {
    see(receipted.chat(), receipted.seq(), id);
  }

  private BitSet seenOf(ChatId chat) {
    return seen.computeIfAbsent(chat, c -> new BitSet());
  }

  private void see(ChatId chat, long seq, @Nullable DeviceId sender) {
    scene.views.apply(chat).see(seq, sender);
    if (!chat.isGroup()) {
      synchronized (seen) {
        seenOf(chat).set((int) seq);
      }
    }
  }

  @Override
  public void onMessage(Message message) {
    var chat = message.chat();
    if (message.body() instanceof Body.Group group) {
      see(chat, message.seq(), null);
      scene.rooms.onChange(chat, message.seq(), message.sender(), group);
    } else {
      see(chat, message.seq(), new DeviceId(message.sender(), message.device()));
    }
    if (chat.isGroup()) {
      reached.merge(chat, message.seq(), Math::max);
    }
    if (message.content().getKind() == Kind.KIND_TEXT && message.editedMillis() == 0) {
      remember(new Said(chat, message.seq(), message.content(), message.own()));
    }
  }

  @Override
  public void onReset(ChatId chat, long seq) {
    if (chat.isGroup()) {
      reached.merge(chat, seq, Math::max);
    }
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

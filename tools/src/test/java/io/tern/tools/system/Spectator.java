package io.tern.tools.system;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Receipt;
import io.tern.tools.history.ContentHash;
import io.tern.tools.history.DeviceRecorder;
import io.tern.tools.history.RecordedClient;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A device without the SDK: it sees what the server really sends, says itself what it acknowledges
/// (late, if it is lazy), takes over its own session now and then without closing the older one,
/// and marks as read in an order of its own. It never sends.
///
/// One thread of its own, from [#start] to [#close].
final class Spectator implements AutoCloseable {

  private static final int TAKE_OVER_FRAMES = 200;

  /// The most that the server lists at a time, and more chats than a spectator has.
  private static final int CHATS_PAGE = 100;

  /// In place of a member: all of a group.
  private static final long EVERYONE = 0;

  private final DeviceId id;
  private final DeviceRecorder recorder;
  private final InetSocketAddress edge;
  private final Duration ackDelay;
  private final Random random;
  private final Thread thread;
  private final CountDownLatch ended = new CountDownLatch(1);
  private final Map<ChatId, Long> position = new HashMap<>();

  /// The highest seq of each chat that ever came, over all sessions.
  private final Map<ChatId, Long> reached = new ConcurrentHashMap<>();

  private final Map<ChatId, Long> acked = new HashMap<>();

  /// What the server says that this device has acknowledged, once it is quiet.
  private final Map<ChatId, Long> settled = new ConcurrentHashMap<>();

  private final Map<ChatId, Map<Long, long[]>> watermarks = new HashMap<>();
  private final ArrayDeque<RawSession> replaced = new ArrayDeque<>();
  private volatile boolean isQuiet;
  private volatile boolean hasBeenUp;
  private volatile @Nullable Throwable failure;

  /// @param ackDelay how long it keeps an acknowledgement back
  Spectator(
      DeviceId id, DeviceRecorder recorder, InetSocketAddress edge, Duration ackDelay, long seed) {
    this.id = id;
    this.recorder = recorder;
    this.edge = edge;
    this.ackDelay = ackDelay;
    random = new Random(seed);
    recorder.explicitAcks();
    thread = Thread.ofPlatform().name("spectator-" + id).daemon().unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /// From now on it only listens, acknowledges, and asks whether that has arrived.
  void becomeQuiet() {
    isQuiet = true;
  }

  /// Whether it has logged in at least once, so that its user exists.
  boolean hasBeenUp() {
    return hasBeenUp;
  }

  long reached(ChatId chat) {
    return reached.getOrDefault(chat, 0L);
  }

  /// What the server knew last to be acknowledged by this device; 0 before it was asked.
  long settled(ChatId chat) {
    return settled.getOrDefault(chat, 0L);
  }

  DeviceId id() {
    return id;
  }

  @Nullable Throwable failure() {
    return failure;
  }

  private void run() {
    try {
      while (ended.getCount() > 0) {
        try (var session = login()) {
          watch(session);
        } catch (IOException e) {
          // The server is away, or has cut the connection: come back.
          var _ = ended.await(50, TimeUnit.MILLISECONDS);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      failure = e;
    } finally {
      replaced.forEach(Spectator::closeQuietly);
    }
  }

  private RawSession login() throws IOException {
    var session = RawSession.connect(edge);
    try {
      session.write(RawSession.preface());
      session.write(RawSession.hello(id));
      var answer = session.read(Duration.ofSeconds(10));
      if (answer == null || !answer.is(FrameType.HELLO_ACK)) {
        throw new IOException("no HELLO_ACK but " + answer);
      }
      recorder.opened(true);
      recorder.up(HelloAck.parseFrom(answer.body()).getEpoch());
      hasBeenUp = true;
      acked.clear();
      watermarks.clear();
      return session;
    } catch (IOException e) {
      session.close();
      throw e;
    }
  }

  /// Until the connection ends, a hole shows, or another session takes over.
  private void watch(RawSession session) throws IOException {
    long ackAt = Long.MAX_VALUE;
    int frames = 0;
    while (ended.getCount() > 0) {
      long now = System.nanoTime();
      if (now >= ackAt) {
        acknowledge(session);
        ackAt = Long.MAX_VALUE;
      }
      var wait = ackAt == Long.MAX_VALUE ? Duration.ofMillis(100) : Duration.ofNanos(ackAt - now);
      RawSession.Frame frame;
      try {
        frame = session.read(wait.plusMillis(1));
      } catch (SocketTimeoutException e) {
        if (isQuiet && ackAt == Long.MAX_VALUE) {
          session.write(
              RawSession.frame(
                  FrameType.CHATS,
                  FrameHeader.RID,
                  1,
                  0,
                  0,
                  Chats.newBuilder().setLimit(CHATS_PAGE).build()));
        }
        continue;
      }
      if (frame == null) {
        throw new IOException("closed");
      }
      if (frame.is(FrameType.DELIVER)) {
        if (!onDeliver(frame)) {
          return;
        }
        ackAt = Math.min(ackAt, System.nanoTime() + ackDelay.toNanos());
        if (!isQuiet && random.nextInt(10) == 0) {
          markRead(session, chatOf(frame));
        }
      } else if (frame.is(FrameType.RECEIPT)) {
        onReceipt(frame);
      } else if (frame.is(FrameType.CHATS_PAGE)) {
        onChats(frame);
      } else if (frame.is(FrameType.RESET)) {
        recorder.reset(chatOf(frame), frame.seq());
        position.merge(chatOf(frame), frame.seq(), Math::max);
        reached.merge(chatOf(frame), frame.seq(), Math::max);
      } else if (frame.is(FrameType.GOAWAY)) {
        throw new IOException("told to go away");
      }
      if (!isQuiet && ++frames % TAKE_OVER_FRAMES == 0) {
        takeOver();
        return;
      }
    }
  }

  /// The next session starts while this one is still open: the server must end it, and its end must
  /// not harm the newer one.
  private void takeOver() throws IOException {
    var half = RawSession.connect(edge);
    half.write(RawSession.preface());
    half.write(RawSession.hello(id));
    var answer = half.read(Duration.ofSeconds(10));
    if (answer != null && answer.is(FrameType.HELLO_ACK)) {
      recorder.up(HelloAck.parseFrom(answer.body()).getEpoch());
    }
    // It goes on with yet another session; this one stays until it is replaced in its turn.
    replaced.addLast(half);
    if (replaced.size() > 4) {
      closeQuietly(replaced.removeFirst());
    }
  }

  /// False when there is a hole: then it logs in again, and is caught up from what it has
  /// acknowledged. It keeps its positions over sessions.
  private boolean onDeliver(RawSession.Frame frame) throws IOException {
    var chat = chatOf(frame);
    long at = position.getOrDefault(chat, 0L);
    if (frame.seq() <= at) {
      return true; // As a client must, it drops what it has.
    }
    if (frame.seq() > at + 1) {
      return false;
    }
    var body = Deliver.parseFrom(frame.body());
    boolean own = (frame.flags() & FrameHeader.OWN) != 0;
    var sender =
        own ? id.user() : chat.isGroup() ? new UserId(body.getSender()) : chat.peerOf(id.user());
    recorder.delivered(
        chat,
        frame.seq(),
        new DeviceId(sender, body.getDevice()),
        ContentHash.of(body.getContent()),
        body.getTsMs(),
        own ? body.getCsn() : 0);
    RecordedClient.recordFacts(recorder, chat, frame.seq(), sender, body.getContent(), false);
    position.put(chat, frame.seq());
    reached.merge(chat, frame.seq(), Math::max);
    return true;
  }

  private void onChats(RawSession.Frame frame) throws IOException {
    for (var item : ChatsPage.parseFrom(frame.body()).getChatsList()) {
      settled.put(ChatId.fromWire(id.user(), item.getChat(), item.getGroup()), item.getPosition());
    }
  }

  private void onReceipt(RawSession.Frame frame) throws IOException {
    var chat = chatOf(frame);
    var body = Receipt.parseFrom(frame.body());
    if (chat.isGroup() && body.getMember() == 0) {
      var marks = merged(chat, EVERYONE, body);
      recorder.progress(chat, marks[0], marks[1]);
      if (body.hasCount()) {
        var count = body.getCount();
        recorder.count(
            chat, count.getSeq(), count.getTotal(), count.getDelivered(), count.getRead());
      }
      return;
    }
    var member = body.getMember() == 0 ? chat.peerOf(id.user()) : new UserId(body.getMember());
    var marks = merged(chat, member.value(), body);
    recorder.receipt(chat, member, marks[0], marks[1]);
  }

  /// Merged by max, as a client must: a snapshot may be overtaken by what is newer.
  private long[] merged(ChatId chat, long member, Receipt body) {
    var marks =
        watermarks
            .computeIfAbsent(chat, c -> new HashMap<>())
            .computeIfAbsent(member, m -> new long[2]);
    marks[0] = Math.max(marks[0], body.getDelivered());
    marks[1] = Math.max(marks[1], body.getRead());
    return marks;
  }

  private void acknowledge(RawSession session) throws IOException {
    var due = new ArrayList<ChatId>();
    position.forEach((chat, seq) -> {
      if (acked.getOrDefault(chat, 0L) < seq) {
        due.add(chat);
      }
    });
    for (var chat : due) {
      long seq = position.get(chat);
      recorder.acking(chat, seq);
      session.write(say(FrameType.ACK, chat, seq));
      acked.put(chat, seq);
    }
  }

  /// Somewhere up to what it has acknowledged: often below what the user has read already.
  private void markRead(RawSession session, ChatId chat) throws IOException {
    long upTo = acked.getOrDefault(chat, 0L);
    if (upTo > 0) {
      long seq = Math.max(1, upTo - random.nextInt(50));
      recorder.reading(chat, seq);
      session.write(say(FrameType.READ, chat, seq));
    }
  }

  private byte[] say(FrameType type, ChatId chat, long seq) {
    int flags = FrameHeader.CHAT | FrameHeader.SEQ | (chat.isGroup() ? FrameHeader.GROUP : 0);
    return RawSession.frame(type, flags, 0, chat.wireId(id.user()), seq);
  }

  private ChatId chatOf(RawSession.Frame frame) {
    return ChatId.fromWire(id.user(), frame.chat(), (frame.flags() & FrameHeader.GROUP) != 0);
  }

  private static void closeQuietly(RawSession session) {
    try {
      session.close();
    } catch (IOException e) {
      // It is going anyway.
    }
  }

  @Override
  public void close() {
    ended.countDown();
    try {
      thread.join(TimeUnit.SECONDS.toMillis(15));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

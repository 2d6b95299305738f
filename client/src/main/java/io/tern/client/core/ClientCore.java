package io.tern.client.core;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnsafeByteOperations;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientListener.ConnectionState;
import io.tern.client.ClientListener.Message;
import io.tern.client.ClientStore;
import io.tern.client.ClientStore.PendingSend;
import io.tern.client.ClientStore.ResumeTicket;
import io.tern.client.SendCallback;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.ConnectReason;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.MemberReceipt;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Reauth;
import io.tern.protocol.v1.Receipt;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A device's side of the protocol: when to connect, what to send again, what to deliver and what
/// to acknowledge. It has no thread, no socket and no clock: inputs come with the time in
/// milliseconds of any steady clock, effects go to [ClientIo] and to the [ClientListener].
///
/// Confined to one thread. A caller gives any number of inputs and then calls [#endPass], which
/// writes everything they gave rise to at once; it asks [#deadlineMillis] and calls [#onTimer]
/// then. Methods may be called from within listener calls.
///
/// Delivery: an entry goes to the listener when everything below it has gone there. One that is
/// there already is dropped; one that leaves a hole is read again by HISTORY. An entry is
/// acknowledged after the listener returned.
///
/// Sending: every send has a number (csn) and is in the store before it is first written. It is
/// written again, with the same number, until the server gives its place or refuses it for good. A
/// chat's sends are written in order, at most [Limits#SENDS_IN_FLIGHT_MAX] of all chats at a time.
///
/// Bounds: `pendingSendsMax` sends, [#REQUESTS_MAX] questions, [#BEHIND_MAX] entries behind a hole;
/// per chat one object. What is over a bound is refused with QUOTA, or, for entries, read again.
public final class ClientCore {

  /// Questions (history, chats) without an answer.
  public static final int REQUESTS_MAX = 64;

  /// Entries kept of those that came behind a hole, per chat.
  public static final int BEHIND_MAX = 32;

  /// "Never", for deadlines.
  public static final long NEVER = Long.MAX_VALUE;

  private static final Logger log = LoggerFactory.getLogger(ClientCore.class);

  private static final long CONNECT_MILLIS_MAX = 10_000;
  private static final long HELLO_MILLIS_MAX = 10_000;
  private static final long ANSWER_MILLIS_MAX = 30_000;
  private static final long ACK_INACTIVE_MILLIS = 2_000;

  /// A session that held this long counts as a success: back-off starts again.
  private static final long STABLE_MILLIS = 10_000;

  private static final long NETWORK_CHANGE_MILLIS_MAX = 1_000;

  /// A READ written this long before a PING that was answered counts as taken.
  private static final long READ_TAKEN_MILLIS = 10_000;

  private static final long GRACE_MILLIS_MAX = 60_000;
  private static final int PROTOCOL_FAILURES_MAX = 3;
  private static final int SERVER_ERRORS_MAX = 3;
  private static final int REQUEST_REFUSALS_MAX = 5;
  private static final int READS_PER_SECOND_MAX = 16;
  private static final int REPAIRS_AT_ONCE_MAX = 4;
  private static final int REPAIR_ENTRIES = Limits.PAGE_ENTRIES_MAX;
  private static final int SERVER_EDGES_MAX = 16;

  /// RIDs of SENDs are generation << 5 | place in `inFlight`; those of questions are from here on.
  private static final int REQUEST_RIDS = 0x4000;

  private enum State {
    NEW,
    WAITING,
    CONNECTING,
    HELLO,
    UP,
    REFUSED,
    CLOSED
  }

  private final ClientConfig config;
  private final ClientListener listener;
  private final ClientIo io;
  private final RandomGenerator random;
  private final ClientStore store;
  private final UserId me;

  private final LongMap<Chat> chats = new LongMap<>();
  private final FrameHeader header = new FrameHeader();
  private final BodyReader body = new BodyReader(Unpooled.EMPTY_BUFFER);
  private final Backoff backoff = new Backoff();
  private final Heartbeat heartbeat;

  private State state = State.NEW;
  private @Nullable ByteBuf out;
  private boolean outHasNewSend;
  private boolean outHasAck;
  private boolean isEnding;

  // ---- connection

  private long retryAt = NEVER;
  private long phaseDeadline = NEVER;
  private long upSince;
  private ConnectReason reason = ConnectReason.CONNECT_REASON_START;
  private int protocolFailures;
  private boolean helloHadTicket;
  private byte @Nullable [] lastToken;
  private long resumeCount;
  private long ticketUntil = NEVER;
  private ClientActivity activity = ClientActivity.CLIENT_ACTIVITY_ACTIVE;
  private final List<SocketAddress> edges;
  private int edge;

  /// When the server said to come back; -1: it said nothing.
  private long hintMinMillis = -1;

  private long hintMaxMillis = -1;
  private long hintUntil;

  /// After GOAWAY: no new sends; the connection ends when all is answered, or then.
  private long drainDeadline = NEVER;

  // ---- sending

  private final @Nullable Outgoing[] inFlight = new @Nullable Outgoing[Limits.SENDS_IN_FLIGHT_MAX];
  private int inFlightCount;
  private int inFlightMax = Limits.SENDS_IN_FLIGHT_MAX;
  private int generation;
  private int pendingSends;
  private int bodyBytesMax = Limits.BODY_BYTES_MAX;
  private @Nullable Chat firstReady;
  private @Nullable Chat lastReady;
  private final List<Chat> blocked = new ArrayList<>(0);
  private long sendsHeldUntil;
  private double sendsPerMilli;
  private double sendsBurst;
  private double sendTokens;
  private long sendTokensAt;
  private int earlyFrames;
  private int earlyBytes;
  private long answerDeadline = NEVER;

  // ---- receiving

  private final List<Chat> ackDue = new ArrayList<>(0);
  private long ackAt = NEVER;
  private final List<Chat> repairs = new ArrayList<>(0);
  private boolean caughtUpDue;
  private boolean caughtUpTold;

  // ---- the rest

  private final List<Request> requests = new ArrayList<>(0);
  private int requestRid;
  private final List<Chat> unconfirmedReads = new ArrayList<>(0);
  private long readsNotBefore;

  public ClientCore(
      ClientConfig config, ClientListener listener, ClientIo io, RandomGenerator random) {
    this.config = config;
    this.listener = listener;
    this.io = io;
    this.random = random;
    this.store = config.store();
    this.me = config.user();
    this.edges = new ArrayList<>(config.edges());
    this.heartbeat = new Heartbeat(config.ping().toMillis());
  }

  // ==== inputs
  // ====================================================================================

  /// Reads the store and starts to connect.
  public void start(long now) {
    assert state == State.NEW;
    guarded(() -> {
      ResumeTicket ticket = store.resumeTicket();
      resumeCount = ticket == null ? 0 : ticket.count();
      for (PendingSend pending : store.pendingSends()) {
        Chat chat = chat(pending.chat());
        chat.append(new Outgoing(chat, pending.csn(), pending.content(), null));
        chat.lastCsn = Math.max(chat.lastCsn, pending.csn());
        pendingSends++;
        offerReady(chat);
      }
      connect(now);
    });
  }

  /// The connection is open: says HELLO, with the first sends behind it.
  public void onConnected(long now) {
    if (state != State.CONNECTING) {
      return;
    }
    guarded(() -> {
      state = State.HELLO;
      phaseDeadline = now + HELLO_MILLIS_MAX;
      heartbeat.onConnected(now);
      writeHello(now);
    });
  }

  /// The bytes at hand. Consumes whole frames and leaves the rest; ownership of `in` stays with the
  /// caller.
  public void onBytes(long now, ByteBuf in) {
    if (state != State.HELLO && state != State.UP) {
      in.skipBytes(in.readableBytes());
      return;
    }
    heartbeat.onRead(now);
    try {
      readFrames(now, in);
    } catch (InvalidProtocolBufferException e) {
      onProtocolFailure(now, "malformed body: " + e.getMessage());
    } catch (RuntimeException e) {
      abort(e);
    }
  }

  /// The connection ended, or could not be opened.
  public void onDisconnected(long now, String why) {
    if (state == State.CONNECTING || state == State.HELLO || state == State.UP) {
      guarded(() -> lostConnection(now, why));
    }
  }

  /// The time of [#deadlineMillis] has come, or any other time.
  public void onTimer(long now) {
    guarded(() -> runTimers(now));
  }

  /// Writes all that the inputs since the last pass gave rise to.
  public void endPass(long now) {
    if (isEnding || (out == null && state != State.UP && state != State.HELLO)) {
      return;
    }
    isEnding = true;
    try {
      flush(now);
    } catch (RuntimeException e) {
      abort(e);
    } finally {
      isEnding = false;
    }
  }

  /// When [#onTimer] must be called, if nothing else happens before; [#NEVER] for never.
  public long deadlineMillis() {
    return switch (state) {
      case NEW, REFUSED, CLOSED -> NEVER;
      case WAITING -> retryAt;
      case CONNECTING, HELLO -> phaseDeadline;
      case UP -> upDeadline();
    };
  }

  // ==== the app's calls
  // ===========================================================================

  /// Numbers and keeps a send; it goes out with this pass if the window is open.
  public void send(long now, ChatId chatId, Content content, SendCallback callback) {
    if (state == State.CLOSED) {
      refuse(callback, chatId, ErrorCode.TIMEOUT, "the client is closed");
    } else if (pendingSends >= config.pendingSendsMax()) {
      refuse(callback, chatId, ErrorCode.QUOTA, "too many sends without an answer");
    } else if (content.getBody().size() > bodyBytesMax) {
      refuse(callback, chatId, ErrorCode.BODY_TOO_LARGE, "over " + bodyBytesMax + " bytes");
    } else if (content.getMentionsCount() > Limits.MENTIONS_MAX) {
      refuse(callback, chatId, ErrorCode.ARGUMENT, "over " + Limits.MENTIONS_MAX + " mentions");
    } else {
      try {
        accept(chatId, content.toByteArray(), callback);
      } catch (RuntimeException e) {
        refuse(callback, chatId, ErrorCode.INTERNAL, "the store cannot keep it");
        abort(e);
      }
    }
  }

  /// Everything up to `seq` has been read.
  public void read(long now, ChatId chatId, long seq) {
    if (state == State.CLOSED) {
      return;
    }
    Chat chat = chat(chatId);
    if (seq <= chat.readWanted || seq <= chat.ownRead) {
      return;
    }
    chat.readWanted = seq;
    chat.readDue = true;
    if (!chat.readListed) {
      chat.readListed = true;
      unconfirmedReads.add(chat);
    }
  }

  /// Tells the others of the chat, if there is a connection; else it is forgotten.
  public void typing(long now, ChatId chatId, boolean on) {
    if (state == State.UP && drainDeadline == NEVER) {
      Chat chat = chat(chatId);
      ByteBuf buf = out();
      FrameOut.header(
          buf, FrameType.TYPING, chat.wireFlags, 0, chat.wireId, 0, on ? TYPING_ON.length : 0);
      if (on) {
        buf.writeBytes(TYPING_ON);
      }
    }
  }

  private static final byte[] TYPING_ON = {1 << 3, 1};

  /// Whether a person is looking: how eagerly the server and this client work.
  public void setActivity(long now, ClientActivity value) {
    if (activity != value) {
      activity = value;
      ackAt = ackDue.isEmpty() ? NEVER : now;
      if (state == State.UP) {
        writeClientState();
      }
    }
  }

  /// A token that is newer than the session's, for a session that outlives its token.
  public void reauth(long now, byte[] token) {
    lastToken = token;
    if (state == State.UP) {
      write(FrameType.REAUTH, Reauth.newBuilder().setToken(wrap(token)).build().toByteArray());
    }
  }

  /// The newest entries below `before` (0: the newest of all).
  public void historyBefore(
      long now,
      ChatId chatId,
      long before,
      int limit,
      Consumer<HistoryPage> onPage,
      Consumer<TernException> onRefused) {
    History question = History.newBuilder().setBefore(before).setLimit(pageLimit(limit)).build();
    askHistory(chat(chatId), question, onPage::accept, onRefused::accept);
  }

  /// The entries from `after` + 1 on.
  public void historyAfter(
      long now,
      ChatId chatId,
      long after,
      int limit,
      Consumer<HistoryPage> onPage,
      Consumer<TernException> onRefused) {
    int entries = pageLimit(limit);
    askHistory(
        chat(chatId),
        historyAfter(after, entries, Long.MAX_VALUE),
        page -> {
          if (after == 0) {
            // It was asked for from above: `more` means the other direction.
            int n = page.getEntriesCount();
            boolean more = n > 0 && page.getEntries(n - 1).getSeq() < page.getHead();
            onPage.accept(page.toBuilder().setMore(more).build());
          } else {
            onPage.accept(page);
          }
        },
        onRefused::accept);
  }

  private void askHistory(Chat chat, History question, PageReader reader, Request.Failure failure) {
    ask(
        new Request(
            FrameType.HISTORY,
            chat.wireFlags,
            chat.wireId,
            question.toByteArray(),
            bytes -> reader.read(HistoryPage.parseFrom(bytes)),
            failure));
  }

  private interface PageReader {
    void read(HistoryPage page);
  }

  /// `after` 0 would be "none" on the wire: the first entries are those below the next ones.
  private static History historyAfter(long after, int limit, long until) {
    History.Builder question = History.newBuilder().setLimit(limit);
    return after > 0
        ? question.setAfter(after).build()
        : question.setBefore(Math.min(until, limit) + 1).build();
  }

  private static int pageLimit(int limit) {
    return Math.max(1, Math.min(limit, Limits.PAGE_ENTRIES_MAX));
  }

  /// A page of the chat list.
  public void chats(
      long now,
      byte @Nullable [] pageToken,
      int limit,
      Consumer<ChatsPage> onPage,
      Consumer<TernException> onRefused) {
    Chats.Builder question = Chats.newBuilder().setLimit(pageLimit(limit));
    if (pageToken != null) {
      question.setPageToken(ByteString.copyFrom(pageToken));
    }
    ask(
        new Request(
            FrameType.CHATS,
            0,
            0,
            question.build().toByteArray(),
            bytes -> {
              ChatsPage page = ChatsPage.parseFrom(bytes);
              page.getChatsList().forEach(this::learnFrom);
              onPage.accept(page);
            },
            onRefused::accept));
  }

  /// The device has changed to another network: the connection, if there is one, is dead. Tries
  /// again within a second.
  public void networkChanged(long now) {
    if (state == State.CONNECTING || state == State.HELLO || state == State.UP) {
      dropConnection();
    }
    if (state != State.CLOSED && state != State.NEW) {
      backoff.reset();
      reason = ConnectReason.CONNECT_REASON_NETWORK_CHANGE;
      waitFor("network changed", now, Backoff.random(random, NETWORK_CHANGE_MILLIS_MAX));
    }
  }

  /// Tries at once: the app has done something about a refusal, or the person does not want to
  /// wait.
  public void reconnect(long now) {
    if (state == State.WAITING || state == State.REFUSED) {
      protocolFailures = 0;
      backoff.reset();
      guarded(() -> connect(now));
    }
  }

  /// Says goodbye. Callbacks that still wait hear TIMEOUT; their sends stay in the store, which is
  /// closed too.
  public void close(long now) {
    if (state == State.CLOSED) {
      return;
    }
    boolean wasUp = state == State.UP;
    if (wasUp) {
      try {
        writeAcks();
        writeReads(now);
        write(FrameType.BYE, NO_BODY);
        writeOut(now);
      } catch (RuntimeException e) {
        log.warn("{}: at closing", me, e);
      }
    }
    shutDown(new ConnectionState.Closed(), State.CLOSED);
    TernException unknown =
        new TernException(ErrorCode.TIMEOUT, 0, "the client was closed before the answer");
    chats.forEach(chat -> {
      for (Outgoing send = chat.first; send != null; send = send.next) {
        if (send.callback != null) {
          refuse(send.callback, chat.id, unknown);
        }
      }
      chat.first = null;
      chat.last = null;
      chat.unsent = null;
    });
    pendingSends = 0;
    var open = new ArrayList<>(requests);
    requests.clear();
    for (Request request : open) {
      request.failure.onRefused(unknown);
    }
    store.close();
  }

  private static final byte[] NO_BODY = {};

  // ---- what can be asked

  public boolean isUp() {
    return state == State.UP;
  }

  public boolean isClosed() {
    return state == State.CLOSED;
  }

  /// Sends without an answer.
  public int pendingSends() {
    return pendingSends;
  }

  /// Seq up to which every entry of the chat has been stored; -1 when nothing is known of it.
  public long position(ChatId chatId) {
    return chat(chatId).position;
  }

  // ==== connection
  // ================================================================================

  private void connect(long now) {
    state = State.CONNECTING;
    retryAt = NEVER;
    phaseDeadline = now + CONNECT_MILLIS_MAX;
    tell(new ConnectionState.Connecting(backoff.failures()));
    if (state == State.CONNECTING) {
      io.connect(edges.get(edge % edges.size()));
    }
  }

  private void writeHello(long now) {
    Hello.Builder hello =
        Hello.newBuilder()
            .setVerMin(Limits.VERSION)
            .setVerMax(Limits.VERSION)
            .setDevice(config.device())
            .setState(activity)
            .setReason(reason)
            .setAttempt(backoff.failures())
            .setApp(config.app())
            .setPingS(heartbeat.pingSeconds());
    ResumeTicket ticket = store.resumeTicket();
    if (ticket != null && ticket.sealed().length > 0 && now < ticketUntil) {
      // Written down before it is used: a count must never be used twice.
      resumeCount = Math.max(resumeCount, ticket.count()) + 1;
      store.setResumeTicket(new ResumeTicket(ticket.sealed(), resumeCount));
      hello.setResume(wrap(ticket.sealed()));
      helloHadTicket = true;
    } else {
      byte[] token = config.token().get();
      lastToken = token;
      hello.setToken(wrap(token));
      helloHadTicket = false;
    }
    hello.setCount(resumeCount);
    ByteBuf buf = out();
    buf.writeInt(Limits.PREFACE);
    write(FrameType.HELLO, hello.build().toByteArray());
    earlyFrames = 0;
    earlyBytes = 0;
  }

  private void onHelloAck(long now, ByteBuf in) throws InvalidProtocolBufferException {
    if (state != State.HELLO) {
      onProtocolFailure(now, "a second HELLO_ACK");
      return;
    }
    HelloAck ack = HelloAck.parseFrom(bodyOf(in));
    if (ack.getUser() != me.value() || ack.getDevice() != config.device()) {
      refuseFor(ErrorCode.CONFLICT.number(), "the server took this device for another one");
      return;
    }
    state = State.UP;
    phaseDeadline = NEVER;
    upSince = now;
    hintMinMillis = -1;
    drainDeadline = NEVER;
    protocolFailures = 0;
    caughtUpDue = false;
    caughtUpTold = false;
    backoff.configure(ack.getBackoff().getBaseMs(), ack.getBackoff().getCapMs());
    heartbeat.configure(ack.getPingS(), ack.getIdleS());
    int window = ack.getLimits().getInFlight();
    inFlightMax =
        window > 0 ? Math.min(window, Limits.SENDS_IN_FLIGHT_MAX) : Limits.SENDS_IN_FLIGHT_MAX;
    if (ack.getLimits().getBodyBytes() > 0) {
      bodyBytesMax = ack.getLimits().getBodyBytes();
    }
    sendsPerMilli = ack.getLimits().getSendsPerS() / 1000.0;
    sendsBurst = Math.max(1, ack.getLimits().getSendsBurst());
    sendTokens = Math.max(0, sendsBurst - inFlightCount);
    sendTokensAt = now;
    learnEdges(ack.getEdgesList(), false);
    if (!ack.getResume().isEmpty()) {
      store.setResumeTicket(new ResumeTicket(ack.getResume().toByteArray(), resumeCount));
      ticketUntil = ack.getResumeTtlS() > 0 ? now + ack.getResumeTtlS() * 1000L : NEVER;
    }
    for (Chat chat : unconfirmedReads) {
      chat.readDue = true;
    }
    tell(
        new ConnectionState.Up(
            new TernClient.Session(
                me, config.device(), ack.getSession(), ack.getEpoch(), ack.getResumed())));
  }

  /// The connection is gone. Everything in flight goes out again on the next one.
  private void lostConnection(long now, String why) {
    boolean wasUp = state == State.UP;
    boolean opened = state != State.CONNECTING;
    heartbeat.onDisconnected();
    resetConnection();
    if (wasUp && now - upSince >= STABLE_MILLIS) {
      backoff.reset();
    }
    if (!opened || !wasUp) {
      edge++;
    }
    reason = ConnectReason.CONNECT_REASON_RETRY;
    long wait =
        hintMinMillis >= 0 && now <= hintUntil
            ? backoff.nextMillis(random, hintMinMillis, hintMaxMillis)
            : backoff.nextMillis(random);
    hintMinMillis = -1;
    waitFor(why, now, wait);
  }

  private void waitFor(String why, long now, long wait) {
    state = State.WAITING;
    retryAt = now + wait;
    tell(new ConnectionState.Down(why, wait));
  }

  /// Closes the connection from this side.
  private void dropConnection() {
    io.disconnect();
    heartbeat.onDisconnected();
    resetConnection();
  }

  private void resetConnection() {
    if (out != null) {
      out.release();
      out = null;
    }
    outHasNewSend = false;
    outHasAck = false;
    phaseDeadline = NEVER;
    drainDeadline = NEVER;
    answerDeadline = NEVER;
    ackAt = ackDue.isEmpty() ? NEVER : 0;
    for (int i = 0; i < inFlight.length && inFlightCount > 0; i++) {
      Outgoing send = inFlight[i];
      if (send != null) {
        inFlight[i] = null;
        inFlightCount--;
        send.rid = 0;
        Chat chat = send.chat;
        chat.inFlight = 0;
        chat.rewinding = false;
        chat.unsent = chat.first;
        offerReady(chat);
      }
    }
    for (Request request : requests) {
      request.rid = 0;
    }
  }

  /// Drops the connection and tries again, as if it had been lost.
  private void dropAndRetry(long now, String why) {
    io.disconnect();
    lostConnection(now, why);
  }

  private void onProtocolFailure(long now, String why) {
    log.warn("{}.{}: {}", me, config.device(), why);
    if (++protocolFailures >= PROTOCOL_FAILURES_MAX) {
      refuseFor(ErrorCode.MALFORMED.number(), why);
    } else {
      dropAndRetry(now, why);
    }
  }

  /// No more attempts until the app asks for one.
  private void refuseFor(int code, String detail) {
    shutDown(new ConnectionState.Refused(code, detail), State.REFUSED);
  }

  private void abort(RuntimeException e) {
    log.error("{}.{}: stopped", me, config.device(), e);
    if (state != State.CLOSED) {
      shutDown(
          new ConnectionState.Refused(ErrorCode.INTERNAL.number(), String.valueOf(e)),
          State.REFUSED);
    }
  }

  private void shutDown(ConnectionState told, State end) {
    boolean connected = state == State.CONNECTING || state == State.HELLO || state == State.UP;
    state = end;
    retryAt = NEVER;
    if (connected) {
      dropConnection();
    }
    tell(told);
  }

  private void onGoAway(long now, ByteBuf in) throws InvalidProtocolBufferException {
    GoAway goAway = GoAway.parseFrom(bodyOf(in));
    boolean early = state == State.HELLO;
    if (ErrorCode.classOf(goAway.getCode()) == ErrorCode.ErrorClass.IDENTITY) {
      onIdentity(now, goAway.getCode(), "the server ended the session");
      return;
    }
    hint(now, goAway.getAfterMinMs(), goAway.getAfterMaxMs());
    learnEdges(goAway.getEdgesList(), true);
    drainDeadline = now + Math.min(GRACE_MILLIS_MAX, Integer.toUnsignedLong(goAway.getGraceMs()));
    if (early) {
      dropAndRetry(now, "the server goes away");
    }
  }

  private void hint(long now, int minMillis, int maxMillis) {
    hintMinMillis = Integer.toUnsignedLong(minMillis);
    hintMaxMillis = Integer.toUnsignedLong(maxMillis);
    hintUntil = now + GRACE_MILLIS_MAX;
  }

  private void onError(long now, ByteBuf in) throws InvalidProtocolBufferException {
    Error error = Error.parseFrom(bodyOf(in));
    if (header.has(FrameHeader.RID)) {
      if (header.rid() < REQUEST_RIDS) {
        Outgoing send = inFlight(header.rid());
        if (send != null) {
          onSendError(now, send, error);
        }
      } else {
        onRequestError(now, error);
      }
      if (ErrorCode.classOf(error.getCode()) != ErrorCode.ErrorClass.IDENTITY) {
        return;
      }
    }
    switch (ErrorCode.classOf(error.getCode())) {
      case PROTOCOL -> onProtocolFailure(now, describe(error));
      case IDENTITY -> onIdentity(now, error.getCode(), describe(error));
      case LATER, SERVER -> {
        if (error.getRetryMs() != 0) {
          hint(now, error.getRetryMs(), 0);
        }
        // Before HELLO_ACK it is the answer to HELLO. After it, the server closes if it must.
        if (state == State.HELLO) {
          dropAndRetry(now, describe(error));
        }
      }
      case REQUEST -> {
        if (state == State.HELLO) {
          refuseFor(error.getCode(), describe(error));
        } else {
          // It was about a frame that asks for no answer: ACK, READ, TYPING, CLIENT_STATE.
          log.debug("{}.{}: {}", me, config.device(), describe(error));
        }
      }
    }
  }

  private void onIdentity(long now, int code, String detail) {
    ErrorCode known = ErrorCode.of(code);
    if (state == State.HELLO && helloHadTicket && isCuredByToken(known)) {
      // The ticket is no good; the token may be.
      store.setResumeTicket(new ResumeTicket(NO_BODY, resumeCount));
      dropConnection();
      connect(now);
    } else if (known == ErrorCode.TOKEN_EXPIRED) {
      byte[] token = config.token().get();
      if (Arrays.equals(token, lastToken)) {
        refuseFor(code, detail);
      } else if (state == State.UP) {
        reauth(now, token);
      } else {
        dropConnection();
        connect(now);
      }
    } else {
      refuseFor(code, detail);
    }
  }

  private static boolean isCuredByToken(@Nullable ErrorCode code) {
    return code == ErrorCode.RESUME_REJECTED
        || code == ErrorCode.IDENTITY_REQUIRED
        || code == ErrorCode.TOKEN_EXPIRED
        || code == ErrorCode.TOKEN_INVALID;
  }

  private void learnEdges(List<String> named, boolean first) {
    int at = 0;
    for (String text : named) {
      SocketAddress address = parseAddress(text);
      if (address == null) {
        log.warn("{}.{}: the server named an edge that is no address", me, config.device());
      } else if (first) {
        edges.remove(address);
        edges.add(at++, address);
      } else if (!edges.contains(address)) {
        edges.add(address);
      }
    }
    if (first && at > 0) {
      edge = 0;
    }
    while (edges.size() > config.edges().size() + SERVER_EDGES_MAX) {
      edges.remove(edges.size() - 1);
    }
  }

  private static @Nullable SocketAddress parseAddress(String text) {
    int colon = text.lastIndexOf(':');
    if (colon <= 0) {
      return null;
    }
    String host = text.substring(0, colon);
    if (host.startsWith("[") && host.endsWith("]")) {
      host = host.substring(1, host.length() - 1);
    }
    try {
      int port = Integer.parseInt(text.substring(colon + 1));
      return port < 1 || port > 65_535 ? null : InetSocketAddress.createUnresolved(host, port);
    } catch (NumberFormatException e) {
      return null;
    }
  }

  // ==== timers
  // ====================================================================================

  private long upDeadline() {
    long at = Math.min(heartbeat.deadline(), Math.min(ackAt, drainDeadline));
    at = Math.min(at, answerDeadline);
    if (readsNotBefore > passMillis) {
      at = Math.min(at, readsNotBefore);
    }
    if (firstReady != null && inFlightCount < inFlightMax && drainDeadline == NEVER) {
      at = Math.min(at, sendsHeldUntil);
    }
    for (int i = 0; i < blocked.size(); i++) {
      at = Math.min(at, blocked.get(i).notBeforeMillis);
    }
    for (int i = 0; i < requests.size(); i++) {
      Request request = requests.get(i);
      if (request.rid != 0) {
        at = Math.min(at, request.writtenAtMillis + ANSWER_MILLIS_MAX);
      } else if (request.notBeforeMillis > passMillis) {
        at = Math.min(at, request.notBeforeMillis);
      }
    }
    for (int i = 0; i < repairs.size(); i++) {
      Chat.Repair repair = repairs.get(i).repair;
      if (repair != null && !repair.asked && repair.notBeforeMillis > passMillis) {
        at = Math.min(at, repair.notBeforeMillis);
      }
    }
    return at;
  }

  private void runTimers(long now) {
    switch (state) {
      case NEW, REFUSED, CLOSED -> {}
      case WAITING -> {
        if (now >= retryAt) {
          connect(now);
        }
      }
      case CONNECTING -> {
        if (now >= phaseDeadline) {
          dropAndRetry(now, "no connection in time");
        }
      }
      case HELLO -> {
        if (now >= phaseDeadline) {
          dropAndRetry(now, "no answer to HELLO in time");
        }
      }
      case UP -> runUpTimers(now);
    }
  }

  private void runUpTimers(long now) {
    if (now >= drainDeadline) {
      dropAndRetry(now, "the server goes away");
      return;
    }
    if (now >= answerDeadline || isAnswerLate(now)) {
      long oldest = oldestWrite();
      if (now >= oldest + ANSWER_MILLIS_MAX) {
        dropAndRetry(now, "no answer in time");
        return;
      }
      answerDeadline = oldest == NEVER ? NEVER : oldest + ANSWER_MILLIS_MAX;
    }
    switch (heartbeat.onTimer(now)) {
      case NOTHING -> {}
      case PING -> write(FrameType.PING, NO_BODY);
      case DEAD -> dropAndRetry(now, "the connection is dead");
    }
  }

  private boolean isAnswerLate(long now) {
    for (Request request : requests) {
      if (request.rid != 0 && now >= request.writtenAtMillis + ANSWER_MILLIS_MAX) {
        return true;
      }
    }
    return false;
  }

  private long oldestWrite() {
    long oldest = NEVER;
    for (Outgoing send : inFlight) {
      if (send != null) {
        oldest = Math.min(oldest, send.writtenAtMillis);
      }
    }
    for (Request request : requests) {
      if (request.rid != 0) {
        oldest = Math.min(oldest, request.writtenAtMillis);
      }
    }
    return oldest == NEVER ? NEVER - ANSWER_MILLIS_MAX : oldest;
  }

  // ==== frames in
  // =================================================================================

  private void readFrames(long now, ByteBuf in) throws InvalidProtocolBufferException {
    while (state == State.HELLO || state == State.UP) {
      switch (FrameReader.read(in, Limits.FRAME_BYTES_MAX, header)) {
        case FRAME -> {
          int end = in.readerIndex() + header.bodyBytes();
          onFrame(now, in);
          in.readerIndex(end);
        }
        case INCOMPLETE -> {
          return;
        }
        case MALFORMED -> onProtocolFailure(now, "malformed frame");
        case TOO_LARGE -> onProtocolFailure(now, "frame too large");
      }
    }
    in.skipBytes(in.readableBytes());
  }

  private void onFrame(long now, ByteBuf in) throws InvalidProtocolBufferException {
    FrameType type = FrameType.of(header.type());
    if (type == null) {
      if (!FrameType.isIgnorable(header.type())) {
        onProtocolFailure(now, "unknown frame type " + header.type());
      }
      return;
    }
    if (state == State.HELLO
        && type != FrameType.HELLO_ACK
        && type != FrameType.ERROR
        && type != FrameType.GOAWAY) {
      onProtocolFailure(now, type + " before HELLO_ACK");
      return;
    }
    switch (type) {
      case SENT -> onSent(now, in);
      case DELIVER -> onDeliver(now, in);
      case RECEIPT -> onReceipt(now, in);
      case HELLO_ACK -> onHelloAck(now, in);
      case ERROR -> onError(now, in);
      case GOAWAY -> onGoAway(now, in);
      case PING -> {
        byte[] echo = new byte[header.bodyBytes()];
        in.getBytes(in.readerIndex(), echo);
        write(FrameType.PONG, echo);
      }
      case PONG -> onPong();
      case CATCH_UP_PAGE -> onCatchUpPage(now, in);
      case HISTORY_PAGE, CHATS_PAGE, CHAT_INFO_PAGE -> onReply(now, type, in);
      case TYPING_PUSH -> onTyping(in);
      case RESET -> onReset(now);
      case BEHIND -> ackAt = ackDue.isEmpty() ? NEVER : now;
      default -> log.debug("{}.{}: {} is not for this version", me, config.device(), type);
    }
  }

  private ByteString bodyOf(ByteBuf in) {
    byte[] bytes = new byte[header.bodyBytes()];
    in.getBytes(in.readerIndex(), bytes);
    return UnsafeByteOperations.unsafeWrap(bytes);
  }

  private void onPong() {
    if (heartbeat.onPong()) {
      writeClientState();
    }
    unconfirmedReads.removeIf(chat -> {
      if (!chat.readDue && chat.readWrittenAtMillis + READ_TAKEN_MILLIS <= heartbeat.pingedAt()) {
        chat.readTaken = chat.readWanted;
      }
      chat.readListed = chat.readTaken < chat.readWanted;
      return !chat.readListed;
    });
  }

  private void onTyping(ByteBuf in) {
    Chat chat = chatOfHeader();
    if (chat == null) {
      return;
    }
    boolean on = false;
    long member = 0;
    body.start(in, in.readerIndex(), header.bodyBytes());
    for (int tag = body.nextTag(); tag != BodyReader.END; tag = body.nextTag()) {
      switch (tag) {
        case 1 << 3 -> on = body.varint() != 0;
        case 2 << 3 -> member = body.varint();
        default -> body.skip(tag);
      }
    }
    UserId who = member == 0 && !chat.id.isGroup() ? chat.id.peerOf(me) : userOf(member);
    if (who != null && !body.isMalformed()) {
      boolean typing = on;
      listen(() -> listener.onTyping(chat.id, who, typing));
    }
  }

  private static @Nullable UserId userOf(long value) {
    return UserId.isValid(value) ? new UserId(value) : null;
  }

  // ==== receiving
  // =================================================================================

  private void onDeliver(long now, ByteBuf in) {
    Chat chat = chatOfHeader();
    if (chat == null || header.seq() <= 0) {
      onProtocolFailure(now, "DELIVER without a place");
      return;
    }
    long seq = header.seq();
    if (chat.position < 0) {
      // A new device: the server says where to start.
      advance(chat, seq - 1);
    }
    if (seq <= chat.position) {
      // The server seems not to have our ACK.
      noteAck(now, chat);
      return;
    }
    if (chat.repair != null && seq > chat.position + 1) {
      keepBehind(chat, chat.repair, seq, in);
      return;
    }
    Message message = readDeliver(chat, seq, in);
    if (message == null) {
      onProtocolFailure(now, "malformed DELIVER");
    } else if (seq == chat.position + 1) {
      Chat.Repair repair = chat.repair;
      if (deliver(now, chat, message) && repair != null) {
        deliverBehind(now, chat, repair);
      }
    } else {
      startRepair(chat, message);
    }
  }

  /// Reads the body by hand: this runs once for every message.
  private @Nullable Message readDeliver(Chat chat, long seq, ByteBuf in) {
    long sender = 0;
    int device = 0;
    long tsMillis = 0;
    long csn = 0;
    int offset = 0;
    int length = 0;
    body.start(in, in.readerIndex(), header.bodyBytes());
    for (int tag = body.nextTag(); tag != BodyReader.END; tag = body.nextTag()) {
      switch (tag) {
        case 1 << 3 -> sender = body.varint();
        case 2 << 3 -> device = (int) body.varint();
        case 3 << 3 -> tsMillis = body.varint();
        case 4 << 3 | 2 -> {
          body.bytes();
          offset = body.offset();
          length = body.length();
        }
        case 5 << 3 -> csn = body.varint();
        default -> body.skip(tag);
      }
    }
    if (body.isMalformed()) {
      return null;
    }
    boolean own = header.has(FrameHeader.OWN);
    UserId from = senderOf(chat, own, sender);
    if (from == null) {
      return null;
    }
    byte[] bytes = new byte[length];
    in.getBytes(offset, bytes);
    return new Message(chat.id, seq, from, device, tsMillis, contentOf(bytes), own, csn);
  }

  private @Nullable UserId senderOf(Chat chat, boolean own, long named) {
    if (own) {
      return me;
    }
    if (named == 0 && !chat.id.isGroup()) {
      return chat.id.peerOf(me);
    }
    return userOf(named);
  }

  /// What cannot be parsed was let through by the server, keeps its place, and has no content that
  /// this version understands.
  private static Content contentOf(byte[] bytes) {
    try {
      var input = UnsafeByteOperations.unsafeWrap(bytes).newCodedInput();
      input.enableAliasing(true);
      return Content.parseFrom(input);
    } catch (IOException e) {
      return Content.getDefaultInstance();
    }
  }

  /// Hands over the entry at position + 1.
  private boolean deliver(long now, Chat chat, Message message) {
    assert message.seq() == chat.position + 1;
    if (!(message.own() && message.device() == config.device())) {
      try {
        listener.onMessage(message);
      } catch (RuntimeException e) {
        log.error(
            "{}.{}: the listener failed at {} {}", me, config.device(), chat.id, message.seq(), e);
        if (isConnected()) {
          dropAndRetry(now, "the listener failed");
        }
        return false;
      }
    }
    if (state == State.CLOSED) {
      return false;
    }
    advance(chat, message.seq());
    chat.unacknowledged++;
    noteAck(now, chat);
    if (chat.unacknowledged >= Limits.ACK_ENTRIES_MAX && state == State.UP) {
      writeAck(chat);
    }
    return true;
  }

  private boolean isConnected() {
    return state == State.CONNECTING || state == State.HELLO || state == State.UP;
  }

  private void advance(Chat chat, long position) {
    long at = chat.passOwn(position);
    if (at != chat.position) {
      chat.position = at;
      store.setPosition(chat.id, at);
    }
  }

  private void noteAck(long now, Chat chat) {
    if (!chat.ackDue) {
      chat.ackDue = true;
      ackDue.add(chat);
    }
    if (ackAt == NEVER) {
      ackAt = activity == ClientActivity.CLIENT_ACTIVITY_ACTIVE ? now : now + ACK_INACTIVE_MILLIS;
    }
  }

  private void onReset(long now) {
    Chat chat = chatOfHeader();
    if (chat == null) {
      return;
    }
    long seq = header.seq();
    if (seq > chat.position) {
      advance(chat, seq);
      listen(() -> listener.onReset(chat.id, seq));
      Chat.Repair repair = chat.repair;
      if (repair != null) {
        deliverBehind(now, chat, repair);
      }
    }
  }

  private void onCatchUpPage(long now, ByteBuf in) {
    if (header.has(FrameHeader.RID)) {
      return;
    }
    boolean done = false;
    body.start(in, in.readerIndex(), header.bodyBytes());
    for (int tag = body.nextTag(); tag != BodyReader.END; tag = body.nextTag()) {
      if (tag == 2 << 3) {
        done = body.varint() != 0;
      } else {
        body.skip(tag);
      }
    }
    if (body.isMalformed()) {
      onProtocolFailure(now, "malformed CATCH_UP_PAGE");
    } else if (done && !caughtUpTold) {
      caughtUpDue = true;
      tellCaughtUp();
    }
  }

  private void tellCaughtUp() {
    if (caughtUpDue && repairs.isEmpty()) {
      caughtUpDue = false;
      caughtUpTold = true;
      listen(listener::onCaughtUp);
    }
  }

  // ---- holes

  private void startRepair(Chat chat, Message behind) {
    var repair = new Chat.Repair();
    repair.until = behind.seq();
    repair.behind.add(behind);
    chat.repair = repair;
    repairs.add(chat);
  }

  private void keepBehind(Chat chat, Chat.Repair repair, long seq, ByteBuf in) {
    repair.until = Math.max(repair.until, seq);
    Message last = repair.behind.peekLast();
    if (repair.behind.size() < BEHIND_MAX && (last == null || seq == last.seq() + 1)) {
      Message message = readDeliver(chat, seq, in);
      if (message != null) {
        repair.behind.add(message);
      }
    }
  }

  private void askForRepairs(long now) {
    int asked = 0;
    for (int i = 0; i < repairs.size(); i++) {
      Chat.Repair repair = repairs.get(i).repair;
      if (repair != null && repair.asked) {
        asked++;
      }
    }
    for (int i = 0; i < repairs.size() && asked < REPAIRS_AT_ONCE_MAX; i++) {
      Chat chat = repairs.get(i);
      Chat.Repair repair = chat.repair;
      if (repair != null && !repair.asked && repair.notBeforeMillis <= now) {
        repair.asked = true;
        asked++;
        addRequest(
            new Request(
                FrameType.HISTORY,
                chat.wireFlags,
                chat.wireId,
                historyAfter(chat.position, REPAIR_ENTRIES, repair.until).toByteArray(),
                bytes -> onRepairPage(chat, HistoryPage.parseFrom(bytes)),
                refusal -> onRepairRefused(chat, refusal)));
      }
    }
  }

  private long passMillis;

  private void onRepairPage(Chat chat, HistoryPage page) {
    Chat.Repair repair = chat.repair;
    if (repair == null) {
      return;
    }
    repair.asked = false;
    long before = chat.position;
    for (PageEntry entry : page.getEntriesList()) {
      long seq = entry.getSeq();
      if (seq == chat.position + 1) {
        Deliver deliver = entry.getEntry();
        UserId from = senderOf(chat, entry.getOwn(), deliver.getSender());
        if (from == null
            || !deliver(
                passMillis,
                chat,
                new Message(
                    chat.id,
                    seq,
                    from,
                    deliver.getDevice(),
                    deliver.getTsMs(),
                    deliver.getContent(),
                    entry.getOwn(),
                    deliver.getCsn()))) {
          break;
        }
      } else if (seq > chat.position + 1) {
        break;
      }
    }
    if (!deliverBehind(passMillis, chat, repair)) {
      return;
    }
    if (chat.position > before) {
      repair.failures = 0;
    } else {
      // Never step over a hole: the server owes us these entries, or a RESET.
      onRepairRefused(chat, new TernException(ErrorCode.TIMEOUT, 0, "the page did not go on"));
    }
  }

  private void onRepairRefused(Chat chat, TernException refusal) {
    Chat.Repair repair = chat.repair;
    if (repair != null) {
      repair.asked = false;
      long wait = backoff.requestMillis(random, repair.failures, refusal.retryMillis());
      repair.failures = Math.min(repair.failures + 1, 30);
      repair.notBeforeMillis = passMillis + wait;
      log.warn(
          "{}.{}: {}: entries behind {} are missing, asking again in {} ms: {}",
          me,
          config.device(),
          chat.id,
          chat.position,
          wait,
          refusal.getMessage());
    }
  }

  /// Delivers what came behind a hole that is closed now. Returns false when the repair is over, or
  /// nothing more can be delivered.
  private boolean deliverBehind(long now, Chat chat, Chat.Repair repair) {
    for (Message next = repair.behind.peek(); next != null; next = repair.behind.peek()) {
      if (next.seq() > chat.position + 1) {
        break;
      }
      repair.behind.remove();
      if (next.seq() == chat.position + 1 && !deliver(now, chat, next)) {
        return false;
      }
    }
    if (chat.position >= repair.until) {
      chat.repair = null;
      repairs.remove(chat);
      tellCaughtUp();
      return false;
    }
    return true;
  }

  // ---- receipts

  private void onReceipt(long now, ByteBuf in) throws InvalidProtocolBufferException {
    Chat chat = chatOfHeader();
    if (chat == null) {
      return;
    }
    long member = 0;
    long delivered = 0;
    long read = 0;
    boolean many = false;
    body.start(in, in.readerIndex(), header.bodyBytes());
    for (int tag = body.nextTag(); tag != BodyReader.END; tag = body.nextTag()) {
      switch (tag) {
        case 1 << 3 -> member = body.varint();
        case 2 << 3 -> delivered = body.varint();
        case 3 << 3 -> read = body.varint();
        default -> {
          many |= tag == (4 << 3 | 2);
          body.skip(tag);
        }
      }
    }
    if (body.isMalformed()) {
      onProtocolFailure(now, "malformed RECEIPT");
      return;
    }
    if (member != 0 || !chat.id.isGroup()) {
      merge(chat, member, delivered, read);
    }
    if (many) {
      Receipt receipt = Receipt.parseFrom(bodyOf(in));
      for (MemberReceipt each : receipt.getManyList()) {
        merge(chat, each.getMember(), each.getDelivered(), each.getRead());
      }
    }
  }

  private void merge(Chat chat, long member, long delivered, long read) {
    if (member == me.value() || chat.id.isSelf()) {
      if (delivered > chat.ownDelivered || read > chat.ownRead) {
        chat.ownDelivered = Math.max(chat.ownDelivered, delivered);
        chat.ownRead = Math.max(chat.ownRead, read);
        confirmRead(chat);
        listen(() -> listener.onReceipt(chat.id, me, chat.ownDelivered, chat.ownRead));
      }
    } else if (!chat.id.isGroup()) {
      if (delivered > chat.peerDelivered || read > chat.peerRead) {
        chat.peerDelivered = Math.max(chat.peerDelivered, delivered);
        chat.peerRead = Math.max(chat.peerRead, read);
        listen(() ->
            listener.onReceipt(chat.id, chat.id.peerOf(me), chat.peerDelivered, chat.peerRead));
      }
    } else if (UserId.isValid(member)) {
      if (chat.members == null) {
        chat.members = new LongMap<>();
      }
      Chat.Watermarks marks = chat.members.get(member);
      if (marks == null) {
        if (chat.members.size() >= Limits.PROTO_FIELDS_MAX * 2) {
          return;
        }
        marks = new Chat.Watermarks();
        chat.members.put(member, marks);
      }
      if (delivered > marks.delivered || read > marks.read) {
        marks.delivered = Math.max(marks.delivered, delivered);
        marks.read = Math.max(marks.read, read);
        Chat.Watermarks told = marks;
        listen(() -> listener.onReceipt(chat.id, new UserId(member), told.delivered, told.read));
      }
    }
  }

  private void confirmRead(Chat chat) {
    chat.readTaken = Math.max(chat.readTaken, chat.ownRead);
    if (chat.readTaken >= chat.readWanted) {
      chat.readDue = false;
      if (chat.readListed) {
        chat.readListed = false;
        unconfirmedReads.remove(chat);
      }
    }
  }

  private void learnFrom(ChatItem item) {
    if (!UserId.isValid(item.getChat())) {
      return;
    }
    Chat chat = chatOf(item.getChat(), item.getGroup());
    if (!chat.numbered && chat.inFlight == 0) {
      number(chat, item.getLastCsn());
    }
    merge(chat, me.value(), item.getDelivered(), item.getRead());
    if (!item.getGroup()) {
      merge(chat, 0, item.getPeerDelivered(), item.getPeerRead());
    }
  }

  // ==== sending
  // ===================================================================================

  private void accept(ChatId chatId, byte[] content, SendCallback callback) {
    Chat chat = chat(chatId);
    long csn = chat.lastCsn + 1;
    store.addSend(new PendingSend(chatId, csn, content));
    chat.lastCsn = csn;
    pendingSends++;
    chat.append(new Outgoing(chat, csn, content, callback));
    offerReady(chat);
  }

  private void offerReady(Chat chat) {
    if (chat.isReady || chat.unsent == null || chat.rewinding) {
      return;
    }
    chat.isReady = true;
    chat.nextReady = null;
    if (lastReady == null) {
      firstReady = chat;
    } else {
      lastReady.nextReady = chat;
    }
    lastReady = chat;
  }

  private void writeSends(long now) {
    for (int i = blocked.size() - 1; i >= 0; i--) {
      if (blocked.get(i).notBeforeMillis <= now) {
        Chat chat = blocked.remove(i);
        chat.isReady = false;
        offerReady(chat);
      }
    }
    while (firstReady != null && mayWriteSend(now)) {
      Chat chat = firstReady;
      firstReady = chat.nextReady;
      if (firstReady == null) {
        lastReady = null;
      }
      chat.nextReady = null;
      chat.isReady = false;
      Outgoing send = chat.unsent;
      if (send == null || chat.rewinding) {
        continue;
      }
      if (!chat.numbered) {
        askForNumber(chat);
        continue;
      }
      if (chat.notBeforeMillis > now) {
        chat.isReady = true;
        blocked.add(chat);
        continue;
      }
      if (state == State.HELLO
          && earlyBytes + FrameOut.sendBytesMax(send.content) > Limits.EARLY_BYTES_MAX) {
        earlyFrames = Limits.EARLY_FRAMES_MAX;
        offerReady(chat);
        return;
      }
      writeSend(now, chat, send);
      offerReady(chat);
    }
  }

  private boolean mayWriteSend(long now) {
    if (inFlightCount >= inFlightMax || drainDeadline != NEVER) {
      return false;
    }
    if (state == State.HELLO) {
      return earlyFrames < Limits.EARLY_FRAMES_MAX;
    }
    if (now < sendsHeldUntil) {
      return false;
    }
    if (sendsPerMilli > 0) {
      sendTokens = Math.min(sendsBurst, sendTokens + (now - sendTokensAt) * sendsPerMilli);
      sendTokensAt = now;
      if (sendTokens < 1) {
        sendsHeldUntil = now + (long) Math.ceil((1 - sendTokens) / sendsPerMilli);
        return false;
      }
    }
    return true;
  }

  private void writeSend(long now, Chat chat, Outgoing send) {
    int place = 0;
    while (inFlight[place] != null) {
      place++;
    }
    // 9 bits of generation keep most RIDs at two bytes; an answer is never 512 writes late.
    generation = generation == 0x1FF ? 1 : generation + 1;
    send.rid = generation << 5 | place;
    inFlight[place] = send;
    inFlightCount++;
    chat.inFlight++;
    chat.unsent = send.next;
    send.writtenAtMillis = now;
    send.writtenCsn = send.csn;
    if (answerDeadline == NEVER) {
      answerDeadline = now + ANSWER_MILLIS_MAX;
    }
    if (send.writes++ == 0 && send.callback != null) {
      outHasNewSend = true;
    }
    sendTokens--;
    ByteBuf buf = out();
    int before = buf.writerIndex();
    FrameOut.send(buf, send.rid, chat.wireFlags, chat.wireId, send.csn, send.content);
    earlyFrames++;
    earlyBytes += buf.writerIndex() - before;
  }

  private @Nullable Outgoing inFlight(int rid) {
    Outgoing send = inFlight[rid & 0x1F];
    return send != null && send.rid == rid ? send : null;
  }

  /// The send has an answer.
  private void settle(Outgoing send) {
    inFlight[send.rid & 0x1F] = null;
    inFlightCount--;
    send.rid = 0;
    send.chat.inFlight--;
    if (inFlightCount == 0) {
      answerDeadline = NEVER;
    }
  }

  private void onSent(long now, ByteBuf in) {
    Outgoing send = header.rid() < REQUEST_RIDS ? inFlight(header.rid()) : null;
    if (send == null) {
      return;
    }
    long tsMillis = 0;
    boolean repeat = false;
    body.start(in, in.readerIndex(), header.bodyBytes());
    for (int tag = body.nextTag(); tag != BodyReader.END; tag = body.nextTag()) {
      switch (tag) {
        case 1 << 3 -> tsMillis = body.varint();
        case 2 << 3 -> repeat = body.varint() != 0;
        default -> body.skip(tag);
      }
    }
    long seq = header.seq();
    if (body.isMalformed() || seq <= 0) {
      onProtocolFailure(now, "malformed SENT");
      return;
    }
    Chat chat = send.chat;
    settle(send);
    forget(send);
    chat.refusals = 0;
    takeOwn(now, chat, seq);
    if (chat.rewinding && chat.inFlight == 0) {
      rewound(chat);
    }
    if (send.callback != null) {
      try {
        send.callback.onSent(chat.id, seq, send.csn, tsMillis, repeat);
      } catch (RuntimeException e) {
        log.error("{}.{}: a callback failed", me, config.device(), e);
      }
    } else {
      var told = new TernClient.Receipted(chat.id, seq, send.csn, tsMillis, repeat);
      listen(() -> listener.onSent(told));
    }
  }

  /// Our own entry is in the log at `seq`: nobody needs to deliver it to us.
  private void takeOwn(long now, Chat chat, long seq) {
    if (seq <= chat.position) {
      return;
    }
    if (seq == chat.position + 1 || (chat.position < 0 && seq == 1)) {
      advance(chat, seq);
      Chat.Repair repair = chat.repair;
      if (repair != null) {
        deliverBehind(now, chat, repair);
      }
    } else {
      chat.addOwn(seq);
    }
  }

  private void forget(Outgoing send) {
    store.removeSend(send.chat.id, send.csn);
    send.chat.remove(send);
    pendingSends--;
  }

  private void onSendError(long now, Outgoing send, Error error) {
    Chat chat = send.chat;
    settle(send);
    long retryMillis = Integer.toUnsignedLong(error.getRetryMs());
    switch (ErrorCode.classOf(error.getCode())) {
      case LATER -> {
        long wait = backoff.requestMillis(random, chat.refusals++, retryMillis);
        if (error.getCode() == ErrorCode.RATE.number()) {
          // The budget is the device's, not the chat's.
          sendsHeldUntil = Math.max(sendsHeldUntil, now + wait);
        }
        rewind(chat, now + wait);
      }
      case IDENTITY -> rewind(chat, now);
      case SERVER -> {
        if (++send.serverErrors >= SERVER_ERRORS_MAX) {
          refuseForGood(send, error, retryMillis);
        } else {
          rewind(chat, now + backoff.requestMillis(random, chat.refusals++, retryMillis));
        }
      }
      case PROTOCOL -> refuseForGood(send, error, retryMillis);
      case REQUEST -> {
        boolean order = error.getCode() == ErrorCode.OUT_OF_ORDER.number();
        boolean conflict = error.getCode() == ErrorCode.CONFLICT.number();
        if ((order || conflict) && send.csn != send.writtenCsn) {
          // It is about a number that this send has no more.
          rewind(chat, now);
        } else if (order
            || (conflict && error.getCsn() > send.csn && !send.mayHaveBeenAccepted())) {
          onOutOfOrder(now, send, error);
        } else {
          refuseForGood(send, error, retryMillis);
        }
      }
    }
  }

  /// The server wants csn `expected` next, and so has accepted everything below and nothing from
  /// there on.
  private void onOutOfOrder(long now, Outgoing send, Error error) {
    Chat chat = send.chat;
    long expected = error.getCsn();
    if (expected > 0 && expected <= send.csn) {
      renumber(chat, expected - 1, expected - 1);
    } else if (expected > send.csn && !send.mayHaveBeenAccepted()) {
      // Our count is behind the server's: this store has lost its memory.
      renumber(chat, send.csn - 1, expected - 1);
    } else if (expected <= 0) {
      chat.numbered = false;
    }
    // The first one follows from a refusal before it. When it goes on, something is wrong with the
    // server or with us: do not turn in circles at full speed.
    long wait = ++chat.refusals > 3 ? backoff.requestMillis(random, chat.refusals, 0) : 0;
    rewind(chat, now + wait);
  }

  private void rewind(Chat chat, long notBefore) {
    chat.rewinding = true;
    chat.notBeforeMillis = Math.max(chat.notBeforeMillis, notBefore);
    if (chat.inFlight == 0) {
      rewound(chat);
    }
  }

  private void rewound(Chat chat) {
    chat.rewinding = false;
    chat.unsent = chat.first;
    offerReady(chat);
  }

  private void refuseForGood(Outgoing send, Error error, long retryMillis) {
    Chat chat = send.chat;
    forget(send);
    if (!send.mayHaveBeenAccepted()) {
      // The server never counted it: the next one gets its number. In doubt the numbers stay, and
      // OUT_OF_ORDER will tell.
      renumber(chat, send.csn, send.csn - 1);
    }
    if (chat.inFlight > 0) {
      chat.rewinding = true;
    } else {
      rewound(chat);
    }
    TernException refusal = new TernException(error.getCode(), retryMillis, error.getDetail());
    if (send.callback != null) {
      refuse(send.callback, chat.id, refusal);
    } else {
      listen(() -> listener.onSendRefused(chat.id, send.csn, refusal));
    }
  }

  /// The sends of the chat above `after`, none of which has been accepted, are numbered from `csn`
  /// + 1.
  private void renumber(Chat chat, long after, long csn) {
    Outgoing first = chat.first;
    while (first != null && first.csn <= after) {
      first = first.next;
    }
    if (chat.numbered && first != null && first.csn == csn + 1) {
      // As they are: a chat's sends that the server has not counted have no holes among them.
      return;
    }
    store.renumberSends(chat.id, after, csn);
    long next = csn;
    for (Outgoing send = first; send != null; send = send.next) {
      send.csn = ++next;
    }
    chat.lastCsn = next;
    chat.numbered = true;
  }

  private void askForNumber(Chat chat) {
    if (chat.numberingAsked) {
      return;
    }
    chat.numberingAsked = true;
    addRequest(
        new Request(
            FrameType.CHAT_INFO,
            chat.wireFlags,
            chat.wireId,
            ChatInfo.getDefaultInstance().toByteArray(),
            bytes -> number(chat, ChatInfoPage.parseFrom(bytes).getLastCsn()),
            refusal -> {
              if (refusal.errorClass() == ErrorCode.ErrorClass.REQUEST) {
                // No such chat yet, or not ours: the send itself will be answered.
                number(chat, 0);
              } else {
                chat.numberingAsked = false;
                chat.notBeforeMillis = passMillis + 1_000;
                offerReady(chat);
              }
            }));
  }

  private void number(Chat chat, long lastCsn) {
    chat.numberingAsked = false;
    if (!chat.numbered) {
      renumber(chat, 0, lastCsn);
      offerReady(chat);
    }
  }

  private void refuse(SendCallback callback, ChatId chat, ErrorCode code, String detail) {
    refuse(callback, chat, new TernException(code, 0, detail));
  }

  private void refuse(SendCallback callback, ChatId chat, TernException refusal) {
    try {
      callback.onRefused(chat, refusal);
    } catch (RuntimeException e) {
      log.error("{}.{}: a callback failed", me, config.device(), e);
    }
  }

  // ==== questions
  // =================================================================================

  private void ask(Request request) {
    if (state == State.CLOSED) {
      request.failure.onRefused(new TernException(ErrorCode.TIMEOUT, 0, "the client is closed"));
    } else if (requests.size() >= REQUESTS_MAX) {
      request.failure.onRefused(
          new TernException(ErrorCode.QUOTA, 0, "too many questions without an answer"));
    } else {
      addRequest(request);
    }
  }

  private void addRequest(Request request) {
    requests.add(request);
  }

  private void writeRequests(long now) {
    for (int i = 0; i < requests.size(); i++) {
      Request request = requests.get(i);
      if (request.rid != 0 || request.notBeforeMillis > now) {
        continue;
      }
      if (state == State.HELLO) {
        if (request.type != FrameType.CHAT_INFO || earlyFrames >= Limits.EARLY_FRAMES_MAX) {
          continue;
        }
        earlyFrames++;
        earlyBytes += request.body.length + Limits.HEADER_BYTES_MAX;
      }
      requestRid = (requestRid + 1) & 0x3FFF;
      request.rid = REQUEST_RIDS + requestRid;
      request.writtenAtMillis = now;
      ByteBuf buf = out();
      FrameOut.header(
          buf,
          request.type,
          request.flags | FrameHeader.RID,
          request.rid,
          request.chat,
          0,
          request.body.length);
      buf.writeBytes(request.body);
    }
  }

  private @Nullable Request takeRequest(int rid) {
    for (int i = 0; i < requests.size(); i++) {
      if (requests.get(i).rid == rid) {
        return requests.remove(i);
      }
    }
    return null;
  }

  private void onReply(long now, FrameType type, ByteBuf in) throws InvalidProtocolBufferException {
    Request request = takeRequest(header.rid());
    if (request == null) {
      return;
    }
    if (FrameType.of(request.type.code() + 0x80) != type) {
      requests.add(request);
      onProtocolFailure(now, type + " answers " + request.type);
      return;
    }
    passMillis = now;
    try {
      request.reply.onPage(bodyOf(in));
    } catch (InvalidProtocolBufferException e) {
      request.rid = 0;
      requests.add(request);
      throw e;
    }
  }

  private void onRequestError(long now, Error error) {
    Request request = takeRequest(header.rid());
    if (request == null) {
      return;
    }
    passMillis = now;
    long retryMillis = Integer.toUnsignedLong(error.getRetryMs());
    ErrorCode.ErrorClass kind = ErrorCode.classOf(error.getCode());
    boolean retry =
        (kind == ErrorCode.ErrorClass.LATER && request.refusals < REQUEST_REFUSALS_MAX)
            || (kind == ErrorCode.ErrorClass.SERVER && request.refusals + 1 < SERVER_ERRORS_MAX);
    if (retry) {
      request.notBeforeMillis =
          now + backoff.requestMillis(random, request.refusals++, retryMillis);
      request.rid = 0;
      requests.add(request);
    } else {
      request.failure.onRefused(new TernException(error.getCode(), retryMillis, error.getDetail()));
    }
  }

  // ==== frames out
  // ================================================================================

  private void flush(long now) {
    passMillis = now;
    if (state == State.UP) {
      if (now >= ackAt) {
        writeAcks();
      }
      writeReads(now);
      if (!repairs.isEmpty()) {
        askForRepairs(now);
      }
    }
    if (state == State.UP || state == State.HELLO) {
      if (firstReady != null || !blocked.isEmpty()) {
        writeSends(now);
      }
      if (!requests.isEmpty() && drainDeadline == NEVER) {
        writeRequests(now);
      }
    }
    writeOut(now);
    if (state == State.UP && drainDeadline != NEVER && inFlightCount == 0) {
      dropAndRetry(now, "the server goes away");
    }
  }

  private void writeAcks() {
    for (int i = 0; i < ackDue.size(); i++) {
      Chat chat = ackDue.get(i);
      if (chat.ackDue) {
        writeAck(chat);
      }
      chat.ackDue = false;
    }
    ackDue.clear();
    ackAt = NEVER;
  }

  /// Writes the ACK; the chat stays in `ackDue`, without effect.
  private void writeAck(Chat chat) {
    outHasAck = true;
    chat.unacknowledged = 0;
    FrameOut.place(out(), FrameType.ACK, chat.wireFlags, chat.wireId, chat.position);
    chat.ackDue = false;
  }

  /// A few per pass: after a reconnect there may be many, and the server counts them.
  private void writeReads(long now) {
    if (now < readsNotBefore) {
      return;
    }
    int written = 0;
    for (int i = 0; i < unconfirmedReads.size(); i++) {
      Chat chat = unconfirmedReads.get(i);
      if (chat.readDue) {
        if (++written > READS_PER_SECOND_MAX) {
          readsNotBefore = now + 1_000;
          return;
        }
        chat.readDue = false;
        chat.readWrittenAtMillis = now;
        FrameOut.place(out(), FrameType.READ, chat.wireFlags, chat.wireId, chat.readWanted);
      }
    }
  }

  private void writeClientState() {
    write(
        FrameType.CLIENT_STATE,
        ClientState.newBuilder()
            .setState(activity)
            .setPingS(heartbeat.pingSeconds())
            .build()
            .toByteArray());
  }

  private void write(FrameType type, byte[] bytes) {
    ByteBuf buf = out();
    FrameOut.header(buf, type, 0, 0, 0, 0, bytes.length);
    buf.writeBytes(bytes);
  }

  private ByteBuf out() {
    ByteBuf buf = out;
    if (buf == null) {
      buf = io.allocate();
      out = buf;
    }
    return buf;
  }

  private void writeOut(long now) {
    ByteBuf buf = out;
    if (buf == null) {
      return;
    }
    if (outHasNewSend || outHasAck) {
      store.sync(outHasNewSend);
      outHasNewSend = false;
      outHasAck = false;
    }
    out = null;
    heartbeat.onWrite(now);
    io.write(buf);
  }

  // ==== small things
  // ==============================================================================

  private Chat chat(ChatId id) {
    long wireId = id.wireId(me);
    Chat chat = chats.get(Chat.keyOf(wireId, id.isGroup()));
    return chat == null ? addChat(id, wireId) : chat;
  }

  private Chat chatOf(long wireId, boolean group) {
    Chat chat = chats.get(Chat.keyOf(wireId, group));
    return chat == null ? addChat(ChatId.fromWire(me, wireId, group), wireId) : chat;
  }

  private Chat addChat(ChatId id, long wireId) {
    var chat = new Chat(id, wireId, store.position(id), store.lastCsn(id));
    chats.put(Chat.keyOf(wireId, id.isGroup()), chat);
    return chat;
  }

  /// The chat that the frame names; null when it names none.
  private @Nullable Chat chatOfHeader() {
    return UserId.isValid(header.chat())
        ? chatOf(header.chat(), header.has(FrameHeader.GROUP))
        : null;
  }

  private void tell(ConnectionState told) {
    io.onState(told);
    listen(() -> listener.onConnection(told));
  }

  /// Calls the listener where its failure changes nothing.
  private void listen(Runnable call) {
    try {
      call.run();
    } catch (RuntimeException e) {
      log.error("{}.{}: the listener failed", me, config.device(), e);
    }
  }

  /// Runs an input; what it throws (the store cannot keep a change, or a bug) stops the client.
  private void guarded(Runnable input) {
    try {
      input.run();
    } catch (RuntimeException e) {
      abort(e);
    }
  }

  private static ByteString wrap(byte[] bytes) {
    return UnsafeByteOperations.unsafeWrap(bytes);
  }

  private static String describe(Error error) {
    return new TernException(error.getCode(), 0, error.getDetail()).getMessage() + "";
  }
}

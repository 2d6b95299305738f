package io.tern.client.core;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnsafeByteOperations;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientListener.ConnectionState;
import io.tern.client.ClientStore;
import io.tern.client.ClientStore.PendingSend;
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
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.ConnectReason;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Reauth;
import java.util.function.BooleanSupplier;
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
/// Here is the connection: when to open it, what ends it, what it says of itself; [Edges] are where
/// to, [Proof] is who it says it is, [Heartbeat] whether it is alive. [Sends] and [Entries] are the
/// two directions of messages, [Marks] are receipts and READ, [Questions] all other requests
/// ([Queries] and [Changes] make them), [Watching] is presence and typing, [Output] is what a pass
/// writes.
///
/// Bounds: `pendingSendsMax` sends of `pendingSendBytesMax` together, [#REQUESTS_MAX] questions,
/// [#BEHIND_MAX] entries behind a hole; per chat one object. What is over a bound is refused with
/// QUOTA, or, for entries, read again.
public final class ClientCore {

  /// Questions (history, chats) without an answer.
  public static final int REQUESTS_MAX = 64;

  /// Entries kept of those that came behind a hole, per chat.
  public static final int BEHIND_MAX = 32;

  /// "Never", for deadlines.
  public static final long NEVER = Long.MAX_VALUE;

  private static final Logger log = LoggerFactory.getLogger(ClientCore.class);

  /// 10 s for TCP, which the link watches, and 30 s for a TLS handshake, which a server that
  /// thousands come back to may let wait for its turn [TERN-2-5].
  private static final long CONNECT_MILLIS_MAX = 40_000;

  private static final long HELLO_MILLIS_MAX = 10_000;
  static final long ANSWER_MILLIS_MAX = 30_000;

  /// A session that held this long counts as a success: back-off starts again.
  private static final long STABLE_MILLIS = 10_000;

  private static final long NETWORK_CHANGE_MILLIS_MAX = 1_000;

  private static final long GRACE_MILLIS_MAX = 60_000;
  private static final int PROTOCOL_FAILURES_MAX = 3;

  private enum State {
    NEW,
    WAITING,
    CONNECTING,
    HELLO,
    UP,
    REFUSED,
    CLOSED
  }

  final ClientConfig config;
  final ClientListener listener;
  private final ClientIo io;
  final RandomGenerator random;
  final ClientStore store;
  final UserId me;

  private final LongMap<Chat> chats = new LongMap<>();
  final FrameHeader header = new FrameHeader();
  final BodyReader body = new BodyReader(Unpooled.EMPTY_BUFFER);
  final Backoff backoff = new Backoff();
  private final Heartbeat heartbeat;

  private State state = State.NEW;
  private boolean isEnding;

  // ---- connection

  private long retryAt = NEVER;
  private long phaseDeadline = NEVER;
  private long upSince;
  private ConnectReason reason = ConnectReason.CONNECT_REASON_START;
  private int protocolFailures;
  private final Proof proof;
  private ClientActivity activity;

  /// What the server has been told on this connection.
  private ClientActivity toldActivity;

  private final Edges edges;

  /// When the server said to come back; -1: it said nothing.
  private long hintMinMillis = -1;

  private long hintMaxMillis = -1;
  private long hintUntil;

  /// After GOAWAY: no new sends; the connection ends when all is answered, or then.
  private long drainDeadline = NEVER;

  // ---- the parts

  final Output out;
  final Questions questions = new Questions(this);
  final Sends sends = new Sends(this);
  final Entries entries = new Entries(this);
  final Marks marks = new Marks(this);
  private final Queries queries = new Queries(this);
  private final Changes changes = new Changes(this);
  private final Watching watching = new Watching(this);

  /// When the pass at hand ends, or the last one did.
  long passMillis;

  public ClientCore(
      ClientConfig config, ClientListener listener, ClientIo io, RandomGenerator random) {
    this.config = config;
    activity = config.activity();
    toldActivity = activity;
    this.listener = listener;
    this.io = io;
    this.random = random;
    this.store = config.store();
    this.me = config.user();
    this.out = new Output(io, store);
    this.edges = new Edges(config.edges());
    this.proof = new Proof(store, config.token());
    this.heartbeat = new Heartbeat(config.ping().toMillis());
  }

  // ==== inputs

  /// Reads the store and starts to connect.
  public void start(long now) {
    assert state == State.NEW;
    guarded(() -> {
      proof.start();
      for (PendingSend pending : store.pendingSends()) {
        sends.restore(chat(pending.chat()), pending);
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
    } catch (Throwable e) {
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
    if (isEnding || (out.isEmpty() && state != State.UP && state != State.HELLO)) {
      return;
    }
    isEnding = true;
    try {
      flush(now);
    } catch (Throwable e) {
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

  /// Numbers and keeps a send; it goes out with this pass if the window is open.
  public void send(long now, ChatId chatId, Content content, SendCallback callback) {
    if (state == State.CLOSED) {
      sends.refuse(callback, chatId, ErrorCode.TIMEOUT, "the client is closed");
    } else if (sends.pending() >= config.pendingSendsMax()) {
      sends.refuse(callback, chatId, ErrorCode.QUOTA, "too many sends without an answer");
    } else if (content.getBody().size() > sends.bodyBytesMax()) {
      sends.refuse(
          callback, chatId, ErrorCode.BODY_TOO_LARGE, "over " + sends.bodyBytesMax() + " bytes");
    } else if (content.getMentionsCount() > Limits.MENTIONS_MAX) {
      sends.refuse(
          callback, chatId, ErrorCode.ARGUMENT, "over " + Limits.MENTIONS_MAX + " mentions");
    } else if (content.getPreview().getSerializedSize() > Limits.LINK_PREVIEW_BYTES_MAX) {
      sends.refuse(
          callback,
          chatId,
          ErrorCode.ARGUMENT,
          "a link preview of over " + Limits.LINK_PREVIEW_BYTES_MAX + " bytes");
    } else if (FrameOut.sendBytesMax(content.getSerializedSize()) > Limits.FRAME_BYTES_MAX) {
      sends.refuse(callback, chatId, ErrorCode.BODY_TOO_LARGE, "it fits no frame");
    } else if (sends.pendingBytes() + content.getSerializedSize() > config.pendingSendBytesMax()) {
      sends.refuse(
          callback,
          chatId,
          ErrorCode.QUOTA,
          "over " + config.pendingSendBytesMax() + " bytes of sends without an answer");
    } else {
      try {
        sends.accept(chat(chatId), content.toByteArray(), callback);
      } catch (Throwable e) {
        sends.refuse(callback, chatId, ErrorCode.INTERNAL, "the store cannot keep it");
        abort(e);
      }
    }
  }

  /// Everything up to `seq` has been read.
  public void read(long now, ChatId chatId, long seq) {
    if (state == State.CLOSED) {
      return;
    }
    marks.read(chat(chatId), seq);
  }

  /// Whether a person is looking: how eagerly the server and this client work.
  public void setActivity(long now, ClientActivity value) {
    if (activity != value) {
      activity = value;
      entries.hurryAcks(now);
      if (state == State.UP) {
        writeClientState();
      }
    }
  }

  /// A token that is newer than the session's, for a session that outlives its token.
  public void reauth(long now, byte[] token) {
    if (state == State.UP) {
      writeReauth(token);
    } else {
      proof.offer(token);
    }
  }

  private void writeReauth(byte[] token) {
    proof.use(token);
    out.write(
        FrameType.REAUTH, Reauth.newBuilder().setToken(Proof.wrap(token)).build().toByteArray());
  }

  /// Asks something, by [#queries] or [#changes]. What waits for a connection, or to be asked
  /// again, is dropped when `isGivenUp` says that nobody wants to know.
  public void ask(BooleanSupplier isGivenUp, Runnable question) {
    questions.ask(isGivenUp, question);
  }

  /// What the app may ask.
  public Queries queries() {
    return queries;
  }

  /// What the app may change.
  public Changes changes() {
    return changes;
  }

  /// Presence and typing.
  public Watching watching() {
    return watching;
  }

  /// The device has changed to another network: the connection, if there is one, is dead. Tries
  /// again within a second.
  public void networkChanged(long now) {
    if (state == State.CONNECTING || state == State.HELLO || state == State.UP) {
      dropConnection();
    }
    if (state != State.CLOSED && state != State.NEW && state != State.REFUSED) {
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
        entries.writeAcks();
        marks.writeReads(now);
        out.write(FrameType.BYE, NO_BODY);
        if (out.flush()) {
          heartbeat.onWrite(now);
        }
      } catch (RuntimeException e) {
        log.warn("{}: at closing", this, e);
      }
    }
    shutDown(new ConnectionState.Closed(), State.CLOSED);
    TernException unknown =
        new TernException(ErrorCode.TIMEOUT, 0, "the client was closed before the answer");
    sends.refuseAll(chats, unknown);
    questions.refuseAll(unknown);
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

  /// HELLO has gone out and has no answer yet.
  boolean isGreeting() {
    return state == State.HELLO;
  }

  boolean isActive() {
    return activity == ClientActivity.CLIENT_ACTIVITY_ACTIVE;
  }

  /// The server goes away: no new sends and questions on this connection.
  boolean isDraining() {
    return drainDeadline != NEVER;
  }

  /// Sends without an answer.
  public int pendingSends() {
    return sends.pending();
  }

  /// Seq up to which every entry of the chat has been stored; -1 when nothing is known of it.
  public long position(ChatId chatId) {
    return chat(chatId).position;
  }

  // ==== connection

  private void connect(long now) {
    state = State.CONNECTING;
    retryAt = NEVER;
    phaseDeadline = now + CONNECT_MILLIS_MAX;
    tell(new ConnectionState.Connecting(backoff.failures()));
    if (state == State.CONNECTING) {
      io.connect(edges.current());
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
    toldActivity = activity;
    proof.putInto(hello, now);
    ByteBuf buf = out.buffer();
    buf.writeInt(Limits.PREFACE);
    out.write(FrameType.HELLO, hello.build().toByteArray());
    sends.onHello();
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
    backoff.configure(ack.getBackoff().getBaseMs(), ack.getBackoff().getCapMs());
    heartbeat.configure(ack.getPingS(), ack.getIdleS());
    sends.onHelloAck(now, ack.getLimits());
    entries.onHelloAck();
    marks.onHelloAck();
    watching.onHelloAck(now);
    edges.learn(ack.getEdgesList(), false);
    proof.onHelloAck(ack, now);
    byte[] offered = proof.takeOffered();
    if (offered != null) {
      writeReauth(offered);
    }
    if (activity != toldActivity) {
      // It changed while HELLO was under way.
      writeClientState();
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
      edges.next();
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
    out.discard();
    phaseDeadline = NEVER;
    drainDeadline = NEVER;
    sends.onDisconnected();
    entries.onDisconnected();
    questions.onDisconnected();
  }

  /// Drops the connection and tries again, as if it had been lost.
  void dropAndRetry(long now, String why) {
    io.disconnect();
    lostConnection(now, why);
  }

  void onProtocolFailure(long now, String why) {
    log.warn("{}: {}", this, why);
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

  private void abort(Throwable e) {
    log.error("{}: stopped", this, e);
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
    edges.learn(goAway.getEdgesList(), true);
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
      if (header.rid() < Questions.FIRST_RID) {
        sends.onError(now, error);
      } else {
        questions.onError(now, error);
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
          log.debug("{}: {}", this, describe(error));
        }
      }
    }
  }

  private void onIdentity(long now, int code, String detail) {
    ErrorCode known = ErrorCode.of(code);
    if (state == State.HELLO && proof.isCuredByToken(known)) {
      dropConnection();
      connect(now);
      return;
    }
    if (state == State.UP && known == ErrorCode.TOKEN_EXPIRED) {
      // Of this session: the newest token may be one that it has not seen. HELLO shows it, and is
      // answered.
      proof.forgetTicket();
      dropAndRetry(now, detail);
    } else if (known == ErrorCode.TOKEN_EXPIRED && proof.hasNewerToken()) {
      dropConnection();
      connect(now);
    } else {
      refuseFor(code, detail);
    }
  }

  // ==== timers

  private long upDeadline() {
    long at = Math.min(heartbeat.deadline(), drainDeadline);
    at = Math.min(at, Math.min(sends.deadline(), questions.deadline()));
    at = Math.min(at, watching.deadline());
    return Math.min(at, Math.min(entries.deadline(), marks.deadline()));
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
    if (sends.isAnswerLate(now) || questions.isAnswerLate(now)) {
      dropAndRetry(now, "no answer in time");
      return;
    }
    switch (heartbeat.onTimer(now)) {
      case NOTHING -> {}
      case PING -> out.write(FrameType.PING, NO_BODY);
      case DEAD -> dropAndRetry(now, "the connection is dead");
    }
  }

  // ==== frames in

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
      case SENT -> sends.onSent(now, in);
      case DELIVER -> entries.onDeliver(now, in);
      case RECEIPT -> marks.onReceipt(now, in);
      case HELLO_ACK -> onHelloAck(now, in);
      case ERROR -> onError(now, in);
      case GOAWAY -> onGoAway(now, in);
      case PING -> {
        byte[] echo = new byte[header.bodyBytes()];
        in.getBytes(in.readerIndex(), echo);
        out.write(FrameType.PONG, echo);
      }
      case PONG -> onPong();
      case CATCH_UP_PAGE -> entries.onCatchUpPage(in);
      case HISTORY_PAGE,
          CHATS_PAGE,
          CHAT_INFO_PAGE,
          ENTRY_INFO_PAGE,
          GROUP_CREATED,
          GROUP_EDITED,
          SETTINGS_SET,
          PRESENCE_PAGE,
          DEVICES_PAGE,
          DEVICE_REMOVED ->
          questions.onReply(now, type, in);
      case TYPING_PUSH -> watching.onTyping(in);
      case PRESENCE -> watching.onPresence(now, in);
      case RESET -> entries.onReset(now);
      case BEHIND -> entries.hurryAcks(now);
      default -> log.debug("{}: {} is not for this version", this, type);
    }
  }

  ByteString bodyOf(ByteBuf in) {
    byte[] bytes = new byte[header.bodyBytes()];
    in.getBytes(in.readerIndex(), bytes);
    return UnsafeByteOperations.unsafeWrap(bytes);
  }

  private void onPong() {
    if (heartbeat.onPong()) {
      writeClientState();
    }
    marks.onPong(heartbeat.pingedAt());
  }

  static @Nullable UserId userOf(long value) {
    return UserId.isValid(value) ? new UserId(value) : null;
  }

  // ==== receiving

  boolean isConnected() {
    return state == State.CONNECTING || state == State.HELLO || state == State.UP;
  }

  void learnFrom(ChatItem item) {
    if (!UserId.isValid(item.getChat())) {
      return;
    }
    Chat chat = chatOf(item.getChat(), item.getGroup());
    if (!chat.numbered && chat.inFlight == 0) {
      sends.number(chat, item.getLastCsn());
    }
    marks.merge(chat, me.value(), item.getDelivered(), item.getRead());
    if (item.getGroup()) {
      marks.merge(chat, 0, item.getAllDelivered(), item.getAllRead());
    } else {
      marks.merge(chat, 0, item.getPeerDelivered(), item.getPeerRead());
    }
  }

  // ==== frames out

  private void flush(long now) {
    passMillis = now;
    if (state == State.UP) {
      entries.write(now);
      marks.writeReads(now);
      watching.write(now);
    }
    if (state == State.UP || state == State.HELLO) {
      if (sends.hasWaiting()) {
        sends.write(now);
      }
      if (!questions.isEmpty() && !isDraining()) {
        questions.write(now);
      }
    }
    if (out.flush()) {
      heartbeat.onWrite(now);
    }
    if (state == State.UP && isDraining() && !sends.hasInFlight()) {
      dropAndRetry(now, "the server goes away");
    }
  }

  private void writeClientState() {
    toldActivity = activity;
    out.write(
        FrameType.CLIENT_STATE,
        ClientState.newBuilder()
            .setState(activity)
            .setPingS(heartbeat.pingSeconds())
            .build()
            .toByteArray());
  }

  // ==== small things

  Chat chat(ChatId id) {
    long wireId = id.wireId(me);
    Chat chat = chats.get(Chat.keyOf(wireId, id.isGroup()));
    return chat == null ? addChat(id, wireId) : chat;
  }

  Chat chatOf(long wireId, boolean group) {
    Chat chat = chats.get(Chat.keyOf(wireId, group));
    return chat == null ? addChat(ChatId.fromWire(me, wireId, group), wireId) : chat;
  }

  private Chat addChat(ChatId id, long wireId) {
    var chat = new Chat(id, wireId, store.position(id), store.lastCsn(id));
    chats.put(Chat.keyOf(wireId, id.isGroup()), chat);
    return chat;
  }

  /// The chat that the frame names; null when it names none.
  @Nullable Chat chatOfHeader() {
    return UserId.isValid(header.chat())
        ? chatOf(header.chat(), header.has(FrameHeader.GROUP))
        : null;
  }

  private void tell(ConnectionState told) {
    io.onState(told);
    listen(() -> listener.onConnection(told));
  }

  /// Calls the listener where its failure changes nothing.
  void listen(Runnable call) {
    try {
      call.run();
    } catch (Throwable e) {
      // Any: Kotlin has no checked exceptions, and an app's missing class is an Error.
      log.error("{}: the listener failed", this, e);
    }
  }

  /// Runs an input; what it throws (the store cannot keep a change, or a bug) stops the client.
  private void guarded(Runnable input) {
    try {
      input.run();
    } catch (Throwable e) {
      abort(e);
    }
  }

  /// Who this is, for logs.
  @Override
  public String toString() {
    return me + "." + config.device();
  }

  private static String describe(Error error) {
    return new TernException(error.getCode(), 0, error.getDetail()).getMessage() + "";
  }
}

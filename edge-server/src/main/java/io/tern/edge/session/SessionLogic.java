package io.tern.edge.session;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Parser;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.tern.edge.config.LimitsConfig;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.Prescan;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Backoff;
import io.tern.protocol.v1.Bye;
import io.tern.protocol.v1.CatchUpPage;
import io.tern.protocol.v1.ChatDue;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.Reauth;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Sent;
import io.tern.protocol.v1.SessionLimits;
import io.tern.protocol.v1.Typing;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.router.Directory;
import io.tern.router.EdgeId;
import io.tern.router.Origin;
import io.tern.router.Readers;
import io.tern.router.catchup.CatchUp;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// A device's connection, from its first byte to its last. Confined to one event loop; time comes
/// with each call, as monotonic nanoseconds.
///
/// ```
/// PREFACE --4 bytes--> HELLO --HELLO--> IDENTIFYING --verify, enrol, attach--> LIVE
///    |                   |                   |                                   |
///    +-------------------+----- refused -----+------ farewell ------> CLOSING <--+
///                                                                        |
///                                               connection gone ---> CLOSED
/// ```
///
/// **Input** comes as bytes. What is not a whole frame, and a frame that has to wait, stays in the
/// shell's buffer and is offered again: there is no queue here. A frame waits (it is *held*) while
/// the HELLO before it is not answered, while too many sends or questions are under way, while a
/// ring or the socket is full, and while a recipient is looked up. The shell stops reading the
/// socket meanwhile ([#wantsInput]), so the wait reaches the client as TCP back-pressure.
///
/// **Output** has no queue either. A live entry that finds the window or the socket full is dropped
/// and its chat is caught up from the store later ([CatchUp]); receipts merge by max; typing is
/// dropped.
///
/// Bounds: `sendsInFlightMax` sends, [#QUESTIONS_MAX] questions, a window of `windowEntries` and
/// `windowBytes`, [HeldReceipts#PLACES_MAX] merged receipts; one page of catch-up under way.
/// Everything but two objects is created when needed and let go when empty.
public final class SessionLogic {

  /// Questions to the readers that one session may have under way; more are held.
  static final int QUESTIONS_MAX = 4;

  /// What SEND's body may have besides the message: csn, mentions, lengths, future fields.
  private static final int SEND_OVERHEAD = 1024;

  /// Smallest frame limit a client may ask for: any message must fit.
  private static final int FRAME_BYTES_MIN = Limits.BODY_BYTES_MAX + 4096;

  private static final int PING_SECONDS_MIN = 5;
  private static final int PING_SECONDS_MAX = 1200;

  private static final long BUSY_MILLIS = 20;
  private static final long RING_RETRY_MILLIS = 5;
  private static final long READERS_RETRY_MILLIS = 50;

  /// How many times over its budget a session is cut rather than slowed.
  private static final int FLOW_FACTOR = 10;

  /// How long a farewell may take to reach a client that reads.
  private static final Duration LINGER = Duration.ofMillis(700);

  private static final byte[] NO_BODY = {};

  enum State {
    PREFACE,
    HELLO,
    IDENTIFYING,
    LIVE,
    CLOSING,
    CLOSED
  }

  private final long id;
  private final EdgeContext edge;
  private final SessionHost host;
  private final Sampler sampler;

  private State state = State.PREFACE;
  private @Nullable DeviceId device;
  private @Nullable Attachment attachment;

  /// Handshake and farewell: when the state must have been left.
  private long deadline;

  /// When the frame that has begun must be complete; 0 when none has.
  private long frameDeadline;

  private long lastInput;
  private int pingSeconds;
  private int frameBytesMax = Limits.FRAME_BYTES_MAX;

  /// Wall-clock time at which the proof of identity runs out.
  private long identityUntilMillis;

  private long sendBudget;
  private long cheapBudget;

  /// The socket is not read before this; 0 when it may be.
  private long slowedUntil;

  private boolean held;
  private boolean inputStopped;
  private boolean resumed;
  private boolean pageAsked;
  private boolean behindTold;
  private boolean catchUpHasRid;
  private byte questions;
  private int sendsInFlight;

  /// A recipient who does not exist, as a reader just found; 0 for none.
  private long absentUser;

  /// When the socket was first found full; 0 while it is not.
  private long stalledSince;

  private int catchUpRid;
  private int reservedEntries;
  private int reservedBytes;
  private int windowEntries;
  private @Nullable CatchUp catchUp;
  private @Nullable Window window;
  private @Nullable HeldReceipts heldReceipts;

  /// Chats of entries that came between the route and its answer.
  private @Nullable Set<ChatId> earlyChats;

  /// @param id this edge's number of the session, for routes and answers
  /// @param sampler of the event loop
  public SessionLogic(long id, EdgeContext edge, SessionHost host, Sampler sampler, long now) {
    this.id = id;
    this.edge = edge;
    this.host = host;
    this.sampler = sampler;
    this.lastInput = now;
    this.deadline = now + edge.limits().helloTimeout().toNanos();
    this.windowEntries = edge.limits().windowEntries();
  }

  public long id() {
    return id;
  }

  /// Who this is; null before LIVE.
  public @Nullable DeviceId device() {
    return isLive() ? device : null;
  }

  /// Whether HELLO has been answered and the session has not ended.
  public boolean isLive() {
    return state == State.LIVE;
  }

  public boolean isClosing() {
    return state == State.CLOSING || state == State.CLOSED;
  }

  /// Whether a complete frame waits in the shell's buffer.
  public boolean isHeld() {
    return held;
  }

  /// Whether the socket should be read.
  ///
  /// @param heldBytes what the shell keeps for this session
  public boolean wantsInput(int heldBytes, long now) {
    if (inputStopped) {
      return state == State.CLOSING;
    }
    return switch (state) {
      case PREFACE, HELLO, CLOSING -> true;
      case IDENTIFYING -> heldBytes < Limits.EARLY_BYTES_MAX;
      case LIVE -> !held && now >= slowedUntil;
      case CLOSED -> false;
    };
  }

  // ---- input -----------------------------------------------------------------------------------

  /// Takes complete frames off `in`, whose ownership stays with the caller; what is left is to be
  /// offered again, with more behind it or after [SessionHost#onInputChanged].
  ///
  /// @param header scratch space of the event loop
  public void onInput(ByteBuf in, FrameHeader header, long now) {
    if (!in.isReadable()) {
      return;
    }
    if (inputStopped && !isClosing()) {
      return;
    }
    lastInput = now;
    if (state == State.PREFACE && !takePreface(in)) {
      return;
    }
    held = false;
    while (in.isReadable() && !isClosing()) {
      if (state == State.IDENTIFYING) {
        frameDeadline = 0;
        return;
      }
      int start = in.readerIndex();
      int max = state == State.HELLO ? Limits.FRAME_BYTES_BEFORE_HELLO_MAX : Limits.FRAME_BYTES_MAX;
      switch (FrameReader.read(in, max, header)) {
        case FRAME -> {
          int end = in.readerIndex() + header.bodyBytes();
          frameDeadline = 0;
          held = !onFrame(header, in, now);
          if (isClosing()) {
            break;
          }
          in.readerIndex(held ? start : end);
          if (held) {
            edge.counters().add(Count.FRAMES_HELD);
            return;
          }
          edge.counters().add(Count.FRAMES_IN);
        }
        case INCOMPLETE -> {
          if (frameDeadline == 0) {
            frameDeadline = now + edge.limits().frameTimeout().toNanos();
          }
          return;
        }
        case MALFORMED -> close(CloseReason.MALFORMED, "frame header", now);
        case TOO_LARGE -> close(CloseReason.FRAME_TOO_LARGE, "over " + max, now);
      }
    }
    if (isClosing()) {
      in.skipBytes(in.readableBytes());
    }
  }

  /// Checks the first bytes one by one, so that a stranger is sent away at its first wrong one.
  private boolean takePreface(ByteBuf in) {
    int bytes = Math.min(in.readableBytes(), Limits.PREFACE_BYTES);
    for (int i = 0; i < bytes; i++) {
      byte expected = (byte) (Limits.PREFACE >>> (24 - 8 * i));
      if (in.getByte(in.readerIndex() + i) != expected) {
        in.skipBytes(in.readableBytes());
        close(CloseReason.NOT_TERN, "preface", lastInput);
        return false;
      }
    }
    if (bytes < Limits.PREFACE_BYTES) {
      return false;
    }
    in.skipBytes(Limits.PREFACE_BYTES);
    state = State.HELLO;
    return true;
  }

  /// Handles one frame; `in` stands at its body. False: not now, offer it again.
  private boolean onFrame(FrameHeader header, ByteBuf in, long now) {
    FrameType type = FrameType.of(header.type());
    if (state == State.HELLO && type != FrameType.HELLO) {
      close(CloseReason.UNEXPECTED, "frame before HELLO", now);
      return true;
    }
    if (type == null) {
      onUnknown(header, now);
      return true;
    }
    if (!type.isFromClient() || (type == FrameType.HELLO && state != State.HELLO)) {
      close(CloseReason.UNEXPECTED, type + " from a client", now);
      return true;
    }
    if (!type.acceptsFlags(header.flags())) {
      close(CloseReason.MALFORMED, type + " with flags " + header.flags(), now);
      return true;
    }
    switch (type) {
      case SEND -> {
        return onSend(header, in, now);
      }
      case ACK -> {
        return onAck(header, now);
      }
      case NACK -> {
        return onNack(header, in, now);
      }
      case READ -> {
        return onRead(header, now);
      }
      case PING -> {
        return onPing(header, in, now);
      }
      case HISTORY -> {
        return onHistory(header, in, now);
      }
      case CHATS -> {
        return onChats(header, in, now);
      }
      case CHAT_INFO -> {
        return onChatInfo(header, in, now);
      }
      case CATCH_UP -> {
        return onCatchUp(header, in, now);
      }
      case HELLO -> onHello(header, in, now);
      case TYPING -> onTyping(header, in, now);
      case CLIENT_STATE -> onClientState(header, in, now);
      case REAUTH -> onReauth(header, in, now);
      case BYE -> onBye(header, in, now);
      // A sign of life, which any frame is.
      case PONG -> chargeCheap(now);
      case GROUP_CREATE,
          GROUP_EDIT,
          ENTRY_INFO,
          PRESENCE_SUB,
          SETTINGS,
          PUSH_REGISTER,
          DEVICES,
          DEVICE_REMOVE -> {
        chargeCheap(now);
        refuse(header.rid(), ErrorCode.UNSUPPORTED, 0, "not in this version", "");
      }
      case HELLO_ACK,
          GOAWAY,
          ERROR,
          SENT,
          CATCH_UP_PAGE,
          HISTORY_PAGE,
          CHATS_PAGE,
          CHAT_INFO_PAGE,
          GROUP_CREATED,
          GROUP_EDITED,
          ENTRY_INFO_PAGE,
          PRESENCE_PAGE,
          SETTINGS_SET,
          PUSH_REGISTERED,
          DEVICES_PAGE,
          DEVICE_REMOVED,
          DELIVER,
          RECEIPT,
          TYPING_PUSH,
          PRESENCE,
          RESET,
          BEHIND ->
          throw new IllegalStateException(type + " is for clients");
    }
    return true;
  }

  private void onUnknown(FrameHeader header, long now) {
    if (FrameType.isIgnorable(header.type())) {
      edge.counters().add(Count.FRAMES_IGNORED);
      chargeCheap(now);
    } else if (FrameType.isRequest(header.type()) && header.has(FrameHeader.RID)) {
      chargeCheap(now);
      refuse(header.rid(), ErrorCode.UNSUPPORTED, 0, "unknown type", "");
    } else {
      close(CloseReason.UNEXPECTED, "unknown type " + header.type(), now);
    }
  }

  // ---- handshake -------------------------------------------------------------------------------

  private void onHello(FrameHeader header, ByteBuf in, long now) {
    Hello hello = parse(FrameType.HELLO, Hello.parser(), header, in, now);
    if (hello == null) {
      return;
    }
    if (hello.getVerMin() > Limits.VERSION || hello.getVerMax() < Limits.VERSION) {
      close(CloseReason.VERSION, hello.getVerMin() + " to " + hello.getVerMax(), now);
      return;
    }
    int index = hello.getDevice();
    if (!DeviceId.isValid(index)) {
      close(CloseReason.TOKEN_INVALID, "device index", now);
      return;
    }
    int frameMax = hello.getMaxFrame();
    if (frameMax != 0 && Integer.compareUnsigned(frameMax, FRAME_BYTES_MIN) < 0) {
      close(CloseReason.MALFORMED, "max_frame under " + FRAME_BYTES_MIN, now);
      return;
    }
    if (frameMax != 0) {
      frameBytesMax =
          Integer.compareUnsigned(frameMax, Limits.FRAME_BYTES_NEGOTIABLE_MAX) > 0
              ? Limits.FRAME_BYTES_NEGOTIABLE_MAX
              : frameMax;
    }
    if (hello.getWindow() > 0) {
      windowEntries = Math.min(windowEntries, hello.getWindow());
    }
    setPing(hello.getPingS());
    state = State.IDENTIFYING;
    deadline = now + edge.limits().helloTimeout().toNanos();
    long began = now;
    byte[] token = hello.getToken().toByteArray();
    byte[] ticket = hello.getResume().toByteArray();
    if (ticket.length > 0) {
      edge.authenticator()
          .openTicket(
              ticket,
              hello.getCount(),
              identity -> {
                if (identity instanceof Authenticator.Refused && token.length > 0) {
                  verifyToken(token, index, began);
                } else {
                  host.execute(() -> onIdentity(identity, index, true, began));
                }
              });
    } else if (token.length > 0) {
      verifyToken(token, index, began);
    } else {
      close(CloseReason.IDENTITY_REQUIRED, "neither token nor ticket", now);
    }
  }

  private void verifyToken(byte[] token, int index, long began) {
    edge.authenticator()
        .verifyToken(
            token, identity -> host.execute(() -> onIdentity(identity, index, false, began)));
  }

  private void onIdentity(
      Authenticator.Identity identity, int index, boolean byTicket, long began) {
    if (state != State.IDENTIFYING) {
      return;
    }
    switch (identity) {
      case Authenticator.Refused(ErrorCode code, String detail) ->
          close(CloseReason.ofIdentity(code), detail, began);
      case Authenticator.Accepted accepted -> {
        if (accepted.device().index() != index) {
          close(CloseReason.TOKEN_INVALID, "another device", began);
          return;
        }
        device = accepted.device();
        identityUntilMillis = accepted.untilMillis();
        resumed = byTicket;
        if (byTicket) {
          // Whoever holds a ticket has been here before.
          attach(accepted, began);
        } else {
          enrol();
        }
      }
    }
  }

  /// Creates user and device where absent; the answer comes as a delivery.
  private void enrol() {
    DeviceId who = Objects.requireNonNull(device);
    if (!edge.commands().submit(new Command.Enrol(who), origin(0))) {
      edge.counters().add(Count.RINGS_FULL);
      close(CloseReason.BUSY, "ring full", lastInput);
    }
  }

  private void onEnrolled(Outcome outcome, long now) {
    if (state != State.IDENTIFYING || attachment != null) {
      return;
    }
    DeviceId who = Objects.requireNonNull(device);
    switch (outcome) {
      case Outcome.Enrolled enrolled ->
          attach(new Authenticator.Accepted(who, identityUntilMillis, 0), now);
      case Outcome.Refused(ErrorCode code, long csn, String detail) ->
          close(
              code == ErrorCode.REVOKED ? CloseReason.REVOKED : CloseReason.TOKEN_INVALID,
              code + " " + detail,
              now);
      case Outcome.Sent sent -> throw new IllegalStateException("enrol answered " + sent);
      case Outcome.Moved moved -> throw new IllegalStateException("enrol answered " + moved);
      case Outcome.Done d -> throw new IllegalStateException("enrol answered " + d);
    }
  }

  private void attach(Authenticator.Accepted identity, long began) {
    edge.knownUsers().add(identity.device().user().value());
    var attaching = edge.directory().attach(identity.device(), edge.edge(), id);
    if (attaching.isDone() && !attaching.isCompletedExceptionally()) {
      onAttached(identity, attaching.join(), null, began);
    } else {
      attaching.whenComplete((attached, failure) ->
          host.execute(() -> onAttached(identity, attached, failure, began)));
    }
  }

  private void onAttached(
      Authenticator.Accepted identity,
      Directory.@Nullable Attached attached,
      @Nullable Throwable failure,
      long began) {
    if (attached == null || failure != null) {
      close(CloseReason.BUSY, "directory: " + failure, began);
      return;
    }
    if (state != State.IDENTIFYING) {
      edge.directory().detach(attached.now(), null);
      return;
    }
    attachment = attached.now();
    Attachment replaced = attached.replaced();
    if (replaced != null) {
      edge.counters().add(Count.TAKEOVERS);
      edge.relay().tell(replaced.edge(), new Delivery.Replaced(replaced));
    }
    CatchUp behind = startCatchUp();
    behind.startAll(attached.news());
    Set<ChatId> early = earlyChats;
    if (early != null) {
      earlyChats = null;
      early.forEach(behind::start);
    }
    state = State.LIVE;
    edge.counters().add(Count.HELLOS);
    if (resumed) {
      edge.counters().add(Count.HELLOS_RESUMED);
    }
    long now = edge.nanoTime().getAsLong();
    edge.stages().took(StageWatch.Stage.HELLO, now - began);
    host.write(FrameType.HELLO_ACK, 0, 0, 0, 0, helloAck(identity, attached.now()));
    advance();
    host.onInputChanged();
  }

  private byte[] helloAck(Authenticator.Accepted identity, Attachment route) {
    LimitsConfig limits = edge.limits();
    return HelloAck.newBuilder()
        .setVer(Limits.VERSION)
        .setSession(id)
        .setEpoch(route.epoch())
        .setResumed(resumed)
        .setNowMs(edge.wallMillis().getAsLong())
        .setResume(ByteString.copyFrom(edge.authenticator().sealTicket(identity)))
        .setResumeTtlS(edge.authenticator().ticketSeconds(identity))
        .setLimits(
            SessionLimits.newBuilder()
                .setMaxFrame(Limits.FRAME_BYTES_MAX)
                .setBodyBytes(Limits.BODY_BYTES_MAX)
                .setInFlight(limits.sendsInFlightMax())
                .setSendsPerS(limits.sendRate())
                .setSendsBurst(limits.sendRate() == 0 ? 0 : limits.sendBurst())
                .setWindow(windowEntries)
                .setWindowBytes(limits.windowBytes()))
        .setBackoff(Backoff.newBuilder().setBaseMs(500).setCapMs(120_000))
        .setPingS(pingSeconds)
        .setIdleS(idleSeconds())
        .setUser(identity.device().user().value())
        .setDevice(identity.device().index())
        .build()
        .toByteArray();
  }

  private void setPing(int wanted) {
    int seconds = wanted == 0 ? (int) edge.limits().ping().toSeconds() : wanted;
    // A number over 31 bits is a very long wish.
    pingSeconds =
        seconds < 0 ? PING_SECONDS_MAX : Math.clamp(seconds, PING_SECONDS_MIN, PING_SECONDS_MAX);
  }

  private int idleSeconds() {
    return pingSeconds + pingSeconds / 2 + 10;
  }

  // ---- frames of a live session ----------------------------------------------------------------

  private boolean onSend(FrameHeader header, ByteBuf in, long now) {
    LimitsConfig limits = edge.limits();
    int rid = header.rid();
    if (sendsInFlight >= limits.sendsInFlightMax() || !host.isWritable()) {
      return false;
    }
    if (header.has(FrameHeader.GROUP)) {
      refuse(rid, ErrorCode.UNSUPPORTED, 0, "groups are not in this version", "");
      return chargeCheap(now);
    }
    if (!UserId.isValid(header.chat())) {
      refuse(rid, ErrorCode.ARGUMENT, 0, "", "chat");
      return chargeCheap(now);
    }
    if (header.bodyBytes() > Limits.BODY_BYTES_MAX + SEND_OVERHEAD) {
      refuse(rid, ErrorCode.BODY_TOO_LARGE, 0, "", "body");
      return chargeCheap(now);
    }
    if (limits.sendRate() > 0) {
      long overdraft = Budget.overdraft(sendBudget, now, limits.sendRate(), limits.sendBurst());
      if (overdraft > 0) {
        refuse(rid, ErrorCode.RATE, overdraft / 1_000_000 + 1, "", "");
        return chargeCheap(now);
      }
    }
    if (!edge.knownUsers().contains(header.chat())) {
      if (absentUser != header.chat()) {
        return lookUpUser(header.chat());
      }
      absentUser = 0;
      chargeSend(now);
      refuse(rid, ErrorCode.NOT_FOUND, 0, "", "chat");
      return true;
    }
    chargeSend(now);
    byte[] body = ByteBufUtil.getBytes(in, in.readerIndex(), header.bodyBytes(), true);
    DeviceId who = Objects.requireNonNull(device);
    var send = new Command.Send(who, ChatId.direct(who.user(), new UserId(header.chat())), body);
    if (edge.commands().submit(send, origin(rid))) {
      sendsInFlight++;
      edge.counters().add(Count.SENDS);
      sampler.onSend(id, rid, now);
    } else {
      edge.counters().add(Count.RINGS_FULL);
      refuse(rid, ErrorCode.BUSY, BUSY_MILLIS, "ring full", "");
      slowDown(now, BUSY_MILLIS);
    }
    return true;
  }

  private void chargeSend(long now) {
    if (edge.limits().sendRate() > 0) {
      sendBudget = Budget.charge(sendBudget, now, edge.limits().sendRate());
    }
  }

  /// Holds the frame until a reader has said whether the user exists.
  private boolean lookUpUser(long user) {
    var id = new UserId(user);
    boolean asked =
        ask(
            shards -> Reads.userExists(shards.of(Slots.of(id)), id),
            exists -> {
              if (exists) {
                edge.knownUsers().add(user);
              } else {
                absentUser = user;
              }
              unhold();
            },
            this::unhold);
    if (!asked) {
      host.wakeIn(READERS_RETRY_MILLIS);
    }
    return false;
  }

  /// The device could not use the entry: for the server that is an acknowledgement like another.
  private boolean onNack(FrameHeader header, ByteBuf in, long now) {
    if (!isSound(FrameType.NACK, header, in, now)) {
      return true;
    }
    edge.counters().add(Count.NACKS);
    return onAck(header, now);
  }

  private boolean onAck(FrameHeader header, long now) {
    ChatId chat = chatOfPosition(header, now);
    if (chat == null) {
      return true;
    }
    long seq = header.seq();
    if (!edge.commands()
        .submit(new Command.Ack(Objects.requireNonNull(device), chat, seq), origin(0))) {
      return retryRing();
    }
    edge.counters().add(Count.ACKS);
    int released = window == null ? 0 : window.acknowledge(chat, seq);
    if (released == 0) {
      return chargeCheap(now);
    }
    sampler.onAck(id, chat, seq, now);
    if (catchUp != null) {
      advance();
    }
    return true;
  }

  private boolean onRead(FrameHeader header, long now) {
    ChatId chat = chatOfPosition(header, now);
    if (chat == null) {
      return true;
    }
    if (!edge.commands()
        .submit(new Command.Read(Objects.requireNonNull(device), chat, header.seq()), origin(0))) {
      return retryRing();
    }
    edge.counters().add(Count.READS);
    return chargeCheap(now);
  }

  private boolean retryRing() {
    edge.counters().add(Count.RINGS_FULL);
    host.wakeIn(RING_RETRY_MILLIS);
    return false;
  }

  /// The chat of a frame that must name a position in it; null after closing.
  private @Nullable ChatId chatOfPosition(FrameHeader header, long now) {
    if (!UserId.isValid(header.chat()) || header.seq() <= 0) {
      close(CloseReason.MALFORMED, "no such position", now);
      return null;
    }
    return ChatId.fromWire(
        Objects.requireNonNull(device).user(), header.chat(), header.has(FrameHeader.GROUP));
  }

  private boolean onPing(FrameHeader header, ByteBuf in, long now) {
    if (!host.isWritable()) {
      return false;
    }
    if (isSound(FrameType.PING, header, in, now)) {
      host.write(
          FrameType.PONG,
          0,
          0,
          0,
          0,
          ByteBufUtil.getBytes(in, in.readerIndex(), header.bodyBytes(), true));
      chargeCheap(now);
    }
    return true;
  }

  private void onClientState(FrameHeader header, ByteBuf in, long now) {
    ClientState state = parse(FrameType.CLIENT_STATE, ClientState.parser(), header, in, now);
    if (state != null) {
      chargeCheap(now);
      if (state.getPingS() != 0) {
        setPing(state.getPingS());
      }
    }
  }

  private void onBye(FrameHeader header, ByteBuf in, long now) {
    Bye bye = parse(FrameType.BYE, Bye.parser(), header, in, now);
    if (bye != null) {
      close(CloseReason.SAID_GOODBYE, bye.getLogout() ? "logout" : "", now);
    }
  }

  private void onReauth(FrameHeader header, ByteBuf in, long now) {
    Reauth reauth = parse(FrameType.REAUTH, Reauth.parser(), header, in, now);
    if (reauth == null || !chargeCheap(now)) {
      return;
    }
    edge.authenticator()
        .verifyToken(
            reauth.getToken().toByteArray(),
            identity -> host.execute(() -> onReidentified(identity, now)));
  }

  private void onReidentified(Authenticator.Identity identity, long now) {
    if (state != State.LIVE) {
      return;
    }
    switch (identity) {
      case Authenticator.Refused(ErrorCode code, String detail) ->
          close(CloseReason.ofIdentity(code), detail, now);
      case Authenticator.Accepted accepted -> {
        if (accepted.device().equals(device)) {
          identityUntilMillis = Math.max(identityUntilMillis, accepted.untilMillis());
        } else {
          close(CloseReason.TOKEN_INVALID, "another device", now);
        }
      }
    }
  }

  /// Typing goes from session to session and is kept nowhere.
  private void onTyping(FrameHeader header, ByteBuf in, long now) {
    Typing typing = parse(FrameType.TYPING, Typing.parser(), header, in, now);
    if (typing == null) {
      return;
    }
    if (!UserId.isValid(header.chat())) {
      close(CloseReason.MALFORMED, "no such chat", now);
      return;
    }
    if (!chargeCheap(now) || header.has(FrameHeader.GROUP)) {
      return;
    }
    UserId user = Objects.requireNonNull(device).user();
    var peer = new UserId(header.chat());
    boolean on = typing.getOn();
    boolean asked =
        !peer.equals(user)
            && ask(
                shards -> edge.directory().lookup(List.of(peer)).getFirst().sessions(),
                sessions -> forwardTyping(ChatId.direct(user, peer), user, on, sessions),
                () -> edge.counters().add(Count.TYPING_DROPPED));
    if (!asked) {
      edge.counters().add(Count.TYPING_DROPPED);
    }
  }

  private void forwardTyping(ChatId chat, UserId user, boolean on, List<Attachment> sessions) {
    var byEdge = new LinkedHashMap<EdgeId, List<Attachment>>();
    for (Attachment session : sessions) {
      byEdge.computeIfAbsent(session.edge(), e -> new ArrayList<>(2)).add(session);
    }
    byEdge.forEach(
        (to, those) -> edge.relay().tell(to, new Delivery.Typing(chat, user, on, those)));
    edge.counters().add(Count.TYPING_FORWARDED, sessions.size());
  }

  // ---- requests --------------------------------------------------------------------------------

  private boolean onHistory(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    History request = request(FrameType.HISTORY, History.parser(), header, in, now);
    ChatId chat = request == null ? null : chatOfRequest(header);
    if (request == null || chat == null) {
      return true;
    }
    int named =
        (request.getBefore() != 0 ? 1 : 0)
            + (request.getAfter() != 0 ? 1 : 0)
            + (request.getAround() != 0 ? 1 : 0);
    boolean sound =
        named <= 1
            && request.getBefore() >= 0
            && request.getAfter() >= 0
            && request.getAfter() < Long.MAX_VALUE
            && request.getAround() >= 0;
    int limit = limitOf(request.getLimit());
    if (!sound || limit == 0) {
      refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", limit == 0 ? "limit" : "before");
      return true;
    }
    DeviceId who = Objects.requireNonNull(device);
    int room = pageRoom();
    return answer(header, shards -> Pages.history(shards, chat, who, request, limit, room));
  }

  private boolean onChats(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    Chats request = request(FrameType.CHATS, Chats.parser(), header, in, now);
    if (request == null) {
      return true;
    }
    ChatId after = null;
    if (!request.getPageToken().isEmpty()) {
      after = Pages.fromToken(request.getPageToken());
      if (after == null) {
        refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", "page_token");
        return true;
      }
    }
    int limit = limitOf(request.getLimit());
    if (limit == 0) {
      refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", "limit");
      return true;
    }
    DeviceId who = Objects.requireNonNull(device);
    ChatId from = after;
    int room = pageRoom();
    return answer(header, shards -> Pages.chats(shards, who, from, limit, room));
  }

  private boolean onChatInfo(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    ChatInfo request = request(FrameType.CHAT_INFO, ChatInfo.parser(), header, in, now);
    ChatId chat = request == null ? null : chatOfRequest(header);
    if (request == null || chat == null) {
      return true;
    }
    DeviceId who = Objects.requireNonNull(device);
    long version = request.getMembersVersion();
    return answer(header, shards -> Pages.chatInfo(shards, chat, who, version));
  }

  private boolean onCatchUp(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    var request =
        request(FrameType.CATCH_UP, io.tern.protocol.v1.CatchUp.parser(), header, in, now);
    if (request == null) {
      return true;
    }
    if (request.getFrom() < 0 || (request.getFrom() != 0 && !header.has(FrameHeader.CHAT))) {
      refuse(header.rid(), ErrorCode.ARGUMENT, 0, "needs CHAT", "from");
      return true;
    }
    if (catchUpHasRid) {
      refuse(header.rid(), ErrorCode.BUSY, 1000, "a catch-up is under way", "");
      return true;
    }
    ChatId chat = null;
    if (header.has(FrameHeader.CHAT)) {
      chat = chatOfRequest(header);
      if (chat == null) {
        return true;
      }
    }
    CatchUp behind = startCatchUp();
    if (chat == null) {
      behind.startAll(null);
    } else if (request.getFrom() != 0) {
      behind.startAt(chat, request.getFrom());
    } else {
      behind.start(chat);
    }
    catchUpHasRid = true;
    catchUpRid = header.rid();
    advance();
    return true;
  }

  /// Too many questions under way, or the socket takes no answer.
  private boolean mustHold() {
    return questions >= QUESTIONS_MAX || !host.isWritable();
  }

  /// The parsed request; null after a refusal or a close.
  private <T> @Nullable T request(
      FrameType type, Parser<T> parser, FrameHeader header, ByteBuf in, long now) {
    if (!chargeCheap(now)) {
      return null;
    }
    return parse(type, parser, header, in, now);
  }

  /// The direct chat that a request names; null after a refusal.
  private @Nullable ChatId chatOfRequest(FrameHeader header) {
    if (header.has(FrameHeader.GROUP)) {
      refuse(header.rid(), ErrorCode.UNSUPPORTED, 0, "groups are not in this version", "");
      return null;
    }
    if (!UserId.isValid(header.chat())) {
      refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", "chat");
      return null;
    }
    return ChatId.direct(Objects.requireNonNull(device).user(), new UserId(header.chat()));
  }

  /// 0 for a limit that is not allowed.
  private static int limitOf(int wanted) {
    if (wanted == 0) {
      return Limits.PAGE_ENTRIES;
    }
    return wanted < 0 || wanted > Limits.PAGE_ENTRIES_MAX ? 0 : wanted;
  }

  private int pageRoom() {
    return frameBytesMax - Limits.HEADER_BYTES_MAX - 64;
  }

  /// Asks a reader and writes its answer.
  private boolean answer(FrameHeader header, Function<Readers.Shards, Pages.Reply> question) {
    int rid = header.rid();
    boolean asked =
        ask(
            question,
            reply -> {
              ErrorCode refusal = reply.refusal();
              if (refusal != null) {
                refuse(rid, refusal, 0, reply.detail(), "");
              } else {
                host.write(reply.type(), FrameHeader.RID, rid, 0, 0, reply.body());
              }
              unhold();
            },
            () -> {
              refuse(rid, ErrorCode.INTERNAL, 1000, "", "");
              unhold();
            });
    if (!asked) {
      refuse(rid, ErrorCode.BUSY, 200, "readers busy", "");
    }
    return true;
  }

  /// Asks a reader; what comes back runs on this loop, and not at all once the session has ended. A
  /// frame that had to wait for the answer's place is taken up again, whoever asked.
  private <T> boolean ask(
      Function<Readers.Shards, T> question, Consumer<? super T> then, Runnable failed) {
    if (questions >= QUESTIONS_MAX) {
      return false;
    }
    long asked = edge.nanoTime().getAsLong();
    boolean taken =
        edge.readers()
            .<T>ask(
                question,
                answer ->
                    host.execute(() -> {
                      questions--;
                      edge.stages()
                          .took(StageWatch.Stage.QUESTION, edge.nanoTime().getAsLong() - asked);
                      if (state == State.LIVE) {
                        then.accept(answer);
                        unhold();
                      }
                    }),
                failure ->
                    host.execute(() -> {
                      questions--;
                      if (state == State.LIVE) {
                        failed.run();
                        unhold();
                      }
                    }));
    if (taken) {
      questions++;
      edge.counters().add(Count.QUESTIONS);
    } else {
      edge.counters().add(Count.QUESTIONS_REFUSED);
    }
    return taken;
  }

  // ---- deliveries ------------------------------------------------------------------------------

  /// The outcome of a command of this session.
  public void onAnswer(Delivery.Answer answer, long now) {
    switch (answer.command()) {
      case Command.Send _ -> onSendAnswered(answer.to().rid(), answer.outcome(), now);
      case Command.Enrol _ -> onEnrolled(answer.outcome(), now);
      // Only failures are told: a position in a chat that is not this user's, or past its head.
      // The client cannot act on it.
      case Command.Ack _ -> edge.counters().add(Count.ACKS_REFUSED);
      case Command.Read _ -> edge.counters().add(Count.ACKS_REFUSED);
      case Command.ListChat list -> throw new IllegalStateException("not from a session: " + list);
      case Command.Tick tick -> throw new IllegalStateException("not from a session: " + tick);
    }
  }

  private void onSendAnswered(int rid, Outcome outcome, long now) {
    sendsInFlight--;
    unhold();
    if (state != State.LIVE) {
      return;
    }
    switch (outcome) {
      case Outcome.Sent sent -> {
        edge.counters().add(sent.repeat() ? Count.SENDS_REPEATED : Count.SENT);
        sampler.onSent(id, rid, now);
        host.write(
            FrameType.SENT,
            FrameHeader.RID | FrameHeader.SEQ,
            rid,
            0,
            sent.entry().seq(),
            Sent.newBuilder()
                .setTsMs(sent.entry().tsMillis())
                .setRepeat(sent.repeat())
                .build()
                .toByteArray());
      }
      case Outcome.Refused(ErrorCode code, long csn, String detail) -> {
        edge.counters().add(Count.SENDS_REFUSED);
        refuse(rid, code, 0, detail, "", csn);
      }
      case Outcome.Moved moved -> throw new IllegalStateException("SEND answered " + moved);
      case Outcome.Enrolled e -> throw new IllegalStateException("SEND answered " + e);
      case Outcome.Done d -> throw new IllegalStateException("SEND answered " + d);
    }
  }

  /// A committed entry of one of this user's chats. False when the session has ended: whoever holds
  /// the entry makes it news.
  public boolean onEntry(Delivery.Entries entry, long now) {
    if (isClosing()) {
      return false;
    }
    if (state != State.LIVE) {
      noteEarly(entry.chat());
      return true;
    }
    CatchUp behind = catchUp;
    if (behind != null && behind.holdsBack(entry.chat())) {
      edge.counters().add(Count.ENTRIES_HELD_BACK);
      return true;
    }
    boolean own = entry.sender().equals(Objects.requireNonNull(device).user());
    byte[] body = own ? entry.ownBody() : entry.body();
    if (hasRoomFor(body.length) && host.isWritable()) {
      deliver(entry.chat(), entry.seq(), own, body, now);
    } else {
      fallBehind(entry.chat(), entry.seq());
    }
    return true;
  }

  private boolean hasRoomFor(int bytes) {
    Window w = window;
    int usedEntries = reservedEntries + (w == null ? 0 : w.entries());
    int usedBytes = reservedBytes + (w == null ? 0 : w.bytes());
    return usedEntries < windowEntries
        && (usedBytes == 0 || usedBytes + bytes <= edge.limits().windowBytes());
  }

  private void deliver(ChatId chat, long seq, boolean own, byte[] body, long now) {
    Window w = window;
    if (w == null) {
      w = new Window();
      window = w;
    }
    w.add(chat, seq, body.length);
    sampler.onDeliver(id, chat, seq, now);
    edge.counters().add(Count.DELIVERS);
    host.write(
        FrameType.DELIVER,
        FrameHeader.CHAT | FrameHeader.SEQ | groupFlag(chat) | (own ? FrameHeader.OWN : 0),
        0,
        wireId(chat),
        seq,
        body);
  }

  /// Someone's watermarks.
  public void onReceipt(Delivery.Receipts receipt, long now) {
    if (state != State.LIVE) {
      return;
    }
    if (host.isWritable()) {
      writeReceipt(receipt.chat(), receipt.member(), receipt.delivered(), receipt.read());
      return;
    }
    edge.counters().add(Count.RECEIPTS_HELD);
    HeldReceipts receipts = heldReceipts;
    if (receipts == null) {
      receipts = new HeldReceipts();
      heldReceipts = receipts;
    }
    if (!receipts.merge(receipt.chat(), receipt.member(), receipt.delivered(), receipt.read())) {
      // A new session starts from what the store knows; here something would be lost unseen.
      close(CloseReason.STALLED, "receipts of more than 256 chats wait", now);
    }
  }

  private void writeReceipt(ChatId chat, UserId member, long delivered, long read) {
    UserId user = Objects.requireNonNull(device).user();
    boolean peerOfDirect = !chat.isGroup() && !member.equals(user);
    edge.counters().add(Count.RECEIPTS);
    host.write(
        FrameType.RECEIPT,
        FrameHeader.CHAT | groupFlag(chat),
        0,
        wireId(chat),
        0,
        Receipt.newBuilder()
            .setMember(peerOfDirect ? 0 : member.value())
            // What is read counts as delivered.
            .setDelivered(delivered > read ? delivered : 0)
            .setRead(read)
            .build()
            .toByteArray());
  }

  /// A newer session of this device has come up somewhere.
  public void onReplaced(Attachment replaced, long now) {
    if (replaced.equals(attachment)) {
      // The newer route is in place; there is nothing to detach.
      attachment = null;
      close(CloseReason.REPLACED, "", now);
    }
  }

  /// Something this device should have acknowledged by now was not. Returns false when the session
  /// has ended: the nudge is then for the device's next one.
  public boolean onNudge(ChatId chat, long now) {
    if (isClosing()) {
      return false;
    }
    if (state != State.LIVE) {
      noteEarly(chat);
    } else if (window == null || !window.holds(chat)) {
      startCatchUp().start(chat);
      advance();
    }
    return true;
  }

  private void noteEarly(ChatId chat) {
    Set<ChatId> early = earlyChats;
    if (early == null) {
      early = new HashSet<>();
      earlyChats = early;
    }
    early.add(chat);
  }

  public void onTyping(Delivery.Typing typing, long now) {
    if (state != State.LIVE || catchUp != null || !host.isWritable()) {
      edge.counters().add(Count.TYPING_DROPPED);
      return;
    }
    UserId user = Objects.requireNonNull(device).user();
    boolean direct = !typing.chat().isGroup();
    host.write(
        FrameType.TYPING_PUSH,
        FrameHeader.CHAT | groupFlag(typing.chat()),
        0,
        wireId(typing.chat()),
        0,
        Typing.newBuilder()
            .setOn(typing.on())
            .setMember(direct && !typing.member().equals(user) ? 0 : typing.member().value())
            .build()
            .toByteArray());
  }

  // ---- catching up -----------------------------------------------------------------------------

  private CatchUp startCatchUp() {
    CatchUp behind = catchUp;
    if (behind == null) {
      behind = new CatchUp(Objects.requireNonNull(device), edge.catchUpConfig());
      catchUp = behind;
    }
    return behind;
  }

  private void fallBehind(ChatId chat, long seq) {
    startCatchUp().startAt(chat, seq);
    edge.counters().add(Count.ENTRIES_HELD_BACK);
    if (!behindTold) {
      behindTold = true;
      edge.counters().add(Count.BEHINDS);
      host.write(FrameType.BEHIND, 0, 0, 0, 0, NO_BODY);
    }
    advance();
  }

  /// Asks for the next page if there is one to ask for and room to push it.
  private void advance() {
    CatchUp behind = catchUp;
    if (behind == null || state != State.LIVE || pageAsked || !host.isWritable()) {
      return;
    }
    int usedEntries = window == null ? 0 : window.entries();
    int usedBytes = window == null ? 0 : window.bytes();
    // Half of what is free: the other half is for chats that are live meanwhile.
    int entries = Math.max(0, windowEntries - usedEntries + 1) / 2;
    int bytes = Math.max(0, edge.limits().windowBytes() - usedBytes + 1) / 2;
    var question = behind.next(entries, bytes, usedEntries);
    if (question == null) {
      if (behind.isLive()) {
        caughtUp();
      }
      return;
    }
    pageAsked = true;
    boolean taken =
        edge.readers()
            .<CatchUp.Page>ask(
                question,
                page -> host.execute(() -> onPage(page)),
                failure -> host.execute(this::onNoPage));
    if (taken) {
      edge.counters().add(Count.QUESTIONS);
      reservedEntries = entries;
      reservedBytes = bytes;
    } else {
      edge.counters().add(Count.QUESTIONS_REFUSED);
      onNoPage();
    }
  }

  private void onPage(CatchUp.Page found) {
    pageAsked = false;
    reservedEntries = 0;
    reservedBytes = 0;
    CatchUp behind = catchUp;
    if (state != State.LIVE || behind == null) {
      return;
    }
    long now = edge.nanoTime().getAsLong();
    CatchUp.Page page = behind.onPage(found);
    UserId user = Objects.requireNonNull(device).user();
    if (!page.due().isEmpty()) {
      var chats = CatchUpPage.newBuilder();
      for (CatchUp.Due due : page.due()) {
        if (due.due() > 0) {
          chats.addChats(
              ChatDue.newBuilder()
                  .setChat(due.chat().wireId(user))
                  .setGroup(due.chat().isGroup())
                  .setHead(due.head())
                  .setDue(due.due())
                  .setPosition(due.position()));
        }
      }
      if (chats.getChatsCount() > 0) {
        writeCatchUpPage(chats.build());
      }
      for (CatchUp.Due due : page.due()) {
        announce(due, user);
      }
    }
    for (CatchUp.Item item : page.items()) {
      deliver(item.chat(), item.seq(), item.own(), item.body(), now);
    }
    edge.counters().add(Count.DELIVERS_CAUGHT_UP, page.items().size());
    advance();
  }

  private void announce(CatchUp.Due due, UserId user) {
    ChatId chat = due.chat();
    if (due.resetTo() != 0) {
      edge.counters().add(Count.RESETS);
      host.write(
          FrameType.RESET,
          FrameHeader.CHAT | FrameHeader.SEQ | groupFlag(chat),
          0,
          wireId(chat),
          due.resetTo(),
          NO_BODY);
    }
    if (!chat.isGroup() && due.peerDelivered() + due.peerRead() > 0) {
      writeReceipt(chat, chat.peerOf(user), due.peerDelivered(), due.peerRead());
    }
  }

  private void onNoPage() {
    pageAsked = false;
    reservedEntries = 0;
    reservedBytes = 0;
    if (state == State.LIVE && catchUp != null) {
      catchUp.onPageFailed();
      host.wakeIn(READERS_RETRY_MILLIS);
    }
  }

  private void caughtUp() {
    catchUp = null;
    behindTold = false;
    writeCatchUpPage(CatchUpPage.newBuilder().setDone(true).build());
    catchUpHasRid = false;
    catchUpRid = 0;
  }

  private void writeCatchUpPage(CatchUpPage page) {
    host.write(
        FrameType.CATCH_UP_PAGE,
        catchUpHasRid ? FrameHeader.RID : 0,
        catchUpRid,
        0,
        0,
        page.toByteArray());
  }

  // ---- time and the socket ---------------------------------------------------------------------

  /// The socket takes frames again.
  public void onWritable(long now) {
    stalledSince = 0;
    if (state != State.LIVE) {
      return;
    }
    HeldReceipts receipts = heldReceipts;
    if (receipts != null) {
      heldReceipts = null;
      receipts.drainTo(this::writeReceipt);
    }
    unhold();
    advance();
  }

  /// What [SessionHost#wakeIn] asked for.
  public void onWake(long now) {
    unhold();
    if (slowedUntil != 0 && now >= slowedUntil) {
      slowedUntil = 0;
      host.onInputChanged();
    }
    advance();
  }

  /// Looks at every deadline; about twice a second.
  public void onSweep(long now) {
    switch (state) {
      case PREFACE, HELLO -> {
        if (now - deadline >= 0) {
          close(CloseReason.HELLO_TIMEOUT, "no HELLO", now);
        }
      }
      case IDENTIFYING -> {
        if (now - deadline >= 0) {
          close(CloseReason.BUSY, "HELLO was not answered in time", now);
        }
      }
      case LIVE -> sweepLive(now);
      case CLOSING -> {
        if (now - deadline >= 0) {
          host.abort();
        }
      }
      case CLOSED -> {}
    }
  }

  private void sweepLive(long now) {
    if (frameDeadline != 0 && now - frameDeadline >= 0) {
      close(CloseReason.FRAME_TIMEOUT, "", now);
      return;
    }
    if (held || slowedUntil != 0) {
      // It is we who do not read.
      lastInput = now;
      if (slowedUntil != 0 && now >= slowedUntil) {
        onWake(now);
      }
    }
    if (now - lastInput >= Duration.ofSeconds(idleSeconds()).toNanos()) {
      close(CloseReason.IDLE, idleSeconds() + " s", now);
      return;
    }
    if (host.isWritable()) {
      stalledSince = 0;
    } else if (stalledSince == 0) {
      stalledSince = now;
    } else if (now - stalledSince >= edge.limits().stallTimeout().toNanos()) {
      close(CloseReason.STALLED, "does not read", now);
      return;
    }
    if (edge.wallMillis().getAsLong() >= identityUntilMillis) {
      close(CloseReason.IDENTITY_RAN_OUT, "", now);
      return;
    }
    if (window != null && window.entries() == 0) {
      window = null;
    }
  }

  /// From now on no frame is taken: the edge is about to end. What is under way is still answered.
  public void stopInput() {
    inputStopped = true;
    held = true;
    host.onInputChanged();
  }

  /// Ends the session for the edge's own reasons.
  public void disconnect(CloseReason reason, String detail, long now) {
    close(reason, detail, now);
  }

  /// The connection is gone.
  public void onClosed() {
    if (!isClosing()) {
      edge.disconnector().noteGone(id, device, state == State.LIVE);
    }
    state = State.CLOSED;
    release();
  }

  private void close(CloseReason reason, String detail, long now) {
    if (isClosing()) {
      return;
    }
    state = State.CLOSING;
    deadline = now + LINGER.toNanos();
    release();
    edge.disconnector().close(host, id, device, reason, detail);
  }

  private void release() {
    Attachment route = attachment;
    attachment = null;
    if (route != null) {
      edge.directory().detach(route, due());
    }
    catchUp = null;
    window = null;
    heldReceipts = null;
    earlyChats = null;
  }

  /// The chats that hold something this device has not acknowledged; null when not all are known.
  private @Nullable Set<ChatId> due() {
    Set<ChatId> behind = catchUp == null ? Set.of() : catchUp.behind();
    if (behind == null || window == null || window.entries() == 0) {
      return behind;
    }
    var due = new HashSet<ChatId>(behind);
    window.addChatsTo(due);
    return due;
  }

  // ---- helpers ---------------------------------------------------------------------------------

  /// Charges one cheap frame: over the budget the socket is read later, far over it the session
  /// ends. Returns whether the session goes on.
  private boolean chargeCheap(long now) {
    LimitsConfig limits = edge.limits();
    if (limits.cheapRate() == 0) {
      return true;
    }
    long overdraft = Budget.overdraft(cheapBudget, now, limits.cheapRate(), limits.cheapBurst());
    cheapBudget = Budget.charge(cheapBudget, now, limits.cheapRate());
    if (overdraft <= 0) {
      return true;
    }
    long burstNanos = 1_000_000_000L / limits.cheapRate() * limits.cheapBurst();
    if (overdraft > (FLOW_FACTOR - 1) * burstNanos) {
      close(CloseReason.FLOW, "cheap frames", now);
      return false;
    }
    if (slowedUntil == 0) {
      edge.counters().add(Count.SLOWED);
    }
    slowedUntil = now + overdraft;
    host.onInputChanged();
    return true;
  }

  private void slowDown(long now, long millis) {
    slowedUntil = Math.max(slowedUntil, now + millis * 1_000_000);
    host.wakeIn(millis);
    host.onInputChanged();
  }

  private void unhold() {
    if (held && !inputStopped) {
      held = false;
      host.onInputChanged();
    }
  }

  private Origin origin(int rid) {
    return new Origin(edge.edge(), id, rid);
  }

  private static int groupFlag(ChatId chat) {
    return chat.isGroup() ? FrameHeader.GROUP : 0;
  }

  private long wireId(ChatId chat) {
    return chat.wireId(Objects.requireNonNull(device).user());
  }

  private void refuse(int rid, ErrorCode code, long retryMillis, String detail, String field) {
    refuse(rid, code, retryMillis, detail, field, 0);
  }

  private void refuse(
      int rid, ErrorCode code, long retryMillis, String detail, String field, long csn) {
    edge.counters().addError(code);
    host.write(
        FrameType.ERROR,
        FrameHeader.RID,
        rid,
        0,
        0,
        io.tern.protocol.v1.Error.newBuilder()
            .setCode(code.number())
            .setRetryMs((int) Math.min(retryMillis, Integer.MAX_VALUE))
            .setDetail(detail)
            .setField(field)
            .setCsn(csn)
            .build()
            .toByteArray());
  }

  /// Whether the body passes the pre-scan; if not, the frame's sender is told: a request is
  /// refused, anything else ends the session.
  private boolean isSound(FrameType type, FrameHeader header, ByteBuf in, long now) {
    var verdict = Prescan.check(type, in, in.readerIndex(), header.bodyBytes());
    if (verdict == Prescan.Verdict.OK) {
      return true;
    }
    edge.counters().add(Count.BAD_BODIES);
    close(CloseReason.MALFORMED, type + " body: " + verdict, now);
    return false;
  }

  private <T> @Nullable T parse(
      FrameType type, Parser<T> parser, FrameHeader header, ByteBuf in, long now) {
    if (!isSound(type, header, in, now)) {
      return null;
    }
    try {
      return parser.parseFrom(in.nioBuffer(in.readerIndex(), header.bodyBytes()));
    } catch (InvalidProtocolBufferException e) {
      // The pre-scan is stricter than the parser; should it not be, the client is told the same.
      edge.counters().add(Count.BAD_BODIES);
      close(CloseReason.MALFORMED, type + " body", now);
      return null;
    }
  }
}

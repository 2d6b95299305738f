package io.tern.edge.session;

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
import io.tern.protocol.v1.Bye;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.Setting;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.router.Origin;
import io.tern.store.Command;
import io.tern.store.Outcome;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
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
/// This class has the state, the input loop, the time and the way out. What is done with the frames
/// is in its parts, each the one owner of its state: [Handshake] (who is it?), [Inbound] (SEND,
/// ACK, READ), [Requests] (questions to the readers), [Changes] (groups, settings, devices),
/// [Watching] (presence and typing) and [Outbound] (entries, catch-up, receipts). They name their
/// bounds; what an idle session does not need is not there.
public final class SessionLogic {

  private static final int PING_SECONDS_MIN = 5;
  private static final int PING_SECONDS_MAX = 1200;

  /// How many times over its budget a session is cut rather than slowed.
  private static final int FLOW_FACTOR = 10;

  /// How often it is written down that somebody was there, while they are.
  private static final long SEEN_NANOS = Duration.ofMinutes(1).toNanos();

  /// How long a farewell may take to reach a client that reads.
  private static final Duration LINGER = Duration.ofMillis(700);

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

  private final Inbound inbound;
  private final Outbound outbound;
  private final Requests requests;

  /// Null before HELLO and when its answer has been given.
  private @Nullable Handshake handshake;

  /// Null until the first change.
  private @Nullable Changes changes;

  /// Null until the first frame about presence or typing.
  private @Nullable Watching watching;

  private State state = State.PREFACE;
  private @Nullable DeviceId device;
  private @Nullable Attachment attachment;

  /// Of a login; null when it is over.
  private Turns.@Nullable Turn turn;

  /// Handshake and farewell: when the state must have been left.
  private long deadline;

  /// When the frame that has begun must be complete; 0 when none has.
  private long frameDeadline;

  private long lastInput;

  /// When HELLO was answered.
  private long upSince;

  /// When the store was last told that the device is there; 0 when it still has to be.
  private long seenAt;

  /// Whether a person looks at it; else it is in the background, or was only woken.
  private boolean active = true;

  /// Whether somebody has looked away and the store has not been told.
  private boolean lookedAway;

  private int pingSeconds;
  private int frameBytesMax = Limits.FRAME_BYTES_MAX;

  /// Wall-clock time at which the proof of identity runs out.
  private long identityUntilMillis;

  private long cheapBudget;

  /// The socket is not read before this; 0 when it may be.
  private long slowedUntil;

  private boolean held;
  private boolean inputStopped;

  /// When the socket was first found full; 0 while it is not.
  private long stalledSince;

  /// @param id this edge's number of the session, for routes and answers
  /// @param sampler of the event loop
  public SessionLogic(long id, EdgeContext edge, SessionHost host, Sampler sampler, long now) {
    this.id = id;
    this.edge = edge;
    this.host = host;
    this.sampler = sampler;
    this.lastInput = now;
    this.deadline = now + edge.limits().helloTimeout().toNanos();
    inbound = new Inbound(this);
    outbound = new Outbound(this);
    requests = new Requests(this);
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

  // ---- input ------------------------------------------------------------------------------------

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
        return inbound.onSend(header, in, now);
      }
      case ACK -> {
        return inbound.onAck(header, now);
      }
      case NACK -> {
        return inbound.onNack(header, in, now);
      }
      case READ -> {
        return inbound.onRead(header, now);
      }
      case PING -> {
        return onPing(header, in, now);
      }
      case HISTORY -> {
        return requests.onHistory(header, in, now);
      }
      case CHATS -> {
        return requests.onChats(header, in, now);
      }
      case CHAT_INFO -> {
        return requests.onChatInfo(header, in, now);
      }
      case CATCH_UP -> {
        return outbound.onCatchUp(header, in, now);
      }
      case ENTRY_INFO -> {
        return requests.onEntryInfo(header, in, now);
      }
      case DEVICES -> {
        return requests.onDevices(header, in, now);
      }
      case SETTINGS -> {
        return requests.onSettings(header, in, now);
      }
      case GROUP_CREATE -> {
        return changes().onGroupCreate(header, in, now);
      }
      case GROUP_EDIT -> {
        return changes().onGroupEdit(header, in, now);
      }
      case DEVICE_REMOVE -> {
        return changes().onDeviceRemove(header, in, now);
      }
      case PRESENCE_SUB -> {
        return watching().onPresenceSub(header, in, now);
      }
      case HELLO -> {
        handshake = new Handshake(this);
        handshake.onHello(header, in, now);
      }
      case TYPING -> watching().onTyping(header, in, now);
      case CLIENT_STATE -> onClientState(header, in, now);
      case REAUTH -> new Handshake(this).onReauth(header, in, now);
      case BYE -> onBye(header, in, now);
      // A sign of life, which any frame is.
      case PONG -> chargeCheap(now);
      case PUSH_REGISTER -> {
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

  void setPing(int wanted) {
    int seconds = wanted == 0 ? (int) edge.limits().ping().toSeconds() : wanted;
    // A number over 31 bits is a very long wish.
    pingSeconds =
        seconds < 0 ? PING_SECONDS_MAX : Math.clamp(seconds, PING_SECONDS_MIN, PING_SECONDS_MAX);
  }

  int idleSeconds() {
    return pingSeconds + pingSeconds / 2 + 10;
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
    if (state != null && chargeCheap(now)) {
      if (state.getPingS() != 0) {
        setPing(state.getPingS());
      }
      onActivity(state.getState(), now);
    }
  }

  /// What the client says of whether a person looks at it. What is not said, or not known to this
  /// version, leaves it as it was; before HELLO it is active.
  ///
  /// The others are told by the desk, once a second at most, and the store at the next sweep: a
  /// client that goes back and forth costs no more than that, and its cheap frames.
  void onActivity(ClientActivity activity, long now) {
    boolean was = active;
    active =
        switch (activity) {
          case CLIENT_ACTIVITY_ACTIVE -> true;
          case CLIENT_ACTIVITY_INACTIVE, CLIENT_ACTIVITY_PASSIVE -> false;
          case CLIENT_ACTIVITY_UNSPECIFIED, UNRECOGNIZED -> was;
        };
    Attachment route = attachment;
    if (active == was || route == null) {
      return;
    }
    lookedAway = was;
    seenAt = 0;
    edge.directory().setActive(route, active);
    if (active) {
      edge.presence().arrived(user(), now);
    } else {
      edge.presence().left(user(), now);
    }
  }

  private void onBye(FrameHeader header, ByteBuf in, long now) {
    Bye bye = parse(FrameType.BYE, Bye.parser(), header, in, now);
    if (bye != null) {
      close(CloseReason.SAID_GOODBYE, bye.getLogout() ? "logout" : "", now);
    }
  }

  // ---- deliveries -------------------------------------------------------------------------------

  /// The outcome of a command of this session.
  public void onAnswer(Delivery.Answer answer, long now) {
    switch (answer.command()) {
      case Command.Send _ -> inbound.onSendAnswered(answer.to().rid(), answer.outcome(), now);
      case Command.Enrol _ -> {
        if (handshake != null) {
          handshake.onEnrolled(answer.outcome(), now);
        }
      }
      // Only failures are told: a position in a chat that is not this user's, or past its head.
      // The client cannot act on it.
      case Command.Ack _ -> edge.counters().add(Count.ACKS_REFUSED);
      case Command.Read _ -> edge.counters().add(Count.ACKS_REFUSED);
      case Command.GroupCreate _,
          Command.GroupEdit _,
          Command.ChangeSettings _,
          Command.RemoveDevice _ ->
          changes().onAnswered(answer.command(), answer.to().rid(), answer.outcome());
      case Command.Seen _ -> onSeenRefused(answer.outcome(), now);
      case Command.SetBlock block ->
          throw new IllegalStateException("not from a session: " + block);
      case Command.Revoke _,
          Command.PutRecord _,
          Command.EraseUser _,
          Command.Leave _,
          Command.Ban _ ->
          throw new IllegalStateException("not from a session: " + answer.command());
      case Command.ListChat list -> throw new IllegalStateException("not from a session: " + list);
      case Command.Tick tick -> throw new IllegalStateException("not from a session: " + tick);
    }
  }

  /// A committed entry of one of this user's chats. False when the session has ended: whoever holds
  /// the entry makes it news.
  public boolean onEntry(Delivery.Entries entry, long now) {
    return outbound.onEntry(entry, now);
  }

  /// Someone's watermarks.
  public void onReceipt(Delivery.Receipts receipt, long now) {
    outbound.onReceipt(receipt, now);
  }

  /// Something this device should have acknowledged by now was not. Returns false when the session
  /// has ended: the nudge is then for the device's next one.
  public boolean onNudge(Delivery.Nudge nudge, long now) {
    return outbound.onNudge(nudge.chat(), nudge.from());
  }

  /// How far a group has got with what this user wrote.
  public void onProgress(Delivery.Progress progress, long now) {
    outbound.onProgress(progress, now);
  }

  public void onTyping(Delivery.Typing typing) {
    if (isLive() && watching != null) {
      watching.onTyping(typing);
    } else {
      edge.counters().add(Count.TYPING_DROPPED);
    }
  }

  public void onPresence(Delivery.Presence presence) {
    if (isLive() && watching != null) {
      watching.onPresence(presence);
    }
  }

  /// The user has removed this device, or is gone or banned.
  public void onRevoked(Attachment revoked, ErrorCode why, long now) {
    if (revoked.equals(attachment)) {
      close(CloseReason.ofIdentity(why), "", now);
    }
  }

  /// The device is no longer the user's: it was removed while it logged in.
  private void onSeenRefused(Outcome outcome, long now) {
    if (outcome instanceof Outcome.Refused(ErrorCode code, long csn, String detail)
        && code.errorClass() == ErrorCode.ErrorClass.IDENTITY) {
      close(CloseReason.ofIdentity(code), detail, now);
    }
  }

  /// The user has changed settings, on this device or another.
  void onOwnSettings(List<Setting> settings) {
    outbound.onOwnSettings(settings);
    if (watching != null && settings.stream().anyMatch(Setting::hasPrivacy)) {
      watching.lapseAll();
    }
  }

  /// A newer session of this device has come up somewhere.
  public void onReplaced(Attachment replaced, long now) {
    if (replaced.equals(attachment)) {
      // The newer route is in place; there is nothing to detach.
      attachment = null;
      close(CloseReason.REPLACED, "", now);
    }
  }

  // ---- time and the socket ----------------------------------------------------------------------

  /// The socket takes frames again.
  public void onWritable(long now) {
    stalledSince = 0;
    if (state != State.LIVE) {
      return;
    }
    unhold();
    outbound.onWritable();
  }

  /// What [SessionHost#wakeIn] asked for.
  public void onWake(long now) {
    unhold();
    if (slowedUntil != 0) {
      if (now >= slowedUntil) {
        slowedUntil = 0;
        host.onInputChanged();
      } else {
        // Woken for something else; a host keeps one time only.
        host.wakeIn(millisUntil(slowedUntil, now));
      }
    }
    outbound.onWake();
  }

  private static long millisUntil(long then, long now) {
    return (then - now) / 1_000_000 + 1;
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
    if (seenAt == 0 || (active && lastInput - seenAt > 0 && now - seenAt >= SEEN_NANOS)) {
      say(now);
    }
    outbound.sweep();
  }

  /// From now on no frame is taken: the edge is about to end. What is under way is still answered.
  public void stopInput() {
    inputStopped = true;
    held = true;
    host.onInputChanged();
  }

  /// What an operator sees of it; null when it is not live.
  ///
  /// @param wallMillis what the wall clock says at `now`
  public @Nullable LiveSession look(long now, long wallMillis) {
    DeviceId who = device();
    if (who == null) {
      return null;
    }
    SessionHost.Link link = host.link();
    return new LiveSession(
        who,
        id,
        link.door(),
        link.peer(),
        wallMillis - (now - upSince) / 1_000_000,
        wallMillis - (now - lastInput) / 1_000_000,
        link.waitingBytes());
  }

  /// Announces the end: GOAWAY, with time to finish. The session goes on until the client leaves,
  /// or somebody closes it.
  void goAway(Duration grace) {
    if (isLive()) {
      edge.disconnector().announce(host, grace);
    }
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
    leave(State.CLOSED);
    release();
  }

  void close(CloseReason reason, String detail, long now) {
    close(reason, detail, 0, now);
  }

  /// @param retryMillis when the client may come back; 0 for soon
  void close(CloseReason reason, String detail, long retryMillis, long now) {
    if (isClosing()) {
      return;
    }
    leave(State.CLOSING);
    deadline = now + LINGER.toNanos();
    release();
    edge.disconnector().close(host, id, device, reason, detail, retryMillis);
  }

  private void leave(State next) {
    if (state == State.LIVE) {
      edge.counters().add(Count.SESSIONS_ENDED);
    }
    state = next;
  }

  private void release() {
    if (watching != null) {
      watching.stop();
      watching = null;
    }
    Attachment route = attachment;
    attachment = null;
    if (route != null) {
      long now = edge.nanoTime().getAsLong();
      if (active || lookedAway) {
        say(now);
      }
      edge.directory().detach(route, outbound.due());
      if (active) {
        edge.presence().left(route.device().user(), now);
      }
    }
    endTurn();
    handshake = null;
    changes = null;
    outbound.release();
  }

  // ---- for the parts ---------------------------------------------------------------------------

  EdgeContext edge() {
    return edge;
  }

  SessionHost host() {
    return host;
  }

  Sampler sampler() {
    return sampler;
  }

  /// The route that leads here; only while live.
  Attachment route() {
    return Objects.requireNonNull(attachment);
  }

  Inbound inbound() {
    return inbound;
  }

  Changes changes() {
    Changes c = changes;
    if (c == null) {
      c = new Changes(this);
      changes = c;
    }
    return c;
  }

  private Watching watching() {
    Watching w = watching;
    if (w == null) {
      w = new Watching(this);
      watching = w;
    }
    return w;
  }

  Requests requests() {
    return requests;
  }

  Outbound outbound() {
    return outbound;
  }

  /// Who this is, once it is known. The device, once its proof has been accepted.
  @Nullable DeviceId whoOrNull() {
    return device;
  }

  DeviceId who() {
    return Objects.requireNonNull(device);
  }

  UserId user() {
    return who().user();
  }

  int pingSeconds() {
    return pingSeconds;
  }

  int frameBytesMax() {
    return frameBytesMax;
  }

  boolean isIdentifying() {
    return state == State.IDENTIFYING;
  }

  /// HELLO has been read, and its answer depends on others.
  void identify(int frameBytesMax, int pingSeconds, long now) {
    if (frameBytesMax != 0) {
      this.frameBytesMax = frameBytesMax;
    }
    setPing(pingSeconds);
    state = State.IDENTIFYING;
    deadline = now + edge.turns().waitMaxNanos() + edge.limits().helloTimeout().toNanos();
  }

  /// The login that this turn is for has begun, or waits.
  void take(Turns.Turn turn) {
    this.turn = turn;
  }

  /// The login is over, one way or the other.
  void endTurn() {
    Turns.Turn t = turn;
    if (t != null) {
      turn = null;
      t.done();
    }
  }

  /// Who this is has been proved, until `untilMillis`.
  void identified(DeviceId device, long untilMillis) {
    this.device = device;
    identityUntilMillis = untilMillis;
  }

  void renewIdentity(long untilMillis) {
    identityUntilMillis = Math.max(identityUntilMillis, untilMillis);
  }

  /// Whether a person looks at it, as far as the client said.
  boolean isActive() {
    return active;
  }

  /// The device's route leads here.
  ///
  /// @param tookOver whether it led to another session
  void goLive(Attachment route, boolean tookOver, long now) {
    attachment = route;
    handshake = null;
    state = State.LIVE;
    upSince = now;
    if (active) {
      edge.presence().arrived(route.device().user(), now);
    } else if (tookOver) {
      // Somebody may have looked at that one, and it leaves without a word.
      edge.presence().left(route.device().user(), now);
    }
    // After the route: a device that was removed before that is refused, later it is found there.
    say(now);
  }

  /// Says that the device is here, and whether somebody looks at it. What finds no place is said at
  /// a sweep.
  private void say(long now) {
    long at = active || lookedAway ? edge.wallMillis().getAsLong() : 0;
    if (edge.commands().submit(new Command.Seen(who(), at), origin(0))) {
      seenAt = now;
      lookedAway = false;
    } else {
      seenAt = 0;
    }
  }

  /// Charges one cheap frame: over the budget the socket is read later, far over it the session
  /// ends. Returns whether the session goes on.
  boolean chargeCheap(long now) {
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
    host.wakeIn(millisUntil(slowedUntil, now));
    host.onInputChanged();
    return true;
  }

  void slowDown(long now, long millis) {
    slowedUntil = Math.max(slowedUntil, now + millis * 1_000_000);
    host.wakeIn(millis);
    host.onInputChanged();
  }

  void unhold() {
    if (held && !inputStopped) {
      held = false;
      host.onInputChanged();
    }
  }

  Origin origin(int rid) {
    return new Origin(edge.edge(), id, rid);
  }

  /// @param now when what it is about was taken off the socket
  Origin origin(int rid, long now) {
    return new Origin(edge.edge(), id, rid, now);
  }

  static int groupFlag(ChatId chat) {
    return chat.isGroup() ? FrameHeader.GROUP : 0;
  }

  long wireId(ChatId chat) {
    return chat.wireId(Objects.requireNonNull(device).user());
  }

  void refuse(int rid, ErrorCode code, long retryMillis, String detail, String field) {
    refuse(rid, code, retryMillis, detail, field, 0);
  }

  void refuse(int rid, ErrorCode code, long retryMillis, String detail, String field, long csn) {
    edge.counters().addError(host.door(), code);
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
  boolean isSound(FrameType type, FrameHeader header, ByteBuf in, long now) {
    var verdict = Prescan.check(type, in, in.readerIndex(), header.bodyBytes());
    if (verdict == Prescan.Verdict.OK) {
      return true;
    }
    edge.counters().add(Count.BAD_BODIES);
    if (verdict.isOverABound() && header.has(FrameHeader.RID)) {
      refuse(header.rid(), ErrorCode.ARGUMENT, 0, type + " body: " + verdict, "");
      return false;
    }
    close(CloseReason.MALFORMED, type + " body: " + verdict, now);
    return false;
  }

  <T> @Nullable T parse(
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

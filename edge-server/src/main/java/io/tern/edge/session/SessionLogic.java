package io.tern.edge.session;

import io.netty.buffer.ByteBuf;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
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
/// This class has the state, the input loop, the deadlines of each state, the way in and the way
/// out. [Frames] says which frame goes to which part, and [Bodies] checks what is parsed. What is
/// done with a frame is in the parts, each the one owner of its state: [Handshake] (who is it?),
/// [Attendance] (is it there, and does a person look at it?), [Inbound] (SEND, ACK, READ, and the
/// budgets), [Requests] (questions to the readers), [Changes] (groups, settings, devices),
/// [Watching] (presence and typing) and [Outbound] (entries, catch-up, receipts). They name their
/// bounds; what an idle session does not need is not there.
public final class SessionLogic {

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
  private final HeldAcks acks;

  private final Attendance attendance;
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

  /// Handshake and farewell: when the state must have been left.
  private long deadline;

  /// When HELLO was answered.
  private long upSince;

  private int frameBytesMax = Limits.FRAME_BYTES_MAX;

  /// Wall-clock time at which the proof of identity runs out.
  private long identityUntilMillis;

  private boolean held;
  private boolean inputStopped;

  /// @param id this edge's number of the session, for routes and answers
  /// @param sampler of the event loop
  /// @param acks of the event loop
  public SessionLogic(
      long id, EdgeContext edge, SessionHost host, Sampler sampler, HeldAcks acks, long now) {
    this.id = id;
    this.edge = edge;
    this.host = host;
    this.sampler = sampler;
    this.acks = acks;
    this.deadline = now + edge.limits().helloTimeout().toNanos();
    attendance = new Attendance(this, now);
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
      case LIVE -> !held && inbound.mayRead(now);
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
    attendance.heard(now);
    if (state == State.PREFACE && !takePreface(in, now)) {
      return;
    }
    held = false;
    while (in.isReadable() && !isClosing()) {
      if (state == State.IDENTIFYING) {
        attendance.frameOver();
        return;
      }
      int start = in.readerIndex();
      int max = state == State.HELLO ? Limits.FRAME_BYTES_BEFORE_HELLO_MAX : Limits.FRAME_BYTES_MAX;
      switch (FrameReader.read(in, max, header)) {
        case FRAME -> {
          int end = in.readerIndex() + header.bodyBytes();
          attendance.frameOver();
          held = !Frames.take(this, header, in, now);
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
          attendance.frameBegun(now);
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
  private boolean takePreface(ByteBuf in, long now) {
    int bytes = Math.min(in.readableBytes(), Limits.PREFACE_BYTES);
    for (int i = 0; i < bytes; i++) {
      byte expected = (byte) (Limits.PREFACE >>> (24 - 8 * i));
      if (in.getByte(in.readerIndex() + i) != expected) {
        in.skipBytes(in.readableBytes());
        close(CloseReason.NOT_TERN, "preface", now);
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

  // ---- the way in -------------------------------------------------------------------------------

  /// HELLO has come.
  Handshake beginHandshake() {
    var h = new Handshake(this);
    handshake = h;
    return h;
  }

  /// HELLO has been read, and its answer depends on others.
  void identify(int frameBytesMax, int pingSeconds, long now) {
    if (frameBytesMax != 0) {
      this.frameBytesMax = frameBytesMax;
    }
    attendance.setPing(pingSeconds);
    state = State.IDENTIFYING;
    deadline = now + edge.turns().waitMaxNanos() + edge.limits().helloTimeout().toNanos();
  }

  /// Who this is has been proved, until `untilMillis`.
  void identified(DeviceId device, long untilMillis) {
    this.device = device;
    identityUntilMillis = untilMillis;
  }

  void renewIdentity(long untilMillis) {
    identityUntilMillis = Math.max(identityUntilMillis, untilMillis);
  }

  /// The device's route leads here.
  ///
  /// @param tookOver whether it led to another session
  void goLive(Attachment route, boolean tookOver, long now) {
    attachment = route;
    state = State.LIVE;
    upSince = now;
    attendance.begin(route, tookOver, now);
  }

  /// The login is over, one way or the other.
  void endHandshake() {
    Handshake h = handshake;
    if (h != null) {
      handshake = null;
      h.endTurn();
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
      case Command.SetBlock _,
          Command.Revoke _,
          Command.PutRecord _,
          Command.EraseUser _,
          Command.Leave _,
          Command.Announce _,
          Command.TellRegistered _,
          Command.Ban _,
          Command.ListChat _,
          Command.Tick _ ->
          throw new IllegalStateException("not from a session: " + answer.command());
    }
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
  ///
  /// @param seq of the entry of the self chat that has them
  void onOwnSettings(List<Setting> settings, long seq) {
    if (outbound.onOwnSettings(settings, seq)) {
      onPrivacyChanged();
    }
  }

  /// What the user shows has changed, and so has what they are shown.
  void onPrivacyChanged() {
    if (watching != null) {
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
    attendance.onWritable();
    if (state != State.LIVE) {
      return;
    }
    unhold();
    outbound.onWritable(now);
  }

  /// What [SessionHost#wakeIn] asked for.
  public void onWake(long now) {
    unhold();
    inbound.onWake(now);
    outbound.onWake();
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
    if (attendance.isFrameLate(now)) {
      close(CloseReason.FRAME_TIMEOUT, "", now);
      return;
    }
    if (held || inbound.isSlowed()) {
      // It is we who do not read.
      attendance.heard(now);
      if (inbound.isSlowed() && inbound.mayRead(now)) {
        onWake(now);
      }
    }
    if (!attendance.check(now)) {
      return;
    }
    if (edge.wallMillis().getAsLong() >= identityUntilMillis) {
      close(CloseReason.IDENTITY_RAN_OUT, "", now);
      return;
    }
    attendance.tellStore(now);
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
        attendance.isActive(),
        wallMillis - (now - upSince) / 1_000_000,
        wallMillis - (now - attendance.lastInput()) / 1_000_000,
        link.waitingBytes());
  }

  // ---- the way out ------------------------------------------------------------------------------

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
    release(true);
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
    release(!reason.isPutOut());
    edge.disconnector().close(host, id, device, reason, detail, retryMillis);
  }

  private void leave(State next) {
    if (state == State.LIVE) {
      edge.counters().add(Count.SESSIONS_ENDED);
    }
    state = next;
  }

  /// @param counts whether what the device has acknowledged still counts
  private void release(boolean counts) {
    inbound.end(counts);
    if (watching != null) {
      watching.stop();
      watching = null;
    }
    Attachment route = attachment;
    attachment = null;
    if (route != null) {
      attendance.end(route, edge.nanoTime().getAsLong());
    }
    endHandshake();
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

  HeldAcks acks() {
    return acks;
  }

  /// The route that leads here; only while live.
  Attachment route() {
    return Objects.requireNonNull(attachment);
  }

  Attendance attendance() {
    return attendance;
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

  Watching watching() {
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

  /// The device, once its proof has been accepted.
  @Nullable DeviceId whoOrNull() {
    return device;
  }

  DeviceId who() {
    return Objects.requireNonNull(device);
  }

  UserId user() {
    return who().user();
  }

  int frameBytesMax() {
    return frameBytesMax;
  }

  /// Whether HELLO is to come.
  boolean awaitsHello() {
    return state == State.HELLO;
  }

  boolean isIdentifying() {
    return state == State.IDENTIFYING;
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

  /// Answers a request with an ERROR; the session goes on.
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
        Bodies.refusal(code, retryMillis, detail, field, csn));
  }
}

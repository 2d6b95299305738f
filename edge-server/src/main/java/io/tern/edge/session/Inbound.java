package io.tern.edge.session;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.tern.edge.config.LimitsConfig;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Sent;
import io.tern.router.Trace.At;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Slots;
import org.jspecify.annotations.Nullable;

/// What a device says about entries: SEND, ACK, NACK and READ, each a command for the ring of its
/// chat's shard; and what the session may say in all: its budgets, of sends and of cheap frames.
/// Confined to the session's event loop.
///
/// Bounds: `sendsInFlightMax` sends; the budget of sends a second, over it a send is refused; the
/// budget of cheap frames, over it the socket is read later, far over it the session ends.
final class Inbound {

  /// What SEND's body may have besides the message: csn, mentions, lengths, future fields.
  private static final int SEND_OVERHEAD = 1024;

  /// How many times over its budget a session is cut rather than slowed.
  private static final int FLOW_FACTOR = 10;

  private static final long BUSY_MILLIS = 20;
  private static final long RING_RETRY_MILLIS = 5;

  /// When somebody without strangers left may try again.
  private static final long STRANGER_MILLIS = 600_000;

  private final SessionLogic session;
  private final EdgeContext edge;
  private final SessionHost host;

  private long sendBudget;
  private long cheapBudget;

  /// The socket is not read before this; 0 when it may be.
  private long slowedUntil;

  private int sendsInFlight;

  /// A recipient who does not exist, as a reader just found; 0 for none.
  private long absentUser;

  /// A chat that has entries, as a reader just found, and one that has none; 0 for none. Asked for
  /// only while the account has no strangers left.
  private long oldChat;

  private long newChat;

  /// What its device has acknowledged in groups of late.
  private HeldAcks.@Nullable Held heldAcks;

  Inbound(SessionLogic session) {
    this.session = session;
    edge = session.edge();
    host = session.host();
  }

  boolean onSend(FrameHeader header, ByteBuf in, long now) {
    LimitsConfig limits = edge.limits();
    int rid = header.rid();
    if (sendsInFlight >= limits.sendsInFlightMax() || !host.isWritable()) {
      return false;
    }
    if (!UserId.isValid(header.chat())) {
      session.refuse(rid, ErrorCode.ARGUMENT, 0, "", "chat");
      return chargeCheap(now);
    }
    if (header.bodyBytes() > Limits.BODY_BYTES_MAX + SEND_OVERHEAD) {
      session.refuse(rid, ErrorCode.BODY_TOO_LARGE, 0, "", "body");
      return chargeCheap(now);
    }
    if (isOverRate(rid, now)) {
      return chargeCheap(now);
    }
    boolean group = header.has(FrameHeader.GROUP);
    if (!group && !edge.knownUsers().contains(header.chat())) {
      if (absentUser != header.chat()) {
        return lookUpUser(header.chat());
      }
      absentUser = 0;
      chargeSend(now);
      session.refuse(rid, ErrorCode.NOT_FOUND, 0, "", "chat");
      return true;
    }
    DeviceId who = session.who();
    var chat = ChatId.fromWire(who.user(), header.chat(), group);
    if (!group
        && !chat.isSelf()
        && !edge.budgets().mayMeetStrangers(who.user())
        && oldChat != header.chat()) {
      if (newChat != header.chat()) {
        return lookUpChat(chat, header.chat());
      }
      newChat = 0;
      chargeSend(now);
      edge.counters().add(Count.STRANGERS_REFUSED);
      session.refuse(rid, ErrorCode.RATE, STRANGER_MILLIS, "too many strangers", "");
      return true;
    }
    if (isOverBudget(rid, who.user(), chat)) {
      return chargeCheap(now);
    }
    chargeSend(now);
    byte[] body = ByteBufUtil.getBytes(in, in.readerIndex(), header.bodyBytes(), true);
    var send = new Command.Send(who, chat, body);
    if (edge.commands().submit(send, session.origin(rid, now))) {
      sendsInFlight++;
      edge.counters().add(Count.SENDS);
      session.sampler().onSend(session.id(), rid, now);
    } else {
      edge.counters().add(Count.RINGS_FULL);
      session.refuse(rid, ErrorCode.BUSY, BUSY_MILLIS, "ring full", "");
      slowDown(now, BUSY_MILLIS);
    }
    return true;
  }

  /// Charges a change that becomes an entry, as a send does. False after a refusal.
  boolean chargeEntry(int rid, long now) {
    if (isOverRate(rid, now)) {
      return false;
    }
    chargeSend(now);
    return true;
  }

  /// Whether there is nothing left of the budget of sends; then the request has been refused.
  private boolean isOverRate(int rid, long now) {
    LimitsConfig limits = edge.limits();
    if (limits.sendRate() == 0) {
      return false;
    }
    long overdraft = Budget.overdraft(sendBudget, now, limits.sendRate(), limits.sendBurst());
    if (overdraft <= 0) {
      return false;
    }
    session.refuse(rid, ErrorCode.RATE, overdraft / 1_000_000 + 1, "", "");
    return true;
  }

  private void chargeSend(long now) {
    if (edge.limits().sendRate() > 0) {
      sendBudget = Budget.charge(sendBudget, now, edge.limits().sendRate());
    }
  }

  /// Whether the account or the chat has used up what it has; then the request has been refused.
  private boolean isOverBudget(int rid, UserId user, ChatId chat) {
    long wait = edge.budgets().takeAccount(user);
    if (wait > 0) {
      edge.counters().add(Count.SENDS_OVER_ACCOUNT);
    } else {
      wait = edge.budgets().takeChat(chat);
      if (wait > 0) {
        edge.counters().add(Count.SENDS_OVER_CHAT);
      }
    }
    if (wait > 0) {
      session.refuse(rid, ErrorCode.RATE, wait, "", "");
    }
    return wait > 0;
  }

  /// Holds the frame until a reader has said whether the chat has entries.
  private boolean lookUpChat(ChatId chat, long peer) {
    DeviceId who = session.who();
    boolean asked =
        session
            .requests()
            .ask(
                shards -> {
                  var summary = Reads.summary(shards.of(Slots.of(chat)), chat, who);
                  return summary != null && summary.head() > 0;
                },
                exists -> {
                  oldChat = exists ? peer : 0;
                  newChat = exists ? 0 : peer;
                  session.unhold();
                },
                session::unhold);
    if (!asked) {
      host.wakeIn(Requests.RETRY_MILLIS);
    }
    return false;
  }

  /// Holds the frame until a reader has said whether the user exists.
  private boolean lookUpUser(long user) {
    var id = new UserId(user);
    boolean asked =
        session
            .requests()
            .ask(
                shards -> Reads.userExists(shards.of(Slots.of(id)), id),
                exists -> {
                  if (exists) {
                    edge.knownUsers().add(user);
                  } else {
                    absentUser = user;
                  }
                  session.unhold();
                },
                session::unhold);
    if (!asked) {
      host.wakeIn(Requests.RETRY_MILLIS);
    }
    return false;
  }

  void onSendAnswered(int rid, Outcome outcome, long now) {
    sendsInFlight--;
    session.unhold();
    if (!session.isLive()) {
      return;
    }
    switch (outcome) {
      case Outcome.Sent sent -> {
        edge.counters().add(sent.repeat() ? Count.SENDS_REPEATED : Count.SENT);
        session.sampler().onSent(session.id(), rid, now);
        ChatId chat = sent.entry().chat();
        session
            .sampler()
            .note(At.ANSWERED, session, chat, sent.entry().seq(), host.door().number(), now);
        if (sent.entry().seq() == 1 && !sent.repeat() && !chat.isGroup() && !chat.isSelf()) {
          edge.counters().add(Count.SENDS_TO_STRANGERS);
          edge.budgets().metStranger(session.user());
        }
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
        session.refuse(rid, code, 0, detail, "", csn);
      }
      case Outcome.Moved moved -> throw new IllegalStateException("SEND answered " + moved);
      case Outcome.Enrolled e -> throw new IllegalStateException("SEND answered " + e);
      case Outcome.DeviceRemoved d -> throw new IllegalStateException("SEND answered " + d);
      case Outcome.Ticked t -> throw new IllegalStateException("SEND answered " + t);
      case Outcome.Recorded r -> throw new IllegalStateException("SEND answered " + r);
      case Outcome.UserErased u -> throw new IllegalStateException("SEND answered " + u);
      case Outcome.Announced a -> throw new IllegalStateException("SEND answered " + a);
      case Outcome.UserBanned u -> throw new IllegalStateException("SEND answered " + u);
      case Outcome.Done d -> throw new IllegalStateException("SEND answered " + d);
    }
  }

  /// The device could not use the entry: for the server that is an acknowledgement like another.
  boolean onNack(FrameHeader header, ByteBuf in, long now) {
    if (!Bodies.isSound(session, FrameType.NACK, header, in, now)) {
      return true;
    }
    edge.counters().add(Count.NACKS);
    return onAck(header, now);
  }

  boolean onAck(FrameHeader header, long now) {
    ChatId chat = chatOfPosition(header, now);
    if (chat == null) {
      return true;
    }
    long seq = header.seq();
    HeldAcks.Held held =
        chat.isGroup() && session.outbound().isPushed(chat, seq)
            ? session.acks().add(session, heldAcks, chat, seq)
            : null;
    if (held != null) {
      heldAcks = held;
    } else if (!edge.commands()
        .submit(new Command.Ack(session.who(), chat, seq), session.origin(0))) {
      return retryRing();
    }
    edge.counters().add(Count.ACKS);
    session.sampler().note(At.ACKNOWLEDGED, session, chat, seq, 0, now);
    if (!session.outbound().onAcknowledged(chat, seq, now)) {
      return chargeCheap(now);
    }
    return true;
  }

  /// Nothing of it waits any longer.
  void forget(HeldAcks.Held gone) {
    heldAcks = HeldAcks.without(heldAcks, gone);
  }

  /// The session ends.
  ///
  /// @param wanted whether what its device has acknowledged still counts
  void end(boolean wanted) {
    session.acks().end(heldAcks, wanted);
  }

  boolean onRead(FrameHeader header, long now) {
    ChatId chat = chatOfPosition(header, now);
    if (chat == null) {
      return true;
    }
    Boolean hidden = session.outbound().hidesReads();
    if (hidden == null) {
      // Held until a reader has said.
      return false;
    }
    var read = new Command.Read(session.who(), chat, header.seq(), hidden);
    if (!edge.commands().submit(read, session.origin(0))) {
      return retryRing();
    }
    edge.counters().add(Count.READS);
    session.sampler().note(At.READ, session, chat, header.seq(), 0, now);
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
      session.close(CloseReason.MALFORMED, "no such position", now);
      return null;
    }
    return ChatId.fromWire(session.user(), header.chat(), header.has(FrameHeader.GROUP));
  }

  // ---- cheap frames, and the pace --------------------------------------------------------------

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
      session.close(CloseReason.FLOW, "cheap frames", now);
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

  private void slowDown(long now, long millis) {
    slowedUntil = Math.max(slowedUntil, now + millis * 1_000_000);
    host.wakeIn(millis);
    host.onInputChanged();
  }

  /// Whether the socket is not read, or has not been until a moment ago ([#onWake] ends it).
  boolean isSlowed() {
    return slowedUntil != 0;
  }

  /// Whether the socket may be read.
  boolean mayRead(long now) {
    return now >= slowedUntil;
  }

  /// What [SessionHost#wakeIn] asked for, or a sweep.
  void onWake(long now) {
    if (slowedUntil != 0) {
      if (now >= slowedUntil) {
        slowedUntil = 0;
        host.onInputChanged();
      } else {
        // Woken for something else; a host keeps one time only.
        host.wakeIn(millisUntil(slowedUntil, now));
      }
    }
  }

  private static long millisUntil(long then, long now) {
    return (then - now) / 1_000_000 + 1;
  }
}

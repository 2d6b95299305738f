package io.tern.edge.session;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import io.tern.router.Attachment;
import io.tern.store.Command;
import java.time.Duration;

/// Whether a session's client is there, and whether a person looks at it: PING and CLIENT_STATE,
/// the deadlines of a client that says nothing, does not finish what it began or does not read, and
/// what the store and the others are told. Confined to the session's event loop.
///
/// Bounds: the store is told at a login, at an end, at the sweep after a change and once a minute
/// while somebody is there; the others by [PresenceDesk], once a second at most. A client that goes
/// back and forth costs no more than that, and its cheap frames.
final class Attendance {

  private static final int PING_SECONDS_MIN = 5;
  private static final int PING_SECONDS_MAX = 1200;

  /// How often it is written down that somebody was there, while they are.
  private static final long SEEN_NANOS = Duration.ofMinutes(1).toNanos();

  private final SessionLogic session;

  private long lastInput;

  /// When the frame that has begun must be complete; 0 when none has.
  private long frameDeadline;

  /// When the socket was first found full; 0 while it is not.
  private long stalledSince;

  /// When the store was last told that the device is there; 0 when it still has to be.
  private long seenAt;

  /// How often the client means to send a PING; at most [#PING_SECONDS_MAX].
  private short pingSeconds;

  /// Whether a person looks at it; else it is in the background, or was only woken.
  private boolean active = true;

  /// Whether somebody has looked away and the store has not been told.
  private boolean lookedAway;

  Attendance(SessionLogic session, long now) {
    this.session = session;
    lastInput = now;
  }

  // ---- is it there? ----------------------------------------------------------------------------

  /// Something has come in, or would have, were it read.
  void heard(long now) {
    lastInput = now;
  }

  long lastInput() {
    return lastInput;
  }

  /// A part of a frame is there.
  void frameBegun(long now) {
    if (frameDeadline == 0) {
      frameDeadline = now + session.edge().limits().frameTimeout().toNanos();
    }
  }

  /// No part of a frame waits for the rest.
  void frameOver() {
    frameDeadline = 0;
  }

  /// Whether a frame that has begun should have been complete by now.
  boolean isFrameLate(long now) {
    return frameDeadline != 0 && now - frameDeadline >= 0;
  }

  /// The socket takes frames again.
  void onWritable() {
    stalledSince = 0;
  }

  /// Whether the client has said something lately and takes what is written. False after closing.
  boolean check(long now) {
    int idle = idleSeconds();
    if (now - lastInput >= Duration.ofSeconds(idle).toNanos()) {
      session.close(CloseReason.IDLE, idle + " s", now);
      return false;
    }
    if (session.host().isWritable()) {
      stalledSince = 0;
    } else if (stalledSince == 0) {
      stalledSince = now;
    } else if (now - stalledSince >= session.edge().limits().stallTimeout().toNanos()) {
      session.close(CloseReason.STALLED, "does not read", now);
      return false;
    }
    return true;
  }

  /// @param wanted how often the client means to send a PING, unsigned; 0 for as the edge likes
  void setPing(int wanted) {
    int seconds = wanted == 0 ? (int) session.edge().limits().ping().toSeconds() : wanted;
    // A number over 31 bits is a very long wish.
    pingSeconds =
        (short)
            (seconds < 0
                ? PING_SECONDS_MAX
                : Math.clamp(seconds, PING_SECONDS_MIN, PING_SECONDS_MAX));
  }

  int pingSeconds() {
    return pingSeconds;
  }

  /// How long the client may say nothing.
  int idleSeconds() {
    return pingSeconds + pingSeconds / 2 + 10;
  }

  boolean onPing(FrameHeader header, ByteBuf in, long now) {
    SessionHost host = session.host();
    if (!host.isWritable()) {
      return false;
    }
    if (Bodies.isSound(session, FrameType.PING, header, in, now)) {
      host.write(
          FrameType.PONG,
          0,
          0,
          0,
          0,
          ByteBufUtil.getBytes(in, in.readerIndex(), header.bodyBytes(), true));
      session.inbound().chargeCheap(now);
    }
    return true;
  }

  // ---- does a person look at it? ---------------------------------------------------------------

  /// Whether a person looks at it, as far as the client said.
  boolean isActive() {
    return active;
  }

  void onClientState(FrameHeader header, ByteBuf in, long now) {
    ClientState state =
        Bodies.parse(session, FrameType.CLIENT_STATE, ClientState.parser(), header, in, now);
    if (state != null && session.inbound().chargeCheap(now)) {
      if (state.getPingS() != 0) {
        setPing(state.getPingS());
      }
      onActivity(state.getState(), now);
    }
  }

  /// What the client says of whether a person looks at it. What is not said, or not known to this
  /// version, leaves it as it was; before HELLO it is active.
  void onActivity(ClientActivity activity, long now) {
    boolean was = active;
    active =
        switch (activity) {
          case CLIENT_ACTIVITY_ACTIVE -> true;
          case CLIENT_ACTIVITY_INACTIVE, CLIENT_ACTIVITY_PASSIVE -> false;
          case CLIENT_ACTIVITY_UNSPECIFIED, UNRECOGNIZED -> was;
        };
    if (active == was || !session.isLive()) {
      return;
    }
    lookedAway = was;
    seenAt = 0;
    session.edge().directory().setActive(session.route(), active);
    if (active) {
      session.edge().presence().arrived(session.user(), now);
    } else {
      session.edge().presence().left(session.user(), now);
    }
  }

  /// The device's route leads to this session.
  ///
  /// @param tookOver whether it led to another one
  void begin(Attachment route, boolean tookOver, long now) {
    if (active) {
      session.edge().presence().arrived(route.device().user(), now);
    } else if (tookOver) {
      // Somebody may have looked at that one, and it leaves without a word.
      session.edge().presence().left(route.device().user(), now);
    }
    // After the route: a device that was removed before that is refused, later it is found there.
    say(now);
  }

  /// Tells the store what it has not been told, or not for a minute.
  void tellStore(long now) {
    if (seenAt == 0 || (active && lastInput - seenAt > 0 && now - seenAt >= SEEN_NANOS)) {
      say(now);
    }
  }

  /// The session ends: takes its route back, and tells the store and the others.
  void end(Attachment route, long now) {
    if (active || lookedAway) {
      say(now);
    }
    session.edge().directory().detach(route, session.outbound().due());
    if (active) {
      session.edge().presence().left(route.device().user(), now);
    }
  }

  /// Says that the device is here, and whether somebody looks at it. What finds no place is said at
  /// a sweep.
  private void say(long now) {
    long at = active || lookedAway ? session.edge().wallMillis().getAsLong() : 0;
    if (session.edge().commands().submit(new Command.Seen(session.who(), at), session.origin(0))) {
      seenAt = now;
      lookedAway = false;
    } else {
      seenAt = 0;
    }
  }
}

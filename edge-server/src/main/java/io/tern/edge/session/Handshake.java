package io.tern.edge.session;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.tern.edge.config.LimitsConfig;
import io.tern.edge.logging.Wordless;
import io.tern.edge.metrics.Count;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.Backoff;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Reauth;
import io.tern.protocol.v1.SessionLimits;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.router.Directory;
import io.tern.router.Readers;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// How a session learns whom it serves: HELLO, and REAUTH later. Confined to the session's event
/// loop; let go when the session is live.
final class Handshake {

  private static final Logger log = LoggerFactory.getLogger(Handshake.class);

  /// Smallest frame limit a client may ask for: any message must fit.
  private static final int FRAME_BYTES_MIN = Limits.BODY_BYTES_MAX + 4096;

  private final SessionLogic session;
  private final EdgeContext edge;
  private final SessionHost host;

  /// Of a login; null before it, and when it is over.
  private Turns.@Nullable Turn turn;

  private Authenticator.@Nullable Accepted accepted;
  private boolean resumed;

  /// The device is new and its user is not.
  private boolean fromPresent;

  Handshake(SessionLogic session) {
    this.session = session;
    edge = session.edge();
    host = session.host();
  }

  void onHello(FrameHeader header, ByteBuf in, long now) {
    Hello hello = Bodies.parse(session, FrameType.HELLO, Hello.parser(), header, in, now);
    if (hello == null) {
      return;
    }
    if (hello.getVerMin() > Limits.VERSION || hello.getVerMax() < Limits.VERSION) {
      session.close(CloseReason.VERSION, hello.getVerMin() + " to " + hello.getVerMax(), now);
      return;
    }
    int index = hello.getDevice();
    if (!DeviceId.isValid(index)) {
      session.close(CloseReason.TOKEN_INVALID, "device index", now);
      return;
    }
    int frameMax = hello.getMaxFrame();
    if (frameMax != 0 && Integer.compareUnsigned(frameMax, FRAME_BYTES_MIN) < 0) {
      session.close(CloseReason.MALFORMED, "max_frame under " + FRAME_BYTES_MIN, now);
      return;
    }
    if (Integer.compareUnsigned(frameMax, Limits.FRAME_BYTES_NEGOTIABLE_MAX) > 0) {
      frameMax = Limits.FRAME_BYTES_NEGOTIABLE_MAX;
    }
    if (hello.getWindow() > 0) {
      session.outbound().narrowWindow(hello.getWindow());
    }
    session.attendance().onActivity(hello.getState(), now);
    session.identify(frameMax, hello.getPingS(), now);
    long began = now;
    byte[] token = hello.getToken().toByteArray();
    byte[] ticket = hello.getResume().toByteArray();
    if (token.length == 0 && ticket.length == 0) {
      session.close(CloseReason.IDENTITY_REQUIRED, "neither token nor ticket", now);
      return;
    }
    if (!edge.drain().isInService()) {
      edge.drain().onRefused();
      session.close(CloseReason.OUT_OF_SERVICE, "", edge.disconnector().comeBackMillis(), now);
      return;
    }
    if (edge.shedding().sheds(Shedding.Work.LOGINS)) {
      edge.counters().add(Count.LOGINS_SHED);
      session.close(CloseReason.BUSY, "overloaded", edge.turns().putOffMillis(), now);
      return;
    }
    long count = hello.getCount();
    Turns.Turn begins =
        edge.turns()
            .login(
                () -> host.execute(() -> prove(token, ticket, count, index, began)),
                retryMillis -> host.execute(() -> onPutOff(retryMillis, began)));
    turn = begins;
    if (begins.hasBegun()) {
      prove(token, ticket, count, index, began);
    }
  }

  /// Too many log in: this one comes back later.
  private void onPutOff(long retryMillis, long began) {
    if (session.isIdentifying()) {
      session.close(CloseReason.BUSY, "too many log in", retryMillis, began);
    }
  }

  private void prove(byte[] token, byte[] ticket, long count, int index, long began) {
    if (!session.isIdentifying()) {
      return;
    }
    if (ticket.length > 0) {
      Authenticator.Identity identity = edge.authenticator().openTicket(ticket, count);
      if (identity instanceof Authenticator.Accepted || token.length == 0) {
        onIdentity(identity, index, true, began);
        return;
      }
    }
    verifyToken(token, index, began);
  }

  private void verifyToken(byte[] token, int index, long began) {
    edge.authenticator()
        .verifyToken(
            token, identity -> host.execute(() -> onIdentity(identity, index, false, began)));
  }

  private void onIdentity(
      Authenticator.Identity identity, int index, boolean byTicket, long began) {
    if (!session.isIdentifying()) {
      return;
    }
    switch (identity) {
      case Authenticator.Refused(ErrorCode code, String detail) ->
          session.close(CloseReason.ofIdentity(code), detail, began);
      case Authenticator.Accepted accepted -> {
        if (accepted.device().index() != index) {
          session.close(CloseReason.TOKEN_INVALID, "another device", began);
          return;
        }
        long wait = edge.budgets().takeLogin(accepted.device());
        if (wait > 0) {
          edge.counters().add(Count.LOGINS_OVER_BUDGET);
          session.close(CloseReason.LOGIN_RATE, "too many logins", wait, began);
          return;
        }
        session.identified(accepted.device(), accepted.untilMillis());
        this.accepted = accepted;
        resumed = byTicket;
        lookUp(began);
      }
    }
  }

  /// Looks whether the device may come in as one that has been here, which most have: in memory,
  /// and with a reader where that does not say. A ticket too says only that it was there once. What
  /// changes after this look and before the device has its route is found when the store is told
  /// that it is there.
  private void lookUp(long now) {
    DeviceId who = session.who();
    long wallMillis = edge.wallMillis().getAsLong();
    Function<Readers.Shards, Boolean> mayReturn =
        shards -> Reads.mayReturn(shards.of(Slots.of(who.user())), who, wallMillis);
    Boolean inMemory = edge.readers().fromMemory(mayReturn);
    if (inMemory != null) {
      onLookedUp(inMemory, now);
      return;
    }
    boolean asked =
        edge.readers()
            .ask(
                mayReturn,
                known -> host.execute(() -> onLookedUp(known, now)),
                failure -> host.execute(() -> onLookedUp(false, now)));
    edge.counters().add(asked ? Count.QUESTIONS : Count.QUESTIONS_REFUSED);
    if (!asked) {
      enrol(now);
    }
  }

  private void onLookedUp(boolean known, long now) {
    Authenticator.Accepted identity = accepted;
    if (!session.isIdentifying() || identity == null) {
      return;
    }
    if (known) {
      attach(identity, now);
    } else {
      enrol(now);
    }
  }

  /// Creates user and device where absent, or learns why it may not come in. The answer comes as a
  /// delivery.
  private void enrol(long now) {
    DeviceId who = session.who();
    if (!edge.commands().submit(new Command.Enrol(who), session.origin(0))) {
      edge.counters().add(Count.RINGS_FULL);
      session.close(CloseReason.BUSY, "ring full", now);
    }
  }

  void onEnrolled(Outcome outcome, long now) {
    Authenticator.Accepted identity = accepted;
    if (!session.isIdentifying() || identity == null) {
      return;
    }
    switch (outcome) {
      case Outcome.Enrolled enrolled -> {
        fromPresent = enrolled.created() && enrolled.userExisted();
        attach(identity, now);
      }
      case Outcome.Refused(ErrorCode code, long csn, String detail) ->
          session.close(CloseReason.ofIdentity(code), code + " " + detail, now);
      case Outcome.Sent sent -> throw new IllegalStateException("enrol answered " + sent);
      case Outcome.Moved moved -> throw new IllegalStateException("enrol answered " + moved);
      case Outcome.DeviceRemoved d -> throw new IllegalStateException("enrol answered " + d);
      case Outcome.Ticked t -> throw new IllegalStateException("enrol answered " + t);
      case Outcome.Recorded r -> throw new IllegalStateException("enrol answered " + r);
      case Outcome.UserErased u -> throw new IllegalStateException("enrol answered " + u);
      case Outcome.Announced a -> throw new IllegalStateException("enrol answered " + a);
      case Outcome.UserBanned u -> throw new IllegalStateException("enrol answered " + u);
      case Outcome.Done d -> throw new IllegalStateException("enrol answered " + d);
    }
  }

  private void attach(Authenticator.Accepted identity, long began) {
    edge.knownUsers().add(identity.device().user().value());
    CompletableFuture<Directory.Attached> attaching;
    try {
      attaching =
          edge.directory()
              .attach(
                  identity.device(), edge.edge(), session.id(), session.attendance().isActive());
    } catch (RuntimeException e) {
      // It is away. Without it nobody comes in.
      attaching = CompletableFuture.failedFuture(e);
    }
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
      log.warn("the directory does not answer: {}", failure == null ? "" : Wordless.kinds(failure));
      session.close(CloseReason.BUSY, "the directory does not answer", began);
      return;
    }
    if (!session.isIdentifying()) {
      edge.directory().detach(attached.now(), null);
      return;
    }
    Attachment replaced = attached.replaced();
    if (replaced != null) {
      edge.counters().add(Count.TAKEOVERS);
      edge.relay().tell(replaced.edge(), new Delivery.Replaced(replaced));
    }
    session.goLive(attached.now(), replaced != null, edge.nanoTime().getAsLong());
    edge.counters().add(Count.HELLOS);
    if (resumed) {
      edge.counters().add(Count.HELLOS_RESUMED);
    }
    long now = edge.nanoTime().getAsLong();
    edge.stages().took(StageWatch.Stage.HELLO, now - began);
    host.write(FrameType.HELLO_ACK, 0, 0, 0, 0, helloAck(identity, attached.now()));
    session.endHandshake();
    session.outbound().begin(attached.news(), fromPresent);
    host.onInputChanged();
  }

  /// The login is over, one way or the other: another may have its turn.
  void endTurn() {
    Turns.Turn t = turn;
    if (t != null) {
      turn = null;
      t.done();
    }
  }

  private byte[] helloAck(Authenticator.Accepted identity, Attachment route) {
    LimitsConfig limits = edge.limits();
    return HelloAck.newBuilder()
        .setVer(Limits.VERSION)
        .setSession(session.id())
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
                .setWindow(session.outbound().windowEntries())
                .setWindowBytes(limits.windowBytes()))
        .setBackoff(Backoff.newBuilder().setBaseMs(500).setCapMs(120_000))
        .setPingS(session.attendance().pingSeconds())
        .setIdleS(session.attendance().idleSeconds())
        .setUser(identity.device().user().value())
        .setDevice(identity.device().index())
        .build()
        .toByteArray();
  }

  /// Renews the proof of identity of a live session.
  void onReauth(FrameHeader header, ByteBuf in, long now) {
    Reauth reauth = Bodies.parse(session, FrameType.REAUTH, Reauth.parser(), header, in, now);
    if (reauth == null || !session.inbound().chargeCheap(now)) {
      return;
    }
    edge.authenticator()
        .verifyToken(
            reauth.getToken().toByteArray(),
            identity -> host.execute(() -> onReidentified(identity, now)));
  }

  private void onReidentified(Authenticator.Identity identity, long now) {
    if (!session.isLive()) {
      return;
    }
    switch (identity) {
      case Authenticator.Refused(ErrorCode code, String detail) ->
          session.close(CloseReason.ofIdentity(code), detail, now);
      case Authenticator.Accepted accepted -> {
        if (accepted.device().equals(session.who())) {
          session.renewIdentity(accepted.untilMillis());
        } else {
          session.close(CloseReason.TOKEN_INVALID, "another device", now);
        }
      }
    }
  }
}

package io.tern.edge.session;

import io.tern.edge.session.StageWatch.Stage;
import io.tern.protocol.ChatId;
import io.tern.router.Trace;
import org.jspecify.annotations.Nullable;

/// Times one SEND and one DELIVER at a time, out of all sessions of an event loop: as many samples
/// as the latency allows, for two fields a message. And notes what happens to every entry at this
/// loop's devices, if there is a trace. Confined to the loop.
public final class Sampler {

  /// A sample whose end never came (the session closed, the client does not acknowledge) makes
  /// place for another one after this long.
  private static final long FORGOTTEN_NANOS = 30_000_000_000L;

  private final StageWatch watch;
  private final Trace.Writer trace;

  private long sendSession;
  private int sendRid;
  private long sendNanos;

  private long deliverSession;
  private @Nullable ChatId deliverChat;
  private long deliverSeq;
  private long deliverNanos;

  /// Without a trace.
  public Sampler(StageWatch watch) {
    this(watch, Trace.OFF.writer());
  }

  public Sampler(StageWatch watch, Trace.Writer trace) {
    this.watch = watch;
    this.trace = trace;
  }

  /// Something has happened to entry `seq`, or to all up to it, at the session's device.
  ///
  /// @param detail see [Trace.AtDevice]
  void note(Trace.At at, SessionLogic session, ChatId chat, long seq, int detail, long now) {
    if (trace.isOn()) {
      trace.at(at, chat, seq, session.who(), session.id(), detail, now);
    }
  }

  void onSend(long session, int rid, long now) {
    if (sendSession == 0 || now - sendNanos > FORGOTTEN_NANOS) {
      sendSession = session;
      sendRid = rid;
      sendNanos = now;
    }
  }

  void onSent(long session, int rid, long now) {
    if (sendSession == session && sendRid == rid) {
      sendSession = 0;
      watch.took(Stage.SEND_TO_SENT, now - sendNanos);
    }
  }

  void onDeliver(long session, ChatId chat, long seq, long now) {
    if (deliverSession == 0 || now - deliverNanos > FORGOTTEN_NANOS) {
      deliverSession = session;
      deliverChat = chat;
      deliverSeq = seq;
      deliverNanos = now;
    }
  }

  void onAck(long session, ChatId chat, long seq, long now) {
    if (deliverSession == session && seq >= deliverSeq && chat.equals(deliverChat)) {
      deliverSession = 0;
      watch.took(Stage.DELIVER_TO_ACK, now - deliverNanos);
    }
  }
}

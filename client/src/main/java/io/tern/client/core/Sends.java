package io.tern.client.core;

import io.netty.buffer.ByteBuf;
import io.tern.client.ClientStore.PendingSend;
import io.tern.client.SendCallback;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.SessionLimits;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The sending half of a client: exactly once, and in order per chat.
///
/// A chat whose next send may go out is in the ready list, one that must wait a while is blocked;
/// they take turns. What is in flight has a place in an array of 32, which its RID names, so an
/// answer finds its send without a map.
///
/// When a send is refused for now, those behind it in the chat will be refused as OUT_OF_ORDER. The
/// chat then waits for all answers ("rewinding") and writes everything unanswered again.
final class Sends {

  private static final int SERVER_ERRORS_MAX = 3;
  private static final Logger log = LoggerFactory.getLogger(ClientCore.class);

  private final ClientCore core;

  private final @Nullable Outgoing[] inFlight = new @Nullable Outgoing[Limits.SENDS_IN_FLIGHT_MAX];
  private int inFlightCount;
  private int inFlightMax = Limits.SENDS_IN_FLIGHT_MAX;
  private int generation;
  private int pendingSends;

  /// Bytes of their contents.
  private long pendingBytes;

  private int bodyBytesMax = Limits.BODY_BYTES_MAX;
  private @Nullable Chat firstReady;
  private @Nullable Chat lastReady;
  private final List<Chat> blocked = new ArrayList<>(0);

  /// The server's budget: no send before this time; tokens, as it counts them.
  private long sendsHeldUntil;

  private double sendsPerMilli;
  private double sendsBurst;
  private double sendTokens;
  private long sendTokensAt;

  /// What went out behind HELLO, before its answer.
  private int earlyFrames;

  private int earlyBytes;
  private long answerDeadline = ClientCore.NEVER;

  Sends(ClientCore core) {
    this.core = core;
  }

  int pending() {
    return pendingSends;
  }

  /// Bytes of the contents of what is pending.
  long pendingBytes() {
    return pendingBytes;
  }

  int bodyBytesMax() {
    return bodyBytesMax;
  }

  boolean hasInFlight() {
    return inFlightCount > 0;
  }

  /// Whether there is anything for [#write] to do.
  boolean hasWaiting() {
    return firstReady != null || !blocked.isEmpty();
  }

  /// A send that an earlier process has left. It has been promised, so no bound refuses it.
  void restore(Chat chat, PendingSend pending) {
    chat.append(new Outgoing(chat, pending.csn(), pending.content(), null));
    chat.lastCsn = Math.max(chat.lastCsn, pending.csn());
    count(pending.content());
    offerReady(chat);
  }

  /// HELLO goes out.
  void onHello() {
    earlyFrames = 0;
    earlyBytes = 0;
  }

  /// Whether one more frame may go out before the answer to HELLO; counts it.
  boolean takeEarlyFrame(int bytes) {
    if (earlyFrames >= Limits.EARLY_FRAMES_MAX || earlyBytes + bytes > Limits.EARLY_BYTES_MAX) {
      return false;
    }
    earlyFrames++;
    earlyBytes += bytes;
    return true;
  }

  void onHelloAck(long now, SessionLimits limits) {
    int window = limits.getInFlight();
    inFlightMax =
        window > 0 ? Math.min(window, Limits.SENDS_IN_FLIGHT_MAX) : Limits.SENDS_IN_FLIGHT_MAX;
    if (limits.getBodyBytes() > 0) {
      bodyBytesMax = limits.getBodyBytes();
    }
    sendsPerMilli = limits.getSendsPerS() / 1000.0;
    sendsBurst = Math.max(1, limits.getSendsBurst());
    sendTokens = Math.max(0, sendsBurst - inFlightCount);
    sendTokensAt = now;
  }

  /// The connection is gone: what was in flight goes out again.
  void onDisconnected() {
    answerDeadline = ClientCore.NEVER;
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
  }

  /// The client is closed: whoever waits hears it.
  void refuseAll(LongMap<Chat> chats, TernException refusal) {
    chats.forEach(chat -> {
      Outgoing send = chat.first;
      chat.first = null;
      chat.last = null;
      chat.unsent = null;
      while (send != null) {
        if (send.callback != null) {
          refuse(send.callback, chat.id, refusal);
        }
        send = send.next;
      }
    });
    pendingSends = 0;
    pendingBytes = 0;
  }

  long deadline() {
    long at = answerDeadline;
    if (firstReady != null && inFlightCount < inFlightMax && !core.isDraining()) {
      at = Math.min(at, sendsHeldUntil);
    }
    for (int i = 0; i < blocked.size(); i++) {
      at = Math.min(at, blocked.get(i).notBeforeMillis);
    }
    return at;
  }

  /// Whether an answer should have been there.
  boolean isAnswerLate(long now) {
    if (now < answerDeadline) {
      return false;
    }
    long oldest = ClientCore.NEVER;
    for (Outgoing send : inFlight) {
      if (send != null) {
        oldest = Math.min(oldest, send.writtenAtMillis);
      }
    }
    answerDeadline =
        oldest == ClientCore.NEVER ? ClientCore.NEVER : oldest + ClientCore.ANSWER_MILLIS_MAX;
    return now >= answerDeadline;
  }

  /// Numbers and keeps it.
  void accept(Chat chat, byte[] content, SendCallback callback) {
    long csn = chat.lastCsn + 1;
    core.store.addSend(new PendingSend(chat.id, csn, content));
    chat.lastCsn = csn;
    count(content);
    chat.append(new Outgoing(chat, csn, content, callback));
    offerReady(chat);
  }

  private void count(byte[] content) {
    pendingSends++;
    pendingBytes += content.length;
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

  void write(long now) {
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
      if (core.isGreeting()
          && earlyBytes + FrameOut.sendBytesMax(send.content.length) > Limits.EARLY_BYTES_MAX) {
        earlyFrames = Limits.EARLY_FRAMES_MAX;
        offerReady(chat);
        return;
      }
      writeSend(now, chat, send);
      offerReady(chat);
    }
  }

  private boolean mayWriteSend(long now) {
    if (inFlightCount >= inFlightMax || core.isDraining()) {
      return false;
    }
    if (core.isGreeting()) {
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
    if (answerDeadline == ClientCore.NEVER) {
      answerDeadline = now + ClientCore.ANSWER_MILLIS_MAX;
    }
    if (send.writes++ == 0 && send.callback != null) {
      core.out.noteNewSend();
    }
    sendTokens--;
    ByteBuf buf = core.out.buffer();
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
      answerDeadline = ClientCore.NEVER;
    }
  }

  void onSent(long now, ByteBuf in) {
    Outgoing send = core.header.rid() < Questions.FIRST_RID ? inFlight(core.header.rid()) : null;
    if (send == null) {
      return;
    }
    long tsMillis = 0;
    boolean repeat = false;
    core.body.start(in, in.readerIndex(), core.header.bodyBytes());
    for (int tag = core.body.nextTag(); tag != BodyReader.END; tag = core.body.nextTag()) {
      switch (tag) {
        case 1 << 3 -> tsMillis = core.body.varint();
        case 2 << 3 -> repeat = core.body.varint() != 0;
        default -> core.body.skip(tag);
      }
    }
    long seq = core.header.seq();
    if (core.body.isMalformed() || seq <= 0) {
      core.onProtocolFailure(now, "malformed SENT");
      return;
    }
    Chat chat = send.chat;
    settle(send);
    forget(send);
    chat.refusals = 0;
    core.entries.takeOwn(now, chat, seq);
    if (chat.rewinding && chat.inFlight == 0) {
      rewound(chat);
    }
    if (send.callback != null) {
      try {
        send.callback.onSent(chat.id, seq, send.csn, tsMillis, repeat);
      } catch (Throwable e) {
        log.error("{}: a callback failed", core, e);
      }
    } else {
      var told = new TernClient.Receipted(chat.id, seq, send.csn, tsMillis, repeat);
      core.listen(() -> core.listener.onSent(told));
    }
  }

  private void forget(Outgoing send) {
    core.store.removeSend(send.chat.id, send.csn);
    send.chat.remove(send);
    pendingSends--;
    pendingBytes -= send.content.length;
  }

  /// An ERROR that names a send.
  void onError(long now, Error error) {
    Outgoing send = inFlight(core.header.rid());
    if (send == null) {
      return;
    }
    Chat chat = send.chat;
    settle(send);
    long retryMillis = Integer.toUnsignedLong(error.getRetryMs());
    switch (ErrorCode.classOf(error.getCode())) {
      case LATER -> {
        long wait = core.backoff.requestMillis(core.random, chat.refusals++, retryMillis);
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
          rewind(chat, now + core.backoff.requestMillis(core.random, chat.refusals++, retryMillis));
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
    long wait = ++chat.refusals > 3 ? core.backoff.requestMillis(core.random, chat.refusals, 0) : 0;
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
    // One less: those behind it, which were out of order because of it, need not wait.
    chat.refusals = 0;
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
      core.listen(() ->
          core.listener.onSendRefused(chat.id, send.csn, Entries.contentOf(send.content), refusal));
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
    core.store.renumberSends(chat.id, after, csn);
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
    core.questions.add(
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
                chat.notBeforeMillis = core.passMillis + 1_000;
                offerReady(chat);
              }
            }));
  }

  void number(Chat chat, long lastCsn) {
    chat.numberingAsked = false;
    if (!chat.numbered) {
      renumber(chat, 0, lastCsn);
      offerReady(chat);
    }
  }

  void refuse(SendCallback callback, ChatId chat, ErrorCode code, String detail) {
    refuse(callback, chat, new TernException(code, 0, detail));
  }

  void refuse(SendCallback callback, ChatId chat, TernException refusal) {
    try {
      callback.onRefused(chat, refusal);
    } catch (Throwable e) {
      log.error("{}: a callback failed", core, e);
    }
  }
}

package io.tern.client.core;

import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.buffer.ByteBuf;
import io.tern.client.TernException;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.Error;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// The requests of a client, other than sends, that wait to be asked or answered. A repeat of one
/// changes nothing, so a lost connection or a "later" just asks them again.
///
/// Bounds: [ClientCore#REQUESTS_MAX] of the app, and one of each kind per chat of our own.
final class Questions {

  /// RIDs from here on are questions'; those below are sends'.
  static final int FIRST_RID = 0x4000;

  private static final int REFUSALS_MAX = 5;
  private static final int SERVER_ERRORS_MAX = 3;

  private final ClientCore core;
  private final List<Request> requests = new ArrayList<>(0);
  private int requestRid;
  private BooleanSupplier isGivenUp = Request.NEVER_GIVEN_UP;

  Questions(ClientCore core) {
    this.core = core;
  }

  /// `question` asks with [#ask(Request)], for somebody who may give up.
  void ask(BooleanSupplier givenUp, Runnable question) {
    isGivenUp = givenUp;
    try {
      question.run();
    } finally {
      isGivenUp = Request.NEVER_GIVEN_UP;
    }
  }

  /// Asks, or refuses at the bound.
  void ask(Request request) {
    request.isGivenUp = isGivenUp;
    if (requests.size() >= ClientCore.REQUESTS_MAX) {
      dropGivenUp();
    }
    if (core.isClosed()) {
      request.failure.onRefused(new TernException(ErrorCode.TIMEOUT, 0, "the client is closed"));
    } else if (requests.size() >= ClientCore.REQUESTS_MAX) {
      request.failure.onRefused(
          new TernException(ErrorCode.QUOTA, 0, "too many questions without an answer"));
    } else {
      add(request);
    }
  }

  /// Asks without a bound: the callers ask one question per chat at most.
  void add(Request request) {
    requests.add(request);
  }

  /// Those that are under way stay until they are answered.
  private void dropGivenUp() {
    requests.removeIf(request -> request.rid == 0 && request.isGivenUp.getAsBoolean());
  }

  void write(long now) {
    dropGivenUp();
    for (int i = 0; i < requests.size(); i++) {
      Request request = requests.get(i);
      if (request.rid != 0 || request.notBeforeMillis > now) {
        continue;
      }
      if (core.isGreeting()) {
        if (request.type != FrameType.CHAT_INFO
            || !core.sends.takeEarlyFrame(request.body.length + Limits.HEADER_BYTES_MAX)) {
          continue;
        }
      }
      requestRid = (requestRid + 1) & 0x3FFF;
      request.rid = FIRST_RID + requestRid;
      request.writtenAtMillis = now;
      ByteBuf buf = core.out.buffer();
      FrameOut.header(
          buf,
          request.type,
          request.flags | FrameHeader.RID | (request.seq > 0 ? FrameHeader.SEQ : 0),
          request.rid,
          request.chat,
          request.seq,
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

  void onReply(long now, FrameType type, ByteBuf in) throws InvalidProtocolBufferException {
    Request request = takeRequest(core.header.rid());
    if (request == null) {
      return;
    }
    if (FrameType.of(request.type.code() + 0x80) != type) {
      requests.add(request);
      core.onProtocolFailure(now, type + " answers " + request.type);
      return;
    }
    core.passMillis = now;
    try {
      request.reply.onPage(core.bodyOf(in));
    } catch (InvalidProtocolBufferException e) {
      request.rid = 0;
      requests.add(request);
      throw e;
    }
  }

  void onError(long now, Error error) {
    Request request = takeRequest(core.header.rid());
    if (request == null) {
      return;
    }
    core.passMillis = now;
    long retryMillis = Integer.toUnsignedLong(error.getRetryMs());
    ErrorCode.ErrorClass kind = ErrorCode.classOf(error.getCode());
    boolean retry =
        !request.isGivenUp.getAsBoolean()
            && ((kind == ErrorCode.ErrorClass.LATER
                    && (request.isUntilAnswered || request.refusals < REFUSALS_MAX))
                || (kind == ErrorCode.ErrorClass.SERVER
                    && request.refusals + 1 < SERVER_ERRORS_MAX));
    if (retry) {
      request.notBeforeMillis =
          now + core.backoff.requestMillis(core.random, request.refusals, retryMillis);
      request.refusals = Math.min(request.refusals + 1, 30);
      request.rid = 0;
      requests.add(request);
    } else {
      request.failure.onRefused(new TernException(error.getCode(), retryMillis, error.getDetail()));
    }
  }

  boolean isEmpty() {
    return requests.isEmpty();
  }

  /// The connection is gone: all are asked again.
  void onDisconnected() {
    for (Request request : requests) {
      request.rid = 0;
    }
  }

  void refuseAll(TernException refusal) {
    var open = new ArrayList<>(requests);
    requests.clear();
    for (Request request : open) {
      request.failure.onRefused(refusal);
    }
  }

  long deadline() {
    long at = ClientCore.NEVER;
    for (int i = 0; i < requests.size(); i++) {
      Request request = requests.get(i);
      if (request.rid != 0) {
        at = Math.min(at, request.writtenAtMillis + ClientCore.ANSWER_MILLIS_MAX);
      } else if (request.notBeforeMillis > core.passMillis) {
        at = Math.min(at, request.notBeforeMillis);
      }
    }
    return at;
  }

  /// Whether an answer should have been there.
  boolean isAnswerLate(long now) {
    for (int i = 0; i < requests.size(); i++) {
      Request request = requests.get(i);
      if (request.rid != 0 && now >= request.writtenAtMillis + ClientCore.ANSWER_MILLIS_MAX) {
        return true;
      }
    }
    return false;
  }
}

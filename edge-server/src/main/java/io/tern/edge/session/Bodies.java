package io.tern.edge.session;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Parser;
import io.netty.buffer.ByteBuf;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Prescan;
import io.tern.protocol.v1.Error;
import org.jspecify.annotations.Nullable;

/// The bodies of frames: what clients send is checked before anything is made of it, and the answer
/// to what is refused is made here. Has no state; each call is on its session's event loop.
///
/// Whoever sends a bad one is told: a request that is over a bound is refused, anything else ends
/// the session. Bounds: those of [Prescan], for each type of frame.
final class Bodies {

  private Bodies() {}

  /// Whether the body, at which `in` stands, passes the pre-scan. False after telling the sender.
  static boolean isSound(
      SessionLogic session, FrameType type, FrameHeader header, ByteBuf in, long now) {
    var verdict = Prescan.check(type, in, in.readerIndex(), header.bodyBytes());
    if (verdict == Prescan.Verdict.OK) {
      return true;
    }
    session.edge().counters().add(Count.BAD_BODIES);
    if (verdict.isOverABound() && header.has(FrameHeader.RID)) {
      session.refuse(header.rid(), ErrorCode.ARGUMENT, 0, type + " body: " + verdict, "");
      return false;
    }
    session.close(CloseReason.MALFORMED, type + " body: " + verdict, now);
    return false;
  }

  /// The message in the body, at which `in` stands; null after telling the sender.
  static <T> @Nullable T parse(
      SessionLogic session,
      FrameType type,
      Parser<T> parser,
      FrameHeader header,
      ByteBuf in,
      long now) {
    if (!isSound(session, type, header, in, now)) {
      return null;
    }
    try {
      return parser.parseFrom(in.nioBuffer(in.readerIndex(), header.bodyBytes()));
    } catch (InvalidProtocolBufferException e) {
      // The pre-scan is stricter than the parser; should it not be, the client is told the same.
      session.edge().counters().add(Count.BAD_BODIES);
      session.close(CloseReason.MALFORMED, type + " body", now);
      return null;
    }
  }

  /// The body of an ERROR that answers a request.
  static byte[] refusal(ErrorCode code, long retryMillis, String detail, String field, long csn) {
    return Error.newBuilder()
        .setCode(code.number())
        .setRetryMs((int) Math.min(retryMillis, Integer.MAX_VALUE))
        .setDetail(detail)
        .setField(field)
        .setCsn(csn)
        .build()
        .toByteArray();
  }
}

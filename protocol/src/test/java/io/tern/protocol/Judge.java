package io.tern.protocol;

import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.protocol.FrameReader.Result;
import io.tern.protocol.Prescan.Verdict;
import io.tern.protocol.v1.Hello;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a server owes to the bytes of one client, as far as bytes alone decide it: the rules of the
/// specification in a hundred lines, without chats, rates or time. Vectors are made with it and
/// held against it; a real server must come to the same answers.
final class Judge {

  /// One thing that the server does.
  sealed interface Answer {
    /// ERROR with a RID; the session goes on. `other` where a server may find another fault first.
    record Refuse(long rid, ErrorCode code, @Nullable ErrorCode other) implements Answer {}

    /// ERROR without RID, and the end.
    record Close(ErrorCode code) implements Answer {}

    /// The end without a word.
    record Hangup() implements Answer {}

    /// HELLO was fine so far: its token decides.
    record LogIn() implements Answer {}

    /// A frame that is to be handled.
    record Handle(String type) implements Answer {}

    record Ignore(String type) implements Answer {}

    record Pong(String hex) implements Answer {}
  }

  /// Answers to a connection that starts with `bytes`.
  static List<Answer> onConnection(byte[] bytes) {
    List<Answer> answers = new ArrayList<>();
    for (int i = 0; i < Math.min(4, bytes.length); i++) {
      if (bytes[i] != (byte) (Limits.PREFACE >>> (24 - 8 * i))) {
        answers.add(new Answer.Hangup());
        return answers;
      }
    }
    if (bytes.length >= 4) {
      judge(Unpooled.wrappedBuffer(bytes, 4, bytes.length - 4), false, answers);
    }
    return answers;
  }

  /// Answers to a session that is logged in and then receives `bytes`.
  static List<Answer> onSession(byte[] bytes) {
    List<Answer> answers = new ArrayList<>();
    judge(Unpooled.wrappedBuffer(bytes), true, answers);
    return answers;
  }

  private static void judge(ByteBuf in, boolean loggedIn, List<Answer> answers) {
    var header = new FrameHeader();
    boolean hello = !loggedIn;
    while (true) {
      int max = hello ? Limits.FRAME_BYTES_BEFORE_HELLO_MAX : Limits.FRAME_BYTES_MAX;
      Result result = FrameReader.read(in, max, header);
      if (result == Result.INCOMPLETE) {
        return;
      }
      if (result != Result.FRAME) {
        answers.add(
            new Answer.Close(
                result == Result.TOO_LARGE ? ErrorCode.FRAME_TOO_LARGE : ErrorCode.MALFORMED));
        return;
      }
      byte[] body = new byte[header.bodyBytes()];
      in.readBytes(body);
      Answer answer = hello ? hello(header, body) : frame(header, body);
      answers.add(answer);
      if (answer instanceof Answer.Close) {
        return;
      }
      hello = false;
    }
  }

  private static Answer hello(FrameHeader header, byte[] body) {
    if (header.type() != FrameType.HELLO.code()) {
      return new Answer.Close(ErrorCode.UNEXPECTED);
    }
    if (header.flags() != 0 || Prescan.check(FrameType.HELLO, body, 0, body.length) != Verdict.OK) {
      return new Answer.Close(ErrorCode.MALFORMED);
    }
    try {
      Hello hello = Hello.parseFrom(body);
      if (hello.getVerMin() > 1 || hello.getVerMax() < 1) {
        return new Answer.Close(ErrorCode.VERSION);
      }
      if (hello.getToken().isEmpty() && hello.getResume().isEmpty()) {
        return new Answer.Close(ErrorCode.IDENTITY_REQUIRED);
      }
      return new Answer.LogIn();
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError("the scan let it pass", e);
    }
  }

  private static Answer frame(FrameHeader header, byte[] body) {
    FrameType type = FrameType.of(header.type());
    if (type == null) {
      String name = "%02X".formatted(header.type());
      if (FrameType.isIgnorable(header.type())) {
        return new Answer.Ignore(name);
      }
      return header.has(FrameHeader.RID)
          ? refuse(header, ErrorCode.UNSUPPORTED, null)
          : new Answer.Close(ErrorCode.UNEXPECTED);
    }
    if (!type.isFromClient() || type == FrameType.HELLO) {
      return new Answer.Close(ErrorCode.UNEXPECTED);
    }
    if (!type.acceptsFlags(header.flags())) {
      return new Answer.Close(ErrorCode.MALFORMED);
    }
    Verdict verdict = Prescan.check(type, body, 0, body.length);
    boolean hasGoodPlace =
        (!header.has(FrameHeader.CHAT) || UserId.isValid(header.chat()))
            && (!header.has(FrameHeader.SEQ) || header.seq() > 0);
    if (verdict.isOverABound() && header.has(FrameHeader.RID) && type != FrameType.SEND) {
      return refuse(header, ErrorCode.ARGUMENT, null);
    }
    if (verdict != Verdict.OK) {
      return type == FrameType.SEND
          // The recipient may be looked for first.
          ? refuse(header, ErrorCode.ARGUMENT, ErrorCode.NOT_FOUND)
          : new Answer.Close(ErrorCode.MALFORMED);
    }
    if (!hasGoodPlace) {
      return header.has(FrameHeader.RID)
          ? refuse(header, ErrorCode.ARGUMENT, null)
          : new Answer.Close(ErrorCode.MALFORMED);
    }
    if (type == FrameType.PING) {
      return new Answer.Pong(HexFormat.of().formatHex(body));
    }
    return new Answer.Handle(type.name());
  }

  private static Answer refuse(FrameHeader header, ErrorCode code, @Nullable ErrorCode other) {
    return new Answer.Refuse(Integer.toUnsignedLong(header.rid()), code, other);
  }

  private Judge() {}
}

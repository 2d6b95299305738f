package io.tern.protocol;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.protocol.FrameReader.Result;
import io.tern.protocol.Prescan.Verdict;
import io.tern.protocol.v1.*;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// What must hold for every input: a fuzz target for Jazzer, replayed over its corpus by
/// [FuzzTest].
///
/// An input is taken twice: as a stream of frames, and, behind its first byte, as the body of the
/// client frame that this byte chooses.
public final class ProtocolFuzzer {

  private static final int FRAME_BYTES_MAX = 65_536;
  private static final List<FrameType> CLIENT_TYPES = new ArrayList<>();

  static {
    for (FrameType type : FrameType.values()) {
      if (Prescan.clientBody(type) != null) {
        CLIENT_TYPES.add(type);
      }
    }
  }

  private ProtocolFuzzer() {}

  /// Called by Jazzer.
  public static void fuzzerTestOneInput(byte[] input) throws InvalidProtocolBufferException {
    stream(input);
    if (input.length > 0) {
      FrameType type = CLIENT_TYPES.get((input[0] & 0xFF) % CLIENT_TYPES.size());
      body(type, java.util.Arrays.copyOfRange(input, 1, input.length));
    }
  }

  /// An input that fuzzes `body` as the body of `type`.
  static byte[] input(FrameType type, byte[] body) {
    byte[] input = new byte[body.length + 1];
    input[0] = (byte) CLIENT_TYPES.indexOf(type);
    System.arraycopy(body, 0, input, 1, body.length);
    return input;
  }

  // ---- frames
  // ------------------------------------------------------------------------------------

  private static void stream(byte[] input) {
    // Exactly as large as its contents: reading further would throw.
    ByteBuf in = Unpooled.wrappedBuffer(input);
    var header = new FrameHeader();
    while (true) {
      int start = in.readerIndex();
      Result result = FrameReader.read(in, FRAME_BYTES_MAX, header);
      checkPrefixes(input, start, result);
      if (result != Result.FRAME) {
        require(in.readerIndex() == start, "nothing is consumed without a frame");
        require(
            result != Result.INCOMPLETE || !isWhole(input, start), "waits for more than LEN says");
        return;
      }
      int end = in.readerIndex() + header.bodyBytes();
      require(end <= input.length, "a body beyond the input");
      byte[] body = new byte[header.bodyBytes()];
      in.readBytes(body);
      require(
          java.util.Arrays.equals(
              encode(header, body), java.util.Arrays.copyOfRange(input, start, end)),
          "encoding gives other bytes");
    }
  }

  /// A verdict comes at one byte and stays: before it there is INCOMPLETE, from it on the same.
  private static void checkPrefixes(byte[] input, int start, Result whole) {
    int length = Math.min(input.length - start, 40);
    Result last = Result.INCOMPLETE;
    for (int cut = 0; cut <= length; cut++) {
      Result now =
          FrameReader.read(
              Unpooled.wrappedBuffer(input, start, cut), FRAME_BYTES_MAX, new FrameHeader());
      require(last == Result.INCOMPLETE || now == last, "a verdict that changes");
      last = now;
    }
    require(last == whole || last == Result.INCOMPLETE, "a prefix says otherwise");
  }

  /// Whether all that LEN announces is there.
  private static boolean isWhole(byte[] input, int start) {
    long len = 0;
    for (int i = 0; i < 3 && start + i < input.length; i++) {
      len |= (input[start + i] & 0x7FL) << (7 * i);
      if (input[start + i] >= 0) {
        return start + i + 1 + len <= input.length;
      }
    }
    return false;
  }

  private static byte[] encode(FrameHeader header, byte[] body) {
    ByteBuf out = Unpooled.buffer();
    FrameWriter.write(
        out, FrameType.PING, header.flags(), header.rid(), header.chat(), header.seq(), body);
    int lenBytes = 1;
    while (out.getByte(lenBytes - 1) < 0) {
      lenBytes++;
    }
    out.setByte(lenBytes, header.type());
    return Frames.drain(out);
  }

  // ---- bodies
  // ------------------------------------------------------------------------------------

  private static void body(FrameType type, byte[] body) throws InvalidProtocolBufferException {
    Verdict verdict = Prescan.check(type, body, 0, body.length);
    ByteBuf direct =
        Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(body.length).put(body).flip());
    require(Prescan.check(type, direct, 0, body.length) == verdict, "array and buffer disagree");
    if (verdict != Verdict.OK) {
      return;
    }
    Message message = parser(type).parseFrom(body);
    int fields = check(message, 1);
    require(fields <= Limits.PROTO_FIELDS_MAX, "too many fields");
    if (type == FrameType.SEND) {
      checkSend((Send) message, body);
    }
  }

  /// Bounds that hold for what has passed; returns known fields, a packed field counting once.
  private static int check(Message message, int depth) {
    require(depth <= Limits.PROTO_DEPTH_MAX, "too deep");
    int fields = message.getUnknownFields().asMap().size();
    for (Map.Entry<FieldDescriptor, Object> entry : message.getAllFields().entrySet()) {
      FieldDescriptor field = entry.getKey();
      fields++;
      if (field.isRepeated()) {
        Integer max = Prescan.REPEATS_MAX.get(field.getFullName());
        require(max != null && ((List<?>) entry.getValue()).size() <= max, "too many repeats");
      } else if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
        fields += check((Message) entry.getValue(), depth + 1);
      } else if (field.getType() == FieldDescriptor.Type.STRING) {
        ByteString bytes = ByteString.copyFromUtf8((String) entry.getValue());
        Integer max = Prescan.BYTES_MAX.get(field.getFullName());
        require(max == null || bytes.size() <= max, "a string over its bound");
        require(bytes.isValidUtf8(), "a string that is not UTF-8");
      }
    }
    return fields;
  }

  private static void checkSend(Send send, byte[] body) throws InvalidProtocolBufferException {
    var parts = new SendBody();
    require(parts.read(body, 0, body.length) == Verdict.OK, "SendBody refuses");
    require(parts.csn() == send.getCsn(), "csn");
    require(parts.hasContent() == send.hasContent(), "content");
    require(parts.kind() == send.getContent().getKindValue(), "kind");
    require(parts.replyTo() == send.getContent().getReplyTo(), "reply_to");
    require(parts.ttlSeconds() == (send.getContent().getTtlS() & 0xFFFF_FFFFL), "ttl_s");
    require(parts.target() == send.getContent().getTarget(), "target");
    require(parts.isViewOnce() == send.getContent().getViewOnce(), "view_once");
    require(
        Content.parseFrom(ByteString.copyFrom(body, parts.contentOffset(), parts.contentBytes()))
            .equals(send.getContent()),
        "content bytes");
    require(
        ByteString.copyFrom(body, parts.bodyOffset(), parts.bodyBytes())
            .equals(send.getContent().getBody()),
        "body bytes");
  }

  private static Parser<? extends Message> parser(FrameType type) {
    return switch (type) {
      case HELLO -> Hello.parser();
      case CLIENT_STATE -> ClientState.parser();
      case REAUTH -> Reauth.parser();
      case BYE -> Bye.parser();
      case SEND -> Send.parser();
      case CATCH_UP -> CatchUp.parser();
      case HISTORY -> History.parser();
      case TYPING -> Typing.parser();
      case CHATS -> Chats.parser();
      case CHAT_INFO -> ChatInfo.parser();
      case GROUP_CREATE -> GroupCreate.parser();
      case GROUP_EDIT -> GroupEdit.parser();
      case ENTRY_INFO -> EntryInfo.parser();
      case PRESENCE_SUB -> PresenceSub.parser();
      case SETTINGS -> Settings.parser();
      case PUSH_REGISTER -> PushRegister.parser();
      case NACK -> Nack.parser();
      case DEVICES -> Devices.parser();
      case DEVICE_REMOVE -> DeviceRemove.parser();
      case ACK, READ -> PushRegistered.parser();
      default -> throw new AssertionError(type);
    };
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }
}

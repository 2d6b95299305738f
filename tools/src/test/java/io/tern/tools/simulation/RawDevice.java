package io.tern.tools.simulation;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.Send;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A client without manners: writes the frames it is told to and keeps what comes back.
final class RawDevice implements SimConnection.End {

  /// A frame from the server.
  record Frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {

    boolean isReplyTo(int toRid) {
      return (flags & FrameHeader.RID) != 0 && rid == toRid;
    }
  }

  private static final long ANSWER_MICROS_MAX = 20_000_000;
  private static final byte[] PREFACE = {0x54, 0x52, 0x4E, 0x01};

  final DeviceId id;
  final List<Frame> came = new ArrayList<>();
  private final World world;
  private final SimConnection connection;
  private final ByteBuf in = Unpooled.buffer();
  private final FrameHeader header = new FrameHeader();
  private final Map<ChatId, Long> csns = new HashMap<>();
  private int rids;
  private boolean closed;

  /// Connects and writes HELLO.
  RawDevice(World world, SimServer server, DeviceId id) {
    this.world = world;
    this.id = id;
    connection = new SimConnection(world, this, Objects.requireNonNull(server.life()));
    connection.fromClient(PREFACE);
    tell(
        FrameType.HELLO,
        null,
        0,
        Hello.newBuilder()
            .setVerMin(1)
            .setVerMax(1)
            .setDevice(id.index())
            .setToken(ByteString.copyFrom(SimServer.token(id)))
            .build());
  }

  /// Waits until the session is up.
  RawDevice up() {
    await(() -> has(FrameType.HELLO_ACK) && has(FrameType.CATCH_UP_PAGE));
    return this;
  }

  boolean has(FrameType type) {
    return came.stream().anyMatch(frame -> frame.type == type);
  }

  /// A request, without waiting for its reply; returns its RID.
  int request(FrameType type, @Nullable ChatId chat, long seq, Message body) {
    int rid = ++rids;
    write(type, FrameHeader.RID, rid, chat, seq, body);
    return rid;
  }

  void tell(FrameType type, @Nullable ChatId chat, long seq, Message body) {
    write(type, 0, 0, chat, seq, body);
  }

  private void write(
      FrameType type, int with, int rid, @Nullable ChatId chat, long seq, Message body) {
    int flags = with;
    long wireId = 0;
    if (chat != null) {
      flags |= FrameHeader.CHAT | (chat.isGroup() ? FrameHeader.GROUP : 0);
      wireId = chat.wireId(id.user());
    }
    if (seq != 0) {
      flags |= FrameHeader.SEQ;
    }
    ByteBuf out = Unpooled.buffer();
    FrameWriter.write(out, type, flags, rid, wireId, seq, body.toByteArray());
    byte[] bytes = new byte[out.readableBytes()];
    out.readBytes(bytes).release();
    connection.fromClient(bytes);
  }

  /// The reply to a request, or the ERROR in its place, or the one that ended the connection.
  Frame reply(int rid) {
    await(() -> closed || came.stream().anyMatch(frame -> frame.isReplyTo(rid)));
    return came.stream().filter(frame -> frame.isReplyTo(rid)).findFirst().orElseGet(this::end);
  }

  Frame ask(FrameType type, @Nullable ChatId chat, long seq, Message body) {
    return reply(request(type, chat, seq, body));
  }

  /// A SEND with the next csn.
  Frame send(ChatId chat, Content content) {
    long csn = csns.getOrDefault(chat, 0L) + 1;
    Frame reply =
        ask(FrameType.SEND, chat, 0, Send.newBuilder().setCsn(csn).setContent(content).build());
    if (reply.type == FrameType.SENT) {
      csns.put(chat, csn);
    }
    return reply;
  }

  /// As the specification has it: the name of the error, or "ok".
  static String outcome(Frame reply) {
    try {
      int code =
          switch (reply.type) {
            case ERROR -> Error.parseFrom(reply.body).getCode();
            case GOAWAY -> GoAway.parseFrom(reply.body).getCode();
            default -> 0;
          };
      return code == 0 ? "ok" : Objects.requireNonNull(ErrorCode.of(code)).name();
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  /// What ended the connection.
  Frame end() {
    await(() -> closed);
    for (Frame frame : came) {
      if (frame.type == FrameType.GOAWAY
          || (frame.type == FrameType.ERROR && (frame.flags & FrameHeader.RID) == 0)) {
        return frame;
      }
    }
    throw new AssertionError("closed without a word: " + came);
  }

  boolean isClosed() {
    return closed;
  }

  private void await(java.util.function.BooleanSupplier condition) {
    long until = world.micros() + ANSWER_MICROS_MAX;
    while (!condition.getAsBoolean()) {
      if (world.micros() > until) {
        throw new AssertionError(id + ": nothing came, or not that: " + came);
      }
      world.run(500);
    }
  }

  @Override
  public void onBytes(SimConnection from, byte[] bytes) {
    in.writeBytes(bytes);
    while (FrameReader.read(in, Limits.FRAME_BYTES_MAX, header) == FrameReader.Result.FRAME) {
      byte[] body = new byte[header.bodyBytes()];
      in.readBytes(body);
      came.add(
          new Frame(
              Objects.requireNonNull(FrameType.of(header.type())),
              header.flags(),
              header.rid(),
              header.chat(),
              header.seq(),
              body));
    }
    in.discardReadBytes();
  }

  @Override
  public void onConnectionLost(SimConnection which, String why) {
    closed = true;
  }

  @Override
  public boolean closedOrderly(SimConnection which) {
    return false;
  }
}

package io.tern.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
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
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Backoff;
import io.tern.protocol.v1.CatchUpPage;
import io.tern.protocol.v1.DeviceRemove;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.SessionLimits;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.Typing;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One connection of a device to a [FakeServer].
public final class FakeSession {

  final FakeChats chats;
  private final FakeServer server;
  private final FakeQuestions questions;
  private final FakeChanges changes;
  private final Consumer<byte[]> out;
  private final Runnable close;
  private final ByteBuf in = Unpooled.buffer();
  final FrameHeader header = new FrameHeader();
  private boolean prefaced;
  private boolean closed;
  private @Nullable DeviceId device;
  public int pingSeconds;
  public PresenceSub watched = PresenceSub.getDefaultInstance();

  FakeSession(FakeServer server, Consumer<byte[]> out, Runnable close) {
    this.server = server;
    chats = new FakeChats(server, this);
    questions = new FakeQuestions(server, this);
    changes = new FakeChanges(server, this);
    this.out = out;
    this.close = close;
  }

  public boolean isClosed() {
    return closed;
  }

  public DeviceId deviceId() {
    DeviceId known = device;
    if (known == null) {
      throw new IllegalStateException("no HELLO yet");
    }
    return known;
  }

  /// The client's end is gone.
  public void onClosed() {
    closed = true;
    if (device != null) {
      server.sessions.remove(device, this);
    }
  }

  public void shut() {
    if (!closed) {
      onClosed();
      close.run();
    }
  }

  public void onBytes(byte[] bytes) {
    if (closed) {
      return;
    }
    in.writeBytes(bytes);
    if (!prefaced) {
      if (in.readableBytes() < 4) {
        return;
      }
      if (in.readInt() != Limits.PREFACE) {
        server.violations.add("no preface");
        shut();
        return;
      }
      prefaced = true;
    }
    while (!closed) {
      FrameReader.Result result = FrameReader.read(in, Limits.FRAME_BYTES_MAX, header);
      if (result == FrameReader.Result.INCOMPLETE) {
        in.discardReadBytes();
        return;
      }
      if (result != FrameReader.Result.FRAME) {
        server.violations.add("bad frame: " + result);
        shut();
        return;
      }
      var body = new byte[header.bodyBytes()];
      in.readBytes(body);
      try {
        onFrame(body);
      } catch (InvalidProtocolBufferException e) {
        server.violations.add("bad body: " + e);
        shut();
      }
    }
  }

  private void onFrame(byte[] body) throws InvalidProtocolBufferException {
    FrameType type = FrameType.of(header.type());
    if (type == null) {
      server.violations.add("unknown type " + header.type());
      return;
    }
    server.received.merge(type, 1, Integer::sum);
    if (device == null) {
      if (type != FrameType.HELLO) {
        server.violations.add(type + " before HELLO");
        shut();
        return;
      }
      onHello(Hello.parseFrom(body));
      return;
    }
    if (server.sessions.get(device) != this) {
      return;
    }
    switch (type) {
      case SEND -> chats.onSend(Send.parseFrom(body));
      case ACK -> chats.onAck(header.seq());
      case READ -> chats.onRead(header.seq());
      case HISTORY -> questions.onHistory(History.parseFrom(body));
      case CHATS -> questions.onChats();
      case CHAT_INFO -> questions.onChatInfo();
      case PING -> frame(FrameType.PONG, 0, 0, 0, 0, body);
      case CLIENT_STATE -> pingSeconds = io.tern.protocol.v1.ClientState.parseFrom(body).getPingS();
      case TYPING -> chats.onTyping(Typing.parseFrom(body));
      case GROUP_CREATE -> changes.onGroupCreate(GroupCreate.parseFrom(body));
      case GROUP_EDIT -> changes.onGroupEdit(GroupEdit.parseFrom(body));
      case SETTINGS -> changes.onSettings(Settings.parseFrom(body));
      case ENTRY_INFO -> questions.onEntryInfo(EntryInfo.parseFrom(body), header.seq());
      case PRESENCE_SUB -> questions.onPresenceSub(PresenceSub.parseFrom(body));
      case DEVICES -> questions.onDevices();
      case DEVICE_REMOVE -> changes.onDeviceRemove(DeviceRemove.parseFrom(body).getDevice());
      case BYE -> shut();
      case REAUTH, PONG, NACK -> {}
      default -> error(header.rid(), ErrorCode.UNSUPPORTED, 0);
    }
  }

  private void onHello(Hello hello) {
    server.hellos++;
    pingSeconds = hello.getPingS();
    Error refusal = server.faults.refuseHello(hello);
    if (refusal != null) {
      frame(FrameType.ERROR, 0, 0, 0, 0, refusal.toByteArray());
      shut();
      return;
    }
    String name =
        hello.getResume().isEmpty()
            ? hello.getToken().toStringUtf8()
            : hello.getResume().toStringUtf8();
    String[] parts = name.split("\\.", -1);
    if (parts.length < 2) {
      error(0, ErrorCode.TOKEN_INVALID, 0);
      shut();
      return;
    }
    var id = new DeviceId(new UserId(Long.parseLong(parts[0])), Integer.parseInt(parts[1]));
    if (id.index() != hello.getDevice()) {
      error(0, ErrorCode.TOKEN_INVALID, 0);
      shut();
      return;
    }
    if (!hello.getResume().isEmpty()) {
      server.resumes++;
      if (hello.getCount() <= server.resumeCounts.getOrDefault(id, 0L)) {
        server.violations.add("resume count " + hello.getCount() + " was used before");
      }
      server.resumeCounts.put(id, hello.getCount());
    }
    if (server.removed.contains(id)) {
      error(0, ErrorCode.REVOKED, 0);
      shut();
      return;
    }
    server.known.add(id);
    device = id;
    FakeSession older = server.sessions.put(id, this);
    if (older != null) {
      older.frame(
          FrameType.GOAWAY,
          0,
          0,
          0,
          0,
          GoAway.newBuilder().setCode(ErrorCode.SESSION_REPLACED.number()).build().toByteArray());
      older.closed = true;
      older.close.run();
    }
    HelloAck.Builder ack =
        server.helloAck.toBuilder()
            .setVer(1)
            .setSession(++server.epochs)
            .setEpoch(server.epochs)
            .setUser(id.user().value())
            .setDevice(id.index())
            .setResumed(!hello.getResume().isEmpty())
            .setResume(ByteString.copyFromUtf8(name));
    if (!server.helloAck.hasLimits()) {
      ack.setLimits(
          SessionLimits.newBuilder()
              .setInFlight(32)
              .setSendsPerS(server.sendsPerSecond)
              .setSendsBurst(40));
    }
    if (!server.helloAck.hasBackoff()) {
      ack.setBackoff(Backoff.newBuilder().setBaseMs(500).setCapMs(120_000));
    }
    frame(FrameType.HELLO_ACK, 0, 0, 0, 0, ack.build().toByteArray());
    for (FakeLog log : List.copyOf(server.chats.values())) {
      if (log.sees(id.user())) {
        if (log.last(id.user()) - log.position(id) > 3 && server.faults.dropBacklog()) {
          chats.reset(log, log.last(id.user()) - 1);
        } else {
          chats.catchUp(log);
        }
        if (log.group == null) {
          chats.receipt(log, log.id.peerOf(id.user()), this);
        } else {
          chats.groupReceipt(log, log.group, this);
        }
      }
    }
    frame(
        FrameType.CATCH_UP_PAGE,
        0,
        0,
        0,
        0,
        CatchUpPage.newBuilder().setDone(true).build().toByteArray());
  }

  ChatId chat() {
    return ChatId.fromWire(deviceId().user(), header.chat(), header.has(FrameHeader.GROUP));
  }

  boolean sees(ChatId chat) {
    return server.log(chat).sees(deviceId().user());
  }

  int flags(ChatId chat) {
    return FrameHeader.CHAT | (chat.isGroup() ? FrameHeader.GROUP : 0);
  }

  boolean refusesQuestion() {
    Error refusal = server.faults.refuseQuestion();
    if (refusal != null) {
      frame(FrameType.ERROR, FrameHeader.RID, header.rid(), 0, 0, refusal.toByteArray());
      return true;
    }
    return false;
  }

  void reply(FrameType type, MessageLite body) {
    frame(
        type,
        FrameHeader.RID | (header.flags() & (FrameHeader.CHAT | FrameHeader.GROUP)),
        header.rid(),
        header.chat(),
        0,
        body.toByteArray());
  }

  public void error(int rid, ErrorCode code, int retryMillis) {
    frame(
        FrameType.ERROR,
        rid == 0 ? 0 : FrameHeader.RID,
        rid,
        0,
        0,
        Error.newBuilder().setCode(code.number()).setRetryMs(retryMillis).build().toByteArray());
  }

  public void frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    if (closed) {
      return;
    }
    ByteBuf buf = Unpooled.buffer();
    FrameWriter.write(buf, type, flags, rid, chat, seq, body);
    var bytes = new byte[buf.readableBytes()];
    buf.readBytes(bytes);
    out.accept(bytes);
  }
}

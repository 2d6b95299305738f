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
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Sent;
import io.tern.protocol.v1.SessionLimits;
import io.tern.protocol.v1.Typing;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A server as small as the rules allow, for tests of the client: everything it accepts is durable,
/// and it checks what a client must keep. One thread at a time. Faults are asked of [Faults].
public final class FakeServer {

  /// What may go wrong, one question per decision. By default nothing does.
  public interface Faults {

    /// Answer this SEND with an error instead; null to take it.
    default @Nullable Error refuseSend(Content content) {
      return null;
    }

    /// The same, but after the SEND was taken: its outcome is unknown to the client.
    default @Nullable Error forgetSent(Content content) {
      return null;
    }

    /// Lose this live DELIVER on its way through the server.
    default boolean loseDelivery(DeviceId device, ChatId chat) {
      return false;
    }

    /// Push this DELIVER twice.
    default boolean repeatDelivery() {
      return false;
    }

    /// Answer a question with an error.
    default @Nullable Error refuseQuestion() {
      return null;
    }

    /// Refuse HELLO.
    default @Nullable Error refuseHello(Hello hello) {
      return null;
    }

    /// Lose an ACK or READ.
    default boolean loseMark() {
      return false;
    }
  }

  public record LogEntry(long seq, DeviceId sender, long csn, long tsMillis, Content content) {}

  /// One chat.
  public static final class Log {
    public final ChatId id;
    public final List<LogEntry> entries = new ArrayList<>();
    final Map<DeviceId, Long> lastCsn = new HashMap<>();
    public final Map<DeviceId, Long> positions = new HashMap<>();
    public final Map<UserId, Long> delivered = new HashMap<>();
    public final Map<UserId, Long> read = new HashMap<>();

    Log(ChatId id) {
      this.id = id;
    }

    public long head() {
      return entries.size();
    }
  }

  public final Map<ChatId, Log> chats = new LinkedHashMap<>();
  public final Map<DeviceId, Session> sessions = new LinkedHashMap<>();
  private final Map<DeviceId, Long> resumeCounts = new HashMap<>();
  public Faults faults = new Faults() {};
  public HelloAck helloAck = HelloAck.getDefaultInstance();

  /// Told each (device, chat, seq) that a client acknowledges.
  public Ack onAck = (device, chat, seq) -> {};

  public int sendsPerSecond;
  public boolean echoesOwn = true;
  public long nowMillis = 1_700_000_000_000L;
  private long epochs;
  public int hellos;
  public int resumes;
  public final List<String> violations = new ArrayList<>();
  public final Map<FrameType, Integer> received = new HashMap<>();

  public interface Ack {
    void onAck(DeviceId device, ChatId chat, long seq);
  }

  /// The token of a user's device: nothing but its name.
  public static byte[] token(UserId user, int device) {
    return (user.value() + "." + device).getBytes(StandardCharsets.UTF_8);
  }

  public Log log(ChatId id) {
    return chats.computeIfAbsent(id, Log::new);
  }

  /// A new connection. `out` gets bytes for the client, `close` ends the connection.
  public Session open(Consumer<byte[]> out, Runnable close) {
    return new Session(out, close);
  }

  /// Pushes again what is not acknowledged, to everybody.
  public void nudgeAll() {
    for (Session session : List.copyOf(sessions.values())) {
      for (Log log : List.copyOf(chats.values())) {
        session.pushFrom(log, log.positions.getOrDefault(session.deviceId(), 0L) + 1);
      }
    }
  }

  /// One connection of a device.
  public final class Session {
    private final Consumer<byte[]> out;
    private final Runnable close;
    private final ByteBuf in = Unpooled.buffer();
    private final FrameHeader header = new FrameHeader();
    private boolean prefaced;
    private boolean closed;
    private @Nullable DeviceId device;
    public int pingSeconds;

    Session(Consumer<byte[]> out, Runnable close) {
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
        sessions.remove(device, this);
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
          violations.add("no preface");
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
          violations.add("bad frame: " + result);
          shut();
          return;
        }
        var body = new byte[header.bodyBytes()];
        in.readBytes(body);
        try {
          onFrame(body);
        } catch (InvalidProtocolBufferException e) {
          violations.add("bad body: " + e);
          shut();
        }
      }
    }

    private void onFrame(byte[] body) throws InvalidProtocolBufferException {
      FrameType type = FrameType.of(header.type());
      if (type == null) {
        violations.add("unknown type " + header.type());
        return;
      }
      received.merge(type, 1, Integer::sum);
      if (device == null) {
        if (type != FrameType.HELLO) {
          violations.add(type + " before HELLO");
          shut();
          return;
        }
        onHello(Hello.parseFrom(body));
        return;
      }
      if (sessions.get(device) != this) {
        return;
      }
      switch (type) {
        case SEND -> onSend(Send.parseFrom(body));
        case ACK -> onAck(header.seq());
        case READ -> onRead(header.seq());
        case HISTORY -> onHistory(History.parseFrom(body));
        case CHATS -> onChats();
        case CHAT_INFO -> onChatInfo();
        case PING -> frame(FrameType.PONG, 0, 0, 0, 0, body);
        case CLIENT_STATE ->
            pingSeconds = io.tern.protocol.v1.ClientState.parseFrom(body).getPingS();
        case TYPING -> onTyping(Typing.parseFrom(body));
        case BYE -> shut();
        case REAUTH, PONG, NACK -> {}
        default -> error(header.rid(), ErrorCode.UNSUPPORTED, 0);
      }
    }

    private void onHello(Hello hello) {
      hellos++;
      pingSeconds = hello.getPingS();
      Error refusal = faults.refuseHello(hello);
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
        resumes++;
        if (hello.getCount() <= resumeCounts.getOrDefault(id, 0L)) {
          violations.add("resume count " + hello.getCount() + " was used before");
        }
        resumeCounts.put(id, hello.getCount());
      }
      device = id;
      Session older = sessions.put(id, this);
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
          helloAck.toBuilder()
              .setVer(1)
              .setSession(++epochs)
              .setEpoch(epochs)
              .setUser(id.user().value())
              .setDevice(id.index())
              .setResumed(!hello.getResume().isEmpty())
              .setResume(ByteString.copyFromUtf8(name));
      if (!helloAck.hasLimits()) {
        ack.setLimits(
            SessionLimits.newBuilder()
                .setInFlight(32)
                .setSendsPerS(sendsPerSecond)
                .setSendsBurst(40));
      }
      if (!helloAck.hasBackoff()) {
        ack.setBackoff(Backoff.newBuilder().setBaseMs(500).setCapMs(120_000));
      }
      frame(FrameType.HELLO_ACK, 0, 0, 0, 0, ack.build().toByteArray());
      for (Log log : List.copyOf(chats.values())) {
        if (log.id.low() == id.user().value() || log.id.high() == id.user().value()) {
          pushFrom(log, log.positions.getOrDefault(id, 0L) + 1);
          receipt(log, log.id.peerOf(id.user()), this);
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

    private ChatId chat() {
      return ChatId.fromWire(deviceId().user(), header.chat(), header.has(FrameHeader.GROUP));
    }

    private void onSend(Send send) {
      int rid = header.rid();
      ChatId chat = chat();
      Error refusal = faults.refuseSend(send.getContent());
      if (refusal != null) {
        frame(FrameType.ERROR, FrameHeader.RID, rid, 0, 0, refusal.toByteArray());
        return;
      }
      Log log = log(chat);
      long last = log.lastCsn.getOrDefault(deviceId(), 0L);
      if (send.getCsn() > last + 1) {
        frame(
            FrameType.ERROR,
            FrameHeader.RID,
            rid,
            0,
            0,
            Error.newBuilder()
                .setCode(ErrorCode.OUT_OF_ORDER.number())
                .setCsn(last + 1)
                .build()
                .toByteArray());
        return;
      }
      boolean repeat = send.getCsn() <= last;
      LogEntry entry;
      if (repeat) {
        entry =
            log.entries.stream()
                .filter(e -> e.sender().equals(deviceId()) && e.csn() == send.getCsn())
                .findFirst()
                .orElseThrow();
        if (!entry.content().equals(send.getContent())) {
          violations.add("csn " + send.getCsn() + " came again with another body in " + chat);
        }
      } else {
        entry =
            new LogEntry(log.head() + 1, deviceId(), send.getCsn(), nowMillis++, send.getContent());
        log.entries.add(entry);
        log.lastCsn.put(deviceId(), send.getCsn());
      }
      Error forgotten = faults.forgetSent(send.getContent());
      if (forgotten != null) {
        frame(FrameType.ERROR, FrameHeader.RID, rid, 0, 0, forgotten.toByteArray());
      } else {
        frame(
            FrameType.SENT,
            FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ,
            rid,
            header.chat(),
            entry.seq(),
            Sent.newBuilder().setTsMs(entry.tsMillis()).setRepeat(repeat).build().toByteArray());
      }
      if (!repeat) {
        for (Session session : List.copyOf(sessions.values())) {
          if (session != this
              && session.sees(chat)
              && !faults.loseDelivery(session.deviceId(), chat)) {
            session.push(log, entry);
            if (faults.repeatDelivery()) {
              session.push(log, entry);
            }
          }
        }
      }
    }

    boolean sees(ChatId chat) {
      UserId user = deviceId().user();
      return chat.low() == user.value() || chat.high() == user.value();
    }

    void pushFrom(Log log, long seq) {
      if (!sees(log.id)) {
        return;
      }
      for (LogEntry entry :
          log.entries.subList((int) Math.min(seq, log.head() + 1) - 1, (int) log.head())) {
        if (echoesOwn || !entry.sender().equals(deviceId())) {
          push(log, entry);
        }
      }
    }

    public void push(Log log, LogEntry entry) {
      UserId user = deviceId().user();
      boolean own = entry.sender().user().equals(user);
      Deliver.Builder body =
          Deliver.newBuilder()
              .setDevice(entry.sender().index())
              .setTsMs(entry.tsMillis())
              .setContent(entry.content());
      if (own) {
        body.setCsn(entry.csn());
      }
      frame(
          FrameType.DELIVER,
          FrameHeader.CHAT | FrameHeader.SEQ | (own ? FrameHeader.OWN : 0),
          0,
          log.id.wireId(user),
          entry.seq(),
          body.build().toByteArray());
    }

    private void onAck(long seq) {
      Log log = log(chat());
      FakeServer.this.onAck.onAck(deviceId(), log.id, seq);
      if (seq > log.head()) {
        violations.add("ACK " + seq + " beyond head " + log.head());
      }
      if (faults.loseMark()) {
        return;
      }
      log.positions.merge(deviceId(), seq, Math::max);
      long before = log.delivered.getOrDefault(deviceId().user(), 0L);
      if (seq > before) {
        log.delivered.put(deviceId().user(), seq);
        receipts(log, deviceId().user());
      }
    }

    private void onRead(long seq) {
      if (faults.loseMark()) {
        return;
      }
      Log log = log(chat());
      log.read.merge(deviceId().user(), seq, Math::max);
      receipts(log, deviceId().user());
    }

    private void receipts(Log log, UserId member) {
      for (Session session : List.copyOf(sessions.values())) {
        if (session.sees(log.id) && session != this) {
          receipt(log, member, session);
        }
      }
    }

    private void receipt(Log log, UserId member, Session to) {
      boolean own = to.deviceId().user().equals(member);
      Receipt.Builder body =
          Receipt.newBuilder()
              .setDelivered(log.delivered.getOrDefault(member, 0L))
              .setRead(log.read.getOrDefault(member, 0L));
      if (own) {
        body.setMember(member.value());
      }
      to.frame(
          FrameType.RECEIPT,
          FrameHeader.CHAT,
          0,
          log.id.wireId(to.deviceId().user()),
          0,
          body.build().toByteArray());
    }

    private boolean refusesQuestion() {
      Error refusal = faults.refuseQuestion();
      if (refusal != null) {
        frame(FrameType.ERROR, FrameHeader.RID, header.rid(), 0, 0, refusal.toByteArray());
        return true;
      }
      return false;
    }

    private void onHistory(History question) {
      if (refusesQuestion()) {
        return;
      }
      Log log = log(chat());
      int limit = question.getLimit() == 0 ? 50 : question.getLimit();
      long from;
      long to;
      if (question.getAfter() > 0) {
        from = question.getAfter() + 1;
        to = Math.min(log.head(), question.getAfter() + limit);
      } else {
        to =
            question.getBefore() == 0 ? log.head() : Math.min(log.head(), question.getBefore() - 1);
        from = Math.max(1, to - limit + 1);
      }
      HistoryPage.Builder page = HistoryPage.newBuilder().setHead(log.head());
      page.setMore(question.getAfter() > 0 ? to < log.head() : from > 1);
      for (long seq = from; seq <= to; seq++) {
        page.addEntries(pageEntry(log.entries.get((int) seq - 1)));
      }
      reply(FrameType.HISTORY_PAGE, page.build());
    }

    private PageEntry pageEntry(LogEntry entry) {
      boolean own = entry.sender().user().equals(deviceId().user());
      Deliver.Builder deliver =
          Deliver.newBuilder()
              .setDevice(entry.sender().index())
              .setTsMs(entry.tsMillis())
              .setContent(entry.content());
      if (own) {
        deliver.setCsn(entry.csn());
      }
      return PageEntry.newBuilder().setSeq(entry.seq()).setOwn(own).setEntry(deliver).build();
    }

    private void onChats() {
      if (refusesQuestion()) {
        return;
      }
      ChatsPage.Builder page = ChatsPage.newBuilder();
      for (Log log : chats.values()) {
        if (sees(log.id)) {
          UserId user = deviceId().user();
          page.addChats(
              ChatItem.newBuilder()
                  .setChat(log.id.wireId(user))
                  .setHead(log.head())
                  .setDelivered(log.delivered.getOrDefault(user, 0L))
                  .setRead(log.read.getOrDefault(user, 0L))
                  .setLastCsn(log.lastCsn.getOrDefault(deviceId(), 0L))
                  .setPeerDelivered(log.delivered.getOrDefault(log.id.peerOf(user), 0L))
                  .setPeerRead(log.read.getOrDefault(log.id.peerOf(user), 0L)));
        }
      }
      reply(FrameType.CHATS_PAGE, page.build());
    }

    private void onChatInfo() {
      if (refusesQuestion()) {
        return;
      }
      Log log = chats.get(chat());
      if (log == null) {
        error(header.rid(), ErrorCode.NOT_FOUND, 0);
      } else {
        reply(
            FrameType.CHAT_INFO_PAGE,
            ChatInfoPage.newBuilder()
                .setHead(log.head())
                .setLastCsn(log.lastCsn.getOrDefault(deviceId(), 0L))
                .setPosition(log.positions.getOrDefault(deviceId(), 0L))
                .build());
      }
    }

    private void onTyping(Typing typing) {
      for (Session session : List.copyOf(sessions.values())) {
        if (session.sees(chat()) && !session.deviceId().user().equals(deviceId().user())) {
          session.frame(
              FrameType.TYPING_PUSH,
              FrameHeader.CHAT,
              0,
              chat().wireId(session.deviceId().user()),
              0,
              typing.toByteArray());
        }
      }
    }

    private void reply(FrameType type, MessageLite body) {
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
}

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
import io.tern.protocol.v1.DeviceItem;
import io.tern.protocol.v1.DeviceRemove;
import io.tern.protocol.v1.DeviceRemoved;
import io.tern.protocol.v1.DevicesPage;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.EntryInfoMember;
import io.tern.protocol.v1.EntryInfoPage;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupCreated;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEdited;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Member;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Presence;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Sent;
import io.tern.protocol.v1.SessionLimits;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.SettingsSet;
import io.tern.protocol.v1.Typing;
import io.tern.protocol.v1.UserPresence;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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

    /// The same, but after what it asked for has been done: the outcome is unknown to the client.
    default @Nullable Error forgetChange() {
      return null;
    }

    /// Say RESET instead of pushing a backlog.
    default boolean dropBacklog() {
      return false;
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
    public @Nullable FakeGroup group;

    Log(ChatId id) {
      this.id = id;
    }

    public long head() {
      return entries.size();
    }

    public boolean sees(UserId user) {
      FakeGroup in = group;
      return in == null
          ? id.low() == user.value() || id.high() == user.value()
          : in.members.containsKey(user);
    }

    /// The first and the last seq that are the user's to see.
    public long first(UserId user) {
      FakeGroup.Stay stay = group == null ? null : group.members.get(user);
      return stay == null ? 1 : stay.joined();
    }

    public long last(UserId user) {
      FakeGroup.Stay stay = group == null ? null : group.members.get(user);
      return stay == null || stay.isHere() ? head() : stay.left();
    }

    /// Where the next push to the device begins, less one.
    long position(DeviceId device) {
      return Math.max(positions.getOrDefault(device, 0L), first(device.user()) - 1);
    }
  }

  public final Map<ChatId, Log> chats = new LinkedHashMap<>();
  public final Map<DeviceId, Session> sessions = new LinkedHashMap<>();
  private final Map<DeviceId, Long> resumeCounts = new HashMap<>();
  public Faults faults = new Faults() {};
  public HelloAck helloAck = HelloAck.getDefaultInstance();

  /// Told each (device, chat, seq) that a client acknowledges.
  public Ack onAck = (device, chat, seq) -> {};

  /// What users have set, by key.
  public final Map<UserId, Map<String, Setting>> settings = new HashMap<>();

  public final Set<DeviceId> known = new LinkedHashSet<>();
  public final Set<DeviceId> removed = new HashSet<>();

  /// Whether what a request writes into a chat is pushed to the session that asked.
  public boolean pushesOwnEvents = true;

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

  /// What a setting is about: a later one of the same key replaces it.
  public static String key(Setting setting) {
    return setting.getWhatCase()
        + switch (setting.getWhatCase()) {
          case CHAT -> " " + setting.getChat().getGroup() + setting.getChat().getChat();
          case STAR -> " " + setting.getStar().getChat() + " " + setting.getStar().getSeq();
          case HIDE -> " " + setting.getHide().getChat() + " " + setting.getHide().getSeq();
          case CONTACT -> " " + setting.getContact().getUser();
          case BLOCK -> " " + setting.getBlock().getUser();
          case PRIVACY, WHAT_NOT_SET -> "";
        };
  }

  /// A new connection. `out` gets bytes for the client, `close` ends the connection.
  public Session open(Consumer<byte[]> out, Runnable close) {
    return new Session(out, close);
  }

  /// Pushes again what is not acknowledged, to everybody.
  public void nudgeAll() {
    for (Session session : List.copyOf(sessions.values())) {
      for (Log log : List.copyOf(chats.values())) {
        session.catchUp(log);
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
    public PresenceSub watched = PresenceSub.getDefaultInstance();

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
        case GROUP_CREATE -> onGroupCreate(GroupCreate.parseFrom(body));
        case GROUP_EDIT -> onGroupEdit(GroupEdit.parseFrom(body));
        case SETTINGS -> onSettings(Settings.parseFrom(body));
        case ENTRY_INFO -> onEntryInfo(EntryInfo.parseFrom(body), header.seq());
        case PRESENCE_SUB -> onPresenceSub(PresenceSub.parseFrom(body));
        case DEVICES -> onDevices();
        case DEVICE_REMOVE -> onDeviceRemove(DeviceRemove.parseFrom(body).getDevice());
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
      if (removed.contains(id)) {
        error(0, ErrorCode.REVOKED, 0);
        shut();
        return;
      }
      known.add(id);
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
        if (log.sees(id.user())) {
          if (log.last(id.user()) - log.position(id) > 3 && faults.dropBacklog()) {
            reset(log, log.last(id.user()) - 1);
          } else {
            catchUp(log);
          }
          if (log.group == null) {
            receipt(log, log.id.peerOf(id.user()), this);
          } else {
            groupReceipt(log, log.group, this);
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
      if (chat.isGroup()
          && send.getCsn() > last
          && (log.group == null || !log.group.isHere(deviceId().user()))) {
        error(rid, ErrorCode.NOT_MEMBER, 0);
        return;
      }
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
        pushLive(log, entry, false);
      }
    }

    private void pushLive(Log log, LogEntry entry, boolean toThisToo) {
      for (Session session : List.copyOf(sessions.values())) {
        UserId user = session.deviceId().user();
        if ((session != this || toThisToo)
            && log.sees(user)
            && entry.seq() >= log.first(user)
            && entry.seq() <= log.last(user)
            && !faults.loseDelivery(session.deviceId(), log.id)) {
          session.push(log, entry);
          if (faults.repeatDelivery()) {
            session.push(log, entry);
          }
        }
      }
    }

    boolean sees(ChatId chat) {
      return log(chat).sees(deviceId().user());
    }

    /// Pushes what the device has not acknowledged.
    void catchUp(Log log) {
      if (!log.sees(deviceId().user())) {
        return;
      }
      long position = log.position(deviceId());
      if (position > log.positions.getOrDefault(deviceId(), 0L)) {
        reset(log, position);
      }
      for (LogEntry entry :
          log.entries.subList(
              (int) Math.min(position, log.last(deviceId().user())),
              (int) log.last(deviceId().user()))) {
        if (echoesOwn || entry.csn() == 0 || !entry.sender().equals(deviceId())) {
          push(log, entry);
        }
      }
    }

    private void reset(Log log, long seq) {
      frame(
          FrameType.RESET,
          flags(log.id) | FrameHeader.SEQ,
          0,
          log.id.wireId(deviceId().user()),
          seq,
          new byte[0]);
    }

    private int flags(ChatId chat) {
      return FrameHeader.CHAT | (chat.isGroup() ? FrameHeader.GROUP : 0);
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
      if (log.id.isGroup()) {
        body.setSender(entry.sender().user().value());
      }
      frame(
          FrameType.DELIVER,
          flags(log.id) | FrameHeader.SEQ | (own ? FrameHeader.OWN : 0),
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
      FakeGroup group = log.group;
      if (group != null) {
        groupReceipts(log, group, member);
        return;
      }
      for (Session session : List.copyOf(sessions.values())) {
        if (session.sees(log.id) && session != this) {
          receipt(log, member, session);
        }
      }
    }

    private void groupReceipts(Log log, FakeGroup group, UserId member) {
      long delivered = Long.MAX_VALUE;
      long read = Long.MAX_VALUE;
      for (Map.Entry<UserId, FakeGroup.Stay> other : group.members.entrySet()) {
        if (other.getValue().isHere()) {
          delivered = Math.min(delivered, log.delivered.getOrDefault(other.getKey(), 0L));
          read = Math.min(read, log.read.getOrDefault(other.getKey(), 0L));
        }
      }
      boolean moved = delivered > group.allDelivered || read > group.allRead;
      group.allDelivered = Math.max(group.allDelivered, delivered);
      group.allRead = Math.max(group.allRead, read);
      for (Session session : List.copyOf(sessions.values())) {
        if (session != this && session.deviceId().user().equals(member)) {
          receipt(log, member, session);
        }
        if (moved && group.isHere(session.deviceId().user())) {
          groupReceipt(log, group, session);
        }
      }
    }

    private void groupReceipt(Log log, FakeGroup group, Session to) {
      to.frame(
          FrameType.RECEIPT,
          flags(log.id),
          0,
          log.id.high(),
          0,
          Receipt.newBuilder()
              .setDelivered(group.allDelivered)
              .setRead(group.allRead)
              .build()
              .toByteArray());
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
          flags(log.id),
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
      UserId user = deviceId().user();
      if (!log.sees(user)) {
        error(header.rid(), ErrorCode.NOT_MEMBER, 0);
        return;
      }
      int limit = question.getLimit() == 0 ? 50 : question.getLimit();
      long first = log.first(user);
      long head = log.last(user);
      long from;
      long to;
      if (question.getAfter() > 0) {
        from = Math.max(first, question.getAfter() + 1);
        to = Math.min(head, from + limit - 1);
      } else if (question.getAround() > 0) {
        from = Math.max(first, question.getAround() - limit / 2);
        to = Math.min(head, from + limit - 1);
      } else {
        to = question.getBefore() == 0 ? head : Math.min(head, question.getBefore() - 1);
        from = Math.max(first, to - limit + 1);
      }
      HistoryPage.Builder page = HistoryPage.newBuilder().setHead(head).setFirst(first);
      page.setMore(question.getAfter() > 0 ? to < head : from > first);
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
      } else if (header.has(FrameHeader.GROUP)) {
        deliver.setSender(entry.sender().user().value());
      }
      return PageEntry.newBuilder().setSeq(entry.seq()).setOwn(own).setEntry(deliver).build();
    }

    private void onChats() {
      if (refusesQuestion()) {
        return;
      }
      ChatsPage.Builder page = ChatsPage.newBuilder();
      for (Log log : chats.values()) {
        UserId user = deviceId().user();
        FakeGroup group = log.group;
        if (group != null && log.sees(user)) {
          page.addChats(
              ChatItem.newBuilder()
                  .setChat(log.id.high())
                  .setGroup(true)
                  .setHead(log.last(user))
                  .setDelivered(log.delivered.getOrDefault(user, 0L))
                  .setRead(log.read.getOrDefault(user, 0L))
                  .setLastCsn(log.lastCsn.getOrDefault(deviceId(), 0L))
                  .setTitle(group.title)
                  .setAllDelivered(group.allDelivered)
                  .setAllRead(group.allRead));
        } else if (group == null && log.sees(user)) {
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
      FakeGroup group = log == null ? null : log.group;
      if (log == null || !log.sees(deviceId().user())) {
        error(
            header.rid(),
            header.has(FrameHeader.GROUP) ? ErrorCode.NOT_MEMBER : ErrorCode.NOT_FOUND,
            0);
      } else if (group != null) {
        ChatInfoPage.Builder page =
            ChatInfoPage.newBuilder()
                .setHead(log.last(deviceId().user()))
                .setLastCsn(log.lastCsn.getOrDefault(deviceId(), 0L))
                .setPosition(log.position(deviceId()))
                .setMembersVersion(group.version)
                .setTitle(group.title)
                .setInvite(group.invite);
        group.members.forEach((user, stay) -> {
          if (stay.isHere()) {
            page.addMembers(Member.newBuilder().setUser(user.value()).setRole(stay.role()));
          }
        });
        reply(FrameType.CHAT_INFO_PAGE, page.build());
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
        boolean watches =
            chat().isGroup()
                ? session.watched.getGroupsList().contains(chat().high())
                : session.watched.getUsersList().contains(deviceId().user().value());
        if (watches
            && session.sees(chat())
            && !session.deviceId().user().equals(deviceId().user())) {
          Typing.Builder told = typing.toBuilder();
          if (chat().isGroup()) {
            told.setMember(deviceId().user().value());
          }
          session.frame(
              FrameType.TYPING_PUSH,
              flags(chat()),
              0,
              chat().wireId(session.deviceId().user()),
              0,
              told.build().toByteArray());
        }
      }
    }

    // ---- changes

    private void onGroupCreate(GroupCreate create) {
      if (create.getOpId().size() != 16) {
        violations.add("an operation id of " + create.getOpId().size() + " bytes");
      }
      if (refusesQuestion()) {
        return;
      }
      UserId user = deviceId().user();
      long hash = (user.value() * 31 + create.getOpId().hashCode()) & UserId.VALUE_MAX;
      ChatId id = ChatId.group(Math.max(1, hash));
      Log log = log(id);
      if (log.group == null) {
        log.group = new FakeGroup(user, create);
        appendEvent(log, Kind.KIND_GROUP, FakeGroup.birth(create));
      }
      answerChange(
          FrameType.GROUP_CREATED,
          FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ | FrameHeader.GROUP,
          id.high(),
          1,
          GroupCreated.newBuilder().setMembersVersion(log.group.version).build());
    }

    private void onGroupEdit(GroupEdit edit) {
      if (edit.getOpId().size() != 16) {
        violations.add("an operation id of " + edit.getOpId().size() + " bytes");
      }
      if (refusesQuestion()) {
        return;
      }
      UserId user = deviceId().user();
      Log log = chats.get(chat());
      FakeGroup group = log == null ? null : log.group;
      if (log == null || group == null) {
        error(header.rid(), ErrorCode.NOT_MEMBER, 0);
        return;
      }
      String operation = user + " " + edit.getOpId().hashCode();
      Long seq = group.operations.get(operation);
      if (seq == null) {
        GroupEvent event = group.change(user, edit, log.head() + 1);
        if (event == null) {
          ErrorCode why = group.refusal;
          error(header.rid(), why == null ? ErrorCode.INTERNAL : why, 0);
          return;
        }
        seq = log.head() + 1;
        group.operations.put(operation, seq);
        appendEvent(log, Kind.KIND_GROUP, event);
      }
      answerChange(
          FrameType.GROUP_EDITED,
          FrameHeader.RID | FrameHeader.SEQ,
          0,
          seq,
          GroupEdited.newBuilder().setMembersVersion(group.version).build());
    }

    private void onSettings(Settings asked) {
      if (refusesQuestion()) {
        return;
      }
      UserId user = deviceId().user();
      Map<String, Setting> mine = settings.computeIfAbsent(user, u -> new LinkedHashMap<>());
      if (asked.getSetCount() == 0) {
        var all = new ArrayList<>(mine.values());
        int from =
            asked.getPageToken().isEmpty()
                ? 0
                : Integer.parseInt(asked.getPageToken().toStringUtf8());
        int to = Math.min(all.size(), from + 3);
        SettingsSet.Builder page = SettingsSet.newBuilder().addAllSettings(all.subList(from, to));
        if (to < all.size()) {
          page.setNextPageToken(ByteString.copyFromUtf8(String.valueOf(to)));
        }
        reply(FrameType.SETTINGS_SET, page.build());
        return;
      }
      for (Setting setting : asked.getSetList()) {
        mine.put(key(setting), setting);
      }
      Log log = log(ChatId.direct(user, user));
      appendEvent(
          log, Kind.KIND_SETTING, Settings.newBuilder().addAllSet(asked.getSetList()).build());
      answerChange(
          FrameType.SETTINGS_SET,
          FrameHeader.RID | FrameHeader.SEQ,
          0,
          log.head(),
          SettingsSet.getDefaultInstance());
    }

    /// The server's own entry, on behalf of this device.
    private void appendEvent(Log log, Kind kind, MessageLite body) {
      LogEntry entry =
          new LogEntry(
              log.head() + 1,
              deviceId(),
              0,
              nowMillis++,
              Content.newBuilder().setKind(kind).setBody(body.toByteString()).build());
      log.entries.add(entry);
      pushLive(log, entry, pushesOwnEvents);
    }

    private void answerChange(FrameType type, int flags, long chat, long seq, MessageLite body) {
      Error forgotten = faults.forgetChange();
      if (forgotten != null) {
        frame(FrameType.ERROR, FrameHeader.RID, header.rid(), 0, 0, forgotten.toByteArray());
      } else {
        frame(type, flags, header.rid(), chat, seq, body.toByteArray());
      }
    }

    // ---- other questions

    private void onEntryInfo(EntryInfo question, long seq) {
      if (refusesQuestion()) {
        return;
      }
      Log log = log(chat());
      FakeGroup group = log.group;
      var users = new ArrayList<UserId>();
      if (group == null) {
        users.add(log.id.peerOf(deviceId().user()));
      } else {
        group.members.forEach((user, stay) -> {
          if (stay.sees(seq) && !user.equals(deviceId().user())) {
            users.add(user);
          }
        });
      }
      int from =
          question.getPageToken().isEmpty()
              ? 0
              : Integer.parseInt(question.getPageToken().toStringUtf8());
      int to = Math.min(users.size(), from + question.getLimit());
      EntryInfoPage.Builder page = EntryInfoPage.newBuilder().setTotal(users.size());
      for (UserId user : users.subList(from, to)) {
        page.addMembers(
            EntryInfoMember.newBuilder()
                .setUser(user.value())
                .setDeliveredAtMs(log.delivered.getOrDefault(user, 0L) >= seq ? nowMillis : 0)
                .setReadAtMs(log.read.getOrDefault(user, 0L) >= seq ? nowMillis : 0));
      }
      if (to < users.size()) {
        page.setNextPageToken(ByteString.copyFromUtf8(String.valueOf(to)));
      }
      reply(FrameType.ENTRY_INFO_PAGE, page.build());
    }

    private void onPresenceSub(PresenceSub sub) {
      watched = sub;
      if (refusesQuestion()) {
        return;
      }
      Presence.Builder page = Presence.newBuilder();
      for (long user : sub.getUsersList()) {
        page.addUsers(
            UserPresence.newBuilder()
                .setUser(user)
                .setOnline(sessions.keySet().stream().anyMatch(d -> d.user().value() == user)));
      }
      reply(FrameType.PRESENCE_PAGE, page.build());
    }

    private void onDevices() {
      if (refusesQuestion()) {
        return;
      }
      DevicesPage.Builder page = DevicesPage.newBuilder();
      for (DeviceId other : known) {
        if (other.user().equals(deviceId().user())) {
          page.addDevices(
              DeviceItem.newBuilder()
                  .setDevice(other.index())
                  .setOnline(sessions.containsKey(other))
                  .setCurrent(other.equals(deviceId())));
        }
      }
      reply(FrameType.DEVICES_PAGE, page.build());
    }

    private void onDeviceRemove(int index) {
      if (refusesQuestion()) {
        return;
      }
      var gone = new DeviceId(deviceId().user(), index);
      known.remove(gone);
      removed.add(gone);
      Session session = sessions.get(gone);
      if (session != null) {
        session.error(0, ErrorCode.REVOKED, 0);
        session.shut();
      }
      reply(FrameType.DEVICE_REMOVED, DeviceRemoved.getDefaultInstance());
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

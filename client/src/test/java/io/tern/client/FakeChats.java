package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Sent;
import io.tern.protocol.v1.Typing;
import java.util.List;
import java.util.Map;

/// What passes in chats between the sessions of a [FakeServer], for one of them: entries, marks and
/// typing.
final class FakeChats {

  private final FakeServer server;
  private final FakeSession session;

  FakeChats(FakeServer server, FakeSession session) {
    this.server = server;
    this.session = session;
  }

  void onSend(Send send) {
    int rid = session.header.rid();
    ChatId chat = session.chat();
    Error refusal = server.faults.refuseSend(send.getContent());
    if (refusal != null) {
      session.frame(FrameType.ERROR, FrameHeader.RID, rid, 0, 0, refusal.toByteArray());
      return;
    }
    FakeLog log = server.log(chat);
    long last = log.lastCsn.getOrDefault(session.deviceId(), 0L);
    if (chat.isGroup()
        && send.getCsn() > last
        && (log.group == null || !log.group.isHere(session.deviceId().user()))) {
      session.error(rid, ErrorCode.NOT_MEMBER, 0);
      return;
    }
    if (send.getCsn() > last + 1) {
      session.frame(
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
    FakeLog.Entry entry;
    if (repeat) {
      entry =
          log.entries.stream()
              .filter(e -> e.sender().equals(session.deviceId()) && e.csn() == send.getCsn())
              .findFirst()
              .orElseThrow();
      if (!entry.content().equals(send.getContent())) {
        server.violations.add("csn " + send.getCsn() + " came again with another body in " + chat);
      }
    } else {
      entry =
          new FakeLog.Entry(
              log.head() + 1,
              session.deviceId(),
              send.getCsn(),
              server.nowMillis++,
              send.getContent());
      log.entries.add(entry);
      log.lastCsn.put(session.deviceId(), send.getCsn());
    }
    Error forgotten = server.faults.forgetSent(send.getContent());
    if (forgotten != null) {
      session.frame(FrameType.ERROR, FrameHeader.RID, rid, 0, 0, forgotten.toByteArray());
    } else {
      session.frame(
          FrameType.SENT,
          FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ,
          rid,
          session.header.chat(),
          entry.seq(),
          Sent.newBuilder().setTsMs(entry.tsMillis()).setRepeat(repeat).build().toByteArray());
    }
    if (!repeat) {
      pushLive(log, entry, false);
    }
  }

  void pushLive(FakeLog log, FakeLog.Entry entry, boolean toThisToo) {
    for (FakeSession other : List.copyOf(server.sessions.values())) {
      UserId user = other.deviceId().user();
      if ((other != session || toThisToo)
          && log.sees(user)
          && entry.seq() >= log.first(user)
          && entry.seq() <= log.last(user)
          && !server.faults.loseDelivery(other.deviceId(), log.id)) {
        other.chats.push(log, entry);
        if (server.faults.repeatDelivery()) {
          other.chats.push(log, entry);
        }
      }
    }
  }

  /// Pushes what the device has not acknowledged.
  void catchUp(FakeLog log) {
    if (!log.sees(session.deviceId().user())) {
      return;
    }
    long position = log.position(session.deviceId());
    if (position > log.positions.getOrDefault(session.deviceId(), 0L)) {
      reset(log, position);
    }
    for (FakeLog.Entry entry :
        log.entries.subList(
            (int) Math.min(position, log.last(session.deviceId().user())),
            (int) log.last(session.deviceId().user()))) {
      if (server.echoesOwn || entry.csn() == 0 || !entry.sender().equals(session.deviceId())) {
        push(log, entry);
      }
    }
  }

  void reset(FakeLog log, long seq) {
    session.frame(
        FrameType.RESET,
        session.flags(log.id) | FrameHeader.SEQ,
        0,
        log.id.wireId(session.deviceId().user()),
        seq,
        new byte[0]);
  }

  void push(FakeLog log, FakeLog.Entry entry) {
    UserId user = session.deviceId().user();
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
    session.frame(
        FrameType.DELIVER,
        session.flags(log.id) | FrameHeader.SEQ | (own ? FrameHeader.OWN : 0),
        0,
        log.id.wireId(user),
        entry.seq(),
        body.build().toByteArray());
  }

  void onAck(long seq) {
    FakeLog log = server.log(session.chat());
    server.onAck.onAck(session.deviceId(), log.id, seq);
    if (seq > log.head()) {
      server.violations.add("ACK " + seq + " beyond head " + log.head());
    }
    if (server.faults.loseMark()) {
      return;
    }
    log.positions.merge(session.deviceId(), seq, Math::max);
    long before = log.delivered.getOrDefault(session.deviceId().user(), 0L);
    if (seq > before) {
      log.delivered.put(session.deviceId().user(), seq);
      receipts(log, session.deviceId().user());
    }
  }

  void onRead(long seq) {
    if (server.faults.loseMark()) {
      return;
    }
    FakeLog log = server.log(session.chat());
    log.read.merge(session.deviceId().user(), seq, Math::max);
    receipts(log, session.deviceId().user());
  }

  private void receipts(FakeLog log, UserId member) {
    FakeGroup group = log.group;
    if (group != null) {
      groupReceipts(log, group, member);
      return;
    }
    for (FakeSession other : List.copyOf(server.sessions.values())) {
      if (other.sees(log.id) && other != session) {
        receipt(log, member, other);
      }
    }
  }

  private void groupReceipts(FakeLog log, FakeGroup group, UserId member) {
    long delivered = Long.MAX_VALUE;
    long read = Long.MAX_VALUE;
    for (Map.Entry<UserId, FakeGroup.Stay> stay : group.members.entrySet()) {
      if (stay.getValue().isHere()) {
        delivered = Math.min(delivered, log.delivered.getOrDefault(stay.getKey(), 0L));
        read = Math.min(read, log.read.getOrDefault(stay.getKey(), 0L));
      }
    }
    boolean moved = delivered > group.allDelivered || read > group.allRead;
    group.allDelivered = Math.max(group.allDelivered, delivered);
    group.allRead = Math.max(group.allRead, read);
    for (FakeSession other : List.copyOf(server.sessions.values())) {
      if (other != session && other.deviceId().user().equals(member)) {
        receipt(log, member, other);
      }
      if (moved && group.isHere(other.deviceId().user())) {
        groupReceipt(log, group, other);
      }
    }
  }

  void groupReceipt(FakeLog log, FakeGroup group, FakeSession to) {
    to.frame(
        FrameType.RECEIPT,
        session.flags(log.id),
        0,
        log.id.high(),
        0,
        Receipt.newBuilder()
            .setDelivered(group.allDelivered)
            .setRead(group.allRead)
            .build()
            .toByteArray());
  }

  void receipt(FakeLog log, UserId member, FakeSession to) {
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
        session.flags(log.id),
        0,
        log.id.wireId(to.deviceId().user()),
        0,
        body.build().toByteArray());
  }

  void onTyping(Typing typing) {
    for (FakeSession other : List.copyOf(server.sessions.values())) {
      boolean watches =
          session.chat().isGroup()
              ? other.watched.getGroupsList().contains(session.chat().high())
              : other.watched.getUsersList().contains(session.deviceId().user().value());
      if (watches
          && other.sees(session.chat())
          && !other.deviceId().user().equals(session.deviceId().user())) {
        Typing.Builder told = typing.toBuilder();
        if (session.chat().isGroup()) {
          told.setMember(session.deviceId().user().value());
        }
        other.frame(
            FrameType.TYPING_PUSH,
            session.flags(session.chat()),
            0,
            session.chat().wireId(other.deviceId().user()),
            0,
            told.build().toByteArray());
      }
    }
  }
}

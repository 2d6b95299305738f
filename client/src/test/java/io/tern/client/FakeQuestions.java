package io.tern.client;

import com.google.protobuf.ByteString;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.DeviceItem;
import io.tern.protocol.v1.DevicesPage;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.EntryInfoMember;
import io.tern.protocol.v1.EntryInfoPage;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Member;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Presence;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.UserPresence;
import java.util.ArrayList;

/// What a [FakeServer] answers to who asks, for one session.
final class FakeQuestions {

  private final FakeServer server;
  private final FakeSession session;

  FakeQuestions(FakeServer server, FakeSession session) {
    this.server = server;
    this.session = session;
  }

  void onHistory(History question) {
    if (session.refusesQuestion()) {
      return;
    }
    FakeLog log = server.log(session.chat());
    UserId user = session.deviceId().user();
    if (!log.sees(user)) {
      session.error(session.header.rid(), ErrorCode.NOT_MEMBER, 0);
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
    session.reply(FrameType.HISTORY_PAGE, page.build());
  }

  private PageEntry pageEntry(FakeLog.Entry entry) {
    boolean own = entry.sender().user().equals(session.deviceId().user());
    Deliver.Builder deliver =
        Deliver.newBuilder()
            .setDevice(entry.sender().index())
            .setTsMs(entry.tsMillis())
            .setContent(entry.content());
    if (own) {
      deliver.setCsn(entry.csn());
    } else if (session.header.has(FrameHeader.GROUP)) {
      deliver.setSender(entry.sender().user().value());
    }
    return PageEntry.newBuilder().setSeq(entry.seq()).setOwn(own).setEntry(deliver).build();
  }

  void onChats() {
    if (session.refusesQuestion()) {
      return;
    }
    ChatsPage.Builder page = ChatsPage.newBuilder();
    for (FakeLog log : server.chats.values()) {
      UserId user = session.deviceId().user();
      FakeGroup group = log.group;
      if (group != null && log.sees(user)) {
        page.addChats(
            ChatItem.newBuilder()
                .setChat(log.id.high())
                .setGroup(true)
                .setHead(log.last(user))
                .setDelivered(log.delivered.getOrDefault(user, 0L))
                .setRead(log.read.getOrDefault(user, 0L))
                .setLastCsn(log.lastCsn.getOrDefault(session.deviceId(), 0L))
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
                .setLastCsn(log.lastCsn.getOrDefault(session.deviceId(), 0L))
                .setPeerDelivered(log.delivered.getOrDefault(log.id.peerOf(user), 0L))
                .setPeerRead(log.read.getOrDefault(log.id.peerOf(user), 0L)));
      }
    }
    session.reply(FrameType.CHATS_PAGE, page.build());
  }

  void onChatInfo() {
    if (session.refusesQuestion()) {
      return;
    }
    FakeLog log = server.chats.get(session.chat());
    FakeGroup group = log == null ? null : log.group;
    if (log == null || !log.sees(session.deviceId().user())) {
      session.error(
          session.header.rid(),
          session.header.has(FrameHeader.GROUP) ? ErrorCode.NOT_MEMBER : ErrorCode.NOT_FOUND,
          0);
    } else if (group != null) {
      ChatInfoPage.Builder page =
          ChatInfoPage.newBuilder()
              .setHead(log.last(session.deviceId().user()))
              .setLastCsn(log.lastCsn.getOrDefault(session.deviceId(), 0L))
              .setPosition(log.position(session.deviceId()))
              .setMembersVersion(group.version)
              .setTitle(group.title)
              .setInvite(group.invite);
      group.members.forEach((user, stay) -> {
        if (stay.isHere()) {
          page.addMembers(Member.newBuilder().setUser(user.value()).setRole(stay.role()));
        }
      });
      session.reply(FrameType.CHAT_INFO_PAGE, page.build());
    } else {
      session.reply(
          FrameType.CHAT_INFO_PAGE,
          ChatInfoPage.newBuilder()
              .setHead(log.head())
              .setLastCsn(log.lastCsn.getOrDefault(session.deviceId(), 0L))
              .setPosition(log.positions.getOrDefault(session.deviceId(), 0L))
              .build());
    }
  }

  void onEntryInfo(EntryInfo question, long seq) {
    if (session.refusesQuestion()) {
      return;
    }
    FakeLog log = server.log(session.chat());
    FakeGroup group = log.group;
    var users = new ArrayList<UserId>();
    if (group == null) {
      users.add(log.id.peerOf(session.deviceId().user()));
    } else {
      group.members.forEach((user, stay) -> {
        if (stay.sees(seq) && !user.equals(session.deviceId().user())) {
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
              .setDeliveredAtMs(log.delivered.getOrDefault(user, 0L) >= seq ? server.nowMillis : 0)
              .setReadAtMs(log.read.getOrDefault(user, 0L) >= seq ? server.nowMillis : 0));
    }
    if (to < users.size()) {
      page.setNextPageToken(ByteString.copyFromUtf8(String.valueOf(to)));
    }
    session.reply(FrameType.ENTRY_INFO_PAGE, page.build());
  }

  void onPresenceSub(PresenceSub sub) {
    session.watched = sub;
    if (session.refusesQuestion()) {
      return;
    }
    Presence.Builder page = Presence.newBuilder();
    for (long user : sub.getUsersList()) {
      page.addUsers(
          UserPresence.newBuilder()
              .setUser(user)
              .setOnline(
                  server.sessions.keySet().stream().anyMatch(d -> d.user().value() == user)));
    }
    session.reply(FrameType.PRESENCE_PAGE, page.build());
  }

  void onDevices() {
    if (session.refusesQuestion()) {
      return;
    }
    DevicesPage.Builder page = DevicesPage.newBuilder();
    for (DeviceId other : server.known) {
      if (other.user().equals(session.deviceId().user())) {
        page.addDevices(
            DeviceItem.newBuilder()
                .setDevice(other.index())
                .setOnline(server.sessions.containsKey(other))
                .setCurrent(other.equals(session.deviceId())));
      }
    }
    session.reply(FrameType.DEVICES_PAGE, page.build());
  }
}

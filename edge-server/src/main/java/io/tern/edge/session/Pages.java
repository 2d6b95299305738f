package io.tern.edge.session;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.DeviceItem;
import io.tern.protocol.v1.DevicesPage;
import io.tern.protocol.v1.EntryInfoMember;
import io.tern.protocol.v1.EntryInfoPage;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Member;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Reaction;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.SettingsSet;
import io.tern.router.Directory;
import io.tern.router.Hides;
import io.tern.router.Readers.Shards;
import io.tern.store.Entry;
import io.tern.store.Reactions;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The answers to questions, found and encoded on a reader's thread. Pure functions of the
/// snapshots; every page fits the client's largest frame.
final class Pages {

  /// Bytes that an entry costs in a page besides its content.
  private static final int ENTRY_OVERHEAD = 64;

  /// Bytes that a chat list item costs besides its last entry.
  private static final int ITEM_OVERHEAD = 128;

  /// The members of a direct chat never change.
  private static final long DIRECT_MEMBERS_VERSION = 1;

  private static final int TOKEN_BYTES = 16;

  /// A reply's body, or why there is none.
  record Reply(FrameType type, byte[] body, @Nullable ErrorCode refusal, String detail) {

    static Reply of(FrameType type, byte[] body) {
      return new Reply(type, body, null, "");
    }

    static Reply refused(ErrorCode code, String detail) {
      return new Reply(FrameType.ERROR, new byte[0], code, detail);
    }
  }

  private Pages() {}

  /// @param bytesMax room in the reply's frame
  static Reply history(
      Shards shards, ChatId chat, DeviceId viewer, History request, int limit, int bytesMax) {
    var shard = shards.of(Slots.of(chat));
    UserId user = viewer.user();
    if (!Reads.sees(shard, chat, user)) {
      return Reply.refused(ErrorCode.NOT_MEMBER, "");
    }
    int contentMax = Math.max(bytesMax - limit * ENTRY_OVERHEAD, 1);
    Reads.Page page;
    boolean newest = false;
    if (request.getAfter() != 0) {
      page = Reads.after(shard, chat, user, request.getAfter() + 1, limit, contentMax);
    } else if (request.getAround() != 0) {
      long from = Math.max(1, request.getAround() - limit / 2);
      page = Reads.after(shard, chat, user, from, limit, contentMax);
    } else {
      long before = request.getBefore() != 0 ? request.getBefore() : Long.MAX_VALUE;
      page = Reads.before(shard, chat, user, before, limit, contentMax);
      newest = true;
    }
    List<PageEntry> entries = pageEntries(shards, page, user);
    List<PageEntry> fitting = fitting(entries, bytesMax, newest);
    return Reply.of(
        FrameType.HISTORY_PAGE,
        HistoryPage.newBuilder()
            .addAllEntries(fitting)
            .setMore(page.more() || fitting.size() < entries.size())
            .setHead(page.head())
            .setFirst(page.first())
            .build()
            .toByteArray());
  }

  private static List<PageEntry> pageEntries(Shards shards, Reads.Page found, UserId user) {
    List<Entry> entries = found.entries();
    if (entries.isEmpty()) {
      return List.of();
    }
    ChatId chat = entries.getFirst().chat();
    Map<Long, List<Reaction>> reactions =
        Reactions.to(
            shards.of(Slots.of(chat)),
            chat,
            entries.getFirst().seq(),
            entries.getLast().seq(),
            found.head(),
            user);
    var page = new ArrayList<PageEntry>(entries.size());
    for (Entry entry : Hides.applied(shards, user, entries)) {
      boolean gone = entry.kind() == Kind.KIND_TOMBSTONE_VALUE;
      List<Reaction> to = gone ? List.of() : reactions.getOrDefault(entry.seq(), List.of());
      page.add(pageEntry(entry, user, to));
    }
    return page;
  }

  /// As many as fit, at least one: reactions can make a page larger than its contents.
  ///
  /// @param newest which to keep: those at the end
  private static List<PageEntry> fitting(List<PageEntry> entries, int bytesMax, boolean newest) {
    int bytes = 0;
    for (int i = 0; i < entries.size(); i++) {
      bytes += entries.get(newest ? entries.size() - 1 - i : i).getSerializedSize() + 4;
      if (bytes > bytesMax && i > 0) {
        return newest ? entries.subList(entries.size() - i, entries.size()) : entries.subList(0, i);
      }
    }
    return entries;
  }

  /// @param after the last chat of the page before; null for the first page
  static Reply chats(
      Shards shards, DeviceId viewer, @Nullable ChatId after, int limit, int bytesMax) {
    var own = shards.of(Slots.of(viewer.user()));
    boolean seesReads = !Visibility.hidesReads(shards, viewer.user());
    List<ChatId> chats = Reads.chatsOf(own, viewer.user(), after, limit);
    var body = ChatsPage.newBuilder();
    int bytes = TOKEN_BYTES;
    ChatId last = null;
    boolean cut = false;
    for (ChatId chat : chats) {
      Reads.Summary summary = Reads.summary(shards.of(Slots.of(chat)), chat, viewer);
      if (summary != null) {
        ChatSetting settings = Reads.chatSetting(own, viewer.user(), chat);
        ChatItem item = chatItem(shards, summary, viewer.user(), settings, seesReads);
        bytes += item.getSerializedSize() + ITEM_OVERHEAD;
        if (bytes > bytesMax && last != null) {
          cut = true;
          break;
        }
        body.addChats(item);
      }
      last = chat;
    }
    if (last != null && (cut || chats.size() == limit)) {
      body.setNextPageToken(token(last));
    }
    return Reply.of(FrameType.CHATS_PAGE, body.build().toByteArray());
  }

  /// About a chat. A direct one exists as soon as its users do.
  static Reply chatInfo(Shards shards, ChatId chat, DeviceId viewer, long knownVersion) {
    return chat.isGroup()
        ? groupInfo(shards, chat, viewer, knownVersion)
        : directInfo(shards, chat, viewer, knownVersion);
  }

  private static Reply directInfo(Shards shards, ChatId chat, DeviceId viewer, long knownVersion) {
    UserId user = viewer.user();
    UserId peer = chat.peerOf(user);
    if (!Reads.userExists(shards.of(Slots.of(peer)), peer)) {
      return Reply.refused(ErrorCode.NOT_FOUND, "");
    }
    Reads.Summary summary = Reads.summary(shards.of(Slots.of(chat)), chat, viewer);
    boolean seesReads = !Visibility.hidesReads(shards, user);
    boolean unchanged = knownVersion == DIRECT_MEMBERS_VERSION;
    var body =
        ChatInfoPage.newBuilder().setUnchanged(unchanged).setMembersVersion(DIRECT_MEMBERS_VERSION);
    if (summary != null) {
      addSummary(body, summary);
    }
    if (!unchanged) {
      body.addMembers(
          Member.newBuilder()
              .setUser(user.value())
              .setRole(Role.ROLE_MEMBER)
              .setDelivered(summary == null ? 0 : summary.delivered())
              .setRead(summary == null ? 0 : summary.read()));
      if (!chat.isSelf()) {
        body.addMembers(
            Member.newBuilder()
                .setUser(peer.value())
                .setRole(Role.ROLE_MEMBER)
                .setDelivered(summary == null ? 0 : summary.peerDelivered())
                .setRead(summary == null || !seesReads ? 0 : summary.peerRead()));
      }
    }
    return Reply.of(FrameType.CHAT_INFO_PAGE, body.build().toByteArray());
  }

  /// About a group: all of it to its members, to former ones only their own place in its log.
  private static Reply groupInfo(Shards shards, ChatId chat, DeviceId viewer, long knownVersion) {
    var shard = shards.of(Slots.of(chat));
    Reads.Summary summary = Reads.summary(shard, chat, viewer);
    Reads.GroupInfo group = Reads.groupInfo(shard, chat);
    if (summary == null || group == null) {
      return Reply.refused(ErrorCode.NOT_MEMBER, "");
    }
    Role role = Reads.roleOf(shard, chat, viewer.user());
    var body = ChatInfoPage.newBuilder().setRole(role);
    addSummary(body, summary);
    if (role == Role.ROLE_UNSPECIFIED) {
      return Reply.of(FrameType.CHAT_INFO_PAGE, body.clearTtlS().build().toByteArray());
    }
    boolean unchanged = knownVersion == group.version();
    body.setUnchanged(unchanged)
        .setMembersVersion(group.version())
        .setTitle(group.title())
        .setPicture(group.picture())
        .setDescription(group.description())
        .setAdminOnlySend(group.adminOnlySend())
        .setAdminOnlyEdit(group.adminOnlyEdit());
    if (role == Role.ROLE_ADMIN || role == Role.ROLE_OWNER) {
      body.setInvite(ByteString.copyFrom(group.invite()));
    }
    if (!unchanged) {
      for (Reads.GroupMember member : group.members()) {
        body.addMembers(Member.newBuilder().setUser(member.user().value()).setRole(member.role()));
      }
    }
    return Reply.of(FrameType.CHAT_INFO_PAGE, body.build().toByteArray());
  }

  private static void addSummary(ChatInfoPage.Builder body, Reads.Summary summary) {
    body.setHead(summary.head())
        .setLastCsn(summary.lastCsn())
        .setPosition(position(summary))
        .setTtlS(summary.ttlSeconds());
  }

  /// Where a device begins that knows nothing of the chat: not below where its user joined.
  private static long position(Reads.Summary summary) {
    return Math.max(summary.position(), summary.first() - 1);
  }

  /// Who got one of the viewer's own entries, and when.
  static Reply entryInfo(
      Shards shards, ChatId chat, long seq, UserId viewer, @Nullable UserId after, int limit) {
    var shard = shards.of(Slots.of(chat));
    if (!Reads.sees(shard, chat, viewer)) {
      return Reply.refused(ErrorCode.NOT_MEMBER, "");
    }
    Reads.EntryInfo info = Reads.entryInfo(shard, chat, seq, viewer, after, limit);
    if (info == null) {
      Reads.Page found = Reads.after(shard, chat, viewer, seq, 1, 1);
      boolean others = !found.entries().isEmpty() && found.entries().getFirst().seq() == seq;
      return Reply.refused(others ? ErrorCode.NOT_ALLOWED : ErrorCode.NOT_FOUND, "");
    }
    boolean seesReads = !Visibility.hidesReads(shards, viewer);
    var body =
        EntryInfoPage.newBuilder()
            .setTotal(info.total())
            .setDelivered(info.delivered())
            .setRead(seesReads ? info.read() : 0);
    for (Reads.MemberTimes member : info.members()) {
      body.addMembers(
          EntryInfoMember.newBuilder()
              .setUser(member.user().value())
              .setDeliveredAtMs(member.times().deliveredMillis())
              .setReadAtMs(seesReads ? member.times().readMillis() : 0));
    }
    if (info.more()) {
      body.setNextPageToken(token(info.members().getLast().user()));
    }
    return Reply.of(FrameType.ENTRY_INFO_PAGE, body.build().toByteArray());
  }

  static Reply settings(Shards shards, UserId user, byte[] after, int bytesMax) {
    Reads.SettingsPage page =
        Reads.settings(shards.of(Slots.of(user)), user, after, Limits.PAGE_ENTRIES_MAX, bytesMax);
    return Reply.of(
        FrameType.SETTINGS_SET,
        SettingsSet.newBuilder()
            .addAllSettings(page.settings())
            .setNextPageToken(ByteString.copyFrom(page.next()))
            .build()
            .toByteArray());
  }

  static Reply devices(Shards shards, Directory directory, DeviceId asking) {
    Set<DeviceId> online = new HashSet<>();
    directory
        .lookup(List.of(asking.user()))
        .getFirst()
        .sessions()
        .forEach(session -> online.add(session.device()));
    var body = DevicesPage.newBuilder();
    for (Reads.DeviceInfo device :
        Reads.devices(shards.of(Slots.of(asking.user())), asking.user())) {
      body.addDevices(
          DeviceItem.newBuilder()
              .setDevice(device.index())
              .setCreatedMs(device.createdMillis())
              .setLastSeenMs(device.lastSeenMillis())
              .setOnline(online.contains(new DeviceId(asking.user(), device.index())))
              .setCurrent(device.index() == asking.index()));
    }
    return Reply.of(FrameType.DEVICES_PAGE, body.build().toByteArray());
  }

  /// The chat in a page token, or null when it is not one of ours.
  static @Nullable ChatId fromToken(ByteString token) {
    if (token.size() != TOKEN_BYTES) {
      return null;
    }
    ByteBuffer bytes = token.asReadOnlyByteBuffer();
    long low = bytes.getLong();
    long high = bytes.getLong();
    return low < 0 || low > high || !UserId.isValid(high) ? null : new ChatId(low, high);
  }

  /// The user in a page token, or null when it is not one of ours.
  static @Nullable UserId userFromToken(ByteString token) {
    if (token.size() != Long.BYTES) {
      return null;
    }
    long user = token.asReadOnlyByteBuffer().getLong();
    return UserId.isValid(user) ? new UserId(user) : null;
  }

  private static ByteString token(UserId user) {
    return ByteString.copyFrom(ByteBuffer.allocate(Long.BYTES).putLong(user.value()).flip());
  }

  private static ByteString token(ChatId chat) {
    return ByteString.copyFrom(
        ByteBuffer.allocate(TOKEN_BYTES).putLong(chat.low()).putLong(chat.high()).flip());
  }

  private static ChatItem chatItem(
      Shards shards,
      Reads.Summary summary,
      UserId viewer,
      ChatSetting settings,
      boolean seesReads) {
    var item =
        ChatItem.newBuilder()
            .setChat(summary.chat().wireId(viewer))
            .setGroup(summary.chat().isGroup())
            .setHead(summary.head())
            .setPosition(position(summary))
            .setDelivered(summary.delivered())
            .setRead(summary.read())
            .setUnread(summary.unread())
            .setUnreadMentions(summary.unreadMentions())
            .setLastCsn(summary.lastCsn())
            .setPeerDelivered(summary.peerDelivered())
            .setPeerRead(seesReads ? summary.peerRead() : 0);
    if (!settings.equals(ChatSetting.getDefaultInstance())) {
      item.setSettings(settings);
    }
    Reads.GroupSummary group = summary.group();
    if (group == null || group.role() != Role.ROLE_UNSPECIFIED) {
      item.setTtlS(summary.ttlSeconds());
    }
    // A former member keeps what they saw, and is told nothing that came later.
    if (group != null && group.role() != Role.ROLE_UNSPECIFIED) {
      item.setTitle(group.title())
          .setPicture(group.picture())
          .setRole(group.role())
          .setAllDelivered(group.allDelivered())
          .setAllRead(seesReads ? group.allRead() : 0)
          .setMembers(group.memberCount());
    }
    Entry last = summary.last();
    if (last != null) {
      Entry shown = Hides.applied(shards, viewer, List.of(last)).getFirst();
      item.setLast(pageEntry(shown, viewer, List.of()));
    }
    return item.build();
  }

  private static PageEntry pageEntry(Entry entry, UserId viewer, List<Reaction> reactions) {
    boolean own = entry.sender().user().equals(viewer);
    var deliver =
        Deliver.newBuilder()
            .setDevice(entry.sender().index())
            .setTsMs(entry.tsMillis())
            .setContent(content(entry))
            .setEditedMs(entry.editedMillis());
    if (entry.chat().isGroup()) {
      deliver.setSender(entry.sender().user().value());
    }
    if (own) {
      deliver.setCsn(entry.csn());
    }
    return PageEntry.newBuilder()
        .setSeq(entry.seq())
        .setOwn(own)
        .setEntry(deliver)
        .addAllReactions(reactions)
        .build();
  }

  private static Content content(Entry entry) {
    try {
      return Content.parseFrom(entry.content());
    } catch (InvalidProtocolBufferException e) {
      // It was scanned before it was stored.
      throw new IllegalStateException("stored content: " + entry.chat() + " " + entry.seq(), e);
    }
  }
}

package io.tern.edge.session;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Member;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Role;
import io.tern.router.Readers.Shards;
import io.tern.store.Entry;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The answers to HISTORY, CHATS and CHAT_INFO, found and encoded on a reader's thread. Pure
/// functions of the snapshots; every page fits the client's largest frame.
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
    if (!Reads.isMember(shard, chat, user)) {
      return Reply.refused(ErrorCode.NOT_MEMBER, "");
    }
    int contentMax = Math.max(bytesMax - limit * ENTRY_OVERHEAD, 1);
    Reads.Page page;
    if (request.getAfter() != 0) {
      page = Reads.after(shard, chat, user, request.getAfter() + 1, limit, contentMax);
    } else if (request.getAround() != 0) {
      long from = Math.max(1, request.getAround() - limit / 2);
      page = Reads.after(shard, chat, user, from, limit, contentMax);
    } else {
      long before = request.getBefore() != 0 ? request.getBefore() : Long.MAX_VALUE;
      page = Reads.before(shard, chat, user, before, limit, contentMax);
    }
    var body = HistoryPage.newBuilder().setMore(page.more()).setHead(page.head());
    for (Entry entry : page.entries()) {
      body.addEntries(pageEntry(entry, user));
    }
    return Reply.of(FrameType.HISTORY_PAGE, body.build().toByteArray());
  }

  /// @param after the last chat of the page before; null for the first page
  static Reply chats(
      Shards shards, DeviceId viewer, @Nullable ChatId after, int limit, int bytesMax) {
    List<ChatId> chats =
        Reads.chatsOf(shards.of(Slots.of(viewer.user())), viewer.user(), after, limit);
    var body = ChatsPage.newBuilder();
    int bytes = TOKEN_BYTES;
    ChatId last = null;
    boolean cut = false;
    for (ChatId chat : chats) {
      Reads.Summary summary = Reads.summary(shards.of(Slots.of(chat)), chat, viewer);
      if (summary != null) {
        ChatItem item = chatItem(summary, viewer.user());
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

  /// About a direct chat, which exists as soon as its users do.
  static Reply chatInfo(Shards shards, ChatId chat, DeviceId viewer, long knownVersion) {
    UserId user = viewer.user();
    UserId peer = chat.peerOf(user);
    if (!Reads.userExists(shards.of(Slots.of(peer)), peer)) {
      return Reply.refused(ErrorCode.NOT_FOUND, "");
    }
    Reads.Summary summary = Reads.summary(shards.of(Slots.of(chat)), chat, viewer);
    boolean unchanged = knownVersion == DIRECT_MEMBERS_VERSION;
    var body =
        ChatInfoPage.newBuilder()
            .setUnchanged(unchanged)
            .setMembersVersion(DIRECT_MEMBERS_VERSION)
            .setHead(summary == null ? 0 : summary.head())
            .setLastCsn(summary == null ? 0 : summary.lastCsn())
            .setPosition(summary == null ? 0 : summary.position());
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
                .setRead(summary == null ? 0 : summary.peerRead()));
      }
    }
    return Reply.of(FrameType.CHAT_INFO_PAGE, body.build().toByteArray());
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

  private static ByteString token(ChatId chat) {
    return ByteString.copyFrom(
        ByteBuffer.allocate(TOKEN_BYTES).putLong(chat.low()).putLong(chat.high()).flip());
  }

  private static ChatItem chatItem(Reads.Summary summary, UserId viewer) {
    var item =
        ChatItem.newBuilder()
            .setChat(summary.chat().wireId(viewer))
            .setGroup(summary.chat().isGroup())
            .setHead(summary.head())
            .setDelivered(summary.delivered())
            .setRead(summary.read())
            .setUnread(summary.unread())
            .setLastCsn(summary.lastCsn())
            .setPeerDelivered(summary.peerDelivered())
            .setPeerRead(summary.peerRead());
    Entry last = summary.last();
    if (last != null) {
      item.setLast(pageEntry(last, viewer));
    }
    return item.build();
  }

  private static PageEntry pageEntry(Entry entry, UserId viewer) {
    boolean own = entry.sender().user().equals(viewer);
    var deliver =
        Deliver.newBuilder()
            .setDevice(entry.sender().index())
            .setTsMs(entry.tsMillis())
            .setContent(content(entry));
    if (entry.chat().isGroup()) {
      deliver.setSender(entry.sender().user().value());
    }
    if (own) {
      deliver.setCsn(entry.csn());
    }
    return PageEntry.newBuilder().setSeq(entry.seq()).setOwn(own).setEntry(deliver).build();
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

package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.store.v1.ChatSnapshot;
import io.tern.store.v1.MemberSnapshot;
import io.tern.store.v1.SenderSnapshot;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The questions that pass no ring: history, chat list, catch-up. Pure functions of a snapshot;
/// called by readers, one page at a time. Every page is bounded by entries and by bytes (at least
/// one entry is returned where there is one).
public final class Reads {

  /// A contiguous, ascending piece of a chat's log, and its head.
  public record Page(List<Entry> entries, boolean more, long head) {}

  /// What one device sees of one chat.
  ///
  /// @param position what this device has acknowledged
  /// @param delivered the user's watermark: the most any device of theirs acknowledged
  /// @param peerDelivered direct chats: the other user's watermarks; else 0
  public record Summary(
      ChatId chat,
      long head,
      long position,
      long delivered,
      long read,
      long unread,
      @Nullable Entry last,
      long lastCsn,
      long peerDelivered,
      long peerRead) {}

  /// When a member got and read an entry, in milliseconds since 1970; 0 = has not.
  public record Times(long deliveredMillis, long readMillis) {}

  /// What an entry counts against a page's bytes besides its content.
  static final int ENTRY_BYTES = 32;

  /// The seqs that a viewer may see, both inclusive.
  private record Visible(long first, long last) {}

  private Reads() {}

  /// Whether `user` may see `chat`.
  public static boolean isMember(KeyValues shard, ChatId chat, UserId user) {
    Visible visible = visible(shard, chat, user);
    return visible != null && visible.last == Long.MAX_VALUE;
  }

  /// Entries from `fromSeq` on, that `viewer` may see.
  public static Page after(
      KeyValues shard, ChatId chat, UserId viewer, long fromSeq, int entriesMax, int bytesMax) {
    Visible visible = visible(shard, chat, viewer);
    if (visible == null) {
      return new Page(List.of(), false, 0);
    }
    long first = Math.max(fromSeq, visible.first);
    var page = new PageBuilder(chat, entriesMax, bytesMax);
    if (first <= visible.last) {
      shard.scan(Keys.entry(chat, first), endOf(chat, visible.last), page);
    }
    return new Page(
        List.copyOf(page.entries), page.more, Math.min(head(shard, chat), visible.last));
  }

  /// The newest entries below `beforeSeq` (exclusive; Long.MAX_VALUE for the newest of all).
  public static Page before(
      KeyValues shard, ChatId chat, UserId viewer, long beforeSeq, int entriesMax, int bytesMax) {
    Visible visible = visible(shard, chat, viewer);
    if (visible == null) {
      return new Page(List.of(), false, 0);
    }
    var page = new PageBuilder(chat, entriesMax, bytesMax);
    if (beforeSeq > visible.first) {
      long last = Math.min(beforeSeq - 1, visible.last);
      shard.scanDown(Keys.entry(chat, visible.first), endOf(chat, last), page);
      Collections.reverse(page.entries);
    }
    return new Page(
        List.copyOf(page.entries), page.more, Math.min(head(shard, chat), visible.last));
  }

  /// Head, watermarks and unread of one chat as one device sees them; null when there is no chat or
  /// the viewer is not in it.
  public static @Nullable Summary summary(KeyValues shard, ChatId chat, DeviceId viewer) {
    if (!isMember(shard, chat, viewer.user())) {
      return null;
    }
    byte[] value = shard.get(Keys.chat(chat));
    ChatSnapshot snapshot =
        value == null ? ChatSnapshot.getDefaultInstance() : Protos.chatSnapshot(value);
    var tail = new Tail(chat, viewer);
    shard.scanDown(Keys.entry(chat, Math.max(1, snapshot.getSeq())), Keys.entriesEnd(chat), tail);
    if (tail.last == null && !chat.isGroup()) {
      return null;
    }
    long head = tail.last == null ? 0 : tail.last.seq();
    long headOrdinal = tail.last == null ? 0 : tail.last.ordinal();
    long lastOwnSeq = Math.max(tail.lastOwnSeq, lastOwnSeq(snapshot, viewer.user()));
    long lastCsn = Math.max(tail.lastCsn, lastCsn(snapshot, viewer));
    long read = Watermarks.read(shard, chat, viewer.user());
    UserId peer = chat.isGroup() || chat.isSelf() ? null : chat.peerOf(viewer.user());
    return new Summary(
        chat,
        head,
        Watermarks.position(shard, chat, viewer),
        Watermarks.delivered(shard, chat, viewer.user()),
        read,
        unread(shard, chat, head, headOrdinal, Math.max(read, lastOwnSeq)),
        tail.last,
        lastCsn,
        peer == null ? 0 : Watermarks.delivered(shard, chat, peer),
        peer == null ? 0 : Watermarks.read(shard, chat, peer));
  }

  /// Chats in a user's list after `after` (null: from the start), in key order. `shard` is the
  /// user's shard.
  public static List<ChatId> chatsOf(
      KeyValues shard, UserId user, @Nullable ChatId after, int chatsMax) {
    var chats = new ArrayList<ChatId>();
    shard.scan(
        after == null ? Keys.listedFrom(user) : Keys.listed(user, after),
        Keys.listedEnd(user),
        (key, value) -> {
          ChatId chat = Keys.listedChat(key);
          if (!chat.equals(after)) {
            chats.add(chat);
          }
          return chats.size() < chatsMax;
        });
    return chats;
  }

  /// Whether the user has been created. `shard` is the user's shard.
  public static boolean userExists(KeyValues shard, UserId user) {
    return shard.get(Keys.user(user)) != null;
  }

  /// Whether the device has been created. `shard` is the user's shard.
  public static boolean deviceExists(KeyValues shard, DeviceId device) {
    return shard.get(Keys.device(device)) != null;
  }

  /// When `member` got and read entry `seq`: the first step of the member's watermarks at or past
  /// it.
  public static Times times(KeyValues shard, ChatId chat, UserId member, long seq) {
    long read = Watermarks.reachedMillis(shard, chat, member, Keys.READ, seq);
    long delivered = Watermarks.reachedMillis(shard, chat, member, Keys.DELIVERED, seq);
    // Reading implies delivery: whichever came first.
    if (delivered == 0 || (read != 0 && read < delivered)) {
      delivered = read;
    }
    return new Times(delivered, read);
  }

  /// How many entries a user has not seen: those that count, above everything the user has read or
  /// written, without those that were erased. The one place that says so, for chat list, sync and
  /// push badge.
  ///
  /// @param headOrdinal how many entries up to `head` count
  /// @param seenSeq the newest entry that the user has read or sent
  static long unread(KeyValues shard, ChatId chat, long head, long headOrdinal, long seenSeq) {
    if (seenSeq >= head) {
      return 0;
    }
    return headOrdinal - ordinal(shard, chat, seenSeq) - Erasures.count(shard, chat, seenSeq, head);
  }

  private static long ordinal(KeyValues shard, ChatId chat, long seq) {
    byte[] value = seq == 0 ? null : shard.get(Keys.entry(chat, seq));
    if (value == null) {
      return 0;
    }
    var header = new EntryCodec.Header();
    header.read(value);
    return seq - header.uncounted;
  }

  /// The newest seq; 0 when there is none.
  static long head(KeyValues shard, ChatId chat) {
    long[] head = {0};
    shard.scanDown(
        Keys.entry(chat, 1),
        Keys.entriesEnd(chat),
        (key, value) -> {
          head[0] = Keys.entrySeq(key);
          return false;
        });
    return head[0];
  }

  private static byte[] endOf(ChatId chat, long lastSeq) {
    return lastSeq == Long.MAX_VALUE ? Keys.entriesEnd(chat) : Keys.entry(chat, lastSeq + 1);
  }

  /// Null when the user never was a member. Both sides of a direct chat see all of it, be it empty.
  private static @Nullable Visible visible(KeyValues shard, ChatId chat, UserId user) {
    if (!chat.isGroup()) {
      return user.value() == chat.low() || user.value() == chat.high()
          ? new Visible(1, Long.MAX_VALUE)
          : null;
    }
    byte[] value = shard.get(Keys.chat(chat));
    if (value == null) {
      return null;
    }
    for (MemberSnapshot member : Protos.chatSnapshot(value).getMembersList()) {
      if (member.getUser() == user.value()) {
        return new Visible(
            Math.max(1, member.getJoinedSeq()),
            member.getLeftSeq() == 0 ? Long.MAX_VALUE : member.getLeftSeq());
      }
    }
    return null;
  }

  private static long lastOwnSeq(ChatSnapshot snapshot, UserId user) {
    for (MemberSnapshot member : snapshot.getMembersList()) {
      if (member.getUser() == user.value()) {
        return member.getLastOwnSeq();
      }
    }
    return 0;
  }

  private static long lastCsn(ChatSnapshot snapshot, DeviceId device) {
    for (MemberSnapshot member : snapshot.getMembersList()) {
      if (member.getUser() == device.user().value()) {
        for (SenderSnapshot sender : member.getSendersList()) {
          if (sender.getDevice() == device.index()) {
            return sender.getLastCsn();
          }
        }
      }
    }
    return 0;
  }

  private static final class PageBuilder implements KeyValues.Visitor {
    final ChatId chat;
    final int entriesMax;
    final List<Entry> entries = new ArrayList<>();
    int bytesLeft;
    boolean more;

    PageBuilder(ChatId chat, int entriesMax, int bytesMax) {
      this.chat = chat;
      this.entriesMax = entriesMax;
      this.bytesLeft = bytesMax;
    }

    @Override
    public boolean visit(byte[] key, byte[] value) {
      boolean full = entries.size() >= entriesMax || bytesLeft < value.length;
      if (full && !entries.isEmpty()) {
        more = true;
        return false;
      }
      Entry entry = EntryCodec.decode(chat, Keys.entrySeq(key), value);
      entries.add(entry);
      bytesLeft -= ENTRY_BYTES + entry.content().length;
      return true;
    }
  }

  /// Walks down from the head to the snapshot, or until there is nothing more to learn.
  private static final class Tail implements KeyValues.Visitor {
    final ChatId chat;
    final DeviceId viewer;
    final EntryCodec.Header header = new EntryCodec.Header();
    @Nullable Entry last;
    long lastOwnSeq;
    long lastCsn;

    Tail(ChatId chat, DeviceId viewer) {
      this.chat = chat;
      this.viewer = viewer;
    }

    @Override
    public boolean visit(byte[] key, byte[] value) {
      long seq = Keys.entrySeq(key);
      if (last == null) {
        last = EntryCodec.decode(chat, seq, value);
      }
      header.read(value);
      if (header.sender == viewer.user().value()) {
        lastOwnSeq = Math.max(lastOwnSeq, seq);
        if (header.device == viewer.index()) {
          lastCsn = header.csn;
        }
      }
      return lastCsn == 0;
    }
  }
}

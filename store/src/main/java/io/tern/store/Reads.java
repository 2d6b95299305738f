package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.Contact;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Setting;
import io.tern.store.Watermarks.Marks;
import io.tern.store.v1.ChatSnapshot;
import io.tern.store.v1.Device;
import io.tern.store.v1.GroupSnapshot;
import io.tern.store.v1.MemberSnapshot;
import io.tern.store.v1.Progress;
import io.tern.store.v1.Record;
import io.tern.store.v1.SenderSnapshot;
import io.tern.store.v1.User;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The questions that pass no ring: history, chat list, catch-up. Pure functions of a snapshot;
/// called by readers, one page at a time. Every page is bounded by entries and by bytes (at least
/// one entry is returned where there is one).
public final class Reads {

  /// A contiguous, ascending piece of a chat's log, as far as the viewer may see it.
  ///
  /// @param head newest seq that the viewer may see
  /// @param first nothing below it is the viewer's to see: where they joined
  public record Page(List<Entry> entries, boolean more, long head, long first) {}

  /// What one device sees of one chat. For a former member all of it ends where they left.
  ///
  /// @param first nothing below it is the viewer's to see. A position below `first - 1` is one from
  ///   before the user joined (again): the device has to begin behind `first - 1`
  /// @param position what this device has acknowledged
  /// @param delivered the user's watermark: the most any device of theirs acknowledged
  /// @param unreadMentions unread messages that mention the user, counted up to [#MENTIONS_COUNTED]
  /// @param peerDelivered direct chats: the other user's watermarks, as far as they are shown
  /// @param ttlSeconds messages disappear after so many seconds; 0 = never
  /// @param group null for direct chats
  public record Summary(
      ChatId chat,
      long head,
      long first,
      long position,
      long delivered,
      long read,
      long unread,
      long unreadMentions,
      @Nullable Entry last,
      long lastCsn,
      long peerDelivered,
      long peerRead,
      int ttlSeconds,
      @Nullable GroupSummary group) {}

  /// What a chat list says of a group.
  ///
  /// @param role UNSPECIFIED for a former member
  /// @param allDelivered what everyone had got at the newest tick that counted
  public record GroupSummary(
      String title, String picture, Role role, long allDelivered, long allRead, int memberCount) {
    @Override
    public String toString() {
      return "GroupSummary[" + role + ", " + memberCount + " members]";
    }
  }

  /// A group and who is in it.
  ///
  /// @param invite what the link holds, for admins only; empty = there is none
  /// @param version seq of the newest change of the group
  /// @param members those who are in it, the eldest first
  public record GroupInfo(
      ChatId chat,
      String title,
      String picture,
      String description,
      boolean adminOnlySend,
      boolean adminOnlyEdit,
      int ttlSeconds,
      byte[] invite,
      long version,
      List<GroupMember> members) {
    @Override
    public String toString() {
      return "GroupInfo[" + chat + ", version=" + version + "]";
    }
  }

  public record GroupMember(UserId user, Role role, long joinedSeq) {}

  /// How far an entry has got.
  ///
  /// @param members a page of those who could see it, without its sender, in the order of their ids
  /// @param more there are more
  /// @param total of all of them, not of this page; `delivered` and `read` likewise
  public record EntryInfo(
      List<MemberTimes> members, boolean more, int total, int delivered, int read) {}

  /// How an entry came and how far it has got, without what it says.
  ///
  /// @param csn the sending device's number for it; 0: the server made it of another command
  /// @param head newest seq of the chat
  /// @param members some of those who could see it, without its sender
  /// @param total of all of them
  public record Fate(
      DeviceId sender, long csn, long tsMillis, long head, List<MemberTimes> members, int total) {}

  public record MemberTimes(UserId user, Times times) {}

  /// Some of a user's settings.
  ///
  /// @param next where the next page begins; empty on the last one
  public record SettingsPage(List<Setting> settings, byte[] next) {
    @Override
    public String toString() {
      return "SettingsPage[" + settings.size() + "]";
    }
  }

  public record DeviceInfo(int index, long createdMillis, long lastSeenMillis) {}

  /// When a member got and read an entry, in milliseconds since 1970; 0 = has not.
  public record Times(long deliveredMillis, long readMillis) {

    /// What of it had happened by `lastMillis`.
    Times upTo(long lastMillis) {
      return new Times(
          deliveredMillis > lastMillis ? 0 : deliveredMillis,
          readMillis > lastMillis ? 0 : readMillis);
    }
  }

  /// What an entry counts against a page's bytes besides its content.
  static final int ENTRY_BYTES = 32;

  /// Most mentions that [Summary#unreadMentions] counts.
  public static final int MENTIONS_COUNTED = 1_000;

  /// Longest `after` that [#settings] takes.
  public static final int SETTINGS_TOKEN_BYTES_MAX = 21;

  /// The seqs that a viewer may see, both inclusive.
  private record Visible(long first, long last) {}

  private static final byte[] NO_BYTES = {};

  private Reads() {}

  /// Whether `user` is in `chat`.
  public static boolean isMember(KeyValues shard, ChatId chat, UserId user) {
    Visible visible = visible(shard, chat, user);
    return visible != null && visible.last == Long.MAX_VALUE;
  }

  /// Whether `user` is or was in `chat`: may read what happened there in that time.
  public static boolean sees(KeyValues shard, ChatId chat, UserId user) {
    return visible(shard, chat, user) != null;
  }

  /// Entries from `fromSeq` on, that `viewer` may see.
  public static Page after(
      KeyValues shard, ChatId chat, UserId viewer, long fromSeq, int entriesMax, int bytesMax) {
    Visible visible = visible(shard, chat, viewer);
    if (visible == null) {
      return new Page(List.of(), false, 0, 0);
    }
    long first = Math.max(fromSeq, visible.first);
    var page = new PageBuilder(chat, visible.last, entriesMax, bytesMax);
    if (first <= visible.last) {
      shard.scan(Keys.entry(chat, first), endOf(chat, visible.last), page);
    }
    return new Page(
        List.copyOf(page.entries),
        page.more,
        Math.min(head(shard, chat), visible.last),
        visible.first);
  }

  /// The newest entries below `beforeSeq` (exclusive; Long.MAX_VALUE for the newest of all).
  public static Page before(
      KeyValues shard, ChatId chat, UserId viewer, long beforeSeq, int entriesMax, int bytesMax) {
    Visible visible = visible(shard, chat, viewer);
    if (visible == null) {
      return new Page(List.of(), false, 0, 0);
    }
    var page = new PageBuilder(chat, visible.last, entriesMax, bytesMax);
    if (beforeSeq > visible.first) {
      long last = Math.min(beforeSeq - 1, visible.last);
      shard.scanDown(Keys.entry(chat, visible.first), endOf(chat, last), page);
      Collections.reverse(page.entries);
    }
    return new Page(
        List.copyOf(page.entries),
        page.more,
        Math.min(head(shard, chat), visible.last),
        visible.first);
  }

  /// Head, watermarks and unread of one chat as one device sees them; null when there is no chat or
  /// the viewer never was in it.
  public static @Nullable Summary summary(KeyValues shard, ChatId chat, DeviceId viewer) {
    UserId user = viewer.user();
    SnapshotView snapshot = SnapshotView.of(shard, chat, user);
    Visible visible = visible(snapshot, chat, user);
    if (visible == null) {
      return null;
    }
    var tail = new Tail(chat, visible.last, viewer);
    shard.scanDown(
        Keys.entry(chat, Math.max(1, Math.min(snapshot.seq, visible.last))),
        endOf(chat, visible.last),
        tail);
    if (tail.last == null) {
      return null;
    }
    MemberSnapshot member = snapshot.member;
    long head = tail.last.seq();
    long lastOwnSeq = Math.max(tail.lastOwnSeq, member.getLastOwnSeq());
    long lastCsn = Math.max(tail.lastCsn, lastCsn(member, viewer));
    Marks marks = Watermarks.of(shard, chat, user);
    long seen = Math.max(Math.max(marks.read(), lastOwnSeq), visible.first - 1);
    Marks peer =
        chat.isGroup() || chat.isSelf()
            ? Marks.NONE
            : Watermarks.of(shard, chat, chat.peerOf(user));
    return new Summary(
        chat,
        head,
        visible.first,
        Watermarks.position(shard, chat, viewer),
        marks.delivered(),
        marks.read(),
        unread(shard, chat, head, tail.last.ordinal(), seen),
        unreadMentions(shard, chat, user, seen, head),
        tail.last,
        lastCsn,
        peer.shownDelivered(),
        peer.shownRead(),
        snapshot.ttlSeconds,
        chat.isGroup() ? groupSummary(shard, chat, snapshot) : null);
  }

  private static GroupSummary groupSummary(KeyValues shard, ChatId chat, SnapshotView snapshot) {
    Progress progress = progress(shard, chat);
    return new GroupSummary(
        snapshot.group.getTitle(),
        snapshot.group.getPicture(),
        roleOf(snapshot.member),
        progress.getAllDelivered(),
        progress.getAllRead(),
        snapshot.group.getMemberCount());
  }

  /// What everyone had got and read at the newest tick that counted.
  static Progress progress(KeyValues shard, ChatId chat) {
    byte[] value = shard.get(Keys.progress(chat));
    return value == null ? Progress.getDefaultInstance() : Protos.parse(Progress.parser(), value);
  }

  /// Null when there is no such group. Whether the asking user may know it is the caller's to
  /// check.
  public static @Nullable GroupInfo groupInfo(KeyValues shard, ChatId group) {
    byte[] value = shard.get(Keys.chat(group));
    if (value == null) {
      return null;
    }
    ChatSnapshot snapshot = Protos.chatSnapshot(value);
    GroupSnapshot state = snapshot.getGroup();
    var members = new ArrayList<GroupMember>(snapshot.getMembersCount());
    for (MemberSnapshot member : snapshot.getMembersList()) {
      if (member.getLeftSeq() == 0) {
        members.add(
            new GroupMember(new UserId(member.getUser()), roleOf(member), member.getJoinedSeq()));
      }
    }
    return new GroupInfo(
        group,
        state.getTitle(),
        state.getPicture(),
        state.getDescription(),
        state.getAdminOnlySend(),
        state.getAdminOnlyEdit(),
        snapshot.getTtlS(),
        state.getInvite().toByteArray(),
        state.getVersion(),
        List.copyOf(members));
  }

  /// The user's role in the chat; UNSPECIFIED for one who is not in it, MEMBER in direct chats.
  public static Role roleOf(KeyValues shard, ChatId chat, UserId user) {
    if (!chat.isGroup()) {
      return user.value() == chat.low() || user.value() == chat.high()
          ? Role.ROLE_MEMBER
          : Role.ROLE_UNSPECIFIED;
    }
    return roleOf(SnapshotView.of(shard, chat, user).member);
  }

  private static Role roleOf(MemberSnapshot member) {
    Role role = member.getLeftSeq() == 0 ? Role.forNumber(member.getRole()) : null;
    return role == null ? Role.ROLE_UNSPECIFIED : role;
  }

  /// Whether one of the two users of a direct chat has blocked the other, as the chat's shard knows
  /// it.
  public static boolean isBlocked(KeyValues shard, ChatId chat) {
    return !chat.isGroup() && SnapshotView.of(shard, chat, new UserId(chat.high())).blocked;
  }

  /// Whether the two users of a direct chat talk with each other: both have written to it, and
  /// neither has blocked the other, as the chat's shard knows it. Reads little of a chat in which
  /// they do, and of another at most what is newer than its snapshot.
  public static boolean talk(KeyValues shard, ChatId chat) {
    ChatState state = chat.isGroup() || chat.isSelf() ? null : ChatState.load(shard, chat);
    return state != null && !state.blocked && state.bothHaveWritten();
  }

  /// How far the viewer's own entry `seq` has got, until they left; null when it is not the
  /// viewer's.
  ///
  /// @param after the last member of the page before; null for the first page
  public static @Nullable EntryInfo entryInfo(
      KeyValues shard,
      ChatId chat,
      long seq,
      UserId viewer,
      @Nullable UserId after,
      int membersMax) {
    Visible visible = visible(shard, chat, viewer);
    if (visible == null || seq < visible.first || seq > visible.last) {
      return null;
    }
    byte[] value = shard.get(Keys.entry(chat, seq));
    if (value == null) {
      return null;
    }
    var header = new EntryCodec.Header();
    header.read(value);
    if (header.sender != viewer.value()) {
      return null;
    }
    long lastMillis = lastMillis(shard, chat, visible);
    var page = new ArrayList<MemberTimes>();
    int total = 0;
    int delivered = 0;
    int read = 0;
    boolean more = false;
    for (UserId user : whoSaw(shard, chat, seq, viewer)) {
      total++;
      Times times = times(shard, chat, user, seq).upTo(lastMillis);
      delivered += times.deliveredMillis == 0 ? 0 : 1;
      read += times.readMillis == 0 ? 0 : 1;
      if (after == null || user.value() > after.value()) {
        if (page.size() < membersMax) {
          page.add(new MemberTimes(user, times));
        } else {
          more = true;
        }
      }
    }
    return new EntryInfo(List.copyOf(page), more, total, delivered, read);
  }

  /// When the viewer left; Long.MAX_VALUE while they are in the chat.
  private static long lastMillis(KeyValues shard, ChatId chat, Visible visible) {
    byte[] left = visible.last == Long.MAX_VALUE ? null : shard.get(Keys.entry(chat, visible.last));
    if (left == null) {
      return Long.MAX_VALUE;
    }
    var header = new EntryCodec.Header();
    header.read(left);
    return header.tsMillis;
  }

  /// What operators may know of an entry; null when there is none.
  ///
  /// @param membersMax of them; the first by their ids
  public static @Nullable Fate fate(KeyValues shard, ChatId chat, long seq, int membersMax) {
    byte[] value = shard.get(Keys.entry(chat, seq));
    if (value == null) {
      return null;
    }
    var header = new EntryCodec.Header();
    header.read(value);
    var sender = new DeviceId(new UserId(header.sender), header.device);
    List<UserId> saw = whoSaw(shard, chat, seq, sender.user());
    return new Fate(
        sender,
        header.csn,
        header.tsMillis,
        head(shard, chat),
        saw.stream()
            .limit(membersMax)
            .map(user -> new MemberTimes(user, times(shard, chat, user, seq)))
            .toList(),
        saw.size());
  }

  /// What a device has acknowledged of a chat.
  public static long position(KeyValues shard, ChatId chat, DeviceId device) {
    return Watermarks.position(shard, chat, device);
  }

  /// Those who could see entry `seq`, but for `without`, in the order of their ids.
  private static List<UserId> whoSaw(KeyValues shard, ChatId chat, long seq, UserId without) {
    if (!chat.isGroup()) {
      return chat.isSelf() ? List.of() : List.of(chat.peerOf(without));
    }
    byte[] value = shard.get(Keys.chat(chat));
    if (value == null) {
      return List.of();
    }
    return Protos.chatSnapshot(value).getMembersList().stream()
        .filter(member -> ChatState.sees(member.getJoinedSeq(), member.getLeftSeq(), seq))
        .map(member -> new UserId(member.getUser()))
        .filter(user -> !user.equals(without))
        .sorted(Comparator.comparingLong(UserId::value))
        .toList();
  }

  // ---- of users: `shard` is the user's ----------------------------------------------------------

  /// The user's settings after `after` (empty: from the start), in the order of their keys.
  ///
  /// @param after what [SettingsPage#next] said; at most [#SETTINGS_TOKEN_BYTES_MAX] of it count
  public static SettingsPage settings(
      KeyValues shard, UserId user, byte[] after, int settingsMax, int bytesMax) {
    byte[] from = Keys.settingAfter(user, after);
    var settings = new ArrayList<Setting>();
    byte[][] next = {NO_BYTES};
    int[] bytesLeft = {bytesMax};
    shard.scan(
        from,
        Keys.settingEnd(user),
        (key, value) -> {
          if (Arrays.equals(key, from)) {
            return true;
          }
          bytesLeft[0] -= value.length + ENTRY_BYTES;
          if (settings.size() == settingsMax || (bytesLeft[0] < 0 && !settings.isEmpty())) {
            return false;
          }
          settings.add(Protos.parse(Setting.parser(), value));
          next[0] = Keys.settingToken(key);
          return true;
        });
    return new SettingsPage(
        List.copyOf(settings), hasSettingAfter(shard, user, next[0]) ? next[0] : NO_BYTES);
  }

  private static boolean hasSettingAfter(KeyValues shard, UserId user, byte[] token) {
    byte[] from = Keys.settingAfter(user, token);
    boolean[] found = {false};
    shard.scan(
        from,
        Keys.settingEnd(user),
        (key, value) -> {
          found[0] = !Arrays.equals(key, from);
          return !found[0];
        });
    return found[0];
  }

  /// What the user shows to whom.
  public static Privacy privacy(KeyValues shard, UserId user) {
    return setting(shard, Keys.privacy(user)).getPrivacy();
  }

  /// Whether `by` has blocked `other`, as the shard of `by` knows it.
  public static boolean isBlocked(KeyValues shard, UserId by, UserId other) {
    return shard.get(Keys.block(by, other)) != null;
  }

  /// What `user` has noted of `other`; null when that is no contact of theirs.
  public static @Nullable Contact contact(KeyValues shard, UserId user, UserId other) {
    byte[] value = shard.get(Keys.contact(user, other));
    return value == null ? null : Protos.parse(Setting.parser(), value).getContact();
  }

  /// The user's settings of a chat; the default instance when they have none.
  public static ChatSetting chatSetting(KeyValues shard, UserId user, ChatId chat) {
    return setting(shard, Keys.chatSetting(user, chat)).getChat();
  }

  /// Which entries from `first` to `last` have been deleted for this user.
  public static Set<Long> hidden(KeyValues shard, UserId user, ChatId chat, long first, long last) {
    var hidden = new HashSet<Long>();
    shard.scan(
        Keys.hide(user, chat, first),
        Keys.hide(user, chat, last == Long.MAX_VALUE ? last : last + 1),
        (key, value) -> hidden.add(Keys.hiddenSeq(key)));
    return hidden;
  }

  /// Whether this entry has been deleted for this user.
  public static boolean isHidden(KeyValues shard, UserId user, ChatId chat, long seq) {
    return shard.get(Keys.hide(user, chat, seq)) != null;
  }

  private static Setting setting(KeyValues shard, byte[] key) {
    byte[] value = shard.get(key);
    return value == null ? Setting.getDefaultInstance() : Protos.parse(Setting.parser(), value);
  }

  /// The user's devices, by index; not the removed ones.
  public static List<DeviceInfo> devices(KeyValues shard, UserId user) {
    var devices = new ArrayList<DeviceInfo>();
    shard.scan(
        Keys.device(user, 0),
        Keys.device(user, 0xFFFFFF),
        (key, value) -> {
          Device device = Protos.parse(Device.parser(), value);
          if (!device.getRemoved()) {
            devices.add(
                new DeviceInfo(
                    Keys.deviceOf(key).index(), device.getCreatedMs(), device.getLastSeenMs()));
          }
          return true;
        });
    return devices;
  }

  /// When a device of the user was last there; 0 = never.
  public static long lastSeen(KeyValues shard, UserId user) {
    return Users.of(shard, user).getLastSeenMs();
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

  /// Whether the user has been created and not erased. `shard` is the user's shard.
  public static boolean userExists(KeyValues shard, UserId user) {
    User found = Users.find(shard, user);
    return found != null && !found.getErased();
  }

  /// Whether the id has been given to a user, be they erased. `shard` is the user's shard.
  public static boolean userKnown(KeyValues shard, UserId user) {
    return shard.get(Keys.user(user)) != null;
  }

  /// Until when the user may not log in; 0 = they may. `shard` is the user's shard.
  public static long bannedUntil(KeyValues shard, UserId user) {
    return Users.of(shard, user).getBannedUntilMs();
  }

  /// Why the device may not act for its user: REVOKED, BANNED; null when it may, or has never been
  /// there. `shard` is the user's shard.
  public static @Nullable ErrorCode refusal(KeyValues shard, DeviceId device, long nowMillis) {
    return refusal(Users.of(shard, device.user()), shard.get(Keys.device(device)), nowMillis);
  }

  private static @Nullable ErrorCode refusal(User user, byte @Nullable [] device, long nowMillis) {
    if (user.getErased()) {
      return ErrorCode.REVOKED;
    }
    if (user.getBannedUntilMs() > nowMillis) {
      return ErrorCode.BANNED;
    }
    return device != null && Protos.parse(Device.parser(), device).getRemoved()
        ? ErrorCode.REVOKED
        : null;
  }

  /// A record of the user service.
  ///
  /// @param expiresMillis 0 = never
  public record Recorded(RecordKey key, long version, long expiresMillis, byte[] value) {}

  /// The record, unless it has ended by `nowMillis`; null when there is none.
  public static @Nullable Recorded record(KeyValues shard, RecordKey key, long nowMillis) {
    byte[] value = shard.get(Keys.record(key));
    return value == null ? null : recorded(key, value, nowMillis);
  }

  /// The records of a kind in one slot, by id, without those that have ended.
  ///
  /// @param after only those behind this one; null for all
  public static List<Recorded> records(
      KeyValues shard,
      int slot,
      char kind,
      @Nullable RecordKey after,
      long nowMillis,
      int recordsMax) {
    var records = new ArrayList<Recorded>();
    shard.scan(
        after == null ? Keys.recordsFrom(slot, kind) : Keys.recordsBehind(after),
        Keys.recordsFrom(slot, kind + 1),
        (key, value) -> {
          Recorded found = recorded(Keys.recordOf(key), value, nowMillis);
          if (found != null) {
            records.add(found);
          }
          return records.size() < recordsMax;
        });
    return records;
  }

  private static @Nullable Recorded recorded(RecordKey key, byte[] value, long nowMillis) {
    Record record = Protos.parse(Record.parser(), value);
    return record.getExpiresMs() != 0 && record.getExpiresMs() <= nowMillis
        ? null
        : new Recorded(
            key, record.getVersion(), record.getExpiresMs(), record.getValue().toByteArray());
  }

  /// Whether the device has been created and not removed. `shard` is the user's shard.
  public static boolean deviceExists(KeyValues shard, DeviceId device) {
    byte[] value = shard.get(Keys.device(device));
    return value != null && !Protos.parse(Device.parser(), value).getRemoved();
  }

  /// Whether the device has been here and may come again: what [Command.Enrol] would say, without a
  /// commit. `shard` is the user's shard.
  public static boolean mayReturn(KeyValues shard, DeviceId device, long nowMillis) {
    byte[] found = shard.get(Keys.device(device));
    return found != null && refusal(Users.of(shard, device.user()), found, nowMillis) == null;
  }

  /// When `member` got and read entry `seq`, as far as it is shown: the first step of the member's
  /// watermarks at or past it.
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
    return chat.isGroup()
        ? visible(SnapshotView.of(shard, chat, user), chat, user)
        : visibleOfDirect(chat, user);
  }

  private static @Nullable Visible visible(SnapshotView snapshot, ChatId chat, UserId user) {
    if (!chat.isGroup()) {
      return visibleOfDirect(chat, user);
    }
    MemberSnapshot member = snapshot.member;
    return member.getUser() == 0
        ? null
        : new Visible(
            member.getJoinedSeq(), member.getLeftSeq() == 0 ? Long.MAX_VALUE : member.getLeftSeq());
  }

  private static @Nullable Visible visibleOfDirect(ChatId chat, UserId user) {
    return user.value() == chat.low() || user.value() == chat.high()
        ? new Visible(1, Long.MAX_VALUE)
        : null;
  }

  private static long lastCsn(MemberSnapshot member, DeviceId device) {
    for (SenderSnapshot sender : member.getSendersList()) {
      if (sender.getDevice() == device.index()) {
        return sender.getLastCsn();
      }
    }
    return 0;
  }

  private static long unreadMentions(
      KeyValues shard, ChatId chat, UserId user, long seenSeq, long head) {
    int[] count = {0};
    if (seenSeq < head) {
      shard.scan(
          Keys.mention(chat, user, seenSeq + 1),
          Keys.mention(chat, user, head + 1),
          (key, value) -> ++count[0] < MENTIONS_COUNTED);
    }
    return count[0];
  }

  private static final class PageBuilder implements KeyValues.Visitor {
    final ChatId chat;
    final long lastSeq;
    final int entriesMax;
    final List<Entry> entries = new ArrayList<>();
    int bytesLeft;
    boolean more;

    PageBuilder(ChatId chat, long lastSeq, int entriesMax, int bytesMax) {
      this.chat = chat;
      this.lastSeq = lastSeq;
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
      Entry entry = EntryCodec.decodeUpTo(lastSeq, chat, Keys.entrySeq(key), value);
      entries.add(entry);
      bytesLeft -= ENTRY_BYTES + entry.content().length;
      return true;
    }
  }

  /// Walks down from the head to the snapshot, or until there is nothing more to learn.
  private static final class Tail implements KeyValues.Visitor {
    final ChatId chat;
    final long lastSeq;
    final DeviceId viewer;
    final EntryCodec.Header header = new EntryCodec.Header();
    @Nullable Entry last;
    long lastOwnSeq;
    long lastCsn;

    Tail(ChatId chat, long lastSeq, DeviceId viewer) {
      this.chat = chat;
      this.lastSeq = lastSeq;
      this.viewer = viewer;
    }

    @Override
    public boolean visit(byte[] key, byte[] value) {
      long seq = Keys.entrySeq(key);
      if (last == null) {
        last = EntryCodec.decodeUpTo(lastSeq, chat, seq, value);
      }
      header.read(value);
      if (header.csn != 0 && header.sender == viewer.user().value()) {
        lastOwnSeq = Math.max(lastOwnSeq, seq);
        if (header.device == viewer.index()) {
          lastCsn = header.csn;
        }
      }
      return lastCsn == 0;
    }
  }
}

package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Setting;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What chats are, in plain lists and maps: knows nothing of snapshots, batches or disks. What the
/// shard does is compared with this. A copy is a value of its own.
final class ReferenceChats {

  static final long EDIT_MILLIS = 60_000;
  static final long REVOKE_MILLIS = 120_000;
  static final int GROUP_MEMBERS_MAX = 4;

  final Map<ChatId, Chat> chats = new TreeMap<>(Comparator.comparing(ChatId::toString));
  final Map<UserId, Map<String, Setting>> settings = new HashMap<>();

  Chat chat(ChatId id) {
    return chats.computeIfAbsent(id, Chat::new);
  }

  Map<String, Setting> settings(UserId user) {
    return settings.computeIfAbsent(user, u -> new TreeMap<>());
  }

  /// Records of the user service.
  final Map<RecordKey, Kept> records = new HashMap<>();

  /// @param endsMillis 0 = never
  record Kept(long version, String value, long endsMillis) {}

  /// As of a time; null when there is none or it has ended.
  @Nullable Kept record(RecordKey key, long nowMillis) {
    Kept kept = records.get(key);
    return kept == null || (kept.endsMillis != 0 && kept.endsMillis <= nowMillis) ? null : kept;
  }

  /// What housekeeping does.
  void endRecords(long nowMillis) {
    records.keySet().removeIf(key -> record(key, nowMillis) == null);
  }

  ReferenceChats copy() {
    var copy = new ReferenceChats();
    copy.records.putAll(records);
    chats.forEach((id, chat) -> copy.chats.put(id, chat.copy()));
    settings.forEach((user, all) -> copy.settings.put(user, new TreeMap<>(all)));
    return copy;
  }

  /// When a member came and went, and what they may.
  record Membership(long joined, long left, Role role) {

    boolean isIn() {
      return left == 0;
    }

    boolean isAdmin() {
      return role == Role.ROLE_ADMIN || role == Role.ROLE_OWNER;
    }

    boolean sees(long seq) {
      return seq >= joined && (left == 0 || seq <= left);
    }

    Membership as(Role other) {
      return new Membership(joined, left, other);
    }
  }

  record Block(boolean on, long version) {}

  /// What a user has reached in a chat, and what of it others know.
  record Marks(long delivered, long read, long shownDelivered, long shownRead) {
    static final Marks NONE = new Marks(0, 0, 0, 0);
  }

  static final Content TOMBSTONE = Content.newBuilder().setKind(Kind.KIND_TOMBSTONE).build();

  /// @param seq of the event
  record Reacted(String text, long seq) {}

  static final class Line {
    final DeviceId from;
    final long csn;
    final Content sent;
    final long tsMillis;
    final long expiresMillis;

    /// What is left of `sent`.
    Content content;

    long editedMillis;
    long editSeq;
    boolean asSent = true;
    Set<UserId> mentioned = Set.of();

    Line(DeviceId from, long csn, Content sent, long tsMillis, long expiresMillis) {
      this.from = from;
      this.csn = csn;
      this.sent = sent;
      this.content = sent;
      this.tsMillis = tsMillis;
      this.expiresMillis = expiresMillis;
    }

    boolean counts() {
      return isMessage() && !isErased();
    }

    boolean isMessage() {
      return sent.getKindValue() < 16;
    }

    boolean isErased() {
      return content.getKind() == Kind.KIND_TOMBSTONE;
    }

    Line copy() {
      var copy = new Line(from, csn, sent, tsMillis, expiresMillis);
      copy.content = content;
      copy.editedMillis = editedMillis;
      copy.editSeq = editSeq;
      copy.asSent = asSent;
      copy.mentioned = mentioned;
      return copy;
    }
  }

  static final class Chat {
    final ChatId id;
    final List<Line> lines = new ArrayList<>();
    final Map<DeviceId, List<Integer>> sends = new HashMap<>();
    final Map<DeviceId, Long> positions = new HashMap<>();
    final Map<UserId, Marks> marks = new HashMap<>();
    final Map<Long, Map<UserId, Reacted>> reactions = new HashMap<>();
    final Map<UserId, Block> blocks = new HashMap<>();
    long ttlSeconds;

    // Groups; members in the order of joining.
    final Map<UserId, Membership> members = new LinkedHashMap<>();
    final Map<String, Integer> ops = new HashMap<>();
    String title = "";
    boolean adminOnlySend;
    boolean adminOnlyEdit;
    int invite;

    /// What has been told at the least that everyone has got and read, as of the newest tick.
    long toldDelivered;

    long toldRead;

    Chat(ChatId id) {
      this.id = id;
      if (!id.isGroup()) {
        members.put(new UserId(id.low()), new Membership(1, 0, Role.ROLE_MEMBER));
        members.put(new UserId(id.high()), new Membership(1, 0, Role.ROLE_MEMBER));
      }
    }

    Chat copy() {
      var copy = new Chat(id);
      for (Line line : lines) {
        copy.lines.add(line.copy());
      }
      sends.forEach((device, seqs) -> copy.sends.put(device, new ArrayList<>(seqs)));
      copy.positions.putAll(positions);
      copy.marks.putAll(marks);
      reactions.forEach((seq, texts) -> copy.reactions.put(seq, new HashMap<>(texts)));
      copy.blocks.putAll(blocks);
      copy.ttlSeconds = ttlSeconds;
      copy.members.clear();
      copy.members.putAll(members);
      copy.ops.putAll(ops);
      copy.title = title;
      copy.adminOnlySend = adminOnlySend;
      copy.adminOnlyEdit = adminOnlyEdit;
      copy.invite = invite;
      copy.toldDelivered = toldDelivered;
      copy.toldRead = toldRead;
      return copy;
    }

    long head() {
      return lines.size();
    }

    Line line(long seq) {
      return lines.get((int) seq - 1);
    }

    boolean isBlocked() {
      return blocks.values().stream().anyMatch(Block::on);
    }

    @Nullable Membership in(UserId user) {
      Membership member = members.get(user);
      return member != null && member.isIn() ? member : null;
    }

    long membersIn() {
      return members.values().stream().filter(Membership::isIn).count();
    }

    Marks marks(UserId user) {
      return marks.getOrDefault(user, Marks.NONE);
    }

    List<Integer> sends(DeviceId device) {
      return sends.computeIfAbsent(device, d -> new ArrayList<>());
    }

    long lastOwn(UserId user) {
      long last = 0;
      for (int i = 0; i < lines.size(); i++) {
        if (lines.get(i).csn > 0 && lines.get(i).from.user().equals(user)) {
          last = i + 1L;
        }
      }
      return last;
    }

    /// A mark, and one's own entries that follow it.
    ///
    /// @param newestRow only those that one wrote last in a row: a shard that has been away need
    ///   not know of more
    private long reach(UserId user, Membership member, long mark, boolean newestRow) {
      long reached = Math.max(member.joined - 1, mark);
      long end = reached;
      while (isBy(user, end + 1)) {
        end++;
      }
      for (long seq = end + 1; newestRow && seq <= head(); seq++) {
        if (isBy(user, seq)) {
          return reached;
        }
      }
      return end;
    }

    private boolean isBy(UserId user, long seq) {
      return seq <= head() && line(seq).from.user().equals(user);
    }

    /// At a tick: what has been told does not go back.
    void tell() {
      if (id.isGroup() && membersIn() > 0) {
        toldDelivered = Math.max(toldDelivered, allDelivered(true));
        toldRead = Math.max(toldRead, allRead(true));
      }
    }

    // ---- what is asked

    /// The newest entry that a user who is or was in the chat sees.
    long head(UserId user) {
      Membership member = members.get(user);
      return member == null || member.isIn() ? head() : member.left;
    }

    long seen(UserId user) {
      Membership member = members.get(user);
      long before = member == null ? 0 : member.joined - 1;
      return Math.max(before, Math.max(marks(user).read, lastOwn(user)));
    }

    long unread(UserId user) {
      long unread = 0;
      for (long seq = seen(user) + 1; seq <= head(user); seq++) {
        unread += line(seq).counts() ? 1 : 0;
      }
      return unread;
    }

    long unreadMentions(UserId user) {
      long unread = 0;
      for (long seq = seen(user) + 1; seq <= head(user); seq++) {
        unread += line(seq).mentioned.contains(user) ? 1 : 0;
      }
      return unread;
    }

    long allDelivered(boolean newestRow) {
      long all = Long.MAX_VALUE;
      for (var member : members.entrySet()) {
        if (member.getValue().isIn()) {
          UserId user = member.getKey();
          all =
              Math.min(all, reach(user, member.getValue(), marks(user).shownDelivered, newestRow));
        }
      }
      return all;
    }

    long allRead(boolean newestRow) {
      long all = Long.MAX_VALUE;
      for (var member : members.entrySet()) {
        if (member.getValue().isIn()) {
          UserId user = member.getKey();
          all = Math.min(all, reach(user, member.getValue(), marks(user).shownRead, newestRow));
        }
      }
      return all;
    }

    // ---- sends

    /// Why the device cannot send this now, its csn being the next; null when it can.
    @Nullable ErrorCode refusal(UserId user, Content content, long nowMillis) {
      Membership member = in(user);
      if (member == null) {
        return ErrorCode.NOT_MEMBER;
      }
      if (isBlocked()) {
        return ErrorCode.BLOCKED;
      }
      if (content.getViewOnce() && (id.isGroup() || id.isSelf())) {
        return ErrorCode.ARGUMENT;
      }
      boolean needsVoice = content.getKindValue() < 16 || content.getKind() == Kind.KIND_EDIT;
      if (adminOnlySend && needsVoice && !member.isAdmin()) {
        return ErrorCode.NOT_ALLOWED;
      }
      if (content.getKindValue() < 16) {
        return null;
      }
      if (content.getKind() == Kind.KIND_TIMER) {
        return adminOnlyEdit && !member.isAdmin() ? ErrorCode.NOT_ALLOWED : null;
      }
      long seq = content.getTarget();
      if (seq < 1
          || seq > head()
          || !member.sees(seq)
          || !line(seq).isMessage()
          || line(seq).isErased()) {
        return ErrorCode.NOT_FOUND;
      }
      Line target = line(seq);
      boolean own = target.from.user().equals(user);
      boolean may =
          switch (content.getKind()) {
            case KIND_EDIT -> own && nowMillis - target.tsMillis <= EDIT_MILLIS;
            case KIND_REVOKE ->
                (own || (id.isGroup() && member.isAdmin()))
                    && nowMillis - target.tsMillis <= REVOKE_MILLIS;
            case KIND_OPENED -> !own && target.content.getViewOnce();
            default -> true;
          };
      return may ? null : ErrorCode.NOT_ALLOWED;
    }

    Line append(DeviceId from, long csn, Content content, long nowMillis) {
      long ts = Math.max(lines.isEmpty() ? 0 : lines.getLast().tsMillis, nowMillis);
      long ttl = content.getTtlS();
      if (ttlSeconds > 0 && (ttl == 0 || ttlSeconds < ttl)) {
        ttl = ttlSeconds;
      }
      if (content.getViewOnce() && (ttl == 0 || ttl > 14 * 86_400)) {
        ttl = 14 * 86_400;
      }
      boolean expires = content.getKindValue() < 16 && ttl > 0;
      var line = new Line(from, csn, content, ts, expires ? ts + ttl * 1000 : Long.MAX_VALUE);
      lines.add(line);
      if (csn > 0) {
        sends(from).add(lines.size());
      }
      if (line.isMessage()) {
        line.mentioned = present(content);
      }
      happen(from.user(), content, head());
      return line;
    }

    private Set<UserId> present(Content content) {
      var present = new HashSet<UserId>();
      for (long user : content.getMentionsList()) {
        if (in(new UserId(user)) != null) {
          present.add(new UserId(user));
        }
      }
      return present;
    }

    private void happen(UserId user, Content event, long seq) {
      switch (event.getKind()) {
        case KIND_EDIT -> {
          Line target = line(event.getTarget());
          voidEdit(target);
          target.content =
              target.content.toBuilder()
                  .setBody(event.getBody())
                  .clearMentions()
                  .addAllMentions(event.getMentionsList())
                  .build();
          target.editedMillis = line(seq).tsMillis;
          target.editSeq = seq;
          target.asSent = false;
          target.mentioned = present(event);
        }
        case KIND_REVOKE, KIND_OPENED -> erase(event.getTarget());
        case KIND_REACTION -> {
          var all = reactions.computeIfAbsent(event.getTarget(), s -> new HashMap<>());
          if (event.getBody().isEmpty()) {
            all.remove(user);
          } else {
            all.put(user, new Reacted(event.getBody().toStringUtf8(), seq));
          }
        }
        case KIND_TIMER -> ttlSeconds = event.getTtlS();
        default -> {}
      }
    }

    void erase(long seq) {
      Line target = line(seq);
      voidEdit(target);
      target.content = TOMBSTONE;
      target.editedMillis = 0;
      target.editSeq = 0;
      target.asSent = false;
      target.mentioned = Set.of();
      reactions.remove(seq);
    }

    private void voidEdit(Line target) {
      if (target.editSeq > 0) {
        Line edit = line(target.editSeq);
        edit.content = Content.newBuilder().setKind(Kind.KIND_EDIT).build();
        edit.asSent = false;
      }
    }

    void expire(long nowMillis) {
      for (int i = 0; i < lines.size(); i++) {
        if (lines.get(i).expiresMillis <= nowMillis && !lines.get(i).isErased()) {
          erase(i + 1);
        }
      }
    }

    // ---- groups

    /// Why the change cannot be; null when it can.
    @Nullable ErrorCode refusal(UserId user, GroupChange change) {
      Membership by = in(user);
      if (change instanceof GroupChange.Join(byte[] token)) {
        if (by != null) {
          return ErrorCode.CONFLICT;
        }
        if (invite == 0 || token.length != invite) {
          return ErrorCode.NOT_ALLOWED;
        }
        return membersIn() >= GROUP_MEMBERS_MAX ? ErrorCode.GROUP_FULL : null;
      }
      if (by == null) {
        return ErrorCode.NOT_MEMBER;
      }
      return switch (change) {
        case GroupChange.Add(List<UserId> users) -> {
          long added = users.stream().distinct().filter(u -> in(u) == null).count();
          if (!by.isAdmin()) {
            yield ErrorCode.NOT_ALLOWED;
          }
          if (added == 0) {
            yield ErrorCode.CONFLICT;
          }
          yield membersIn() + added > GROUP_MEMBERS_MAX ? ErrorCode.GROUP_FULL : null;
        }
        case GroupChange.Remove(UserId other) -> {
          Membership member = in(other);
          if (!by.isAdmin()) {
            yield ErrorCode.NOT_ALLOWED;
          }
          if (member == null) {
            yield ErrorCode.CONFLICT;
          }
          boolean may = !other.equals(user) && (by.role == Role.ROLE_OWNER || !member.isAdmin());
          yield may ? null : ErrorCode.NOT_ALLOWED;
        }
        case GroupChange.SetRole(UserId other, Role role) -> {
          Membership member = in(other);
          if (by.role != Role.ROLE_OWNER) {
            yield ErrorCode.NOT_ALLOWED;
          }
          if (member == null) {
            yield ErrorCode.NOT_FOUND;
          }
          if (member.role == role) {
            yield ErrorCode.CONFLICT;
          }
          yield other.equals(user) ? ErrorCode.NOT_ALLOWED : null;
        }
        case GroupChange.Title(String to) -> {
          if (adminOnlyEdit && !by.isAdmin()) {
            yield ErrorCode.NOT_ALLOWED;
          }
          yield to.equals(title) ? ErrorCode.CONFLICT : null;
        }
        case GroupChange.AdminOnlySend(boolean on) -> flag(by, on == adminOnlySend);
        case GroupChange.AdminOnlyEdit(boolean on) -> flag(by, on == adminOnlyEdit);
        case GroupChange.Invite(byte[] token) -> flag(by, token.length == invite);
        default -> null;
      };
    }

    private static @Nullable ErrorCode flag(Membership by, boolean same) {
      if (!by.isAdmin()) {
        return ErrorCode.NOT_ALLOWED;
      }
      return same ? ErrorCode.CONFLICT : null;
    }

    /// Does it, as entry `seq`.
    void apply(UserId user, GroupChange change, long seq) {
      switch (change) {
        case GroupChange.Add(List<UserId> users) -> {
          for (UserId other : users) {
            if (in(other) == null) {
              join(other, seq, Role.ROLE_MEMBER);
            }
          }
        }
        case GroupChange.Join j -> join(user, seq, Role.ROLE_MEMBER);
        case GroupChange.Remove(UserId other) -> leave(other, seq);
        case GroupChange.Leave l -> {
          boolean owner = role(user) == Role.ROLE_OWNER;
          leave(user, seq);
          if (owner) {
            succeed();
          }
        }
        case GroupChange.SetRole(UserId other, Role role) -> {
          setRole(other, role);
          if (role == Role.ROLE_OWNER) {
            setRole(user, Role.ROLE_ADMIN);
          }
        }
        case GroupChange.Title(String to) -> title = to;
        case GroupChange.AdminOnlySend(boolean on) -> adminOnlySend = on;
        case GroupChange.AdminOnlyEdit(boolean on) -> adminOnlyEdit = on;
        case GroupChange.Invite(byte[] token) -> invite = token.length;
        case GroupChange.Picture p -> throw new IllegalArgumentException();
        case GroupChange.Description d -> throw new IllegalArgumentException();
      }
    }

    void join(UserId user, long seq, Role role) {
      members.remove(user);
      members.put(user, new Membership(seq, 0, role));
    }

    private void leave(UserId user, long seq) {
      Membership member = in(user);
      if (member != null) {
        members.put(user, new Membership(member.joined, seq, Role.ROLE_UNSPECIFIED));
      }
    }

    Role role(UserId user) {
      Membership member = in(user);
      return member == null ? Role.ROLE_UNSPECIFIED : member.role;
    }

    private void setRole(UserId user, Role role) {
      members.computeIfPresent(user, (u, member) -> member.as(role));
    }

    private void succeed() {
      List<UserId> in = members.keySet().stream().filter(user -> in(user) != null).toList();
      if (in.isEmpty()) {
        invite = 0;
      } else {
        UserId next =
            in.stream()
                .filter(user -> role(user) == Role.ROLE_ADMIN)
                .findFirst()
                .orElse(in.getFirst());
        setRole(next, Role.ROLE_OWNER);
      }
    }
  }
}

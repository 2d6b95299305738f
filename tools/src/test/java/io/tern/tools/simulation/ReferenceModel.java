package io.tern.tools.simulation;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.Users;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// What Tern promises of chats, as plainly as it can be said: logs in lists, one thing at a time,
/// no devices that are late, no disk. [ModelTest] holds the real thing against it.
///
/// Each change says what it is refused with, or null, and has then happened.
final class ReferenceModel {

  private static final long FOR_EVER = Long.MAX_VALUE;

  final NavigableMap<Long, Person> people = new TreeMap<>();
  final Map<ChatId, Room> rooms = new LinkedHashMap<>();
  private final long editMillis;
  private final long revokeMillis;
  private final long viewOnceMillis;

  ReferenceModel(long editMillis, long revokeMillis, long viewOnceMillis) {
    this.editMillis = editMillis;
    this.revokeMillis = revokeMillis;
    this.viewOnceMillis = viewOnceMillis;
  }

  /// A user, with what they have settled.
  static final class Person {
    final UserId id;
    final Set<Integer> devices = new TreeSet<>();
    final NavigableMap<String, Setting> settings = new TreeMap<>();
    final Set<Long> blocks = new TreeSet<>();
    final Set<Long> everBlocked = new TreeSet<>();
    final Set<Long> contacts = new TreeSet<>();
    Privacy privacy = Privacy.getDefaultInstance();

    Person(UserId id) {
      this.id = id;
    }

    /// Whether this person lets `other` see what `audience` is set for.
    boolean shows(Audience audience, long other) {
      return switch (audience) {
        case AUDIENCE_CONTACTS -> contacts.contains(other);
        case AUDIENCE_CONTACTS_EXCEPT ->
            contacts.contains(other) && !privacy.getExceptList().contains(other);
        case AUDIENCE_NOBODY -> false;
        default -> true;
      };
    }
  }

  /// An entry of a chat.
  static final class Line {
    final long seq;
    final DeviceId from;
    final long tsMillis;

    /// When the body goes by itself.
    final long goneMillis;

    /// By user: the event that made it.
    final Map<Long, Line> reactions = new TreeMap<>();

    Content content;
    long editedMillis;
    boolean removed;

    /// Of an edit: what it edits.
    @Nullable Line edits;

    @Nullable Line lastEdit;

    /// Seq of the newest event that changed it.
    long changedBy;

    Line(long seq, DeviceId from, long tsMillis, Content content, long goneMillis) {
      this.seq = seq;
      this.from = from;
      this.tsMillis = tsMillis;
      this.content = content;
      this.goneMillis = goneMillis;
    }

    boolean isMessage() {
      int kind = content.getKindValue();
      return kind >= 1 && kind <= 15;
    }

    /// Of an edit: whether the message says something else by now.
    boolean isVoid(long now) {
      return edits != null && (edits.lastEdit != this || edits.isGone(now));
    }

    boolean isGone(long now) {
      return removed || now >= goneMillis;
    }
  }

  /// What a chat knows of a user who is in it, or was.
  static final class Part {
    Role role = Role.ROLE_MEMBER;
    long joined = 1;
    long left = FOR_EVER;
    long delivered;
    long read;

    /// What others may know of the two.
    long shownDelivered;

    long shownRead;

    /// The newest entry that one has sent, and the newest message among them.
    long lastOwn;

    long lastOwnMessage;

    boolean isIn() {
      return left == FOR_EVER;
    }

    boolean sees(long seq) {
      return seq >= joined && seq <= left;
    }
  }

  /// A chat.
  static final class Room {
    final ChatId id;
    final List<Line> lines = new ArrayList<>();
    final Map<Long, Part> parts = new LinkedHashMap<>();
    int ttlSeconds;
    String title = "";
    String picture = "";
    String description = "";
    boolean adminOnlySend;
    boolean adminOnlyEdit;
    boolean hasInvite;
    ByteString invite = ByteString.EMPTY;

    Room(ChatId id) {
      this.id = id;
    }

    long head() {
      return lines.size();
    }

    long headFor(long user) {
      Part part = parts.get(user);
      return part == null ? 0 : Math.min(head(), part.left);
    }

    @Nullable Line line(long seq) {
      return seq < 1 || seq > lines.size() ? null : lines.get((int) seq - 1);
    }

    @Nullable Part in(long user) {
      Part part = parts.get(user);
      return part != null && part.isIn() ? part : null;
    }

    boolean isAdmin(long user) {
      Part part = in(user);
      return part != null && (part.role == Role.ROLE_ADMIN || part.role == Role.ROLE_OWNER);
    }

    long members() {
      return parts.values().stream().filter(Part::isIn).count();
    }
  }

  // ---- people

  Person person(UserId user) {
    return people.computeIfAbsent(user.value(), u -> new Person(user));
  }

  Person person(long user) {
    return person(new UserId(user));
  }

  /// Neither has blocked the other.
  boolean mayTalk(long one, long other) {
    return !person(one).blocks.contains(other) && !person(other).blocks.contains(one);
  }

  /// Neither ever has.
  boolean mayEverTalk(long one, long other) {
    return !person(one).everBlocked.contains(other) && !person(other).everBlocked.contains(one);
  }

  boolean mayAdd(long by, long user) {
    Person added = person(user);
    return by == user || (!added.blocks.contains(by) && added.shows(added.privacy.getGroups(), by));
  }

  boolean hidesReading(long user) {
    return person(user).privacy.getHideReadReceipts();
  }

  // ---- messages and events

  @Nullable ErrorCode send(DeviceId from, ChatId chat, Content content, long now) {
    long user = from.user().value();
    Room room = chat.isGroup() ? rooms.get(chat) : rooms.getOrDefault(chat, new Room(chat));
    if (room == null || (chat.isGroup() && room.in(user) == null)) {
      return ErrorCode.NOT_MEMBER;
    }
    if (!chat.isGroup() && !mayTalk(chat.low(), chat.high())) {
      return ErrorCode.BLOCKED;
    }
    if (content.getViewOnce() && (chat.isGroup() || chat.isSelf())) {
      return ErrorCode.ARGUMENT;
    }
    Kind kind = content.getKind();
    boolean isOfMembers =
        kind == Kind.KIND_REVOKE || kind == Kind.KIND_REACTION || kind == Kind.KIND_TIMER;
    if (room.adminOnlySend && !isOfMembers && !room.isAdmin(user)) {
      return ErrorCode.NOT_ALLOWED;
    }
    if (kind == Kind.KIND_TIMER && room.adminOnlyEdit && !room.isAdmin(user)) {
      return ErrorCode.NOT_ALLOWED;
    }
    Line target = null;
    if (kind == Kind.KIND_EDIT
        || kind == Kind.KIND_REVOKE
        || kind == Kind.KIND_REACTION
        || kind == Kind.KIND_OPENED) {
      target = room.line(content.getTarget());
      if (target == null
          || !target.isMessage()
          || target.isGone(now)
          || !sees(room, user, target.seq)) {
        return ErrorCode.NOT_FOUND;
      }
      ErrorCode refusal = refusal(room, user, kind, target, now);
      if (refusal != null) {
        return refusal;
      }
    }
    enter(room, chat);
    Line line = append(room, from, content, now);
    part(room, user).lastOwn = line.seq;
    if (line.isMessage()) {
      part(room, user).lastOwnMessage = line.seq;
    }
    take(room, user, line, target, now);
    return null;
  }

  /// Everyone with whom the user talks sees it in their chat.
  void registeredAnew(DeviceId by, long at) {
    var body = RegisteredEvent.newBuilder().setAtMs(at).build().toByteString();
    var content = Content.newBuilder().setKind(Kind.KIND_REGISTERED).setBody(body).build();
    for (Room room : rooms.values()) {
      if (!room.id.isGroup()
          && !room.id.isSelf()
          && room.parts.containsKey(by.user().value())
          && room.parts.values().stream().allMatch(part -> part.lastOwn > 0)
          && mayTalk(room.id.low(), room.id.high())) {
        append(room, by, content, at);
      }
    }
  }

  private @Nullable ErrorCode refusal(Room room, long user, Kind kind, Line target, long now) {
    boolean own = target.from.user().value() == user;
    long age = now - target.tsMillis;
    return switch (kind) {
      case KIND_EDIT -> own && age <= editMillis ? null : ErrorCode.NOT_ALLOWED;
      case KIND_REVOKE ->
          (own || room.isAdmin(user)) && age <= revokeMillis ? null : ErrorCode.NOT_ALLOWED;
      case KIND_OPENED -> !own && target.content.getViewOnce() ? null : ErrorCode.NOT_ALLOWED;
      default -> null;
    };
  }

  /// What an event does besides being there.
  private void take(Room room, long user, Line line, @Nullable Line target, long now) {
    Content content = line.content;
    if (content.getKind() == Kind.KIND_TIMER) {
      room.ttlSeconds = content.getTtlS();
    }
    if (target == null) {
      return;
    }
    target.changedBy = line.seq;
    switch (content.getKind()) {
      case KIND_EDIT -> {
        Content.Builder newer =
            target.content.toBuilder()
                .setBody(content.getBody())
                .clearMentions()
                .addAllMentions(content.getMentionsList())
                .clearPreview();
        if (content.hasPreview()) {
          newer.setPreview(content.getPreview());
        }
        target.content = newer.build();
        target.editedMillis = now;
        line.edits = target;
        target.lastEdit = line;
      }
      case KIND_REVOKE, KIND_OPENED -> {
        target.removed = true;
        target.reactions.clear();
      }
      case KIND_REACTION -> {
        if (content.getBody().isEmpty()) {
          target.reactions.remove(user);
        } else {
          target.reactions.put(user, line);
        }
      }
      default -> {}
    }
  }

  private Line append(Room room, DeviceId from, Content content, long now) {
    long gone = FOR_EVER;
    int kind = content.getKindValue();
    if (kind <= 15) {
      for (int seconds : new int[] {content.getTtlS(), room.ttlSeconds}) {
        gone = seconds == 0 ? gone : Math.min(gone, now + seconds * 1_000L);
      }
    }
    if (content.getViewOnce()) {
      gone = Math.min(gone, now + viewOnceMillis);
    }
    var line = new Line(room.head() + 1, from, now, content, gone);
    room.lines.add(line);
    return line;
  }

  private void enter(Room room, ChatId chat) {
    if (rooms.putIfAbsent(chat, room) == null) {
      room.parts.put(chat.low(), new Part());
      room.parts.putIfAbsent(chat.high(), new Part());
    }
  }

  private static Part part(Room room, long user) {
    return Objects.requireNonNull(room.parts.get(user));
  }

  /// Whether `user` sees the entry at `seq` and has not deleted it for themselves.
  boolean sees(Room room, long user, long seq) {
    Part part = room.parts.get(user);
    return part != null && part.sees(seq);
  }

  boolean isHidden(long user, ChatId chat, long seq) {
    long wireId = chat.wireId(new UserId(user));
    return person(user).settings.containsKey("hide " + chat.isGroup() + wireId + " " + seq);
  }

  // ---- marks

  void read(long user, ChatId chat, long seq) {
    Room room = rooms.get(chat);
    Part part = room == null ? null : room.parts.get(user);
    if (room == null || part == null || seq > room.headFor(user) || seq <= part.read) {
      return;
    }
    part.read = seq;
    part.delivered = Math.max(part.delivered, seq);
    if (chat.isGroup() || mayTalk(chat.low(), chat.high())) {
      part.shownDelivered = Math.max(part.shownDelivered, seq);
      if (!hidesReading(user)) {
        part.shownRead = seq;
      }
    }
  }

  void delivered(long user, ChatId chat, long seq) {
    Room room = rooms.get(chat);
    Part part = room == null ? null : room.parts.get(user);
    if (room == null || part == null || Math.min(seq, room.headFor(user)) <= part.delivered) {
      return;
    }
    part.delivered = Math.min(seq, room.headFor(user));
    if (chat.isGroup() || mayTalk(chat.low(), chat.high())) {
      part.shownDelivered = part.delivered;
    }
  }

  long unread(Room room, long user, long now) {
    return unreadLines(room, user, now).size();
  }

  long unreadMentions(Room room, long user, long now) {
    return unreadLines(room, user, now).stream()
        .filter(line -> line.content.getMentionsList().contains(user))
        .count();
  }

  private List<Line> unreadLines(Room room, long user, long now) {
    Part part = room.parts.get(user);
    if (part == null) {
      return List.of();
    }
    long from = Math.max(part.read, part.lastOwn);
    return room.lines.stream()
        .filter(line -> line.seq > from && part.sees(line.seq))
        .filter(line -> line.isMessage() && !line.isGone(now))
        .toList();
  }

  // ---- groups

  @Nullable ErrorCode create(DeviceId by, ChatId group, GroupBirth birth, long now) {
    var room = new Room(group);
    rooms.put(group, room);
    room.title = birth.getTitle();
    room.description = birth.getDescription();
    room.picture = birth.getPicture();
    Part owner = new Part();
    owner.role = Role.ROLE_OWNER;
    room.parts.put(by.user().value(), owner);
    birth.getMembersList().forEach(user -> room.parts.putIfAbsent(user, new Part()));
    event(room, by, GroupEvent.newBuilder().setCreated(birth), now);
    return null;
  }

  /// The change of `edit`; of those to be added, only those who let themselves.
  @Nullable ErrorCode edit(DeviceId by, ChatId group, GroupEdit edit, ByteString invite, long now) {
    long user = by.user().value();
    Room room = rooms.get(group);
    if (edit.getChangeCase() == GroupEdit.ChangeCase.JOIN) {
      return join(by, room, edit.getJoin(), now);
    }
    if (room == null || room.in(user) == null) {
      return ErrorCode.NOT_MEMBER;
    }
    boolean admin = room.isAdmin(user);
    boolean mayEdit = admin || !room.adminOnlyEdit;
    GroupEvent.Builder event = GroupEvent.newBuilder();
    switch (edit.getChangeCase()) {
      case ADD -> {
        if (!admin) {
          return ErrorCode.NOT_ALLOWED;
        }
        List<Long> added =
            edit.getAdd().getUsersList().stream()
                .filter(u -> room.in(u) != null || mayAdd(user, u))
                .toList();
        if (added.isEmpty()) {
          return ErrorCode.NOT_ALLOWED;
        }
        if (added.stream().allMatch(u -> room.in(u) != null)) {
          return ErrorCode.CONFLICT;
        }
        added = added.stream().filter(u -> room.in(u) == null).toList();
        added.forEach(u -> admit(room, u));
        event.setAdded(Users.newBuilder().addAllUsers(added));
      }
      case REMOVE -> {
        long who = edit.getRemove();
        Part part = room.in(who);
        if (!admin) {
          return ErrorCode.NOT_ALLOWED;
        }
        if (part == null) {
          return ErrorCode.CONFLICT;
        }
        if (part.role == Role.ROLE_OWNER
            || (part.role == Role.ROLE_ADMIN && roleOf(room, user) != Role.ROLE_OWNER)) {
          return ErrorCode.NOT_ALLOWED;
        }
        part.left = room.head() + 1;
        event.setRemoved(who);
      }
      case LEAVE -> {
        Part part = part(room, user);
        if (part.role == Role.ROLE_OWNER) {
          long next = successor(room, user);
          if (next != 0) {
            part(room, next).role = Role.ROLE_OWNER;
            event.setNewOwner(next);
          } else {
            room.hasInvite = false;
            room.invite = ByteString.EMPTY;
          }
        }
        part.left = room.head() + 1;
        event.setLeft(true);
      }
      case ROLE -> {
        long who = edit.getRole().getUser();
        Role role = edit.getRole().getRole();
        Part part = room.in(who);
        if (roleOf(room, user) != Role.ROLE_OWNER) {
          return ErrorCode.NOT_ALLOWED;
        }
        if (part == null) {
          return ErrorCode.NOT_FOUND;
        }
        if (part.role == role) {
          return ErrorCode.CONFLICT;
        }
        if (who == user) {
          return ErrorCode.NOT_ALLOWED;
        }
        if (role == Role.ROLE_OWNER) {
          part(room, user).role = Role.ROLE_ADMIN;
        }
        part.role = role;
        event.setRole(edit.getRole());
      }
      case TITLE, PICTURE, DESCRIPTION -> {
        if (!mayEdit) {
          return ErrorCode.NOT_ALLOWED;
        }
        if (!describe(room, edit, event)) {
          return ErrorCode.CONFLICT;
        }
      }
      case ADMIN_ONLY_SEND -> {
        if (!admin) {
          return ErrorCode.NOT_ALLOWED;
        }
        if (room.adminOnlySend == edit.getAdminOnlySend()) {
          return ErrorCode.CONFLICT;
        }
        room.adminOnlySend = edit.getAdminOnlySend();
        event.setAdminOnlySend(room.adminOnlySend);
      }
      case ADMIN_ONLY_EDIT -> {
        if (!admin) {
          return ErrorCode.NOT_ALLOWED;
        }
        if (room.adminOnlyEdit == edit.getAdminOnlyEdit()) {
          return ErrorCode.CONFLICT;
        }
        room.adminOnlyEdit = edit.getAdminOnlyEdit();
        event.setAdminOnlyEdit(room.adminOnlyEdit);
      }
      case INVITE -> {
        if (!admin) {
          return ErrorCode.NOT_ALLOWED;
        }
        if (!edit.getInvite() && !room.hasInvite) {
          return ErrorCode.CONFLICT;
        }
        room.hasInvite = edit.getInvite();
        room.invite = invite;
        event.setInvite(room.hasInvite);
      }
      default -> throw new AssertionError(edit.getChangeCase());
    }
    event(room, by, event, now);
    return null;
  }

  private @Nullable ErrorCode join(DeviceId by, @Nullable Room room, ByteString token, long now) {
    long user = by.user().value();
    if (room != null && room.in(user) != null) {
      return ErrorCode.CONFLICT;
    }
    if (room == null || !room.hasInvite || !room.invite.equals(token)) {
      return ErrorCode.NOT_ALLOWED;
    }
    admit(room, user);
    event(room, by, GroupEvent.newBuilder().setJoined(true), now);
    return null;
  }

  private static boolean describe(Room room, GroupEdit edit, GroupEvent.Builder event) {
    return switch (edit.getChangeCase()) {
      case TITLE -> {
        boolean changes = !room.title.equals(edit.getTitle());
        room.title = edit.getTitle();
        event.setTitle(room.title);
        yield changes;
      }
      case PICTURE -> {
        boolean changes = !room.picture.equals(edit.getPicture());
        room.picture = edit.getPicture();
        event.setPicture(room.picture);
        yield changes;
      }
      default -> {
        boolean changes = !room.description.equals(edit.getDescription());
        room.description = edit.getDescription();
        event.setDescription(room.description);
        yield changes;
      }
    };
  }

  /// From the next entry on. Who comes back is the youngest.
  private static void admit(Room room, long user) {
    Part part = room.parts.remove(user);
    if (part == null) {
      part = new Part();
    }
    part.role = Role.ROLE_MEMBER;
    part.joined = room.head() + 1;
    part.left = FOR_EVER;
    room.parts.put(user, part);
  }

  private static Role roleOf(Room room, long user) {
    Part part = room.in(user);
    return part == null ? Role.ROLE_UNSPECIFIED : part.role;
  }

  private static long successor(Room room, long leaving) {
    return room.parts.entrySet().stream()
        .filter(each -> each.getKey() != leaving && each.getValue().isIn())
        .min(
            Comparator.comparing(
                    (Map.Entry<Long, Part> each) -> each.getValue().role != Role.ROLE_ADMIN)
                .thenComparingLong(each -> each.getValue().joined))
        .map(Map.Entry::getKey)
        .orElse(0L);
  }

  private void event(Room room, DeviceId by, GroupEvent.Builder event, long now) {
    append(
        room,
        by,
        Content.newBuilder().setKind(Kind.KIND_GROUP).setBody(event.build().toByteString()).build(),
        now);
  }

  // ---- settings

  @Nullable ErrorCode set(DeviceId by, List<Setting> settings, long now) {
    Person person = person(by.user());
    ChatId self = ChatId.direct(by.user(), by.user());
    for (Setting setting : settings) {
      apply(person, setting);
    }
    Room room = rooms.getOrDefault(self, new Room(self));
    enter(room, self);
    append(
        room,
        by,
        Content.newBuilder()
            .setKind(Kind.KIND_SETTING)
            .setBody(Settings.newBuilder().addAllSet(settings).build().toByteString())
            .build(),
        now);
    return null;
  }

  private static void apply(Person person, Setting setting) {
    switch (setting.getWhatCase()) {
      case CHAT -> {
        String key = "chat " + setting.getChat().getGroup() + setting.getChat().getChat();
        // Nothing settled is no setting.
        if (setting.getChat().getPin()
            || setting.getChat().getArchive()
            || setting.getChat().getMuteUntilMs() != 0) {
          person.settings.put(key, setting);
        } else {
          person.settings.remove(key);
        }
      }
      case STAR -> {
        String key =
            "star "
                + setting.getStar().getGroup()
                + setting.getStar().getChat()
                + " "
                + setting.getStar().getSeq();
        if (setting.getStar().getOn()) {
          person.settings.put(key, setting);
        } else {
          person.settings.remove(key);
        }
      }
      case HIDE ->
          person.settings.put(
              "hide "
                  + setting.getHide().getGroup()
                  + setting.getHide().getChat()
                  + " "
                  + setting.getHide().getSeq(),
              setting);
      case CONTACT -> {
        long user = setting.getContact().getUser();
        if (setting.getContact().getRemoved()) {
          person.contacts.remove(user);
          person.settings.remove("contact " + user);
        } else {
          person.contacts.add(user);
          person.settings.put("contact " + user, setting);
        }
      }
      case PRIVACY -> {
        person.privacy = setting.getPrivacy();
        person.settings.put("privacy", setting);
      }
      case BLOCK -> {
        long user = setting.getBlock().getUser();
        if (setting.getBlock().getOn()) {
          person.blocks.add(user);
          person.everBlocked.add(user);
          person.settings.put("block " + user, setting);
        } else {
          person.blocks.remove(user);
          person.settings.remove("block " + user);
        }
      }
      case WHAT_NOT_SET -> throw new AssertionError();
    }
  }
}

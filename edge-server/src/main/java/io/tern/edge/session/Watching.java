package io.tern.edge.session;

import io.netty.buffer.ByteBuf;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Presence;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.Typing;
import io.tern.protocol.v1.UserPresence;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.router.Directory;
import io.tern.router.Readers.Shards;
import io.tern.router.presence.PresenceHub.Topic;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// What a session looks at, and what it says to those who look: PRESENCE_SUB, PRESENCE and TYPING.
/// From session to session, kept nowhere, the first to be dropped. Confined to the session's event
/// loop; created by the first of these frames.
///
/// A watch is made in this order: the hub first, then a look at the present and at what the user
/// may see. What comes in between is newer than what the look finds, so nothing is missed; and
/// whoever changes what may be seen ends the watch in the hub ([PresenceDesk#settingsChanged])
/// after it has been committed, so nothing is shown that a look before had allowed.
///
/// Bounds: [Limits#PRESENCE_USERS_MAX] users and groups together, for [#LEASE].
final class Watching {

  static final Duration LEASE = Duration.ofSeconds(Limits.PRESENCE_SECONDS);

  private static final long[] NOBODY = {};

  // What is known of a watched user.
  private static final int SHOWS_ONLINE = 1;
  private static final int SHOWS_LAST_SEEN = 2;
  private static final int KNOWN = 4;
  private static final int ONLINE = 8;
  private static final int LAPSED = 16;

  private final SessionLogic session;
  private final EdgeContext edge;
  private final SessionHost host;

  private long[] users = NOBODY;

  /// In the places of [#users].
  private byte[] known = {};

  /// In the places of [#users]: as told by an event that overtook the look.
  private long[] lastSeen = NOBODY;

  private long[] groups = NOBODY;

  /// Whether a look is under way.
  private boolean looking;

  /// What a reader found of one user.
  private record Look(Visibility.Seen seen, boolean online, long lastSeenMillis) {}

  Watching(SessionLogic session) {
    this.session = session;
    edge = session.edge();
    host = session.host();
  }

  // ---- PRESENCE_SUB ----------------------------------------------------------------------------

  boolean onPresenceSub(FrameHeader header, ByteBuf in, long now) {
    if (looking || session.requests().mustHold()) {
      return false;
    }
    PresenceSub request =
        session.requests().request(FrameType.PRESENCE_SUB, PresenceSub.parser(), header, in, now);
    if (request == null) {
      return true;
    }
    if (edge.shedding().sheds(Shedding.Work.PRESENCE)) {
      edge.counters().add(Count.PRESENCE_SHED);
      session.refuse(header.rid(), ErrorCode.BUSY, Requests.SHED_MILLIS, "overloaded", "");
      return true;
    }
    var wanted = new LinkedHashSet<Long>(request.getUsersList());
    var wantedGroups = new LinkedHashSet<Long>(request.getGroupsList());
    int rid = header.rid();
    if (wanted.size() + wantedGroups.size() > Limits.PRESENCE_USERS_MAX
        || !areValid(wanted)
        || !areValid(wantedGroups)) {
      session.refuse(rid, ErrorCode.ARGUMENT, 0, "", "users");
      return true;
    }
    edge.counters().add(Count.PRESENCE_SUBS);
    users = toArray(wanted);
    groups = toArray(wantedGroups);
    known = new byte[users.length];
    lastSeen = users.length == 0 ? NOBODY : new long[users.length];
    watch();
    if (users.length == 0) {
      writePage(rid, Presence.getDefaultInstance());
      return true;
    }
    UserId viewer = session.user();
    long[] whom = users;
    looking =
        session
            .requests()
            .ask(
                shards -> look(shards, viewer, whom),
                looks -> onLooked(rid, looks),
                () -> {
                  stop();
                  session.refuse(rid, ErrorCode.INTERNAL, 1000, "", "");
                });
    if (!looking) {
      stop();
      session.refuse(rid, ErrorCode.BUSY, 200, "readers busy", "");
    }
    return true;
  }

  private void watch() {
    var topics = new ArrayList<Topic>(users.length + groups.length);
    for (long user : users) {
      topics.add(Topic.of(new UserId(user)));
    }
    for (long group : groups) {
      topics.add(Topic.ofGroup(ChatId.group(group)));
    }
    edge.presence().hub().watch(session.route(), topics, LEASE);
  }

  /// On a reader.
  private List<Look> look(Shards shards, UserId viewer, long[] whom) {
    var asked = new ArrayList<UserId>(whom.length);
    for (long user : whom) {
      asked.add(new UserId(user));
    }
    List<Directory.Routes> routes = edge.directory().lookup(asked);
    var looks = new ArrayList<Look>(whom.length);
    for (int i = 0; i < whom.length; i++) {
      UserId user = asked.get(i);
      looks.add(
          new Look(
              Visibility.of(shards, viewer, user),
              routes.get(i).isOnline(),
              Reads.lastSeen(shards.of(Slots.of(user)), user)));
    }
    return looks;
  }

  private void onLooked(int rid, List<Look> looks) {
    looking = false;
    var page = Presence.newBuilder();
    for (int i = 0; i < looks.size(); i++) {
      Look look = looks.get(i);
      if ((known[i] & LAPSED) != 0) {
        page.addUsers(UserPresence.newBuilder().setUser(users[i]).setLapsed(true));
        continue;
      }
      if ((known[i] & KNOWN) == 0) {
        known[i] |= (byte) (KNOWN | (look.online ? ONLINE : 0));
        lastSeen[i] = look.lastSeenMillis;
      }
      known[i] |=
          (byte)
              ((look.seen.online() ? SHOWS_ONLINE : 0)
                  | (look.seen.lastSeen() ? SHOWS_LAST_SEEN : 0));
      page.addUsers(shown(i));
    }
    writePage(rid, page.build());
  }

  private void writePage(int rid, Presence page) {
    host.write(FrameType.PRESENCE_PAGE, FrameHeader.RID, rid, 0, 0, page.toByteArray());
  }

  private UserPresence shown(int i) {
    var shown = UserPresence.newBuilder().setUser(users[i]);
    if ((known[i] & SHOWS_ONLINE) != 0) {
      shown.setOnline((known[i] & ONLINE) != 0);
    }
    if ((known[i] & SHOWS_LAST_SEEN) != 0) {
      shown.setLastSeenMs(lastSeen[i]);
    }
    return shown.build();
  }

  // ---- PRESENCE --------------------------------------------------------------------------------

  void onPresence(Delivery.Presence presence) {
    int i = placeOf(users, presence.user().value());
    if (i < 0 || (known[i] & LAPSED) != 0) {
      return;
    }
    if (presence.lapsed()) {
      lapse(i);
      return;
    }
    int before = known[i];
    int shown = before & (SHOWS_ONLINE | SHOWS_LAST_SEEN);
    // Was there between two looks, or the look came before what was written down at the end.
    boolean wasThere =
        (shown & SHOWS_LAST_SEEN) != 0
            && !presence.online()
            && lastSeen[i] != presence.lastSeenMillis();
    lastSeen[i] = presence.lastSeenMillis();
    known[i] = (byte) (shown | KNOWN | (presence.online() ? ONLINE : 0));
    boolean shows = shown != 0;
    if (looking || !shows || (known[i] == before && !wasThere)) {
      return;
    }
    if (session.outbound().isBehind() || !host.isWritable()) {
      edge.counters().add(Count.PRESENCE_DROPPED);
      // Not told, so that the next event is told whatever it says.
      known[i] &= (byte) ~KNOWN;
      return;
    }
    write(shown(i));
  }

  /// It is told however busy the session is: what the user no longer shows must leave the screen,
  /// and no later event would say so. That is once for each user of a PRESENCE_SUB.
  private void lapse(int i) {
    known[i] = LAPSED;
    if (!looking) {
      write(UserPresence.newBuilder().setUser(users[i]).setLapsed(true).build());
    }
  }

  private void write(UserPresence user) {
    edge.counters().add(Count.PRESENCE_TOLD);
    host.write(
        FrameType.PRESENCE, 0, 0, 0, 0, Presence.newBuilder().addUsers(user).build().toByteArray());
  }

  /// What this user shows has changed, and so has what they are shown: every watch of a user ends.
  void lapseAll() {
    if (users.length == 0) {
      return;
    }
    for (int i = 0; i < users.length; i++) {
      if ((known[i] & LAPSED) == 0) {
        lapse(i);
      }
    }
    if (!looking) {
      users = NOBODY;
      known = new byte[0];
      lastSeen = NOBODY;
    }
    watchGroupsOnly();
  }

  private void watchGroupsOnly() {
    var topics = new ArrayList<Topic>(groups.length);
    for (long group : groups) {
      topics.add(Topic.ofGroup(ChatId.group(group)));
    }
    edge.presence().hub().watch(session.route(), topics, LEASE);
  }

  /// Ends every watch.
  void stop() {
    users = NOBODY;
    known = new byte[0];
    lastSeen = NOBODY;
    groups = NOBODY;
    looking = false;
    edge.presence().hub().drop(session.route());
  }

  // ---- TYPING ----------------------------------------------------------------------------------

  void onTyping(FrameHeader header, ByteBuf in, long now) {
    Typing typing = Bodies.parse(session, FrameType.TYPING, Typing.parser(), header, in, now);
    if (typing == null) {
      return;
    }
    if (!UserId.isValid(header.chat())) {
      session.close(CloseReason.MALFORMED, "no such chat", now);
      return;
    }
    if (!session.inbound().chargeCheap(now)) {
      return;
    }
    if (!session.attendance().isActive()) {
      // Nobody looks at it, so nobody types there.
      edge.counters().add(Count.TYPING_DROPPED);
      return;
    }
    if (edge.shedding().sheds(Shedding.Work.PRESENCE)) {
      edge.counters().add(Count.PRESENCE_SHED);
      return;
    }
    UserId user = session.user();
    ChatId chat = ChatId.fromWire(user, header.chat(), header.has(FrameHeader.GROUP));
    boolean asked =
        !chat.isSelf()
            && session
                .requests()
                .ask(
                    shards -> audience(shards, chat, user),
                    sessions -> tell(chat, user, typing, sessions),
                    () -> edge.counters().add(Count.TYPING_DROPPED));
    if (!asked) {
      edge.counters().add(Count.TYPING_DROPPED);
    }
  }

  /// The sessions to be told that `user` types in `chat`. On a reader.
  private List<Attachment> audience(Shards shards, ChatId chat, UserId user) {
    var shard = shards.of(Slots.of(chat));
    if (!chat.isGroup()) {
      if (Reads.isBlocked(shard, chat)) {
        return List.of();
      }
      UserId peer = chat.peerOf(user);
      return watchers(Topic.of(user)).stream()
          .filter(session -> session.device().user().equals(peer))
          .toList();
    }
    Reads.GroupInfo group = Reads.groupInfo(shard, chat);
    if (group == null) {
      return List.of();
    }
    Set<UserId> members = new HashSet<>();
    group.members().forEach(member -> members.add(member.user()));
    if (!members.remove(user)) {
      return List.of();
    }
    // Who has been removed may still watch.
    return watchers(Topic.ofGroup(chat)).stream()
        .filter(session -> members.contains(session.device().user()))
        .toList();
  }

  private List<Attachment> watchers(Topic topic) {
    return edge.presence().hub().watchers(List.of(topic)).getFirst();
  }

  private void tell(ChatId chat, UserId user, Typing typing, List<Attachment> sessions) {
    PresenceDesk.byEdge(sessions)
        .forEach((to, those) ->
            edge.relay()
                .tell(
                    to,
                    new Delivery.Typing(chat, user, typing.getOn(), typing.getRecording(), those)));
    edge.counters().add(Count.TYPING_FORWARDED, sessions.size());
  }

  void onTyping(Delivery.Typing typing) {
    ChatId chat = typing.chat();
    boolean watched =
        chat.isGroup() ? placeOf(groups, chat.high()) >= 0 : isWatched(typing.member());
    if (!watched || session.outbound().isBehind() || !host.isWritable()) {
      edge.counters().add(Count.TYPING_DROPPED);
      return;
    }
    host.write(
        FrameType.TYPING_PUSH,
        FrameHeader.CHAT | SessionLogic.groupFlag(chat),
        0,
        session.wireId(chat),
        0,
        Typing.newBuilder()
            .setOn(typing.on())
            .setRecording(typing.recording())
            .setMember(chat.isGroup() ? typing.member().value() : 0)
            .build()
            .toByteArray());
  }

  private boolean isWatched(UserId user) {
    int i = placeOf(users, user.value());
    return i >= 0 && (known[i] & LAPSED) == 0;
  }

  // ---- helpers ---------------------------------------------------------------------------------

  private static int placeOf(long[] ids, long id) {
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] == id) {
        return i;
      }
    }
    return -1;
  }

  private static boolean areValid(Set<Long> ids) {
    return ids.stream().allMatch(UserId::isValid);
  }

  private static long[] toArray(Set<Long> ids) {
    return ids.isEmpty() ? NOBODY : ids.stream().mapToLong(Long::longValue).toArray();
  }
}

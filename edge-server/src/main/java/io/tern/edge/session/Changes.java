package io.tern.edge.session;

import io.netty.buffer.ByteBuf;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.DeviceRemove;
import io.tern.protocol.v1.DeviceRemoved;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupCreated;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEdited;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.SettingsSet;
import io.tern.router.Readers.Shards;
import io.tern.store.Command;
import io.tern.store.GroupChange;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// A session's changes that are not messages: GROUP_CREATE, GROUP_EDIT, SETTINGS with `set`,
/// DEVICE_REMOVE. Each is a command for a ring, and answered when it is committed. Confined to the
/// session's event loop; created by the first of them.
///
/// Facts of other shards that a change depends on (who may be added to a group) are read before the
/// command enters the ring.
///
/// Bounds: [#CHANGES_MAX] under way, beyond it the frame is held. What becomes an entry is charged
/// as a send.
final class Changes {

  /// Changes that one session may have under way; more are held.
  static final int CHANGES_MAX = 4;

  /// Random bytes in an invite link.
  static final int INVITE_BYTES = 16;

  private static final long BUSY_MILLIS = 20;
  private static final byte[] NO_TOKEN = {};

  private final SessionLogic session;
  private final EdgeContext edge;
  private final SessionHost host;

  private int underWay;

  /// Of changes under way whose answer names somebody.
  private final List<Refusals> refusals = new ArrayList<>(1);

  /// Who was left out of the change that the request `rid` asked for.
  private record Refusals(int rid, List<Long> users) {}

  /// Those who are to be added to a group.
  ///
  /// @param refusal why nothing is asked of the ring; null when all is well
  private record Admitted(List<Long> users, List<Long> refused, @Nullable ErrorCode refusal) {}

  Changes(SessionLogic session) {
    this.session = session;
    edge = session.edge();
    host = session.host();
  }

  // ---- groups ----------------------------------------------------------------------------------

  boolean onGroupCreate(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    GroupCreate request =
        session.requests().request(FrameType.GROUP_CREATE, GroupCreate.parser(), header, in, now);
    if (request == null) {
      return true;
    }
    int rid = header.rid();
    DeviceId who = session.who();
    Set<Long> members = new LinkedHashSet<>(request.getMembersList());
    members.remove(who.user().value());
    if (request.getOpId().size() != Limits.OP_ID_BYTES) {
      return argument(rid, "op_id");
    }
    if (!areValid(members)) {
      return argument(rid, "members");
    }
    if (!session.inbound().chargeEntry(rid, now)) {
      return true;
    }
    edge.counters().add(Count.GROUP_CREATES);
    byte[] opId = request.getOpId().toByteArray();
    ChatId group = groupId(who.user(), opId);
    if (members.isEmpty()) {
      submit(rid, new Command.GroupCreate(who, group, opId, birth(request, List.of())));
      return true;
    }
    ask(
        rid,
        shards -> admitToNew(shards, group, who.user(), members),
        admitted ->
            submit(rid, new Command.GroupCreate(who, group, opId, birth(request, admitted.users))));
    return true;
  }

  private static GroupBirth birth(GroupCreate request, List<Long> members) {
    return GroupBirth.newBuilder()
        .setTitle(request.getTitle())
        .setDescription(request.getDescription())
        .setPicture(request.getPicture())
        .addAllMembers(members)
        .build();
  }

  /// The id of the group that this operation of this user makes: the same again is the same group.
  static ChatId groupId(UserId creator, byte[] opId) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      sha.update(ByteBuffer.allocate(Long.BYTES).putLong(creator.value()).array());
      long id = ByteBuffer.wrap(sha.digest(opId)).getLong() >>> 16;
      return ChatId.group(id == 0 ? 1 : id);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  boolean onGroupEdit(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    GroupEdit request =
        session.requests().request(FrameType.GROUP_EDIT, GroupEdit.parser(), header, in, now);
    if (request == null) {
      return true;
    }
    int rid = header.rid();
    if (!UserId.isValid(header.chat())) {
      return argument(rid, "chat");
    }
    if (request.getOpId().size() != Limits.OP_ID_BYTES) {
      return argument(rid, "op_id");
    }
    GroupChange change = change(request);
    if (change == null) {
      return argument(rid, "change");
    }
    if (!session.inbound().chargeEntry(rid, now)) {
      return true;
    }
    edge.counters().add(Count.GROUP_EDITS);
    ChatId group = ChatId.group(header.chat());
    byte[] opId = request.getOpId().toByteArray();
    DeviceId who = session.who();
    if (change instanceof GroupChange.Add add) {
      Set<Long> users = new LinkedHashSet<>();
      add.users().forEach(user -> users.add(user.value()));
      ask(
          rid,
          shards -> admitTo(shards, group, who.user(), users),
          admitted ->
              submit(
                  rid,
                  new Command.GroupEdit(
                      who,
                      group,
                      opId,
                      new GroupChange.Add(admitted.users.stream().map(UserId::new).toList()))));
    } else {
      submit(rid, new Command.GroupEdit(who, group, opId, change));
    }
    return true;
  }

  /// What the request asks for; null when that cannot be.
  private @Nullable GroupChange change(GroupEdit request) {
    return switch (request.getChangeCase()) {
      case ADD -> {
        Set<Long> users = new LinkedHashSet<>(request.getAdd().getUsersList());
        yield users.isEmpty() || !areValid(users)
            ? null
            : new GroupChange.Add(users.stream().map(UserId::new).toList());
      }
      case REMOVE ->
          UserId.isValid(request.getRemove())
              ? new GroupChange.Remove(new UserId(request.getRemove()))
              : null;
      case LEAVE -> request.getLeave() ? new GroupChange.Leave() : null;
      case ROLE -> {
        Role role = request.getRole().getRole();
        long user = request.getRole().getUser();
        yield !UserId.isValid(user) || role == Role.ROLE_UNSPECIFIED || role == Role.UNRECOGNIZED
            ? null
            : new GroupChange.SetRole(new UserId(user), role);
      }
      case TITLE -> new GroupChange.Title(request.getTitle());
      case PICTURE -> new GroupChange.Picture(request.getPicture());
      case DESCRIPTION -> new GroupChange.Description(request.getDescription());
      case ADMIN_ONLY_SEND -> new GroupChange.AdminOnlySend(request.getAdminOnlySend());
      case ADMIN_ONLY_EDIT -> new GroupChange.AdminOnlyEdit(request.getAdminOnlyEdit());
      case INVITE -> new GroupChange.Invite(request.getInvite() ? inviteToken() : NO_TOKEN);
      case JOIN ->
          request.getJoin().isEmpty()
              ? null
              : new GroupChange.Join(request.getJoin().toByteArray());
      case CHANGE_NOT_SET -> null;
    };
  }

  private byte[] inviteToken() {
    var token = new byte[INVITE_BYTES];
    edge.secrets().nextBytes(token);
    return token;
  }

  /// On a reader. A group that is there has been made by this very operation: its repeat is
  /// answered whatever they who were added say by now.
  private static Admitted admitToNew(Shards shards, ChatId group, UserId by, Set<Long> users) {
    Reads.GroupInfo made = Reads.groupInfo(shards.of(Slots.of(group)), group);
    if (made == null) {
      return admit(shards, by, users, Set.of());
    }
    var refused = new LinkedHashSet<>(users);
    made.members().forEach(member -> refused.remove(member.user().value()));
    return new Admitted(List.copyOf(users), List.copyOf(refused), null);
  }

  /// On a reader. Whoever may not add anybody learns from the ring why, and nothing of other users.
  private static Admitted admitTo(Shards shards, ChatId group, UserId by, Set<Long> users) {
    Reads.GroupInfo info = Reads.groupInfo(shards.of(Slots.of(group)), group);
    Set<Long> present = new HashSet<>();
    boolean admin = false;
    if (info != null) {
      for (Reads.GroupMember member : info.members()) {
        present.add(member.user().value());
        admin |=
            member.user().equals(by)
                && (member.role() == Role.ROLE_ADMIN || member.role() == Role.ROLE_OWNER);
      }
    }
    return admin
        ? admit(shards, by, users, present)
        : new Admitted(List.copyOf(users), List.of(), null);
  }

  /// On a reader.
  ///
  /// @param present who needs not be asked
  private static Admitted admit(Shards shards, UserId by, Set<Long> users, Set<Long> present) {
    var admitted = new ArrayList<Long>(users.size());
    var refused = new ArrayList<Long>();
    for (long user : users) {
      boolean may = present.contains(user) || Visibility.mayAdd(shards, by, new UserId(user));
      (may ? admitted : refused).add(user);
    }
    return new Admitted(admitted, refused, admitted.isEmpty() ? ErrorCode.NOT_ALLOWED : null);
  }

  // ---- settings and devices --------------------------------------------------------------------

  /// SETTINGS with something to set, parsed and charged as a cheap frame.
  void onSet(int rid, Settings request, long now) {
    for (Setting setting : request.getSetList()) {
      if (!isSound(setting)) {
        argument(rid, "set");
        return;
      }
    }
    if (session.inbound().chargeEntry(rid, now)) {
      edge.counters().add(Count.SETTINGS_CHANGES);
      submit(rid, new Command.ChangeSettings(session.who(), request.getSetList()));
    }
  }

  private boolean isSound(Setting setting) {
    return switch (setting.getWhatCase()) {
      case CHAT ->
          UserId.isValid(setting.getChat().getChat()) && setting.getChat().getMuteUntilMs() >= 0;
      case STAR -> UserId.isValid(setting.getStar().getChat()) && setting.getStar().getSeq() > 0;
      case HIDE -> UserId.isValid(setting.getHide().getChat()) && setting.getHide().getSeq() > 0;
      case CONTACT -> UserId.isValid(setting.getContact().getUser());
      case PRIVACY -> isSound(setting.getPrivacy());
      case BLOCK -> {
        long user = setting.getBlock().getUser();
        yield UserId.isValid(user) && user != session.user().value();
      }
      case WHAT_NOT_SET -> false;
    };
  }

  private static boolean isSound(Privacy privacy) {
    return privacy.getLastSeen() != Audience.UNRECOGNIZED
        && privacy.getOnline() != Audience.UNRECOGNIZED
        && privacy.getPhoto() != Audience.UNRECOGNIZED
        && privacy.getGroups() != Audience.UNRECOGNIZED
        && privacy.getExceptList().stream().allMatch(UserId::isValid);
  }

  boolean onDeviceRemove(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    DeviceRemove request =
        session.requests().request(FrameType.DEVICE_REMOVE, DeviceRemove.parser(), header, in, now);
    if (request == null) {
      return true;
    }
    int index = request.getDevice();
    if (!DeviceId.isValid(index) || index == session.who().index()) {
      return argument(header.rid(), "device");
    }
    submit(header.rid(), new Command.RemoveDevice(session.who(), index));
    return true;
  }

  // ---- the way into the ring and back ----------------------------------------------------------

  /// Too many changes under way, or the socket takes no answer.
  boolean mustHold() {
    return underWay >= CHANGES_MAX || session.requests().mustHold();
  }

  private void ask(int rid, Function<Shards, Admitted> question, Consumer<Admitted> then) {
    boolean asked =
        session
            .requests()
            .ask(
                question,
                admitted -> {
                  underWay--;
                  if (admitted.refusal != null) {
                    edge.counters().add(Count.CHANGES_REFUSED);
                    session.refuse(rid, admitted.refusal, 0, "nobody may be added", "");
                    return;
                  }
                  if (!admitted.refused.isEmpty()) {
                    refusals.add(new Refusals(rid, admitted.refused));
                  }
                  then.accept(admitted);
                },
                () -> {
                  underWay--;
                  session.refuse(rid, ErrorCode.INTERNAL, 1000, "", "");
                });
    if (asked) {
      underWay++;
    } else {
      session.refuse(rid, ErrorCode.BUSY, 200, "readers busy", "");
    }
  }

  private void submit(int rid, Command command) {
    if (edge.commands().submit(command, session.origin(rid))) {
      underWay++;
    } else {
      edge.counters().add(Count.RINGS_FULL);
      takeRefusals(rid);
      session.refuse(rid, ErrorCode.BUSY, BUSY_MILLIS, "ring full", "");
    }
  }

  /// The outcome of a change of this session.
  void onAnswered(Command command, int rid, Outcome outcome) {
    underWay--;
    session.unhold();
    List<Long> refused = takeRefusals(rid);
    if (!session.isLive()) {
      return;
    }
    switch (outcome) {
      case Outcome.Sent sent -> onDone(command, rid, sent, refused);
      case Outcome.DeviceRemoved removed -> {
        edge.counters().add(Count.DEVICES_REMOVED);
        host.write(
            FrameType.DEVICE_REMOVED,
            FrameHeader.RID,
            rid,
            0,
            0,
            DeviceRemoved.getDefaultInstance().toByteArray());
      }
      case Outcome.Refused(ErrorCode code, long csn, String detail) -> {
        edge.counters().add(Count.CHANGES_REFUSED);
        session.refuse(rid, code, 0, detail, "");
      }
      case Outcome.Moved m -> throw new IllegalStateException(command + " answered " + m);
      case Outcome.Enrolled e -> throw new IllegalStateException(command + " answered " + e);
      case Outcome.Ticked t -> throw new IllegalStateException(command + " answered " + t);
      case Outcome.Recorded r -> throw new IllegalStateException(command + " answered " + r);
      case Outcome.UserErased u -> throw new IllegalStateException(command + " answered " + u);
      case Outcome.Announced a -> throw new IllegalStateException(command + " answered " + a);
      case Outcome.UserBanned u -> throw new IllegalStateException(command + " answered " + u);
      case Outcome.Done d -> throw new IllegalStateException(command + " answered " + d);
    }
  }

  private void onDone(Command command, int rid, Outcome.Sent sent, List<Long> refused) {
    long seq = sent.entry().seq();
    switch (command) {
      case Command.GroupCreate create ->
          host.write(
              FrameType.GROUP_CREATED,
              FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ | FrameHeader.GROUP,
              rid,
              create.group().high(),
              seq,
              GroupCreated.newBuilder()
                  .setMembersVersion(seq)
                  .addAllRefused(refused)
                  .build()
                  .toByteArray());
      case Command.GroupEdit edit ->
          host.write(
              FrameType.GROUP_EDITED,
              FrameHeader.RID | FrameHeader.SEQ,
              rid,
              0,
              seq,
              GroupEdited.newBuilder()
                  .setMembersVersion(seq)
                  .addAllRefused(refused)
                  .build()
                  .toByteArray());
      case Command.ChangeSettings settings -> {
        session.onOwnSettings(settings.set(), seq);
        var lapsed = edge.presence().settingsChanged(session.user(), settings.set());
        if (lapsed.isDone() && !lapsed.isCompletedExceptionally()) {
          writeSettingsSet(rid, seq);
        } else {
          // Watches are soft state: if the hub is away, none is left in it.
          var _ =
              lapsed.whenComplete((ok, failure) -> host.execute(() -> writeSettingsSet(rid, seq)));
        }
      }
      default -> throw new IllegalStateException(command + " answered " + sent);
    }
  }

  private void writeSettingsSet(int rid, long seq) {
    if (session.isLive()) {
      host.write(
          FrameType.SETTINGS_SET,
          FrameHeader.RID | FrameHeader.SEQ,
          rid,
          0,
          seq,
          SettingsSet.getDefaultInstance().toByteArray());
    }
  }

  private List<Long> takeRefusals(int rid) {
    for (int i = 0; i < refusals.size(); i++) {
      if (refusals.get(i).rid == rid) {
        return refusals.remove(i).users;
      }
    }
    return List.of();
  }

  private boolean argument(int rid, String field) {
    edge.counters().add(Count.CHANGES_REFUSED);
    session.refuse(rid, ErrorCode.ARGUMENT, 0, "", field);
    return true;
  }

  private static boolean areValid(Set<Long> users) {
    return users.stream().allMatch(UserId::isValid);
  }
}

package io.tern.store;

import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Kind;
import io.tern.store.ChatState.Member;
import io.tern.store.Outcome.Refused;
import java.util.List;
import java.util.function.BooleanSupplier;

/// Makes groups and changes them, each change once and with an entry that tells of it. Who may do
/// what, and what it does, is [GroupRules]'. Confined to its shard.
///
/// Bounds: [ShardConfig#groupMembersMax] members; the changes that are recognised when they are
/// repeated, see [GroupState].
final class Groups {

  private static final Refused WRONG_OP = new Refused(ErrorCode.ARGUMENT, "op_id");
  private static final Refused OTHER_GROUP = new Refused(ErrorCode.CONFLICT, "another group's id");

  private final Round round;
  private final HotChats chats;
  private final Appender appender;
  private final GroupMarks marks;
  private final int membersMax;
  private final BooleanSupplier hasRoom;

  Groups(
      Round round,
      HotChats chats,
      Appender appender,
      GroupMarks marks,
      int membersMax,
      BooleanSupplier hasRoom) {
    this.round = round;
    this.chats = chats;
    this.appender = appender;
    this.marks = marks;
    this.membersMax = membersMax;
    this.hasRoom = hasRoom;
  }

  Outcome create(Command.GroupCreate command, long nowMillis) {
    if (!command.group().isGroup()) {
      return Refusals.WRONG_CHAT;
    }
    if (command.opId().length != Limits.OP_ID_BYTES) {
      return WRONG_OP;
    }
    UserId creator = command.from().user();
    ChatState found = chats.of(command.group());
    if (found != null) {
      // The id is made from the creator and the op id: the same creator means the same op.
      return found.group != null && found.group.creator.equals(creator)
          ? appender.repeated(found, 1)
          : OTHER_GROUP;
    }
    Outcome refusal = GroupRules.refusal(creator, command.birth(), membersMax);
    if (refusal != null) {
      return refusal;
    }
    if (!hasRoom.getAsBoolean()) {
      return Refusals.DISK_FULL;
    }
    var group = new GroupState(creator);
    ChatState chat = ChatState.newGroup(command.group(), group);
    GroupEvent event = GroupRules.create(chat, group, command.birth());
    chats.add(chat);
    Entry entry =
        appender.event(chat, command.from(), Kind.KIND_GROUP, event.toByteString(), nowMillis);
    group.changed(creator, command.opId(), entry.seq());
    round.snapshot(chat);
    marks.note(chat);
    return appender.appended(chat, entry, chat.everyone());
  }

  Outcome edit(Command.GroupEdit command, long nowMillis) {
    if (!command.group().isGroup()) {
      return Refusals.WRONG_CHAT;
    }
    if (command.opId().length != Limits.OP_ID_BYTES) {
      return WRONG_OP;
    }
    UserId user = command.from().user();
    ChatState chat = chats.of(command.group());
    GroupState group = chat == null ? null : chat.group;
    if (chat == null || group == null) {
      // As in a group that there is.
      return command.change() instanceof GroupChange.Join
          ? Refusals.NOT_ALLOWED
          : Refusals.NOT_MEMBER;
    }
    long done = group.seqOf(user, command.opId());
    if (done != 0) {
      return appender.repeated(chat, done);
    }
    Member member = chat.member(user);
    Outcome refusal =
        GroupRules.refusal(
            chat,
            group,
            member != null && member.isIn() ? member : null,
            command.change(),
            membersMax);
    if (refusal != null) {
      return refusal;
    }
    if (!hasRoom.getAsBoolean()) {
      return Refusals.DISK_FULL;
    }
    List<UserId> newcomers = newcomers(chat, user, command.change());
    Entry entry = change(chat, group, command.from(), command.change(), nowMillis);
    group.changed(user, command.opId(), entry.seq());
    Outcome.Sent sent = appender.appended(chat, entry, chat.seers(entry.seq()));
    return newcomers.isEmpty()
        ? sent
        : new Outcome.Sent(
            entry, false, sent.members(), round.owe(Appender.lists(chat.id, newcomers)));
  }

  private static List<UserId> newcomers(ChatState chat, UserId by, GroupChange change) {
    return switch (change) {
      case GroupChange.Add(List<UserId> users) -> GroupRules.newcomers(chat, users);
      case GroupChange.Join j -> List.of(by);
      default -> List.of();
    };
  }

  /// The group loses a user who was erased; nobody refuses that.
  Outcome leave(Command.Leave command, long nowMillis) {
    ChatState chat = chats.of(command.chat());
    // Even when nothing is left to do: perhaps by this very batch.
    round.sync = true;
    GroupState group = chat == null ? null : chat.group;
    Member member = chat == null ? null : chat.member(command.user());
    if (chat == null || group == null || member == null || !member.isIn()) {
      return Outcome.Done.DONE;
    }
    var by = new DeviceId(command.user(), 1);
    Entry entry = change(chat, group, by, new GroupChange.Leave(), nowMillis);
    group.version = entry.seq();
    return appender.appended(chat, entry, chat.everyone());
  }

  /// Does the change and writes the entry that tells of it; to be appended.
  private Entry change(
      ChatState chat, GroupState group, DeviceId by, GroupChange change, long nowMillis) {
    int weight = chat.weight();
    GroupEvent event = GroupRules.apply(chat, group, by.user(), change, chat.head + 1);
    chats.weigh(chat.weight() - weight);
    Entry entry = appender.event(chat, by, Kind.KIND_GROUP, event.toByteString(), nowMillis);
    round.snapshot(chat);
    marks.note(chat);
    return entry;
  }
}

package io.tern.store;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Kind;
import io.tern.store.Outcome.Refused;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;

/// Changes of users' settings: each is an entry in the user's self chat, so that all devices get
/// it. Blocks are settings too, and the direct chats that they are about are to know of them: that
/// is the other half, perhaps in another shard. Confined to its shard.
final class SettingChanges {

  private static final Refused WRONG_SETTING = new Refused(ErrorCode.ARGUMENT, "set");

  private final Round round;
  private final HotChats chats;
  private final Appender appender;
  private final BooleanSupplier hasRoom;

  SettingChanges(Round round, HotChats chats, Appender appender, BooleanSupplier hasRoom) {
    this.round = round;
    this.chats = chats;
    this.appender = appender;
    this.hasRoom = hasRoom;
  }

  Outcome change(Command.ChangeSettings command, long nowMillis) {
    UserId user = command.from().user();
    UserSettings settings = UserSettings.of(user, command.set());
    if (settings == null) {
      return WRONG_SETTING;
    }
    Outcome refusal = settings.refusal(round);
    if (refusal != null) {
      return refusal;
    }
    ByteString body = settings.body();
    if (body.size() > Limits.BODY_BYTES_MAX) {
      return Refusals.TOO_LARGE;
    }
    if (!hasRoom.getAsBoolean()) {
      return Refusals.DISK_FULL;
    }
    ChatState chat = Objects.requireNonNull(chats.of(ChatId.direct(user, user)));
    settings.apply(round, nowMillis);
    Entry entry = appender.event(chat, command.from(), Kind.KIND_SETTING, body, nowMillis);
    Outcome.Sent sent = appender.appended(chat, entry, chat.everyone());
    List<Command> blocks = settings.duties(entry.seq());
    if (blocks.isEmpty()) {
      return sent;
    }
    var duties = new ArrayList<>(sent.duties());
    duties.addAll(round.owe(blocks));
    return new Outcome.Sent(entry, false, sent.members(), List.copyOf(duties));
  }

  /// The direct chat's half of a block.
  Outcome block(Command.SetBlock command) {
    ChatState chat = chats.of(command.chat(), command.by());
    if (chat == null || chat.group != null || chat.id.isSelf()) {
      return Refusals.WRONG_CHAT;
    }
    block(chat, command.by(), command.on(), command.version());
    return Outcome.Done.DONE;
  }

  /// Shuts the direct chat of a user who was erased, for good: no setting has a later version.
  Outcome shut(Command.Leave command) {
    ChatState chat = chats.of(command.chat(), command.user());
    round.sync = true;
    if (chat != null && !chat.id.isSelf()) {
      block(chat, command.user(), true, Long.MAX_VALUE);
    }
    return Outcome.Done.DONE;
  }

  private void block(ChatState chat, UserId by, boolean on, long version) {
    // Even when it was there: perhaps by this very batch.
    round.sync = true;
    if (chat.setBlock(by, on, version)) {
      round.snapshot(chat);
      chats.touch(chat);
    }
  }
}

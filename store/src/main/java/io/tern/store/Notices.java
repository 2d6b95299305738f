package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.store.ChatState.Member;
import java.util.ArrayList;
import java.util.List;

/// Tells those with whom a user talks that the user has registered anew: one entry in each direct
/// chat to which both have written and which neither has shut. Each is asked by the user's shard,
/// as often as it takes; the chat's snapshot says up to which registration it has told.
///
/// Confined to its shard. Bounds: [#CHATS_MAX] chats of the list in one command.
final class Notices {

  /// Chats that one [Command.Announce] takes from the list.
  static final int CHATS_MAX = 256;

  private final Round round;
  private final HotChats chats;
  private final Appender appender;

  Notices(Round round, HotChats chats, Appender appender) {
    this.round = round;
    this.chats = chats;
    this.appender = appender;
  }

  /// The user's half: who is to be asked.
  Outcome announce(Command.Announce command) {
    UserId user = command.device().user();
    List<ChatId> all = Reads.chatsOf(round, user, command.after(), CHATS_MAX + 1);
    List<ChatId> some = all.subList(0, Math.min(all.size(), CHATS_MAX));
    var duties = new ArrayList<Command>(some.size());
    for (ChatId chat : some) {
      if (!chat.isGroup() && !chat.isSelf()) {
        duties.add(new Command.TellRegistered(chat, command.device(), command.atMillis()));
      }
    }
    round.sync = true;
    return new Outcome.Announced(
        round.owe(List.copyOf(duties)), all.size() > CHATS_MAX ? some.getLast() : null);
  }

  /// The chat's half.
  Outcome tell(Command.TellRegistered command, long nowMillis) {
    // Even when nothing is left to do: perhaps by this very batch.
    round.sync = true;
    DeviceId device = command.device();
    ChatState chat = chats.of(command.chat(), device.user());
    if (chat == null || chat.group != null || chat.id.isSelf()) {
      return Refusals.WRONG_CHAT;
    }
    Member member = chat.member(device.user());
    if (member == null
        || member.registeredMillis >= command.atMillis()
        || chat.blocked
        || !chat.bothHaveWritten()) {
      return Outcome.Done.DONE;
    }
    member.registeredMillis = command.atMillis();
    Entry entry =
        appender.event(
            chat,
            device,
            Kind.KIND_REGISTERED,
            RegisteredEvent.newBuilder().setAtMs(command.atMillis()).build().toByteString(),
            nowMillis);
    round.snapshot(chat);
    return appender.appended(chat, entry, chat.everyone());
  }
}

package io.tern.store;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import java.util.ArrayList;
import java.util.List;

/// Gives entries their place at the head of a chat: what [Sends] has written, and what the server
/// makes of other commands. Confined to its shard.
final class Appender {

  private final Round round;
  private final HotChats chats;

  // To be filled in again and again.
  private final byte[] header = new byte[EntryCodec.HEADER_BYTES_MAX];

  Appender(Round round, HotChats chats) {
    this.round = round;
    this.chats = chats;
  }

  /// Writes what the server makes of a command other than SEND; to be [#appended]. It takes no csn
  /// and does not count as unread.
  Entry event(ChatState chat, DeviceId by, Kind kind, ByteString body, long nowMillis) {
    chat.uncounted++;
    long seq = chat.head + 1;
    chat.tsMillis = Math.max(chat.tsMillis, nowMillis);
    ChatState.Member author = chat.member(by.user());
    if (author != null) {
      chat.wrote(author, seq);
    }
    byte[] content = Content.newBuilder().setKind(kind).setBody(body).build().toByteArray();
    int headerBytes =
        EntryCodec.writeHeader(
            header, 0, by.user().value(), by.index(), 0, 0, chat.tsMillis, chat.uncounted);
    round.batch.put(
        Keys.entry(chat.id, chat.slot, seq), header, headerBytes, content, 0, content.length);
    return new Entry(chat.id, seq, by, 0, chat.tsMillis, seq - chat.uncounted, content);
  }

  /// The entry, which has been written, is the chat's newest from here on. The first one brings the
  /// chat into the lists of its members.
  ///
  /// @param members who sees it
  Outcome.Sent appended(ChatState chat, Entry entry, List<UserId> members) {
    chat.head = entry.seq();
    if (chat.openFromSeq == 0) {
      chat.openFromSeq = entry.seq();
    }
    chats.touch(chat);
    round.sync = true;
    return new Outcome.Sent(
        entry, false, members, entry.seq() == 1 ? round.owe(lists(chat.id, members)) : List.of());
  }

  /// What brings a chat into these users' lists.
  static List<Command> lists(ChatId chat, List<UserId> users) {
    var lists = new ArrayList<Command>(users.size());
    for (UserId user : users) {
      lists.add(new Command.ListChat(user, chat));
    }
    return List.copyOf(lists);
  }

  /// The answer to a command that was done before, by entry `seq`.
  Outcome.Sent repeated(ChatState chat, long seq) {
    return repeated(chat, seq, round.entry(chat, seq));
  }

  /// @param value of the entry
  static Outcome.Sent repeated(ChatState chat, long seq, byte[] value) {
    return new Outcome.Sent(
        EntryCodec.decode(chat.id, seq, value), true, chat.everyone(), List.of());
  }
}

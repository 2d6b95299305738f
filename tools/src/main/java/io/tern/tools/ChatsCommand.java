package io.tern.tools;

import io.tern.protocol.ChatId;
import io.tern.protocol.v1.ChatItem;
import picocli.CommandLine.Command;

/// `tern chats`: the chat list, the chat with the newest message first.
@Command(name = "chats", description = "List your chats, the newest first.")
final class ChatsCommand extends ClientCommand {

  @Override
  void run(Session session) {
    for (var chat : ChatLists.all(session.client(), connect.patience())) {
      var id = ChatId.fromWire(user.id(), chat.getChat(), chat.getGroup());
      var last = EntryView.of(chat.getLast(), id, user.id(), session.names());
      session.print(json(chat, last), line(chat, last));
    }
  }

  private static Json json(ChatItem chat, EntryView last) {
    var json =
        Json.object()
            .put("chat", last.chat())
            .put("head", chat.getHead())
            .put("unread", chat.getUnread())
            .put("unread_mentions", chat.getUnreadMentions())
            .put("delivered", chat.getDelivered())
            .put("read", chat.getRead());
    if (chat.getGroup()) {
      json.put("title", chat.getTitle())
          .put("role", EntryView.role(chat.getRole()))
          .put("members", Integer.toUnsignedLong(chat.getMembers()))
          .put("all_delivered", chat.getAllDelivered())
          .put("all_read", chat.getAllRead());
    } else {
      json.put("peer_delivered", chat.getPeerDelivered()).put("peer_read", chat.getPeerRead());
    }
    return json.put("mute_until_ms", chat.getSettings().getMuteUntilMs())
        .put("pin", chat.getSettings().getPin())
        .put("archive", chat.getSettings().getArchive())
        .put("ttl_s", Integer.toUnsignedLong(chat.getTtlS()))
        .put("last", last.json());
  }

  private static String line(ChatItem chat, EntryView last) {
    return ChatLists.name(chat, last.chat())
        + "\t"
        + ChatLists.marks(chat)
        + "\t"
        + chat.getHead()
        + " in all\t"
        + last.line();
  }
}

package io.tern.tools;

import io.tern.client.ClientListener;
import io.tern.protocol.ChatId;
import io.tern.protocol.v1.ChatItem;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `tern chats`: the chat list, the chat with the newest message first.
@Command(name = "chats", description = "List your chats, the newest first.")
final class ChatsCommand implements Callable<Integer> {

  @Spec private CommandSpec spec;
  @Mixin private ConnectOptions connect;
  @Mixin private UserOptions user;
  @Mixin private OutputOptions output;

  @Override
  public Integer call() {
    var names = user.names();
    var out = spec.commandLine().getOut();
    try (var client =
        CommandClient.connect(user, HistoryCommand.DEVICE, connect, new ClientListener() {})) {
      for (var chat : ChatLists.all(client, connect.patience())) {
        print(chat, names, out);
      }
    }
    out.flush();
    return ExitCode.OK;
  }

  private void print(ChatItem chat, Names names, PrintWriter out) {
    var id = ChatId.fromWire(user.id(), chat.getChat(), chat.getGroup());
    var last = EntryView.of(chat.getLast(), id, user.id(), names);
    if (output.json) {
      out.println(
          Json.object()
              .put("chat", last.chat())
              .put("head", chat.getHead())
              .put("unread", chat.getUnread())
              .put("delivered", chat.getDelivered())
              .put("read", chat.getRead())
              .put("peer_delivered", chat.getPeerDelivered())
              .put("peer_read", chat.getPeerRead())
              .put("last", last.json()));
    } else {
      out.println(
          last.chat()
              + "\t"
              + chat.getUnread()
              + " unread\t"
              + chat.getHead()
              + " in all\t"
              + last.line());
    }
  }
}

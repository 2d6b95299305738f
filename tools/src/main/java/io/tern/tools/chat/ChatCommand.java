package io.tern.tools.chat;

import com.google.protobuf.ByteString;
import io.tern.client.ClientListener.Typing;
import io.tern.client.SendCallback;
import io.tern.client.TernClient.Receipted;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.tools.ChatLists;
import io.tern.tools.CommandClient;
import io.tern.tools.ConnectOptions;
import io.tern.tools.EntryView;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.Names;
import io.tern.tools.UserOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `tern chat`: type to send; `/help` lists the rest.
///
/// The calling thread reads the keyboard and waits for the server; the client's event loop prints
/// what arrives.
@Command(
    name = "chat",
    description = {
      "Chat on this terminal. Without --with, choose from the list of chats.",
      "✓ the server has it on disk, ✓✓ the other's device has it, read: they have seen it."
    })
public final class ChatCommand implements Callable<Integer> {

  private static final int DEVICE = 1;
  private static final int PAGE = 20;

  /// While somebody types they say so this often, and it is shown this long.
  private static final long TYPING_MILLIS = 3_000;

  private static final long TYPING_SHOWN_MILLIS = 2 * TYPING_MILLIS;

  private static final List<String> HELP =
      List.of(
          "/with NAME   open the chat with somebody",
          "/chats       list your chats",
          "/more        older messages",
          "/quit        leave (also Ctrl-D)",
          "//text       send a text that starts with /");

  @Mixin private ConnectOptions connect;
  @Mixin private UserOptions user;

  @Option(
      names = {"-w", "--with"},
      paramLabel = "NAME",
      description = "Whom to chat with.")
  private @Nullable String with;

  @Override
  public Integer call() {
    try (var terminal = TerminalBuilder.builder().system(true).dumb(true).build()) {
      return run(terminal);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The whole command on a given terminal.
  int run(Terminal terminal) {
    var reader =
        LineReaderBuilder.builder()
            .terminal(terminal)
            .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
            .option(LineReader.Option.ERASE_LINE_ON_FINISH, true)
            .build();
    var names = user.names();
    var ready = new CompletableFuture<CommandClient>();
    var view =
        new ChatView(
            user.id(),
            names,
            new TerminalScreen(terminal, reader),
            // Before the client is here nothing is open, so nothing has been shown.
            (chat, seq) -> ready.thenAccept(client -> client.client().read(chat, seq)),
            CompletableFuture.delayedExecutor(TYPING_SHOWN_MILLIS, TimeUnit.MILLISECONDS));
    try (var client = CommandClient.connect(user, DEVICE, connect, view)) {
      ready.complete(client);
      var chat = with == null ? choose(client, view, names) : open(client, view, names, with);
      return talk(reader, client, view, names, chat);
    }
  }

  private int talk(
      LineReader reader, CommandClient client, ChatView view, Names names, @Nullable ChatId first) {
    var typing = new TypingNotice(client);
    var chat = first;
    typing.watch(reader);
    while (true) {
      typing.in(chat);
      String line;
      try {
        line = reader.readLine(user.name + "> ");
      } catch (EndOfFileException | UserInterruptException e) {
        // Ctrl-D and Ctrl-C are how one leaves.
        return ExitCode.OK;
      }
      try {
        if (line.equals("/quit")) {
          return ExitCode.OK;
        } else if (line.equals("/chats")) {
          choose(client, view, names);
        } else if (line.startsWith("/with ")) {
          chat = open(client, view, names, line.substring("/with ".length()).strip());
        } else if (line.startsWith("/") && !line.startsWith("//")) {
          more(line, client, view, chat);
        } else if (!line.isEmpty()) {
          typing.sent();
          send(client, view, chat, line.startsWith("//") ? line.substring(1) : line);
        }
      } catch (Failure e) {
        view.say("(" + e.getMessage() + ")");
      }
    }
  }

  private void more(String line, CommandClient client, ChatView view, @Nullable ChatId chat) {
    if (line.equals("/more") && chat != null) {
      if (view.oldest() > 1) {
        var page = client.client().historyBefore(chat, view.oldest(), PAGE);
        view.older(chat, client.await(page, connect.patience()));
      } else {
        view.say("(nothing older)");
      }
    } else {
      HELP.forEach(view::say);
    }
  }

  private void send(CommandClient client, ChatView view, @Nullable ChatId chat, String text) {
    if (chat == null) {
      view.say("(to whom? /with NAME)");
      return;
    }
    var content =
        Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFromUtf8(text)).build();
    client
        .client()
        .send(
            chat,
            content,
            new SendCallback() {
              @Override
              public void onSent(ChatId in, long seq, long csn, long tsMillis, boolean repeat) {
                view.sent(new Receipted(in, seq, csn, tsMillis, repeat), content);
              }

              @Override
              public void onRefused(ChatId in, TernException refusal) {
                view.refused(String.valueOf(CommandClient.failure(refusal).getMessage()));
              }
            });
  }

  private ChatId open(CommandClient client, ChatView view, Names names, String name) {
    names.learn(name);
    var chat = client.chatWith(name);
    view.opening(chat);
    var history = client.await(client.client().historyBefore(chat, 0, PAGE), connect.patience());
    var item =
        chats(client).stream()
            .filter(c -> ChatId.fromWire(user.id(), c.getChat(), c.getGroup()).equals(chat))
            .findAny()
            .orElse(null);
    view.opened(chat, history, item);
    return chat;
  }

  /// Lists the chats; nothing is open after it.
  private @Nullable ChatId choose(CommandClient client, ChatView view, Names names) {
    var chats = chats(client);
    view.say(chats.isEmpty() ? "You have no chats yet. /with NAME opens one." : "Your chats:");
    for (var chat : chats) {
      var id = ChatId.fromWire(user.id(), chat.getChat(), chat.getGroup());
      var last = EntryView.of(chat.getLast(), id, user.id(), names);
      var unread = chat.getUnread() == 0 ? "" : " (" + chat.getUnread() + " unread)";
      view.say("  " + last.chat() + unread + "  " + last.clock() + "  " + last.text());
    }
    return null;
  }

  private List<ChatItem> chats(CommandClient client) {
    return ChatLists.all(client, connect.patience());
  }

  /// Tells the other one that the person is typing, at most every 3 s. Used by the keyboard's
  /// thread only.
  private static final class TypingNotice {
    private final CommandClient client;
    private @Nullable ChatId chat;
    private long lastMillis;

    TypingNotice(CommandClient client) {
      this.client = client;
    }

    void watch(LineReader reader) {
      var insert = reader.getBuiltinWidgets().get(LineReader.SELF_INSERT);
      if (insert != null) {
        reader
            .getWidgets()
            .put(
                LineReader.SELF_INSERT,
                () -> {
                  boolean isInserted = insert.apply();
                  // A command is nothing that the other one waits for.
                  if (reader.getBuffer().atChar(0) != '/') {
                    typed();
                  }
                  return isInserted;
                });
      }
    }

    void in(@Nullable ChatId now) {
      chat = now;
    }

    private void typed() {
      long now = System.nanoTime() / 1_000_000;
      if (chat != null && (lastMillis == 0 || now - lastMillis > TYPING_MILLIS)) {
        lastMillis = now;
        client.client().typing(chat, Typing.TEXT);
      }
    }

    void sent() {
      lastMillis = 0;
    }
  }
}

package io.tern.tools.chat;

import io.tern.client.ClientListener.Typing;
import io.tern.protocol.ChatId;
import io.tern.tools.CommandClient;
import io.tern.tools.ConnectOptions;
import io.tern.tools.ExitCode;
import io.tern.tools.UserOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
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
      "Chat on this terminal, with people and in groups. Without --with, choose from the list of"
          + " chats; /help lists what can be typed besides texts.",
      "✓ the server has it on disk, ✓✓ the other's device (in a group: everyone's) has it, read:"
          + " they have seen it."
    })
public final class ChatCommand implements Callable<Integer> {

  private static final int DEVICE = 1;

  /// While somebody types they say so this often, and it is shown this long.
  private static final long TYPING_MILLIS = 3_000;

  private static final long TYPING_SHOWN_MILLIS = 2 * TYPING_MILLIS;

  @Mixin private ConnectOptions connect;
  @Mixin private UserOptions user;

  @Option(
      names = {"-w", "--with"},
      paramLabel = "NAME",
      description = "Whom to chat with, or +GROUP: the title or id of one of yours.")
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
      var talk = new Talk(client, view, names, user.id(), connect.patience());
      if (with == null) {
        talk.choose();
      } else {
        talk.open(with);
      }
      return talk(reader, client, talk);
    }
  }

  private int talk(LineReader reader, CommandClient client, Talk talk) {
    var typing = new TypingNotice(client);
    typing.watch(reader);
    while (true) {
      typing.in(talk.chat());
      String line;
      try {
        line = reader.readLine(user.name() + "> ");
      } catch (EndOfFileException | UserInterruptException e) {
        // Ctrl-D and Ctrl-C are how one leaves.
        return ExitCode.OK;
      }
      typing.sent();
      if (!talk.line(line)) {
        return ExitCode.OK;
      }
    }
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

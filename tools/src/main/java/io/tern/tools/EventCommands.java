package io.tern.tools;

import io.tern.client.Draft;
import io.tern.client.TernClient.Receipted;
import io.tern.protocol.ChatId;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `tern react`, `edit` and `revoke`: events about a message.
final class EventCommands {

  private EventCommands() {}

  /// What is sent about the message at a seq of a chat.
  abstract static class About extends ClientCommand {

    @Option(
        names = {"-w", "--with"},
        paramLabel = "NAME",
        required = true,
        description = "Whose chat with you, or +GROUP.")
    String with;

    @Parameters(index = "0", paramLabel = "SEQ", description = "Which message.")
    long seq;

    @Override
    final int device() {
      return SendCommand.DEVICE;
    }

    @Override
    final void run(Session session) {
      var chat = session.chat(with);
      Receipted sent = session.await(send(session, chat));
      session.print(
          Json.object()
              .put("chat", session.names().of(chat, user.id()))
              .put("target", seq)
              .put("seq", sent.seq())
              .put("time", EntryView.time(sent.tsMillis())),
          String.valueOf(sent.seq()));
    }

    abstract CompletableFuture<Receipted> send(Session session, ChatId chat);
  }

  @Command(
      name = "react",
      description =
          "React to a message, in place of your reaction before; without TEXT take it back.")
  static final class React extends About {

    @Parameters(
        index = "1",
        arity = "0..1",
        paramLabel = "TEXT",
        description = "Your reaction: an emoji, or a word of at most 64 bytes.")
    private @Nullable String text;

    @Override
    CompletableFuture<Receipted> send(Session session, ChatId chat) {
      return session.tern().react(chat, seq, text == null ? "" : text);
    }
  }

  @Command(name = "edit", description = "Change what a message of yours says, within 15 minutes.")
  static final class Edit extends About {

    @Parameters(index = "1..*", arity = "1..*", paramLabel = "TEXT", description = "The new text.")
    private List<String> text;

    @Override
    CompletableFuture<Receipted> send(Session session, ChatId chat) {
      return session.tern().edit(chat, seq, Draft.text(String.join(" ", text)));
    }
  }

  @Command(
      name = "revoke",
      description =
          "Take a message of yours back, for everyone, within 48 hours; admins, others' too.")
  static final class Revoke extends About {

    @Override
    CompletableFuture<Receipted> send(Session session, ChatId chat) {
      return session.tern().revoke(chat, seq);
    }
  }
}

package io.tern.tools;

import io.tern.client.Body;
import io.tern.client.Draft;
import io.tern.client.TernClient.Receipted;
import io.tern.protocol.ChatId;
import io.tern.protocol.v1.Content;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/// `tern react`, `edit`, `revoke` and `forward`: what is done with a message.
public final class EventCommands {

  private EventCommands() {}

  /// What is sent about the message at a seq of a chat.
  abstract static class About extends ClientCommand {

    @Mixin ChatOption with;

    @Parameters(index = "0", paramLabel = "SEQ", description = "Which message.")
    long seq;

    @Override
    final int device() {
      return SendCommand.DEVICE;
    }

    @Override
    void run(Session session) {
      var chat = with.chat(session);
      Receipted sent = session.await(send(session, chat), notAllowed());
      session.print(
          Json.object()
              .put("chat", session.names().of(chat, user.id()))
              .put("target", seq)
              .put("seq", sent.seq())
              .put("time", EntryView.time(sent.tsMillis())),
          String.valueOf(sent.seq()));
    }

    abstract CompletableFuture<Receipted> send(Session session, ChatId chat);

    /// Why the server may not allow it.
    String notAllowed() {
      return "only admins may send in this group, or it is not for that message";
    }
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

    @Override
    String notAllowed() {
      return "you may edit messages of your own, within 15 minutes";
    }
  }

  @Command(
      name = "forward",
      description = "Send a message on; it counts how often it was. Not what may be seen once.")
  static final class Forward extends About {

    @Mixin private RecipientOption to;

    @Override
    CompletableFuture<Receipted> send(Session session, ChatId chat) {
      var target = session.chat(to.name());
      return session.tern().send(target, forward(session.client(), chat, seq, connect.patience()));
    }
  }

  /// What is sent when the message at `seq` is sent on.
  public static Draft forward(CommandClient client, ChatId chat, long seq, Duration patience) {
    try {
      return Draft.forward(contentAt(client, chat, seq, patience));
    } catch (IllegalArgumentException e) {
      throw new Failure(ExitCode.FAILED, "#" + seq + " cannot be sent on", e);
    }
  }

  /// What the entry at `seq` says.
  public static Content contentAt(CommandClient client, ChatId chat, long seq, Duration patience) {
    var page = client.await(client.client().historyAfter(chat, seq - 1, 1), patience);
    if (page.getEntriesCount() == 0 || page.getEntries(0).getSeq() != seq) {
      throw new Failure(ExitCode.FAILED, "there is no #" + seq);
    }
    return page.getEntries(0).getEntry().getContent();
  }

  @Command(
      name = "open",
      description =
          "Print a message that may be seen once, and say that you have seen it: then it is gone.")
  static final class Open extends About {

    @Override
    void run(Session session) {
      var chat = with.chat(session);
      var text = onceAt(session.client(), chat, seq, connect.patience());
      session.await(session.tern().opened(chat, seq));
      session.print(
          Json.object()
              .put("chat", session.names().of(chat, user.id()))
              .put("target", seq)
              .put("text", text),
          TerminalText.line(text));
    }

    @Override
    CompletableFuture<Receipted> send(Session session, ChatId chat) {
      return session.tern().opened(chat, seq);
    }
  }

  /// What the message at `seq`, which may be seen once, says.
  public static String onceAt(CommandClient client, ChatId chat, long seq, Duration patience) {
    var content = contentAt(client, chat, seq, patience);
    if (!content.getViewOnce() || !(Body.of(content) instanceof Body.Text text)) {
      throw new Failure(ExitCode.FAILED, "#" + seq + " is not to be opened");
    }
    return text.text();
  }

  @Command(
      name = "timer",
      description = "Let the messages of a chat disappear some time after they were sent.")
  static final class Timer extends ClientCommand {

    @Mixin private ChatOption with;

    @Parameters(
        index = "0",
        paramLabel = "SECONDS",
        description = "After how long, from now on; 0: they stay.")
    private long seconds;

    @Override
    int device() {
      return SendCommand.DEVICE;
    }

    @Override
    void check() {
      seconds(seconds);
    }

    @Override
    void run(Session session) {
      var chat = with.chat(session);
      Receipted sent = session.await(session.tern().setTimer(chat, seconds(seconds)));
      session.print(
          Json.object()
              .put("chat", session.names().of(chat, user.id()))
              .put("ttl_s", seconds)
              .put("seq", sent.seq())
              .put("time", EntryView.time(sent.tsMillis())),
          String.valueOf(sent.seq()));
    }
  }

  /// A time after which messages disappear.
  static Duration seconds(long seconds) {
    if (seconds < 0 || seconds > 0xFFFF_FFFFL) {
      throw new Failure(ExitCode.USAGE, "0 to " + 0xFFFF_FFFFL + " seconds, not " + seconds);
    }
    return Duration.ofSeconds(seconds);
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

    @Override
    String notAllowed() {
      return "you may take back messages of your own, within 48 hours, and as an admin those of"
          + " others";
    }
  }
}

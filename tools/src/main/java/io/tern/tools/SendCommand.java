package io.tern.tools;

import io.tern.client.ClientListener;
import io.tern.client.Draft;
import io.tern.client.TernClient.Receipted;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `tern send`: one message from the command line, or one for each line of standard input.
@Command(
    name = "send",
    description = {
      "Send a message, wait until it is durable, and print its seq.",
      "What has no answer when the command ends is kept (--state) and goes out, once, with the next"
          + " send of this user."
    })
final class SendCommand implements Callable<Integer> {

  static final int DEVICE = 2;

  /// Lines read ahead of their answers.
  private static final int AHEAD_MAX = 256;

  @Spec private CommandSpec spec;
  @Mixin private ConnectOptions connect;
  @Mixin private UserOptions user;
  @Mixin private OutputOptions output;

  @Mixin private RecipientOption to;

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      defaultValue = "30",
      description = "How long to wait for an answer (default: ${DEFAULT-VALUE}).")
  private int timeoutSeconds;

  @Option(
      names = "--reply-to",
      paramLabel = "SEQ",
      description = "As an answer to this message of the chat.")
  private @Nullable Long replyTo;

  @Option(
      names = "--mention",
      paramLabel = "NAME",
      split = ",",
      description = "Mention these members.")
  private @Nullable List<String> mentions;

  @Option(names = "--view-once", description = "It goes when it has been opened.")
  private boolean viewOnce;

  @Option(names = "--ttl", paramLabel = "SECONDS", description = "It disappears after this time.")
  private @Nullable Long ttlSeconds;

  @Parameters(
      paramLabel = "TEXT",
      arity = "1..*",
      description = "The message; - sends every line of standard input as one.")
  private List<String> text;

  private final ArrayDeque<CompletableFuture<Receipted>> waiting = new ArrayDeque<>();

  @Override
  public Integer call() {
    // Refuses what no draft can be, before anything is asked.
    draft("");
    if (timeoutSeconds < 0) {
      throw new ParameterException(
          spec.commandLine(), "--timeout: 0 s or more, not " + timeoutSeconds);
    }
    user.names().learn(to.name());
    var out = spec.commandLine().getOut();
    try (var client = CommandClient.connect(user, DEVICE, connect, new ClientListener() {})) {
      var chat = client.chat(to.name(), connect.patience());
      if (text.equals(List.of("-"))) {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
          waiting.add(client.client().send(chat, draft(line)));
          printUntil(AHEAD_MAX, client, out);
        }
      } else {
        waiting.add(client.client().send(chat, draft(String.join(" ", text))));
      }
      printUntil(0, client, out);
      return ExitCode.OK;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      out.flush();
    }
  }

  private Draft draft(String said) {
    var draft = Draft.text(said);
    if (replyTo != null) {
      draft = draft.replyTo(replyTo);
    }
    if (mentions != null) {
      for (var name : mentions) {
        draft = draft.mention(Names.id(name));
      }
    }
    if (viewOnce) {
      draft = draft.viewOnce();
    }
    return ttlSeconds == null ? draft : draft.disappearAfter(EventCommands.seconds(ttlSeconds));
  }

  /// Prints answers in the order of the sends until at most `leftMax` are missing.
  private void printUntil(int leftMax, CommandClient client, PrintWriter out) {
    while (!waiting.isEmpty() && (waiting.size() > leftMax || waiting.getFirst().isDone())) {
      print(client.await(waiting.removeFirst(), Duration.ofSeconds(timeoutSeconds)), out);
    }
  }

  private void print(Receipted sent, PrintWriter out) {
    if (output.json) {
      out.println(
          Json.object()
              .put("chat", to.name())
              .put("seq", sent.seq())
              .put("csn", sent.csn())
              .put("time", Instant.ofEpochMilli(sent.tsMillis()).toString())
              .put("repeat", sent.repeat()));
    } else {
      out.println(sent.seq());
    }
  }
}

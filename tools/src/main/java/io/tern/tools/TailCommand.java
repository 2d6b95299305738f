package io.tern.tools;

import io.tern.client.ClientListener;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `tern tail`: prints what arrives, each entry once over all its runs. An entry is acknowledged
/// after it has been printed.
@Command(
    name = "tail",
    description = {
      "Print messages as they arrive, from where the last tail of this user stopped.",
      "What has been printed, or passed over by --with, counts as delivered and does not come"
          + " again; history shows it."
    })
final class TailCommand implements Callable<Integer> {

  private static final int DEVICE = 3;

  @Spec private CommandSpec spec;
  @Mixin private ConnectOptions connect;
  @Mixin private UserOptions user;
  @Mixin private OutputOptions output;

  @Option(
      names = {"-w", "--with"},
      paramLabel = "NAME",
      description = "Only the chat with this user, or +GROUP.")
  private @Nullable String with;

  @Option(
      names = {"-n", "--count"},
      paramLabel = "N",
      description = "Stop after this many messages.")
  private @Nullable Long count;

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      description = "Stop after this time: exit code 5 when --count has not been reached.")
  private @Nullable Double timeoutSeconds;

  @Option(names = "--read", description = "Mark what is printed as read.")
  private boolean read;

  @Override
  public Integer call() throws InterruptedException {
    if (count != null && count < 1) {
      throw new ParameterException(spec.commandLine(), "--count: at least 1, not " + count);
    }
    if (timeoutSeconds != null && !(timeoutSeconds >= 0)) {
      throw new ParameterException(
          spec.commandLine(), "--timeout: 0 s or more, not " + timeoutSeconds);
    }
    var names = user.names();
    if (with != null) {
      names.learn(with);
    }
    var printer = new Printer(names, with == null ? null : chat(with));
    try (var client = CommandClient.connect(user, DEVICE, connect, printer)) {
      printer.ready.complete(client);
      try {
        if (timeoutSeconds == null) {
          printer.end.get();
        } else {
          printer.end.get((long) (timeoutSeconds * 1e3), TimeUnit.MILLISECONDS);
        }
        return ExitCode.OK;
      } catch (TimeoutException e) {
        return count == null ? ExitCode.OK : ExitCode.TIMED_OUT;
      } catch (ExecutionException e) {
        throw CommandClient.failure(e.getCause());
      }
    }
  }

  /// Found before the tail begins, by another device, for nothing may come before it is known.
  private ChatId chat(String name) {
    if (!Names.isGroup(name)) {
      return ChatId.direct(user.id(), Names.id(name));
    }
    try (var lookup =
        CommandClient.connect(user, HistoryCommand.DEVICE, connect, new ClientListener() {})) {
      return lookup.group(name, connect.patience());
    }
  }

  /// Lives on the client's event loop. A reader of our output that is slow makes this loop slow,
  /// which is meant: the server then holds back.
  private final class Printer implements ClientListener {
    private final UserId self = user.id();
    private final Names names;
    private final PrintWriter out = spec.commandLine().getOut();
    private final CompletableFuture<Void> end = new CompletableFuture<>();
    private final @Nullable ChatId only;
    private long printed;

    /// Entries may come before the client is here; their marks follow then.
    private final CompletableFuture<CommandClient> ready = new CompletableFuture<>();

    Printer(Names names, @Nullable ChatId only) {
      this.names = names;
      this.only = only;
    }

    @Override
    public void onMessage(Message message) {
      if (end.isDone()) {
        // Not printed, so it must not count as delivered.
        throw new TernException(ErrorCode.BUSY, 0, "tail has ended");
      }
      if (only != null && !message.chat().equals(only)) {
        return;
      }
      var entry = EntryView.of(message, self, names);
      out.println(output.json ? entry.json().toString() : entry.line());
      if (out.checkError()) {
        end.complete(null);
        throw new TernException(ErrorCode.BUSY, 0, "nobody reads the output any more");
      }
      if (read) {
        ready.thenAccept(client -> client.client().read(message.chat(), message.seq()));
      }
      printed++;
      if (count != null && printed >= count) {
        end.complete(null);
      }
    }

    @Override
    public void onConnection(ConnectionState state) {
      if (state instanceof ConnectionState.Refused refused) {
        end.completeExceptionally(new TernException(refused.code(), 0, refused.detail()));
      }
    }
  }
}

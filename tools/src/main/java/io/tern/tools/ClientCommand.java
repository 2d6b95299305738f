package io.tern.tools;

import io.tern.client.ClientListener;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// A command that logs in, asks or changes something, prints the answer and ends.
abstract class ClientCommand implements Callable<Integer> {

  @Spec CommandSpec spec;
  @Mixin ConnectOptions connect;
  @Mixin UserOptions user;
  @Mixin OutputOptions output;

  @Override
  public final Integer call() {
    check();
    var names = user.names();
    var out = spec.commandLine().getOut();
    try (var client = CommandClient.connect(user, device(), connect, listener())) {
      run(new Session(client, names, out));
      return ExitCode.OK;
    } finally {
      out.flush();
    }
  }

  /// Refuses what cannot be meant, before anything is asked.
  void check() {}

  /// The device of those commands that leave nothing behind.
  int device() {
    return HistoryCommand.DEVICE;
  }

  ClientListener listener() {
    return new ClientListener() {};
  }

  abstract void run(Session session);

  /// What a command has while it is logged in.
  final class Session {
    private final CommandClient client;
    private final Names names;
    private final PrintWriter out;

    Session(CommandClient client, Names names, PrintWriter out) {
      this.client = client;
      this.names = names;
      this.out = out;
    }

    TernClient tern() {
      return client.client();
    }

    CommandClient client() {
      return client;
    }

    Names names() {
      return names;
    }

    /// Waits for an answer of the server.
    <T> T await(CompletableFuture<T> answer) {
      return client.await(answer, connect.patience());
    }

    /// The same; `notAllowed` says what it means when the server does not allow it.
    <T> T await(CompletableFuture<T> answer, String notAllowed) {
      try {
        return await(answer);
      } catch (Failure e) {
        if (e.getCause() instanceof TernException refused
            && refused.code() == ErrorCode.NOT_ALLOWED) {
          throw new Failure(ExitCode.REFUSED, notAllowed, refused);
        }
        throw e;
      }
    }

    /// The chat called `name`, which may be a user's or, with `+`, a group's.
    ChatId chat(String name) {
      names.learn(name);
      return client.chat(name, connect.patience());
    }

    ChatId group(String name) {
      return client.group(name, connect.patience());
    }

    void print(String line) {
      out.println(line);
    }

    /// In the form that was asked for.
    void print(Json json, String line) {
      out.println(output.json ? json.toString() : line);
    }
  }
}

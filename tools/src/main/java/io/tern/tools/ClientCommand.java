package io.tern.tools;

import io.tern.client.ClientListener;
import io.tern.client.TernClient;
import io.tern.protocol.ChatId;
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
    var names = user.names();
    var out = spec.commandLine().getOut();
    try (var client = CommandClient.connect(user, device(), connect, listener())) {
      run(new Session(client, names, out));
      return ExitCode.OK;
    } finally {
      out.flush();
    }
  }

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

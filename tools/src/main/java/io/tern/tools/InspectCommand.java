package io.tern.tools;

import io.tern.protocol.ChatId;
import io.tern.store.Inspect;
import io.tern.store.Slots;
import io.tern.store.rocks.CannotOpen;
import io.tern.store.rocks.Inspection;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `tern inspect`: what a data folder holds, without changing it and without a server.
@Command(
    name = "inspect",
    description = {
      "Look into a data folder, read-only: shards, users, chats with their watermarks, outbox.",
      "Works beside a running server: it shows the moment it looked."
    })
final class InspectCommand implements Callable<Integer> {

  @Spec private CommandSpec spec;
  @Mixin private OutputOptions output;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      required = true,
      description = "The server's data folder.")
  private Path data;

  @Option(
      names = "--chat",
      paramLabel = "NAME,NAME",
      split = ",",
      description = "Only the chat of these two.")
  private @Nullable List<String> pair;

  @Option(names = "--entries", description = "Print the entries of chats too.")
  private boolean entries;

  @Option(
      names = "--state",
      paramLabel = "DIR",
      description = "Where the names of people are (default: ~/.tern).")
  private @Nullable Path state;

  @Override
  public Integer call() {
    if (pair != null && pair.size() != 2) {
      throw new ParameterException(spec.commandLine(), "--chat takes two names: alice,bob");
    }
    var names = new Names(UserOptions.stateFolder(state).resolve("names"));
    if (pair != null) {
      pair.forEach(names::learn);
    }
    var out = spec.commandLine().getOut();
    try (var inspection = Inspection.open(data)) {
      look(inspection, new InspectReport(out, names, output.json, entries));
    } catch (CannotOpen e) {
      throw new Failure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
    }
    out.flush();
    return ExitCode.OK;
  }

  private void look(Inspection inspection, InspectReport report) {
    if (pair == null) {
      for (int i = 0; i < inspection.shards(); i++) {
        report.shard(inspection, i);
      }
      return;
    }
    var id = ChatId.direct(Names.id(pair.get(0)), Names.id(pair.get(1)));
    var shard = inspection.shardOfSlot(Slots.of(id));
    var chat = Inspect.chat(shard, id);
    if (chat == null) {
      throw new Failure(ExitCode.FAILED, "there is no such chat in " + data);
    }
    report.chat(shard, chat);
  }
}

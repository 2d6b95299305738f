package io.tern.tools;

import io.tern.client.ClientListener;
import io.tern.protocol.ChatId;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.PageEntry;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `tern history`: the entries of one chat, oldest first.
@Command(name = "history", description = "Print the messages of a chat, oldest first.")
final class HistoryCommand implements Callable<Integer> {

  static final int DEVICE = 4;

  @Spec private CommandSpec spec;
  @Mixin private ConnectOptions connect;
  @Mixin private UserOptions user;
  @Mixin private OutputOptions output;

  @Mixin private ChatOption with;

  @Option(
      names = {"-n", "--limit"},
      paramLabel = "N",
      defaultValue = "50",
      description = "At most so many; 0 for all (default: ${DEFAULT-VALUE}).")
  private long limit;

  @Option(
      names = "--before",
      paramLabel = "SEQ",
      defaultValue = "0",
      description = "The newest below this seq, instead of the newest of all.")
  private long before;

  @Option(
      names = "--after",
      paramLabel = "SEQ",
      description = "The oldest above this seq, instead of the newest.")
  private @Nullable Long after;

  @Override
  public Integer call() {
    if (limit < 0) {
      throw new Failure(ExitCode.USAGE, "--limit: 0 or more, not " + limit);
    }
    if (before < 0 || (after != null && after < 0)) {
      throw new ParameterException(
          spec.commandLine(), "--before and --after: the seq of an entry, or 0");
    }
    var names = user.names();
    names.learn(with.name());
    var out = spec.commandLine().getOut();
    try (var client = CommandClient.connect(user, DEVICE, connect, new ClientListener() {})) {
      var chat = client.chat(with.name(), connect.patience());
      for (var entry : after == null ? newest(client, chat) : oldest(client, chat, after)) {
        var view = EntryView.of(entry, chat, user.id(), names);
        out.println(output.json ? view.json().toString() : view.line());
      }
    }
    out.flush();
    return ExitCode.OK;
  }

  private List<PageEntry> oldest(CommandClient client, ChatId chat, long from) {
    var entries = new ArrayList<PageEntry>();
    long position = from;
    while (left(entries) > 0) {
      var page =
          client.await(
              client.client().historyAfter(chat, position, left(entries)), connect.patience());
      entries.addAll(page.getEntriesList());
      if (!page.getMore() || page.getEntriesCount() == 0) {
        break;
      }
      position = entries.getLast().getSeq();
    }
    return entries;
  }

  private List<PageEntry> newest(CommandClient client, ChatId chat) {
    var pages = new ArrayList<HistoryPage>();
    var entries = new ArrayList<PageEntry>();
    long position = before;
    while (left(entries) > 0) {
      var page =
          client.await(
              client.client().historyBefore(chat, position, left(entries)), connect.patience());
      pages.add(page);
      entries.addAll(page.getEntriesList());
      if (!page.getMore() || page.getEntriesCount() == 0) {
        break;
      }
      position = page.getEntries(0).getSeq();
    }
    Collections.reverse(pages);
    return pages.stream().flatMap(page -> page.getEntriesList().stream()).toList();
  }

  private int left(List<PageEntry> entries) {
    return limit == 0
        ? Limits.PAGE_ENTRIES_MAX
        : (int) Math.min(Limits.PAGE_ENTRIES_MAX, limit - entries.size());
  }
}

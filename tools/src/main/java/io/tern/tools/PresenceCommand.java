package io.tern.tools;

import io.tern.client.ClientListener;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `tern presence`: who is there.
@Command(
    name = "presence",
    description = "Print who is there and when they were last seen, as far as they show it.")
final class PresenceCommand extends ClientCommand {

  @Parameters(arity = "1..100", paramLabel = "NAME", description = "Whom to look for.")
  private List<String> who;

  @Option(
      names = "--follow",
      paramLabel = "SECONDS",
      description = "Go on and print what changes for so long.")
  private @Nullable Integer followSeconds;

  private final LinkedBlockingQueue<ClientListener.Presence> heard = new LinkedBlockingQueue<>();

  @Override
  ClientListener listener() {
    return new ClientListener() {
      @Override
      public void onPresence(Presence presence) {
        heard.add(presence);
      }
    };
  }

  @Override
  void run(Session session) {
    who.forEach(session.names()::learn);
    var users = who.stream().map(Names::id).distinct().toList();
    session.tern().watch(users, List.of());
    Set<?> missing = new LinkedHashSet<>(users);
    long patienceEnd = System.nanoTime() + connect.patience().toNanos();
    while (!missing.isEmpty()) {
      var presence = next(patienceEnd);
      if (presence == null) {
        throw new Failure(ExitCode.TIMED_OUT, "the server did not answer");
      }
      print(session, presence);
      missing.remove(presence.user());
    }
    if (followSeconds != null) {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(followSeconds);
      for (var presence = next(end); presence != null; presence = next(end)) {
        print(session, presence);
      }
    }
  }

  private ClientListener.@Nullable Presence next(long endNanos) {
    try {
      return heard.poll(Math.max(0, endNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted", e);
    }
  }

  private void print(Session session, ClientListener.Presence presence) {
    var name = session.names().of(presence.user());
    long seen = presence.lastSeenMillis();
    session.print(
        Json.object()
            .put("user", name)
            .put("online", presence.online())
            .put("last_seen", seen > 0 ? EntryView.time(seen) : null),
        name
            + "\t"
            + (presence.online()
                ? "online"
                : seen > 0 ? "last seen " + EntryView.time(seen) : "not shown"));
  }
}

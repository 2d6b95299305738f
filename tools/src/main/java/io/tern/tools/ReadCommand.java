package io.tern.tools;

import io.tern.protocol.ChatId;
import io.tern.protocol.v1.ChatItem;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/// `tern read`: says that a chat has been read, and waits until it counts.
@Command(
    name = "read",
    description = {
      "Mark the messages of a chat as read, for all your devices, and print up to which seq they"
          + " are and how many are unread.",
      "A mark only moves on: what has been read stays read."
    })
final class ReadCommand extends ClientCommand {

  private static final long LOOK_MILLIS = 20;
  private static final long LOOK_MILLIS_MAX = 500;

  @Mixin private ChatOption with;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "SEQ",
      description = "Up to this message; without it, up to the newest.")
  private @Nullable Long seq;

  @Override
  void check() {
    if (seq != null && seq < 1) {
      throw new Failure(ExitCode.USAGE, "SEQ: 1 or more, not " + seq);
    }
  }

  @Override
  void run(Session session) {
    ChatId id = with.chat(session);
    ChatItem item = item(session, id);
    if (seq != null && seq > item.getHead()) {
      throw new Failure(
          ExitCode.FAILED, "there is no #" + seq + ": the newest is #" + item.getHead());
    }
    ChatItem read = read(session, id, item, seq == null ? item.getHead() : seq);
    session.print(
        Json.object()
            .put("chat", session.names().of(id, user.id()))
            .put("read", read.getRead())
            .put("unread", read.getUnread())
            .put("unread_mentions", read.getUnreadMentions()),
        read.getRead() + "\t" + read.getUnread() + " unread");
  }

  /// READ has no answer ([TernClient#read]): it counts when the chat list shows it.
  private ChatItem read(Session session, ChatId id, ChatItem before, long upTo) {
    if (before.getRead() < upTo) {
      session.tern().read(id, upTo);
    }
    long giveUpNanos = System.nanoTime() + connect.patience().toNanos();
    long waitMillis = LOOK_MILLIS;
    var item = before;
    while (item.getRead() < upTo) {
      if (System.nanoTime() - giveUpNanos >= 0) {
        throw new Failure(
            ExitCode.TIMED_OUT,
            "the server has not taken it within " + connect.patience().toSeconds() + " s");
      }
      pause(Duration.ofMillis(waitMillis));
      waitMillis = Math.min(LOOK_MILLIS_MAX, waitMillis * 2);
      item = item(session, id);
    }
    return item;
  }

  private static void pause(Duration time) {
    try {
      TimeUnit.NANOSECONDS.sleep(time.toNanos());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted", e);
    }
  }

  private ChatItem item(Session session, ChatId id) {
    return ChatLists.all(session.client(), connect.patience()).stream()
        .filter(each -> ChatId.fromWire(user.id(), each.getChat(), each.getGroup()).equals(id))
        .findFirst()
        .orElseThrow(() ->
            new Failure(
                ExitCode.FAILED, "there is no message in the chat with '" + with.name() + "'"));
  }
}

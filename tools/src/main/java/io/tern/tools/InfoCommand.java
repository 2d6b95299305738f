package io.tern.tools;

import com.google.protobuf.ByteString;
import io.tern.client.TernClient;
import io.tern.protocol.ChatId;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.EntryInfoMember;
import io.tern.protocol.v1.EntryInfoPage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/// `tern info`: ticks per member.
@Command(name = "info", description = "Print who got a message of yours, who read it, and when.")
public final class InfoCommand extends ClientCommand {

  @Mixin private ChatOption with;

  @Parameters(index = "0", paramLabel = "SEQ", description = "Which message.")
  private long seq;

  @Override
  void run(Session session) {
    var pages =
        pages(
            session.tern(),
            answer -> session.await(answer, "who has got it is told to its sender only"),
            with.chat(session),
            seq);
    for (var page : pages) {
      for (var member : page.getMembersList()) {
        session.print(json(member, session.names()), line(member, session.names()));
      }
    }
    if (!output.json) {
      session.print(summary(pages.getFirst()));
    }
  }

  /// All pages about an entry; there is one at least.
  ///
  /// @param await waits for one
  public static List<EntryInfoPage> pages(
      TernClient client,
      Function<CompletableFuture<EntryInfoPage>, EntryInfoPage> await,
      ChatId chat,
      long seq) {
    var pages = new ArrayList<EntryInfoPage>();
    var token = ByteString.EMPTY;
    do {
      var next = token.isEmpty() ? null : token.toByteArray();
      var page = await.apply(client.entryInfo(chat, seq, next, Limits.PAGE_ENTRIES_MAX));
      pages.add(page);
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    return pages;
  }

  private static Json json(EntryInfoMember member, Names names) {
    return Json.object()
        .put("user", name(member, names))
        .put("delivered", timeOrNull(member.getDeliveredAtMs()))
        .put("read", timeOrNull(member.getReadAtMs()));
  }

  /// A member's ticks and when they got them.
  public static String line(EntryInfoMember member, Names names) {
    if (member.getReadAtMs() > 0) {
      return name(member, names) + "\tread\t" + EntryView.time(member.getReadAtMs());
    }
    return member.getDeliveredAtMs() > 0
        ? name(member, names) + "\t✓✓\t" + EntryView.time(member.getDeliveredAtMs())
        : name(member, names) + "\t✓\t";
  }

  /// Of all members.
  public static String summary(EntryInfoPage page) {
    return "delivered to "
        + Integer.toUnsignedLong(page.getDelivered())
        + " and read by "
        + Integer.toUnsignedLong(page.getRead())
        + " of "
        + Integer.toUnsignedLong(page.getTotal());
  }

  private static String name(EntryInfoMember member, Names names) {
    return UserId.isValid(member.getUser()) ? names.of(new UserId(member.getUser())) : "nobody";
  }

  private static @org.jspecify.annotations.Nullable String timeOrNull(long millis) {
    return millis > 0 ? EntryView.time(millis) : null;
  }
}

package io.tern.tools.admin;

import io.tern.protocol.ChatId;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.Names;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/// `tern trace`: the way of one entry through a running server.
@Command(
    name = "trace",
    description = {
      "The way of an entry: accepted, committed, routed, written to which device, acknowledged when.",
      "Never what it says. Asks the admin port; needs a credential (tern admin credential add)."
    })
public final class TraceCommand extends AdminBase {

  @Parameters(
      index = "0",
      paramLabel = "CHAT",
      description =
          "As tern inspect and the log name it (d…-…, g…), or two users of a direct chat: alice,bob"
              + " or @u…,@u….")
  private String chat;

  @Parameters(index = "1", paramLabel = "SEQ", description = "The entry's number in the chat.")
  private long seq;

  @Override
  protected void run(PrintWriter out) throws IOException {
    if (seq <= 0) {
      throw new Failure(ExitCode.USAGE, "SEQ: 1 or more, not " + seq);
    }
    Map<String, @Nullable Object> way = ask("GET", "/v1/trace/" + chatOf(chat) + "/" + seq, null);
    if (output.json) {
      out.println(json(way));
      return;
    }
    out.println(head(way));
    for (Map<String, @Nullable Object> step : objects(way, "steps")) {
      out.println(step(step));
    }
    if (flag(way, "steps_more")) {
      out.println("  … and more");
    }
    for (Map<String, @Nullable Object> member : objects(way, "members")) {
      out.println(member(member));
    }
    long more = number(way, "members_total") - objects(way, "members").size();
    if (more > 0) {
      out.println("and " + more + " more members");
    }
    if (way.get("unknown") instanceof List<?> unknown && !unknown.isEmpty()) {
      out.println(unknown(text(way, "memory"), unknown));
    }
  }

  /// The chat's id: as it is written, or of two users.
  static ChatId chatOf(String chat) {
    int comma = chat.indexOf(',');
    if (comma > 0) {
      return ChatId.direct(Names.id(chat.substring(0, comma)), Names.id(chat.substring(comma + 1)));
    }
    try {
      return ChatId.parse(chat.startsWith("+") ? chat.substring(1) : chat);
    } catch (IllegalArgumentException e) {
      throw new Failure(
          ExitCode.USAGE, "CHAT: d…-…, g…, or two users with a comma, not '" + chat + "'", e);
    }
  }

  private static String head(Map<String, @Nullable Object> way) {
    long csn = number(way, "csn");
    return text(way, "chat")
        + " #"
        + number(way, "seq")
        + " of "
        + number(way, "head")
        + ", from "
        + device(way)
        + (csn == 0 ? " (made by the server)" : " (csn " + csn + ")")
        + ", "
        + Instant.ofEpochMilli(number(way, "ts_ms"));
  }

  private static String step(Map<String, @Nullable Object> step) {
    String kind = text(step, "step");
    String about =
        switch (kind) {
          case "accepted" ->
              device(step) + ", session " + number(step, "session") + " at " + text(step, "edge");
          case "committed" -> "synced in " + micros(number(step, "sync_us"));
          case "routed" ->
              (flag(step, "found") ? "" : "the directory did not answer; ")
                  + counted(number(step, "sessions"), "session")
                  + ", "
                  + counted(number(step, "absent"), "recipient")
                  + " away, batch of "
                  + number(step, "batch");
          case "answered" -> device(step) + " over " + text(step, "door");
          case "written" -> device(step) + (flag(step, "caught_up") ? " by catch-up" : "");
          case "pushed" ->
              user(step) + (flag(step, "taken") ? "" : ", not taken by the push queue");
          default -> device(step);
        };
    return String.format(
        Locale.ROOT, "%15s  %-12s %s", micros(number(step, "after_us")), kind, about);
  }

  private static String member(Map<String, @Nullable Object> member) {
    var has = new StringBuilder();
    for (Map<String, @Nullable Object> device : objects(member, "devices")) {
      has.append(has.isEmpty() ? "" : ", ")
          .append("device ")
          .append(number(device, "device"))
          .append(flag(device, "acknowledged") ? " has it" : " has not");
    }
    String marks =
        flag(member, "sender")
            ? "sent it"
            : "delivered "
                + time(number(member, "delivered_ms"))
                + ", read "
                + time(number(member, "read_ms"));
    return user(member) + ": " + marks + (has.isEmpty() ? "" : "; " + has);
  }

  private static String unknown(String memory, List<?> unknown) {
    String why =
        switch (memory) {
          case "off" -> "the server keeps no trace (trace.steps = 0)";
          case "none" -> "older than the server remembers, or from before its start";
          default -> "in part older than the server remembers";
        };
    return "not known: "
        + String.join(", ", unknown.stream().map(String::valueOf).toList())
        + " ("
        + why
        + ")";
  }

  private static String counted(long n, String what) {
    return n + " " + what + (n == 1 ? "" : "s");
  }

  private static String micros(long micros) {
    return String.format(Locale.ROOT, "%,d µs", micros);
  }

  private static String user(Map<String, @Nullable Object> of) {
    return id(number(of, "user"));
  }

  private static String device(Map<String, @Nullable Object> of) {
    return user(of) + "." + number(of, "device");
  }
}

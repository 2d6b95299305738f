package io.tern.tools.admin;

import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `tern admin sessions`: who of a user is connected, from where; and ends it.
@Command(
    name = "sessions",
    description = {
      "A user's live sessions: device, door, address, whether the app is in front (active) or in the",
      "background, since when, last sign of life, bytes that wait. With --end or --end-all they are closed; the clients may come back."
    })
final class SessionsCommand extends AdminBase {

  @Parameters(paramLabel = "USER", description = "@ID, +NUMBER, a user's number or a username.")
  private String user;

  /// Which to end.
  static final class End {
    @Option(names = "--end", paramLabel = "DEVICE", description = "Close that of a device.")
    private int device;

    @Option(names = "--end-all", description = "Close all.")
    private boolean all;
  }

  @ArgGroup private @Nullable End end;

  @Option(names = "--reason", paramLabel = "TEXT", description = "Why, for the audit log.")
  private @Nullable String reason;

  @Override
  protected void run(PrintWriter out) throws IOException {
    if ((end == null) != (reason == null)) {
      throw new Failure(
          ExitCode.USAGE, "--end and --end-all need a --reason, and nothing else does");
    }
    String path = userPath(user) + "/sessions";
    if (end != null && reason != null) {
      Map<String, @Nullable Object> ended =
          ask("DELETE", end.all ? path : path + "/" + end.device, Map.of("reason", reason));
      long n = number(ended, "ended");
      print(
          out,
          Json.object().put("ended", n),
          n + (n == 1 ? " session is" : " sessions are") + " closed");
      return;
    }
    for (Map<String, @Nullable Object> session : objects(ask("GET", path, null), "sessions")) {
      print(
          out,
          json(session),
          number(session, "device")
              + "\t"
              + text(session, "door")
              + "\t"
              + text(session, "address")
              + "\t"
              + text(session, "state")
              + "\tsince "
              + time(number(session, "since_ms"))
              + "\theard "
              + time(number(session, "last_input_ms"))
              + "\t"
              + number(session, "waiting_bytes")
              + " bytes wait");
    }
  }
}

package io.tern.tools.admin;

import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `tern admin drain`: takes a server out of service, and back.
@Command(
    name = "drain",
    description = {
      "Take the server out of service: logins are refused, clients are told to leave one after the",
      "other. It goes on running. --cancel takes logins again, --status says how far it is."
    })
final class DrainCommand extends AdminBase {

  private static final long LOOK_NANOS = Duration.ofMillis(500).toNanos();

  @Option(
      names = "--over",
      paramLabel = "TIME",
      description = "Tell all within this time, as 60s or 10m (default: the server's drain.over).")
  private @Nullable String over;

  @Option(
      names = "--grace",
      paramLabel = "TIME",
      description = "How long each may finish, at most 60s (default: the server's drain.grace).")
  private @Nullable String grace;

  @Option(names = "--wait", description = "Return when the last session has left.")
  private boolean wait;

  /// Other than to begin.
  static final class Other {
    @Option(names = "--cancel", description = "Take logins again.")
    private boolean cancel;

    @Option(names = "--status", description = "Only look.")
    private boolean status;
  }

  @ArgGroup private @Nullable Other other;

  @Override
  protected void run(PrintWriter out) throws IOException {
    if (other != null && (over != null || grace != null || (other.cancel && wait))) {
      throw new Failure(ExitCode.USAGE, "--over, --grace and --wait are for a drain that begins");
    }
    Map<String, @Nullable Object> progress;
    if (other == null) {
      var body = new HashMap<String, Object>();
      if (over != null) {
        body.put("over_ms", millis("--over", over));
      }
      if (grace != null) {
        body.put("grace_ms", millis("--grace", grace));
      }
      progress = ask("POST", "/v1/drain", body);
    } else {
      progress = ask(other.status ? "GET" : "DELETE", "/v1/drain", null);
    }
    if (wait) {
      progress = await(progress);
    }
    print(out, json(progress), line(progress));
  }

  /// Until it is drained. That somebody cancels it is a failure.
  private Map<String, @Nullable Object> await(Map<String, @Nullable Object> begun)
      throws IOException {
    Map<String, @Nullable Object> progress = begun;
    while (text(progress, "state").equals("draining")) {
      LockSupport.parkNanos(LOOK_NANOS);
      progress = ask("GET", "/v1/drain", null);
    }
    if (!text(progress, "state").equals("drained")) {
      throw new Failure(ExitCode.FAILED, "the server is in service");
    }
    return progress;
  }

  private static String line(Map<String, @Nullable Object> progress) {
    String state = text(progress, "state");
    String counts =
        "%d of %d told, %d left, %d closed, %d remain"
            .formatted(
                number(progress, "told"),
                number(progress, "sessions"),
                number(progress, "left"),
                number(progress, "closed"),
                number(progress, "remaining"));
    return switch (state) {
      case "in_service" -> "in service, " + number(progress, "remaining") + " sessions";
      case "draining" -> "draining: " + counts;
      default -> state + ": " + counts;
    };
  }
}

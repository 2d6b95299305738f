package io.tern.tools.admin;

import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `tern admin users`: look at users, put devices out, ban, erase.
@Command(
    name = "users",
    description = {
      "Look at users, put devices out, ban, erase. A USER is @ID as other commands show it,",
      "a phone number with +, the number of the user, or a username."
    },
    subcommands = {
      UsersCommand.Get.class,
      UsersCommand.Devices.class,
      UsersCommand.Ban.class,
      UsersCommand.Unban.class,
      UsersCommand.Revoke.class,
      UsersCommand.Erase.class
    })
final class UsersCommand implements Runnable {

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: a command is missing.");
  }

  /// About one user.
  abstract static class OfUser extends AdminBase {
    @Parameters(paramLabel = "USER", description = "@ID, +NUMBER, a user's number or a username.")
    String user;

    /// Asks something of the user.
    Map<String, @Nullable Object> askUser(String method, String path, @Nullable Map<String, ?> body)
        throws IOException {
      return ask(method, userPath(user) + path, body);
    }
  }

  @Command(name = "get", description = "A user's state.")
  static final class Get extends OfUser {
    @Override
    protected void run(PrintWriter out) throws IOException {
      Map<String, @Nullable Object> found = askUser("GET", "", null);
      long until = number(found, "banned_until_ms");
      print(
          out,
          json(found),
          id(number(found, "user"))
              + "\t"
              + text(found, "state")
              + (text(found, "state").equals("banned")
                  ? " " + (time(until).equals("for good") ? "" : "until ") + time(until)
                  : "")
              + "\t"
              + number(found, "devices")
              + " devices\tsince "
              + time(number(found, "created_ms"))
              + "\tseen "
              + time(number(found, "last_seen_ms"))
              + (flag(found, "account") ? "" : "\tno account here")
              + (flag(found, "number") ? "\tnumber" : "")
              + (flag(found, "pin") ? "\tPIN" : ""));
    }
  }

  @Command(name = "devices", description = "A user's devices, and when they were last used.")
  static final class Devices extends OfUser {
    @Override
    protected void run(PrintWriter out) throws IOException {
      for (Map<String, @Nullable Object> device :
          objects(askUser("GET", "/devices", null), "devices")) {
        print(
            out,
            json(device),
            number(device, "device")
                + "\t"
                + text(device, "name")
                + "\tsince "
                + time(number(device, "created_ms"))
                + "\ttoken "
                + time(number(device, "last_used_ms"))
                + "\tseen "
                + time(number(device, "last_seen_ms")));
      }
    }
  }

  @Command(
      name = "ban",
      description = {
        "Let a user in no more: sessions end within seconds, tokens are refused.",
        "Without an end it is for good; tern admin users unban ends it."
      })
  static final class Ban extends OfUser {
    private static final Pattern LENGTH = Pattern.compile("([1-9][0-9]{0,5})([smhd])");

    @Option(
        names = "--reason",
        paramLabel = "TEXT",
        required = true,
        description = "For the audit log; the user is not told.")
    private String reason;

    /// When it ends.
    static final class End {
      @Option(names = "--for", paramLabel = "TIME", description = "As 90m, 12h or 7d.")
      private @Nullable String length;

      @Option(
          names = "--until",
          paramLabel = "TIME",
          description = "As 2027-01-01T00:00:00Z, in UTC.")
      private @Nullable String until;
    }

    @ArgGroup private @Nullable End end;

    @Override
    protected void run(PrintWriter out) throws IOException {
      var body = new LinkedHashMap<String, Object>();
      body.put("reason", reason);
      Instant until = end == null ? null : until(end, Instant.now());
      if (until != null) {
        body.put("until_ms", until.toEpochMilli());
      }
      askUser("PUT", "/ban", body);
      print(
          out,
          Json.object().put("banned", user).put("until", until == null ? null : until.toString()),
          user + " is banned " + (until == null ? "for good" : "until " + until));
    }

    private static @Nullable Instant until(End end, Instant now) {
      if (end.until != null) {
        try {
          return Instant.parse(end.until);
        } catch (DateTimeParseException e) {
          throw new Failure(ExitCode.USAGE, "--until: as 2027-01-01T00:00:00Z", e);
        }
      }
      if (end.length == null) {
        return null;
      }
      Matcher matcher = LENGTH.matcher(end.length);
      if (!matcher.matches()) {
        throw new Failure(ExitCode.USAGE, "--for: as 90m, 12h or 7d");
      }
      long n = Long.parseLong(matcher.group(1));
      return now.plus(
          switch (matcher.group(2)) {
            case "s" -> Duration.ofSeconds(n);
            case "m" -> Duration.ofMinutes(n);
            case "h" -> Duration.ofHours(n);
            default -> Duration.ofDays(n);
          });
    }
  }

  @Command(name = "unban", description = "Let a user in again.")
  static final class Unban extends OfUser {
    @Override
    protected void run(PrintWriter out) throws IOException {
      askUser("DELETE", "/ban", null);
      print(out, Json.object().put("unbanned", user), user + " may come in again");
    }
  }

  @Command(
      name = "revoke",
      description = "Put a device of a user out, or all: sessions end within seconds.")
  static final class Revoke extends OfUser {
    /// Which.
    static final class Which {
      @Option(names = "--device", paramLabel = "N", description = "The device's number.")
      private int device;

      @Option(names = "--all", description = "All of them.")
      private boolean all;
    }

    @ArgGroup(multiplicity = "1")
    private Which which;

    @Override
    protected void run(PrintWriter out) throws IOException {
      if (which.all) {
        long revoked = number(askUser("DELETE", "/devices", null), "revoked");
        print(out, Json.object().put("revoked", revoked), revoked + " devices are out");
      } else {
        askUser("DELETE", "/devices/" + which.device, null);
        print(out, Json.object().put("revoked", 1), "device " + which.device + " is out");
      }
    }
  }

  @Command(name = "erase", description = "Delete a user for good.")
  static final class Erase extends OfUser {
    @Option(names = "--yes", required = true, description = "It cannot be undone.")
    private boolean yes;

    @Override
    protected void run(PrintWriter out) throws IOException {
      askUser("DELETE", "", null);
      print(out, Json.object().put("erased", yes), user + " is erased");
    }
  }
}

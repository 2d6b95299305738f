package io.tern.tools.admin;

import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `tern admin log-level`: what a server's loggers say.
@Command(
    name = "log-level",
    description = {
      "What the server's loggers say. With LOGGER and LEVEL it is set: TRACE, DEBUG, INFO, WARN,",
      "ERROR, OFF, or DEFAULT for what it was at first."
    })
final class LogLevelCommand extends AdminBase {

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "LOGGER",
      description = "Under io.tern, or ROOT, or one of a few libraries.")
  private @Nullable String logger;

  @Parameters(index = "1", arity = "0..1", paramLabel = "LEVEL", description = "What it says.")
  private @Nullable String level;

  @Option(
      names = "--for",
      paramLabel = "TIME",
      description = "Then it goes back by itself: as 10m, at most 24h.")
  private @Nullable String length;

  @Override
  protected void run(PrintWriter out) throws IOException {
    if (logger != null && level != null) {
      var body = new HashMap<String, Object>();
      body.put("logger", logger);
      body.put("level", level.toUpperCase(Locale.ROOT));
      if (length != null) {
        body.put("for_ms", millis("--for", length));
      }
      Map<String, @Nullable Object> set = ask("PUT", "/v1/log-levels", body);
      print(out, json(set), line(set));
      return;
    }
    if (logger != null || length != null) {
      throw new Failure(ExitCode.USAGE, "say LOGGER and LEVEL, or neither");
    }
    Map<String, @Nullable Object> levels = ask("GET", "/v1/log-levels", null);
    if (output.json) {
      print(out, json(levels), "");
      return;
    }
    out.println("ROOT\t" + text(levels, "root"));
    objects(levels, "levels").forEach(set -> out.println(line(set)));
  }

  private static String line(Map<String, @Nullable Object> set) {
    long until = number(set, "until_ms");
    return text(set, "logger")
        + "\t"
        + text(set, "level")
        + (until == 0 ? "" : "\tuntil " + time(until));
  }
}

package io.tern.tools.admin;

import io.tern.tools.TerminalText;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `tern admin audit`: what administrators did, or at whom they looked, the newest first.
@Command(
    name = "audit",
    description = "What administrators did, or at whom they looked, the newest first.")
final class AuditCommand extends AdminBase {

  @Option(
      names = "--max",
      paramLabel = "N",
      defaultValue = "100",
      description = "Lines at most (default: ${DEFAULT-VALUE}).")
  private int max;

  @Option(names = "--looks", description = "At whom they looked, in place of what they did.")
  private boolean looks;

  @Override
  protected void run(PrintWriter out) throws IOException {
    int left = max;
    String first = looks ? "/v1/looks" : "/v1/audit";
    String path = first;
    while (left > 0) {
      Map<String, @Nullable Object> page = ask("GET", path, null);
      for (Map<String, @Nullable Object> act : objects(page, looks ? "looks" : "acts")) {
        if (left-- > 0) {
          print(out, json(act), line(act));
        }
      }
      long next = number(page, "next");
      if (next == 0) {
        return;
      }
      path = first + "/" + next;
    }
  }

  private String line(Map<String, @Nullable Object> act) {
    var line = new StringBuilder();
    line.append(number(act, looks ? "look" : "act")).append('\t').append(text(act, "at"));
    line.append('\t').append(text(act, "who")).append(" from ").append(text(act, "from"));
    line.append('\t').append(text(act, "what"));
    if (act.get("about") instanceof Map<?, ?> about) {
      about.forEach((key, value) ->
          line.append(' ')
              .append(TerminalText.line(String.valueOf(key)))
              .append('=')
              .append(TerminalText.line(String.valueOf(value))));
    }
    String outcome = text(act, "outcome");
    return line.append('\t').append(outcome.isEmpty() ? "no outcome" : outcome).toString();
  }
}

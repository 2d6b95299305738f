package io.tern.tools.admin;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/// `tern admin whoami`: whose the credential is.
@Command(name = "whoami", description = "Whose the credential is, and what it may do.")
final class WhoAmICommand extends AdminBase {
  @Override
  protected void run(PrintWriter out) throws IOException {
    Map<String, @Nullable Object> mine = ask("GET", "/v1/credential", null);
    print(out, json(mine), text(mine, "name") + " (" + text(mine, "role") + ")");
  }
}

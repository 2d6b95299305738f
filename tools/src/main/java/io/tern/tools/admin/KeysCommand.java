package io.tern.tools.admin;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `tern admin keys`: what signs access tokens.
@Command(
    name = "keys",
    description = "The keys that sign access tokens.",
    subcommands = {KeysCommand.Rotate.class})
final class KeysCommand implements Runnable {

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: a command is missing.");
  }

  @Command(name = "rotate", description = "Make another key now. Nobody is logged out.")
  static final class Rotate extends AdminBase {
    @Override
    protected void run(PrintWriter out) throws IOException {
      Map<String, @Nullable Object> rotated = ask("POST", "/v1/keys/rotate", null);
      print(out, json(rotated), "key " + text(rotated, "key") + " is next");
    }
  }
}

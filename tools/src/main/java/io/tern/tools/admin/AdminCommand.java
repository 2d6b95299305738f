package io.tern.tools.admin;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `tern admin`: its subcommands ask the admin port, but for `credential`, which works on the data
/// folder.
@Command(
    name = "admin",
    description = "Operate a server: who may.",
    subcommands = {CredentialCommand.class})
public final class AdminCommand implements Runnable {

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: a command is missing.");
  }
}

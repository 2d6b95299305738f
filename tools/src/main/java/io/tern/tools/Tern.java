package io.tern.tools;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The `tern` command. Subcommands do the work; without one it explains itself.
@Command(
    name = "tern",
    description = "A messaging back end for native apps.",
    mixinStandardHelpOptions = true,
    versionProvider = Tern.Version.class)
public final class Tern implements Runnable {

  @Spec private CommandSpec spec;

  private Tern() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new Tern()).execute(args));
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: a command is missing.");
  }

  /// The version in the jar's manifest; `dev` when run from class folders.
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      var version = Tern.class.getPackage().getImplementationVersion();
      return new String[] {
        "tern " + (version == null ? "dev" : version), "java " + Runtime.version()
      };
    }
  }
}

package io.tern.tools;

import io.tern.client.TernException;
import io.tern.tools.account.AccountCommand;
import io.tern.tools.admin.AdminCommand;
import io.tern.tools.admin.TraceCommand;
import io.tern.tools.chat.ChatCommand;
import io.tern.tools.demo.DemoCommand;
import io.tern.tools.load.LoadCommand;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/// The `tern` command. Subcommands do the work; without one it explains itself.
///
/// Errors are one line on stderr; `TERN_LOG=DEBUG` adds where they come from. Standard output holds
/// what was asked for and nothing else.
@Command(
    name = "tern",
    description = "A messaging back end for native apps.",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT,
    versionProvider = Tern.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      DemoCommand.class,
      ServerCommand.class,
      ChatCommand.class,
      SendCommand.class,
      TailCommand.class,
      HistoryCommand.class,
      ChatsCommand.class,
      GroupCommand.class,
      EventCommands.React.class,
      EventCommands.Edit.class,
      EventCommands.Revoke.class,
      EventCommands.Forward.class,
      EventCommands.Open.class,
      EventCommands.Timer.class,
      InfoCommand.class,
      ReadCommand.class,
      SettingsCommand.class,
      DevicesCommand.class,
      AccountCommand.class,
      AdminCommand.class,
      PresenceCommand.class,
      TokenCommand.class,
      InspectCommand.class,
      TraceCommand.class,
      LoadCommand.class
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:something went wrong, or a check found a fault",
      "2:the command line is wrong",
      "3:no server answers there, or the connection is gone",
      "4:the server refused",
      "5:the time given with --timeout passed first"
    })
public final class Tern implements Runnable {

  private static final String LOG_LEVEL = "TERN_LOG";

  /// What Netty and Armeria say at least: INFO and WARN, or what [#LOG_LEVEL] says if that is less.
  private static final String LIBRARIES_LOG_LEVEL = "TERN_LOG_LIBRARIES";

  @Spec private CommandSpec spec;

  private Tern() {}

  public static void main(String[] args) {
    chooseLogLevel(args);
    int exitCode;
    try {
      exitCode = run(args);
    } catch (Error e) {
      // Without an exit other threads would keep a half-started process alive.
      System.err.println("tern: " + e + " (TERN_LOG=DEBUG shows where)");
      LoggerFactory.getLogger(Tern.class).debug("the command failed", e);
      exitCode = ExitCode.FAILED;
    }
    System.exit(exitCode);
  }

  /// Runs one command as the shell would, and returns its exit code.
  public static int run(String... args) {
    return commandLine().execute(args);
  }

  static CommandLine commandLine() {
    var commands = new CommandLine(new Tern());
    Numbers.registerWith(commands);
    return commands
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setParameterExceptionHandler(Tern::onBadCommandLine)
        .setExecutionExceptionHandler((e, command, parsed) -> onFailure(e, command));
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: a command is missing.");
  }

  /// A server logs; the other commands talk to a person and log only what is wrong. Must run before
  /// anything logs: logback.xml reads the level once.
  private static void chooseLogLevel(String[] args) {
    if (System.getenv(LOG_LEVEL) == null && System.getProperty(LOG_LEVEL) == null) {
      boolean isServer = args.length > 0 && args[0].equals("server");
      System.setProperty(LOG_LEVEL, isServer ? "INFO" : "ERROR");
    }
    String level = System.getProperty(LOG_LEVEL, System.getenv(LOG_LEVEL));
    if (System.getenv(LIBRARIES_LOG_LEVEL) == null
        && System.getProperty(LIBRARIES_LOG_LEVEL) == null
        && level != null
        && level.toUpperCase(Locale.ROOT).matches("WARN|ERROR|OFF")) {
      System.setProperty(LIBRARIES_LOG_LEVEL, level);
    }
  }

  /// One line and where to read more, instead of the whole usage.
  private static int onBadCommandLine(ParameterException e, String[] args) {
    var command = e.getCommandLine();
    var err = command.getErr();
    err.println("tern: " + e.getMessage());
    if (e.getCommandLine().getCommandSpec().userObject() instanceof Tern) {
      if (!CommandLine.UnmatchedArgumentException.printSuggestions(e, err)) {
        command.usage(err);
      }
    } else {
      err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    }
    err.flush();
    return ExitCode.USAGE;
  }

  private static int onFailure(Exception e, CommandLine command) {
    PrintWriter err = command.getErr();
    var log = LoggerFactory.getLogger(Tern.class);
    log.debug("the command failed", e);
    int exitCode =
        switch (e) {
          case Failure failure -> {
            err.println("tern: " + failure.getMessage());
            yield failure.exitCode();
          }
          case TernException refused -> {
            err.println("tern: the server refused: " + refused.getMessage());
            yield ExitCode.REFUSED;
          }
          case UncheckedIOException io -> {
            IOException cause = io.getCause();
            err.println("tern: " + (cause == null ? io.toString() : Failure.reason(cause)));
            yield ExitCode.FAILED;
          }
          default -> {
            err.println("tern: " + e + " (TERN_LOG=DEBUG shows where)");
            yield ExitCode.FAILED;
          }
        };
    err.flush();
    return exitCode;
  }

  /// Standard output as UTF-8 whatever the locale, since messages are. Whoever prints flushes.
  public static PrintWriter utf8(java.io.OutputStream out) {
    return new PrintWriter(
        new java.io.BufferedWriter(new java.io.OutputStreamWriter(out, StandardCharsets.UTF_8)));
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

package io.tern.tools;

import io.tern.client.account.Credentials;
import io.tern.client.account.CredentialsFile;
import io.tern.protocol.DeviceId;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// Who the person at the keyboard is, and where their device keeps what it must not forget.
public final class UserOptions {

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = {"-u", "--user"},
      paramLabel = "NAME",
      description = "Who you are, for example alice. @ID names a user by id.")
  private @Nullable String name;

  @Option(
      names = "--account",
      paramLabel = "FILE",
      description = "Who you are, by an account (see tern account), in place of --user.")
  public @Nullable Path account;

  @Option(
      names = "--device",
      paramLabel = "N",
      description =
          "Number of your device. Each command is a device of its own unless you say otherwise"
              + " (chat 1, send 2, tail 3, history and chats 4), so that they do not take each"
              + " other's place.")
  public @Nullable Integer device;

  @Option(
      names = "--state",
      paramLabel = "DIR",
      description =
          "Where devices keep their state: what was sent, what has arrived (default: ~/.tern; the"
              + " environment variable TERN_STATE sets it).")
  public @Nullable Path state;

  public UserId id() {
    return account == null ? Names.id(name()) : credentials(account).user();
  }

  /// As the person calls themselves.
  public String name() {
    if ((name == null) == (account == null)) {
      throw new ParameterException(
          spec.commandLine(), "Who are you? Either --user NAME or --account FILE.");
    }
    return name != null ? name : "@" + id();
  }

  public int deviceOr(int usual) {
    if (device != null && !DeviceId.isValid(device)) {
      throw new ParameterException(
          spec.commandLine(), "--device: 1 to " + Limits.DEVICE_INDEX_MAX + ", not " + device);
    }
    return account != null ? credentials(account).device() : device == null ? usual : device;
  }

  private static Credentials credentials(Path account) {
    try {
      return new CredentialsFile(account).load();
    } catch (IOException e) {
      throw new Failure(ExitCode.USAGE, String.valueOf(e.getMessage()), e);
    }
  }

  public Path stateFolder() {
    return stateFolder(state);
  }

  public static Path stateFolder(@Nullable Path given) {
    if (given != null) {
      return given;
    }
    var fromEnvironment = System.getenv("TERN_STATE");
    return fromEnvironment != null && !fromEnvironment.isEmpty()
        ? Path.of(fromEnvironment)
        : Path.of(System.getProperty("user.home"), ".tern");
  }

  /// The names this person has used so far.
  public Names names() {
    var names = new Names(stateFolder().resolve("names"));
    names.learn(name());
    return names;
  }
}

package io.tern.tools;

import io.tern.protocol.UserId;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// Who the person at the keyboard is, and where their device keeps what it must not forget.
public final class UserOptions {

  @Option(
      names = {"-u", "--user"},
      paramLabel = "NAME",
      required = true,
      description = "Who you are, for example alice. @ID names a user by id.")
  public String name;

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
    return Names.id(name);
  }

  public int deviceOr(int usual) {
    return device == null ? usual : device;
  }

  public Path stateFolder() {
    return stateFolder(state);
  }

  static Path stateFolder(@Nullable Path given) {
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
    names.learn(name);
    return names;
  }
}

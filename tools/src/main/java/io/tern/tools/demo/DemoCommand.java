package io.tern.tools.demo;

import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.HostPort;
import io.tern.tools.ServerProcess;
import io.tern.tools.TerminalText;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `tern demo`: see [Story].
@Command(
    name = "demo",
    description = {
      "See it work: somebody registers with a phone number, two people chat through a real server,"
          + " one goes away and catches up, the server is killed with kill -9 in the middle of the"
          + " traffic, nothing is lost or doubled, and all three come together in a group.",
      "Exit code 1 when anything is."
    })
public final class DemoCommand implements Callable<Integer> {

  @Spec private CommandSpec spec;

  @Option(
      names = "--messages",
      paramLabel = "N",
      defaultValue = "200",
      description = "Messages of each person around the kill (default: ${DEFAULT-VALUE}).")
  private int messages;

  @Option(names = "--keep", description = "Keep the folder with everything, and say where it is.")
  private boolean keep;

  @Override
  public Integer call() {
    var out = spec.commandLine().getOut();
    var folder = temporaryFolder();
    boolean isWell = false;
    try {
      var story = new Story(out, TerminalText.isTerminal(), folder, Math.max(10, messages));
      isWell = story.tell();
      return isWell ? ExitCode.OK : ExitCode.FAILED;
    } finally {
      if (keep || !isWell) {
        out.println("Everything is in " + folder);
      } else {
        delete(folder);
      }
      out.flush();
    }
  }

  private static Path temporaryFolder() {
    try {
      return Files.createTempDirectory("tern-demo-");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void delete(Path folder) {
    try (var paths = Files.walk(folder)) {
      for (var path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// A server for the story: quick to start, small, with accounts, and without the limit on sends,
  /// which the traffic around the kill would meet.
  ///
  /// @param listen where people chat; port 0 takes any free one
  /// @param http where they register; the same
  static ServerProcess startServer(Path folder, HostPort listen, HostPort http) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED, "cannot write to " + folder, e);
    }
    return ServerProcess.start(
        folder.resolve("server"),
        listen,
        folder.resolve("server.log"),
        List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"),
        List.of("--set", "limits.send.rate=0", "--http", http.toString()));
  }
}

package io.tern.tools.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tern.edge.TernServer;
import io.tern.tools.ExitCode;
import io.tern.tools.LiveServer.Commands;
import io.tern.tools.LiveServer.Result;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// How a server process ends: asked to, refused a start, and when its disk breaks its word.
@Timeout(180)
class ServerEndsTest {

  /// What a shell sees of a process that SIGTERM has ended in order.
  private static final int EXIT_SIGTERM = 143;

  @TempDir private Path folder;
  private final Random random = new Random(Faults.seed());

  @Test
  void aServerThatIsAskedToEndDoesAndKeepsEverything() throws IOException {
    var plan = plan(folder.resolve("data"));
    try (var server = ServerProcess.start(plan)) {
      login(server, "bob");
      assertThat(send(server, "before")).isZero();
      assertThat(server.stop()).isEqualTo(EXIT_SIGTERM);
      assertThat(server.log()).contains("shutting down").contains("bye");
    }
    try (var server = ServerProcess.start(plan)) {
      assertThat(run(server, "history", "--user", "alice", "--with", "bob").out())
          .contains("before");
    }
  }

  @Test
  void aStartSaysWhereItListensInOneLineAndNothingOfItsLibraries() throws IOException {
    var plan = plan(folder.resolve("data")).with("http.listen", "127.0.0.1:0");
    try (var server = ServerProcess.start(plan)) {
      int admin = server.awaitReady().admin().getPort();
      List<String> lines =
          server.log().lines().filter(line -> line.matches("\\d\\d:\\d\\d:.*")).toList();
      assertThat(lines).allMatch(line -> line.matches("\\S+ INFO  \\[\\S+] i\\.t\\..*"));
      assertThat(lines.getLast())
          .matches(
              ".* listens at plain=127\\.0\\.0\\.1:%d http=127\\.0\\.0\\.1:\\d+ admin=127\\.0\\.0\\.1:%d"
                  .formatted(plan.port(), admin));
    }
  }

  @Test
  void theCompilersOfAServerGiveWayToItsOtherThreads() throws IOException {
    assumeTrue(Files.isDirectory(Path.of("/proc/self/task")), "Linux");
    try (var server = ServerProcess.start(plan(folder.resolve("data")))) {
      server.awaitReady();
      Path threads = Path.of("/proc", Long.toString(server.process().pid()), "task");
      int shard = niceness(threads, "tern-shard-0").getFirst();
      assertThat(niceness(threads, "C1 Compiler")).isNotEmpty().containsOnly(shard + 5);
    }
  }

  /// Of each thread whose name begins so, without those that end while they are looked at: field 19
  /// of `/proc/PID/stat`.
  private static List<Integer> niceness(Path threads, String name) throws IOException {
    var found = new ArrayList<Integer>();
    try (Stream<Path> all = Files.list(threads)) {
      for (Path thread : all.toList()) {
        try {
          if (Files.readString(thread.resolve("comm")).startsWith(name)) {
            String stat = Files.readString(thread.resolve("stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
            found.add(Integer.parseInt(fields[16]));
          }
        } catch (IOException e) {
          assertThat(thread).as("a thread that has ended: %s", e).doesNotExist();
        }
      }
    }
    return found;
  }

  @Test
  void aSecondServerOnTheSameFolderIsRefusedWithTheReason() throws IOException {
    var plan = plan(folder.resolve("data"));
    try (var first = ServerProcess.start(plan)) {
      first.awaitReady();
      var other = ServerProcess.Plan.of(plan.data(), 0, folder.resolve("second.log"));
      try (var second = ServerProcess.start(other)) {
        await().atMost(Duration.ofSeconds(30)).until(() -> !second.isAlive());
        assertThat(second.process().exitValue()).isEqualTo(ExitCode.FAILED);
        assertThat(second.log()).contains(plan.data().toString());
        assertThat(second.log().lines().filter(line -> line.startsWith("\tat "))).isEmpty();
      }
      login(first, "bob");
    }
  }

  /// An installation that lacks a jar: it is noticed when half of the server is up.
  @Test
  void anErrorAtTheStartEndsTheProcessWithOneClearLine() throws IOException {
    String classes =
        Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
            .filter(jar -> !Path.of(jar).getFileName().toString().startsWith("armeria-"))
            .collect(Collectors.joining(File.pathSeparator));
    var plan =
        plan(folder.resolve("data"))
            .with("http.listen", "127.0.0.1:0")
            // The last one named counts.
            .withJvm("-cp", classes);
    try (var server = ServerProcess.start(plan)) {
      await().atMost(Duration.ofSeconds(30)).until(() -> !server.isAlive());
      assertThat(server.process().exitValue()).isEqualTo(ExitCode.FAILED);
      assertThat(server.log().lines().filter(line -> line.startsWith("tern: ")))
          .hasSize(1)
          .first()
          .asString()
          .contains("NoClassDefFoundError: com/linecorp/armeria");
      assertThat(server.log().lines().filter(line -> line.startsWith("\tat "))).isEmpty();
    }
  }

  /// A file system that fails every write from one moment on, under a server that has been told to
  /// promise something.
  @Test
  void aDiskThatFailsEndsTheProcessWithOneClearLine() throws IOException {
    var obstacle = LoopDisk.obstacle();
    assumeTrue(obstacle.isEmpty(), () -> "no such disk on this machine: " + obstacle);
    try (var disk = LoopDisk.create()) {
      var plan = plan(disk.path().resolve("data"));
      try (var server = ServerProcess.start(plan)) {
        login(server, "bob");
        assertThat(send(server, "kept")).isZero();

        disk.fail();

        assertThat(send(server, "not kept")).isNotZero();
        await().atMost(Duration.ofSeconds(30)).until(() -> !server.isAlive());
        assertThat(server.process().exitValue()).isEqualTo(TernServer.EXIT_FATAL);
        assertThat(server.log().lines().filter(line -> line.startsWith("tern: fatal: ")))
            .hasSize(1)
            .first()
            .asString()
            .contains("cannot go on");
      }
    }
  }

  private ServerProcess.Plan plan(Path data) {
    return ServerProcess.Plan.of(data, ServerProcess.freePort(random), folder.resolve("server.log"))
        .with("store.disk-reserve", "16 MiB");
  }

  private static void login(ServerProcess server, String user) {
    assertThat(run(server, "chats", "--user", user).exitCode()).isZero();
  }

  private static int send(ServerProcess server, String text) {
    return run(server, "send", "--user", "alice", "--to", "bob", "--timeout", "5", text).exitCode();
  }

  private static Result run(ServerProcess server, String command, String... arguments) {
    var address = server.awaitReady().listen();
    var words = new ArrayList<String>();
    words.addAll(List.of(command, "--connect"));
    words.add(address.getHostString() + ":" + address.getPort());
    words.addAll(List.of(arguments));
    return Commands.run(words.toArray(String[]::new));
  }
}

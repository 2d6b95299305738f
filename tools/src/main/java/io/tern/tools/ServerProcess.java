package io.tern.tools;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// A real server in a process of its own, run by the JVM that runs this, from the same class path.
/// What the demo and the crash tests start, kill and start again.
///
/// Any thread. The process ends at [#close] at the latest, and with this JVM, unless that is killed
/// with `kill -9`.
public final class ServerProcess implements AutoCloseable {

  private static final Duration READY = Duration.ofSeconds(60);
  private static final Duration ORDERLY = Duration.ofSeconds(30);
  private static final int LOG_TAIL_LINES = 8;
  private static final int PRINTED_LINES_MAX = 1_000;

  /// What the server says on its one line of output.
  ///
  /// @param listen plain TCP; null when it has no such door
  /// @param fields everything by its name, as printed
  public record Ready(
      @Nullable HostPort listen, HostPort admin, Path data, Map<String, String> fields) {

    /// Reads `ready listen=HOST:PORT admin=HOST:PORT [NAME=VALUE ...] data=DIR`. The folder comes
    /// last because it may hold spaces.
    public static Ready parse(String line) {
      int data = line.indexOf(" data=");
      if (!line.startsWith("ready listen=") || data < 0) {
        throw new IllegalArgumentException("not a ready line: " + line);
      }
      var fields = new LinkedHashMap<String, String>();
      for (String field : line.substring("ready ".length(), data).split(" ", -1)) {
        int equals = field.indexOf('=');
        if (equals < 0) {
          throw new IllegalArgumentException("not a ready line: " + line);
        }
        fields.put(field.substring(0, equals), field.substring(equals + 1));
      }
      String listen = fields.getOrDefault("listen", "");
      return new Ready(
          listen.equals("none") ? null : HostPort.parse(listen),
          HostPort.parse(fields.getOrDefault("admin", "")),
          Path.of(line.substring(data + " data=".length())),
          Map.copyOf(fields));
    }

    /// The plain address, of a server that was started with one.
    public HostPort plain() {
      return Objects.requireNonNull(listen, "the server has no plain listener");
    }

    /// Where accounts are, of a server that was started with them and without TLS.
    public HostPort http() {
      return HostPort.parse(
          Objects.requireNonNull(fields.get("http"), "the server has no plain HTTP"));
    }
  }

  private final Process process;
  private final Ready ready;
  private final BlockingQueue<String> printed;

  private ServerProcess(Process process, Ready ready, BlockingQueue<String> printed) {
    this.process = process;
    this.ready = ready;
    this.printed = printed;
  }

  /// Starts a server and waits until it is ready.
  ///
  /// @param listen where; port 0 takes any free one
  /// @param log where its log goes, appended to
  /// @param jvm options of its JVM
  /// @param more arguments of `tern server`
  /// @throws Failure when it ends or does not become ready within a minute, with the end of its log
  public static ServerProcess start(
      Path data, HostPort listen, Path log, List<String> jvm, List<String> more) {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-XX:+UseCompactObjectHeaders");
    // For the queues inside Armeria; else the JVM warns.
    command.add("--sun-misc-unsafe-memory-access=allow");
    command.addAll(jvm);
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(Tern.class.getName());
    command.addAll(
        List.of(
            "server",
            "--data",
            data.toString(),
            "--listen",
            listen.toString(),
            "--admin",
            "127.0.0.1:0",
            // Several run at once; who wants it says where.
            "--set",
            "http.listen=off"));
    command.addAll(more);
    try {
      var builder =
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()));
      // The caller's log level is for its own output.
      builder.environment().remove("TERN_LOG");
      var process = builder.start();
      // Whoever is interrupted in the middle leaves no server behind.
      var killer = Thread.ofPlatform().name("server-killer").unstarted(process::destroyForcibly);
      Runtime.getRuntime().addShutdownHook(killer);
      process.onExit().thenRun(() -> forget(killer));
      var printed = new ArrayBlockingQueue<String>(PRINTED_LINES_MAX);
      return new ServerProcess(process, awaitReady(process, log, printed), printed);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void forget(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // This JVM is ending, and the hook with it.
    }
  }

  private static Ready awaitReady(Process process, Path log, Queue<String> printed) {
    var line = new CompletableFuture<String>();
    // Reads on after the first line, so that the server never waits for us to take its output.
    Thread.ofPlatform()
        .daemon()
        .name("server-output")
        .start(() -> readLines(process, line, printed));
    try {
      return Ready.parse(line.get(READY.toSeconds(), TimeUnit.SECONDS));
    } catch (TimeoutException e) {
      process.destroyForcibly();
      throw new Failure(ExitCode.FAILED, "the server did not get ready" + endOf(log), e);
    } catch (ExecutionException e) {
      throw new Failure(ExitCode.FAILED, "the server did not start" + endOf(log), e);
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted", e);
    }
  }

  private static void readLines(
      Process process, CompletableFuture<String> first, Queue<String> more) {
    try (var output =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (var line = output.readLine(); line != null; line = output.readLine()) {
        if (!first.complete(line)) {
          more.offer(line);
        }
      }
      first.completeExceptionally(new IOException("no output"));
    } catch (IOException e) {
      // The pipe of a killed process.
      first.completeExceptionally(e);
    }
  }

  private static String endOf(Path log) {
    try {
      var lines = Files.readAllLines(log);
      int from = Math.max(0, lines.size() - LOG_TAIL_LINES);
      return ":\n" + String.join("\n", lines.subList(from, lines.size()));
    } catch (IOException e) {
      return " (and its log cannot be read: " + e.getMessage() + ")";
    }
  }

  public Ready ready() {
    return ready;
  }

  /// The next line on its console that begins with `beginning`; those before it are passed over. Of
  /// lines that nobody waits for the first thousand are kept, the others lost.
  ///
  /// @throws Failure when none came in time
  public String awaitLine(String beginning, Duration patience) {
    long end = System.nanoTime() + patience.toNanos();
    try {
      while (true) {
        String line = printed.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
        if (line == null) {
          throw new Failure(ExitCode.FAILED, "the server did not print '" + beginning + "…'");
        }
        if (line.startsWith(beginning)) {
          return line;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted", e);
    }
  }

  public long pid() {
    return process.pid();
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /// `kill -9`, and waits until the process is gone.
  public void kill() {
    process.destroyForcibly();
    await(ORDERLY);
  }

  /// SIGTERM, and waits for the orderly shutdown.
  ///
  /// @return its exit code
  public int stop() {
    process.destroy();
    if (!await(ORDERLY)) {
      process.destroyForcibly();
      throw new Failure(ExitCode.FAILED, "the server does not stop");
    }
    return process.exitValue();
  }

  private boolean await(Duration timeout) {
    try {
      return process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /// Ends the process in whatever way is quickest.
  @Override
  public void close() {
    if (process.isAlive()) {
      kill();
    }
  }
}

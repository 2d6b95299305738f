package io.tern.tools.system;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// A `tern server` in a process of its own, started from this test's class path, to be killed.
/// Whatever it prints goes to a log file; a shutdown hook kills what a test left running.
final class ServerProcess implements AutoCloseable {

  static final Duration READY_MAX = Duration.ofSeconds(60);

  private static final String MAIN = "io.tern.tools.Tern";

  // Below the range from which the kernel takes ports for outgoing connections: a client that keeps
  // knocking on a dead server's port could otherwise be given that very port, connect to itself and
  // keep the server from coming back.
  private static final int PORT_MIN = 20_000;
  private static final int PORTS = 10_000;

  private final Process process;
  private final Path log;
  private final long startedNanos = System.nanoTime();
  private final CompletableFuture<Ready> ready = new CompletableFuture<>();
  private final Thread hook;

  /// What the server says when it is ready.
  record Ready(InetSocketAddress listen, InetSocketAddress admin, Duration after) {}

  /// How to start a server.
  ///
  /// @param main the class to run: the product's, or one with a seeded bug
  record Plan(
      Path data, int port, Path log, String main, List<String> jvm, List<String> arguments) {

    static Plan of(Path data, int port, Path log) {
      return new Plan(data, port, log, MAIN, List.of(), List.of());
    }

    Plan with(String key, Object value) {
      var all = new ArrayList<>(arguments);
      all.add("--set");
      all.add(key + "=" + value);
      return new Plan(data, port, log, main, jvm, all);
    }

    Plan withJvm(String... options) {
      var all = new ArrayList<>(jvm);
      all.addAll(List.of(options));
      return new Plan(data, port, log, main, all, arguments);
    }

    Plan withMain(Class<?> mainClass) {
      return new Plan(data, port, log, mainClass.getName(), jvm, arguments);
    }

    Plan withData(Path folder) {
      return new Plan(folder, port, log, main, jvm, arguments);
    }
  }

  private ServerProcess(Process process, Path log) {
    this.process = process;
    this.log = log;
    hook = new Thread(process::destroyForcibly, "server-cleanup");
  }

  /// The JVM that runs this test.
  static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }

  /// A port that nobody listens on, for a server that must come back at the same one.
  static int freePort(Random random) {
    for (int attempt = 0; attempt < 100; attempt++) {
      int port = PORT_MIN + random.nextInt(PORTS);
      try (var socket = new ServerSocket()) {
        socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        return port;
      } catch (IOException e) {
        // Taken: try another.
      }
    }
    throw new IllegalStateException("no free port");
  }

  /// Starts a server and returns at once.
  static ServerProcess start(Plan plan) throws IOException {
    var command = new ArrayList<String>();
    command.add(java());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-XX:+UseCompactObjectHeaders",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xmx256m",
            "-ea",
            "-cp",
            System.getProperty("java.class.path")));
    command.addAll(plan.jvm);
    command.addAll(
        List.of(
            plan.main,
            "server",
            "--data",
            plan.data.toString(),
            "--listen",
            "127.0.0.1:" + plan.port,
            "--admin",
            "127.0.0.1:0",
            "--set",
            "http.listen=off"));
    command.addAll(plan.arguments);
    Files.createDirectories(plan.log.toAbsolutePath().getParent());
    var process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.appendTo(plan.log.toFile()))
            .start();
    var server = new ServerProcess(process, plan.log);
    Runtime.getRuntime().addShutdownHook(server.hook);
    Thread.ofPlatform().name("server-output").daemon().start(server::readOutput);
    return server;
  }

  private void readOutput() {
    try (var out = process.inputReader();
        var file = Files.newBufferedWriter(log.resolveSibling(log.getFileName() + ".out"))) {
      for (var line = out.readLine(); line != null; line = out.readLine()) {
        if (line.startsWith("ready ")) {
          ready.complete(parse(line));
        }
        file.write(line);
        file.newLine();
        file.flush();
      }
    } catch (IOException e) {
      // The process was killed while it wrote; its exit says the rest.
    } finally {
      ready.completeExceptionally(new IOException("the server ended before it was ready"));
    }
  }

  private Ready parse(String line) {
    Map<String, String> values = new HashMap<>();
    for (var word : line.split(" ", -1)) {
      int equals = word.indexOf('=');
      if (equals > 0) {
        values.put(word.substring(0, equals), word.substring(equals + 1));
      }
    }
    return new Ready(
        address(values.get("listen")),
        address(values.get("admin")),
        Duration.ofNanos(System.nanoTime() - startedNanos));
  }

  private static InetSocketAddress address(String text) {
    int colon = text.lastIndexOf(':');
    return new InetSocketAddress(
        text.substring(0, colon), Integer.parseInt(text.substring(colon + 1)));
  }

  /// Waits until the server takes connections.
  Ready awaitReady() {
    try {
      return ready.get(READY_MAX.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      throw new AssertionError("server not ready: " + e + "\n" + logTail(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  boolean isReady() {
    return ready.isDone() && !ready.isCompletedExceptionally();
  }

  Process process() {
    return process;
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /// `kill -9`, and waits for the end.
  void kill() {
    process.destroyForcibly();
    awaitEnd(Duration.ofSeconds(20));
  }

  /// `kill`, and waits for an orderly end. Returns the exit value.
  int stop() {
    process.destroy();
    awaitEnd(Duration.ofSeconds(30));
    return process.exitValue();
  }

  private void awaitEnd(Duration atMost) {
    try {
      if (!process.waitFor(atMost.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new AssertionError("the server does not end\n" + logTail());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  /// What an admin path answers, e.g. `/metrics`.
  HttpResponse<String> admin(String path) throws IOException {
    var address = awaitReady().admin();
    var uri = URI.create("http://" + address.getHostString() + ":" + address.getPort() + path);
    try (var http = HttpClient.newHttpClient()) {
      return http.send(
          HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(10)).build(),
          HttpResponse.BodyHandlers.ofString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  /// Everything on the server's error output so far.
  String log() {
    try {
      return Files.exists(log) ? Files.readString(log) : "";
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  String logTail() {
    var lines = log().lines().toList();
    return String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
  }

  @Override
  public void close() {
    process.destroyForcibly();
    awaitEnd(Duration.ofSeconds(20));
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is going down: the hook does it.
    }
  }
}

package io.tern.bench.scenario;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A JVM of ours in a process of its own, pinned to a core where the machine allows it. Lives until
/// [#close], which also runs when this JVM is killed by a signal it can see.
final class Child implements AutoCloseable {

  private static final int READY_SECONDS_MAX = 60;
  private static final int END_SECONDS_MAX = 20;
  private static final Pattern LISTEN = Pattern.compile("listen=(\\S+)");
  private static final Pattern TLS = Pattern.compile(" tls=(\\S+)");
  private static final Pattern FINGERPRINT = Pattern.compile("fingerprint=(\\S+)");
  private static final Pattern ADMIN = Pattern.compile("admin=(\\S+)");

  private final Process process;
  private final BufferedReader output;
  private final Thread hook;
  private final Path log;

  private Child(Process process, Path log) {
    this.process = process;
    this.log = log;
    this.output = process.inputReader();
    this.hook = new Thread(process::destroyForcibly);
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /// Starts `main` with this JVM's class path. What it writes to its error output goes to `log`.
  ///
  /// @param core to pin it to; -1 for none
  static Child start(int core, List<String> jvmOptions, String main, List<String> args, Path log)
      throws IOException {
    return start(List.of(), core, jvmOptions, main, args, log);
  }

  /// The same, for one that makes noise beside one that measures on the same core: it gives way.
  static Child startNicely(
      int core, List<String> jvmOptions, String main, List<String> args, Path log)
      throws IOException {
    return start(List.of("nice", "-n", "19"), core, jvmOptions, main, args, log);
  }

  private static Child start(
      List<String> before,
      int core,
      List<String> jvmOptions,
      String main,
      List<String> args,
      Path log)
      throws IOException {
    var command = new ArrayList<>(before);
    if (core >= 0 && canPin()) {
      command.addAll(List.of("taskset", "-c", Integer.toString(core)));
    }
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(jvmOptions);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main));
    command.addAll(args);
    Process process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start();
    return new Child(process, log);
  }

  /// Two processes can have a core each, and there is the tool to give it to them.
  static boolean canPin() {
    return Runtime.getRuntime().availableProcessors() >= 2
        && (Files.isExecutable(Path.of("/usr/bin/taskset"))
            || Files.isExecutable(Path.of("/bin/taskset")));
  }

  long pid() {
    return process.pid();
  }

  /// Waits for the line with which a server says that it is ready.
  Addresses ready() throws IOException {
    String line = awaitLine("ready ");
    Matcher listen = LISTEN.matcher(line);
    Matcher admin = ADMIN.matcher(line);
    if (!listen.find()) {
      throw new IOException("no listen= in: " + line);
    }
    Matcher tls = TLS.matcher(line);
    Matcher fingerprint = FINGERPRINT.matcher(line);
    return new Addresses(
        listen.group(1),
        admin.find() ? admin.group(1) : "",
        tls.find() ? tls.group(1) : "",
        fingerprint.find() ? fingerprint.group(1) : "");
  }

  /// @param admin empty when the server has none
  /// @param tls empty when the server has no such door
  record Addresses(String listen, String admin, String tls, String fingerprint) {
    /// What a client is told to connect so.
    List<String> connect(boolean overTls) {
      return overTls
          ? List.of("--connect", tls, "--pin", fingerprint)
          : List.of("--connect", listen);
    }
  }

  /// Waits for a line of output that starts so.
  String awaitLine(String start) throws IOException {
    return awaitLine(start, READY_SECONDS_MAX);
  }

  /// @param secondsMax after which it is killed
  String awaitLine(String start, int secondsMax) throws IOException {
    var watchdog = new Thread(() -> killAfter(secondsMax));
    watchdog.setDaemon(true);
    watchdog.start();
    try {
      while (true) {
        String line = output.readLine();
        if (line == null) {
          throw new IOException("ended before it said '" + start + "'; see " + log);
        }
        if (line.startsWith(start)) {
          return line;
        }
      }
    } finally {
      watchdog.interrupt();
    }
  }

  /// Writes a line to the child's input.
  void tell(String line) throws IOException {
    var input = process.outputWriter();
    input.write(line);
    input.newLine();
    input.flush();
  }

  /// Waits for the child to end by itself.
  int await(int secondsMax) throws InterruptedException {
    if (!process.waitFor(secondsMax, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new IllegalStateException("still running after " + secondsMax + " s; see " + log);
    }
    return process.exitValue();
  }

  /// Output that has not been awaited, to the end.
  String rest() {
    try {
      return output.readAllAsString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(END_SECONDS_MAX, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
    }
    Runtime.getRuntime().removeShutdownHook(hook);
  }

  private void killAfter(int seconds) {
    try {
      TimeUnit.SECONDS.sleep(seconds);
      process.destroyForcibly();
    } catch (InterruptedException e) {
      // It said what was awaited.
    }
  }
}

package io.tern.tools;

import java.time.Duration;
import picocli.CommandLine.Option;

/// Which server a command talks to, and for how long it tries.
public final class ConnectOptions {

  public static final String DEFAULT = "127.0.0.1:7420";

  @Option(
      names = "--connect",
      paramLabel = "HOST:PORT",
      defaultValue = "${env:TERN_CONNECT:-" + DEFAULT + "}",
      converter = HostPort.Converter.class,
      description =
          "The server (default: ${DEFAULT-VALUE}; the environment variable TERN_CONNECT sets it).")
  public HostPort server;

  @Option(
      names = "--patience",
      paramLabel = "SECONDS",
      defaultValue = "10",
      description = "How long to try to connect before giving up (default: ${DEFAULT-VALUE}).")
  public int patienceSeconds;

  public Duration patience() {
    return Duration.ofSeconds(patienceSeconds);
  }
}

package io.tern.tools;

import io.tern.client.ClientTls;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
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

  @Option(
      names = "--tls",
      description = "Connect with TLS and trust what this machine trusts, or --pin or --ca.")
  private boolean tls;

  @Option(
      names = "--pin",
      paramLabel = "sha256:HEX",
      split = ",",
      defaultValue = "${env:TERN_PIN:-}",
      description =
          "Connect with TLS to the server whose certificate has this fingerprint, as tern server"
              + " prints it (the environment variable TERN_PIN sets it).")
  private List<String> pins = List.of();

  @Option(
      names = "--ca",
      paramLabel = "FILE",
      description = "Connect with TLS and trust what these certificates (PEM) signed.")
  private @Nullable Path ca;

  /// Whom to trust; null for plain TCP.
  public @Nullable ClientTls tls() {
    List<String> given = pins.stream().filter(pin -> !pin.isBlank()).toList();
    try {
      if (!given.isEmpty()) {
        return ClientTls.pinned(given);
      }
      if (ca != null) {
        return ClientTls.trusting(ca);
      }
      return tls ? ClientTls.system() : null;
    } catch (IllegalArgumentException e) {
      throw new Failure(ExitCode.USAGE, "--pin: " + e.getMessage(), e);
    } catch (IOException e) {
      throw new Failure(ExitCode.USAGE, "--ca: " + Failure.reason(e), e);
    }
  }

  public Duration patience() {
    if (patienceSeconds < 1) {
      throw new Failure(ExitCode.USAGE, "--patience: at least 1 second, not " + patienceSeconds);
    }
    return Duration.ofSeconds(patienceSeconds);
  }
}

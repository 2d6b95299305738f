package io.tern.tools.admin;

import io.tern.client.account.AccountApi;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// Where a server's admin port is, and the credential for it. A secret is not taken from the
/// command line, which everyone on the machine can read.
public final class AdminOptions {

  @Option(
      names = "--admin",
      paramLabel = "URL",
      defaultValue = "${env:TERN_ADMIN:-http://127.0.0.1:7421}",
      description =
          "The admin port: HOST:PORT or https://HOST:PORT (default: ${DEFAULT-VALUE}; the"
              + " environment variable TERN_ADMIN sets it).")
  private String admin;

  @Option(
      names = "--admin-pin",
      paramLabel = "sha256:HEX",
      description = "Trust the server by its certificate's fingerprint.")
  private @Nullable String pin;

  @Option(
      names = "--secret-file",
      paramLabel = "FILE",
      description =
          "A file whose first line is the credential's secret (default: what the environment"
              + " variable TERN_ADMIN_SECRET says).")
  private @Nullable Path secretFile;

  @Option(
      names = "--plain",
      description = "Send the secret in plain to another machine, over a network that you trust.")
  private boolean plain;

  /// What asks the port.
  AccountApi api() {
    String text = admin.contains("://") ? admin : "http://" + admin;
    URI uri;
    try {
      uri = new URI(text);
    } catch (URISyntaxException e) {
      throw new Failure(ExitCode.USAGE, "--admin: HOST:PORT or https://HOST:PORT, not " + admin, e);
    }
    String host = uri.getHost();
    if (host == null || !String.valueOf(uri.getScheme()).matches("https?")) {
      throw new Failure(ExitCode.USAGE, "--admin: HOST:PORT or https://HOST:PORT, not " + admin);
    }
    if (uri.getScheme().equals("http") && !plain && !isLoopback(host)) {
      throw new Failure(
          ExitCode.USAGE,
          host + " is another machine: https://, or --plain for a network that you trust");
    }
    try {
      return new AccountApi(uri, pin);
    } catch (IllegalArgumentException e) {
      throw new Failure(ExitCode.USAGE, "--admin-pin: sha256: and 64 hex digits", e);
    }
  }

  String where() {
    return admin;
  }

  private static boolean isLoopback(String host) {
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException e) {
      throw new Failure(ExitCode.UNREACHABLE, "there is no host called " + host, e);
    }
  }

  /// The credential's secret.
  String secret() {
    String secret = "";
    if (secretFile != null) {
      try (var lines = Files.lines(secretFile)) {
        secret = lines.findFirst().orElse("").strip();
      } catch (IOException | RuntimeException e) {
        throw new Failure(ExitCode.USAGE, "cannot read " + secretFile, e);
      }
    } else if (System.getenv("TERN_ADMIN_SECRET") != null) {
      secret = System.getenv("TERN_ADMIN_SECRET").strip();
    }
    if (!secret.matches("[A-Za-z0-9_-]{1,128}")) {
      throw new Failure(
          ExitCode.USAGE,
          "no secret: put one in TERN_ADMIN_SECRET or --secret-file (tern admin credential add"
              + " makes one)");
    }
    return secret;
  }
}

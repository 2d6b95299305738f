package io.tern.tools.account;

import io.tern.client.account.AccountApi;
import io.tern.client.account.AccountTokens;
import io.tern.client.account.CredentialsFile;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.UserOptions;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// Which account a command is about, and where accounts are.
final class AccountOptions {

  @Option(
      names = "--account",
      paramLabel = "FILE",
      description =
          "The file that proves this device (default: account.json in ~/.tern or TERN_STATE).")
  private @Nullable Path account;

  @Option(
      names = "--http",
      paramLabel = "URL",
      defaultValue = "${env:TERN_HTTP:-http://127.0.0.1:7422}",
      description =
          "Where accounts are, for a new one (default: ${DEFAULT-VALUE}; the environment variable"
              + " TERN_HTTP sets it).")
  private String http;

  @Option(
      names = "--http-pin",
      paramLabel = "sha256:HEX",
      description = "Trust the server by its certificate's fingerprint.")
  private @Nullable String pin;

  Path path() {
    return account != null ? account : UserOptions.stateFolder(null).resolve("account.json");
  }

  /// The file, in a folder that is there.
  CredentialsFile file() {
    Path folder = path().toAbsolutePath().getParent();
    try {
      if (folder != null) {
        Files.createDirectories(folder);
      }
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED, "cannot make " + folder, e);
    }
    return new CredentialsFile(path());
  }

  /// What a code was asked for, until it comes.
  Path pending() {
    return path().resolveSibling(path().getFileName() + ".pending");
  }

  /// Where accounts are, for a new one.
  String server() {
    return http;
  }

  AccountApi api() {
    try {
      URI uri = new URI(http);
      if (uri.getHost() == null || !String.valueOf(uri.getScheme()).matches("https?")) {
        throw new Failure(ExitCode.USAGE, "--http: http(s)://HOST:PORT, not " + http);
      }
      return new AccountApi(uri, pin);
    } catch (URISyntaxException | IllegalArgumentException e) {
      throw new Failure(ExitCode.USAGE, "--http: http(s)://HOST:PORT, not " + http, e);
    }
  }

  /// The device's tokens: its secret is used when the newest token is about to end.
  AccountTokens tokens() throws IOException {
    if (!Files.exists(path())) {
      throw new Failure(
          ExitCode.USAGE,
          "there is no account in " + path() + ": tern account register or tern account link");
    }
    return AccountTokens.open(file());
  }
}

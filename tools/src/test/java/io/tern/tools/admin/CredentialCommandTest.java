package io.tern.tools.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.client.TernException;
import io.tern.client.account.AccountApi;
import io.tern.tools.ExitCode;
import io.tern.tools.LiveServer;
import io.tern.tools.LiveServer.Commands;
import io.tern.tools.LiveServer.Result;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `tern admin credential` on a data folder, with and without a server on it.
class CredentialCommandTest {

  @TempDir private Path folder;

  private static Result credential(Path data, String... words) {
    var all = new ArrayList<>(List.of("admin", "credential"));
    all.addAll(List.of(words));
    all.addAll(List.of("--data", data.toString()));
    return Commands.run(all.toArray(String[]::new));
  }

  private static Map<String, @Nullable Object> whoAmI(LiveServer server, String secret)
      throws IOException {
    var uri = URI.create("http://127.0.0.1:" + server.admin().getPort());
    return new AccountApi(uri, null).ask("GET", "/v1/credential", secret, null);
  }

  @Test
  void aSecretIsPrintedOnceAndIsGoodBesideARunningServerUntilItIsRemoved() throws IOException {
    try (var server = new LiveServer(folder)) {
      Result added = credential(server.data(), "add", "anna", "--role", "act");
      assertThat(added.exitCode()).as(added.err()).isZero();
      String secret = added.out().strip();
      assertThat(whoAmI(server, secret)).isEqualTo(Map.of("name", "anna", "role", "act"));

      Result listed = credential(server.data(), "list");
      assertThat(listed.out()).contains("anna").contains("act").doesNotContain(secret);
      assertThat(credential(server.data(), "list", "--json").out())
          .startsWith("{\"name\":\"anna\",\"role\":\"act\",\"created\":\"20");

      assertThat(credential(server.data(), "remove", "anna").out()).contains("anna is removed");
      assertThatThrownBy(() -> whoAmI(server, secret)).isInstanceOf(TernException.class);
      assertThat(credential(server.data(), "list").out()).isEmpty();
    }
  }

  @Test
  void aCredentialIsMadeBeforeTheServerHasEverRun() throws IOException {
    Path data = Files.createDirectory(folder.resolve("data"));
    Result added = credential(data, "add", "rita", "--json");
    assertThat(added.out()).startsWith("{\"name\":\"rita\",\"role\":\"read\",\"secret\":\"tern-ad");
    String secret = added.out().replaceAll(".*\"secret\":\"([^\"]+)\".*", "$1").strip();
    try (var server = new LiveServer(folder)) {
      assertThat(server.data()).isEqualTo(data);
      assertThat(whoAmI(server, secret)).containsEntry("role", "read");
    }
  }

  @Test
  void whatCannotBeDoneIsOneLine() throws IOException {
    Path data = Files.createDirectory(folder.resolve("data"));
    assertThat(credential(data, "add", "An na").exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(credential(data, "add", "anna").exitCode()).isZero();
    Result twice = credential(data, "add", "anna");
    assertThat(twice.exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(twice.err()).contains("anna already").hasLineCount(1);
    assertThat(twice.out()).isEmpty();
    Result none = credential(data, "remove", "bert");
    assertThat(none.exitCode()).isEqualTo(ExitCode.FAILED);
    assertThat(none.err()).contains("no credential called bert").hasLineCount(1);
    assertThat(credential(folder.resolve("nowhere"), "list").exitCode()).isEqualTo(ExitCode.FAILED);
    assertThat(Commands.run("admin").exitCode()).isEqualTo(ExitCode.USAGE);
  }
}

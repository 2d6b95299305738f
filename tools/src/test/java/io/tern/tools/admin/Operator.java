package io.tern.tools.admin;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AdminCredentials.Role;
import io.tern.tools.LiveServer;
import io.tern.tools.LiveServer.Commands;
import io.tern.tools.LiveServer.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/// Somebody who types `tern admin …`, with a file that holds their secret.
final class Operator {

  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path secret;
  private final List<String> options;

  private Operator(String admin, String pin, Path secret) {
    this.secret = secret;
    this.options =
        List.of("--admin", admin, "--admin-pin", pin, "--secret-file", secret.toString());
  }

  /// An operator of `server`, whose admin port has TLS, with a credential made for them.
  static Operator of(LiveServer server, String name, Role role)
      throws IOException, AdminCredentials.Unusable {
    String secret =
        AdminCredentials.in(server.data())
            .add(name, role, Instant.now(), new SecureRandom())
            .reveal();
    Path file = server.data().resolveSibling(name + ".secret");
    return at(server, Files.writeString(file, secret + "\n"));
  }

  /// Whoever has `secret`.
  static Operator at(LiveServer server, Path secret) {
    return new Operator(
        "https://127.0.0.1:" + server.admin().getPort(), server.fingerprint(), secret);
  }

  Path secret() {
    return secret;
  }

  /// What comes of it, whatever that is.
  Result admin(String... words) {
    var all = new ArrayList<>(List.of("admin"));
    all.addAll(List.of(words));
    all.addAll(options);
    return Commands.run(all.toArray(String[]::new));
  }

  /// What is printed by a command that succeeds.
  String done(String... words) {
    Result result = admin(words);
    assertThat(result.exitCode()).as(result.err()).isZero();
    return result.out();
  }

  /// The same for programs.
  JsonNode json(String... words) throws IOException {
    var all = new ArrayList<>(List.of(words));
    all.add("--json");
    return JSON.readTree(done(all.toArray(String[]::new)));
  }
}

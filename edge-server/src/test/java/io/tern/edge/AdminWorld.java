package io.tern.edge;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AdminCredentials.Role;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// A server with accounts, and its operators.
final class AdminWorld implements AutoCloseable {

  /// Whose server it is, and who has an account on it.
  final HttpWorld people;

  final AdminCredentials credentials;

  /// The admin port.
  final HttpDoor door;

  /// The secret of a credential that may read, and of one that may act.
  final String reader;

  final String actor;

  AdminWorld(Path data, String... settings) throws IOException {
    people = new HttpWorld(data, settings);
    credentials = AdminCredentials.in(data);
    reader = secret("rita", Role.READ);
    actor = secret("anna", Role.ACT);
    door = new HttpDoor(people.server.admin().getPort(), reader);
  }

  /// Makes a credential.
  String secret(String name, Role role) throws IOException {
    try {
      return credentials.add(name, role, Instant.now(), new SecureRandom()).reveal();
    } catch (AdminCredentials.Unusable e) {
      throw new AssertionError(e);
    }
  }

  /// Asks as the one who may act.
  Answer ask(String method, String path, @Nullable JsonNode body) {
    return door.ask(method, path, actor, body);
  }

  @Override
  public void close() {
    door.close();
    people.close();
  }
}

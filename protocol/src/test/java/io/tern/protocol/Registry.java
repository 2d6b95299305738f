package io.tern.protocol;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;

/// registry.json as it is in the jar.
final class Registry {

  static final JsonNode ROOT = read();

  private Registry() {}

  private static JsonNode read() {
    try (InputStream in =
        Objects.requireNonNull(Registry.class.getResourceAsStream("/tern/v1/registry.json"))) {
      return new ObjectMapper().readTree(in);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /// The flag's bit by its name.
  static int flag(String name) {
    for (JsonNode flag : ROOT.get("flags")) {
      if (flag.get("name").asText().equals(name)) {
        return Integer.parseInt(flag.get("bit").asText(), 16);
      }
    }
    throw new AssertionError("no flag " + name);
  }

  static int flags(JsonNode names) {
    int flags = 0;
    for (JsonNode name : names) {
      flags |= flag(name.asText());
    }
    return flags;
  }
}

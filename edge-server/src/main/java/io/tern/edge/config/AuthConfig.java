package io.tern.edge.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/// `auth.*`: whose tokens are good.
///
/// @param acceptDevelopment whether tokens of the development issuer are good
/// @param keys files with public keys, by key id
public record AuthConfig(
    boolean acceptDevelopment,
    Map<String, Path> keys,
    Duration resumeLifetime,
    int threads,
    int queue) {

  public AuthConfig {
    keys = Map.copyOf(keys);
  }
}

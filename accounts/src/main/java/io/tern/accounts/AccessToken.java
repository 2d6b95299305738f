package io.tern.accounts;

import java.time.Instant;

/// What a device shows at the edge; good until `expires`, whatever becomes of the device's secret.
public record AccessToken(String value, Instant expires) {

  @Override
  public String toString() {
    return "AccessToken[redacted, expires=" + expires + "]";
  }
}

package io.tern.accounts;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;

/// A secret, a code, a PIN: prints as nothing. Immutable.
public final class Secret {

  private final String value;

  public Secret(String value) {
    this.value = value;
  }

  /// The secret itself: for answers to its owner, and for hashing.
  public String reveal() {
    return value;
  }

  byte[] bytes() {
    return value.getBytes(StandardCharsets.UTF_8);
  }

  /// In constant time.
  @Override
  public boolean equals(Object other) {
    return other instanceof Secret secret && MessageDigest.isEqual(bytes(), secret.bytes());
  }

  @Override
  public int hashCode() {
    return 0;
  }

  @Override
  public String toString() {
    return "[redacted]";
  }
}

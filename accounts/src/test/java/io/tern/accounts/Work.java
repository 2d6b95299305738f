package io.tern.accounts;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.function.IntPredicate;

/// Proofs of work, as docs/accounts.md describes them to makers of apps.
final class Work {

  private Work() {}

  static Challenge challenge(Answer<?> refused) {
    return Objects.requireNonNull(((Answer.Refused<?>) refused).challenge());
  }

  static String proof(Challenge challenge) {
    return proof(challenge, bits -> bits >= challenge.bits());
  }

  /// The first whose hash begins with as many zero bits as are wanted.
  static String proof(Challenge challenge, IntPredicate wanted) {
    for (int nonce = 0; ; nonce++) {
      String proof = challenge.text() + "." + nonce;
      byte[] hash = Pepper.sha256(proof.getBytes(StandardCharsets.US_ASCII));
      if (wanted.test(256 - new BigInteger(1, hash).bitLength())) {
        return proof;
      }
    }
  }
}

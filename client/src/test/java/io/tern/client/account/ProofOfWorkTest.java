package io.tern.client.account;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class ProofOfWorkTest {

  private static final String CHALLENGE = "b3Jhbmdl".repeat(7);

  @Test
  void aProofIsTheChallengeWithANonceWhoseHashBeginsWithZeros() throws NoSuchAlgorithmException {
    for (int bits : new int[] {0, 1, 7, 8, 9, 16}) {
      String proof = Objects.requireNonNull(ProofOfWork.of(CHALLENGE, bits));
      assertThat(proof).matches(CHALLENGE + "\\.[A-Za-z0-9_-]{1,20}");
      byte[] hash =
          MessageDigest.getInstance("SHA-256").digest(proof.getBytes(StandardCharsets.US_ASCII));
      assertThat(256 - new BigInteger(1, hash).bitLength()).isGreaterThanOrEqualTo(bits);
    }
  }

  @Test
  void moreThanIsReasonableIsNotDone() {
    assertThat(ProofOfWork.of(CHALLENGE, ProofOfWork.BITS_MAX + 1)).isNull();
  }

  @Test
  void anInterruptedThreadWorksNoLonger() {
    Thread.currentThread().interrupt();
    assertThat(ProofOfWork.of(CHALLENGE, ProofOfWork.BITS_MAX)).isNull();
    assertThat(Thread.interrupted()).isTrue();
  }
}

package io.tern.edge.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.util.Base64URL;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import org.junit.jupiter.api.Test;

class Es256Test {

  private final ECKey key = generate(Curve.P_256);

  @Test
  void itsSignaturesAreTheJdksAndTheOtherWayRound() throws Exception {
    assertThat(signed(Es256.signer(key)).verify(new ECDSAVerifier(key.toPublicJWK()))).isTrue();
    assertThat(signed(new ECDSASigner(key)).verify(Es256.verifier(key.toPublicJWK()))).isTrue();
    assertThat(signed(new ECDSASigner(key)).verify(Es256.verifier(key.toECPublicKey()))).isTrue();
  }

  @Test
  void anotherKeysSignatureIsNone() throws Exception {
    var other = generate(Curve.P_256);

    assertThat(signed(Es256.signer(other)).verify(Es256.verifier(key.toPublicJWK()))).isFalse();
  }

  /// CVE-2022-21449: r = s = 0 once passed for a signature of anything.
  @Test
  void zerosAreNoSignature() throws Exception {
    JWSVerifier verifier = Es256.verifier(key.toPublicJWK());
    var header = new JWSHeader(JWSAlgorithm.ES256);

    assertThat(verifier.verify(header, new byte[20], Base64URL.encode(new byte[64]))).isFalse();
    assertThat(verifier.verify(header, new byte[20], Base64URL.encode(new byte[63]))).isFalse();
    assertThat(verifier.verify(header, new byte[20], Base64URL.encode(new byte[0]))).isFalse();
  }

  @Test
  void onASignatureEveryByteCounts() throws Exception {
    JWSVerifier verifier = Es256.verifier(key.toPublicJWK());
    SignedJWT jwt = signed(Es256.signer(key));
    byte[] signature = jwt.getSignature().decode();

    for (int i = 0; i < signature.length; i++) {
      signature[i] ^= 1;
      assertThat(
              verifier.verify(jwt.getHeader(), jwt.getSigningInput(), Base64URL.encode(signature)))
          .as("byte %d", i)
          .isFalse();
      signature[i] ^= 1;
    }
  }

  @Test
  void anotherCurveIsRefused() {
    var other = generate(Curve.P_384);

    assertThatThrownBy(() -> signed(Es256.signer(key)).verify(Es256.verifier(other.toPublicJWK())))
        .isInstanceOf(JOSEException.class);
  }

  private static SignedJWT signed(JWSSigner signer) throws JOSEException {
    var jwt =
        new SignedJWT(
            new JWSHeader(JWSAlgorithm.ES256), new JWTClaimsSet.Builder().subject("1").build());
    jwt.sign(signer);
    return jwt;
  }

  private static ECKey generate(Curve curve) {
    try {
      return new ECKeyGenerator(curve).generate();
    } catch (JOSEException e) {
      throw new IllegalStateException(e);
    }
  }
}

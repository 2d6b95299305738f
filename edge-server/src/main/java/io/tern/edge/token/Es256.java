package io.tern.edge.token;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.jwk.ECKey;
import java.security.Provider;
import java.security.interfaces.ECPublicKey;
import org.conscrypt.Conscrypt;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Signers and verifiers for ES256 over BoringSSL, where Conscrypt has it for this machine: a
/// signature is checked in 0.03 ms there and in 0.65 ms by the JDK, which was half of what a login
/// cost (docs/adr/0011). Elsewhere the JDK does it. Any thread.
final class Es256 {

  private static final Logger log = LoggerFactory.getLogger(Es256.class);

  private static final @Nullable Provider PROVIDER = find();

  private Es256() {}

  static ECDSAVerifier verifier(ECPublicKey key) throws JOSEException {
    return withProvider(new ECDSAVerifier(key));
  }

  static ECDSAVerifier verifier(ECKey key) throws JOSEException {
    return withProvider(new ECDSAVerifier(key));
  }

  static ECDSASigner signer(ECKey key) throws JOSEException {
    var signer = new ECDSASigner(key);
    if (PROVIDER != null) {
      signer.getJCAContext().setProvider(PROVIDER);
    }
    return signer;
  }

  private static ECDSAVerifier withProvider(ECDSAVerifier verifier) {
    if (PROVIDER != null) {
      verifier.getJCAContext().setProvider(PROVIDER);
    }
    return verifier;
  }

  private static @Nullable Provider find() {
    try {
      Conscrypt.checkAvailability();
      return Conscrypt.newProviderBuilder().provideTrustManager(false).build();
    } catch (UnsatisfiedLinkError e) {
      log.info("signatures by the JDK, at 20 times the CPU: {}", String.valueOf(e.getMessage()));
      return null;
    }
  }
}

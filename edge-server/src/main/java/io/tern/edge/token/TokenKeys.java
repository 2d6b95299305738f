package io.tern.edge.token;

import io.tern.edge.config.AuthConfig;
import io.tern.edge.config.ConfigProblem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.interfaces.ECPublicKey;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

/// The public keys that a configuration names.
public final class TokenKeys {

  private static final int P256_BITS = 256;

  private TokenKeys() {}

  /// Keys by key id, the development issuer's among them where it is accepted.
  ///
  /// @throws ConfigProblem when a file holds no usable key
  public static Map<String, ECPublicKey> of(AuthConfig config) {
    var keys = new HashMap<String, ECPublicKey>();
    for (var entry : config.keys().entrySet()) {
      keys.put(entry.getKey(), read("auth.keys." + entry.getKey(), entry.getValue()));
    }
    if (config.acceptDevelopment()) {
      keys.put(DevelopmentIssuer.KEY_ID, DevelopmentIssuer.publicKey());
    }
    return keys;
  }

  private static ECPublicKey read(String key, Path file) {
    try {
      String base64 =
          Files.readString(file).replaceAll("-----[A-Z ]+-----", "").replaceAll("\\s", "");
      var spec = new X509EncodedKeySpec(Base64.getDecoder().decode(base64));
      var found = (ECPublicKey) KeyFactory.getInstance("EC").generatePublic(spec);
      if (found.getParams().getCurve().getField().getFieldSize() == P256_BITS) {
        return found;
      }
    } catch (IOException | GeneralSecurityException | RuntimeException e) {
      // The answer is the same whatever is wrong with the file.
    }
    throw ConfigProblem.of(key, file, "a PEM file with a P-256 public key");
  }
}

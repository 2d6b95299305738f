package io.tern.edge.token;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.util.Base64URL;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.interfaces.ECPublicKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;

/// Tokens for development, signed with a key that everybody has: it is in this file. Whoever can
/// connect to a server that accepts them can be anyone, so a server does only while every listener
/// is on loopback, or when its operator says so in words.
///
/// Stands in for the user service: a user is a name, and its id follows from the name, so that
/// tools need nothing but a server's address. Any thread.
public final class DevelopmentIssuer {

  /// The key's id, in the token's header.
  public static final String KEY_ID = "development";

  /// How long tokens are good.
  public static final Duration LIFETIME = Duration.ofDays(1);

  private static final ECKey KEY =
      new ECKey.Builder(
              Curve.P_256,
              new Base64URL("ebJhzWIDfUrITTPlEHtZq3CMNMYDZiVYU3kf0Gzu9Cg"),
              new Base64URL("LSfbuucY9D_Tkq7yVdalWOsk-p-wzSciSdbaCjs9KuY"))
          .d(new Base64URL("1hYbjmHeC-X-Sx2gSb5vQwOmMtzSxvVfpNxPSm1vS_s"))
          .keyID(KEY_ID)
          .build();

  private static final ECDSASigner SIGNER = signer();

  private DevelopmentIssuer() {}

  /// The id of the user called `name`: the first 48 bits of the name's SHA-256.
  public static UserId userId(String name) {
    byte[] hash = sha256(name.getBytes(StandardCharsets.UTF_8));
    long id = 0;
    for (int i = 0; i < 6; i++) {
      id = id << 8 | (hash[i] & 0xFF);
    }
    // Nobody's hash is known to start with 48 zero bits, but 0 is no id.
    return new UserId(Math.max(id, 1));
  }

  /// A token for a user's device, as HELLO carries it, good for [#LIFETIME].
  public static byte[] token(String userName, int device) {
    return token(userId(userName), device);
  }

  public static byte[] token(UserId user, int device) {
    return token(new DeviceId(user, device), Instant.now().plus(LIFETIME));
  }

  public static byte[] token(DeviceId device, Instant until) {
    var claims =
        new JWTClaimsSet.Builder()
            .subject(Long.toString(device.user().value()))
            .claim(TokenVerifier.DEVICE_CLAIM, device.index())
            .expirationTime(Date.from(until))
            .build();
    var jwt =
        new SignedJWT(new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(KEY_ID).build(), claims);
    try {
      jwt.sign(SIGNER);
    } catch (JOSEException e) {
      throw new IllegalStateException("cannot sign with the built-in key", e);
    }
    return jwt.serialize().getBytes(StandardCharsets.US_ASCII);
  }

  /// What verifies the tokens.
  static ECPublicKey publicKey() {
    try {
      return KEY.toECPublicKey();
    } catch (JOSEException e) {
      throw new IllegalStateException("the built-in key", e);
    }
  }

  private static ECDSASigner signer() {
    try {
      return Es256.signer(KEY);
    } catch (JOSEException e) {
      throw new IllegalStateException("the built-in key", e);
    }
  }

  private static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}

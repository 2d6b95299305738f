package io.tern.edge.token;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.tern.edge.session.Authenticator.Accepted;
import io.tern.edge.session.Authenticator.Identity;
import io.tern.edge.session.Authenticator.Refused;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.nio.charset.StandardCharsets;
import java.security.interfaces.ECPublicKey;
import java.text.ParseException;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Checks a token: a JWT signed with ES256 by a known key (configured, or this server's own), with
/// the claims `sub` (the user's id, in decimal), `dev` (index of the device) and `exp`; where it
/// has `nbf`, it is not good before that, but for the difference of two clocks. No call to anyone.
/// Any thread; about 0.05 ms of CPU, most of it the signature.
///
/// Whatever is wrong with a token, the answer is TOKEN_INVALID and costs one signature check, also
/// where there is none to make: an unknown key, a bad signature and a user who is not there look
/// alike. Only a token that is good but old is TOKEN_EXPIRED.
public final class TokenVerifier {

  static final String DEVICE_CLAIM = "dev";

  /// Longer tokens are not looked at; HELLO's frame limit is 4 KiB.
  private static final int TOKEN_BYTES_MAX = 4096;

  /// How far the clock of who made the token may be ahead of this one.
  private static final long SKEW_MILLIS = 60_000;

  private static final Refused INVALID = new Refused(ErrorCode.TOKEN_INVALID, "");

  private final Map<String, JWSVerifier> byKeyId = new HashMap<>();

  /// This server's own keys; they change while it runs.
  private final @Nullable SigningKeys own;

  /// A token and its key, for checks that only take time.
  private final SignedJWT decoy;

  private final JWSVerifier decoyKey;

  /// @param keys public keys by key id
  public TokenVerifier(Map<String, ECPublicKey> keys) {
    this(keys, null);
  }

  /// @param keys public keys by key id; they come before this server's own
  public TokenVerifier(Map<String, ECPublicKey> keys, @Nullable SigningKeys own) {
    this.own = own;
    try {
      for (var key : keys.entrySet()) {
        byKeyId.put(key.getKey(), Es256.verifier(key.getValue()));
      }
      decoyKey = Es256.verifier(DevelopmentIssuer.publicKey());
      byte[] token = DevelopmentIssuer.token(new DeviceId(new UserId(1), 1), Instant.EPOCH);
      decoy = SignedJWT.parse(new String(token, StandardCharsets.US_ASCII));
    } catch (JOSEException | ParseException e) {
      throw new IllegalArgumentException("not a P-256 key", e);
    }
  }

  /// Says who the token names.
  ///
  /// @param nowMillis wall-clock time
  public Identity verify(byte[] token, long nowMillis) {
    SignedJWT jwt = parse(token);
    JWSVerifier verifier = jwt == null ? null : verifierOf(jwt);
    if (jwt == null || verifier == null) {
      spendTheSameTime();
      return INVALID;
    }
    try {
      if (!jwt.verify(verifier)) {
        return INVALID;
      }
      return identityIn(jwt.getJWTClaimsSet(), nowMillis);
    } catch (JOSEException | ParseException | RuntimeException e) {
      // What is wrong with it is its maker's business.
      return INVALID;
    }
  }

  private static @Nullable SignedJWT parse(byte[] token) {
    if (token.length > TOKEN_BYTES_MAX) {
      return null;
    }
    try {
      return SignedJWT.parse(new String(token, StandardCharsets.US_ASCII));
    } catch (ParseException | RuntimeException e) {
      return null;
    }
  }

  private @Nullable JWSVerifier verifierOf(SignedJWT jwt) {
    String keyId = jwt.getHeader().getKeyID();
    if (keyId == null || !JWSAlgorithm.ES256.equals(jwt.getHeader().getAlgorithm())) {
      return null;
    }
    JWSVerifier configured = byKeyId.get(keyId);
    return configured != null || own == null ? configured : own.verifier(keyId);
  }

  private static Identity identityIn(JWTClaimsSet claims, long nowMillis) throws ParseException {
    String subject = claims.getSubject();
    Integer device = claims.getIntegerClaim(DEVICE_CLAIM);
    var until = claims.getExpirationTime();
    if (subject == null || device == null || until == null || !DeviceId.isValid(device)) {
      return INVALID;
    }
    long user;
    try {
      user = Long.parseLong(subject);
    } catch (NumberFormatException e) {
      return INVALID;
    }
    if (!UserId.isValid(user)) {
      return INVALID;
    }
    var from = claims.getNotBeforeTime();
    if (from != null && from.toInstant().toEpochMilli() > nowMillis + SKEW_MILLIS) {
      return INVALID;
    }
    long untilMillis = until.toInstant().toEpochMilli();
    if (untilMillis <= nowMillis) {
      return new Refused(ErrorCode.TOKEN_EXPIRED, "");
    }
    return new Accepted(new DeviceId(new UserId(user), device), untilMillis, 0);
  }

  private void spendTheSameTime() {
    try {
      var _ = decoy.verify(decoyKey);
    } catch (JOSEException e) {
      // It is for the time only.
    }
  }
}

package io.tern.edge.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jwt.SignedJWT;
import io.tern.accounts.AccessToken;
import io.tern.edge.config.TokensConfig;
import io.tern.edge.session.Authenticator.Accepted;
import io.tern.edge.session.Authenticator.Refused;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SigningKeysTest {

  private static final DeviceId DEVICE = new DeviceId(new UserId(77), 3);
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  private static final Duration LIFETIME = Duration.ofMinutes(15);
  private static final Duration EVERY = Duration.ofDays(30);
  private static final Duration AHEAD = Duration.ofMinutes(10);

  @TempDir Path folder;

  private SigningKeys open(Instant now) throws IOException {
    return SigningKeys.open(
        folder.resolve("token-keys"),
        new TokensConfig(LIFETIME, EVERY, AHEAD),
        now,
        new SecureRandom());
  }

  private static TokenVerifier verifier(SigningKeys keys) {
    return new TokenVerifier(Map.of(DevelopmentIssuer.KEY_ID, DevelopmentIssuer.publicKey()), keys);
  }

  private static Object verified(TokenVerifier verifier, AccessToken token, Instant at) {
    return verifier.verify(token.value().getBytes(StandardCharsets.US_ASCII), at.toEpochMilli());
  }

  private static Accepted accepted(AccessToken token) {
    return new Accepted(DEVICE, token.expires().toEpochMilli(), 0);
  }

  private static String keyOf(AccessToken token) throws ParseException {
    return SignedJWT.parse(token.value()).getHeader().getKeyID();
  }

  private static List<String> published(SigningKeys keys, Instant now) throws ParseException {
    JWKSet set = JWKSet.parse(keys.published(now));
    assertThat(set.getKeys()).noneMatch(JWK::isPrivate);
    return set.getKeys().stream().map(JWK::getKeyID).toList();
  }

  @Test
  void aTokenOfOurOwnIsGoodUntilItEnds() throws IOException {
    SigningKeys keys = open(START);
    TokenVerifier verifier = verifier(keys);

    AccessToken token = keys.sign(DEVICE, START);

    assertThat(token.expires()).isEqualTo(START.plus(LIFETIME));
    assertThat(verified(verifier, token, START)).isEqualTo(accepted(token));
    assertThat(verified(verifier, token, START.plus(LIFETIME)))
        .isEqualTo(new Refused(ErrorCode.TOKEN_EXPIRED, ""));
    // Tokens of configured keys are as good as ever.
    assertThat(verifier.verify(DevelopmentIssuer.token(DEVICE.user(), 3), 0))
        .isInstanceOf(Accepted.class);
    // Another server's are not.
    SigningKeys other =
        SigningKeys.open(
            folder.resolve("others"),
            new TokensConfig(LIFETIME, EVERY, AHEAD),
            START,
            new SecureRandom());
    assertThat(verified(verifier, other.sign(DEVICE, START), START))
        .isEqualTo(new Refused(ErrorCode.TOKEN_INVALID, ""));
  }

  @Test
  void aNewKeyIsPublishedBeforeItSignsAndTheOldOneVerifiesUntilItsTokensHaveEnded()
      throws IOException, ParseException {
    SigningKeys keys = open(START);
    TokenVerifier verifier = verifier(keys);
    String first = keyOf(keys.sign(DEVICE, START));

    Instant early = START.plus(EVERY).minus(AHEAD);
    assertThat(published(keys, early.minusSeconds(1))).containsExactly(first);
    assertThat(published(keys, early)).hasSize(2).startsWith(first);
    String second = published(keys, early).getLast();
    // Published, and not signing yet.
    AccessToken last = keys.sign(DEVICE, early.plus(AHEAD).minusSeconds(1));
    assertThat(keyOf(last)).isEqualTo(first);
    AccessToken newer = keys.sign(DEVICE, early.plus(AHEAD));
    assertThat(keyOf(newer)).isEqualTo(second);
    // The last token of the old key is good to its end, though the new key signs.
    Instant end = last.expires().minusSeconds(1);
    assertThat(published(keys, end)).contains(first, second);
    assertThat(verified(verifier, last, end)).isEqualTo(accepted(last));
    assertThat(verified(verifier, newer, end)).isEqualTo(accepted(newer));
    // Then the old key goes.
    assertThat(published(keys, last.expires().plus(Duration.ofMinutes(2)))).containsExactly(second);
    assertThat(verified(verifier, last, START)).isEqualTo(new Refused(ErrorCode.TOKEN_INVALID, ""));
  }

  @Test
  void aRotationByHandAndARestartLogNobodyOut() throws IOException, ParseException {
    SigningKeys keys = open(START);
    AccessToken before = keys.sign(DEVICE, START);
    String next = keys.rotate(START);

    SigningKeys restarted = open(START.plusSeconds(60));
    TokenVerifier verifier = verifier(restarted);
    assertThat(published(restarted, START.plusSeconds(60)))
        .containsExactlyElementsOf(published(keys, START.plusSeconds(60)));
    assertThat(verified(verifier, before, START.plusSeconds(60))).isEqualTo(accepted(before));
    AccessToken after = restarted.sign(DEVICE, START.plus(AHEAD));
    assertThat(keyOf(after)).isEqualTo(next);
    assertThat(verified(verifier, after, START.plus(AHEAD))).isEqualTo(accepted(after));
    assertThat(verified(verifier, before, START.plus(AHEAD))).isEqualTo(accepted(before));
  }

  @Test
  void theNumberOfKeysHasABound() throws IOException {
    SigningKeys keys = open(START);
    for (int i = 1; i < SigningKeys.KEYS_MAX; i++) {
      keys.rotate(START);
    }
    assertThatThrownBy(() -> keys.rotate(START)).isInstanceOf(IllegalStateException.class);
    // Signing goes on, also when a rotation is due, and there is room again in time.
    keys.sign(DEVICE, START.plus(EVERY));
    keys.rotate(START.plus(EVERY).plus(Duration.ofHours(1)));
  }

  @Test
  void theFileIsItsOwnersAloneAndADamagedOneIsRefusedWithoutItsContents() throws IOException {
    open(START);
    Path file = folder.resolve("token-keys");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
    String json = Files.readString(file);
    String secret = json.replaceAll(".*\"d\":\"([^\"]+)\".*", "$1");
    assertThat(secret).hasSizeGreaterThan(40).doesNotContain("{");

    for (String damaged : List.of("", "{", "{\"keys\":[]}", json.replace("\"d\":", "\"x\":"))) {
      Files.writeString(file, damaged);
      assertThatThrownBy(() -> open(START))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("damaged")
          .hasMessageNotContaining(secret)
          .hasNoCause();
    }
  }
}

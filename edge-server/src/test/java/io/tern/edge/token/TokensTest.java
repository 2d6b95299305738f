package io.tern.edge.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.tern.edge.config.AuthConfig;
import io.tern.edge.config.ConfigProblem;
import io.tern.edge.session.Authenticator.Accepted;
import io.tern.edge.session.Authenticator.Identity;
import io.tern.edge.session.Authenticator.Refused;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokensTest {

  private static final DeviceId DEVICE = new DeviceId(DevelopmentIssuer.userId("alice"), 3);
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final long NOW_MILLIS = NOW.toEpochMilli();
  private static final Duration LIFETIME = Duration.ofHours(1);

  @TempDir Path folder;

  private final TokenVerifier verifier =
      new TokenVerifier(Map.of(DevelopmentIssuer.KEY_ID, DevelopmentIssuer.publicKey()));

  private final ResumeTickets tickets = new ResumeTickets(new byte[32], LIFETIME);

  private static ErrorCode refusal(Identity identity) {
    return ((Refused) identity).code();
  }

  // ---- tokens ----------------------------------------------------------------------------------

  @Test
  void aUsersIdFollowsFromItsName() {
    // printf alice | sha256sum
    assertThat(DevelopmentIssuer.userId("alice")).isEqualTo(new UserId(0x2bd806c97f0eL));
    assertThat(DevelopmentIssuer.userId("bob")).isNotEqualTo(DevelopmentIssuer.userId("Bob"));
  }

  @Test
  void aGoodTokenNamesUserAndDevice() {
    byte[] token = DevelopmentIssuer.token(DEVICE, NOW.plusSeconds(60));
    assertThat(verifier.verify(token, NOW_MILLIS))
        .isEqualTo(new Accepted(DEVICE, NOW_MILLIS + 60_000, 0));
  }

  @Test
  void anOldTokenIsExpired() {
    byte[] token = DevelopmentIssuer.token(DEVICE, NOW);
    assertThat(refusal(verifier.verify(token, NOW_MILLIS))).isEqualTo(ErrorCode.TOKEN_EXPIRED);
  }

  @Test
  void aTokenIsNotGoodBeforeItsTime() throws Exception {
    ECKey key = new ECKeyGenerator(Curve.P_256).keyID("mine").generate();
    var ofOthers = new TokenVerifier(Map.of("mine", key.toECPublicKey()));
    assertThat(ofOthers.verify(token(key, NOW.plusSeconds(3600)), NOW_MILLIS))
        .isEqualTo(new Refused(ErrorCode.TOKEN_INVALID, ""));
    // Two clocks are never the same.
    assertThat(ofOthers.verify(token(key, NOW.plusSeconds(30)), NOW_MILLIS))
        .isInstanceOf(Accepted.class);
  }

  private static byte[] token(ECKey key, Instant from) throws JOSEException {
    var jwt =
        new SignedJWT(
            new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(key.getKeyID()).build(),
            new JWTClaimsSet.Builder()
                .subject("12")
                .claim(TokenVerifier.DEVICE_CLAIM, 1)
                .notBeforeTime(Date.from(from))
                .expirationTime(Date.from(from.plusSeconds(3600)))
                .build());
    jwt.sign(new ECDSASigner(key));
    return jwt.serialize().getBytes(StandardCharsets.US_ASCII);
  }

  @Test
  void whateverElseIsWrongTheAnswerIsTheSame() {
    byte[] good = DevelopmentIssuer.token(DEVICE, NOW.plusSeconds(60));
    String[] parts = new String(good, StandardCharsets.US_ASCII).split("\\.", -1);
    var encoder = Base64.getUrlEncoder().withoutPadding();
    String none = encoder.encodeToString("{\"alg\":\"none\"}".getBytes(StandardCharsets.UTF_8));
    String otherKey =
        encoder.encodeToString(
            "{\"alg\":\"ES256\",\"kid\":\"other\"}".getBytes(StandardCharsets.UTF_8));
    String admin =
        encoder.encodeToString("{\"sub\":\"1\",\"dev\":1}".getBytes(StandardCharsets.UTF_8));
    String[] bad = {
      "",
      "x",
      "a.b.c",
      parts[0] + "." + parts[1] + ".",
      parts[0] + "." + admin + "." + parts[2],
      none + "." + parts[1] + ".",
      otherKey + "." + parts[1] + "." + parts[2],
      "x".repeat(10_000)
    };
    for (String token : bad) {
      Identity answer = verifier.verify(token.getBytes(StandardCharsets.US_ASCII), NOW_MILLIS);
      assertThat(answer).as(token).isEqualTo(new Refused(ErrorCode.TOKEN_INVALID, ""));
    }
  }

  @Test
  void withoutTheDevelopmentKeyItsTokensAreWorthNothing() {
    var strict = new TokenVerifier(Map.of());
    byte[] token = DevelopmentIssuer.token(DEVICE, NOW.plusSeconds(60));
    assertThat(refusal(strict.verify(token, NOW_MILLIS))).isEqualTo(ErrorCode.TOKEN_INVALID);
  }

  @Test
  void keysComeFromPemFilesAndBadOnesAreNamed() throws Exception {
    var generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    Path good = folder.resolve("good.pem");
    Files.writeString(
        good,
        "-----BEGIN PUBLIC KEY-----\n"
            + Base64.getMimeEncoder()
                .encodeToString(generator.generateKeyPair().getPublic().getEncoded())
            + "\n-----END PUBLIC KEY-----\n");
    Path bad = folder.resolve("bad.pem");
    Files.writeString(bad, "not a key");

    assertThat(TokenKeys.of(auth(false, "mine", good)).keySet()).containsExactly("mine");
    assertThat(TokenKeys.of(auth(true, "mine", good)).keySet())
        .containsExactlyInAnyOrder("mine", DevelopmentIssuer.KEY_ID);
    assertThatThrownBy(() -> TokenKeys.of(auth(false, "mine", bad)))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining("auth.keys.mine = " + bad);
  }

  private static AuthConfig auth(boolean development, String id, Path file) {
    return new AuthConfig(development, Map.of(id, file), LIFETIME, 1, 1);
  }

  // ---- tickets ---------------------------------------------------------------------------------

  private static Accepted identity(long untilMillis) {
    return new Accepted(DEVICE, untilMillis, 0);
  }

  @Test
  void aTicketOpensToWhomItWasSealedFor() {
    byte[] ticket = tickets.seal(identity(NOW_MILLIS + 99_000_000), NOW_MILLIS);
    assertThat(tickets.open(ticket, 1, NOW_MILLIS))
        .isEqualTo(new Accepted(DEVICE, NOW_MILLIS + 99_000_000, 1));
  }

  @Test
  void aChangedTicketOneOfAnotherKeyAndRubbishAreRejected() {
    byte[] ticket = tickets.seal(identity(NOW_MILLIS + 99_000_000), NOW_MILLIS);
    for (int i = 0; i < ticket.length; i++) {
      byte[] changed = ticket.clone();
      changed[i] ^= 1;
      assertThat(refusal(tickets.open(changed, 1, NOW_MILLIS)))
          .isEqualTo(ErrorCode.RESUME_REJECTED);
    }
    byte[] otherKey = new byte[32];
    otherKey[0] = 1;
    assertThat(refusal(new ResumeTickets(otherKey, LIFETIME).open(ticket, 1, NOW_MILLIS)))
        .isEqualTo(ErrorCode.RESUME_REJECTED);
    assertThat(refusal(tickets.open(new byte[5], 1, NOW_MILLIS)))
        .isEqualTo(ErrorCode.RESUME_REJECTED);
  }

  @Test
  void aTicketEndsWithItsLifetimeOrTheTokenBehindIt() {
    byte[] ofLongToken = tickets.seal(identity(NOW_MILLIS + 99_000_000), NOW_MILLIS);
    long end = NOW_MILLIS + LIFETIME.toMillis();
    assertThat(tickets.open(ofLongToken, 1, end - 1)).isInstanceOf(Accepted.class);
    assertThat(refusal(tickets.open(ofLongToken, 2, end))).isEqualTo(ErrorCode.RESUME_REJECTED);

    byte[] ofShortToken = tickets.seal(identity(NOW_MILLIS + 10_000), NOW_MILLIS);
    assertThat(tickets.secondsLeft(identity(NOW_MILLIS + 10_000), NOW_MILLIS)).isEqualTo(10);
    assertThat(refusal(tickets.open(ofShortToken, 3, NOW_MILLIS + 10_000)))
        .isEqualTo(ErrorCode.RESUME_REJECTED);
  }

  @Test
  void theTicketBeforeIsGoodUntilTheNewOneIsUsedAndTheCountRises() {
    Accepted first = identity(NOW_MILLIS + 99_000_000);
    byte[] one = tickets.seal(first, NOW_MILLIS);
    var opened = (Accepted) tickets.open(one, 1, NOW_MILLIS);
    byte[] two = tickets.seal(opened, NOW_MILLIS);

    // The answer with ticket two was lost: the client comes with ticket one again.
    assertThat(tickets.open(one, 2, NOW_MILLIS)).isInstanceOf(Accepted.class);
    // A copy that does not know the count does not pass.
    assertThat(refusal(tickets.open(one, 2, NOW_MILLIS))).isEqualTo(ErrorCode.RESUME_REJECTED);
    assertThat(tickets.open(two, 3, NOW_MILLIS)).isInstanceOf(Accepted.class);
    assertThat(refusal(tickets.open(one, 4, NOW_MILLIS))).isEqualTo(ErrorCode.RESUME_REJECTED);
  }

  @Test
  void theKeyIsMadeOnceAndReadableByItsOwnerAlone() throws IOException {
    Path file = folder.resolve("resume.key");
    byte[] made = KeyFile.in(file);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
    assertThat(KeyFile.in(file)).isEqualTo(made).hasSize(32);
    Files.write(file, new byte[3]);
    assertThatThrownBy(() -> KeyFile.in(file))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("damaged");
  }
}

package io.tern.edge.token;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.tern.accounts.AccessToken;
import io.tern.accounts.TokenSigner;
import io.tern.edge.config.TokensConfig;
import io.tern.protocol.DeviceId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Date;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The P-256 keys with which this server signs access tokens, in a file of the data folder that
/// only its owner can read. A key's life:
///
/// ```
/// made, published ── publishAhead ──► signs ── rotateEvery ──► verifies only ── tokenLifetime ──► gone
/// ```
///
/// A key is on disk before it is published, and published before it signs, so that whoever keeps
/// the published set knows each key when its first token comes; and it verifies until the last
/// token it signed has ended, so that a rotation logs nobody out. A restart goes on where the file
/// says.
///
/// Any thread: signing and publishing take a short lock (the file is written under it, a few times
/// a year); verifying takes none. Bounds: [#KEYS_MAX] keys.
public final class SigningKeys implements TokenSigner {

  /// Keys that can be there at once: many rotations by hand within one token's life.
  static final int KEYS_MAX = 16;

  /// How far the clocks of verifiers may lag.
  private static final Duration SKEW = Duration.ofMinutes(1);

  private static final long FILE_BYTES_MAX = 1 << 20;

  private static final Logger log = LoggerFactory.getLogger(SigningKeys.class);

  /// One key, with what its file says of it.
  ///
  /// @param signsFrom when it takes over from the one before
  private record Key(ECKey jwk, Instant signsFrom, ECDSASigner signer, JWSVerifier verifier) {
    String id() {
      return jwk.getKeyID();
    }
  }

  private final Path file;
  private final TokensConfig config;
  private final SecureRandom random;

  /// Oldest first; never empty. Guarded by this.
  private List<Key> keys;

  private volatile Map<String, JWSVerifier> verifiers = Map.of();

  /// The keys in `file`; a first one is made when it is not there.
  ///
  /// @throws IOException with one line, when the file cannot be read or written, or is damaged
  public static SigningKeys open(Path file, TokensConfig config, Instant now, SecureRandom random)
      throws IOException {
    return new SigningKeys(file, config, now, random);
  }

  private SigningKeys(Path file, TokensConfig config, Instant now, SecureRandom random)
      throws IOException {
    this.file = file;
    this.config = config;
    this.random = random;
    keys = Files.exists(file) ? read() : List.of(made(now, now));
    if (!Files.exists(file)) {
      write(keys);
    }
    publish();
  }

  // ---- signing ---------------------------------------------------------------------------------

  @Override
  public synchronized AccessToken sign(DeviceId device, Instant now) {
    turn(now);
    Key key = signing(now);
    Instant until = now.plus(config.lifetime());
    var claims =
        new JWTClaimsSet.Builder()
            .subject(Long.toString(device.user().value()))
            .claim(TokenVerifier.DEVICE_CLAIM, device.index())
            .issueTime(Date.from(now))
            .expirationTime(Date.from(until))
            .build();
    var jwt =
        new SignedJWT(new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(key.id()).build(), claims);
    try {
      jwt.sign(key.signer());
    } catch (JOSEException e) {
      throw new IllegalStateException("cannot sign with key " + key.id(), e);
    }
    // The claim has whole seconds.
    return new AccessToken(jwt.serialize(), Instant.ofEpochSecond(until.getEpochSecond()));
  }

  /// The public keys, also of those that do not sign yet or any more, as a JWK set.
  public synchronized String published(Instant now) {
    turn(now);
    return new JWKSet(keys.stream().<JWK>map(Key::jwk).toList()).toString(true);
  }

  /// What verifies a key's tokens, or null for a key that is not ours.
  @Nullable JWSVerifier verifier(String keyId) {
    return verifiers.get(keyId);
  }

  // ---- rotation --------------------------------------------------------------------------------

  /// Makes a key now that signs after the usual delay, whatever the calendar says. Tokens that are
  /// out stay good until they end.
  ///
  /// @return the new key's id
  /// @throws IllegalStateException when there are [#KEYS_MAX]
  public synchronized String rotate(Instant now) throws IOException {
    drop(now);
    if (keys.size() >= KEYS_MAX) {
      throw new IllegalStateException(
          KEYS_MAX + " keys are there already; the older ones go when their tokens have ended");
    }
    Key next = made(now, now.plus(config.publishAhead()));
    var all = new ArrayList<>(keys);
    all.add(next);
    take(all);
    log.info("token key {} signs from {}", next.id(), next.signsFrom());
    return next.id();
  }

  /// Does what is due.
  private void turn(Instant now) {
    Instant due = keys.getLast().signsFrom().plus(config.rotateEvery());
    try {
      if (!now.isBefore(due.minus(config.publishAhead())) && keys.size() < KEYS_MAX) {
        rotate(now);
      } else {
        drop(now);
      }
    } catch (IOException e) {
      // The keys there are go on; the next token tries again.
      log.warn("cannot write {}: token keys are not rotated", file, e);
    }
  }

  /// Forgets keys whose last token has ended.
  private void drop(Instant now) throws IOException {
    int gone = 0;
    while (gone + 1 < keys.size()
        && !keys.get(gone + 1).signsFrom().plus(config.lifetime()).plus(SKEW).isAfter(now)) {
      gone++;
    }
    if (gone > 0) {
      take(List.copyOf(keys.subList(gone, keys.size())));
    }
  }

  private Key signing(Instant now) {
    for (int i = keys.size() - 1; i > 0; i--) {
      if (!keys.get(i).signsFrom().isAfter(now)) {
        return keys.get(i);
      }
    }
    return keys.getFirst();
  }

  private void take(List<Key> all) throws IOException {
    write(all);
    keys = all;
    publish();
  }

  private void publish() {
    verifiers = keys.stream().collect(Collectors.toUnmodifiableMap(Key::id, Key::verifier));
  }

  private Key made(Instant now, Instant signsFrom) {
    try {
      var generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"), random);
      KeyPair pair = generator.generateKeyPair();
      var id = new byte[8];
      random.nextBytes(id);
      return key(
          new ECKey.Builder(Curve.P_256, (ECPublicKey) pair.getPublic())
              .privateKey((ECPrivateKey) pair.getPrivate())
              .keyUse(KeyUse.SIGNATURE)
              .algorithm(JWSAlgorithm.ES256)
              .keyID(HexFormat.of().formatHex(id))
              .issueTime(Date.from(now))
              .notBeforeTime(Date.from(signsFrom))
              .build());
    } catch (java.security.GeneralSecurityException | JOSEException e) {
      throw new IllegalStateException("every JDK has P-256", e);
    }
  }

  private static Key key(ECKey jwk) throws JOSEException {
    return new Key(
        jwk,
        jwk.getNotBeforeTime().toInstant(),
        Es256.signer(jwk),
        Es256.verifier(jwk.toPublicJWK()));
  }

  // ---- the file --------------------------------------------------------------------------------

  private List<Key> read() throws IOException {
    try {
      if (Files.size(file) > FILE_BYTES_MAX) {
        throw new IOException("it is too large");
      }
      var found = new ArrayList<Key>();
      for (JWK jwk : JWKSet.parse(Files.readString(file)).getKeys()) {
        found.add(key(jwk.toECKey()));
      }
      Predicate<Key> odd = key -> !key.jwk().isPrivate() || key.id() == null;
      if (found.isEmpty() || found.size() > KEYS_MAX || found.stream().anyMatch(odd)) {
        throw new IOException("it has no usable keys");
      }
      found.sort(Comparator.comparing(Key::signsFrom));
      return List.copyOf(found);
    } catch (IOException | ParseException | JOSEException | RuntimeException e) {
      // Not what is in it: these are private keys.
      throw new IOException(
          file
              + " cannot be read or is damaged ("
              + e.getClass().getSimpleName()
              + "): delete it, and devices will get new tokens by their secrets");
    }
  }

  /// All or nothing, and on disk when it returns.
  private void write(List<Key> all) throws IOException {
    byte[] json =
        new JWKSet(all.stream().<JWK>map(Key::jwk).toList())
            .toString(false)
            .getBytes(StandardCharsets.UTF_8);
    Path next = file.resolveSibling(file.getFileName() + ".next");
    Files.deleteIfExists(next);
    try (FileChannel channel =
        FileChannel.open(
            next,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
      ByteBuffer out = ByteBuffer.wrap(json);
      while (out.hasRemaining()) {
        channel.write(out);
      }
      channel.force(true);
    }
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    Path folder = file.toAbsolutePath().getParent();
    if (folder != null) {
      try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
        channel.force(true);
      }
    }
  }
}

package io.tern.accounts;

import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Tally;
import io.tern.protocol.ErrorCode;
import io.tern.store.RecordKey;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Proofs of work. A [Challenge] is for one number and one network, and good for [#LIFE]; nothing
/// is kept of it until its proof is shown, for the server's MAC is in it. A proof is good once:
/// that it was used is a record until the challenge ends. Only a proof that is right is written
/// down, so that as many are kept as budgets let through. Any thread; blocks.
final class Proofs {

  static final Duration LIFE = Duration.ofMinutes(5);

  private static final int RANDOM_BYTES = 17;
  private static final int MAC_BYTES = 16;

  /// The random bytes, when it ends, and the bits.
  private static final int SAID_BYTES = RANDOM_BYTES + Long.BYTES + 1;

  private static final int CHALLENGE_BYTES = SAID_BYTES + MAC_BYTES;

  /// A multiple of 3 bytes: one text for one challenge.
  private static final int CHALLENGE_CHARACTERS = CHALLENGE_BYTES / 3 * 4;

  private static final Pattern PROOF =
      Pattern.compile("[A-Za-z0-9_-]{" + CHALLENGE_CHARACTERS + "}\\.[A-Za-z0-9_-]{1,20}");

  private final Context context;

  Proofs(Context context) {
    this.context = context;
  }

  /// Takes the proof, or refuses with a fresh challenge.
  ///
  /// @param retryMillis in how long it may be tried without a proof
  /// @throws Refusal there is none, or it is not good
  void require(@Nullable String proof, byte[] numberHash, Caller caller, long retryMillis) {
    if (proof == null) {
      throw asked(numberHash, caller, retryMillis);
    }
    if (!isRight(proof, numberHash, caller) || !isFirst(proof)) {
      context.meter.add(AccountsEvent.PROOFS_WRONG);
      throw refusal(numberHash, caller, retryMillis);
    }
    context.meter.add(AccountsEvent.PROOFS_RIGHT);
  }

  Refusal asked(byte[] numberHash, Caller caller, long retryMillis) {
    context.meter.add(AccountsEvent.PROOFS_ASKED);
    return refusal(numberHash, caller, retryMillis);
  }

  private Refusal refusal(byte[] numberHash, Caller caller, long retryMillis) {
    int bits = context.config.sms().proofBits();
    long expires = context.now() + LIFE.toMillis();
    byte[] said =
        ByteBuffer.allocate(SAID_BYTES)
            .put(Pepper.random(context.random, RANDOM_BYTES))
            .putLong(expires)
            .put((byte) bits)
            .array();
    byte[] all =
        ByteBuffer.allocate(CHALLENGE_BYTES).put(said).put(mac(said, numberHash, caller)).array();
    return new Refusal(
        ErrorCode.RATE, "proof", retryMillis, new Challenge(Pepper.text(all), bits, expires));
  }

  private boolean isRight(String proof, byte[] numberHash, Caller caller) {
    if (!PROOF.matcher(proof).matches()) {
      return false;
    }
    byte[] all = challengeOf(proof);
    byte[] said = Arrays.copyOf(all, SAID_BYTES);
    byte[] mac = Arrays.copyOfRange(all, SAID_BYTES, CHALLENGE_BYTES);
    return MessageDigest.isEqual(mac, mac(said, numberHash, caller))
        && expiresOf(all) > context.now()
        && zeroBits(Pepper.sha256(Pepper.bytes(proof))) >= said[SAID_BYTES - 1];
  }

  private boolean isFirst(String proof) {
    byte[] all = challengeOf(proof);
    return context.cells.change(
        RecordKey.ofHash(Kinds.TALLY, context.pepper.mac("proof used", all)),
        Tally.parser(),
        found ->
            found == null
                ? Step.put(
                    Tally.newBuilder().setBeganMs(context.now()).setSent(1).build(),
                    expiresOf(all),
                    true)
                : Step.keep(false));
  }

  private static byte[] challengeOf(String proof) {
    return Pepper.bytesOf(proof.substring(0, CHALLENGE_CHARACTERS), CHALLENGE_BYTES);
  }

  private static long expiresOf(byte[] challenge) {
    return ByteBuffer.wrap(challenge).getLong(RANDOM_BYTES);
  }

  private byte[] mac(byte[] said, byte[] numberHash, Caller caller) {
    return Arrays.copyOf(
        context.pepper.mac("proof", said, numberHash, caller.network()), MAC_BYTES);
  }

  private static int zeroBits(byte[] hash) {
    int bits = 0;
    for (byte b : hash) {
      if (b != 0) {
        return bits + Integer.numberOfLeadingZeros(b & 0xFF) - (Integer.SIZE - Byte.SIZE);
      }
      bits += Byte.SIZE;
    }
    return bits;
  }
}

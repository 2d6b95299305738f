package io.tern.client.account;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// The work that a server asks for before it sends a code to a number where codes are pumped:
/// `docs/accounts.md` of the server describes it. Any thread.
public final class ProofOfWork {

  /// A server that asks for more is not obeyed: this many take minutes.
  public static final int BITS_MAX = 26;

  /// How long is worked at most; the challenge lives a few minutes.
  public static final Duration TIME_MAX = Duration.ofMinutes(2);

  private static final byte[] ALPHABET =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
          .getBytes(StandardCharsets.US_ASCII);
  private static final int NONCE_CHARACTERS = 7;

  /// Tries between two looks at the clock.
  private static final int CLOCK_MASK = 0xFFFF;

  private ProofOfWork() {}

  /// Works until it is found: about `2^bits` hashes. Blocks for at most [#TIME_MAX].
  ///
  /// @return the proof; null when it is too much, took too long, or the thread was interrupted
  public static @Nullable String of(String challenge, int bits) {
    if (bits > BITS_MAX) {
      return null;
    }
    byte[] start = (challenge + ".").getBytes(StandardCharsets.US_ASCII);
    byte[] proof = new byte[start.length + NONCE_CHARACTERS];
    System.arraycopy(start, 0, proof, 0, start.length);
    MessageDigest sha = sha256();
    byte[] hash = new byte[sha.getDigestLength()];
    long until = System.nanoTime() + TIME_MAX.toNanos();
    for (long n = 0; ; n++) {
      for (int i = 0; i < NONCE_CHARACTERS; i++) {
        proof[start.length + i] = ALPHABET[(int) (n >>> (6 * i)) & 63];
      }
      sha.update(proof);
      try {
        sha.digest(hash, 0, hash.length);
      } catch (DigestException e) {
        throw new IllegalStateException("there is room for it", e);
      }
      if (beginsWithZeros(hash, bits)) {
        return new String(proof, StandardCharsets.US_ASCII);
      }
      if ((n & CLOCK_MASK) == 0
          && (Thread.currentThread().isInterrupted() || System.nanoTime() - until > 0)) {
        return null;
      }
    }
  }

  private static boolean beginsWithZeros(byte[] hash, int bits) {
    int first = ByteBuffer.wrap(hash).getInt();
    return Integer.numberOfLeadingZeros(first) >= bits;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}

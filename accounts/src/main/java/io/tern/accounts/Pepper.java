package io.tern.accounts;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.random.RandomGenerator;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// Hashes, keyed with what only the server has: a stolen store does not tell numbers by trying all
/// of them, nor codes. Any thread.
final class Pepper {

  static final int BYTES = 32;

  private static final String HMAC = "HmacSHA256";

  private final SecretKeySpec key;

  Pepper(byte[] pepper) {
    if (pepper.length != BYTES) {
      throw new IllegalArgumentException("a pepper of " + pepper.length + " bytes, not " + BYTES);
    }
    key = new SecretKeySpec(pepper, HMAC);
  }

  /// The HMAC of `parts` for one purpose; each is told apart by its length.
  byte[] mac(String purpose, byte[]... parts) {
    try {
      Mac mac = Mac.getInstance(HMAC);
      mac.init(key);
      add(mac, purpose.getBytes(StandardCharsets.UTF_8));
      for (byte[] part : parts) {
        add(mac, part);
      }
      return mac.doFinal();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has " + HMAC, e);
    }
  }

  private static void add(Mac mac, byte[] part) {
    mac.update((byte) (part.length >>> 8));
    mac.update((byte) part.length);
    mac.update(part);
  }

  byte[] number(String e164) {
    return mac("number", bytes(e164));
  }

  /// A secret of 256 bits that is the same for the same parts.
  Secret secret(String purpose, byte[]... parts) {
    return new Secret(text(mac(purpose, parts)));
  }

  static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static byte[] bytes(long value) {
    byte[] bytes = new byte[Long.BYTES];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (value >>> (56 - 8 * i));
    }
    return bytes;
  }

  static String text(byte[] bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  /// What [#text] made of `length` bytes; zeros for anything else.
  static byte[] bytesOf(String text, int length) {
    try {
      byte[] bytes = Base64.getUrlDecoder().decode(text);
      return bytes.length == length ? bytes : new byte[length];
    } catch (IllegalArgumentException e) {
      // A stranger's text: like no secret there is.
      return new byte[length];
    }
  }

  static byte[] random(RandomGenerator random, int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }
}

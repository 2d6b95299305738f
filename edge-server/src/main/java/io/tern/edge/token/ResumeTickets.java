package io.tern.edge.token;

import io.tern.edge.session.Authenticator.Accepted;
import io.tern.edge.session.Authenticator.Identity;
import io.tern.edge.session.Authenticator.Refused;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/// Resume tickets: what a device shows instead of a token when it comes back. Sealed with a key
/// that only the edges have, so that any of them opens a ticket without a call.
///
/// ```
/// ticket:  nonce (12)  AES-256-GCM( user i64  device i32  until i64  expires i64  generation i64 )
/// ```
///
/// **Rotation.** Each HELLO_ACK carries a ticket of the next generation. The one before stays good
/// until the new one has been used (its HELLO_ACK may have been lost), and the client's count of
/// resumptions must rise, so a copy that someone else uses is noticed at once. What was used last
/// is kept per device in memory, for [#DEVICES_MAX] devices (then, and after a restart, an older
/// ticket passes once more, until it expires). A ticket never outlives the token at its beginning.
///
/// Any thread; one short lock per HELLO that resumes.
public final class ResumeTickets {

  static final int DEVICES_MAX = 65_536;

  private static final int NONCE_BYTES = 12;
  private static final int TAG_BITS = 128;
  private static final int PLAIN_BYTES = 8 + 4 + 8 + 8 + 8;
  private static final int TICKET_BYTES = NONCE_BYTES + PLAIN_BYTES + TAG_BITS / 8;
  private static final int KEY_BYTES = 32;
  private static final byte[] PURPOSE = "tern resume 1".getBytes(StandardCharsets.US_ASCII);

  private static final Refused REJECTED = new Refused(ErrorCode.RESUME_REJECTED, "");

  private record Used(long generation, long count) {}

  private final SecretKeySpec key;
  private final Duration lifetime;
  private final SecureRandom random = new SecureRandom();

  /// The newest ticket and count each device has used. Guarded by itself.
  private final Map<DeviceId, Used> used =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<DeviceId, Used> eldest) {
          return size() > DEVICES_MAX;
        }
      };

  /// @param lifetime how long a ticket is good
  public ResumeTickets(byte[] key, Duration lifetime) {
    if (key.length != KEY_BYTES) {
      throw new IllegalArgumentException("a ticket key has " + KEY_BYTES + " bytes");
    }
    this.key = new SecretKeySpec(key, "AES");
    this.lifetime = lifetime;
  }

  /// Seals a ticket for `identity`, one generation on.
  public byte[] seal(Accepted identity, long nowMillis) {
    ByteBuffer plain =
        ByteBuffer.allocate(PLAIN_BYTES)
            .putLong(identity.device().user().value())
            .putInt(identity.device().index())
            .putLong(identity.untilMillis())
            .putLong(expiry(identity, nowMillis))
            .putLong(identity.generation() + 1)
            .flip();
    var nonce = new byte[NONCE_BYTES];
    random.nextBytes(nonce);
    ByteBuffer ticket = ByteBuffer.allocate(TICKET_BYTES).put(nonce);
    try {
      cipher(Cipher.ENCRYPT_MODE, nonce).doFinal(plain, ticket);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has AES-GCM", e);
    }
    return ticket.array();
  }

  /// Seconds that a ticket sealed now is good.
  public int secondsLeft(Accepted identity, long nowMillis) {
    long left = Math.max(0, (expiry(identity, nowMillis) - nowMillis) / 1000);
    return (int) Math.min(left, Integer.MAX_VALUE);
  }

  private long expiry(Accepted identity, long nowMillis) {
    return Math.min(nowMillis + lifetime.toMillis(), identity.untilMillis());
  }

  /// Opens a ticket and marks it used.
  public Identity open(byte[] ticket, long count, long nowMillis) {
    if (ticket.length != TICKET_BYTES) {
      return REJECTED;
    }
    ByteBuffer plain = ByteBuffer.allocate(PLAIN_BYTES);
    ByteBuffer in = ByteBuffer.wrap(ticket);
    var nonce = new byte[NONCE_BYTES];
    in.get(nonce);
    try {
      cipher(Cipher.DECRYPT_MODE, nonce).doFinal(in, plain);
    } catch (GeneralSecurityException e) {
      // Not ours, or of another key.
      return REJECTED;
    }
    plain.flip();
    var device = new DeviceId(new UserId(plain.getLong()), plain.getInt());
    long until = plain.getLong();
    long expires = plain.getLong();
    long generation = plain.getLong();
    if (expires <= nowMillis || !use(device, generation, count)) {
      return REJECTED;
    }
    return new Accepted(device, until, generation);
  }

  private boolean use(DeviceId device, long generation, long count) {
    synchronized (used) {
      Used last = used.get(device);
      if (last != null && (generation < last.generation || count <= last.count)) {
        return false;
      }
      used.put(device, new Used(generation, count));
      return true;
    }
  }

  private Cipher cipher(int mode, byte[] nonce) throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
    cipher.updateAAD(PURPOSE);
    return cipher;
  }
}

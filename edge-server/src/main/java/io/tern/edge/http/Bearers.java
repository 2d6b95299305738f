package io.tern.edge.http;

import io.tern.accounts.Shards;
import io.tern.edge.session.Authenticator.Accepted;
import io.tern.edge.session.Authenticator.Refused;
import io.tern.edge.token.TokenVerifier;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.nio.charset.StandardCharsets;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// Says which device an access token speaks for, by the same rules as a HELLO: the signature, the
/// time, and then the store, which knows what a token cannot: that its device was removed since, or
/// its user banned. One signature check and one read. Any thread that may block.
final class Bearers {

  /// Exactly one of the two is there.
  record Bearer(@Nullable DeviceId device, @Nullable ErrorCode refusal) {}

  private static final String SCHEME = "bearer ";

  private final TokenVerifier tokens;
  private final Shards shards;
  private final LongSupplier wallMillis;

  Bearers(TokenVerifier tokens, Shards shards, LongSupplier wallMillis) {
    this.tokens = tokens;
    this.shards = shards;
    this.wallMillis = wallMillis;
  }

  /// @param authorization the header, or null when there is none
  /// @throws io.tern.accounts.Unavailable when the store has no time for it: then nobody gets in
  Bearer of(@Nullable String authorization) {
    if (authorization == null) {
      return new Bearer(null, ErrorCode.IDENTITY_REQUIRED);
    }
    if (!authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
      return new Bearer(null, ErrorCode.TOKEN_INVALID);
    }
    byte[] token =
        authorization.substring(SCHEME.length()).strip().getBytes(StandardCharsets.US_ASCII);
    long now = wallMillis.getAsLong();
    return switch (tokens.verify(token, now)) {
      case Refused refused -> new Bearer(null, refused.code());
      case Accepted accepted -> {
        DeviceId device = accepted.device();
        ErrorCode refusal =
            shards.read(shard -> Reads.refusal(shard.of(Slots.of(device.user())), device, now));
        yield refusal == null ? new Bearer(device, null) : new Bearer(null, refusal);
      }
    };
  }
}

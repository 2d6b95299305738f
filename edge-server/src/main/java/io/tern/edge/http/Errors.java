package io.tern.edge.http;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.linecorp.armeria.common.HttpStatus;
import io.tern.accounts.Challenge;
import io.tern.edge.http.Reply.Refusal;
import io.tern.protocol.ErrorCode;

/// The protocol's error codes over HTTP: a status for those who know HTTP only, and in the body the
/// code, which decides.
final class Errors {

  /// What is further away, as the end of a ban for good, is said to be so far away.
  private static final long RETRY_MILLIS_MAX = 365L * 24 * 3600 * 1000;

  private static final String CHALLENGE_EXAMPLE = "b3Jhbmdl".repeat(7);

  private Errors() {}

  static HttpStatus status(ErrorCode code) {
    return switch (code) {
      case MALFORMED, UNEXPECTED, ARGUMENT, OUT_OF_ORDER -> HttpStatus.BAD_REQUEST;
      case VERSION, NOT_FOUND -> HttpStatus.NOT_FOUND;
      case FRAME_TOO_LARGE, BODY_TOO_LARGE -> HttpStatus.REQUEST_ENTITY_TOO_LARGE;
      case HELLO_TIMEOUT -> HttpStatus.REQUEST_TIMEOUT;
      case IDENTITY_REQUIRED, TOKEN_EXPIRED, TOKEN_INVALID, REVOKED, RESUME_REJECTED ->
          HttpStatus.UNAUTHORIZED;
      case BANNED, NOT_MEMBER, BLOCKED, NOT_ALLOWED, CLIENT_TOO_OLD -> HttpStatus.FORBIDDEN;
      case RATE, FLOW, QUOTA -> HttpStatus.TOO_MANY_REQUESTS;
      case BUSY, TIMEOUT, SHARD_AWAY, DRAIN, REDIRECT, LAGGING -> HttpStatus.SERVICE_UNAVAILABLE;
      case CONFLICT, SESSION_REPLACED, GROUP_FULL -> HttpStatus.CONFLICT;
      case UNSUPPORTED -> HttpStatus.UNSUPPORTED_MEDIA_TYPE;
      case INTERNAL -> HttpStatus.INTERNAL_SERVER_ERROR;
    };
  }

  /// `{"error":{"code":410,"name":"NOT_ALLOWED","field":"…","retry_ms":…}}`
  static ObjectNode body(Refusal refusal) {
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    ObjectNode error = body.putObject("error");
    error.put("code", refusal.code().number()).put("name", refusal.code().name());
    if (!refusal.field().isEmpty()) {
      error.put("field", refusal.field());
    }
    if (refusal.retryMillis() > 0) {
      error.put("retry_ms", Math.min(refusal.retryMillis(), RETRY_MILLIS_MAX));
    }
    Challenge challenge = refusal.challenge();
    if (challenge != null) {
      error
          .putObject("proof")
          .put("challenge", challenge.text())
          .put("bits", challenge.bits())
          .put("expires_ms", challenge.expiresMillis());
    }
    return body;
  }

  /// The same for those who know HTTP only.
  static long retrySeconds(Refusal refusal) {
    return Math.ceilDiv(Math.min(refusal.retryMillis(), RETRY_MILLIS_MAX), 1000L);
  }

  /// The shape of [#body].
  static Shape.Fields shape() {
    return Shape.fields(
        Shape.field(
            "error",
            Shape.fields(
                Shape.field("code", Shape.whole(100, 599), "as in registry.json"),
                Shape.field("name", Shape.text(1, 32), "the code's name, for people"),
                Shape.optional("field", Shape.text(200), "what is wrong in the request"),
                Shape.optional(
                    "retry_ms",
                    Shape.whole(1, Shape.WHOLE_MAX),
                    "when it may be tried again, in milliseconds from now"),
                Shape.optional("proof", challenge(), "with which it may be tried at once")),
            ""));
  }

  private static Shape.Fields challenge() {
    return Shape.fields(
        Shape.field("challenge", Shape.matching("[A-Za-z0-9_-]{56}", 56, CHALLENGE_EXAMPLE), ""),
        Shape.field(
            "bits",
            Shape.whole(1, 26),
            "zero bits with which the SHA-256 of challenge, dot and nonce has to begin"),
        Shape.field("expires_ms", Shape.whole(0, Shape.WHOLE_MAX), ""));
  }
}

package io.tern.protocol;

import org.jspecify.annotations.Nullable;

/// The error codes of SPEC section 7. A client that does not know a code obeys its class, the
/// hundreds.
public enum ErrorCode {
  MALFORMED(100),
  VERSION(101),
  FRAME_TOO_LARGE(102),
  UNEXPECTED(103),
  HELLO_TIMEOUT(104),
  FLOW(105),
  IDENTITY_REQUIRED(200),
  TOKEN_EXPIRED(201),
  TOKEN_INVALID(202),
  REVOKED(203),
  BANNED(204),
  RESUME_REJECTED(205),
  SESSION_REPLACED(206),
  CLIENT_TOO_OLD(207),
  BUSY(300),
  RATE(301),
  TIMEOUT(302),
  SHARD_AWAY(303),
  DRAIN(304),
  REDIRECT(305),
  LAGGING(306),
  ARGUMENT(400),
  NOT_MEMBER(401),
  BLOCKED(402),
  NOT_FOUND(403),
  BODY_TOO_LARGE(404),
  QUOTA(405),
  OUT_OF_ORDER(406),
  UNSUPPORTED(407),
  GROUP_FULL(408),
  CONFLICT(409),
  NOT_ALLOWED(410),
  INTERNAL(500);

  /// What a client does about an error (SPEC section 7).
  public enum ErrorClass {
    /// 1xx: fatal; fix, reconnect with back-off, stop after 3.
    PROTOCOL,
    /// 2xx: never reconnect blindly.
    IDENTITY,
    /// 3xx: retry after `retry_ms`, else back-off.
    LATER,
    /// 4xx: final; do not retry as it is.
    REQUEST,
    /// 5xx: same csn, 3 tries.
    SERVER
  }

  private static final ErrorCode[] VALUES = values();

  private final int number;

  ErrorCode(int number) {
    this.number = number;
  }

  public int number() {
    return number;
  }

  public ErrorClass errorClass() {
    return classOf(number);
  }

  /// The class of any code, known or not; what is outside 100-499 counts as the server's fault.
  public static ErrorClass classOf(int number) {
    return switch (number / 100) {
      case 1 -> ErrorClass.PROTOCOL;
      case 2 -> ErrorClass.IDENTITY;
      case 3 -> ErrorClass.LATER;
      case 4 -> ErrorClass.REQUEST;
      default -> ErrorClass.SERVER;
    };
  }

  /// The code with this number, or null for one that this version does not know.
  public static @Nullable ErrorCode of(int number) {
    for (ErrorCode code : VALUES) {
      if (code.number == number) {
        return code;
      }
    }
    return null;
  }
}

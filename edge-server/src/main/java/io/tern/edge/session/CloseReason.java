package io.tern.edge.session;

import io.tern.protocol.ErrorCode;
import org.jspecify.annotations.Nullable;

/// Why a connection ends. Each has the code its client is told, and in which frame.
public enum CloseReason {
  /// The other side closed, or the connection broke.
  PEER_CLOSED(Farewell.NOTHING, null),
  /// BYE.
  SAID_GOODBYE(Farewell.NOTHING, null),
  /// The first bytes are not Tern's preface: no answer.
  NOT_TERN(Farewell.NOTHING, null),
  MALFORMED(Farewell.ERROR, ErrorCode.MALFORMED),
  FRAME_TOO_LARGE(Farewell.ERROR, ErrorCode.FRAME_TOO_LARGE),
  /// A frame that this state does not allow, or an unknown one that may not be ignored.
  UNEXPECTED(Farewell.ERROR, ErrorCode.UNEXPECTED),
  VERSION(Farewell.ERROR, ErrorCode.VERSION),
  HELLO_TIMEOUT(Farewell.ERROR, ErrorCode.HELLO_TIMEOUT),
  /// A frame that did not complete in time.
  FRAME_TIMEOUT(Farewell.ERROR, ErrorCode.TIMEOUT),
  /// Ten times over the budget of cheap frames.
  FLOW(Farewell.ERROR, ErrorCode.FLOW),
  IDENTITY_REQUIRED(Farewell.ERROR, ErrorCode.IDENTITY_REQUIRED),
  TOKEN_EXPIRED(Farewell.ERROR, ErrorCode.TOKEN_EXPIRED),
  TOKEN_INVALID(Farewell.ERROR, ErrorCode.TOKEN_INVALID),
  REVOKED(Farewell.ERROR, ErrorCode.REVOKED),
  BANNED(Farewell.ERROR, ErrorCode.BANNED),
  RESUME_REJECTED(Farewell.ERROR, ErrorCode.RESUME_REJECTED),
  /// The server had no place for the HELLO; later it may.
  BUSY(Farewell.ERROR, ErrorCode.BUSY),
  /// No logins are taken: the edge is being drained.
  OUT_OF_SERVICE(Farewell.ERROR, ErrorCode.DRAIN),
  /// The device logs in too often.
  LOGIN_RATE(Farewell.ERROR, ErrorCode.RATE),
  /// The session's proof of identity has run out and was not renewed.
  IDENTITY_RAN_OUT(Farewell.GOAWAY, ErrorCode.TOKEN_EXPIRED),
  /// A newer session of the same device.
  REPLACED(Farewell.GOAWAY, ErrorCode.SESSION_REPLACED),
  DRAIN(Farewell.GOAWAY, ErrorCode.DRAIN),
  /// An operator has ended it; the client may come back.
  OPERATOR(Farewell.GOAWAY, ErrorCode.DRAIN),
  /// No sign of life for 1.5 heartbeats and 10 s.
  IDLE(Farewell.GOAWAY, ErrorCode.TIMEOUT),
  /// The client does not read.
  STALLED(Farewell.GOAWAY, ErrorCode.LAGGING),
  INTERNAL(Farewell.ERROR, ErrorCode.INTERNAL);

  /// The last frame.
  public enum Farewell {
    NOTHING,
    ERROR,
    GOAWAY
  }

  private final Farewell farewell;
  private final @Nullable ErrorCode code;

  CloseReason(Farewell farewell, @Nullable ErrorCode code) {
    this.farewell = farewell;
    this.code = code;
  }

  public Farewell farewell() {
    return farewell;
  }

  /// What the client is told; null when nothing is said.
  public @Nullable ErrorCode code() {
    return code;
  }

  /// Whether the device is no longer its user's, or the user no longer there.
  public boolean isPutOut() {
    return this == REVOKED || this == BANNED;
  }

  /// Whether the client's address is charged with a failure, when this ends a connection that had
  /// not logged in.
  public boolean isClientsFault() {
    return switch (this) {
      case NOT_TERN,
          MALFORMED,
          FRAME_TOO_LARGE,
          UNEXPECTED,
          VERSION,
          HELLO_TIMEOUT,
          FRAME_TIMEOUT,
          FLOW,
          IDENTITY_REQUIRED,
          TOKEN_EXPIRED,
          TOKEN_INVALID,
          REVOKED,
          BANNED,
          RESUME_REJECTED ->
          true;
      case PEER_CLOSED,
          SAID_GOODBYE,
          BUSY,
          OUT_OF_SERVICE,
          LOGIN_RATE,
          IDENTITY_RAN_OUT,
          REPLACED,
          DRAIN,
          OPERATOR,
          IDLE,
          STALLED,
          INTERNAL ->
          false;
    };
  }

  /// The reason for a refused identity.
  public static CloseReason ofIdentity(ErrorCode code) {
    return switch (code) {
      case IDENTITY_REQUIRED -> IDENTITY_REQUIRED;
      case TOKEN_EXPIRED -> TOKEN_EXPIRED;
      case RESUME_REJECTED -> RESUME_REJECTED;
      case REVOKED -> REVOKED;
      case BANNED -> BANNED;
      case BUSY -> BUSY;
      default -> TOKEN_INVALID;
    };
  }
}

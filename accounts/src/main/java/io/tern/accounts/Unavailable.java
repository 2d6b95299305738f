package io.tern.accounts;

import io.tern.protocol.ErrorCode;

/// A shard does not answer, or too many want to change the same record: later it may work. What was
/// asked may have been done; every request of the user service may be repeated.
public final class Unavailable extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final ErrorCode code;
  private final long retryMillis;

  /// @param code of the class "later"
  public Unavailable(ErrorCode code, long retryMillis, String message) {
    super(message);
    this.code = code;
    this.retryMillis = retryMillis;
  }

  public ErrorCode code() {
    return code;
  }

  public long retryMillis() {
    return retryMillis;
  }
}

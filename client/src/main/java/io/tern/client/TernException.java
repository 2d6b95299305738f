package io.tern.client;

import io.tern.protocol.ErrorCode;

/// A request that the server, or the client's own limits, refused.
public final class TernException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final ErrorCode code;
  private final long retryMillis;

  public TernException(ErrorCode code, long retryMillis, String detail) {
    super(code + (detail.isEmpty() ? "" : ": " + detail));
    this.code = code;
    this.retryMillis = retryMillis;
  }

  public ErrorCode code() {
    return code;
  }

  /// When to try again; 0 when the server named no time.
  public long retryMillis() {
    return retryMillis;
  }
}

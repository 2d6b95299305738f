package io.tern.client;

import io.tern.protocol.ErrorCode;
import org.jspecify.annotations.Nullable;

/// A request that the server, or the client's own limits, refused.
public final class TernException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int number;
  private final long retryMillis;

  public TernException(ErrorCode code, long retryMillis, String detail) {
    this(code.number(), retryMillis, detail);
  }

  /// With a code that this version may not know.
  public TernException(int number, long retryMillis, String detail) {
    // No stack trace: it would show the event loop, and refusals can be frequent.
    super(nameOf(number) + (detail.isEmpty() ? "" : ": " + detail), null, false, false);
    this.number = number;
    this.retryMillis = retryMillis;
  }

  private static String nameOf(int number) {
    ErrorCode known = ErrorCode.of(number);
    return known == null ? "error " + number : known.name();
  }

  /// The code; null when this version does not know it. [#errorClass] always says what to do.
  public @Nullable ErrorCode code() {
    return ErrorCode.of(number);
  }

  /// The code as the server sent it.
  public int number() {
    return number;
  }

  public ErrorCode.ErrorClass errorClass() {
    return ErrorCode.classOf(number);
  }

  /// When to try again; 0 when the server named no time.
  public long retryMillis() {
    return retryMillis;
  }
}

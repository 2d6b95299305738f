package io.tern.protocol;

/// A person's account: a random number of 1 to 48 bits, so that it is a varint of at most 7 bytes.
public record UserId(long value) {

  /// Largest value of any id on the wire: 48 bits.
  public static final long VALUE_MAX = (1L << 48) - 1;

  public UserId {
    if (!isValid(value)) {
      throw new IllegalArgumentException("user id out of range: " + value);
    }
  }

  /// Says whether `value` can be an id, for input that must be refused rather than thrown at.
  public static boolean isValid(long value) {
    return value > 0 && value <= VALUE_MAX;
  }

  @Override
  public String toString() {
    return "u" + Long.toString(value, 36);
  }
}

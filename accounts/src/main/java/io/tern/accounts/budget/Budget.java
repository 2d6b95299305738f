package io.tern.accounts.budget;

import java.time.Duration;

/// `amount` of something in each `per`, all of it at once if need be; what is used comes back
/// evenly over `per`.
///
/// @param amount 1 or more
/// @param per 1 ms or more
public record Budget(long amount, Duration per) {

  public Budget {
    if (amount < 1) {
      throw new IllegalArgumentException("amount is " + amount + "; it must be at least 1");
    }
    if (per.toMillis() < 1) {
      throw new IllegalArgumentException("per is " + per + "; it must be at least 1 ms");
    }
  }

  public static Budget perSecond(long amount) {
    return new Budget(amount, Duration.ofSeconds(1));
  }

  public static Budget perMinute(long amount) {
    return new Budget(amount, Duration.ofMinutes(1));
  }

  public static Budget perHour(long amount) {
    return new Budget(amount, Duration.ofHours(1));
  }

  public static Budget perDay(long amount) {
    return new Budget(amount, Duration.ofDays(1));
  }
}

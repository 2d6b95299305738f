package io.tern.accounts;

import java.time.Duration;
import java.util.Set;

/// What the user service allows.
///
/// @param regions whose numbers may register, of ISO 3166; empty = all
/// @param codeLife how long a code may be tried
/// @param codeTries how often
/// @param resendAfter between two codes to a number
/// @param smsPerNumber codes to a number in 24 h
/// @param sms what else bounds messages
/// @param pinIdle how long an account with a PIN must not have been used before its number can be
///   had without the PIN
/// @param linkLife how long a link by QR code may take
/// @param lookupsMax look-ups of numbers that an account may make at once
/// @param lookupsPerDay how many come back in a day
/// @param lookupsYoung what an account begins with
/// @param usernameHold how long a name that was given up is kept for who had it
/// @param search whether users may be found by their exact username
public record AccountsConfig(
    Set<String> regions,
    Duration codeLife,
    int codeTries,
    Duration resendAfter,
    int smsPerNumber,
    SmsBudget sms,
    Duration pinIdle,
    Duration linkLife,
    int lookupsMax,
    int lookupsPerDay,
    int lookupsYoung,
    Duration usernameHold,
    boolean search) {

  /// Messages that nobody answered with the right code, in 24 h: so many to begin with, and
  /// [#perVerified] more for each that was answered. Numbers that share all but their last 4 digits
  /// are a block, all but their last 7 a prefix.
  ///
  /// @param perAddress asked for from one address (a /64 of IPv6)
  /// @param perNetwork from one /24 (a /48 of IPv6)
  /// @param perSystem from one autonomous system, where it is known
  /// @param wrongPerAddress wrong codes from one address
  /// @param perDay all messages in 24 h, answered or not: what it may cost at most
  /// @param proofBits zero bits of the proof of work without which the last quarter of a budget is
  ///   not to be had; 0 = it is, without
  public record SmsBudget(
      int perAddress,
      int perNetwork,
      int perSystem,
      int perBlock,
      int perPrefix,
      int perVerified,
      int wrongPerAddress,
      int perDay,
      int proofBits) {
    public SmsBudget {
      within("sms.per-address", perAddress, 1, 1_000_000);
      within("sms.per-network", perNetwork, 1, 1_000_000);
      within("sms.per-system", perSystem, 1, 1_000_000);
      within("sms.per-block", perBlock, 1, 1_000_000);
      within("sms.per-prefix", perPrefix, 1, 1_000_000);
      within("sms.per-verified", perVerified, 0, 100);
      within("sms.wrong-per-address", wrongPerAddress, 1, 1_000_000);
      within("sms.per-day", perDay, 1, 100_000_000);
      within("sms.proof.bits", proofBits, 0, 26);
    }
  }

  public static final AccountsConfig DEFAULTS =
      new AccountsConfig(
          Set.of(),
          Duration.ofMinutes(10),
          5,
          Duration.ofMinutes(1),
          5,
          new SmsBudget(10, 50, 200, 20, 80, 1, 50, 10_000, 18),
          Duration.ofDays(7),
          Duration.ofMinutes(5),
          1_000,
          100,
          500,
          Duration.ofDays(30),
          false);

  public AccountsConfig {
    regions = Set.copyOf(regions);
    for (String region : regions) {
      if (!region.matches("[A-Z]{2}|001")) {
        throw new IllegalArgumentException("regions: codes of two capital letters, not " + region);
      }
    }
    within("code-life", codeLife, Duration.ofMinutes(1), Duration.ofMinutes(10));
    within("code-tries", codeTries, 1, 5);
    within("resend-after", resendAfter, Duration.ofSeconds(1), Duration.ofHours(24));
    within("sms-per-number", smsPerNumber, 1, 20);
    within("pin-idle", pinIdle, Duration.ofDays(1), Duration.ofDays(365));
    within("link-life", linkLife, Duration.ofMinutes(1), Duration.ofMinutes(5));
    within("lookups-max", lookupsMax, 1, 100_000);
    within("lookups-per-day", lookupsPerDay, 1, 100_000);
    within("lookups-young", lookupsYoung, 0, lookupsMax);
    within("username-hold", usernameHold, Duration.ZERO, Duration.ofDays(365));
  }

  private static void within(String key, int value, int min, int max) {
    if (value < min || value > max) {
      throw new IllegalArgumentException(key + ": " + min + " to " + max + ", not " + value);
    }
  }

  private static void within(String key, Duration value, Duration min, Duration max) {
    if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
      throw new IllegalArgumentException(key + ": " + min + " to " + max + ", not " + value);
    }
  }
}

package io.tern.accounts;

/// Kinds of records, and what bounds each.
final class Kinds {

  /// Account, by user. One for each; at most about 8 KiB.
  static final char ACCOUNT = 'a';

  /// NumberOwner, by hash of a number: at most two for an account that changes its number.
  static final char NUMBER = 'n';

  /// Verification, by hash of a number; ends a day after the last code.
  static final char VERIFICATION = 'v';

  /// Tally, by hash of what is counted; ends with its window.
  static final char TALLY = 't';

  /// UsernameOwner, by hash of a name: one for each account, and those that are held; these end.
  static final char USERNAME = 'u';

  /// Link, by its id; ends within minutes.
  static final char LINK = 'l';

  /// Lookups, by user; ends when the bucket is full again.
  static final char LOOKUPS = 'q';

  /// Work, by user, all in [#WORK_SLOT]; ends when it is done.
  static final char WORK = 'w';

  /// Where notes of work lie, whosever they are: a start looks into one slot, not into all 16,384.
  static final int WORK_SLOT = 0;

  private Kinds() {}
}

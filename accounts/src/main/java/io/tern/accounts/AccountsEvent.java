package io.tern.accounts;

/// What is counted. Each has a counter.
public enum AccountsEvent {
  /// Codes that went out.
  CODES_SENT,
  /// Codes that a budget did not let out, by which budget.
  CODES_REFUSED_NUMBER,
  CODES_REFUSED_ADDRESS,
  CODES_REFUSED_NETWORK,
  CODES_REFUSED_SYSTEM,
  CODES_REFUSED_PREFIX,
  CODES_REFUSED_SPEND,
  /// Codes for regions that are not served.
  CODES_REFUSED_REGION,
  /// Codes for which a proof of work was asked.
  PROOFS_ASKED,
  PROOFS_RIGHT,
  /// Proofs that were false, late, used before, or of another number or network.
  PROOFS_WRONG,
  /// Codes that the provider did not take.
  CODES_FAILED,
  CODES_RIGHT,
  CODES_WRONG,
  /// Tries at codes that had none left, or from an address that had tried too much.
  CODES_EXHAUSTED,
  ACCOUNTS_OPENED,
  /// A known account on a new device, by number and PIN.
  ACCOUNTS_RETURNED,
  /// By recovery key.
  ACCOUNTS_RECOVERED,
  /// Accounts whose number now is another's.
  ACCOUNTS_LOST_NUMBER,
  ACCOUNTS_DELETED,
  NUMBERS_CHANGED,
  PINS_WRONG,
  /// Refused because of a PIN: asked for, delayed, locked.
  PINS_REFUSED,
  TOKENS_ISSUED,
  TOKENS_REFUSED,
  /// A secret that had been rotated was used again.
  SECRETS_REUSED,
  DEVICES_LINKED,
  DEVICES_REVOKED,
  LINKS_REFUSED,
  LOOKUPS,
  LOOKUPS_REFUSED,
  USERNAMES_SET,
  /// Interrupted changes that were finished at a start.
  RESUMED
}

package io.tern.tools.history;

/// What a history must obey. C is the contract of `docs/delivery.md`, I the invariants behind it.
public enum Rule {
  /// An acknowledged entry, a change of a group too, is not in the log (C1, I1).
  LOST("an acknowledged entry is missing"),
  /// An acknowledged entry's seq holds something else (C1, I1).
  ALTERED("the entry at an acknowledged seq is not what was sent"),
  /// One send, or one change of a group, occupies two seqs (C2, I3).
  DOUBLED("one send occupies more than one seq"),
  /// An entry that nobody sent, or seen before it was sent (I2).
  PHANTOM("an entry that nobody has sent"),
  /// A chat's seqs are not 1..n (C3, I4).
  HOLE("a chat's seqs have a hole"),
  /// Two devices see different logs of one chat (C3, I4).
  DIVERGED("two devices see different logs"),
  /// A (device, csn) was told two seqs, or two sends one csn (C2, I3).
  CSN_REUSED("a csn stands for two entries"),
  /// Entries of one device are not in the order of its sends (C2, I5).
  SENDER_ORDER("a device's entries are not in the order it sent them"),
  /// A send that began after another entry had been seen got a lower seq (I4).
  REAL_TIME_ORDER("an entry sorts before one that was there before it was sent"),
  /// A send that was refused for good is in the log (C6).
  REFUSED_BUT_THERE("a refused send is in the log"),
  /// A device that stayed online to the end has a send without an answer (C6, I12).
  UNANSWERED("a send never got an answer"),
  /// A device's deliveries of a chat repeat, skip or go back (C3, C4, I5).
  DELIVERY_ORDER("deliveries to a device repeat, skip or go back"),
  /// What was delivered is not what the log has at that seq (C1, I1).
  DELIVERED_WRONG("what was delivered is not what the log holds"),
  /// An entry or receipt came to, or from, someone outside the chat: before they joined, after they
  /// left, or never in it (I11).
  NOT_MEMBER("something came to a device outside the chat"),
  /// A message is not what the last edit or revoke of the log made of it (C1, I1).
  STALE("a message is not what the last edit or revoke made of it"),
  /// A group's members or roles are not those that its entries make (C1, I1).
  MEMBERS("a group's members are not those that its entries make"),
  /// A watermark went back for an observer (C5, I6).
  RECEIPT_BACKWARD("a watermark went back"),
  /// A member counts as having received or read what none of their devices said (C4, I6).
  RECEIPT_UNFOUNDED("a watermark says more than the member's devices did"),
  /// At the end the server's watermark is below what was acknowledged or observed (C5, I6).
  WATERMARK_LOST("the last watermark is below what was acknowledged"),
  /// Server times of a chat go back, or differ between two sights of an entry.
  TIME("an entry's time goes back or differs"),
  /// A device that stayed online to the end has not got everything (C4, I12).
  NOT_AT_HEAD("a device online at the end is not at head"),
  /// A later session of a device has no higher epoch.
  EPOCH("a device's session epoch did not rise");

  private final String meaning;

  Rule(String meaning) {
    this.meaning = meaning;
  }

  public String meaning() {
    return meaning;
  }
}

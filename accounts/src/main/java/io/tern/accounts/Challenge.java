package io.tern.accounts;

/// Work that has to be done before something is tried again: find a nonce, 1 to 20 of `A-Z a-z 0-9
/// _ -`, so that the SHA-256 of `text`, a dot and the nonce, as ASCII, begins with `bits` zero
/// bits. What was hashed is the proof.
///
/// @param text 56 of `A-Z a-z 0-9 _ -`
/// @param expiresMillis until when the proof is taken
public record Challenge(String text, int bits, long expiresMillis) {
  @Override
  public String toString() {
    return "Challenge[" + bits + " bits]";
  }
}

package io.tern.accounts.sms;

/// Brings a text to a phone. Any thread; blocks until the provider has taken it, at most for the
/// time that its configuration says.
public interface SmsSender {

  /// Sends one text.
  ///
  /// @param number E.164
  /// @param text holds a code: not to be logged but where that is the point
  SmsOutcome send(String number, String text);

  /// What became of it.
  sealed interface SmsOutcome {
    /// The provider has it.
    record Accepted(String providerId) implements SmsOutcome {
      @Override
      public String toString() {
        return "Accepted[]";
      }
    }

    /// Perhaps later; it may have been sent all the same.
    record RetryLater(String reason) implements SmsOutcome {}

    /// The provider will not send to that number.
    record Refused(String reason) implements SmsOutcome {}
  }
}

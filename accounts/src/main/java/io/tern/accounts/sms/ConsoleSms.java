package io.tern.accounts.sms;

import java.util.function.Consumer;

/// For development: says the text to whoever watches the console. Nothing leaves the machine.
public final class ConsoleSms implements SmsSender {

  private final Consumer<String> console;

  public ConsoleSms(Consumer<String> console) {
    this.console = console;
  }

  @Override
  public SmsOutcome send(String number, String text) {
    console.accept("SMS to " + number + ": " + text);
    return new SmsOutcome.Accepted("console");
  }
}

package io.tern.edge;

import io.tern.accounts.sms.ConsoleSms;
import io.tern.accounts.sms.SmsSender;
import io.tern.accounts.sms.WebhookSms;
import io.tern.accounts.sms.smpp.SmppSms;
import io.tern.edge.config.SmsConfig;
import java.util.function.Consumer;

/// Makes the sender of texts that the configuration names.
final class SmsSenders {

  /// One that ends with the server.
  interface Owned extends SmsSender, AutoCloseable {
    @Override
    void close();
  }

  private SmsSenders() {}

  static Owned of(SmsConfig config, Consumer<String> console) {
    return switch (config) {
      case SmsConfig.Console c -> owned(new ConsoleSms(console), () -> {});
      case SmsConfig.Webhook webhook -> {
        var sender =
            new WebhookSms(
                new WebhookSms.Config(webhook.url(), webhook.bearer().reveal(), webhook.timeout()));
        yield owned(sender, sender::close);
      }
      case SmsConfig.Smpp smpp -> {
        var sender =
            new SmppSms(
                new SmppSms.Config(
                    smpp.host(),
                    smpp.port(),
                    smpp.security(),
                    smpp.systemId(),
                    smpp.password().reveal(),
                    smpp.systemType(),
                    smpp.source(),
                    smpp.timeout()));
        yield owned(sender, sender::close);
      }
    };
  }

  private static Owned owned(SmsSender sender, Runnable close) {
    return new Owned() {
      @Override
      public SmsOutcome send(String number, String text) {
        return sender.send(number, text);
      }

      @Override
      public void close() {
        close.run();
      }
    };
  }
}

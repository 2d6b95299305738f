package io.tern.edge.config;

import io.tern.accounts.Secret;
import io.tern.accounts.sms.smpp.SmppSms;
import java.net.URI;
import java.time.Duration;

/// `accounts.sms.*`: who takes the texts with codes.
public sealed interface SmsConfig {

  /// Nobody: they are printed where the server runs.
  record Console() implements SmsConfig {}

  /// Posted to a URL.
  ///
  /// @param bearer empty = none
  record Webhook(URI url, Secret bearer, Duration timeout) implements SmsConfig {}

  /// Handed to an SMSC.
  record Smpp(
      String host,
      int port,
      SmppSms.Security security,
      String systemId,
      Secret password,
      String systemType,
      String source,
      Duration timeout)
      implements SmsConfig {
    public Smpp {
      // The rules are those of the sender.
      var _ =
          new SmppSms.Config(
              host, port, security, systemId, password.reveal(), systemType, source, timeout);
    }
  }
}

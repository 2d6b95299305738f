package io.tern.accounts;

import java.util.Set;

/// Other configurations for tests.
final class Configs {

  private Configs() {}

  static AccountsConfig regions(AccountsConfig c, Set<String> regions) {
    return new AccountsConfig(
        regions,
        c.codeLife(),
        c.codeTries(),
        c.resendAfter(),
        c.smsPerNumber(),
        c.sms(),
        c.pinIdle(),
        c.linkLife(),
        c.lookupsMax(),
        c.lookupsPerDay(),
        c.lookupsYoung(),
        c.usernameHold(),
        c.search());
  }

  static AccountsConfig sms(AccountsConfig c, AccountsConfig.SmsBudget sms) {
    return new AccountsConfig(
        c.regions(),
        c.codeLife(),
        c.codeTries(),
        c.resendAfter(),
        c.smsPerNumber(),
        sms,
        c.pinIdle(),
        c.linkLife(),
        c.lookupsMax(),
        c.lookupsPerDay(),
        c.lookupsYoung(),
        c.usernameHold(),
        c.search());
  }

  static AccountsConfig search(AccountsConfig c) {
    return new AccountsConfig(
        c.regions(),
        c.codeLife(),
        c.codeTries(),
        c.resendAfter(),
        c.smsPerNumber(),
        c.sms(),
        c.pinIdle(),
        c.linkLife(),
        c.lookupsMax(),
        c.lookupsPerDay(),
        c.lookupsYoung(),
        c.usernameHold(),
        true);
  }
}

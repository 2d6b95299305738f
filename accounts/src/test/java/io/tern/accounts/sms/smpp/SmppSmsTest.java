package io.tern.accounts.sms.smpp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.accounts.sms.SmsSender.SmsOutcome;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Texts by SMPP, against the SMSC that comes with the library.
class SmppSmsTest {

  private static final SmppSms.Security PLAIN = new SmppSms.Security.Plain();

  private final Smsc smsc;

  SmppSmsTest() throws IOException {
    smsc = new Smsc(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()));
  }

  @AfterEach
  void stop() throws IOException {
    smsc.close();
  }

  private SmppSms sender(String password) {
    return new SmppSms(
        new SmppSms.Config(
            "127.0.0.1", smsc.port, PLAIN, "tern", password, "", "Tern", Duration.ofSeconds(5)));
  }

  @Test
  void aTextGoesToTheSmsc() {
    try (SmppSms sms = sender("pass")) {
      assertThat(sms.send("+4915112345678", "123456 is your code."))
          .isEqualTo(new SmsOutcome.Accepted("m1"));
      assertThat(sms.send("+4915112345678", "another")).isEqualTo(new SmsOutcome.Accepted("m2"));
    }
    assertThat(smsc.texts)
        .containsExactly(
            "Tern > 4915112345678: 123456 is your code.", "Tern > 4915112345678: another");
    assertThat(smsc.sessions).hasSize(1);
  }

  @Test
  void statusesSayWhetherItMaySucceedLater() {
    try (SmppSms sms = sender("pass")) {
      smsc.status = 0x58;
      assertThat(sms.send("+49", "x")).isInstanceOf(SmsOutcome.RetryLater.class);
      smsc.status = 0x0B;
      assertThat(sms.send("+49", "x")).isInstanceOf(SmsOutcome.Refused.class);
      smsc.status = 0;
      assertThat(sms.send("+49", "x")).isInstanceOf(SmsOutcome.Accepted.class);
    }
  }

  @Test
  void aBrokenSessionIsBoundAgain() {
    try (SmppSms sms = sender("pass")) {
      assertThat(sms.send("+49", "one")).isInstanceOf(SmsOutcome.Accepted.class);
      smsc.sessions.getFirst().close();
      Awaitility.await()
          .atMost(Duration.ofSeconds(10))
          .until(() -> sms.send("+49", "two") instanceof SmsOutcome.Accepted);
    }
    assertThat(smsc.texts).contains("Tern > 49: one", "Tern > 49: two");
  }

  @Test
  void aWrongPasswordSendsNothing() {
    try (SmppSms sms = sender("wrong")) {
      assertThat(sms.send("+49", "x")).isInstanceOf(SmsOutcome.RetryLater.class);
    }
    assertThat(smsc.texts).isEmpty();
  }

  @Test
  void whatSmppCannotSayIsRefused() {
    assertThatThrownBy(
            () -> new SmppSms.Config("h", 0, PLAIN, "s", "p", "", "Tern", Duration.ofSeconds(1)))
        .hasMessageContaining("port");
    assertThatThrownBy(() ->
            new SmppSms.Config(
                "h", 1, PLAIN, "s", "too long a one", "", "T", Duration.ofSeconds(1)))
        .hasMessageContaining("password of at most 8");
    assertThatThrownBy(() ->
            new SmppSms.Config(
                "h", 1, PLAIN, "s", "p", "", "more than eleven", Duration.ofSeconds(1)))
        .hasMessageContaining("source");
    assertThat(
            new SmppSms.Config("h", 1, PLAIN, "s", "password", "", "T", Duration.ofSeconds(1))
                .toString())
        .doesNotContain("password");
  }
}

package io.tern.accounts.sms.smpp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.accounts.sms.SmsSender.SmsOutcome;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.awaitility.Awaitility;
import org.jsmpp.bean.OptionalParameter;
import org.jsmpp.bean.SubmitSm;
import org.jsmpp.extra.ProcessRequestException;
import org.jsmpp.session.BindRequest;
import org.jsmpp.session.SMPPServerSession;
import org.jsmpp.session.SMPPServerSessionListener;
import org.jsmpp.session.ServerMessageReceiverListener;
import org.jsmpp.session.SubmitSmResult;
import org.jsmpp.session.connection.ServerConnection;
import org.jsmpp.session.connection.ServerConnectionFactory;
import org.jsmpp.session.connection.socket.ServerSocketConnection;
import org.jsmpp.util.MessageId;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Texts by SMPP, against the SMSC that comes with the library.
class SmppSmsTest {

  private static final int BIND_FAILED = 0x0D;

  private final List<String> texts = new CopyOnWriteArrayList<>();
  private final List<SMPPServerSession> sessions = new CopyOnWriteArrayList<>();
  private final SMPPServerSessionListener listener;
  private final int port;
  private volatile int status;
  private volatile boolean open = true;

  SmppSmsTest() throws IOException {
    var socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    port = socket.getLocalPort();
    // On loopback only: left to itself it listens everywhere.
    listener =
        new SMPPServerSessionListener(
            port,
            new ServerConnectionFactory() {
              @Override
              public ServerConnection listen(int p) {
                return new ServerSocketConnection(socket);
              }

              @Override
              public ServerConnection listen(int p, int timeout) {
                return listen(p);
              }

              @Override
              public ServerConnection listen(int p, int timeout, int backlog) {
                return listen(p);
              }
            });
  }

  @BeforeEach
  void start() {
    listener.setMessageReceiverListener(
        (ServerMessageReceiverListener)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {ServerMessageReceiverListener.class},
                (proxy, method, arguments) ->
                    method.getName().equals("onAcceptSubmitSm")
                        ? onText((SubmitSm) arguments[0])
                        : null));
    Thread.ofVirtual()
        .start(() -> {
          while (open) {
            accept();
          }
        });
  }

  private SubmitSmResult onText(SubmitSm text) throws Exception {
    if (status != 0) {
      throw new ProcessRequestException("refused", status);
    }
    texts.add(
        text.getSourceAddr()
            + " > "
            + text.getDestAddress()
            + ": "
            + new String(text.getShortMessage(), StandardCharsets.US_ASCII));
    return new SubmitSmResult(new MessageId("m" + texts.size()), new OptionalParameter[0]);
  }

  private void accept() {
    try {
      SMPPServerSession session = listener.accept();
      BindRequest bind = session.waitForBind(5_000);
      if (bind.getSystemId().equals("tern") && bind.getPassword().equals("pass")) {
        bind.accept("smsc");
        sessions.add(session);
      } else {
        bind.reject(BIND_FAILED);
      }
    } catch (Exception e) {
      // The listener is closed, or a client has gone: the next one, if there is one.
      open &= !texts.isEmpty() || !sessions.isEmpty();
    }
  }

  @AfterEach
  void stop() throws IOException {
    open = false;
    sessions.forEach(SMPPServerSession::unbindAndClose);
    listener.close();
  }

  private SmppSms sender(String password) {
    return new SmppSms(
        new SmppSms.Config("127.0.0.1", port, "tern", password, "", "Tern", Duration.ofSeconds(5)));
  }

  @Test
  void aTextGoesToTheSmsc() {
    try (SmppSms sms = sender("pass")) {
      assertThat(sms.send("+4915112345678", "123456 is your code."))
          .isEqualTo(new SmsOutcome.Accepted("m1"));
      assertThat(sms.send("+4915112345678", "another")).isEqualTo(new SmsOutcome.Accepted("m2"));
    }
    assertThat(texts)
        .containsExactly(
            "Tern > 4915112345678: 123456 is your code.", "Tern > 4915112345678: another");
    assertThat(sessions).hasSize(1);
  }

  @Test
  void statusesSayWhetherItMaySucceedLater() {
    try (SmppSms sms = sender("pass")) {
      status = 0x58;
      assertThat(sms.send("+49", "x")).isInstanceOf(SmsOutcome.RetryLater.class);
      status = 0x0B;
      assertThat(sms.send("+49", "x")).isInstanceOf(SmsOutcome.Refused.class);
      status = 0;
      assertThat(sms.send("+49", "x")).isInstanceOf(SmsOutcome.Accepted.class);
    }
  }

  @Test
  void aBrokenSessionIsBoundAgain() {
    try (SmppSms sms = sender("pass")) {
      assertThat(sms.send("+49", "one")).isInstanceOf(SmsOutcome.Accepted.class);
      sessions.getFirst().close();
      Awaitility.await()
          .atMost(Duration.ofSeconds(10))
          .until(() -> sms.send("+49", "two") instanceof SmsOutcome.Accepted);
    }
    assertThat(texts).contains("Tern > 49: one", "Tern > 49: two");
  }

  @Test
  void aWrongPasswordSendsNothing() {
    try (SmppSms sms = sender("wrong")) {
      assertThat(sms.send("+49", "x")).isInstanceOf(SmsOutcome.RetryLater.class);
    }
    assertThat(texts).isEmpty();
  }

  @Test
  void whatSmppCannotSayIsRefused() {
    assertThatThrownBy(
            () -> new SmppSms.Config("h", 0, "s", "p", "", "Tern", Duration.ofSeconds(1)))
        .hasMessageContaining("port");
    assertThatThrownBy(
            () -> new SmppSms.Config("h", 1, "s", "too long a one", "", "T", Duration.ofSeconds(1)))
        .hasMessageContaining("password of at most 8");
    assertThatThrownBy(() ->
            new SmppSms.Config("h", 1, "s", "p", "", "more than eleven", Duration.ofSeconds(1)))
        .hasMessageContaining("source");
    assertThat(
            new SmppSms.Config("h", 1, "s", "password", "", "T", Duration.ofSeconds(1)).toString())
        .doesNotContain("password");
  }
}

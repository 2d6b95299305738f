package io.tern.accounts.sms;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import io.tern.accounts.sms.SmsSender.SmsOutcome;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Texts by HTTP, against a provider that answers all kinds of things.
class WebhookSmsTest {

  private HttpServer server;
  private final List<String> bodies = new ArrayList<>();
  private final List<String> bearers = new ArrayList<>();
  private final List<String> paths = new ArrayList<>();
  private volatile int status = 202;
  private final CountDownLatch slow = new CountDownLatch(1);

  WebhookSmsTest() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
  }

  @BeforeEach
  void start() {
    server.createContext(
        "/",
        exchange -> {
          paths.add(exchange.getRequestURI().getPath());
          bodies.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
          bearers.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
          if (status == 0) {
            try {
              slow.await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          }
          if (status / 100 == 3) {
            exchange.getResponseHeaders().add("Location", "/elsewhere");
          }
          exchange.sendResponseHeaders(status == 0 ? 200 : status, -1);
          exchange.close();
        });
    server.setExecutor(Runnable::run);
    server.start();
  }

  @AfterEach
  void stop() {
    slow.countDown();
    server.stop(0);
  }

  private WebhookSms sender(Duration timeout) {
    var url = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/sms");
    return new WebhookSms(new WebhookSms.Config(url, "key", timeout));
  }

  @Test
  void theProviderGetsNumberAndText() {
    try (WebhookSms sms = sender(Duration.ofSeconds(5))) {
      assertThat(sms.send("+4915112345678", "123456 is \"it\"\n"))
          .isInstanceOf(SmsOutcome.Accepted.class);
    }
    assertThat(bodies)
        .containsExactly("{\"to\":\"+4915112345678\",\"text\":\"123456 is \\\"it\\\"\\u000a\"}");
    assertThat(bearers).containsExactly("Bearer key");
  }

  @Test
  void answersSayWhetherItMaySucceedLater() {
    try (WebhookSms sms = sender(Duration.ofSeconds(5))) {
      status = 429;
      assertThat(sms.send("+1", "x")).isInstanceOf(SmsOutcome.RetryLater.class);
      status = 503;
      assertThat(sms.send("+1", "x")).isInstanceOf(SmsOutcome.RetryLater.class);
      status = 400;
      assertThat(sms.send("+1", "x")).isInstanceOf(SmsOutcome.Refused.class);
    }
  }

  @Test
  void aRedirectIsNotFollowed() {
    try (WebhookSms sms = sender(Duration.ofSeconds(5))) {
      status = 307;
      assertThat(sms.send("+1", "x")).isInstanceOf(SmsOutcome.Refused.class);
    }
    assertThat(paths).containsExactly("/sms");
  }

  @Test
  void whoDoesNotAnswerIsNotWaitedFor() {
    try (WebhookSms sms = sender(Duration.ofMillis(200))) {
      status = 0;
      assertThat(sms.send("+1", "x")).isInstanceOf(SmsOutcome.RetryLater.class);
      slow.countDown();
    }
  }

  @Test
  void nobodyListens() {
    var url = URI.create("http://127.0.0.1:1/");
    try (var sms = new WebhookSms(new WebhookSms.Config(url, "", Duration.ofSeconds(2)))) {
      assertThat(sms.send("+1", "x")).isInstanceOf(SmsOutcome.RetryLater.class);
    }
  }

  @Test
  void codesDoNotGoInPlainOverTheNetwork() {
    for (String url :
        new String[] {"http://example.com/", "ftp://127.0.0.1/", "/relative", "https://u:p@h/"}) {
      assertThatThrownBy(() -> new WebhookSms.Config(URI.create(url), "", Duration.ofSeconds(1)))
          .as(url)
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(
            () -> new WebhookSms.Config(URI.create("https://h/"), "", Duration.ofMinutes(2)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(
            new WebhookSms.Config(URI.create("https://h/?key=1"), "secret", Duration.ofSeconds(1))
                .toString())
        .doesNotContain("secret", "key=1");
  }

  @Test
  void theConsoleSaysTheText() {
    var said = new ArrayList<String>();
    assertThat(new ConsoleSms(said::add).send("+49", "123456"))
        .isInstanceOf(SmsOutcome.Accepted.class);
    assertThat(said.getFirst()).contains("+49").contains("123456");
  }
}

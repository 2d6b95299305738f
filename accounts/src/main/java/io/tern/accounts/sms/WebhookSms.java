package io.tern.accounts.sms;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/// Hands texts to a provider by HTTPS: `POST url` with `{"to":"+49…","text":"…"}` and the bearer
/// token; a 2xx says that it has it, 429 and 5xx that it may later, anything else that it will not.
/// Follows no redirect: the code goes where the operator said and nowhere else.
public final class WebhookSms implements SmsSender, AutoCloseable {

  /// What is read of an answer, to be thrown away.
  private static final int ANSWER_BYTES_MAX = 4 * 1024;

  /// Where it goes.
  ///
  /// @param url https; plain http only to a loopback address
  /// @param bearer sent as `Authorization: Bearer …`; empty = none
  /// @param timeout for connecting, and for the whole request
  public record Config(URI url, String bearer, Duration timeout) {
    public Config {
      String scheme = url.getScheme() == null ? "" : url.getScheme().toLowerCase(Locale.ROOT);
      String host = url.getHost();
      boolean loopback =
          "127.0.0.1".equals(host) || "[::1]".equals(host) || "localhost".equals(host);
      if (host == null
          || !(scheme.equals("https") || (scheme.equals("http") && loopback))
          || url.getUserInfo() != null) {
        throw new IllegalArgumentException("url: https://host/… without user and password");
      }
      if (timeout.isNegative()
          || timeout.isZero()
          || timeout.compareTo(Duration.ofMinutes(1)) > 0) {
        throw new IllegalArgumentException("timeout: more than 0, at most 1 minute");
      }
    }

    @Override
    public String toString() {
      return "WebhookSms.Config[url=" + url.getHost() + ", timeout=" + timeout + "]";
    }
  }

  private final Config config;
  private final HttpClient client;

  public WebhookSms(Config config) {
    this(config, null);
  }

  /// @param tls whom to trust; null = as the JDK does
  public WebhookSms(Config config, @Nullable SSLContext tls) {
    this.config = config;
    var builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(config.timeout);
    if (tls != null) {
      builder.sslContext(tls);
    }
    client = builder.build();
  }

  @Override
  public SmsOutcome send(String number, String text) {
    var request =
        HttpRequest.newBuilder(config.url)
            .timeout(config.timeout)
            .header("Content-Type", "application/json")
            .POST(
                HttpRequest.BodyPublishers.ofString(
                    "{\"to\":" + quoted(number) + ",\"text\":" + quoted(text) + "}"));
    if (!config.bearer.isEmpty()) {
      request.header("Authorization", "Bearer " + config.bearer);
    }
    try {
      HttpResponse<InputStream> response =
          client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
      try (InputStream body = response.body()) {
        body.readNBytes(ANSWER_BYTES_MAX);
      }
      int status = response.statusCode();
      if (status >= 200 && status < 300) {
        return new SmsOutcome.Accepted("http " + status);
      }
      return status == 429 || status >= 500
          ? new SmsOutcome.RetryLater("http " + status)
          : new SmsOutcome.Refused("http " + status);
    } catch (IOException e) {
      // Its message may hold what the other side said: the kind is enough.
      return new SmsOutcome.RetryLater(e.getClass().getSimpleName());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new SmsOutcome.RetryLater("interrupted");
    }
  }

  @Override
  public void close() {
    client.close();
  }

  static String quoted(String text) {
    var json = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        json.append('\\').append(c);
      } else if (c < ' ' || c > '~') {
        json.append("\\u%04x".formatted((int) c));
      } else {
        json.append(c);
      }
    }
    byte[] ascii = json.append('"').toString().getBytes(StandardCharsets.US_ASCII);
    return new String(ascii, StandardCharsets.US_ASCII);
  }
}

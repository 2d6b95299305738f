package io.tern.client.account;

import io.tern.client.ClientTls;
import io.tern.client.TernException;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import org.jspecify.annotations.Nullable;

/// The server's `/v1` over HTTP, as `/openapi.json` describes it. Any thread; every call blocks,
/// for at most [#TIMEOUT]; [#requestCode] longer where the server asks for a proof of work.
///
/// What the server refuses is a [TernException] with the code; what does not get there, or has no
/// answer, an [IOException]. Follows no redirect.
public final class AccountApi {

  /// How long a call may take.
  public static final Duration TIMEOUT = Duration.ofSeconds(30);

  private static final int ANSWER_BYTES_MAX = 1 << 20;

  private final URI server;
  private final @Nullable String pin;
  private final HttpClient client;

  /// @param server `https://host:port`; plain http is for loopback
  /// @param pin the certificate's fingerprint, `sha256:…`; null = as the JDK trusts
  public AccountApi(URI server, @Nullable String pin) {
    this.server = server;
    this.pin = pin;
    var builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(TIMEOUT);
    if (pin != null) {
      builder.sslContext(context(ClientTls.pinned(List.of(pin))));
    }
    client = builder.build();
  }

  private static SSLContext context(ClientTls tls) {
    try {
      SSLContext context = SSLContext.getInstance("TLSv1.3");
      context.init(null, new TrustManager[] {tls.trust()}, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has TLS 1.3", e);
    }
  }

  // ---- coming in -------------------------------------------------------------------------------

  /// Has a code sent; the answer is the request that goes with it. Where the server asks for a
  /// proof of work this does the work, which takes about a second ([ProofOfWork]).
  public String requestCode(String number) throws IOException {
    String path = "/v1/registration/code";
    Answer answer = answer("POST", path, null, Map.of("number", number));
    String proof = proof(answer);
    if (proof != null) {
      answer = answer("POST", path, null, Map.of("number", number, "proof", proof));
    }
    return text(orRefusal(answer), "request");
  }

  /// Null when none is asked for, or it is too much.
  private static @Nullable String proof(Answer answer) {
    if (answer.isGood() || answer.error().get("proof") == null) {
      return null;
    }
    Map<String, @Nullable Object> proof = Json.object(answer.error().get("proof"));
    return proof.get("challenge") instanceof String challenge
            && proof.get("bits") instanceof Long bits
        ? ProofOfWork.of(challenge, (int) Math.min(bits, Integer.MAX_VALUE))
        : null;
  }

  /// A number that has been proved.
  ///
  /// @param pinRetryMillis in how long a PIN may be tried
  public record Proved(String ticket, boolean pinNeeded, long pinRetryMillis) {
    @Override
    public String toString() {
      return "Proved[pinNeeded=" + pinNeeded + "]";
    }
  }

  public Proved verify(String number, String request, String code) throws IOException {
    var answer =
        ask(
            "POST",
            "/v1/registration/verify",
            null,
            Map.of("number", number, "request", request, "code", code));
    return new Proved(
        text(answer, "ticket"),
        Boolean.TRUE.equals(answer.get("pin_needed")),
        number(answer, "pin_retry_ms"));
  }

  /// Comes in with a proved number.
  ///
  /// @param name of the user; empty for a known account: as it is
  public Credentials register(
      String number, String ticket, String deviceName, String name, @Nullable String pinOfAccount)
      throws IOException {
    var body = new LinkedHashMap<String, @Nullable Object>();
    body.put("number", number);
    body.put("ticket", ticket);
    body.put("device_name", deviceName);
    body.put("name", name);
    if (pinOfAccount != null) {
      body.put("pin", pinOfAccount);
    }
    return credentials(number, ask("POST", "/v1/registration", null, body));
  }

  public Credentials recover(UserId user, String key, String deviceName) throws IOException {
    return credentials(
        "",
        ask(
            "POST",
            "/v1/recovery",
            null,
            Map.of("user", user.value(), "key", key, "device_name", deviceName)));
  }

  /// A link that the new device shows as a QR code.
  public record Link(String link, String key, long expiresMillis) {

    /// What the code says.
    public String text() {
      return "tern-link:1:" + link + ":" + key;
    }

    /// Reads what a code said; null when it is none of ours.
    public static @Nullable Link of(String text) {
      String[] parts = text.strip().split(":", -1);
      return parts.length == 4
              && parts[0].equals("tern-link")
              && parts[1].equals("1")
              && parts[2].matches("[A-Za-z0-9_-]{1,64}")
          ? new Link(parts[2], parts[3], 0)
          : null;
    }

    @Override
    public String toString() {
      return "Link[" + link + "]";
    }
  }

  public Link openLink(String deviceName) throws IOException {
    var answer = ask("POST", "/v1/links", null, Map.of("device_name", deviceName));
    return new Link(text(answer, "link"), text(answer, "key"), number(answer, "expires_ms"));
  }

  /// How far a link is, for the new device.
  ///
  /// @param state `open`, `claimed`, `confirmed`, `refused` or `done`
  public record LinkStatus(String state, String compare, String accountName) {}

  public LinkStatus linkStatus(Link link) throws IOException {
    var answer = ask("POST", of(link) + "/status", null, Map.of("key", link.key()));
    return new LinkStatus(
        text(answer, "state"), text(answer, "compare"), text(answer, "account_name"));
  }

  public Credentials completeLink(Link link) throws IOException {
    return credentials("", ask("POST", of(link) + "/complete", null, Map.of("key", link.key())));
  }

  private static String of(Link link) {
    return "/v1/links/" + link.link();
  }

  /// The next token and secret for `credentials`, whose attempt is set.
  Credentials refresh(Credentials credentials) throws IOException {
    var answer =
        ask(
            "POST",
            "/v1/token",
            null,
            Map.of(
                "user",
                credentials.user().value(),
                "device",
                (long) credentials.device(),
                "secret",
                credentials.secret(),
                "secret_number",
                credentials.secretNumber(),
                "attempt",
                Objects.requireNonNull(credentials.attempt())));
    return credentials.refreshed(
        text(answer, "secret"),
        number(answer, "secret_number"),
        text(answer, "token"),
        number(answer, "token_expires_ms"));
  }

  private Credentials credentials(String number, Map<String, @Nullable Object> answer)
      throws IOException {
    return new Credentials(
        server,
        pin,
        new UserId(number(answer, "user")),
        (int) number(answer, "device"),
        number,
        text(answer, "secret"),
        number(answer, "secret_number"),
        null,
        text(answer, "token"),
        number(answer, "token_expires_ms"));
  }

  // ---- people ----------------------------------------------------------------------------------

  /// A user as they are shown to the one who asks.
  ///
  /// @param number one's own; of others empty
  /// @param registeredMillis when a registration last opened the account: a later one than the app
  ///   knew means another device, perhaps in other hands. 0 = it is not for this user to know
  public record Profile(
      UserId user,
      String name,
      String about,
      String photo,
      String username,
      String number,
      long registeredMillis) {

    /// Names and numbers are nobody's business.
    @Override
    public String toString() {
      return "Profile[" + user + "]";
    }
  }

  /// Somebody's profile, one's own too.
  ///
  /// @param token of the device that asks
  /// @throws TernException with NOT_FOUND: there is no such user (any more)
  public Profile profile(String token, UserId user) throws IOException {
    var answer = ask("GET", "/v1/users/" + user.value() + "/profile", token, null);
    return new Profile(
        new UserId(number(answer, "user")),
        text(answer, "name"),
        text(answer, "about"),
        text(answer, "photo"),
        text(answer, "username"),
        text(answer, "number"),
        answer.get("registered_ms") instanceof Long millis ? millis : 0);
  }

  // ---- everything else -------------------------------------------------------------------------

  /// Asks anything of `/v1`.
  ///
  /// @param token of the device that asks, or null
  /// @param body null = none
  /// @return the members of the answer; none when it has no body
  public Map<String, @Nullable Object> ask(
      String method, String path, @Nullable String token, @Nullable Map<String, ?> body)
      throws IOException {
    return orRefusal(answer(method, path, token, body));
  }

  /// What came back, good or not.
  private record Answer(int status, Map<String, @Nullable Object> members) {
    boolean isGood() {
      return status / 100 == 2;
    }

    Map<String, @Nullable Object> error() {
      return Json.object(members.get("error"));
    }

    @Override
    public String toString() {
      return "Answer[" + status + "]";
    }
  }

  private static Map<String, @Nullable Object> orRefusal(Answer answer) {
    if (!answer.isGood()) {
      throw refusal(answer.status(), answer.members());
    }
    return answer.members();
  }

  private Answer answer(
      String method, String path, @Nullable String token, @Nullable Map<String, ?> body)
      throws IOException {
    HttpResponse<InputStream> response = send(method, path, token, body, TIMEOUT);
    byte[] bytes;
    try (InputStream in = response.body()) {
      bytes = in.readNBytes(ANSWER_BYTES_MAX);
    }
    try {
      return new Answer(
          response.statusCode(),
          bytes.length == 0 ? Map.of() : Json.object(new String(bytes, StandardCharsets.UTF_8)));
    } catch (IllegalArgumentException e) {
      throw new IOException(server + " did not answer as a Tern server does", e);
    }
  }

  /// The lines of a streamed answer, to be closed by the caller.
  public InputStream stream(String path, String token) throws IOException {
    HttpResponse<InputStream> response = send("GET", path, token, null, Duration.ofMinutes(10));
    if (response.statusCode() / 100 == 2) {
      return response.body();
    }
    try (InputStream in = response.body()) {
      String text = new String(in.readNBytes(ANSWER_BYTES_MAX), StandardCharsets.UTF_8);
      throw refusal(response.statusCode(), Json.object(text));
    } catch (IllegalArgumentException e) {
      throw new IOException(server + " did not answer as a Tern server does", e);
    }
  }

  private HttpResponse<InputStream> send(
      String method,
      String path,
      @Nullable String token,
      @Nullable Map<String, ?> body,
      Duration timeout)
      throws IOException {
    var request =
        HttpRequest.newBuilder(server.resolve(path))
            .timeout(timeout)
            .method(
                method,
                body == null
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofString(Json.write(body)));
    if (body != null) {
      request.header("content-type", "application/json");
    }
    if (token != null) {
      request.header("authorization", "Bearer " + token);
    }
    try {
      return client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private static TernException refusal(int status, Map<String, @Nullable Object> answer) {
    Map<String, @Nullable Object> error = Json.object(answer.get("error"));
    if (!(error.get("code") instanceof Long code)) {
      return new TernException(ErrorCode.INTERNAL, 0, "status " + status);
    }
    return new TernException(
        code.intValue(),
        error.get("retry_ms") instanceof Long millis ? millis : 0,
        error.get("field") instanceof String field ? field : "");
  }

  private String text(Map<String, @Nullable Object> answer, String key) throws IOException {
    if (answer.get(key) instanceof String text) {
      return text;
    }
    throw new IOException(server + " left out " + key);
  }

  private long number(Map<String, @Nullable Object> answer, String key) throws IOException {
    if (answer.get(key) instanceof Long number) {
      return number;
    }
    throw new IOException(server + " left out " + key);
  }
}

package io.tern.client.account;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.FakeFaults;
import io.tern.client.FakeServer;
import io.tern.client.NettyFakeServer;
import io.tern.client.TernClient;
import io.tern.client.store.MemoryClientStore;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.Hello;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Tokens of an account whose server is there or away, and a client that lives on them.
class AccountTokensTest {

  private static final UserId ALICE = new UserId(1001);
  private static final String OLD = "old";
  private static final String FRESH =
      new String(FakeServer.token(ALICE, 1), StandardCharsets.UTF_8);

  @TempDir Path folder;
  private NettyFakeServer server;
  private HttpServer accounts;
  private final AtomicInteger asked = new AtomicInteger();
  private volatile int status = 200;

  @BeforeEach
  void start() throws Exception {
    server = new NettyFakeServer();
    server.with(s -> s.faults = new OldTokensAreExpired());
    accounts = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    accounts.createContext(
        "/v1/token",
        exchange -> {
          asked.incrementAndGet();
          byte[] answer =
              (status == 200
                      ? "{\"secret\":\"s2\",\"secret_number\":2,\"token\":\""
                          + FRESH
                          + "\",\"token_expires_ms\":"
                          + (System.currentTimeMillis() + 900_000)
                          + "}"
                      : "{\"error\":{\"code\":" + ErrorCode.INTERNAL.number() + "}}")
                  .getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(status, answer.length);
          exchange.getResponseBody().write(answer);
          exchange.close();
        });
    accounts.start();
  }

  @AfterEach
  void stop() throws Exception {
    accounts.stop(0);
    server.close();
  }

  /// Neither has the session's end been forgotten, nor does the app have to do anything.
  @Test
  void aClientWhoseTokenRanOutWhileAccountsWereAwayComesBackWithThem() throws Exception {
    CredentialsFile file = file();
    status = 500;
    try (var tokens = AccountTokens.openOffline(file);
        var client = TernClient.start(config(tokens), tokens.watching(new ClientListener() {}))) {
      tokens.feed(client);
      await().until(() -> asked.get() >= 2);
      status = 200;
      await().atMost(Duration.ofSeconds(20)).until(() -> isUp(client));
    }
    assertThat(file.load().token()).isEqualTo(FRESH);
  }

  /// The loop may be faster than the thread that starts the client.
  @Test
  void aRefusalBeforeTheClientIsFedIsNotForgotten() throws Exception {
    try (var tokens = AccountTokens.openOffline(file());
        var client = TernClient.start(config(tokens), tokens.watching(new ClientListener() {}))) {
      await().until(() -> asked.get() >= 1 && client.ready().isDone());
      assertThatThrownBy(() -> client.ready().get(1, TimeUnit.SECONDS))
          .hasMessageContaining("TOKEN_EXPIRED");
      tokens.feed(client);
      await().until(() -> isUp(client));
    }
  }

  @Test
  void withoutItsServerAnAccountOpensOfflineOnly() throws Exception {
    CredentialsFile file = file();
    accounts.stop(0);
    assertThatThrownBy(() -> AccountTokens.open(file)).isInstanceOf(IOException.class);
    try (var tokens = AccountTokens.openOffline(file)) {
      assertThat(new String(tokens.current(), StandardCharsets.UTF_8)).isEqualTo(OLD);
    }
  }

  private static boolean isUp(TernClient client) {
    try {
      client.devices().get(1, TimeUnit.SECONDS);
      return true;
    } catch (Exception e) {
      return false;
    }
  }

  private ClientConfig config(AccountTokens tokens) {
    return ClientConfig.of(ALICE, 1, server.addresses(), tokens::current, new MemoryClientStore());
  }

  private CredentialsFile file() throws IOException {
    var file = new CredentialsFile(folder.resolve("account"));
    file.save(
        new Credentials(
            URI.create("http://127.0.0.1:" + accounts.getAddress().getPort()),
            null,
            ALICE,
            1,
            "",
            "s1",
            1,
            null,
            OLD,
            System.currentTimeMillis() - 1_000));
    return file;
  }

  private static final class OldTokensAreExpired implements FakeFaults {
    @Override
    public @Nullable Error refuseHello(Hello hello) {
      return hello.getToken().toStringUtf8().equals(OLD)
          ? Error.newBuilder().setCode(ErrorCode.TOKEN_EXPIRED.number()).build()
          : null;
    }
  }
}

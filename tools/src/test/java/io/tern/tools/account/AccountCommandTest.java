package io.tern.tools.account;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.account.AccountApi;
import io.tern.client.account.AccountTokens;
import io.tern.client.account.Credentials;
import io.tern.client.account.CredentialsFile;
import io.tern.client.store.MemoryClientStore;
import io.tern.tools.ExitCode;
import io.tern.tools.LiveServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `tern account` against a real server, its codes taken by a provider of texts that is a small
/// HTTP server.
class AccountCommandTest {

  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private final BlockingQueue<JsonNode> texts = new LinkedBlockingQueue<>();
  private HttpServer provider;
  private LiveServer server;

  @BeforeEach
  void start() throws IOException {
    provider = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16);
    provider.createContext(
        "/",
        exchange -> {
          try (exchange;
              InputStream in = exchange.getRequestBody()) {
            texts.add(JSON.readTree(in));
            exchange.sendResponseHeaders(204, -1);
          }
        });
    provider.start();
    server =
        new LiveServer(
            folder,
            "http.listen",
            "\"127.0.0.1:0\"",
            "accounts.sms.provider",
            "webhook",
            "accounts.sms.webhook.url",
            "\"http://127.0.0.1:" + provider.getAddress().getPort() + "/\"",
            "accounts.sms.per-address",
            "4",
            "auth.development-issuer",
            "off",
            "http.tls",
            "true");
  }

  @AfterEach
  void end() {
    server.close();
    provider.stop(0);
  }

  private Path file(String who) {
    return folder.resolve(who + ".json");
  }

  private LiveServer.Result account(String who, String... words) {
    var all = new ArrayList<>(List.of("account"));
    all.addAll(List.of(words));
    all.addAll(
        List.of(
            "--account",
            file(who).toString(),
            "--http",
            "https://127.0.0.1:" + server.http().getPort(),
            "--http-pin",
            server.fingerprint()));
    return LiveServer.Commands.run(all.toArray(String[]::new));
  }

  private String code(String number) {
    try {
      JsonNode text = texts.poll(10, TimeUnit.SECONDS);
      assertThat(text).isNotNull();
      assertThat(text.get("to").textValue()).isEqualTo(number);
      return text.get("text").textValue().substring(0, 6);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private Credentials registered(String who, String number) throws IOException {
    assertThat(account(who, "register", number, "--name", who).exitCode()).isZero();
    LiveServer.Result verified = account(who, "verify", code(number));
    assertThat(verified.exitCode()).as(verified.err()).isZero();
    return new CredentialsFile(file(who)).load();
  }

  @Test
  void twoPeopleComeInAndChatWithoutADevelopmentToken() throws IOException {
    Credentials alice = registered("alice", "+4915112345678");
    Credentials bob = registered("bob", "+4915112345679");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file("alice"))))
        .isEqualTo("rw-------");

    var chat = new ArrayList<>(List.of("send", "--account", file("alice").toString()));
    chat.addAll(List.of("--to", "@" + bob.user(), "hello"));
    chat.addAll(server.options());
    LiveServer.Result sent = LiveServer.Commands.run(chat.toArray(String[]::new));
    assertThat(sent.exitCode()).as(sent.err()).isZero();
    var history = new ArrayList<>(List.of("history", "--account", file("bob").toString()));
    history.addAll(List.of("--with", "@" + alice.user()));
    history.addAll(server.options());
    LiveServer.Result read = LiveServer.Commands.run(history.toArray(String[]::new));
    assertThat(read.exitCode()).as(read.err()).isZero();
    assertThat(read.out()).contains("hello");

    assertThat(account("alice", "profile", "--about", "here").out()).contains("alice", "here");
    assertThat(account("alice", "devices").lines()).hasSize(1);
    assertThat(account("alice", "pin", "--set", "204060").exitCode()).isZero();
    assertThat(account("alice", "number", "+4915112345670").exitCode()).isZero();
    assertThat(
            account("alice", "number", "--code", code("+4915112345670"), "--pin", "204060")
                .exitCode())
        .isZero();
    assertThat(account("alice", "profile").out()).contains("+4915112345670");
    Path export = folder.resolve("export.jsonl");
    LiveServer.Result exported = account("alice", "export", export.toString());
    assertThat(exported.exitCode()).as(exported.err()).isZero();
    for (String line : Files.readAllLines(export)) {
      assertThat(JSON.readTree(line).isObject()).isTrue();
    }
    assertThat(Files.readString(export)).contains("hello");

    assertThat(account("alice", "delete", "--yes", "--pin", "204060").exitCode()).isZero();
    assertThat(file("alice")).doesNotExist();
  }

  @Test
  void anotherDeviceComesInByItsLinkAndIsPutOutAgain() throws IOException {
    Credentials alice = registered("alice", "+4915112345678");
    var api = new AccountApi(alice.server(), alice.pin());
    AccountApi.Link link = api.openLink("tablet");
    assertThat(AccountApi.Link.of(link.text())).isNotNull();
    assertThat(QrCode.lines(link.text())).hasSizeGreaterThan(10);

    LiveServer.Result letIn = account("alice", "link", link.text(), "--yes");
    assertThat(letIn.exitCode()).as(letIn.err()).isZero();
    AccountApi.LinkStatus status = api.linkStatus(link);
    assertThat(status.state()).isEqualTo("confirmed");
    assertThat(status.accountName()).isEqualTo("alice");
    assertThat(letIn.out()).contains(status.compare()).contains("tablet");
    Credentials tablet = api.completeLink(link);
    assertThat(tablet.user()).isEqualTo(alice.user());
    assertThat(account("alice", "devices").lines()).hasSize(2);

    assertThat(account("alice", "revoke", Integer.toString(tablet.device())).exitCode()).isZero();
    assertThat(account("alice", "devices").lines()).hasSize(1);
    new CredentialsFile(file("tablet")).save(tablet);
    LiveServer.Result refused = account("tablet", "devices");
    assertThat(refused.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(refused.err()).contains("not part of the account any more");
    assertThat(letIn.out() + refused.err()).doesNotContain(tablet.secret());
  }

  @Test
  void aClientFetchesItsNextTokenAndItsSessionGoesOn() throws Exception {
    Credentials alice = registered("alice", "+4915112345678");
    var file = new CredentialsFile(file("alice"));
    try (var tokens = AccountTokens.open(file)) {
      var config =
          ClientConfig.of(
              alice.user(),
              alice.device(),
              List.of(server.address().resolve()),
              tokens::current,
              new MemoryClientStore());
      try (TernClient client = TernClient.start(config, tokens.watching(new ClientListener() {}))) {
        tokens.feed(client);
        client.ready().get(10, TimeUnit.SECONDS);
        String before = tokens.credentials().token();
        Credentials after = tokens.refresh();
        assertThat(after.token()).isNotEqualTo(before);
        assertThat(after.secretNumber()).isEqualTo(alice.secretNumber() + 1);
        client.reauth(tokens.current());
        assertThat(client.devices().get(10, TimeUnit.SECONDS)).hasSize(1);
        // What is in the file is the newest, and there is no attempt open.
        assertThat(file.load()).isEqualTo(after);
        assertThat(after.attempt()).isNull();
      }
    }
  }

  @Test
  void anAnswerThatGotLostIsAskedForAgainWithTheSameAttempt() throws IOException {
    Credentials alice = registered("alice", "+4915112345678");
    var file = new CredentialsFile(file("alice"));
    // As a crash between the server's answer and the file would leave it.
    try (var tokens = AccountTokens.open(file)) {
      tokens.refresh();
    }
    Credentials answered = file.load();
    try (var tokens = AccountTokens.open(file)) {
      tokens.refresh();
    }
    Credentials next = file.load();
    assertThat(next.secretNumber()).isEqualTo(answered.secretNumber() + 1);
    assertThat(account("alice", "devices").exitCode()).isZero();
    assertThat(alice.toString() + next).doesNotContain(alice.secret()).doesNotContain("eyJ");
  }

  /// Three codes that nobody answers, and the fourth from the address needs a proof.
  @Test
  void whatTheServerWantsProvedIsProvedWithoutAWord() throws IOException {
    for (int i = 0; i < 3; i++) {
      String number = "+491511234567" + i;
      LiveServer.Result pumped = account("pump" + i, "register", number);
      assertThat(pumped.exitCode()).as(pumped.err()).isZero();
      code(number);
    }
    var api =
        new AccountApi(
            URI.create("https://127.0.0.1:" + server.http().getPort()), server.fingerprint());
    String number = "+4915112345678";
    assertThatThrownBy(
            () -> api.ask("POST", "/v1/registration/code", null, Map.of("number", number)))
        .isInstanceOf(TernException.class)
        .hasMessage("RATE: proof");
    LiveServer.Result asked = account("alice", "register", number, "--name", "alice");
    assertThat(asked.exitCode()).as(asked.err()).isZero();
    assertThat(account("alice", "verify", code(number)).exitCode()).isZero();
  }

  @Test
  void whatIsWrongIsOneLine() throws IOException {
    assertThat(account("nobody", "devices").err()).contains("there is no account");
    assertThat(account("nobody", "verify", "123456").err()).contains("no code was asked for");
    assertThat(account("bad", "register", "12345").exitCode()).isEqualTo(ExitCode.REFUSED);
    String number = "+4915112345678";
    assertThat(account("alice", "register", number, "--name", "alice").exitCode()).isZero();
    String right = code(number);
    String wrong = right.equals("000000") ? "000001" : "000000";
    assertThat(account("alice", "verify", wrong).err()).contains("that is not the code");
    assertThat(account("alice", "verify", right).exitCode()).isZero();
    LiveServer.Result twice = account("alice", "register", number);
    assertThat(twice.exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(twice.err().lines()).hasSizeLessThanOrEqualTo(2);
    // Another server than the pinned one gets nothing.
    var other =
        new AccountApi(
            new CredentialsFile(file("alice")).load().server(), "sha256:" + "0".repeat(64));
    assertThatThrownBy(() -> other.requestCode(number)).isInstanceOf(IOException.class);
  }
}

package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientTls;
import io.tern.client.TernClient;
import io.tern.client.store.MemoryClientStore;
import io.tern.edge.TernServer;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.tools.LiveServer.Commands;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Commands and the SDK against a server that has TLS and nothing else.
class LiveTlsTest {

  @TempDir Path folder;

  private TernServer server;
  private String address;
  private String pin;

  @BeforeEach
  void start() throws IOException {
    server =
        TernServer.start(
            ServerConfig.load(
                null,
                Map.of(
                    "data", '"' + folder.resolve("data").toString() + '"',
                    "net.listen", "[]",
                    "net.tls.listen", "127.0.0.1:0",
                    "admin.listen", "127.0.0.1:0",
                    "limits.send.rate", "0",
                    "store.disk-reserve", "0",
                    "store.shards", "2")));
    address = "localhost:" + server.listen().getPort();
    pin = Objects.requireNonNull(server.fingerprint());
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private LiveServer.Result run(String line, String... more) {
    var words = new ArrayList<>(List.of(line.split(" ", -1)));
    words.addAll(List.of("--connect", address));
    words.addAll(List.of(more));
    return Commands.run(words.toArray(String[]::new));
  }

  private LiveServer.Result as(String line, String... more) {
    var all = new ArrayList<>(List.of(more));
    all.addAll(List.of("--state", folder.resolve("state").toString(), "--patience", "3"));
    return run(line, all.toArray(String[]::new));
  }

  @Test
  @Timeout(60)
  void theReadyLineTellsWhatAClientNeeds() {
    var ready = ServerProcess.Ready.parse(server.readyLine());
    assertThat(ready.listen()).isNull();
    assertThat(ready.fields())
        .containsEntry("tls", "127.0.0.1:" + server.listen().getPort())
        .containsEntry("fingerprint", pin);
  }

  @Test
  @Timeout(60)
  void commandsTrustAPinOrACertificateAndNothingElse() {
    var pinned = as("chats --user alice", "--pin", pin);
    assertThat(pinned.exitCode()).as(pinned.err()).isEqualTo(ExitCode.OK);
    var several = as("chats --user alice", "--pin", "sha256:" + "0".repeat(64) + "," + pin);
    assertThat(several.exitCode()).as(several.err()).isEqualTo(ExitCode.OK);
    var certificate = folder.resolve("data").resolve("development-certificate.pem").toString();
    var trusted = as("chats --user alice", "--ca", certificate);
    assertThat(trusted.exitCode()).as(trusted.err()).isEqualTo(ExitCode.OK);

    var other = as("chats --user alice", "--pin", "sha256:" + "0".repeat(64));
    assertThat(other.exitCode()).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(other.err()).contains("not the pinned one").contains(pin);
    var system = as("chats --user alice", "--tls");
    assertThat(system.exitCode()).isEqualTo(ExitCode.UNREACHABLE);
    var plain = as("chats --user alice");
    assertThat(plain.exitCode()).isEqualTo(ExitCode.UNREACHABLE);
    var nonsense = as("chats --user alice", "--pin", "sha256:abc");
    assertThat(nonsense.exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(nonsense.err()).contains("64 hexadecimal digits");
  }

  @Test
  @Timeout(60)
  void loadRunsOverTls() {
    var load = run("load --users 4 --in-flight 2 --seconds 0.5 --warmup 0.2", "--pin", pin);
    assertThat(load.exitCode()).as(load.err() + load.out()).isEqualTo(ExitCode.OK);
  }

  /// A certificate that is trusted but is another server's.
  @Test
  @Timeout(60)
  void aNameThatTheCertificateDoesNotHaveIsRefused() throws Exception {
    var certificate = folder.resolve("data").resolve("development-certificate.pem");
    assertThat(login(ClientTls.trusting(certificate))).isEqualTo("up");
    assertThat(login(ClientTls.trusting(certificate).withServerName("other.example.org")))
        .startsWith("TLS: ");
  }

  /// "up", or why not.
  private String login(ClientTls tls) throws Exception {
    var id = DevelopmentIssuer.userId("alice");
    var result = new CompletableFuture<String>();
    var config =
        ClientConfig.of(
                id,
                1,
                List.of(InetSocketAddress.createUnresolved("localhost", server.listen().getPort())),
                () -> DevelopmentIssuer.token(id, 1),
                new MemoryClientStore())
            .withTls(tls);
    try (var client =
        TernClient.start(
            config,
            new ClientListener() {
              @Override
              public void onConnection(ConnectionState state) {
                if (state instanceof ConnectionState.Up) {
                  result.complete("up");
                } else if (state instanceof ConnectionState.Down down) {
                  result.complete(down.reason());
                }
              }
            })) {
      return result.get(20, TimeUnit.SECONDS);
    }
  }
}

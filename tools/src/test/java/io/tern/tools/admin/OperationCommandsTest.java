package io.tern.tools.admin;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientListener.ConnectionState;
import io.tern.client.TernClient;
import io.tern.client.store.MemoryClientStore;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AdminCredentials.Role;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.UserId;
import io.tern.tools.ExitCode;
import io.tern.tools.LiveServer;
import io.tern.tools.LiveServer.Result;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// `tern admin stats|drain|sessions|log-level|certificates` against a real server whose admin port
/// has TLS.
@Timeout(120)
class OperationCommandsTest {

  @TempDir private Path folder;
  private LiveServer server;
  private Operator anna;

  @BeforeEach
  void start() throws IOException, AdminCredentials.Unusable {
    server =
        new LiveServer(
            folder,
            "admin.tls",
            "true",
            "shutdown.spread-min",
            "50 ms",
            "shutdown.spread-max",
            "200 ms");
    anna = Operator.of(server, "anna", Role.ACT);
  }

  @AfterEach
  void end() {
    server.close();
  }

  private TernClient client(UserId user, AtomicBoolean up) {
    var config =
        ClientConfig.of(
            user,
            1,
            List.of(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), server.address().port())),
            () -> DevelopmentIssuer.token(user, 1),
            new MemoryClientStore());
    var client =
        TernClient.start(
            config,
            new ClientListener() {
              @Override
              public void onConnection(ConnectionState state) {
                up.set(state instanceof ConnectionState.Up);
              }
            });
    await(up, true);
    return client;
  }

  private static void await(AtomicBoolean up, boolean is) {
    Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> up.get() == is);
  }

  @Test
  void aServerIsDrainedWaitedForAndPutBack() throws IOException {
    assertThat(anna.done("drain", "--status"))
        .isEqualTo("in service, 0 sessions" + System.lineSeparator());
    var up = new AtomicBoolean();
    try (var bob = client(DevelopmentIssuer.userId("bob"), up)) {
      assertThat(anna.json("stats").get("sessions").intValue()).isOne();
      assertThat(anna.done("drain", "--over", "100ms", "--grace", "30s", "--wait"))
          .isEqualTo("drained: 1 of 1 told, 1 left, 0 closed, 0 remain" + System.lineSeparator());
      await(up, false);
      assertThat(anna.done("stats"))
          .contains("drained", "sessions     0 of 0 users, 0 of them active");
      Result again = anna.admin("drain");
      assertThat(again.exitCode()).isEqualTo(ExitCode.REFUSED);
      assertThat(again.err()).contains("a drain is under way").hasLineCount(1);
      assertThat(anna.json("drain", "--status").get("state").textValue()).isEqualTo("drained");
      assertThat(anna.done("drain", "--cancel")).startsWith("in service, ");
      await(up, true);
      assertThat(bob.closed()).isNotDone();
    }
    assertThat(anna.admin("drain", "--cancel", "--over", "1s").exitCode())
        .isEqualTo(ExitCode.USAGE);
    assertThat(anna.admin("drain", "--over", "soon").exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(anna.admin("drain", "--over", "2h").err()).contains("over_ms").hasLineCount(1);
  }

  @Test
  void sessionsAreListedAndEnded() throws IOException {
    UserId user = DevelopmentIssuer.userId("bob");
    String bob = "@" + user;
    assertThat(anna.done("sessions", bob)).isEmpty();
    var up = new AtomicBoolean();
    try (var client = client(user, up)) {
      assertThat(anna.done("sessions", bob))
          .matches("1\tplain\t127\\.0\\.0\\.1\tactive\tsince 20.*Z\theard 20.*Z\t0 bytes wait\n");
      assertThat(anna.json("sessions", bob).get("door").textValue()).isEqualTo("plain");
      assertThat(anna.admin("sessions", bob, "--end", "1").exitCode()).isEqualTo(ExitCode.USAGE);
      assertThat(anna.done("sessions", bob, "--end", "1", "--reason", "stuck"))
          .isEqualTo("1 session is closed" + System.lineSeparator());
      Result none = anna.admin("sessions", bob, "--end", "7", "--reason", "stuck");
      assertThat(none.exitCode()).isEqualTo(ExitCode.REFUSED);
      assertThat(none.err()).contains("has no live session").hasLineCount(1);
      Awaitility.await("it comes back").until(() -> !anna.done("sessions", bob).isEmpty());
      assertThat(anna.json("sessions", bob, "--end-all", "--reason", "all").get("ended").intValue())
          .isOne();
      assertThat(client.closed()).isNotDone();
    }
    assertThat(anna.admin("audit").lines().getFirst())
        .contains("endSessions", "reason=all", "done");
  }

  @Test
  void logLevelsAndCertificatesAreShownAndSet() throws IOException {
    String logger = "io.tern.tools.admin.test";
    assertThat(anna.done("log-level")).startsWith("ROOT\t");
    assertThat(anna.done("log-level", logger, "debug", "--for", "10m"))
        .startsWith(logger + "\tDEBUG\tuntil 20");
    assertThat(anna.done("log-level")).contains(logger + "\tDEBUG\tuntil 20");
    assertThat(anna.json("log-level").get("levels")).hasSize(1);
    assertThat(anna.done("log-level", logger, "default")).startsWith(logger + "\t");
    assertThat(anna.json("log-level").get("levels")).isEmpty();
    assertThat(anna.admin("log-level", "com.example", "DEBUG").err())
        .contains("logger")
        .hasLineCount(1);
    assertThat(anna.admin("log-level", logger).exitCode()).isEqualTo(ExitCode.USAGE);

    assertThat(anna.done("certificates"))
        .startsWith("admin\t127.0.0.1:")
        .contains("localhost", "until 20", server.fingerprint(), "development");
    assertThat(anna.json("certificates").get("certificate").get("fingerprint").textValue())
        .isEqualTo(server.fingerprint());
    assertThat(anna.done("certificates", "--reload")).startsWith("unchanged: sha256:");
  }
}

package io.tern.tools.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tern.tools.ExitCode;
import io.tern.tools.LiveServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jline.terminal.impl.DumbTerminal;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/// Two people at dumb terminals, talking through a real server.
class ChatCommandTest {

  @TempDir Path folder;

  private LiveServer server;

  @BeforeEach
  void start() throws IOException {
    server = new LiveServer(folder);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void twoPeopleTalkAndSeeTheirTicks() throws Exception {
    server.run("chats --user bob");
    var alice = new Desk("alice", "bob");
    alice.type("hello bob");
    alice.sees("alice: hello bob  #1");
    alice.sees("✓ #1");

    var bob = new Desk("bob", "alice");
    bob.sees("alice: hello bob  #1");
    alice.sees("✓✓ #1");
    alice.sees("read #1");

    bob.type("hi alice");
    alice.sees("bob: hi alice  #2");

    alice.leave();
    bob.leave();
  }

  @Test
  void whatCanBeSeenOnceIsOpenedOnce() throws Exception {
    server.run("tail --user bob --timeout 0.1");
    var alice = new Desk("alice", "bob");
    alice.type("/once the code is 4711");
    alice.sees("alice: (view once) the code is 4711  #1");
    var bob = new Desk("bob", "alice");
    bob.sees("alice: (can be seen once: /open)  #1");
    assertThat(bob.screen()).doesNotContain("4711");

    bob.type("/open 1");
    bob.sees("the code is 4711");
    alice.sees("bob has opened #1  #2");
    bob.type("/open 1");
    bob.sees("(#1 is not to be opened)");
    alice.leave();
    bob.leave();
  }

  @Test
  void withoutAPartnerTheChatsAreListed() throws Exception {
    server.run("chats --user bob");
    server.run("send --user alice --to bob news!");
    var bob = new Desk("bob", null);
    bob.sees("Your chats:");
    bob.sees("news!");

    bob.type("/with alice");
    bob.sees("— alice —");
    bob.sees("alice: news!  #1");

    bob.type("/help");
    bob.sees("/more");
    bob.leave();
  }

  @Test
  void olderMessagesComeOnDemand() throws Exception {
    server.run("chats --user bob");
    for (int i = 1; i <= 25; i++) {
      server.run("send --user alice --to bob number" + i);
    }
    var bob = new Desk("bob", "alice");
    bob.sees("number25");
    assertThat(bob.screen()).contains("/more").doesNotContain("number1 ", "number5 ");

    bob.type("/more");
    bob.sees("number1 ");
    bob.sees("number5 ");
    bob.leave();
  }

  @Test
  void aGroupIsFoundedAndTalkedIn() throws Exception {
    server.run("tail --user bob --timeout 0.1");
    var alice = new Desk("alice", null);
    alice.type("/create \"arctic terns\" bob");
    alice.sees("— +arctic terns —");
    alice.sees("alice creates the group “arctic terns” with bob  #1");

    var bob = new Desk("bob", null);
    bob.sees("+arctic terns");
    bob.type("/with +arctic terns");
    bob.sees("— +arctic terns —");
    // Until the watch of bob's terminal is in force nobody tells it.
    await()
        .atMost(Duration.ofSeconds(30))
        .untilAsserted(() -> {
          alice.press("x");
          assertThat(bob.screen()).contains("(alice is typing…)");
        });
    alice.type(" hello group");
    bob.sees("hello group  #2");
    alice.sees("read #2");

    bob.type("/react 2 👍");
    alice.sees("bob 👍 to #2 “x");
    bob.type("/reply 2 hello to you");
    alice.sees("bob: ↩ #2 “x");
    alice.sees("hello to you  #4");
    alice.type("/edit 2 hello everyone");
    bob.sees("alice edits #2: hello everyone  #5");
    alice.type("/info 2");
    alice.sees("bob read");
    alice.type("/members");
    alice.sees("alice (owner)");
    alice.type("/mention bob look at this");
    bob.sees("@bob look at this  #6");
    alice.type("/mention nobody");
    alice.sees("(/mention NAME TEXT)");
    bob.type("/add carol");
    bob.sees("(you may not");
    bob.leave();
    alice.type("/remove bob");
    alice.sees("alice removes bob  #7");
    alice.type("/mute");
    alice.sees("(muted)");
    alice.type("/archive");
    alice.sees("(muted, archived)");
    alice.type("/archive off");
    alice.type("/timer -5");
    alice.sees("(/timer SECONDS)");
    alice.leave();
  }

  /// A person in front of a terminal that is nothing but two streams.
  private final class Desk {
    private final PipedOutputStream keyboard = new PipedOutputStream();
    private final ByteArrayOutputStream screen = new ByteArrayOutputStream();
    private final CompletableFuture<Integer> exitCode = new CompletableFuture<>();

    Desk(String user, @Nullable String with) throws IOException {
      var terminal =
          new DumbTerminal(
              "desk", "dumb", new PipedInputStream(keyboard, 8192), screen, StandardCharsets.UTF_8);
      var words = new ArrayList<>(List.of("--user", user));
      if (with != null) {
        words.addAll(List.of("--with", with));
      }
      words.addAll(server.options());
      var command = new ChatCommand();
      new CommandLine(command).parseArgs(words.toArray(String[]::new));
      Thread.ofPlatform()
          .daemon()
          .start(() -> {
            try (terminal) {
              exitCode.complete(command.run(terminal));
            } catch (IOException | RuntimeException e) {
              exitCode.completeExceptionally(e);
            }
          });
    }

    void type(String line) throws IOException {
      keyboard.write((line + "\n").getBytes(StandardCharsets.UTF_8));
      keyboard.flush();
    }

    void press(String keys) throws IOException {
      keyboard.write(keys.getBytes(StandardCharsets.UTF_8));
      keyboard.flush();
    }

    String screen() {
      return screen.toString(StandardCharsets.UTF_8);
    }

    void sees(String text) {
      await()
          .atMost(Duration.ofSeconds(30))
          .untilAsserted(() -> {
            assertThat(exitCode).isNotCompletedExceptionally();
            assertThat(screen()).contains(text);
          });
    }

    void leave() throws Exception {
      type("/quit");
      assertThat(exitCode.get(30, TimeUnit.SECONDS)).isEqualTo(ExitCode.OK);
    }
  }
}

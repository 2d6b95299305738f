package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The program of docs/sdk.md, as somebody would run it.
class SdkExampleTest {

  private static final Path EXAMPLE = Path.of("../docs/examples/Hello.java");

  @TempDir Path folder;

  @Test
  void theExampleSaysHelloAndSeesBothTicks() throws Exception {
    compile();
    try (var server = new LiveServer(folder)) {
      assertThat(server.run("tail --user bob --timeout 0.1").exitCode()).isZero();
      JsonNode alice = token("alice");
      String[] args = {
        "127.0.0.1",
        String.valueOf(server.address().port()),
        alice.get("id").asText(),
        alice.get("token").asText(),
        token("bob").get("id").asText(),
        folder.resolve("hello-state").toString()
      };
      var tail = new ArrayList<LiveServer.Result>();
      Thread bob =
          Thread.ofPlatform()
              .start(() -> tail.add(server.run("tail --user bob --count 1 --timeout 30")));
      String said = run(args);
      bob.join();
      assertThat(said.lines()).containsExactly("on the server's disk, #1", "on their device");
      // It ends so only when one has come. What it prints is not looked at: the example's output is
      // taken by System.setOut meanwhile.
      assertThat(tail.getFirst().exitCode()).isZero();
      assertThat(server.run("history --user bob --with alice").out()).contains("hello");
    }
  }

  private void compile() throws IOException {
    var err = new ByteArrayOutputStream();
    int code =
        ToolProvider.getSystemJavaCompiler()
            .run(
                null,
                null,
                err,
                "-proc:none",
                "--release",
                "17",
                "-Xlint:all,-options,-classfile,-path",
                "-Werror",
                "-cp",
                System.getProperty("java.class.path"),
                "-d",
                Files.createDirectories(folder.resolve("classes")).toString(),
                EXAMPLE.toString());
    assertThat(code).as(err.toString(StandardCharsets.UTF_8)).isZero();
  }

  private String run(String... args) throws Exception {
    var out = new ByteArrayOutputStream();
    PrintStream before = System.out;
    System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    try (var loader =
        new URLClassLoader(
            new URL[] {folder.resolve("classes").toUri().toURL()}, getClass().getClassLoader())) {
      loader.loadClass("Hello").getMethod("main", String[].class).invoke(null, (Object) args);
    } finally {
      System.setOut(before);
    }
    return out.toString(StandardCharsets.UTF_8);
  }

  private static JsonNode token(String user) throws IOException {
    var result = LiveServer.Commands.run("token", "--user", user, "--json");
    assertThat(result.exitCode()).isZero();
    return new ObjectMapper().readTree(result.out());
  }
}

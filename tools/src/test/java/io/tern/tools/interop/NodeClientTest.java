package io.tern.tools.interop;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.compiler.PluginProtos.CodeGeneratorRequest;
import com.google.protobuf.compiler.PluginProtos.CodeGeneratorResponse;
import io.tern.edge.TernServer;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.v1.Hello;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A client that is no part of Tern: a Node program that has `ws`, `@bufbuild/protobuf` and what
/// `protoc-gen-es` makes of tern.proto, and that was written from SPEC.md and registry.json. It
/// talks to a live server through the WebSocket door, over TLS. Rules TERN-2-6, TERN-2-7, TERN-2-8.
///
/// Needs `node` and `npm`; `./verify` installs them, and npm brings the packages of
/// `package-lock.json`, which names their hashes.
class NodeClientTest {

  private static final Path SOURCES = Path.of("src", "test", "node");
  private static final Path WORK = Path.of("target", "node");
  private static final Path REGISTRY =
      Path.of("..", "protocol", "src", "main", "resources", "tern", "v1", "registry.json");

  @TempDir Path data;

  @Test
  @Timeout(300)
  void aClientMadeOfTheSpecificationTalksThroughTheWebSocketDoor() throws Exception {
    install();
    generate();
    try (var server =
        TernServer.start(
            ServerConfig.load(
                null,
                Map.of(
                    "data", '"' + data.resolve("data").toString() + '"',
                    "net.listen", "[]",
                    "net.websocket.listen", "127.0.0.1:0",
                    "net.websocket.tls", "always",
                    "admin.listen", "127.0.0.1:0",
                    "store.disk-reserve", "0",
                    "store.shards", "2")))) {
      Path settings = data.resolve("settings.json");
      new ObjectMapper()
          .writeValue(
              settings.toFile(),
              Map.of(
                  "url",
                  "wss://localhost:"
                      + server.listening().webSocket().getFirst().getPort()
                      + "/v1/websocket",
                  "ca",
                  data.resolve("data").resolve("development-certificate.pem").toString(),
                  "registry",
                  REGISTRY.toRealPath().toString(),
                  "generated",
                  WORK.resolve("generated").toAbsolutePath().toString(),
                  "people",
                  List.of(person("node-alice"), person("node-bob"))));
      String output = run(new byte[0], "node", "interop.mjs", settings.toString());
      System.out.print(output);
      assertThat(output.lines().filter(line -> line.startsWith("seen: "))).hasSize(11);
      assertThat(output).endsWith("done\n");
    }
  }

  private static Map<String, String> person(String name) {
    var id = DevelopmentIssuer.userId(name);
    return Map.of(
        "id", Long.toString(id.value()),
        "token", Base64.getEncoder().encodeToString(DevelopmentIssuer.token(id, 1)));
  }

  /// Once; again when the list of packages has changed.
  private static void install() throws Exception {
    Files.createDirectories(WORK);
    for (String file : List.of("package.json", "frames.mjs", "interop.mjs")) {
      Files.copy(SOURCES.resolve(file), WORK.resolve(file), StandardCopyOption.REPLACE_EXISTING);
    }
    byte[] lock = Files.readAllBytes(SOURCES.resolve("package-lock.json"));
    assertThat(new String(lock, StandardCharsets.UTF_8))
        .as("a lock without the address of a registry")
        .doesNotContain("resolved")
        .doesNotContain("http:");
    Path installed = WORK.resolve("package-lock.json");
    if (Files.isDirectory(WORK.resolve("node_modules"))
        && Files.exists(installed)
        && Arrays.equals(lock, Files.readAllBytes(installed))) {
      return;
    }
    Files.write(installed, lock);
    run(
        new byte[0],
        "npm",
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
        "--omit-lockfile-registry-resolved");
    Files.write(installed, lock);
  }

  /// As protoc would: a request to the plugin with the compiled tern.proto.
  private static void generate() throws Exception {
    var file = Hello.getDescriptor().getFile();
    byte[] answer =
        runBytes(
            CodeGeneratorRequest.newBuilder()
                .addFileToGenerate(file.getName())
                .setParameter("target=js")
                .addProtoFile(file.toProto())
                .build()
                .toByteArray(),
            "node",
            "node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es");
    var response = CodeGeneratorResponse.parseFrom(answer);
    assertThat(response.getError()).isEmpty();
    for (var made : response.getFileList()) {
      Path to = WORK.resolve("generated").resolve(made.getName());
      Files.createDirectories(to.getParent());
      Files.writeString(to, made.getContent());
    }
    assertThat(WORK.resolve("generated/tern/v1/tern_pb.js")).exists();
  }

  private static String run(byte[] input, String... command) throws Exception {
    return new String(runBytes(input, command), StandardCharsets.UTF_8);
  }

  private static byte[] runBytes(byte[] input, String... command) throws Exception {
    Path errors = WORK.resolve("errors.txt");
    Process process =
        new ProcessBuilder(command).directory(WORK.toFile()).redirectError(errors.toFile()).start();
    try {
      try (var to = process.getOutputStream()) {
        to.write(input);
      }
      byte[] output = process.getInputStream().readAllBytes();
      if (!process.waitFor(120, TimeUnit.SECONDS) || process.exitValue() != 0) {
        throw new IOException(
            String.join(" ", command)
                + " failed:\n"
                + new String(output, StandardCharsets.UTF_8)
                + Files.readString(errors));
      }
      return output;
    } finally {
      process.destroyForcibly();
    }
  }
}

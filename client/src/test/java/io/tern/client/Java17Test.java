package io.tern.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.client.core.ClientCore;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/// Apps embed the client on Java 17.
class Java17Test {

  private static final int JAVA_17 = 61;

  @Test
  void everyClassIsOfJava17() throws Exception {
    Path classes =
        Path.of(ClientCore.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    try (Stream<Path> files = Files.walk(classes)) {
      List<Path> all = files.filter(f -> f.toString().endsWith(".class")).toList();
      assertThat(all).isNotEmpty();
      for (Path file : all) {
        try (InputStream in = Files.newInputStream(file)) {
          var data = new DataInputStream(in);
          data.readInt();
          data.readUnsignedShort();
          assertThat(data.readUnsignedShort()).as(file.toString()).isEqualTo(JAVA_17);
        }
      }
    }
  }

  /// The promises of the simulation, and a conversation over a socket, in a JVM of Java 17.
  @Test
  void sessionsRunOnJava17() throws Exception {
    Path java = java17();
    Assumptions.assumeTrue(java != null, "no JDK 17 on this machine");
    Process process =
        new ProcessBuilder(
                Objects.requireNonNull(java).toString(),
                "-ea",
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                "io.tern.client.core.Java17Main")
            .redirectErrorStream(true)
            .start();
    String output;
    try (InputStream in = process.getInputStream()) {
      output = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(output).contains("java 17").contains("all promises held");
    assertThat(process.exitValue()).as(output).isZero();
  }

  private static @Nullable Path java17() throws IOException {
    Path jvms = Path.of("/usr/lib/jvm");
    if (!Files.isDirectory(jvms)) {
      return null;
    }
    try (Stream<Path> homes = Files.list(jvms)) {
      for (Path home : homes.sorted().toList()) {
        Path release = home.resolve("release");
        Path java = home.resolve("bin/java");
        if (Files.isExecutable(java)
            && Files.isReadable(release)
            && Files.readString(release).contains("JAVA_VERSION=\"17")) {
          return java;
        }
      }
    }
    return null;
  }
}

package io.tern.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/// [ProtocolFuzzer] over its corpus in every build, and under Jazzer for `-Dtern.fuzz=SECONDS`
/// (`./verify` gives it 60).
///
/// The corpus is `corpus.txt`, one input a line in hex: what fuzzing has found to reach something
/// new. `-Dtern.update=true` adds what this run has found. Keep a failing input by adding its line.
class FuzzTest {

  private static final Path CORPUS = Path.of("src/test/resources/io/tern/protocol/corpus.txt");

  /// Longer inputs reach nothing that shorter ones do not.
  private static final int INPUT_BYTES_MAX = 2_048;

  @Test
  void corpusAndVectorsReplay() throws Exception {
    List<byte[]> inputs = seeds();
    for (byte[] input : inputs) {
      try {
        ProtocolFuzzer.fuzzerTestOneInput(input);
      } catch (Throwable e) {
        throw new AssertionError("input " + HexFormat.of().formatHex(input), e);
      }
    }
    assertThat(inputs).hasSizeGreaterThan(200);
  }

  @Test
  @EnabledIfSystemProperty(named = "tern.fuzz", matches = "[1-9]\\d*")
  void fuzzingFindsNothing(@TempDir Path directory) throws Exception {
    Path corpus = Files.createDirectory(directory.resolve("corpus"));
    int n = 0;
    for (byte[] input : seeds()) {
      Files.write(corpus.resolve("seed-" + n++), input);
    }
    jazzer(directory, "-max_total_time=" + Integer.getInteger("tern.fuzz"), corpus.toString());

    if (Boolean.getBoolean("tern.update")) {
      Path least = Files.createDirectory(directory.resolve("least"));
      jazzer(directory, "-merge=1", least.toString(), corpus.toString());
      var lines = new TreeSet<String>();
      try (Stream<Path> files = Files.list(least)) {
        for (Path file : files.toList()) {
          lines.add(HexFormat.of().formatHex(Files.readAllBytes(file)));
        }
      }
      Files.write(CORPUS, lines);
    }
  }

  /// Runs Jazzer in a JVM of its own and expects it to find nothing.
  private static void jazzer(Path directory, String... arguments) throws Exception {
    Path log = directory.resolve("log");
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:+EnableDynamicAgentLoading",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                "com.code_intelligence.jazzer.Jazzer",
                "--target_class=" + ProtocolFuzzer.class.getName(),
                "--instrumentation_includes=io.tern.protocol.*",
                "-rss_limit_mb=2048",
                "-max_len=" + INPUT_BYTES_MAX,
                "-timeout=10",
                "-artifact_prefix=" + directory.resolve("crash-")));
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    long seconds = Integer.getInteger("tern.fuzz") + 300L;
    if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("Jazzer did not end:\n" + Files.readString(log));
    }
    String output = Files.readString(log);
    String found = "";
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file :
          files.filter(f -> f.getFileName().toString().startsWith("crash-")).toList()) {
        found += "\ninput " + HexFormat.of().formatHex(Files.readAllBytes(file));
      }
    }
    assertThat(process.exitValue()).as("%s%n%s", output, found).isZero();
    output.lines().filter(line -> line.contains("DONE ")).forEach(System.out::println);
  }

  /// The corpus and what the vectors have.
  private static List<byte[]> seeds() throws IOException {
    List<byte[]> inputs = new ArrayList<>();
    for (String line : Files.readAllLines(CORPUS)) {
      inputs.add(HexFormat.of().parseHex(line));
    }
    for (JsonNode vector : VectorFiles.read("frames.jsonl")) {
      inputs.add(HexFormat.of().parseHex(vector.get("hex").asText()));
    }
    for (JsonNode vector : VectorFiles.read("bodies.jsonl")) {
      FrameType type = FrameType.valueOf(vector.get("type").asText());
      if (Prescan.clientBody(type) != null) {
        inputs.add(ProtocolFuzzer.input(type, HexFormat.of().parseHex(vector.get("hex").asText())));
      }
    }
    return inputs;
  }
}

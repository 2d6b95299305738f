package io.tern.bench.yardstick;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.bench.measure.Json;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class YardstickTest {

  @TempDir Path folder;

  @Test
  void closedLoopAnswersEverySendOnceAndInOrder() throws Exception {
    JsonNode result = load("--in-flight=8");

    assertThat(result.get("complete").asLong()).isPositive();
    assertThat(result.get("in_flight").asInt()).isEqualTo(8);
    assertThatNothingWentWrong(result);
  }

  @Test
  void openLoopKeepsItsRate() throws Exception {
    JsonNode result = load("--rate=500");

    assertThat(result.get("complete_per_s").asDouble()).isBetween(400.0, 600.0);
    assertThat(result.get("late_ms").get("p50").asDouble()).isPositive();
    assertThatNothingWentWrong(result);
  }

  private static void assertThatNothingWentWrong(JsonNode result) {
    assertThat(Stream.of("lost", "doubled", "reordered").map(k -> result.get(k).asLong()))
        .containsOnly(0L);
    assertThat(result.get("sent_ms").get("p50").asDouble()).isPositive();
    assertThat(result.get("server_cpu_us_per_message").asDouble()).isPositive();
  }

  private JsonNode load(String loop) throws Exception {
    Path json = folder.resolve("result.json");
    try (var server = BareServer.open(folder.resolve("data"), 0)) {
      int exit =
          new CommandLine(new BareLoad())
              .execute(
                  "--connect=127.0.0.1:" + server.port(),
                  "--users=10",
                  "--warmup=1",
                  "--seconds=1",
                  "--server-pid=" + ProcessHandle.current().pid(),
                  "--json=" + json,
                  loop);
      assertThat(exit).isZero();
    }
    return Json.read(json);
  }
}

package io.tern.tools.load;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.tern.tools.ExitCode;
import io.tern.tools.LiveServer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `tern load --groups` against a server, and what it says to options that do not fit together.
class LoadGroupsTest {

  @TempDir Path folder;

  @Test
  void everyMemberGetsEveryMessageOnceAndInOrder() throws Exception {
    try (var server = new LiveServer(folder)) {
      var json = json(load(server, "--groups 3 --group-members 5 --group-senders 2 --in-flight 4"));

      assertSound(json);
      assertThat(json.get("users").asInt()).isEqualTo(15);
      assertThat(json.get("messages").asLong()).isGreaterThanOrEqualTo(3 * 2 * 4);
      assertThat(json.get("deliveries").asLong())
          .isEqualTo(json.get("messages").asLong() * (5 - 1));
      assertThat(json.get("everyone_ms").get("p99").asDouble()).isPositive();
      assertThat(json.has("receipt_ms")).as("nobody waits for a receipt").isFalse();
    }
  }

  @Test
  void theScheduleIsSharedByThoseWhoWrite() throws Exception {
    try (var server = new LiveServer(folder)) {
      var json = json(load(server, "--groups 2 --group-members 3 --group-senders 3 --rate 100"));

      assertSound(json);
      // 0.1 s of warm-up and 0.5 s measured
      assertThat(json.get("messages").asLong()).isEqualTo(60);
      assertThat(json.get("deliveries").asLong()).isEqualTo(60 * 2);
    }
  }

  @Test
  void aGroupThatIsAddedToInSeveralStepsIsWhole() throws Exception {
    try (var server = new LiveServer(folder, "limits.group-members-max", "300")) {
      var json = json(load(server, "--groups 1 --group-members 300 --group-senders 1 --rate 10"));

      assertSound(json);
      assertThat(json.get("deliveries").asLong()).isEqualTo(6 * 299);
    }
  }

  @Test
  void aServerWithoutGroupsOfThatSizeIsSaidInOneLine() throws Exception {
    try (var server = new LiveServer(folder, "limits.group-members-max", "4")) {
      var result = load(server, "--groups 1 --group-members 5 --rate 10");

      assertThat(result.exitCode()).isNotEqualTo(ExitCode.OK);
      assertThat(result.err()).contains("limits.group-members-max=5").doesNotContain("\tat ");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "--group-members 5, of how many --groups",
    "--group-senders 5, of how many --groups",
    "--groups 2 --users 10, leave --users and --pattern out",
    "--groups 2 --pattern random, leave --users and --pattern out",
    "--groups 0, there is 1 at least",
    "--groups 2 --group-members 1, a group has 2 to",
    "--groups 2 --group-members 3 --group-senders 4, of 3 members 1 to all may write",
    "--groups 2 --group-members 3 --group-senders 0, of 3 members 1 to all may write",
    "--groups 2000000000 --group-members 2, at most",
  })
  void optionsThatDoNotFitTogetherAreRefusedInWords(String options, String words) {
    var line = new ArrayList<>(List.of(("load " + options).split(" ", -1)));
    line.addAll(List.of("--connect", "127.0.0.1:1"));

    var result = LiveServer.Commands.run(line.toArray(String[]::new));

    assertThat(result.exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(result.err()).contains(words).doesNotContain("\tat ");
  }

  private static LiveServer.Result load(LiveServer server, String options) {
    var line = "load " + options + " --warmup 0.1 --seconds 0.5 --drain 20 --json - --connect ";
    return LiveServer.Commands.run((line + server.address()).split(" ", -1));
  }

  private static JsonNode json(LiveServer.Result result) throws Exception {
    assertThat(result.exitCode()).as(result.err()).isEqualTo(ExitCode.OK);
    return new ObjectMapper().readTree(result.out());
  }

  private static void assertSound(JsonNode json) {
    for (var count :
        List.of("lost", "doubled", "reordered", "wrong", "incomplete", "unsent", "redelivered")) {
      assertThat(json.get(count).asLong(-1)).as(count).isZero();
    }
  }
}

package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.Error;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The protocol's `sessions.jsonl` against a real server, over real sockets.
class SessionVectorsTest {

  @TempDir static Path data;

  private static TestServer server;
  private static int users;

  @BeforeAll
  static void start() {
    server = TestServer.start(data);
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  static List<JsonNode> vectors() throws IOException {
    var json = new ObjectMapper();
    List<JsonNode> vectors = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of("../protocol/vectors/sessions.jsonl"))) {
      vectors.add(json.readTree(line));
    }
    return vectors;
  }

  // TERN-2-1 TERN-3-3 TERN-3-7 TERN-3-8 TERN-3-9 TERN-3-10 TERN-4-1 TERN-4-2 TERN-4-5 TERN-4-8
  // TERN-5-13 TERN-9-2 TERN-9-3 TERN-10-2
  @ParameterizedTest
  @MethodSource("vectors")
  void theServerAnswersAsTheVectorSays(JsonNode vector) {
    boolean loggedIn = vector.get("state").asText().equals("session");
    try (RawClient client = loggedIn ? server.login("vector-" + users++) : server.connect()) {
      client.write(HexFormat.of().parseHex(vector.get("hex").asText()));
      for (JsonNode answer : vector.get("answers")) {
        if (answer.has("refuse")) {
          RawClient.Frame frame = client.read();
          int code = answer.get("refuse").asInt();
          assertThat(frame.error().getCode()).isIn(code, answer.path("or").asInt(code));
          assertThat(frame.flags()).isEqualTo(FrameHeader.RID);
          assertThat(frame.rid()).isEqualTo(answer.get("rid").asInt());
        } else if (answer.has("close")) {
          RawClient.Frame frame = client.read();
          assertThat(frame.error().getCode()).isEqualTo(answer.get("close").asInt());
          assertThat(frame.flags()).isZero();
          client.assertEnd();
          return;
        } else if (answer.has("hangup")) {
          client.assertEnd();
          return;
        } else if (answer.has("login")) {
          // Not a token of ours: that is as far as bytes get.
          Error error = client.read().error();
          assertThat(ErrorCode.classOf(error.getCode())).isEqualTo(ErrorCode.ErrorClass.IDENTITY);
          client.assertEnd();
          return;
        } else if (answer.has("pong")) {
          RawClient.Frame frame = client.read();
          assertThat(frame.type()).isEqualTo(FrameType.PONG);
          assertThat(HexFormat.of().formatHex(frame.body())).isEqualTo(answer.get("pong").asText());
        }
      }
      if (loggedIn) {
        assertIsAlive(client);
      }
    }
  }

  /// The session answers, and had nothing else to say.
  private static void assertIsAlive(RawClient client) {
    byte[] mark = {1, 2, 3};
    client.write(RawClient.frame(FrameType.PING, 0, 0, 0, 0, mark));
    RawClient.Frame frame = client.read();
    assertThat(frame.type()).isEqualTo(FrameType.PONG);
    assertThat(frame.body()).isEqualTo(mark);
  }
}

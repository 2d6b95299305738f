package io.tern.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.protocol.FrameReader.Result;
import io.tern.protocol.Prescan.Verdict;
import io.tern.protocol.v1.ContactCard;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Location;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Runs the conformance vectors in `protocol/vectors`. The first test keeps the files equal to what
/// [VectorFiles] makes (write them anew with `-Dtern.update=true`); the others are what a client in
/// another language would do with them.
class VectorsTest {

  @Test
  void filesAreThoseThatTheGeneratorMakes() throws IOException {
    Map<String, List<ObjectNode>> generated = VectorFiles.generate();
    for (Map.Entry<String, List<ObjectNode>> file : generated.entrySet()) {
      String text = file.getValue().stream().map(line -> line + "\n").collect(Collectors.joining());
      var path = VectorFiles.DIRECTORY.resolve(file.getKey());
      if (Boolean.getBoolean("tern.update")) {
        Files.createDirectories(VectorFiles.DIRECTORY);
        Files.writeString(path, text);
      }
      assertThat(path).hasContent(text);
    }
    try (Stream<java.nio.file.Path> files = Files.list(VectorFiles.DIRECTORY)) {
      assertThat(files.map(path -> path.getFileName().toString()))
          .containsExactlyInAnyOrderElementsOf(
              Stream.concat(generated.keySet().stream(), Stream.of("README.md")).toList());
    }
  }

  static List<ObjectNode> frames() {
    return VectorFiles.read("frames.jsonl");
  }

  static List<ObjectNode> bodies() {
    return VectorFiles.read("bodies.jsonl");
  }

  static List<ObjectNode> sessions() {
    return VectorFiles.read("sessions.jsonl");
  }

  // TERN-3-1 TERN-3-3 TERN-3-4 TERN-3-5 TERN-3-6 TERN-3-7
  @ParameterizedTest
  @MethodSource
  void frames(ObjectNode vector) {
    byte[] bytes = hexOf(vector);
    int max = vector.path("max_frame").asInt(65_536);
    var header = new FrameHeader();
    ByteBuf in = Unpooled.wrappedBuffer(bytes);
    Result result = FrameReader.read(in, max, header);
    if (vector.has("error")) {
      assertThat(result.name()).isEqualTo(vector.get("error").asText());
      assertThat(in.readerIndex()).isZero();
      if (vector.has("after")) {
        assertThat(VectorFiles.refusedAfter(bytes, max)).isEqualTo(vector.get("after").asInt());
      }
      return;
    }
    assertThat(result).isEqualTo(Result.FRAME);
    byte[] body = new byte[header.bodyBytes()];
    int read = in.readerIndex() + body.length;
    in.readBytes(body);
    assertThat(BodyJson.frame(header, body)).hasToString(vector.get("decoded").toString());

    // And back, for types that have a name.
    FrameType type = FrameType.of(header.type());
    if (type != null) {
      byte[] again =
          new Frames.Frame(type, header.flags(), header.rid(), header.chat(), header.seq(), body)
              .encoded();
      assertThat(again).isEqualTo(java.util.Arrays.copyOf(bytes, read));
    }
  }

  // TERN-3-2
  @Test
  void framesInOneStreamSplitAtEveryByte() {
    List<ObjectNode> good =
        frames().stream()
            .filter(v -> v.has("decoded") && !v.get("name").asText().startsWith("two-frames"))
            .toList();
    ByteBuf all = Unpooled.buffer();
    good.forEach(v -> all.writeBytes(hexOf(v)));
    byte[] stream = Frames.drain(all);
    var header = new FrameHeader();
    for (int split = 0; split <= stream.length; split += split < 3_000 ? 1 : 97) {
      ByteBuf in = Unpooled.buffer(stream.length);
      in.writeBytes(stream, 0, split);
      int next = 0;
      for (int part = 0; part < 2; part++) {
        while (FrameReader.read(in, 65_536, header) == Result.FRAME) {
          assertThat(header.type()).isEqualTo(typeOf(good.get(next).get("decoded")));
          in.skipBytes(header.bodyBytes());
          next++;
        }
        if (part == 0) {
          in.writeBytes(stream, split, stream.length - split);
        }
      }
      assertThat(next).as("split at %d", split).isEqualTo(good.size());
      in.release();
    }
  }

  // TERN-12-1 TERN-12-2 TERN-12-3 TERN-12-4 TERN-12-5
  @ParameterizedTest
  @MethodSource
  void bodies(ObjectNode vector) {
    FrameType type = FrameType.valueOf(vector.get("type").asText());
    byte[] body = hexOf(vector);
    Verdict verdict = Prescan.check(type, body, 0, body.length);
    if (vector.has("error")) {
      assertThat(verdict.name()).isEqualTo(vector.get("error").asText());
    } else {
      assertThat(verdict).isEqualTo(Verdict.OK);
      assertThat(BodyJson.of(type, body)).hasToString(vector.get("decoded").toString());
    }
  }

  @Test
  void bodiesOfEventsParseToWhatTheySay() throws Exception {
    Set<String> changes = new HashSet<>();
    for (ObjectNode vector : VectorFiles.read("events.jsonl")) {
      Kind kind = Kind.valueOf(vector.get("kind").asText());
      Message body =
          switch (kind) {
            case KIND_CONTACT -> ContactCard.parseFrom(hexOf(vector));
            case KIND_LOCATION -> Location.parseFrom(hexOf(vector));
            case KIND_GROUP -> GroupEvent.parseFrom(hexOf(vector));
            case KIND_SETTING -> Settings.parseFrom(hexOf(vector));
            case KIND_REGISTERED -> RegisteredEvent.parseFrom(hexOf(vector));
            default -> throw new AssertionError(kind);
          };
      assertThat(BodyJson.of(body)).hasToString(vector.get("decoded").toString());
      JsonNode changed = vector.get("decoded");
      if (kind == Kind.KIND_SETTING) {
        changed = changed.get("set").get(0);
      }
      changed.fieldNames().forEachRemaining(name -> changes.add(kind + "." + name));
    }
    for (Descriptor body : List.of(GroupEvent.getDescriptor(), Setting.getDescriptor())) {
      Kind kind = body == Setting.getDescriptor() ? Kind.KIND_SETTING : Kind.KIND_GROUP;
      body.getFields().forEach(field -> assertThat(changes).contains(kind + "." + field.getName()));
    }
  }

  // TERN-2-1 TERN-3-8 TERN-3-9 TERN-3-10 TERN-4-1 TERN-4-2 TERN-4-5 TERN-4-8 TERN-12-6
  @ParameterizedTest
  @MethodSource
  void sessions(ObjectNode vector) {
    byte[] bytes = hexOf(vector);
    List<Judge.Answer> answers =
        vector.get("state").asText().equals("session")
            ? Judge.onSession(bytes)
            : Judge.onConnection(bytes);
    assertThat(VectorFiles.json(answers)).hasToString(vector.get("answers").toString());
  }

  @Test
  void everyTypeEveryRefusalAndEveryVerdictHasAVector() {
    Set<String> types = new HashSet<>();
    Set<String> errors = new HashSet<>();
    for (ObjectNode vector : frames()) {
      types.add(vector.path("decoded").path("type").asText());
      errors.add(vector.path("error").asText());
    }
    for (FrameType type : FrameType.values()) {
      assertThat(types).contains(type.name());
    }
    assertThat(errors).contains("MALFORMED", "TOO_LARGE", "INCOMPLETE");

    Set<String> verdicts = new HashSet<>();
    bodies().forEach(vector -> verdicts.add(vector.path("error").asText()));
    for (Verdict verdict : Verdict.values()) {
      // No body of protocol 1 nests that deep; PrescanTest has a message that does.
      if (verdict != Verdict.OK && verdict != Verdict.TOO_DEEP) {
        assertThat(verdicts).contains(verdict.name());
      }
    }
  }

  @Test
  void bodiesOfTheSamplesHaveEveryFieldAndAreCanonical() {
    for (FrameType type : FrameType.values()) {
      byte[] body = Samples.body(type);
      assertThat(VectorFiles.isCanonical(type, body)).as(type.name()).isTrue();
      var descriptor = BodyJson.descriptor(type);
      if (descriptor != null) {
        JsonNode json = BodyJson.of(type, body);
        for (var field : descriptor.getFields()) {
          // One of a oneof; before, after or around; what only the push has.
          boolean isOther = field.getRealContainingOneof() != null;
          boolean isAlternative = type == FrameType.HISTORY || type == FrameType.TYPING;
          assertThat(json.has(field.getName()) || isOther || isAlternative)
              .as("%s.%s", type, field.getName())
              .isTrue();
        }
      }
    }
  }

  private static byte[] hexOf(JsonNode vector) {
    return HexFormat.of().parseHex(vector.get("hex").asText());
  }

  private static int typeOf(JsonNode decoded) {
    String name = decoded.get("type").asText();
    return name.length() == 2 ? Integer.parseInt(name, 16) : FrameType.valueOf(name).code();
  }
}

package io.tern.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tern.protocol.Frames.Frame;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// The frames in `docs/features` are those of the vectors. Write them anew with
/// `-Dtern.update=true`.
class FeaturePagesTest {

  private static final Path PAGES = Path.of("../docs/features");
  private static final Pattern FRAME =
      Pattern.compile("<!-- frame: ([a-z0-9-]+) -->\n.*?<!-- /frame -->", Pattern.DOTALL);

  @Test
  void framesAreThoseOfTheVectors() throws IOException {
    int frames = 0;
    try (Stream<Path> files = Files.list(PAGES)) {
      for (Path page : files.sorted().toList()) {
        String text = Files.readString(page);
        Matcher matcher = FRAME.matcher(text);
        frames += (int) matcher.results().count();
        String filled =
            FRAME.matcher(text).replaceAll(match -> Matcher.quoteReplacement(frame(match)));
        if (Boolean.getBoolean("tern.update")) {
          Files.writeString(page, filled);
          text = filled;
        }
        assertThat(text).as("%s", page).isEqualTo(filled);
      }
    }
    assertThat(frames).isGreaterThan(15);
  }

  private static String frame(MatchResult match) {
    String name = match.group(1);
    byte[] bytes = null;
    String decoded = "";
    String type = "";
    for (ObjectNode vector : VectorFiles.read("frames.jsonl")) {
      if (vector.get("name").asText().equals(name)) {
        bytes = HexFormat.of().parseHex(vector.get("hex").asText());
        type = vector.get("decoded").get("type").asText();
        decoded = vector.get("decoded").get("body").toString();
      }
    }
    for (ObjectNode vector : VectorFiles.read("bodies.jsonl")) {
      if (bytes == null && vector.get("name").asText().equals(name)) {
        type = vector.get("type").asText();
        decoded = vector.get("decoded").toString();
        bytes = framed(FrameType.valueOf(type), vector.get("hex").asText());
      }
    }
    if (bytes == null) {
      throw new AssertionError("no vector " + name);
    }
    var out = new StringBuilder("<!-- frame: " + name + " -->\n```\n" + type + "\n");
    wrap(out, HexFormat.ofDelimiter(" ").formatHex(bytes), ' ');
    if (!decoded.equals("{}")) {
      wrap(out, decoded, ',');
    }
    return out + "```\n<!-- /frame -->";
  }

  /// In the chat with Bob, or in a group where the type wants one.
  private static byte[] framed(FrameType type, String body) {
    int flags = type.requiredFlags();
    long chat =
        (flags & FrameHeader.GROUP) != 0
            ? Samples.GROUP
            : (flags & FrameHeader.CHAT) != 0 ? Samples.BOB : 0;
    return new Frame(
            type,
            flags,
            (flags & FrameHeader.RID) != 0 ? 7 : 0,
            chat,
            (flags & FrameHeader.SEQ) != 0 ? 42 : 0,
            HexFormat.of().parseHex(body))
        .encoded();
  }

  private static void wrap(StringBuilder out, String text, char at) {
    String rest = text;
    while (rest.length() > 96) {
      int cut = rest.lastIndexOf(at, 95) + 1;
      cut = cut == 0 ? 96 : cut;
      out.append("  ").append(rest.substring(0, cut).trim()).append('\n');
      rest = rest.substring(cut);
    }
    out.append("  ").append(rest).append('\n');
  }
}

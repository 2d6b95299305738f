package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {

  private final ObjectMapper mapper = new ObjectMapper();

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "plain",
        "\"quoted\" \\ and / slashes",
        "line\nbreak\r\ttab\u2028\u2029",
        "\u0000\u0007\u001b[31m\u007f\u0085",
        "Ω привет שלום مرحبا नमस्ते 你好 こんにちは 안녕 สวัสดี",
        "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿"
      })
  void everyTextComesBack(String text) throws Exception {
    var json = Json.object().put("text", text).toString();

    assertThat(json).doesNotContain("\n", "\r", "\u001b", "\u2028");
    assertThat(mapper.readTree(json).get("text").asText()).isEqualTo(text);
  }

  @Test
  void stringsMakeAnArray() {
    assertThat(Json.object().putStrings("a", java.util.List.of("x", "y")).toString())
        .isEqualTo("{\"a\":[\"x\",\"y\"]}");
    assertThat(Json.object().putStrings("a", java.util.List.of()).toString())
        .isEqualTo("{\"a\":[]}");
  }

  @Test
  void halfACharacterIsEscaped() throws Exception {
    var json = Json.object().put("text", "a\ud83dz\ude00").toString();

    assertThat(json).contains("\\ud83d").contains("\\ude00");
    assertThat(mapper.readTree(json).get("text").asText()).isEqualTo("a\ud83dz\ude00");
  }

  @Test
  void membersKeepTheirOrderAndTypes() {
    var json =
        Json.object()
            .put("int", Long.MAX_VALUE)
            .put("short", 1.5)
            .put("whole", 3.0)
            .put("third", 1 / 3.0)
            .put("nan", Double.NaN)
            .put("yes", true)
            .put("none", (String) null)
            .put("inner", Json.object().put("a", 1))
            .put("list", List.of(Json.object(), Json.object().put("b", 2)));

    assertThat(json)
        .hasToString(
            "{\"int\":9223372036854775807,\"short\":1.5,\"whole\":3,\"third\":0.333,\"nan\":null,"
                + "\"yes\":true,\"none\":null,\"inner\":{\"a\":1},\"list\":[{},{\"b\":2}]}");
  }
}

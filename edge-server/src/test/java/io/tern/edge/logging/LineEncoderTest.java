package io.tern.edge.logging;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.LoggingEvent;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.event.KeyValuePair;

/// Whatever a client sends, it cannot make a log say something, or somebody's terminal do
/// something.
class LineEncoderTest {

  private static final ObjectMapper JSON = new ObjectMapper();

  /// What ends lines, begins escapes, turns text around or hides in it.
  private static final String[] EVIL = {
    "\n", "\r", "\r\n", "\u0000", "\u0007", "\b", "\u001b[2J", "\u001b]0;title\u0007", "\u001bc",
    "\u009b31m", "\u0085", "\u2028", "\u2029", "\u202e", "\u202a", "\u2066", "\u2069", "\u200e",
    "\u200f", "\u061c", "\u200b", "\ufeff", "\u00ad", "\ud800", "\udfff", "\ue000", "\uffff",
    "\t", "\u007f", "\u000b", "\f", "\ud83c\udff4\udb40\udc67", "\"", "\\", "\\n",
        "\", \"level\":\"ERROR"
  };

  private final LoggerContext context = new LoggerContext();

  private String encoded(LogFormat format, LoggingEvent event) {
    var encoder = new LineEncoder();
    encoder.setFormat(format);
    encoder.start();
    return new String(encoder.encode(event), StandardCharsets.UTF_8);
  }

  private LoggingEvent event(String message, Object... arguments) {
    return event(null, message, arguments);
  }

  private LoggingEvent event(@Nullable Throwable thrown, String message, Object... arguments) {
    return new LoggingEvent(
        "x",
        context.getLogger("io.tern.edge.session.Disconnector"),
        Level.WARN,
        message,
        thrown,
        arguments);
  }

  private static List<String> inputs() {
    long seed = 42;
    var random = new Random(seed);
    var inputs = new ArrayList<String>(List.of(EVIL));
    while (inputs.size() < 1_000) {
      var text = new StringBuilder();
      for (int i = random.nextInt(1, 8); i > 0; i--) {
        text.append(
            switch (random.nextInt(3)) {
              case 0 -> "12:00:00.000 INFO [main] i.t.Tern all is well";
              case 1 -> (char) random.nextInt(0x10000);
              default -> EVIL[random.nextInt(EVIL.length)];
            });
      }
      inputs.add(text.toString());
    }
    return inputs;
  }

  @ParameterizedTest
  @EnumSource
  void nothingThatIsSentMakesALineOfItsOwn(LogFormat format) throws IOException {
    for (String evil : inputs()) {
      var event = event(new IllegalStateException(evil, new IOException(evil)), "sent: {}", evil);
      event.setThreadName(evil);
      event.addKeyValuePair(new KeyValuePair("device", evil));
      event.addKeyValuePair(new KeyValuePair(evil, "x"));

      String text = encoded(format, event);

      assertThat(text).endsWith("\n");
      assertThat(text.substring(0, text.length() - 1).codePoints())
          .as("%s of %s", format, JSON.writeValueAsString(evil))
          .allMatch(c -> harmless(c) || (format == LogFormat.TEXT && (c == '\n' || c == '\t')));
      List<String> lines = text.lines().toList();
      if (format == LogFormat.TEXT) {
        assertThat(lines.stream().skip(1)).allMatch(line -> line.startsWith("\t"));
      } else {
        assertThat(lines).hasSize(1);
        JsonNode json = JSON.readTree(lines.getFirst());
        assertThat(json.get("level").textValue()).isEqualTo("WARN");
        assertThat(json.get("message").textValue()).startsWith("sent: ");
      }
    }
  }

  private static boolean harmless(int c) {
    return c == ' '
        || switch (Character.getType(c)) {
          case Character.CONTROL,
              Character.FORMAT,
              Character.LINE_SEPARATOR,
              Character.PARAGRAPH_SEPARATOR,
              Character.SURROGATE,
              Character.PRIVATE_USE,
              Character.UNASSIGNED ->
              false;
          default -> true;
        };
  }

  @Test
  void twoTextsNeverLookAlike() {
    assertThat(encoded(LogFormat.TEXT, event("{}", "a\nb")).lines().findFirst().orElseThrow())
        .endsWith("a\\nb");
    assertThat(encoded(LogFormat.TEXT, event("{}", "a\\nb"))).endsWith("a\\\\nb\n");
    assertThat(encoded(LogFormat.TEXT, event("{}", "Ünï 写 👍"))).endsWith("Ünï 写 👍\n");
    assertThat(encoded(LogFormat.TEXT, event("{}", "\u001b[31m"))).endsWith("\\u001b[31m\n");
  }

  @Test
  void aLineOfJsonHasTheFieldsOfTheDocument() throws IOException {
    var event = event(new IllegalStateException("broken"), "closed: {}", "quota");
    event.setThreadName("tern-loop-0");
    event.addKeyValuePair(new KeyValuePair("session", 256L));
    event.addKeyValuePair(new KeyValuePair("live", true));
    event.addKeyValuePair(new KeyValuePair("device", null));
    event.addKeyValuePair(new KeyValuePair("level", "mine"));

    JsonNode json = JSON.readTree(encoded(LogFormat.JSON, event));

    assertThat(json.get("time").textValue())
        .matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d.*Z");
    assertThat(json.get("level").textValue()).isEqualTo("WARN");
    assertThat(json.get("level_").textValue()).isEqualTo("mine");
    assertThat(json.get("thread").textValue()).isEqualTo("tern-loop-0");
    assertThat(json.get("logger").textValue()).isEqualTo("io.tern.edge.session.Disconnector");
    assertThat(json.get("message").textValue()).isEqualTo("closed: quota");
    assertThat(json.get("session").longValue()).isEqualTo(256);
    assertThat(json.get("live").booleanValue()).isTrue();
    assertThat(json.get("device").isNull()).isTrue();
    assertThat(json.at("/error/type").textValue()).isEqualTo("java.lang.IllegalStateException");
    assertThat(json.at("/error/message").textValue()).isEqualTo("broken");
    assertThat(json.at("/error/stack").textValue())
        .startsWith("java.lang.IllegalStateException: broken\n\tat io.tern.edge.logging");
  }

  @Test
  void whatIsEndlessIsCut() {
    Throwable endless = new IllegalStateException("0");
    for (int i = 1; i < 1_000; i++) {
      endless = new IllegalStateException("n".repeat(100_000) + i, endless);
      endless.addSuppressed(new IOException("s".repeat(100_000)));
    }
    for (LogFormat format : LogFormat.values()) {
      String line = encoded(format, event(endless, "{}", "m".repeat(1_000_000)));
      assertThat(line.length()).isLessThan(300_000);
      assertThat(line).contains("… (991808 more)");
    }
  }

  @Test
  void anExceptionWithoutWordsSaysWhereAndNothingElse() {
    var secret = "hunter2";
    var inner = new IOException(secret);
    inner.addSuppressed(new IllegalArgumentException(secret));
    inner.initCause(new IllegalStateException("loop " + secret, new RuntimeException(secret)));
    var outer = new IllegalStateException(secret, inner);

    String text = encoded(LogFormat.JSON, event(Wordless.of(outer), "failed"));

    assertThat(text)
        .doesNotContain(secret)
        .contains(
            "java.lang.IllegalStateException",
            "java.io.IOException",
            "java.lang.IllegalArgumentException",
            "java.lang.RuntimeException",
            "anExceptionWithoutWordsSaysWhereAndNothingElse");
    assertThat(text).contains("\"type\":\"java.lang.IllegalStateException\"");
  }
}

package io.tern.edge.logging;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.StackTraceElementProxy;
import ch.qos.logback.core.encoder.EncoderBase;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.KeyValuePair;

/// One event, one line ([LogFormat]); what comes from outside is [Encoded] in both. Any thread.
///
/// Bounds: [#MESSAGE_CHARS_MAX] of a message, [#VALUE_CHARS_MAX] of a value and of what an
/// exception says, [#FRAMES_MAX] frames of each of [#CAUSES_MAX] causes.
public final class LineEncoder extends EncoderBase<ILoggingEvent> {

  static final int MESSAGE_CHARS_MAX = 8_192;
  static final int VALUE_CHARS_MAX = 1_024;
  static final int FRAMES_MAX = 40;
  static final int CAUSES_MAX = 6;
  private static final int SUPPRESSED_MAX = 3;

  private static final byte[] NOTHING = {};

  /// The fields of every line; a key-value of such a name gets an underscore behind it.
  private static final Set<String> FIELDS =
      Set.of("time", "level", "thread", "logger", "message", "error");

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("HH:mm:ss.SSS").withZone(ZoneId.systemDefault());

  private volatile LogFormat format = LogFormat.TEXT;

  /// Also for logback's configuration, by name.
  public void setFormat(LogFormat format) {
    this.format = format;
  }

  @Override
  public byte[] headerBytes() {
    return NOTHING;
  }

  @Override
  public byte[] footerBytes() {
    return NOTHING;
  }

  @Override
  public byte[] encode(ILoggingEvent event) {
    var line = new StringBuilder(256);
    if (format == LogFormat.JSON) {
      json(line, event);
    } else {
      text(line, event);
    }
    return line.toString().getBytes(StandardCharsets.UTF_8);
  }

  // ---- text ------------------------------------------------------------------------------------

  private static void text(StringBuilder line, ILoggingEvent event) {
    TIME.formatTo(event.getInstant(), line);
    String level = String.valueOf(event.getLevel());
    line.append(' ').append(level).repeat(' ', Math.max(0, 5 - level.length())).append(" [");
    Encoded.append(line, event.getThreadName(), VALUE_CHARS_MAX);
    line.append("] ");
    Encoded.append(line, shortName(event.getLoggerName()), VALUE_CHARS_MAX);
    line.append(' ');
    Encoded.append(line, message(event), MESSAGE_CHARS_MAX);
    if (event.getKeyValuePairs() != null) {
      for (KeyValuePair pair : event.getKeyValuePairs()) {
        line.append(' ');
        Encoded.append(line, pair.key, VALUE_CHARS_MAX);
        line.append('=');
        Encoded.append(line, String.valueOf(pair.value), VALUE_CHARS_MAX);
      }
    }
    line.append('\n');
    if (event.getThrowableProxy() != null) {
      stack(line, event.getThrowableProxy(), "", "\n", false, 0);
    }
  }

  /// `io.tern.edge.session.Disconnector` is `i.t.e.s.Disconnector`.
  private static String shortName(String logger) {
    int last = logger.lastIndexOf('.');
    if (last < 0) {
      return logger;
    }
    var name = new StringBuilder();
    for (String part : logger.substring(0, last).split("\\.", -1)) {
      name.append(part, 0, Math.min(1, part.length())).append('.');
    }
    return name.append(logger, last + 1, logger.length()).toString();
  }

  // ---- JSON ------------------------------------------------------------------------------------

  private static void json(StringBuilder line, ILoggingEvent event) {
    line.append("{\"time\":\"");
    Instant time = event.getInstant();
    line.append(Instant.ofEpochMilli(time.toEpochMilli()));
    field(line.append('"'), "level", String.valueOf(event.getLevel()));
    field(line, "thread", event.getThreadName());
    field(line, "logger", event.getLoggerName());
    line.append(",\"message\":\"");
    Encoded.appendJson(line, message(event), MESSAGE_CHARS_MAX);
    line.append('"');
    if (event.getKeyValuePairs() != null) {
      for (KeyValuePair pair : event.getKeyValuePairs()) {
        value(line, FIELDS.contains(pair.key) ? pair.key + "_" : pair.key, pair.value);
      }
    }
    IThrowableProxy thrown = event.getThrowableProxy();
    if (thrown != null) {
      line.append(",\"error\":{\"type\":\"");
      Encoded.appendJson(line, type(thrown), VALUE_CHARS_MAX);
      line.append('"');
      String says = says(thrown);
      if (says != null) {
        field(line, "message", says);
      }
      line.append(",\"stack\":\"");
      stack(line, thrown, "", "\\n", true, 0);
      line.append("\"}");
    }
    line.append("}\n");
  }

  private static void field(StringBuilder line, String name, String value) {
    line.append(",\"").append(name).append("\":\"");
    Encoded.appendJson(line, value, VALUE_CHARS_MAX);
    line.append('"');
  }

  private static void value(StringBuilder line, String key, @Nullable Object value) {
    line.append(",\"");
    Encoded.appendJson(line, key, VALUE_CHARS_MAX);
    line.append("\":");
    if (value == null || value instanceof Boolean || value instanceof Long) {
      line.append(value);
    } else if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
      line.append(value);
    } else {
      line.append('"');
      Encoded.appendJson(line, String.valueOf(value), VALUE_CHARS_MAX);
      line.append('"');
    }
  }

  // ---- both ------------------------------------------------------------------------------------

  private static String message(ILoggingEvent event) {
    return String.valueOf(event.getFormattedMessage());
  }

  private static String type(IThrowableProxy thrown) {
    return isWordless(thrown) ? String.valueOf(thrown.getMessage()) : thrown.getClassName();
  }

  private static @Nullable String says(IThrowableProxy thrown) {
    return isWordless(thrown) ? null : thrown.getMessage();
  }

  private static boolean isWordless(IThrowableProxy thrown) {
    return thrown.getClassName().equals(Wordless.class.getName());
  }

  /// @param end of a line
  private static void stack(
      StringBuilder line,
      IThrowableProxy thrown,
      String prefix,
      String end,
      boolean json,
      int depth) {
    // Every line begins with a tab: none can be taken for an event.
    line.append(json ? "" : "\t").append(prefix);
    append(line, type(thrown), json);
    String says = says(thrown);
    if (says != null) {
      line.append(": ");
      append(line, says, json);
    }
    line.append(end);
    StackTraceElementProxy[] frames = thrown.getStackTraceElementProxyArray();
    int own = frames.length - thrown.getCommonFrames();
    int shown = Math.min(own, FRAMES_MAX);
    for (int i = 0; i < shown; i++) {
      line.append(json ? "\\t" : "\t\t");
      append(line, frames[i].getSTEAsString(), json);
      line.append(end);
    }
    if (shown < frames.length) {
      line.append(json ? "\\t" : "\t\t")
          .append("... ")
          .append(frames.length - shown)
          .append(" more");
      line.append(end);
    }
    if (depth >= CAUSES_MAX) {
      return;
    }
    IThrowableProxy[] suppressed = thrown.getSuppressed();
    for (int i = 0; suppressed != null && i < Math.min(suppressed.length, SUPPRESSED_MAX); i++) {
      stack(line, suppressed[i], "suppressed: ", end, json, depth + 1);
    }
    if (thrown.getCause() != null) {
      stack(line, thrown.getCause(), "caused by: ", end, json, depth + 1);
    }
  }

  private static void append(StringBuilder line, String text, boolean json) {
    if (json) {
      Encoded.appendJson(line, text, VALUE_CHARS_MAX);
    } else {
      Encoded.append(line, text, VALUE_CHARS_MAX);
    }
  }
}

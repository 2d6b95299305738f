package io.tern.tools;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// One JSON object under construction, members in the order they were put. What `--json` prints is
/// one of these a line ([#toString] has no line breaks).
///
/// Confined to one thread. Control characters and lone surrogates are escaped, so that a line is
/// valid UTF-8 and harmless to a terminal; every other character stays readable.
public final class Json {

  private final StringBuilder out = new StringBuilder("{");

  private Json() {}

  public static Json object() {
    return new Json();
  }

  /// An array of objects, for [#put(String, List)] or a line of its own.
  public static List<Json> list() {
    return new ArrayList<>();
  }

  public Json put(String key, @Nullable String value) {
    name(key);
    if (value == null) {
      out.append("null");
    } else {
      string(value);
    }
    return this;
  }

  public Json put(String key, long value) {
    name(key);
    out.append(value);
    return this;
  }

  public Json put(String key, boolean value) {
    name(key);
    out.append(value);
    return this;
  }

  /// Three decimals at most. JSON knows no infinities: those become null.
  public Json put(String key, double value) {
    name(key);
    if (!Double.isFinite(value)) {
      out.append("null");
    } else {
      var text = String.format(Locale.ROOT, "%.3f", value);
      int end = text.length();
      while (text.charAt(end - 1) == '0') {
        end--;
      }
      out.append(text, 0, text.charAt(end - 1) == '.' ? end - 1 : end);
    }
    return this;
  }

  public Json put(String key, Json value) {
    name(key);
    out.append(value);
    return this;
  }

  public Json put(String key, List<Json> values) {
    name(key);
    out.append('[');
    for (int i = 0; i < values.size(); i++) {
      if (i > 0) {
        out.append(',');
      }
      out.append(values.get(i));
    }
    out.append(']');
    return this;
  }

  public Json putStrings(String key, List<String> values) {
    name(key);
    out.append('[');
    for (int i = 0; i < values.size(); i++) {
      if (i > 0) {
        out.append(',');
      }
      string(values.get(i));
    }
    out.append(']');
    return this;
  }

  @Override
  public String toString() {
    return out + "}";
  }

  private void name(String key) {
    if (out.length() > 1) {
      out.append(',');
    }
    string(key);
    out.append(':');
  }

  private void string(String value) {
    out.append('"');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        default -> {
          if (c < 0x20 || (c >= 0x7F && c < 0xA0) || isLineSeparator(c) || isLone(value, i)) {
            out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }

  private static boolean isLineSeparator(char c) {
    return c == '\u2028' || c == '\u2029';
  }

  /// Half of a pair that is not there: no UTF-8 exists for it.
  private static boolean isLone(String value, int i) {
    char c = value.charAt(i);
    if (Character.isHighSurrogate(c)) {
      return i + 1 == value.length() || !Character.isLowSurrogate(value.charAt(i + 1));
    }
    return Character.isLowSurrogate(c)
        && (i == 0 || !Character.isHighSurrogate(value.charAt(i - 1)));
  }
}

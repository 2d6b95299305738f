package io.tern.edge.logging;

/// Foreign text as part of a line. Whatever could end the line, move the cursor, change colours,
/// turn the reading direction or not be seen at all is written as an escape of JSON (line feed,
/// carriage return, tab, or four hex digits), and a backslash as two: what was there can be read,
/// and nothing can be pretended. Pure functions.
public final class Encoded {

  private Encoded() {}

  /// Appends at most `charsMax` characters of `text`, and how many there were more.
  static void append(StringBuilder to, String text, int charsMax) {
    append(to, text, charsMax, false);
  }

  /// As [#append], for the inside of a JSON string.
  public static void appendJson(StringBuilder to, String text, int charsMax) {
    append(to, text, charsMax, true);
  }

  private static void append(StringBuilder to, String text, int charsMax, boolean json) {
    int length = text.length();
    int i = 0;
    while (i < length && i < charsMax) {
      char c = text.charAt(i);
      if (c == '\\') {
        to.append("\\\\");
      } else if (json && c == '"') {
        to.append("\\\"");
      } else if (c >= ' ' && c < 0x7F) {
        to.append(c);
      } else if (c == '\n') {
        to.append("\\n");
      } else if (c == '\r') {
        to.append("\\r");
      } else if (c == '\t') {
        to.append("\\t");
      } else if (Character.isHighSurrogate(c)
          && i + 1 < length
          && Character.isLowSurrogate(text.charAt(i + 1))
          && isVisible(text.codePointAt(i))) {
        to.append(c).append(text.charAt(++i));
      } else if (isVisible(c)) {
        to.append(c);
      } else {
        unicode(to, c);
      }
      i++;
    }
    if (i < length) {
      to.append("… (").append(length - i).append(" more)");
    }
  }

  private static void unicode(StringBuilder to, char c) {
    to.append("\\u");
    for (int shift = 12; shift >= 0; shift -= 4) {
      to.append(Character.forDigit((c >>> shift) & 0xF, 16));
    }
  }

  /// Whether it takes a place of its own and does nothing else. Controls (line breaks and ANSI
  /// escapes among them), formats (bidi, zero width), separators of lines and paragraphs, halves of
  /// surrogate pairs and what has no meaning are not.
  private static boolean isVisible(int codePoint) {
    return switch (Character.getType(codePoint)) {
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
}

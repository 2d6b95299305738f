package io.tern.tools;

/// Makes text from others safe to print: a message must not be able to move the cursor, change
/// colours, retitle the window or type for the reader. Pure functions.
public final class TerminalText {

  private TerminalText() {}

  /// Whether a person looks on: standard input and output are a terminal.
  @SuppressWarnings("SystemConsoleNull") // NullAway wants the check that Error Prone finds needless
  public static boolean isTerminal() {
    var console = System.console();
    return console != null && console.isTerminal();
  }

  /// For one line of output: control characters become their pictures (␛ for ESC, ␊ for a line
  /// break), bidirectional embeddings and overrides are dropped.
  public static String line(String text) {
    return clean(text, false);
  }

  /// As [#line], but line breaks stay; a carriage return goes.
  public static String lines(String text) {
    return clean(text, true);
  }

  private static String clean(String text, boolean keepLines) {
    if (isClean(text)) {
      return text;
    }
    var out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (keepLines && (c == '\n' || c == '\r')) {
        if (c == '\n') {
          out.append(c);
        }
      } else if (c == '\t') {
        out.append(' ');
      } else if (c < 0x20) {
        out.append((char) (0x2400 + c));
      } else if (c == 0x7F) {
        out.append('\u2421');
      } else if (c >= 0x80 && c < 0xA0) {
        out.append('\uFFFD');
      } else if (!isBidiControl(c)) {
        out.append(c);
      }
    }
    return out.toString();
  }

  private static boolean isClean(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x20 || (c >= 0x7F && c < 0xA0) || isBidiControl(c)) {
        return false;
      }
    }
    return true;
  }

  /// Embeddings, overrides and isolates reach past the end of the text they stand in; the marks LRM
  /// and RLM do not and stay.
  private static boolean isBidiControl(char c) {
    return (c >= '\u202A' && c <= '\u202E') || (c >= '\u2066' && c <= '\u2069');
  }
}

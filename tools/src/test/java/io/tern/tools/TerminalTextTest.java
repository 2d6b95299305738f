package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TerminalTextTest {

  @Test
  void textOfEveryScriptStaysAsItIs() {
    var text = "Ω привет שלום مرحبا नमस्ते 你好 こんにちは 안녕 สวัสดี 👩‍👩‍👧‍👦";

    assertThat(TerminalText.line(text)).isSameAs(text);
  }

  @Test
  void aMessageCannotSteerTheTerminal() {
    assertThat(TerminalText.line("\u001b[2J\u001b]0;title\u0007\b\u009b31m\u007f"))
        .isEqualTo("␛[2J␛]0;title␇␈\uFFFD31m␡");
  }

  @Test
  void aLineStaysALine() {
    assertThat(TerminalText.line("one\r\ntwo\tthree")).isEqualTo("one␍␊two three");
    assertThat(TerminalText.lines("one\r\ntwo")).isEqualTo("one\ntwo");
  }

  @Test
  void aMessageCannotTurnTheTextAfterItAround() {
    assertThat(TerminalText.line("a\u202Eb\u2066c\u2069")).isEqualTo("abc");
  }
}

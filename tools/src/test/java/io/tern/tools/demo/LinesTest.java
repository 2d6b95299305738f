package io.tern.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.Character.UnicodeScript;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class LinesTest {

  @Test
  void theConversationSpeaksInManyScripts() {
    var scripts =
        Lines.CONVERSATION.stream()
            .flatMapToInt(line -> line.text().codePoints())
            .mapToObj(UnicodeScript::of)
            .collect(Collectors.toSet());

    assertThat(scripts)
        .containsAll(
            Arrays.asList(
                UnicodeScript.LATIN,
                UnicodeScript.GREEK,
                UnicodeScript.CYRILLIC,
                UnicodeScript.ARABIC,
                UnicodeScript.HEBREW,
                UnicodeScript.DEVANAGARI,
                UnicodeScript.HAN,
                UnicodeScript.HIRAGANA,
                UnicodeScript.HANGUL,
                UnicodeScript.THAI));
    assertThat(Lines.CONVERSATION).anyMatch(line -> line.text().contains("👩‍👩‍👧‍👦"));
  }

  @Test
  void noTextOccursTwice() {
    assertThat(Lines.CONVERSATION.stream().map(Lines.Line::text)).doesNotHaveDuplicates();
  }

  @Test
  void aLetterIsAsLongAsAsked() {
    assertThat(Lines.bytes(Lines.letter(10 * 1024))).isBetween(10 * 1024, 11 * 1024);
  }
}

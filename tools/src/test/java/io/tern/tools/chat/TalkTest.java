package io.tern.tools.chat;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TalkTest {

  @Test
  void wordsMayBeQuoted() {
    assertThat(Talk.words("\"bird watchers\" bob  carol "))
        .containsExactly("bird watchers", "bob", "carol");
    assertThat(Talk.words("")).isEmpty();
    assertThat(Talk.words("\"\" x")).containsExactly("", "x");
  }
}

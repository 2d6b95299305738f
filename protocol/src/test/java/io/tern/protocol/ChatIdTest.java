package io.tern.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChatIdTest {

  @Test
  void whatIsPrintedCanBeReadAgain() {
    var one = new UserId(1);
    var last = new UserId(UserId.VALUE_MAX);
    for (ChatId chat :
        new ChatId[] {
          ChatId.direct(last, one),
          ChatId.direct(one, one),
          ChatId.group(1),
          ChatId.group(UserId.VALUE_MAX)
        }) {
      assertThat(ChatId.parse(chat.toString())).isEqualTo(chat);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "d",
        "g",
        "g0",
        "g-1",
        "g1-2",
        "d1",
        "d1-",
        "d-2",
        "d0-2",
        "d2-1",
        "d1-2-3",
        "d1--2",
        "x1",
        "gzzzzzzzzzzzzzzz",
        "d1-zzzzzzzzzzzz",
        "D1-2",
        "g 1"
      })
  void whatIsNoChatIsRefused(String text) {
    assertThatThrownBy(() -> ChatId.parse(text)).isInstanceOf(IllegalArgumentException.class);
  }
}

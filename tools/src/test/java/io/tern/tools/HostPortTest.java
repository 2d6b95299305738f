package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HostPortTest {

  @Test
  void readsNamesAndAddresses() {
    assertThat(HostPort.parse("chat.example.org:7400"))
        .isEqualTo(new HostPort("chat.example.org", 7400));
    assertThat(HostPort.parse("[::1]:0")).isEqualTo(new HostPort("::1", 0)).hasToString("[::1]:0");
    assertThat(HostPort.parse(":7400")).hasToString("127.0.0.1:7400");
  }

  @ParameterizedTest
  @ValueSource(strings = {"localhost", "localhost:", "localhost:x", "a:-1", "a:65536", "::1:7400"})
  void saysWhatIsWrong(String text) {
    assertThatThrownBy(() -> HostPort.parse(text)).hasMessageContaining("'" + text + "'");
  }
}

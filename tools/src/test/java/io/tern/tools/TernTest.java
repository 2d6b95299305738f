package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TernTest {

  @Test
  void testsRunOnJava25() {
    assertThat(Runtime.version().feature()).isEqualTo(25);
  }

  @Test
  void versionNamesTernAndJava() {
    assertThat(new Tern.Version().getVersion())
        .satisfiesExactly(
            tern -> assertThat(tern).startsWith("tern "),
            java -> assertThat(java).startsWith("java 25"));
  }
}

package io.tern.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.tools.LiveServer.Commands;
import org.junit.jupiter.api.Test;

/// The demo as a person runs it, with less traffic: a server process, a kill -9, a restart.
class DemoTest {

  @Test
  void theStoryEndsWell() {
    var result = Commands.run("demo", "--messages", "40");

    assertThat(result.exitCode()).as(result.out() + result.err()).isZero();
    assertThat(result.out())
        .contains("kill -9", "0 lost, 0 doubled, 0 out of order, 0 changed", "All is well")
        .contains("👩‍👩‍👧‍👦", "सुबह")
        .containsPattern("a code for \\+12025550123\n.*console: SMS to \\+12025550123: \\d{6} is")
        .containsPattern("she is @u\\w+, device 1, with a secret and a token for 15 min")
        .contains("logs in over the wire with that token", "her token from before the kill is good")
        .contains("creates the group “Harbour terns” with bob, carol", "👍 to #2", "removes carol")
        .contains("Saturday at ten, at the pier?", "NOT_MEMBER", "and all agree");
  }
}

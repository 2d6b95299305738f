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
        .contains("creates the group “Harbour terns” with bob, carol", "👍 to #2", "removes carol")
        .contains("Saturday at ten, at the pier?", "NOT_MEMBER", "and all agree");
  }
}

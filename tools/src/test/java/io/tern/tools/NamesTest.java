package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NamesTest {

  @TempDir Path folder;

  @Test
  void aNameThatWasTypedIsKnownLater() {
    new Names(folder.resolve("state/names")).learn("Zoë");

    assertThat(new Names(folder.resolve("state/names")).of(Names.id("Zoë"))).isEqualTo("Zoë");
  }

  @Test
  void anUnknownUserIsShownAsAnIdThatCanBeTyped() {
    var names = new Names(folder.resolve("names"));
    var bob = Names.id("bob");

    assertThat(names.of(bob)).startsWith("@u");
    assertThat(Names.id(names.of(bob))).isEqualTo(bob);
  }

  @Test
  void whoHasAnAccountIsCalledByTheNameThatWasGiven() {
    var names = new Names(folder.resolve("names"));
    var carol = Names.id("@u3p47");

    names.call(carol, "carol");

    assertThat(names.of(carol)).isEqualTo("carol");
    assertThat(new Names(folder.resolve("names")).of(carol)).isEqualTo("@u3p47");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "@", "@u", "@u!", "@uzzzzzzzzzzzz", "a\nb"})
  void whatIsNoNameIsSaid(String name) {
    assertThatThrownBy(() -> Names.id(name)).isInstanceOf(Failure.class);
  }
}

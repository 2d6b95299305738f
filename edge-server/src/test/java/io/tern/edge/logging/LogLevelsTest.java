package io.tern.edge.logging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LogLevelsTest {

  private static final String LOGGER = "io.tern.edge.logging.test";

  private long wallMillis = 1_800_000_000_000L;
  private final LogLevels levels = new LogLevels(() -> wallMillis);

  @AfterEach
  void putBack() {
    levels.resetAll();
    Logging.setLevel(LOGGER, null);
  }

  @Test
  void whatIsSetForATimeGoesBackByItself() {
    String before = Logging.level(LOGGER);
    LogLevels.Setting set = levels.set(LOGGER, "trace", Duration.ofMinutes(10));
    assertThat(set.level()).isEqualTo("TRACE");
    assertThat(set.untilMillis()).isEqualTo(wallMillis + 600_000);

    wallMillis += 599_999;
    levels.tick();
    assertThat(Logging.level(LOGGER)).isEqualTo("TRACE");
    assertThat(levels.list()).containsExactly(set);

    wallMillis++;
    levels.tick();
    assertThat(Logging.level(LOGGER)).isEqualTo(before);
    assertThat(levels.list()).isEmpty();
  }

  @Test
  void whatIsSetTwiceGoesBackToWhatItWasAtFirst() {
    Logging.setLevel(LOGGER, "ERROR");
    levels.set(LOGGER, "DEBUG", null);
    levels.set(LOGGER, "TRACE", Duration.ofSeconds(1));
    wallMillis += 1_000;
    levels.tick();
    assertThat(Logging.level(LOGGER)).isEqualTo("ERROR");

    levels.set(LOGGER, "DEBUG", null);
    wallMillis += Duration.ofDays(400).toMillis();
    levels.tick();
    assertThat(Logging.level(LOGGER)).as("set for ever").isEqualTo("DEBUG");
    assertThat(levels.reset(LOGGER)).isTrue();
    assertThat(Logging.level(LOGGER)).isEqualTo("ERROR");
    assertThat(levels.reset(LOGGER)).isFalse();
  }

  @Test
  void onlyTernsLoggersAndAFewOthersCanBeSet() {
    for (String good :
        new String[] {"io.tern", "io.tern.edge.netty.Doorstep", "ROOT", "io.netty"}) {
      assertThat(LogLevels.isAllowed(good)).as(good).isTrue();
    }
    for (String bad :
        new String[] {
          "",
          "io",
          "io.ternary",
          "io.tern.",
          "io.tern..edge",
          "io.tern.a b",
          "org.slf4j",
          "io.tern.\n",
          "io.tern." + "a".repeat(65)
        }) {
      assertThat(LogLevels.isAllowed(bad)).as(bad).isFalse();
      assertThatThrownBy(() -> levels.set(bad, "DEBUG", null))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("logger");
    }
  }

  @Test
  void whatWillNotDoChangesNothing() {
    String before = Logging.level(LOGGER);
    assertThatThrownBy(() -> levels.set(LOGGER, "LOUD", null)).hasMessageStartingWith("level");
    assertThatThrownBy(() -> levels.set(LOGGER, "DEBUG", Duration.ofHours(25)))
        .hasMessageStartingWith("for");
    assertThatThrownBy(() -> levels.set(LOGGER, "DEBUG", Duration.ZERO))
        .hasMessageStartingWith("for");
    // Prints what it carries at DEBUG.
    assertThatThrownBy(() -> levels.set("org.jsmpp", "DEBUG", null))
        .hasMessageStartingWith("level");
    assertThat(Logging.level(LOGGER)).isEqualTo(before);
    assertThat(levels.list()).isEmpty();
  }

  @Test
  void thereIsABoundOnHowManyAreSet() {
    for (int i = 0; i < LogLevels.SET_MAX; i++) {
      levels.set(LOGGER + ".n" + i, "INFO", null);
    }
    assertThatThrownBy(() -> levels.set(LOGGER + ".more", "INFO", null))
        .hasMessageContaining("are set already");
    levels.set(LOGGER + ".n0", "WARN", null);
  }
}

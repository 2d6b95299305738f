package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.tern.router.catchup.CatchUpConfig;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class RouterConfigTest {

  @Test
  void defaults() {
    var config = RouterConfig.DEFAULT;
    assertThat(config.ringEvents()).isEqualTo(8_192);
    assertThat(config.ringBytes()).isEqualTo(64L << 20);
    assertThat(config.batchEvents()).isEqualTo(1_024);
    assertThat(config.batchBytes()).isEqualTo(512 << 10);
    assertThat(config.readers()).isEqualTo(Runtime.getRuntime().availableProcessors());
    assertThat(config.readersQueue()).isEqualTo(4_096);
    assertThat(config.dispatch())
        .isEqualTo(
            new DispatchConfig(
                Duration.ofSeconds(10), Duration.ofSeconds(5), 262_144, Duration.ofSeconds(5)));
    assertThat(CatchUpConfig.DEFAULT)
        .isEqualTo(new CatchUpConfig(10_000, 256, 32, 128, 128 * 1024));
  }

  @Test
  void everyKeyCanBeSet() {
    var dispatch =
        new DispatchConfig(Duration.ofSeconds(9), Duration.ofMillis(4), 3, Duration.ofSeconds(2));
    var config = new RouterConfig(2, 1 << 20, 1, 4_096, 5, 6, dispatch);
    assertThat(config.ringEvents()).isEqualTo(2);
    assertThat(config.ringBytes()).isEqualTo(1 << 20);
    assertThat(config.batchEvents()).isEqualTo(1);
    assertThat(config.batchBytes()).isEqualTo(4_096);
    assertThat(config.readers()).isEqualTo(5);
    assertThat(config.readersQueue()).isEqualTo(6);
    assertThat(config.dispatch()).isEqualTo(dispatch);
    assertThat(dispatch.ackWatch()).isEqualTo(Duration.ofSeconds(9));
    assertThat(dispatch.nudgeAfter()).isEqualTo(Duration.ofMillis(4));
    assertThat(dispatch.watchedMax()).isEqualTo(3);
    assertThat(dispatch.retry()).isEqualTo(Duration.ofSeconds(2));
    var catchUp = new CatchUpConfig(1, 2, 3, 4, 5);
    assertThat(catchUp.backlogMax()).isEqualTo(1);
    assertThat(catchUp.chatsMax()).isEqualTo(2);
    assertThat(catchUp.pieceEntries()).isEqualTo(3);
    assertThat(catchUp.pageEntries()).isEqualTo(4);
    assertThat(catchUp.pageBytes()).isEqualTo(5);
  }

  @Test
  void aBadValueIsNamedWithWhatWouldBeValid() {
    var dispatch = DispatchConfig.DEFAULT;
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RouterConfig(1_000, 1 << 20, 1, 4_096, 1, 1, dispatch))
        .withMessage("ringEvents is 1000; it must be a power of two, 2 to 1,048,576");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RouterConfig(2, 1, 1, 4_096, 1, 1, dispatch))
        .withMessageStartingWith("ringBytes is 1;");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RouterConfig(2, 1 << 20, 3, 4_096, 1, 1, dispatch))
        .withMessageStartingWith("batchEvents is 3;");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RouterConfig(2, 1 << 20, 1, 1, 1, 1, dispatch))
        .withMessageStartingWith("batchBytes is 1;");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RouterConfig(2, 1 << 20, 1, 4_096, 0, 1, dispatch))
        .withMessageStartingWith("readers is 0;");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RouterConfig(2, 1 << 20, 1, 4_096, 1, 0, dispatch))
        .withMessageStartingWith("readersQueue is 0;");
    var second = Duration.ofSeconds(1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DispatchConfig(Duration.ZERO, second, 1, second))
        .withMessageStartingWith("ackWatch is PT0S;");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DispatchConfig(second, second, 1, second))
        .withMessageStartingWith("nudgeAfter is PT1S;");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DispatchConfig(second, Duration.ofMillis(1), 0, second))
        .withMessageStartingWith("watchedMax is 0;");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DispatchConfig(second, Duration.ofMillis(1), 1, Duration.ZERO))
        .withMessageStartingWith("retry is PT0S;");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new CatchUpConfig(1, 1, 1, 0, 1))
        .withMessage("pageEntries is 0; it must be at least 1");
  }
}

package io.tern.router.presence;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class MemoryPresenceHubTest extends PresenceHubContract {

  private final AtomicLong millis = new AtomicLong(1_000_000);

  @Override
  PresenceHub create(int watchesMax) {
    return new MemoryPresenceHub(watchesMax, millis::get);
  }

  @Override
  void pass(Duration time) {
    millis.addAndGet(time.toMillis());
  }

  @Test
  void whatHasEndedIsForgottenWhenSomebodyWatches() {
    var memory = (MemoryPresenceHub) hub;
    for (int i = 1; i <= 5; i++) {
      hub.watch(session(BOB, i), List.of(OF_ALICE, OF_GROUP), LEASE);
    }
    assertThat(memory.watches()).isEqualTo(10);
    pass(LEASE);
    hub.watch(session(BOB, 9), List.of(OF_BOB), LEASE);
    assertThat(memory.watches()).isEqualTo(1);
  }
}

package io.tern.edge.netty;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.config.BudgetsConfig;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AdmissionTest {

  private final Counters counters = new Counters();
  private long now;
  private final Admission admission =
      new Admission(
          ServerConfig.load(
                  null,
                  Map.of(
                      "limits.connections-max", "6",
                      "limits.unauthenticated-per-ip-max", "3",
                      "limits.failures-per-minute-max", "2"))
              .limits(),
          new BudgetsConfig(4, 5, 9, 0, 0, 0, 0, 0, 100),
          counters,
          () -> now,
          () -> {});

  private static InetAddress address(int last) {
    try {
      return InetAddress.getByAddress(new byte[] {10, 0, 0, (byte) last});
    } catch (UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void anAddressHasOnlySoManyConnectionsThatHaveNotLoggedIn() {
    for (int i = 0; i < 3; i++) {
      assertThat(admission.enter(address(1))).isTrue();
    }
    assertThat(admission.enter(address(1))).isFalse();
    assertThat(admission.enter(address(2))).isTrue();
    assertThat(counters.get(Count.CONNECTIONS_REFUSED_PER_IP)).isEqualTo(1);
    assertThat(admission.connections()).isEqualTo(4);

    admission.loggedIn(address(1));
    assertThat(admission.enter(address(1))).isTrue();
  }

  @Test
  void whoFailsTooOftenWaitsForTheMinuteToEnd() {
    for (int i = 0; i < 2; i++) {
      assertThat(admission.enter(address(1))).isTrue();
      admission.failed(address(1));
      admission.leave(address(1), false);
    }
    assertThat(admission.enter(address(1))).isFalse();
    assertThat(admission.enter(address(2))).isTrue();
    assertThat(counters.get(Count.CONNECTIONS_REFUSED_FAILURES)).isEqualTo(1);
  }

  @Test
  void atTheTotalNobodyElseComesIn() {
    for (int i = 0; i < 6; i++) {
      assertThat(admission.enter(null)).isTrue();
    }
    assertThat(admission.isFull()).isTrue();
    assertThat(admission.enter(null)).isFalse();
    admission.leave(null, false);
    assertThat(admission.isFull()).isFalse();
    assertThat(admission.enter(null)).isTrue();
  }

  @Test
  void anAddressHasOnlySoManyOpenConnectionsLoggedInOrNot() {
    for (int i = 0; i < 4; i++) {
      assertThat(admission.enter(address(1))).isTrue();
      admission.loggedIn(address(1));
    }
    assertThat(admission.enter(address(1))).isFalse();
    assertThat(counters.get(Count.CONNECTIONS_REFUSED_OPEN)).isEqualTo(1);
    admission.leave(address(1), true);
    assertThat(admission.enter(address(1))).isTrue();
  }

  @Test
  void aNetworkHasOnlySoManyConnectionsThatHaveNotLoggedIn() {
    for (int i = 0; i < 5; i++) {
      assertThat(admission.enter(address(i))).isTrue();
    }
    assertThat(admission.enter(address(9))).isFalse();
    assertThat(counters.get(Count.CONNECTIONS_REFUSED_NETWORK)).isEqualTo(1);
    admission.leave(address(0), false);
    assertThat(admission.enter(address(9))).isTrue();
  }

  @Test
  void anAddressConnectsOnlySoOftenAMinute() {
    for (int i = 0; i < 9; i++) {
      assertThat(admission.enter(address(1))).isTrue();
      admission.leave(address(1), false);
    }
    assertThat(admission.enter(address(1))).isFalse();
    assertThat(admission.enter(address(2))).isTrue();
    assertThat(counters.get(Count.CONNECTIONS_REFUSED_RATE)).isEqualTo(1);
    now += 7_000_000_000L;
    assertThat(admission.enter(address(1))).isTrue();
  }

  @Test
  void whatIsRefusedLeavesNothingBehind() {
    for (int i = 0; i < 50; i++) {
      admission.enter(address(1));
    }
    assertThat(admission.connections()).isEqualTo(3);
    for (int i = 0; i < 3; i++) {
      admission.leave(address(1), false);
    }
    now += 120_000_000_000L;
    for (int i = 0; i < 3; i++) {
      assertThat(admission.enter(address(1))).isTrue();
    }
  }

  @Test
  void loopbackIsExempt() {
    assertThat(admission.accountable(InetAddress.getLoopbackAddress())).isNull();
    assertThat(admission.accountable(address(1))).isEqualTo(address(1));
  }
}

package io.tern.edge.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class RatesTest {

  private final Counters counters = new Counters();
  private long now = 7;
  private final Rates rates = new Rates(counters, List.of(Count.SENT, Count.HELLOS), () -> now);

  private void pass(int seconds, int sentEach) {
    for (int i = 0; i < seconds; i++) {
      now += TimeUnit.SECONDS.toNanos(1);
      counters.add(Count.SENT, sentEach);
      if ((i + 1) % 5 == 0) {
        rates.sample();
      }
    }
  }

  @Test
  void ratesAreOfTheLastMinute() {
    pass(10, 30);
    assertThat(rates.seconds()).isEqualTo(10);
    assertThat(rates.perSecond(Count.SENT)).isEqualTo(30);
    assertThat(rates.perSecond(Count.HELLOS)).isZero();

    pass(600, 90);
    assertThat(rates.seconds()).isEqualTo(60);
    assertThat(rates.perSecond(Count.SENT)).isEqualTo(90);

    pass(30, 0);
    assertThat(rates.perSecond(Count.SENT)).isEqualTo(45);
    pass(30, 0);
    assertThat(rates.perSecond(Count.SENT)).isZero();
  }

  @Test
  void samplesThatComeLateMakeNoWrongRate() {
    for (int i = 0; i < 20; i++) {
      now += TimeUnit.SECONDS.toNanos(17);
      counters.add(Count.SENT, 170);
      rates.sample();
    }
    assertThat(rates.perSecond(Count.SENT)).isEqualTo(10, offset(1e-9));
  }

  @Test
  void whatIsNotSampledHasNoRate() {
    assertThatThrownBy(() -> rates.perSecond(Count.ACKS))
        .isInstanceOf(IllegalArgumentException.class);
  }
}

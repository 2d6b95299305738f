package io.tern.accounts.budget;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class BudgetsTest {

  private final AtomicLong now = new AtomicLong(1_000);

  private void pass(Duration time) {
    now.addAndGet(time.toNanos());
  }

  private Budgets<String> budgets(int keysMax, Budget... budgets) {
    return new Budgets<>(keysMax, now::get, budgets);
  }

  @Test
  void allAtOnceThenAsMuchAsTimeBringsBack() {
    var codes = budgets(10, Budget.perMinute(3));
    assertThat(codes.take("a")).isZero();
    assertThat(codes.take("a", 2)).isZero();
    assertThat(codes.take("a")).isEqualTo(20_000);
    assertThat(codes.left("a")).isZero();
    assertThat(codes.refused()).isEqualTo(1);
    pass(Duration.ofSeconds(19));
    assertThat(codes.take("a")).isEqualTo(1_000);
    pass(Duration.ofSeconds(1));
    assertThat(codes.take("a")).isZero();
  }

  @Test
  void oneKeyTakesNothingFromAnother() {
    var codes = budgets(10, Budget.perHour(1));
    assertThat(codes.take("a")).isZero();
    assertThat(codes.take("a")).isPositive();
    assertThat(codes.take("b")).isZero();
  }

  @Test
  void aTakeHasToFitEveryBudget() {
    var codes = budgets(10, Budget.perSecond(2), Budget.perDay(3));
    assertThat(codes.take("a", 2)).isZero();
    assertThat(codes.take("a")).isEqualTo(500);
    pass(Duration.ofSeconds(1));
    assertThat(codes.take("a")).isZero();
    // The day's are used up, whatever the second allows.
    pass(Duration.ofSeconds(1));
    assertThat(codes.take("a")).isGreaterThan(Duration.ofHours(7).toMillis());
  }

  @Test
  void moreThanThereEverIsIsRefusedForGood() {
    var codes = budgets(10, Budget.perSecond(2));
    assertThat(codes.take("a", 3)).isEqualTo(Long.MAX_VALUE);
    assertThat(codes.take("a", 2)).isZero();
  }

  @Test
  void whatDidNotHappenIsGivenBackAndNeverMoreThanThereWas() {
    var codes = budgets(10, Budget.perHour(2));
    assertThat(codes.take("a", 2)).isZero();
    codes.giveBack("a", 1);
    assertThat(codes.take("a")).isZero();
    codes.giveBack("a", 100);
    assertThat(codes.left("a")).isEqualTo(2);
  }

  @Test
  void keysAreBoundedAndTooManyOfThemShareAndNeverGetMore() {
    var codes = budgets(100, Budget.perHour(1));
    int taken = 0;
    for (int i = 0; i < 100_000; i++) {
      if (codes.take("key-" + i) == 0) {
        taken++;
      }
    }
    assertThat(codes.keys()).isEqualTo(100);
    assertThat(taken).isBetween(100, 100 + Budgets.SHARED);
    // Those with a place of their own are as before.
    assertThat(codes.take("key-0")).isPositive();
  }

  @Test
  void aKeyWhoseBucketsAreFullAgainMakesRoom() {
    var codes = budgets(2, Budget.perSecond(5), Budget.perMinute(6));
    codes.take("a");
    codes.take("b", 5);
    pass(Duration.ofSeconds(12));
    // "a" is full in both; "b" only in the first.
    codes.take("c");
    assertThat(codes.keys()).isEqualTo(2);
    assertThat(codes.left("b")).isEqualTo(2);
    assertThat(codes.left("a")).isEqualTo(5);
  }

  @Test
  void threadsThatTakeFromOneKeyGetTogetherWhatThereIs() throws InterruptedException {
    long seed = new Random().nextLong();
    System.out.println("seed " + seed);
    var random = new Random(seed);
    var codes = budgets(4, Budget.perDay(1_000));
    var taken = new AtomicInteger();
    int threads = 8;
    var begin = new CountDownLatch(1);
    var done = new CountDownLatch(threads);
    for (int i = 0; i < threads; i++) {
      int others = random.nextInt(5);
      Thread.ofVirtual()
          .start(() -> {
            try {
              begin.await();
              for (int n = 0; n < 1_000; n++) {
                if (codes.take("a") == 0) {
                  taken.incrementAndGet();
                }
                for (int o = 0; o < others; o++) {
                  codes.take("other-" + n + o);
                }
              }
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            } finally {
              done.countDown();
            }
          });
    }
    codes.take("a");
    taken.incrementAndGet();
    begin.countDown();
    assertThat(done.await(20, TimeUnit.SECONDS)).isTrue();
    assertThat(taken).hasValue(1_000);
  }

  @Test
  void aBudgetOfNothingIsNone() {
    assertThatThrownBy(() -> Budget.perDay(0)).hasMessageContaining("at least 1");
    assertThatThrownBy(() -> new Budget(1, Duration.ZERO)).hasMessageContaining("1 ms");
    assertThatThrownBy(() -> budgets(0, Budget.perDay(1)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void blocksAreWhatOneSubscriberAndOneProviderHave() throws Exception {
    assertThat(Block.of(InetAddress.getByName("192.0.2.77"))).hasToString("192.0.2.77/32");
    assertThat(Block.wide(InetAddress.getByName("192.0.2.77"))).hasToString("192.0.2.0/24");
    var one = InetAddress.getByName("2001:db8:1:2:3:4:5:6");
    var two = InetAddress.getByName("2001:db8:1:2:ffff::1");
    var three = InetAddress.getByName("2001:db8:1:3::1");
    assertThat(Block.of(one)).isEqualTo(Block.of(two)).hasToString("2001:db8:1:2::/64");
    assertThat(Block.of(one)).isNotEqualTo(Block.of(three));
    assertThat(Block.wide(one)).isEqualTo(Block.wide(three)).hasToString("2001:db8:1:0::/48");
    assertThat(Block.of(InetAddress.getByName("::ffff:192.0.2.77")))
        .isEqualTo(Block.of(InetAddress.getByName("192.0.2.77")));
  }
}

package io.tern.accounts;

import static io.tern.accounts.World.caller;
import static io.tern.accounts.World.ok;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ErrorCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Guessing codes, from many addresses at the same time: a code is tried five times at most,
/// whoever is faster. All of it with `-Dtern.accounts.guesses=1000000`.
class GuessingTest {

  private static final int GUESSES = Integer.getInteger("tern.accounts.guesses", 40_000);
  private static final int ADDRESSES = 10_000;
  private static final int THREADS = 8;

  private static Caller address(int n) {
    int address = n % ADDRESSES;
    return caller("10." + (address >> 16) + "." + (address >> 8 & 0xFF) + "." + (address & 0xFF));
  }

  /// Records in memory: a million guesses are about the counting, not about the disk.
  @ParameterizedTest
  @ValueSource(ints = {1, 1_000})
  void aCodeHasFiveTries(int numbers) throws InterruptedException {
    long seed = 20_251_124L + numbers;
    System.out.println("seed " + seed);
    // A thousand codes to one prefix, whatever that costs.
    var budget = new AccountsConfig.SmsBudget(10, 500, 1_000, 2_000, 2_000, 1, 50, 10_000, 0);
    var world = new World(seed, Configs.sms(AccountsConfig.DEFAULTS, budget));
    Accounts accounts = world.open(new MemoryRecords(world.clock));
    List<String> victims = World.numbers(numbers);
    var requests = new ArrayList<String>();
    for (int i = 0; i < victims.size(); i++) {
      requests.add(
          ok(accounts
                  .registration()
                  .requestCode(victims.get(i), caller("172.16." + i / 200 + "." + i % 200)))
              .request());
    }
    Map<String, AtomicInteger> looked = new ConcurrentHashMap<>();
    var right = new AtomicInteger();
    var start = new CountDownLatch(1);
    var threads = new ArrayList<Thread>();
    for (int t = 0; t < THREADS; t++) {
      int first = t;
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                awaitQuietly(start);
                for (int i = first; i < GUESSES; i += THREADS) {
                  int victim = i % victims.size();
                  String number = victims.get(victim);
                  var guess = new Secret("%06d".formatted((i * 7_919L) % 1_000_000));
                  var answer =
                      accounts
                          .registration()
                          .verify(number, requests.get(victim), guess, address(i));
                  if (answer instanceof Answer.Ok) {
                    right.incrementAndGet();
                    count(looked, number);
                  } else if (((Answer.Refused<?>) answer).code() == ErrorCode.NOT_ALLOWED) {
                    count(looked, number);
                  }
                }
              }));
    }
    start.countDown();
    for (Thread thread : threads) {
      thread.join();
    }
    System.out.printf(
        "%d guesses at %d codes from %d addresses: %d looked at, %d right%n",
        GUESSES,
        numbers,
        ADDRESSES,
        looked.values().stream().mapToInt(AtomicInteger::get).sum(),
        right.get());
    assertThat(looked).hasSize(numbers);
    assertThat(looked.values()).allSatisfy(n -> assertThat(n.get()).isEqualTo(5));
    // Of 5 guesses among a million codes each: 0.005 expected for 1,000 codes.
    assertThat(right.get()).isLessThanOrEqualTo(1);
  }

  @Test
  void anAddressThatGuessesTooMuchIsRefused() {
    var world = new World(3);
    int wrong = 0;
    for (int i = 0; i < 30; i++) {
      String number = World.number(20_000_000 + i * 1_000_003L);
      var sent = ok(world.accounts.registration().requestCode(number, caller("172.16.0." + i)));
      for (int t = 0; t < 5; t++) {
        var guess = new Secret(world.codeOf(number).equals("123456") ? "654321" : "123456");
        var answer =
            world
                .accounts
                .registration()
                .verify(number, sent.request(), guess, caller("203.0.113.5"));
        wrong += ((Answer.Refused<?>) answer).code() == ErrorCode.NOT_ALLOWED ? 1 : 0;
      }
    }
    assertThat(wrong).isEqualTo(AccountsConfig.DEFAULTS.sms().wrongPerAddress());
  }

  private static void count(Map<String, AtomicInteger> looked, String number) {
    looked.computeIfAbsent(number, n -> new AtomicInteger()).incrementAndGet();
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}

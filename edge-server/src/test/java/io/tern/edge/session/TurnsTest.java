package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.config.TurnsConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// Turns in a time of their own: nothing waits, the test says how late live work is.
class TurnsTest {

  private static final long MS = 1_000_000;

  private record Event(long at, long order, Runnable what) {}

  private final PriorityQueue<Event> events =
      new PriorityQueue<>(
          java.util.Comparator.comparingLong(Event::at).thenComparingLong(Event::order));
  private final Counters counters = new Counters();
  private long now = 1_000_000 * MS;
  private long order;

  /// By how much the timer of the event loop is late.
  private long lateMillis;

  private Turns turns(int rateMin, int rateMax, int underWay, int waiting, Duration waitMax) {
    var turns =
        new Turns(
            new TurnsConfig(
                Duration.ofMillis(5),
                rateMin,
                rateMax,
                underWay,
                waiting,
                waitMax,
                waitMax.multipliedBy(2)),
            counters,
            new Random(5),
            () -> now);
    turns.runBy((millis, task) -> in((millis + lateMillis) * MS, task));
    return turns;
  }

  private void in(long nanos, Runnable what) {
    events.add(new Event(now + nanos, order++, what));
  }

  private void pass(Duration time) {
    long until = now + time.toNanos();
    while (!events.isEmpty() && events.peek().at <= until) {
      Event event = events.remove();
      now = Math.max(now, event.at);
      event.what.run();
    }
    now = until;
  }

  /// A crowd of logins that each take some time, and what became of them.
  private final class Crowd {
    private final Turns turns;
    private final long takesNanos;
    private int done;
    private int underWay;
    private int underWayMost;
    private final List<Long> putOff = new ArrayList<>();
    private final Deque<Turns.Turn> all = new ArrayDeque<>();

    Crowd(Turns turns, long takesNanos) {
      this.turns = turns;
      this.takesNanos = takesNanos;
    }

    void come(int n) {
      for (int i = 0; i < n; i++) {
        var held = new Turns.Turn[1];
        Turns.Turn turn = turns.login(() -> begin(held[0]), putOff::add);
        held[0] = turn;
        all.add(turn);
        if (turn.hasBegun()) {
          begin(turn);
        }
      }
    }

    private void begin(Turns.Turn turn) {
      underWay++;
      underWayMost = Math.max(underWayMost, underWay);
      in(
          takesNanos,
          () -> {
            underWay--;
            done++;
            turn.done();
          });
    }
  }

  @Test
  void oneLoginOfManyADayWaitsForNothing() {
    Turns turns = turns(200, 10_000, 32, 1_000, Duration.ofSeconds(8));
    for (int i = 0; i < 100; i++) {
      Turns.Turn turn = turns.login(() -> {}, retry -> {});
      assertThat(turn.hasBegun()).isTrue();
      turn.done();
      pass(Duration.ofMillis(50));
    }
    assertThat(counters.get(Count.LOGINS_WAITED)).isZero();
    assertThat(events).isEmpty();
  }

  @Test
  void aCrowdGetsInInOrderAFewAtATimeAndFasterWhileNobodyFeelsIt() {
    Turns turns = turns(200, 10_000, 32, 20_000, Duration.ofSeconds(20));
    var crowd = new Crowd(turns, 2 * MS);
    crowd.come(10_000);
    pass(Duration.ofMillis(400));
    assertThat(turns.rate()).isGreaterThan(1_200);
    pass(Duration.ofSeconds(4));
    assertThat(crowd.done).isEqualTo(10_000);
    assertThat(crowd.underWayMost).isLessThanOrEqualTo(32);
    assertThat(turns.loginsWaiting()).isZero();
    assertThat(turns.underWay()).isZero();
    assertThat(counters.get(Count.LOGINS_WAITED)).isBetween(9_900L, 9_999L);
  }

  @Test
  void whileSendsAreLateThereAreFewerTurnsAndNeverLessThanTheLeast() {
    Turns turns = turns(200, 10_000, 32, 20_000, Duration.ofSeconds(60));
    var crowd = new Crowd(turns, MS);
    crowd.come(5_000);
    for (int i = 0; i < 200; i++) {
      turns.onSent(20 * MS);
      pass(Duration.ofMillis(10));
    }
    assertThat(turns.rate()).isEqualTo(200);
    int before = crowd.done;
    for (int i = 0; i < 100; i++) {
      turns.onSent(20 * MS);
      pass(Duration.ofMillis(10));
    }
    assertThat(crowd.done - before).isBetween(190, 210);
    assertThat(counters.get(Count.TURNS_SLOWED)).isPositive();
    // Nobody feels it any more.
    pass(Duration.ofSeconds(4));
    assertThat(turns.rate()).isGreaterThan(2_000);
  }

  @Test
  void anEventLoopThatIsLateCountsAsLiveWorkThatIsLate() {
    Turns turns = turns(50, 10_000, 32, 20_000, Duration.ofSeconds(60));
    lateMillis = 15;
    new Crowd(turns, MS).come(5_000);
    pass(Duration.ofSeconds(3));
    assertThat(turns.rate()).isEqualTo(50);
  }

  /// Each turn takes the loop for longer than the rate has it, and a turn that is done lets another
  /// begin: who writes would wait for all of them.
  @Test
  void aPassOfTheLoopEndsHoweverLongItsTurnsTake() {
    Turns turns = turns(10_000, 10_000, 32, 20_000, Duration.ofSeconds(60));
    var loop = new ArrayDeque<Turns.Turn>();
    int done = 0;
    for (int i = 0; i < 5_000; i++) {
      var held = new Turns.Turn[1];
      held[0] = turns.handshake(() -> loop.add(held[0]), () -> {});
      if (held[0].hasBegun()) {
        loop.add(held[0]);
      }
    }
    while (done < 5_000) {
      int inThisPass = 0;
      for (Turns.Turn turn = loop.poll(); turn != null; turn = loop.poll()) {
        now += MS / 4;
        turn.done();
        inThisPass++;
      }
      // What two milliseconds bring.
      assertThat(inThisPass).isBetween(1, 20);
      done += inThisPass;
      // To the tick that is due, and not to the next.
      pass(Duration.ofNanos(MS / 2));
    }
    assertThat(turns.underWay()).isZero();
  }

  @Test
  void whereSendsAreSlowByThemselvesLoginsAreNotBlamed() {
    Turns turns = turns(200, 10_000, 32, 20_000, Duration.ofSeconds(60));
    for (int i = 0; i < 3_000; i++) {
      turns.onSent(20 * MS);
      pass(Duration.ofMillis(10));
    }
    var crowd = new Crowd(turns, MS);
    crowd.come(5_000);
    for (int i = 0; i < 100; i++) {
      turns.onSent(30 * MS);
      pass(Duration.ofMillis(10));
    }
    assertThat(turns.rate()).isGreaterThan(2_000);
    for (int i = 0; i < 100; i++) {
      turns.onSent(100 * MS);
      pass(Duration.ofMillis(10));
    }
    assertThat(turns.rate()).isLessThan(500);
  }

  @Test
  void aPauseThatHoldsUpAFewSendsOfEachWindowIsNotTheLogins() {
    Turns turns = turns(200, 10_000, 32, 20_000, Duration.ofSeconds(60));
    new Crowd(turns, MS).come(20_000);
    for (int i = 0; i < 100; i++) {
      turns.onSent(i % 3 == 0 ? 40 * MS : 2 * MS);
      lateMillis = i % 10 == 0 ? 20 : 0;
      pass(Duration.ofMillis(10));
    }
    assertThat(turns.rate()).isGreaterThan(2_000);
    assertThat(counters.get(Count.TURNS_SLOWED)).isZero();
  }

  @Test
  void oneSlowSendInALongWhileIsNoMeasureOfWhatSendsTake() {
    Turns turns = turns(200, 10_000, 32, 20_000, Duration.ofSeconds(60));
    for (int i = 0; i < 10_000; i++) {
      turns.onSent(i % 2_000 == 0 ? 4_000 * MS : 2 * MS);
      pass(Duration.ofMillis(1));
    }
    new Crowd(turns, MS).come(5_000);
    for (int i = 0; i < 100; i++) {
      turns.onSent(25 * MS);
      pass(Duration.ofMillis(10));
    }
    assertThat(turns.rate()).isEqualTo(200);
  }

  @Test
  void moreThanAWindowHoldsIsMeasuredByTheFirstOfIt() {
    Turns turns = turns(200, 10_000, 32, 20_000, Duration.ofSeconds(60));
    new Crowd(turns, MS).come(5_000);
    for (int i = 0; i < 100; i++) {
      for (int j = 0; j < 1_000; j++) {
        turns.onSent(20 * MS);
      }
      pass(Duration.ofMillis(10));
    }
    assertThat(turns.rate()).isEqualTo(200);
  }

  @Test
  void whoWouldWaitTooLongIsToldWhenToComeBackAndTheTimesSpread() {
    Turns turns = turns(200, 1_000, 32, 20_000, Duration.ofSeconds(2));
    var crowd = new Crowd(turns, MS);
    crowd.come(10_000);
    // 4 at once, as many as fit in two seconds wait.
    assertThat(crowd.putOff).hasSize(10_000 - 2_004);
    assertThat(crowd.putOff).allMatch(retry -> retry >= 2_000 && retry < 4_000);
    assertThat(crowd.putOff.stream().distinct().count()).isGreaterThan(1_500);
    assertThat(counters.get(Count.LOGINS_PUT_OFF)).isEqualTo(crowd.putOff.size());
    pass(Duration.ofSeconds(2));
    assertThat(crowd.done).isBetween(1_980, 2_004);
  }

  @Test
  void noMoreThanTheyMayWait() {
    Turns turns = turns(200, 1_000, 32, 100, Duration.ofSeconds(60));
    var crowd = new Crowd(turns, MS);
    crowd.come(1_000);
    assertThat(turns.loginsWaiting()).isEqualTo(100);
    assertThat(crowd.putOff).hasSize(896);
  }

  @Test
  void whoHasWaitedTooLongIsPutOffToo() {
    Turns turns = turns(10, 1_000, 32, 20_000, Duration.ofSeconds(2));
    var crowd = new Crowd(turns, MS);
    crowd.come(1_500);
    assertThat(crowd.putOff).isEmpty();
    for (int i = 0; i < 300; i++) {
      turns.onSent(100 * MS);
      pass(Duration.ofMillis(10));
    }
    assertThat(turns.loginsWaiting()).isZero();
    assertThat(crowd.putOff).isNotEmpty();
    assertThat(crowd.done + crowd.putOff.size()).isEqualTo(1_500);
  }

  @Test
  void whoGoesAwayGivesUpItsTurn() {
    Turns turns = turns(200, 1_000, 1, 100, Duration.ofSeconds(8));
    var begun = new ArrayList<String>();
    Turns.Turn first = turns.login(() -> begun.add("first"), retry -> {});
    Turns.Turn second = turns.login(() -> begun.add("second"), retry -> {});
    Turns.Turn third = turns.login(() -> begun.add("third"), retry -> {});
    assertThat(first.hasBegun()).isTrue();
    second.done();
    assertThat(turns.loginsWaiting()).isEqualTo(1);
    first.done();
    first.done();
    assertThat(begun).containsExactly("third");
    assertThat(third.hasBegun()).isTrue();
    third.done();
    assertThat(turns.underWay()).isZero();
  }

  @Test
  void aPageComesBeforeALoginAndIsNeverRefused() {
    Turns turns = turns(200, 1_000, 1, 1, Duration.ofMillis(1));
    var begun = new ArrayList<String>();
    Turns.Turn first = turns.login(() -> {}, retry -> {});
    turns.login(() -> begun.add("login"), retry -> {});
    for (int i = 0; i < 50; i++) {
      turns.page(() -> begun.add("page"));
    }
    assertThat(turns.pagesWaiting()).isEqualTo(50);
    first.done();
    assertThat(begun).containsExactly("page");
  }

  @Test
  void whoIsInComesBeforeWhoLogsInBeforeWhoKnocks() {
    Turns turns = turns(200, 1_000, 1, 100, Duration.ofSeconds(8));
    var begun = new ArrayList<String>();
    Turns.Turn first = turns.handshake(() -> {}, () -> {});
    Turns.Turn handshake = turns.handshake(() -> begun.add("handshake"), () -> {});
    Turns.Turn login = turns.login(() -> begun.add("login"), retry -> {});
    Turns.Turn page = turns.page(() -> begun.add("page"));
    assertThat(first.hasBegun()).isTrue();
    assertThat(turns.handshakesWaiting()).isEqualTo(1);
    for (Turns.Turn turn : List.of(first, page, login)) {
      turn.done();
    }
    assertThat(begun).containsExactly("page", "login", "handshake");
    handshake.done();
    assertThat(counters.get(Count.HANDSHAKES_WAITED)).isEqualTo(1);
    assertThat(turns.underWay()).isZero();
  }

  @Test
  void aHandshakeWaitsAsLongAsItMayAndIsThenPutOff() {
    Turns turns = turns(10, 1_000, 32, 1_000, Duration.ofSeconds(1));
    var begun = new ArrayList<Long>();
    var putOff = new ArrayList<Long>();
    for (int i = 0; i < 1_500; i++) {
      turns.handshake(() -> begun.add(now), () -> putOff.add(now));
    }
    // Those for whom there is no room, at once.
    long began = now;
    assertThat(putOff).isNotEmpty().allMatch(at -> at == began);
    assertThat(turns.handshakesWaiting()).isEqualTo(1_000);
    putOff.clear();
    // Live work is late, so few of them begin.
    for (int i = 0; i < 300; i++) {
      turns.onSent(100 * MS);
      pass(Duration.ofMillis(10));
    }
    assertThat(turns.handshakesWaiting()).isZero();
    assertThat(putOff).isNotEmpty().allMatch(at -> at >= began + 2_000 * MS);
    assertThat(begun.size() + putOff.size()).isEqualTo(1_000);
    assertThat(counters.get(Count.LOGINS_PUT_OFF)).isZero();
    assertThat(counters.get(Count.HANDSHAKES_PUT_OFF)).isGreaterThan(putOff.size());
  }

  @Test
  void aTurnWithNothingToDoCostsNothing() {
    Turns turns = turns(200, 1_000, 32, 100, Duration.ofSeconds(8));
    for (int i = 0; i < 1_000; i++) {
      Turns.Turn page = turns.page(() -> {});
      assertThat(page.hasBegun()).isTrue();
      page.unused();
    }
    assertThat(TimeUnit.NANOSECONDS.toMillis(now)).isEqualTo(1_000_000);
  }
}

package io.tern.tools.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.tern.protocol.UserId;
import io.tern.tools.Failure;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The whole generator against a server that is right, and against servers that are wrong in one
/// place.
class LoadRunTest {

  /// Early, so that it is reached on a machine that has other things to do.
  private static final long FAULT_AT = 20;

  /// Ends early when everything has arrived.
  private static final Duration LONG_DRAIN = Duration.ofSeconds(10);

  /// For runs in which something never arrives.
  private static final Duration SHORT_DRAIN = Duration.ofMillis(500);

  private static final LoadRun.Identities IDENTITIES =
      new LoadRun.Identities() {
        @Override
        public UserId id(int index) {
          return new UserId(1_000 + index);
        }

        @Override
        public byte[] token(int index) {
          return ByteBuffer.allocate(8).putLong(1_000 + index).array();
        }
      };

  @ParameterizedTest
  @EnumSource(LoadPlan.Pattern.class)
  void aRightServerIsFoundSound(LoadPlan.Pattern pattern) throws Exception {
    try (var server = new FakeServer(FakeServer.Fault.NONE, 0)) {
      var result = run(closedLoop(server.address(), pattern));

      assertThat(result.isSound()).isTrue();
      assertThat(result.messages()).isGreaterThan(FAULT_AT * 2);
      assertThat(result.completePerSecond()).isPositive();
      assertThat(result.receipt().getTotalCount()).isPositive();
      assertThat(result.serverCpuMicros()).isPositive();
    }
  }

  @Test
  void theOpenLoopSendsWhatTheScheduleSays() throws Exception {
    try (var server = new FakeServer(FakeServer.Fault.NONE, 0)) {
      var result = run(openLoop(server.address(), 1_000));

      assertThat(result.isSound()).isTrue();
      // 0.2 s of warm-up and 0.5 s measured
      assertThat(result.messages()).isEqualTo(700);
      assertThat(result.sent().getTotalCount()).isEqualTo(500);
      assertThat(result.receipt().getTotalCount()).isEqualTo(500);
    }
  }

  @Test
  void theMeasuredPartEndsWhenItIsToldTo() throws Exception {
    try (var server = new FakeServer(FakeServer.Fault.NONE, 0);
        var run = new LoadRun(openLoop(server.address(), 1_000, Duration.ofHours(1)), IDENTITIES)) {
      var result = run.start();
      run.measuring().get(60, TimeUnit.SECONDS);
      while (run.progress().completePerSecond() == 0) {
        Thread.onSpinWait();
      }
      run.stop();
      run.stop();

      assertThat(result.get(60, TimeUnit.SECONDS).isSound()).isTrue();
      assertThat(result.get().seconds()).isBetween(0.0, 120.0);
      assertThat(result.get().sent().getTotalCount()).isPositive();
    }
  }

  @Test
  void silentUsersSendNothing() throws Exception {
    try (var server = new FakeServer(FakeServer.Fault.NONE, 0)) {
      var result = run(plan(server.address(), 0, 0, LoadPlan.Pattern.PAIRS, LONG_DRAIN));

      assertThat(result.messages()).isZero();
      assertThat(result.residentBefore()).isPositive();
      assertThat(result.text()).contains("logged in", "server memory, each");
    }
  }

  @Test
  void aLostMessageIsFound() throws Exception {
    assertThat(runWith(FakeServer.Fault.LOSE).lost()).isEqualTo(1);
  }

  @Test
  void aDoubledMessageIsFound() throws Exception {
    assertThat(runWith(FakeServer.Fault.DOUBLE).doubled()).isEqualTo(1);
  }

  @Test
  void aReorderedMessageIsFound() throws Exception {
    assertThat(runWith(FakeServer.Fault.REORDER).reordered()).isEqualTo(1);
  }

  @Test
  void aChangedBodyIsFound() throws Exception {
    assertThat(runWith(FakeServer.Fault.CORRUPT).wrong()).isEqualTo(1);
  }

  @Test
  void whatTheServerPutsOffIsSentAgainInOrder() throws Exception {
    var result = runWith(FakeServer.Fault.PUT_OFF);

    assertThat(result.isSound()).isTrue();
    assertThat(result.putOff()).containsEntry(300, 1L);
  }

  @Test
  void whoIsToldToComeBackLaterDoes() throws Exception {
    try (var server = new FakeServer(FakeServer.Fault.BUSY_LOGIN, 0)) {
      var result = run(closedLoop(server.address(), LoadPlan.Pattern.PAIRS));

      assertThat(result.isSound()).isTrue();
      assertThat(result.messages()).isPositive();
      assertThat(result.putOff().get(300)).as("every user once").isGreaterThanOrEqualTo(2);
    }
  }

  @Test
  void noServerIsSaidInOneLine() throws Exception {
    InetSocketAddress nobody;
    try (var server = new FakeServer(FakeServer.Fault.NONE, 0)) {
      nobody = server.address();
    }

    assertThatThrownBy(() -> run(closedLoop(nobody, LoadPlan.Pattern.PAIRS)))
        .isInstanceOf(ExecutionException.class)
        .cause()
        .isInstanceOf(Failure.class)
        .hasMessageContaining("cannot connect");
  }

  @Test
  void aServerThatDoesNotAnswerIsGivenUp() {
    try (var server = new FakeServer(FakeServer.Fault.MUTE, 0)) {
      var plan =
          plan(server.address(), 4, 0, LoadPlan.Pattern.PAIRS, SHORT_DRAIN, Duration.ofMillis(500));
      assertThatThrownBy(() -> run(plan)).hasMessageContaining("lets nobody in");
    }
  }

  @Test
  void theResultHasTheKeysThatProgramsRead() throws Exception {
    try (var server = new FakeServer(FakeServer.Fault.NONE, 0)) {
      var json =
          new ObjectMapper()
              .readTree(
                  run(closedLoop(server.address(), LoadPlan.Pattern.PAIRS)).json().toString());

      assertThat(json.get("complete_per_s").asDouble()).isPositive();
      for (var times : new String[] {"sent_ms", "delivered_ms", "receipt_ms"}) {
        assertThat(json.get(times).fieldNames())
            .toIterable()
            .containsExactly("p50", "p90", "p99", "p999", "max");
      }
      assertThat(json.get("server_cpu_us_per_message").asDouble()).isPositive();
      for (var count : new String[] {"lost", "doubled", "reordered", "wrong", "incomplete"}) {
        assertThat(json.get(count).asLong(-1)).as(count).isZero();
      }
    }
  }

  private static LoadResult runWith(FakeServer.Fault fault) throws Exception {
    // A doubled entry is a hole in its sender's chat, who hears nothing of it.
    boolean isIncomplete =
        switch (fault) {
          case LOSE, CORRUPT, DOUBLE -> true;
          case NONE, REORDER, PUT_OFF, MUTE, BUSY_LOGIN -> false;
        };
    try (var server = new FakeServer(fault, FAULT_AT)) {
      return run(
          plan(
              server.address(),
              4,
              0,
              LoadPlan.Pattern.PAIRS,
              isIncomplete ? SHORT_DRAIN : LONG_DRAIN));
    }
  }

  private static LoadPlan closedLoop(InetSocketAddress server, LoadPlan.Pattern pattern) {
    return plan(server, 4, 0, pattern, LONG_DRAIN);
  }

  private static LoadPlan openLoop(InetSocketAddress server, double rate) {
    return plan(server, 0, rate, LoadPlan.Pattern.PAIRS, LONG_DRAIN);
  }

  private static LoadPlan openLoop(InetSocketAddress server, double rate, Duration measured) {
    return plan(
        server, 0, rate, measured, LoadPlan.Pattern.PAIRS, LONG_DRAIN, Duration.ofSeconds(20));
  }

  private static LoadPlan plan(
      InetSocketAddress server,
      int inFlight,
      double rate,
      LoadPlan.Pattern pattern,
      Duration drain) {
    // Short only where nobody shall be let in; a busy machine takes its time for the others.
    return plan(server, inFlight, rate, pattern, drain, Duration.ofSeconds(20));
  }

  private static LoadPlan plan(
      InetSocketAddress server,
      int inFlight,
      double rate,
      LoadPlan.Pattern pattern,
      Duration drain,
      Duration patience) {
    return plan(server, inFlight, rate, Duration.ofMillis(500), pattern, drain, patience);
  }

  private static LoadPlan plan(
      InetSocketAddress server,
      int inFlight,
      double rate,
      Duration measured,
      LoadPlan.Pattern pattern,
      Duration drain,
      Duration patience) {
    return new LoadPlan(
        server,
        null,
        2,
        null,
        inFlight,
        rate,
        measured,
        Duration.ofMillis(200),
        100,
        pattern,
        drain,
        patience,
        42,
        ProcessHandle.current().pid());
  }

  private static LoadResult run(LoadPlan plan) throws Exception {
    try (var run = new LoadRun(plan, IDENTITIES)) {
      return run.start().get(40, TimeUnit.SECONDS);
    }
  }
}

package io.tern.bench.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import org.junit.jupiter.api.Test;

class MediansTest {

  @Test
  void medianIsTheMiddleOrTheMeanOfBothMiddles() {
    assertThat(Medians.of(List.of(9.0, 1.0, 5.0))).isEqualTo(5);
    assertThat(Medians.of(List.of(9.0, 1.0, 5.0, 7.0))).isEqualTo(6);
    assertThat(Medians.of(List.of())).isNaN();
  }

  @Test
  void slopeIsThatOfTheLineWithTheLeastSquares() {
    assertThat(Medians.slope(List.of(0.0, 5.0, 10.0), List.of(7.0, 17.0, 27.0)))
        .isEqualTo(2, within(1e-9));
    assertThat(Medians.slope(List.of(0.0, 1.0, 2.0, 3.0), List.of(0.0, 3.0, 0.0, 3.0)))
        .isEqualTo(0.6, within(1e-9));
  }

  @Test
  void whatIsFeltBesideOthersIsComparedWithinEachRound() {
    // The machine was three times as slow in the second round, for both.
    var felt = new Felt(List.of(5.0, 15.0, 6.0), List.of(10.0, 33.0, 30.0));

    assertThat(felt.ratios()).containsExactly(2.0, 2.2, 5.0);
    assertThat(felt.ratio()).isEqualTo(2.2);
    assertThat(felt.aloneMillis()).isEqualTo(6.0);
    assertThat(felt.besideMillis()).isEqualTo(30.0);
  }

  @Test
  void aShareOfThePeakCountsWhenTheMachineWasAsFastAfterItAsBefore() throws Exception {
    JsonNode result =
        new ObjectMapper()
            .readTree(
                """
                {"peak": [{"messages_per_s": 1000}, {"messages_per_s": 900}, {"messages_per_s": 1001}],
                 "share": [{"messages_per_s": 800, "sent_ms": {"p50": 5.0, "p99": 14.0}},
                           {"messages_per_s": 720, "sent_ms": {"p50": 4.0, "p99": 9.0}}]}
                """);

    assertThat(ShareTurn.of(result))
        .containsExactly(
            new ShareTurn(1000, 900, 800, 5.0, 14.0), new ShareTurn(900, 1001, 720, 4.0, 9.0));
    assertThat(ShareTurn.of(result)).extracting(ShareTurn::isSteady).containsExactly(true, false);
    // Neither a good figure nor a bad one makes a turn count.
    assertThat(new ShareTurn(900, 1001, 720, 0.1, 0.1).isSteady()).isFalse();
    assertThat(new ShareTurn(1000, 1000, 800, 500, 500).isSteady()).isTrue();
  }
}

package io.tern.tools.system;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.tools.history.Report;
import io.tern.tools.history.Rule;
import io.tern.tools.system.TestNode.Seams;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A checker that was never red proves nothing. Each bug is put into a whole server, real clients
/// talk to it while it dies and comes back, and the checker must name it. The same runs without a
/// bug are clean.
class SeededBugsTest {

  private static final Campaign.Plan PLAN =
      new Campaign.Plan(4, 2, 400, 8, false, true, Duration.ofSeconds(6), Campaign.Groups.NONE);

  // One device each: the ack watch asks whether a user has an entry, so that on a bus that loses
  // entries a second device may wait for its next hole. The bus of one process loses none; that of
  // a
  // cluster finds its gaps by number.
  private static final Campaign.Plan ONE_DEVICE =
      new Campaign.Plan(4, 1, 400, 8, false, false, Duration.ofSeconds(6), Campaign.Groups.NONE);

  /// Mostly changes of groups, by users with one or two devices.
  private static final Campaign.Plan GROUPS =
      new Campaign.Plan(
          4, 2, 50, 8, false, true, Duration.ofSeconds(6), new Campaign.Groups(2, 4, 100, 100, 30));

  private static final int ATTEMPTS = 12;
  private static final Duration PROGRESS_MAX = Duration.ofSeconds(8);

  @TempDir Path folder;

  private final long seed = Faults.seed();

  @Test
  @Timeout(120)
  void withoutABugEverythingIsClean() throws Exception {
    var report = run(life -> new Seams(), 3, false, false, seed);

    assertThat(report.isClean()).as(report.toString()).isTrue();
    assertThat(report.totals().acknowledged()).isGreaterThan(300);
  }

  @Test
  @Timeout(120)
  void withoutABugPowerCutsLoseNothing() throws Exception {
    var report = run(life -> new Seams(), 3, true, false, seed);

    assertThat(report.isClean()).as(report.toString()).isTrue();
  }

  @Test
  @Timeout(120)
  void withoutABugGroupsAreCleanToo() throws Exception {
    var report = run(GROUPS, life -> new Seams(), 3, true, false, seed);

    assertThat(report.isClean()).as(report.toString()).isTrue();
    assertThat(report.totals().changes()).isGreaterThan(10);
  }

  @Test
  @Timeout(120)
  void aBusThatLosesEntriesLosesNoMessages() throws Exception {
    var report = run(ONE_DEVICE, life -> new Bugs.Loss(), 1, false, false, seed);

    assertThat(report.isClean()).as(report.toString()).isTrue();
  }

  @Test
  @Timeout(120)
  void whatNobodyWasServedIsServedFromTheOutbox() throws Exception {
    var report =
        run(life -> life == 1 ? new Bugs.NothingSettled() : new Seams(), 1, false, true, seed);

    assertThat(report.isClean()).as(report.toString()).isTrue();
  }

  @Test
  @Timeout(120)
  void acknowledgingBeforeTheCommitIsCaught() throws Exception {
    assertCaught(life -> new Bugs.AcknowledgeBeforeCommit(), 1, false, false, Rule.LOST);
  }

  @Test
  @Timeout(120)
  void notSyncingIsCaught() throws Exception {
    assertCaught(life -> new Bugs.NoSync(), 2, true, false, Rule.LOST);
  }

  @Test
  @Timeout(120)
  void forgettingCsnsOnRestartIsCaught() throws Exception {
    assertCaught(
        life -> new Bugs.CsnForgotten(),
        2,
        false,
        false,
        Rule.CSN_REUSED,
        Rule.DOUBLED,
        Rule.UNANSWERED);
  }

  @Test
  @Timeout(120)
  void givingASeqTwiceIsCaught() throws Exception {
    assertCaught(life -> new Bugs.SeqReused(), 2, false, false, Rule.LOST, Rule.ALTERED);
  }

  @Test
  @Timeout(120)
  void droppingTheOutboxIsCaught() throws Exception {
    assertCaught(
        life -> life == 1 ? new Bugs.NothingSettled() : new Bugs.OutboxDropped(),
        1,
        false,
        true,
        Rule.NOT_AT_HEAD);
  }

  @Test
  @Timeout(120)
  void aWatermarkByLastWriteIsCaught() throws Exception {
    assertCaught(life -> new Bugs.WatermarkByLastWrite(), 0, false, false, Rule.WATERMARK_LOST);
  }

  @Test
  @Timeout(120)
  void countingTheSocketAsAnAcknowledgementIsCaught() throws Exception {
    assertCaught(life -> new Bugs.SocketCountsAsAck(), 0, false, false, Rule.RECEIPT_UNFOUNDED);
  }

  @Test
  @Timeout(120)
  void swappingContentsInABatchIsCaught() throws Exception {
    assertCaught(life -> new Bugs.ContentSwapped(), 0, false, false, Rule.ALTERED);
  }

  @Test
  @Timeout(120)
  void crossingAnswersIsCaught() throws Exception {
    assertCaught(life -> new Bugs.AnswersCrossed(), 0, false, false, Rule.LOST, Rule.ALTERED);
  }

  @Test
  @Timeout(120)
  void notAskingAfterLostEntriesIsCaught() throws Exception {
    assertCaught(life -> new Bugs.LossWithoutNudge(), 0, false, false, Rule.NOT_AT_HEAD);
  }

  @Test
  @Timeout(120)
  void answeringARepeatWithAnotherPlaceIsCaught() throws Exception {
    assertCaught(life -> new Bugs.RepeatToldWrongly(), 1, false, false, Rule.LOST, Rule.ALTERED);
  }

  @Test
  @Timeout(120)
  void servingFormerMembersIsCaught() throws Exception {
    assertCaught(GROUPS, life -> new Bugs.FormerMembersServed(), 0, false, false, Rule.NOT_MEMBER);
  }

  @Test
  @Timeout(120)
  void forgettingChangesOnRestartIsCaught() throws Exception {
    assertCaught(
        GROUPS,
        life -> new Bugs.OpsForgotten(),
        2,
        false,
        false,
        Rule.DOUBLED,
        Rule.REFUSED_BUT_THERE,
        Rule.PHANTOM);
  }

  private void assertCaught(
      IntFunction<Seams> lives, int deaths, boolean power, boolean silentAfter, Rule... rules)
      throws Exception {
    assertCaught(PLAN, lives, deaths, power, silentAfter, rules);
  }

  /// One of `rules` is broken in one of a few runs.
  private void assertCaught(
      Campaign.Plan plan,
      IntFunction<Seams> lives,
      int deaths,
      boolean power,
      boolean silentAfter,
      Rule... rules)
      throws Exception {
    Report report = null;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      report = run(plan, lives, deaths, power, silentAfter, seed + attempt);
      for (var rule : rules) {
        if (report.count(rule) > 0) {
          var caught = rule;
          System.out.printf(
              "BUG %s: caught in run %d, %s%n",
              lives.apply(deaths + 1).getClass().getSimpleName(),
              attempt + 1,
              report.violations().stream()
                  .filter(v -> v.rule() == caught)
                  .findFirst()
                  .orElseThrow());
          return;
        }
      }
    }
    assertThat(report).as("not caught by %s in %d runs", rules, ATTEMPTS).isNull();
  }

  /// A campaign over `deaths` deaths of the server.
  ///
  /// @param silentAfter whether nobody talks any more after the first death
  private Report run(
      IntFunction<Seams> lives, int deaths, boolean power, boolean silentAfter, long runSeed)
      throws Exception {
    return run(PLAN, lives, deaths, power, silentAfter, runSeed);
  }

  private Report run(
      Campaign.Plan plan,
      IntFunction<Seams> lives,
      int deaths,
      boolean power,
      boolean silentAfter,
      long runSeed)
      throws Exception {
    int port = ServerProcess.freePort(new Random(runSeed));
    var stores = folder.resolve("run-" + System.nanoTime());
    int life = 1;
    try (var node = new TestNode(port, runSeed)) {
      node.start(lives.apply(life));
      try (var campaign = new Campaign("BUG", runSeed, node.address(), stores, plan)) {
        campaign.start();
        progress(campaign, 200);
        for (int death = 0; death < deaths; death++) {
          if (silentAfter) {
            campaign.stopTalking();
          }
          node.die(power);
          node.start(lives.apply(++life));
          campaign.reconnect();
          if (!silentAfter) {
            progress(campaign, 100);
          }
        }
        return campaign.finish();
      }
    }
  }

  /// A bug may keep everyone from going on: what it broke is for the checker to say.
  private static void progress(Campaign campaign, int sends) {
    try {
      var _ = campaign.awaitAcknowledged(sends, PROGRESS_MAX);
    } catch (AssertionError e) {
      System.out.println("BUG: no progress: " + e.getMessage());
    }
  }
}

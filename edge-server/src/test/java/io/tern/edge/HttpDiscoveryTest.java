package io.tern.edge;

import static io.tern.edge.HttpWorld.body;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpWorld.Person;
import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/// What somebody learns over HTTP who looks up numbers that are not in their address book: as many
/// as their budget is, and nothing by the time or the size of an answer.
class HttpDiscoveryTest {

  /// Two-sided, for p = 0.01 and many degrees of freedom.
  private static final double T_MAX = 2.576;

  private static final int SOME = 40;

  @TempDir Path folder;

  /// Numbers of one kind, and how long look-ups of them took in milliseconds.
  private record Kind(boolean isKnown, List<String> numbers, List<Double> millis) {
    Kind(boolean isKnown) {
      this(isKnown, new ArrayList<>(), new ArrayList<>());
    }
  }

  private static HttpResponse<String> lookUp(HttpWorld world, Person by, List<String> numbers) {
    return world.send("POST", "/v1/contacts/lookup", by.token, body("numbers", numbers).toString());
  }

  @Test
  void whoWalksThroughAllNumbersLearnsAsManyAsTheBudgetIs() throws IOException {
    int young = 60;
    int accounts = 5;
    try (var world =
        new HttpWorld(
            folder,
            "http.rate.device.rate=0",
            "http.rate.account.rate=0",
            "accounts.lookups.young=" + young)) {
      var all = new ArrayList<String>();
      for (int i = 0; i < 30; i++) {
        all.add(world.register("someone").number);
      }
      while (all.size() < 400) {
        all.add(world.newNumber());
      }
      int answered = 0;
      int refused = 0;
      for (int a = 0; a < accounts; a++) {
        Person walker = world.register("walker");
        for (int from = 0; from < all.size(); from += 20) {
          Answer answer =
              world.ask(
                  "POST",
                  "/v1/contacts/lookup",
                  walker.token,
                  body("numbers", all.subList(from, from + 20)));
          if (answer.status() == 200) {
            answered += answer.body().get("users").size();
          } else {
            assertThat(answer.code()).isEqualTo(ErrorCode.RATE.number());
            assertThat(answer.body().at("/error/retry_ms").longValue()).isPositive();
            refused++;
          }
        }
      }
      assertThat(answered).isEqualTo(accounts * young);
      assertThat(refused).isEqualTo(accounts * (all.size() - young) / 20);
    }
  }

  /// Welch's t-test over real HTTP, for a quiet machine: `./verify --only HttpDiscoveryTest --
  /// -Dtern.discovery.timing=6000`, three minutes.
  @Test
  @EnabledIfSystemProperty(named = "tern.discovery.timing", matches = "[0-9]+")
  void theTimeOfALookUpTellsNothing() throws IOException {
    int lookups = Integer.getInteger("tern.discovery.timing");
    long seed = Long.getLong("tern.seed", System.nanoTime());
    try (var world =
        new HttpWorld(
            folder,
            "http.rate.device.rate=0",
            "http.rate.account.rate=0",
            "accounts.lookups.max=100000",
            "accounts.lookups.young=100000")) {
      Person anna = world.register("Anna");
      var known = new Kind(true);
      var hidden = new Kind(false);
      var nobody = new Kind(false);
      for (int i = 0; i < SOME; i++) {
        known.numbers.add(world.register("known").number);
        Person hides = world.register("hidden");
        Answer done = world.ask("PUT", "/v1/discoverable", hides.token, body("by", "nobody"));
        assertThat(done.status()).as(done.raw()).isEqualTo(204);
        hidden.numbers.add(hides.number);
        nobody.numbers.add(world.newNumber());
      }
      var kinds = List.of(known, hidden, nobody);
      var order = new ArrayList<Kind>();
      for (int i = 0; i < lookups; i++) {
        order.add(kinds.get(i % kinds.size()));
      }
      var random = new Random(seed);
      Collections.shuffle(order, random);
      for (int i = 0; i < lookups; i++) {
        Kind kind = order.get(i);
        String number = kind.numbers.get(random.nextInt(SOME));
        long began = System.nanoTime();
        HttpResponse<String> response = lookUp(world, anna, List.of(number));
        double took = (System.nanoTime() - began) / 1e6;
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        assertThat(response.body().contains("\"users\":[null]")).isEqualTo(!kind.isKnown);
        // The first tenth warms up.
        if (i > lookups / 10) {
          kind.millis.add(took);
        }
      }
      // The slowest hundredth is the machine's.
      for (Kind kind : kinds) {
        Collections.sort(kind.millis);
        kind.millis.subList(kind.millis.size() * 99 / 100, kind.millis.size()).clear();
      }
      double tHidden = t(hidden.millis, nobody.millis);
      double tKnown = t(known.millis, nobody.millis);
      System.out.printf(
          "DISCOVERY: %d look-ups, seed %d: known %.3f ms, hidden %.3f ms, nobody %.3f ms; t hidden"
              + " and nobody %.2f, known and nobody %.2f%n",
          lookups,
          seed,
          mean(known.millis),
          mean(hidden.millis),
          mean(nobody.millis),
          tHidden,
          tKnown);
      assertThat(Math.abs(tHidden)).as("hidden and nobody").isLessThan(T_MAX);
    }
  }

  private static double mean(List<Double> times) {
    return times.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
  }

  private static double variance(List<Double> times) {
    double mean = mean(times);
    return times.stream().mapToDouble(x -> (x - mean) * (x - mean)).sum() / (times.size() - 1);
  }

  private static double t(List<Double> one, List<Double> other) {
    return (mean(one) - mean(other))
        / Math.sqrt(variance(one) / one.size() + variance(other) / other.size());
  }
}

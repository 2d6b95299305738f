package io.tern.router;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The watch against a model that keeps everything in plain sets.
class WatchTest {

  private record Waits(ChatId chat, UserId user, long seq) {}

  /// The collector finds what came later dead only if what came earlier, and has grown old, does
  /// not lead to it.
  @Test
  void whatIsDoneKeepsNothingThatCameLater() {
    var watch = new Watch(n -> {});
    var user = new UserId(1);
    var other = new UserId(2);
    var chat = ChatId.direct(user, other);
    var early = watch.open(1, 0);
    var old = watch.add(early, chat, user, 1);
    watch.close(early);
    var late = watch.open(2, 0);
    var later =
        List.of(
            new WeakReference<>(watch.add(late, chat, user, 2)),
            new WeakReference<>(watch.add(late, ChatId.group(7), other, 1)),
            new WeakReference<Object>(late));
    watch.close(late);
    late = null;
    watch.acknowledge(ChatId.group(7), other, 1);
    watch.acknowledge(chat, user, 2);

    Awaitility.await()
        .until(() -> {
          System.gc();
          return later.stream().allMatch(one -> one.get() == null);
        });
    assertThat(old.isDone()).isTrue();
    assertThat(early.next).isNull();
  }

  @ParameterizedTest(name = "{0} users")
  @ValueSource(ints = {2, 40, 3_000})
  void behavesAsItsModel(int users) {
    long seed = Long.getLong("tern.seed", System.nanoTime());
    var random = new Random(seed);
    var settled = new ArrayList<Long>();
    var watch = new Watch(settled::add);
    Map<Long, Set<Waits>> model = new HashMap<>();
    Map<Waits, Watch.Pending> pending = new HashMap<>();
    Map<ChatId, Long> heads = new HashMap<>();
    Set<Long> expected = new HashSet<>();
    long now = 0;
    for (long n = 1; n <= 3_000; n++) {
      now += random.nextInt(3);
      var round = watch.open(n, now);
      var waits = new HashSet<Waits>();
      for (int i = random.nextInt(6); i > 0; i--) {
        var user = new UserId(1 + random.nextInt(users));
        var other = new UserId(1 + random.nextInt(users));
        var chat = ChatId.direct(user, other);
        long seq = heads.merge(chat, 1L, Long::sum);
        var one = new Waits(chat, other, seq);
        waits.add(one);
        pending.put(one, watch.add(round, chat, other, seq));
      }
      model.put(n, waits);
      watch.close(round);
      settle(model, expected);

      if (random.nextBoolean() && !pending.isEmpty()) {
        var some = pending.keySet().iterator().next();
        long upTo = some.seq + random.nextInt(3) - 1;
        watch.acknowledge(some.chat, some.user, upTo);
        for (var left : model.values()) {
          left.removeIf(
              one -> one.chat.equals(some.chat) && one.user.equals(some.user) && one.seq <= upTo);
        }
      }
      if (random.nextInt(4) == 0 && !pending.isEmpty()) {
        // Not always the oldest of its member.
        var some = List.copyOf(pending.keySet()).get(random.nextInt(pending.size()));
        var chosen = Objects.requireNonNull(pending.get(some));
        if (!chosen.isDone()) {
          watch.pushed(chosen);
          model.values().forEach(left -> left.remove(some));
        }
      }
      if (random.nextInt(8) == 0) {
        long before = now - 20;
        for (var late = watch.oldest();
            late != null && late.since <= before;
            late = watch.oldest()) {
          watch.stopTime(late);
          for (var one = late.first; one != null; ) {
            var next = one.nextOfRound;
            watch.pushed(one);
            one = next;
          }
          Objects.requireNonNull(model.get(late.n)).clear();
        }
      }
      settle(model, expected);
      Set<Waits> waiting = new HashSet<>();
      model.values().forEach(waiting::addAll);
      pending.keySet().removeIf(one -> !waiting.contains(one));
      assertThat(watch.size()).as("seed %d round %d", seed, n).isEqualTo(waiting.size());
      assertThat(settled).as("seed %d round %d", seed, n).hasSize(expected.size());
    }
    assertThat(new HashSet<>(settled)).as("seed %d", seed).isEqualTo(expected);
    assertThat(settled).as("each once").doesNotHaveDuplicates();
  }

  /// Large groups are watched as a whole: members come and go, some are not there, acknowledgements
  /// come late, early, for several entries at once, and what is not acknowledged becomes a push
  /// that the queue takes or refuses.
  @ParameterizedTest(name = "{0} members")
  @ValueSource(ints = {1, 5, 64, 130})
  void crowdsBehaveAsTheirModel(int most) {
    long seed = Long.getLong("tern.seed", System.nanoTime());
    var random = new Random(seed);
    var settled = new ArrayList<Long>();
    var watch = new Watch(settled::add);
    var chats = List.of(ChatId.group(1), ChatId.group(2));
    Map<ChatId, List<UserId>> members = new HashMap<>();
    Map<ChatId, Long> heads = new HashMap<>();
    Map<Long, Set<Waits>> model = new HashMap<>();
    Map<Waits, Crowd.Waiting> refused = new HashMap<>();
    Set<Long> expected = new HashSet<>();
    long now = 0;
    for (long n = 1; n <= 500; n++) {
      now += random.nextInt(3);
      var round = watch.open(n, now);
      var waits = new HashSet<Waits>();
      for (int i = random.nextInt(4); i > 0; i--) {
        var chat = chats.get(random.nextInt(2));
        if (random.nextInt(10) == 0 || !members.containsKey(chat)) {
          members.put(chat, some(most, random));
        }
        var all = Objects.requireNonNull(members.get(chat));
        long seq = heads.merge(chat, 1L + random.nextInt(2), Long::sum);
        var many = watch.addMany(round, chat, all, seq);
        for (int member = 0; member < all.size(); member++) {
          if (random.nextInt(8) != 0) {
            many.add(member);
            waits.add(new Waits(chat, all.get(member), seq));
          }
        }
        watch.close(many);
      }
      model.put(n, waits);
      watch.close(round);
      settle(model, expected);

      for (int i = random.nextInt(2 * most + 2); i > 0; i--) {
        var chat = chats.get(random.nextInt(2));
        var user = new UserId(1 + random.nextInt(most * 2));
        // Whatever a client says: also what there is not yet.
        long upTo = heads.getOrDefault(chat, 1L) + 1 - random.nextInt(6);
        watch.acknowledge(chat, user, upTo);
        model
            .values()
            .forEach(left ->
                left.removeIf(
                    one -> one.chat.equals(chat) && one.user.equals(user) && one.seq <= upTo));
      }
      if (random.nextInt(6) == 0) {
        long before = now - 10;
        for (var late = watch.oldest();
            late != null && late.since <= before;
            late = watch.oldest()) {
          watch.stopTime(late);
          var left = Objects.requireNonNull(model.get(late.n));
          for (var many = late.firstOfCrowds; many != null; many = many.nextOfRound) {
            for (int member = many.next(0); member >= 0; member = many.next(member + 1)) {
              var one = new Waits(many.chat(), many.user(member), many.seq);
              assertThat(left).as("seed %d", seed).contains(one);
              if (random.nextBoolean()) {
                watch.pushed(many, member);
                left.remove(one);
              } else {
                refused.put(one, many);
              }
            }
          }
        }
      }
      if (random.nextInt(6) == 0) {
        refused.forEach((one, many) -> {
          watch.pushed(many, many.crowd().members.indexOf(one.user));
          model.values().forEach(left -> left.remove(one));
        });
        refused.clear();
      }
      if (random.nextInt(20) == 0) {
        watch.trim();
      }
      settle(model, expected);
      int waiting = model.values().stream().mapToInt(Set::size).sum();
      assertThat(watch.size()).as("seed %d round %d", seed, n).isEqualTo(waiting);
      assertThat(settled).as("seed %d round %d", seed, n).hasSize(expected.size());
    }
    for (var chat : chats) {
      for (long user = 1; user <= most * 2L; user++) {
        watch.acknowledge(chat, new UserId(user), Long.MAX_VALUE);
      }
    }
    watch.trim();
    model.keySet().forEach(expected::add);
    assertThat(new HashSet<>(settled)).as("seed %d", seed).isEqualTo(expected);
    assertThat(settled).as("each once").doesNotHaveDuplicates();
    assertThat(watch.size()).isZero();
    assertThat(watch.weight()).as("nothing is left").isZero();
  }

  /// A change of the group that entries still wait from before: each waits in its own list.
  @Test
  void whoHasLeftAndComesBackIsWatchedInBothTimes() {
    var settled = new ArrayList<Long>();
    var watch = new Watch(settled::add);
    var chat = ChatId.group(1);
    var one = new UserId(1);
    var two = new UserId(2);
    long n = 0;
    for (var members : List.of(List.of(one, two), List.of(two), List.of(two, one))) {
      var round = watch.open(++n, 0);
      var many = watch.addMany(round, chat, members, n);
      for (int i = 0; i < members.size(); i++) {
        many.add(i);
      }
      watch.close(many);
      watch.close(round);
    }
    watch.acknowledge(chat, two, 3);
    assertThat(settled).containsExactly(2L);
    watch.acknowledge(chat, one, 1);
    assertThat(settled).containsExactly(2L, 1L);
    watch.acknowledge(chat, one, 3);
    assertThat(settled).containsExactly(2L, 1L, 3L);
  }

  private static List<UserId> some(int most, Random random) {
    var all = new ArrayList<UserId>();
    for (long user = 1; user <= most * 2L; user++) {
      all.add(new UserId(user));
    }
    Collections.shuffle(all, random);
    return List.copyOf(all.subList(0, most));
  }

  private static void settle(Map<Long, Set<Waits>> model, Set<Long> settled) {
    model.entrySet().removeIf(round -> round.getValue().isEmpty() && settled.add(round.getKey()));
  }
}

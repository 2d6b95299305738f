package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// The small parts of a session: window, held receipts, budget, known users.
class SessionPartsTest {

  private static ChatId chat(long peer) {
    return ChatId.direct(new UserId(1), new UserId(peer));
  }

  @Test
  void anAcknowledgementCoversItsChatUpToItsSeqAndNothingElse() {
    var window = new Window();
    window.add(chat(2), 1, 10);
    window.add(chat(3), 1, 20);
    window.add(chat(2), 2, 30);
    window.add(chat(2), 3, 40);

    assertThat(window.acknowledge(chat(2), 2)).isEqualTo(2);
    assertThat(window.entries()).isEqualTo(2);
    assertThat(window.bytes()).isEqualTo(60);
    assertThat(window.holds(chat(2))).isTrue();
    assertThat(window.acknowledge(chat(2), 2)).isZero();
    assertThat(window.acknowledge(chat(2), 9)).isEqualTo(1);
    assertThat(window.holds(chat(2))).isFalse();
    var due = new HashSet<ChatId>();
    window.addChatsTo(due);
    assertThat(due).containsExactly(chat(3));
  }

  @Test
  void aWindowCountsAsAModelDoes() {
    long seed = 42;
    var random = new Random(seed);
    var window = new Window();
    var model = new HashMap<ChatId, List<long[]>>();
    for (int i = 0; i < 10_000; i++) {
      ChatId chat = chat(2 + random.nextInt(5));
      var of = model.computeIfAbsent(chat, c -> new ArrayList<>());
      if (random.nextInt(3) > 0) {
        long seq = of.isEmpty() ? i : of.getLast()[0] + 1;
        int size = random.nextInt(1000);
        window.add(chat, seq, size);
        of.add(new long[] {seq, size});
      } else if (!of.isEmpty()) {
        long seq = of.get(random.nextInt(of.size()))[0];
        long before = of.size();
        of.removeIf(entry -> entry[0] <= seq);
        assertThat(window.acknowledge(chat, seq))
            .as("seed %d", seed)
            .isEqualTo((int) (before - of.size()));
      }
      long entries = model.values().stream().mapToLong(List::size).sum();
      long bytes = model.values().stream().flatMap(List::stream).mapToLong(e -> e[1]).sum();
      assertThat(window.entries()).as("seed %d", seed).isEqualTo((int) entries);
      assertThat(window.bytes()).as("seed %d", seed).isEqualTo((int) bytes);
    }
  }

  @Test
  void heldReceiptsMergeByMaxAndAreBounded() {
    var held = new HeldReceipts();
    var peer = new UserId(2);
    assertThat(held.merge(chat(2), peer, 5, 1, null)).isTrue();
    assertThat(held.merge(chat(2), peer, 3, 4, null)).isTrue();
    for (int i = 0; i < HeldReceipts.PLACES_MAX - 1; i++) {
      assertThat(held.merge(chat(10 + i), peer, 1, 0, null)).isTrue();
    }
    assertThat(held.merge(chat(9_999), peer, 1, 0, null)).isFalse();
    assertThat(held.merge(chat(2), peer, 6, 0, null)).isTrue();

    var seen = new ArrayList<String>();
    held.drainTo((chat, member, delivered, read, count) -> seen.add(delivered + "/" + read));
    assertThat(seen).hasSize(HeldReceipts.PLACES_MAX).startsWith("6/4");
    held.drainTo((chat, member, delivered, read, count) -> seen.clear());
    assertThat(seen).isNotEmpty();
  }

  @Test
  void aBudgetAllowsItsBurstThenItsRate() {
    long full = 0;
    long now = 1_000_000_000_000L;
    for (int i = 0; i < 40; i++) {
      assertThat(Budget.overdraft(full, now, 10, 40)).as("unit %d", i).isNotPositive();
      full = Budget.charge(full, now, 10);
    }
    assertThat(Budget.overdraft(full, now, 10, 40)).isEqualTo(100_000_000);
    now += 100_000_000;
    assertThat(Budget.overdraft(full, now, 10, 40)).isNotPositive();
    now += 60_000_000_000L;
    assertThat(Budget.overdraft(full, now, 10, 40)).isLessThan(-3_000_000_000L);
  }

  @Test
  void aKnownUserIsNeverSomebodyElse() {
    var known = new KnownUsers(1024);
    for (long user = 1; user < 100_000; user++) {
      known.add(user);
      assertThat(known.contains(user)).isTrue();
    }
    int remembered = 0;
    for (long user = 1; user < 200_000; user++) {
      if (known.contains(user)) {
        remembered++;
        assertThat(user).isLessThan(100_000);
      }
    }
    assertThat(remembered).isBetween(1, 1024);
    assertThat(known.contains(UserId.VALUE_MAX)).isFalse();
  }
}

package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.router.Delivery;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// What a loop keeps of what went to many, and its bounds.
class RecentEntriesTest {

  private static final ChatId GROUP = ChatId.group(7);
  private static final ChatId OTHER = ChatId.group(8);

  private final RecentEntries recent = new RecentEntries();

  private static Delivery.Entries entry(ChatId chat, long seq, int bytes) {
    return new Delivery.Entries(
        chat, seq, new UserId(5), new byte[bytes], new byte[bytes], List.of());
  }

  private boolean holds(ChatId chat, long seq) {
    return recent.with(chat, seq) != null;
  }

  @Test
  void anEntryIsFoundByItsSeq() {
    for (long seq = 40; seq < 240; seq++) {
      recent.add(entry(GROUP, seq, 1), 0);
    }
    var tail = Objects.requireNonNull(recent.with(GROUP, 40));
    for (long seq = 40; seq < 240; seq++) {
      assertThat(Objects.requireNonNull(tail.find(seq)).seq()).isEqualTo(seq);
    }
    assertThat(tail.find(39)).isNull();
    assertThat(tail.find(240)).isNull();
    assertThat(holds(OTHER, 40)).isFalse();
  }

  @Test
  void theOldestGoFirstWhateverTheirChat() {
    for (long seq = 1; seq <= RecentEntries.ENTRIES_MAX; seq++) {
      recent.add(entry(GROUP, seq, 1), 0);
    }
    recent.add(entry(OTHER, 1, 1), 0);
    recent.add(entry(OTHER, 2, 1), 0);

    assertThat(holds(GROUP, 2)).isFalse();
    assertThat(holds(GROUP, 3)).isTrue();
    assertThat(holds(OTHER, 1)).isTrue();
  }

  @Test
  void bytesAreBounded() {
    int half = RecentEntries.BYTES_MAX / 4;
    recent.add(entry(GROUP, 1, half), 0);
    recent.add(entry(GROUP, 2, half), 0);
    assertThat(holds(GROUP, 1)).isTrue();

    recent.add(entry(OTHER, 1, 1), 0);
    assertThat(holds(GROUP, 1)).isFalse();
    assertThat(holds(GROUP, 2)).isTrue();
  }

  /// Between the two there is something that did not come here.
  @Test
  void behindAGapNothingIsKeptOfWhatCameBefore() {
    recent.add(entry(GROUP, 1, 1), 0);
    var before = Objects.requireNonNull(recent.with(GROUP, 1));
    recent.add(entry(GROUP, 3, 1), 0);

    assertThat(before.find(1)).isNull();
    assertThat(before.find(3)).isNull();
    assertThat(holds(GROUP, 3)).isTrue();
  }

  /// What has expired or was taken back meanwhile must not come from here long after.
  @Test
  void nothingIsKeptLongerWhateverFollowsInItsChat() {
    recent.add(entry(GROUP, 1, 1), 0);
    recent.add(entry(OTHER, 1, 1), 4);
    recent.add(entry(GROUP, 2, 1), 5);
    recent.sweep(RecentEntries.KEPT_NANOS + 4);

    assertThat(holds(GROUP, 1)).isFalse();
    assertThat(holds(GROUP, 2)).isTrue();
    assertThat(holds(OTHER, 1)).isTrue();
  }

  @Test
  void whatWasLetGoBehindAGapLeavesTheRestItsTime() {
    recent.add(entry(GROUP, 1, 1), 0);
    recent.add(entry(GROUP, 3, 1), 5);
    recent.sweep(RecentEntries.KEPT_NANOS + 4);
    assertThat(holds(GROUP, 3)).isTrue();

    recent.sweep(RecentEntries.KEPT_NANOS + 6);
    assertThat(holds(GROUP, 3)).isFalse();
  }
}

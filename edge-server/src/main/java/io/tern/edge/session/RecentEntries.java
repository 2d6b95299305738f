package io.tern.edge.session;

import io.tern.protocol.ChatId;
import io.tern.router.Delivery;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// What went last to many sessions of one event loop, once for all of them. A session whose window
/// or socket was full for a moment takes from here what it missed, and is live again, without a
/// question to the store for each of a thousand members. Confined to the loop.
///
/// Bounds, over all chats: [#ENTRIES_MAX] entries and [#BYTES_MAX] bytes of bodies, the oldest go
/// first; nothing is kept longer than [#KEPT_NANOS] and a sweep. What is not here any more, the
/// store has.
final class RecentEntries {

  static final int ENTRIES_MAX = 8_192;
  static final int BYTES_MAX = 8 * 1024 * 1024;
  static final long KEPT_NANOS = TimeUnit.SECONDS.toNanos(10);

  private static final int ENTRIES_FIRST = 64;

  private final Map<ChatId, Tail> tails = new HashMap<>();

  /// One for each entry, in the order in which they came, also when its tail has been let go.
  private final ArrayDeque<Kept> order = new ArrayDeque<>(0);

  private int bytes;

  private record Kept(Tail tail, long sinceNanos) {}

  /// The last entries of one chat, without a gap.
  final class Tail {

    private final ChatId chat;

    /// Without its recipients, by the lowest bits of its seq.
    private Delivery.@Nullable Entries[] ring = new Delivery.@Nullable Entries[ENTRIES_FIRST];

    private long first;
    private long end;

    private Tail(ChatId chat) {
      this.chat = chat;
    }

    ChatId chat() {
      return chat;
    }

    /// The entry with this seq, without recipients; null when it is not here.
    Delivery.@Nullable Entries find(long seq) {
      return seq >= first && seq < end ? ring[place(seq)] : null;
    }

    private int place(long seq) {
      return (int) seq & (ring.length - 1);
    }

    private void add(Delivery.Entries entry) {
      if (end - first == ring.length) {
        grow();
      }
      ring[place(entry.seq())] = entry;
      end = entry.seq() + 1;
    }

    private void grow() {
      var old = ring;
      ring = new Delivery.@Nullable Entries[2 * old.length];
      for (long seq = first; seq < end; seq++) {
        ring[place(seq)] = old[(int) seq & (old.length - 1)];
      }
    }

    /// Removes the oldest, if there is one.
    private void removeFirst() {
      if (first == end) {
        return;
      }
      bytes -= bytesOf(Objects.requireNonNull(ring[place(first)]));
      ring[place(first)] = null;
      first++;
      if (first == end) {
        tails.remove(chat);
      }
    }

    private void clear() {
      while (first < end) {
        removeFirst();
      }
    }
  }

  /// An entry that goes to many, before it is handed to the first of them.
  void add(Delivery.Entries entry, long now) {
    Tail tail = tails.get(entry.chat());
    if (tail != null && tail.end != entry.seq()) {
      // Those who trail in it find nothing any more and go to the store.
      tail.clear();
      tail = null;
    }
    if (tail == null) {
      tail = new Tail(entry.chat());
      tail.first = entry.seq();
      tail.end = entry.seq();
      tails.put(entry.chat(), tail);
    }
    tail.add(
        new Delivery.Entries(
            entry.chat(), entry.seq(), entry.sender(), entry.body(), entry.ownBody(), List.of()));
    order.add(new Kept(tail, now));
    bytes += bytesOf(entry);
    while (order.size() > ENTRIES_MAX || bytes > BYTES_MAX) {
      order.remove().tail.removeFirst();
    }
  }

  /// The tail that holds this entry; null when there is none.
  @Nullable Tail with(ChatId chat, long seq) {
    Tail tail = tails.get(chat);
    return tail == null || tail.find(seq) == null ? null : tail;
  }

  /// Lets go of what has been kept long enough; about twice a second.
  void sweep(long now) {
    for (Kept oldest = order.peek();
        oldest != null && now - oldest.sinceNanos > KEPT_NANOS;
        oldest = order.peek()) {
      order.remove();
      oldest.tail.removeFirst();
    }
  }

  private static int bytesOf(Delivery.Entries entry) {
    return entry.body().length + entry.ownBody().length;
  }
}

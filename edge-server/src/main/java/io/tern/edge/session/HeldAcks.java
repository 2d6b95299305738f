package io.tern.edge.session;

import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.store.Command;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Acknowledgements in groups on their way from a loop's sessions to the shards: of a device and a
/// group the first one goes at once, and those that follow wait up to [#HOLD_MILLIS] and go as one,
/// the last of them. Nobody sees the wait: what others learn of a group is counted once a second.
///
/// A thousand members who acknowledge what they have just got are a thousand times two puts, for
/// each write of the loop: half of a large group's cost in its shard (docs/adr/0014).
///
/// Sessions have their time in the period by their number, so that what waits comes in sixteen
/// pieces and not all together. Only acknowledgements of entries that were pushed come here: one
/// that the shard may refuse must not stand for others.
///
/// Bounds: [#GROUPS_MAX] groups of a session, and nothing of who has been silent for a period.
/// Confined to the loop.
public final class HeldAcks {

  /// How often something is handed over.
  static final long TICK_MILLIS = 16;

  static final int SLOTS = 16;

  /// The longest wait, as long as a client may wait itself (SPEC, `ack_delay`).
  static final long HOLD_MILLIS = SLOTS * TICK_MILLIS;

  /// Groups of a session in which something waits, or has gone within the period; in further ones
  /// every acknowledgement goes at once.
  static final int GROUPS_MAX = 16;

  /// Runs a task on the loop, once, in about so many milliseconds.
  public interface Timer {
    void in(long millis, Runnable task);
  }

  /// What one session has acknowledged of one group.
  static final class Held {
    private final SessionLogic session;
    private final ChatId group;

    /// What is to go to the shard; 0 when everything has gone.
    private long seq;

    /// Of the same session.
    private @Nullable Held next;

    private Held(SessionLogic session, ChatId group) {
      this.session = session;
      this.group = group;
    }
  }

  private final EdgeContext edge;
  private final Timer timer;
  private final List<ArrayList<Held>> slots = new ArrayList<>(SLOTS);
  private int slot;
  private int size;
  private boolean ticks;

  public HeldAcks(EdgeContext edge, Timer timer) {
    this.edge = edge;
    this.timer = timer;
    for (int i = 0; i < SLOTS; i++) {
      slots.add(new ArrayList<>(0));
    }
  }

  /// The session's device has stored the group's entries up to `seq`, which was pushed to it.
  ///
  /// @param first what the session holds; it keeps what is returned, unless that is null: then it
  ///   holds as much as it may, and hands this one over itself
  @Nullable Held add(SessionLogic session, @Nullable Held first, ChatId group, long seq) {
    int groups = 0;
    for (Held held = first; held != null; held = held.next) {
      if (held.group.equals(group)) {
        edge.counters().add(held.seq == 0 ? Count.ACKS_HELD : Count.ACKS_MERGED);
        held.seq = Math.max(held.seq, seq);
        return first;
      }
      groups++;
    }
    if (groups == GROUPS_MAX) {
      return null;
    }
    var held = new Held(session, group);
    // A full ring has it later.
    held.seq = submit(session, group, seq) ? 0 : seq;
    held.next = first;
    slots.get(slotOf(session)).add(held);
    size++;
    if (!ticks) {
      ticks = true;
      timer.in(TICK_MILLIS, this::tick);
    }
    return held;
  }

  /// The session ends: what it holds goes, if somebody still wants to know.
  void end(@Nullable Held first, boolean wanted) {
    for (Held held = first; held != null; held = held.next) {
      if (wanted && held.seq != 0) {
        submit(held.session, held.group, held.seq);
      }
      held.seq = 0;
    }
  }

  private void tick() {
    slot = (slot + 1) % SLOTS;
    ArrayList<Held> due = slots.get(slot);
    int kept = 0;
    for (int i = 0; i < due.size(); i++) {
      Held held = due.get(i);
      if (held.seq == 0) {
        held.session.inbound().forget(held);
        continue;
      }
      if (submit(held.session, held.group, held.seq)) {
        held.seq = 0;
      }
      due.set(kept++, held);
    }
    size -= due.size() - kept;
    due.subList(kept, due.size()).clear();
    ticks = size > 0;
    if (ticks) {
      timer.in(TICK_MILLIS, this::tick);
    } else {
      slots.forEach(ArrayList::trimToSize);
    }
  }

  /// `first` and what follows it without `gone`.
  static @Nullable Held without(@Nullable Held first, Held gone) {
    if (first == gone) {
      return gone.next;
    }
    for (Held held = first; held != null; held = held.next) {
      if (held.next == gone) {
        held.next = gone.next;
        break;
      }
    }
    return first;
  }

  private boolean submit(SessionLogic session, ChatId group, long seq) {
    return edge.commands().submit(new Command.Ack(session.who(), group, seq), session.origin(0));
  }

  private static int slotOf(SessionLogic session) {
    return (int) (session.id() >>> SessionTable.LOOP_BITS) & (SLOTS - 1);
  }
}

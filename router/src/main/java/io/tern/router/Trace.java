package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/// What happened to entries lately, step by step, for whoever asks why one came late: numbers of
/// chats, users, devices and sessions, and times; nothing that anybody wrote.
///
/// Every thread that has something to note has a [Writer] of its own, a ring of so many steps: each
/// note overwrites the oldest one. Noting neither locks nor allocates nor reads a clock; looking
/// goes over all rings, and may happen on any thread at any time. All times are [System#nanoTime]
/// of this process.
///
/// Memory: [#STEP_BYTES] a step, from a writer's first note on.
@SuppressWarnings("EnumOrdinal") // one number of a note, kept nowhere
public final class Trace {

  /// What one step takes.
  public static final int STEP_BYTES = 64;

  /// Notes nothing.
  public static final Trace OFF = new Trace(0);

  /// One step of an entry's way.
  public sealed interface Step {
    long nanos();
  }

  /// Its shard has it on disk.
  ///
  /// @param sender its device
  /// @param acceptedNanos when the edge took it off its socket; 0 = not known: the server itself
  ///   made it, or another process
  /// @param session the edge's number of the sender's session; 0 likewise
  /// @param syncNanos how long the batch took to be written and synced
  public record Committed(
      long nanos, DeviceId sender, long acceptedNanos, long session, long syncNanos)
      implements Step {}

  /// Its recipients have been looked up.
  ///
  /// @param found false: the directory did not answer, so nobody could be told yet
  /// @param batch commands in the batch that it was committed with
  /// @param sessions that it is handed to
  /// @param absent recipients without any
  public record Routed(long nanos, boolean found, int batch, int sessions, int absent)
      implements Step {}

  /// A push intent for a recipient who is away, or did not acknowledge.
  ///
  /// @param taken whether the push queue took it
  public record Pushed(long nanos, UserId user, boolean taken) implements Step {}

  /// Something at one device.
  ///
  /// @param session the edge's number
  /// @param detail [At#ANSWERED]: which door; [At#WRITTEN]: 1 = by catch-up
  public record AtDevice(long nanos, At at, DeviceId device, long session, int detail)
      implements Step {}

  /// What can happen at a device.
  public enum At {
    /// SENT has been written to the sender.
    ANSWERED,
    /// DELIVER has been written.
    WRITTEN,
    /// It was not written: the session is behind, and will be caught up.
    HELD_BACK,
    /// An acknowledgement that covers it has been read.
    ACKNOWLEDGED,
    /// A READ that covers it has been read.
    READ
  }

  /// What is remembered of an entry.
  ///
  /// @param steps by time
  /// @param isWhole whether nothing that happened since its commit has been overwritten
  public record Found(List<Step> steps, boolean isWhole) {}

  private static final At[] ATS = At.values();
  private static final int COMMITTED = 100;
  private static final int ROUTED = 101;
  private static final int PUSHED = 102;

  private static final int LONGS = STEP_BYTES / Long.BYTES;
  private static final int CHAT_LOW = 0;
  private static final int CHAT_HIGH = 1;
  private static final int SEQ = 2;

  /// The kind in the upper 8 bits, the user in the lower 56.
  private static final int KIND_USER = 3;

  private static final int NANOS = 4;

  /// Something small in the upper 43 bits, the device's index in the lower 21.
  private static final int X_DEVICE = 5;

  private static final int A = 6;
  private static final int B = 7;

  private static final int USER_BITS = 56;
  private static final int DEVICE_BITS = 21;
  private static final long X_MAX = (1L << 42) - 1;

  private final int steps;
  private final CopyOnWriteArrayList<Writer> writers = new CopyOnWriteArrayList<>();

  /// @param steps that each writer remembers; 0 = nothing is noted
  public Trace(int steps) {
    this.steps = steps;
  }

  public boolean isOn() {
    return steps > 0;
  }

  /// A ring for one thread, for as long as this lives.
  public Writer writer() {
    var writer = new Writer(steps);
    if (steps > 0) {
      writers.add(writer);
    }
    return writer;
  }

  /// What is remembered of an entry. Any thread; goes over all that is remembered.
  public Found of(ChatId chat, long seq) {
    var steps = new ArrayList<Step>();
    var views = new ArrayList<View>();
    for (Writer writer : writers) {
      View view = writer.look(chat, seq);
      views.add(view);
      steps.addAll(view.steps);
    }
    long committed = Long.MIN_VALUE;
    for (Step step : steps) {
      if (step instanceof Committed) {
        committed = step.nanos();
      }
    }
    boolean whole = committed != Long.MIN_VALUE;
    for (View view : views) {
      boolean reachesBack = committed != Long.MIN_VALUE && view.reachesBackTo(committed);
      whole &= reachesBack;
      // The first position past the entry that a ring remembers is the one that covered it only if
      // none before it has been forgotten.
      view.positions.values().stream()
          .filter(position -> reachesBack || view.hasWritten(position.device))
          .forEach(steps::add);
    }
    steps.sort(Comparator.comparingLong(Step::nanos));
    return new Found(List.copyOf(withoutLaterPositions(steps)), whole);
  }

  /// A device that has changed loops has a first acknowledgement in each.
  private static List<Step> withoutLaterPositions(List<Step> steps) {
    var first = new HashMap<Object, Step>();
    var kept = new ArrayList<Step>(steps.size());
    for (Step step : steps) {
      if (!(step instanceof AtDevice at)
          || (at.at != At.ACKNOWLEDGED && at.at != At.READ)
          || first.putIfAbsent(List.of(at.device, at.at), step) == null) {
        kept.add(step);
      }
    }
    return kept;
  }

  /// What one ring has about an entry.
  private static final class View {
    final List<Step> steps = new ArrayList<>();

    /// The first position at or past the entry, by device and kind.
    final Map<Object, AtDevice> positions = new LinkedHashMap<>();

    boolean hasForgotten;
    long oldestNanos;

    boolean reachesBackTo(long nanos) {
      return !hasForgotten || oldestNanos <= nanos;
    }

    boolean hasWritten(DeviceId device) {
      return steps.stream()
          .anyMatch(step ->
              step instanceof AtDevice at && at.at == At.WRITTEN && at.device.equals(device));
    }
  }

  /// The notes of one thread. Every method but [#look] is that thread's alone.
  public static final class Writer {

    private static final VarHandle COUNT;

    static {
      try {
        COUNT = MethodHandles.lookup().findVarHandle(Writer.class, "count", long.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    private final int steps;
    private volatile long @Nullable [] ring;

    /// Notes ever written; the next one goes to this place, modulo the size.
    @SuppressWarnings("unused") // by COUNT
    private long count;

    private Writer(int steps) {
      this.steps = steps;
    }

    /// Whether anything is noted: nobody need make an effort for it otherwise.
    public boolean isOn() {
      return steps > 0;
    }

    /// See [Committed].
    public void committed(
        ChatId chat,
        long seq,
        DeviceId sender,
        long acceptedNanos,
        long session,
        long syncNanos,
        long nanos) {
      put(
          chat,
          seq,
          COMMITTED,
          sender.user(),
          sender.index(),
          syncNanos,
          acceptedNanos,
          session,
          nanos);
    }

    /// See [Routed].
    public void routed(
        ChatId chat,
        long seq,
        UserId sender,
        boolean found,
        int batch,
        int sessions,
        int absent,
        long nanos) {
      put(
          chat,
          seq,
          ROUTED,
          sender,
          0,
          batch,
          (long) sessions << Integer.SIZE | absent,
          found ? 1 : 0,
          nanos);
    }

    /// See [Pushed].
    public void pushed(ChatId chat, long seq, UserId user, boolean taken, long nanos) {
      put(chat, seq, PUSHED, user, 0, taken ? 1 : 0, 0, 0, nanos);
    }

    /// See [AtDevice].
    public void at(
        At at, ChatId chat, long seq, DeviceId device, long session, int detail, long nanos) {
      put(chat, seq, at.ordinal(), device.user(), device.index(), detail, session, 0, nanos);
    }

    private void put(
        ChatId chat,
        long seq,
        int kind,
        UserId user,
        int device,
        long x,
        long a,
        long b,
        long nanos) {
      if (steps == 0) {
        return;
      }
      long[] to = ring;
      if (to == null) {
        to = new long[steps * LONGS];
        ring = to;
      }
      long n = (long) COUNT.get(this);
      int at = (int) (n % steps) * LONGS;
      to[at + CHAT_LOW] = chat.low();
      to[at + CHAT_HIGH] = chat.high();
      to[at + SEQ] = seq;
      to[at + KIND_USER] = (long) kind << USER_BITS | user.value();
      to[at + NANOS] = nanos;
      to[at + X_DEVICE] = Math.clamp(x, 0, X_MAX) << DEVICE_BITS | device;
      to[at + A] = a;
      to[at + B] = b;
      COUNT.setRelease(this, n + 1);
      // What overwrites a note is not seen before its number is.
      VarHandle.storeStoreFence();
    }

    /// Any thread. A note that is overwritten meanwhile is left out.
    private View look(ChatId chat, long seq) {
      var view = new View();
      long[] from = ring;
      if (from == null) {
        return view;
      }
      long end = (long) COUNT.getAcquire(this);
      long first = Math.max(0, end - steps);
      // What is overwritten while this looks is dropped afterwards, unread.
      var rows = new ArrayList<long[]>();
      var numbers = new ArrayList<Long>();
      long oldestNanos = 0;
      for (long n = first; n < end; n++) {
        int at = (int) (n % steps) * LONGS;
        if (n == first) {
          oldestNanos = from[at + NANOS];
        }
        if (from[at + CHAT_HIGH] == chat.high()
            && from[at + CHAT_LOW] == chat.low()
            && from[at + SEQ] >= seq) {
          long[] row = Arrays.copyOfRange(from, at, at + LONGS);
          if (row[SEQ] == seq || isPosition(row)) {
            rows.add(row);
            numbers.add(n);
          }
        }
      }
      VarHandle.loadLoadFence();
      long safe = (long) COUNT.getAcquire(this) - steps;
      for (int i = 0; i < rows.size(); i++) {
        // The note with the number `safe` may be half overwritten.
        if (numbers.get(i) > safe) {
          keep(view, step(rows.get(i)));
        }
      }
      view.hasForgotten = safe > 0;
      // Of the first place: when that has been overwritten, this reaches back to nowhere.
      view.oldestNanos = first > safe ? oldestNanos : Long.MAX_VALUE;
      return view;
    }

    private static void keep(View view, Step step) {
      if (step instanceof AtDevice at && (at.at == At.ACKNOWLEDGED || at.at == At.READ)) {
        view.positions.putIfAbsent(List.of(at.device, at.at), at);
      } else {
        view.steps.add(step);
      }
    }

    private static boolean isPosition(long[] row) {
      int kind = (int) (row[KIND_USER] >>> USER_BITS);
      return kind == At.ACKNOWLEDGED.ordinal() || kind == At.READ.ordinal();
    }

    private static Step step(long[] row) {
      int kind = (int) (row[KIND_USER] >>> USER_BITS);
      var user = new UserId(row[KIND_USER] & ((1L << USER_BITS) - 1));
      int device = (int) (row[X_DEVICE] & ((1L << DEVICE_BITS) - 1));
      long x = row[X_DEVICE] >>> DEVICE_BITS;
      long nanos = row[NANOS];
      return switch (kind) {
        case COMMITTED -> new Committed(nanos, new DeviceId(user, device), row[A], row[B], x);
        case ROUTED ->
            new Routed(nanos, row[B] != 0, (int) x, (int) (row[A] >>> Integer.SIZE), (int) row[A]);
        case PUSHED -> new Pushed(nanos, user, x != 0);
        default -> new AtDevice(nanos, ATS[kind], new DeviceId(user, device), row[A], (int) x);
      };
    }
  }
}

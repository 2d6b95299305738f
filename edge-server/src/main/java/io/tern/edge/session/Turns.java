package io.tern.edge.session;

import io.tern.edge.config.TurnsConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Work that gives way to live traffic: TLS handshakes, logins, and the pages by which a device
/// that was away is caught up. After a restart there are thousands of them at once, and people are
/// writing.
///
/// Each of them takes a [Turn]. There are so many a second, of which some are under way at a time;
/// the others wait, pages before logins before handshakes (who is in is brought up to date before
/// another is let in), the first that came first.
///
/// **The rate** follows what live work feels: SENDs, from their reading to their SENT, and by how
/// much this very timer of an event loop is late. Every [#WINDOW_NANOS] in which something waits,
/// the median of either is compared with the target: over it the rate falls to 7/10, else it rises
/// by a tenth. The target is the configured one, or [#AMBIENT_FACTOR] times the median SEND while
/// nobody logs in, whichever is more: on a slow disk it is not the logins' fault.
///
/// The median, because the longest ones are not the logins' fault either. Now and then a window has
/// a collection, or a sync of the disk that takes 20 ms, however few turns there are: a rate that
/// followed the longest SEND of a window fell until 15,000 devices needed 45 s to come back, and
/// what was felt beside them was the same as when they needed 12 (docs/adr/0016).
///
/// **What begins at once** is little: a turn takes the event loop for a quarter of a millisecond,
/// and who writes waits for all of them. While something waits, time brings turns with the timer
/// alone, so once a pass of the loop: if each that is done brought the next one, and took longer
/// than the rate has it, the pass would not end (Netty ends it after a second).
///
/// Any thread; a short lock. What a turn runs is run without it.
///
/// Bounds: `waitingMax` logins and as many handshakes, and one page a session. A login that would
/// wait longer than `waitMax` is refused at once, and told to come back when those before it should
/// be through. A handshake cannot be told anything: it is refused when it has waited for
/// `handshakeWaitMax`, for by then the rate may have risen, and another try costs more than a wait.
/// With 8 s in place of 28, 15,000 devices that came back to a new server tried 38,000 to 45,000
/// times more, which kept it so busy that they were back after 80 s in place of 24 to 45
/// (docs/adr/0015).
public final class Turns {

  /// How soon something that waits is looked at.
  static final long TICK_MILLIS = 1;

  /// At 200 SENDs a second twenty of them.
  static final long WINDOW_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  /// Where the rate begins, before anything was measured.
  static final int RATE_START = 1_000;

  /// What may begin at once is what this time brings, so that a pass of an event loop stays short.
  private static final long BURST_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

  /// At a low rate it may be what twice the time brings, up to this: somebody who comes alone takes
  /// three, one after the other.
  private static final int BURST_FEW = 4;

  private static final double SLOWER = 0.7;
  private static final double FASTER = 1.1;

  /// A crowd should keep the 99th percentile of SEND within three times of what it is without one.
  static final double AMBIENT_FACTOR = 3;

  /// By how much the ambient delay moves a window, so that a quiet hour is remembered for some
  /// seconds.
  private static final double AMBIENT_STEP = 1.03;

  private static final double AMBIENT_MIN_NANOS = 100_000;

  private static final long RETRY_MILLIS_MIN = 500;
  private static final long RETRY_MILLIS_MAX = 60_000;

  /// Runs something later. The delay of what it runs is taken for that of live work.
  public interface Timer {
    void in(long millis, Runnable task);
  }

  private final TurnsConfig config;
  private final Counters counters;
  private final RandomGenerator random;
  private final LongSupplier nanoTime;

  private final Line pages = new Line(Count.PAGES_WAITED);
  private final Line logins = new Line(Count.LOGINS_WAITED);
  private final Line handshakes = new Line(Count.HANDSHAKES_WAITED);

  /// Who comes before whom.
  private final List<Line> lines = List.of(pages, logins, handshakes);

  private int underWay;

  private double rate;
  private double tokens;
  private long filledAt;

  private long windowBegan;
  private final Delays sends = new Delays();
  private final Delays ticksLate = new Delays();

  /// The median SEND while no turn is taken, in nanoseconds.
  private double ambient = AMBIENT_MIN_NANOS;

  private @Nullable Timer timer;
  private boolean ticks;
  private long tickDue;

  public Turns(
      TurnsConfig config, Counters counters, RandomGenerator random, LongSupplier nanoTime) {
    this.config = config;
    this.counters = counters;
    this.random = random;
    this.nanoTime = nanoTime;
    rate = Math.clamp(RATE_START, config.rateMin(), config.rateMax());
    tokens = burst();
    filledAt = nanoTime.getAsLong();
  }

  /// What was seen in a window: the first of it, if it is more than fits.
  private static final class Delays {
    private final long[] nanos = new long[256];
    private int n;

    void add(long delay) {
      if (n < nanos.length) {
        nanos[n++] = delay;
      }
    }

    /// 0 without any.
    long median() {
      Arrays.sort(nanos, 0, n);
      return n == 0 ? 0 : nanos[n / 2];
    }

    void clear() {
      n = 0;
    }
  }

  /// Those of a kind that wait.
  private static final class Line {
    private final Count waited;
    private final ArrayDeque<Turn> turns = new ArrayDeque<>();

    /// Of `turns`, those that have not gone away.
    private int waiting;

    Line(Count waited) {
      this.waited = waited;
    }
  }

  /// One handshake, login or page.
  public final class Turn {
    private final Line line;
    private final Runnable begin;
    private final @Nullable LongConsumer refused;
    private final long asked;
    private boolean begun;
    private boolean over;

    private Turn(Line line, Runnable begin, @Nullable LongConsumer refused, long asked) {
      this.line = line;
      this.begin = begin;
      this.refused = refused;
      this.asked = asked;
    }

    /// Whether it has begun; if not it waits, and what was given to be run then will be.
    public boolean hasBegun() {
      synchronized (Turns.this) {
        return begun;
      }
    }

    /// It is over, or no longer wanted. Any number of times.
    public void done() {
      end(this, true);
    }

    /// It is over, and there was nothing to do.
    void unused() {
      end(this, false);
    }
  }

  /// From now on what waits is looked at by `timer`; without one, when a turn is done.
  public void runBy(Timer timer) {
    synchronized (this) {
      this.timer = timer;
    }
  }

  /// A turn to log in.
  ///
  /// @param begin is run when the turn has begun, unless it has when this returns
  /// @param refused is told the milliseconds after which to come back; perhaps before this returns
  public Turn login(Runnable begin, LongConsumer refused) {
    var turn = new Turn(logins, begin, refused, nanoTime.getAsLong());
    long retry = 0;
    synchronized (this) {
      if (!beginsAtOnce(turn)) {
        boolean fits =
            logins.waiting < config.waitingMax()
                && waitNanos(logins.waiting + 1) <= config.waitMax().toNanos();
        if (fits) {
          wait(turn);
        } else {
          turn.over = true;
          retry = refuse(turn);
        }
      }
    }
    if (retry > 0) {
      refused.accept(retry);
    }
    return turn;
  }

  /// A turn to do the server's part of a TLS handshake. It is done with the first answer: the peer
  /// takes its time for the rest.
  ///
  /// @param begin is run when the turn has begun, unless it has when this returns
  /// @param refused is run when it will not begin; perhaps before this returns
  public Turn handshake(Runnable begin, Runnable refused) {
    var turn = new Turn(handshakes, begin, retry -> refused.run(), nanoTime.getAsLong());
    boolean fits;
    synchronized (this) {
      fits = beginsAtOnce(turn) || handshakes.waiting < config.waitingMax();
      if (!fits) {
        turn.over = true;
        counters.add(Count.HANDSHAKES_PUT_OFF);
      } else if (!turn.begun) {
        wait(turn);
      }
    }
    if (!fits) {
      refused.run();
    }
    return turn;
  }

  /// A turn to be caught up by a page. It is never refused: a session has one.
  ///
  /// @param begin is run when the turn has begun, unless it has when this returns
  Turn page(Runnable begin) {
    var turn = new Turn(pages, begin, null, nanoTime.getAsLong());
    synchronized (this) {
      if (!beginsAtOnce(turn)) {
        wait(turn);
      }
    }
    return turn;
  }

  /// What a SEND took.
  public synchronized void onSent(long nanos) {
    if (waiting() + underWay == 0) {
      long now = nanoTime.getAsLong();
      if (now - windowBegan >= WINDOW_NANOS) {
        if (sends.n > 0) {
          double step = sends.median() > ambient ? AMBIENT_STEP : 1 / AMBIENT_STEP;
          ambient = Math.max(AMBIENT_MIN_NANOS, ambient * step);
        }
        beginWindow(now);
      }
    }
    sends.add(nanos);
  }

  /// When a login that is not even let wait may come back.
  synchronized long putOffMillis() {
    counters.add(Count.LOGINS_PUT_OFF);
    return retryMillis();
  }

  /// How long a login waits at most.
  long waitMaxNanos() {
    return config.waitMax().toNanos();
  }

  public synchronized int handshakesWaiting() {
    return handshakes.waiting;
  }

  public synchronized int loginsWaiting() {
    return logins.waiting;
  }

  public synchronized int pagesWaiting() {
    return pages.waiting;
  }

  public synchronized int underWay() {
    return underWay;
  }

  /// Turns a second at present.
  public synchronized double rate() {
    return rate;
  }

  /// Looks at what waits. Run by the timer.
  void tick() {
    var begun = new ArrayList<Turn>();
    var tooLate = new ArrayList<Turn>();
    long[] retries;
    synchronized (this) {
      ticks = false;
      long now = nanoTime.getAsLong();
      ticksLate.add(now - tickDue);
      if (now - windowBegan >= WINDOW_NANOS) {
        adapt();
        beginWindow(now);
      }
      refill(now);
      grant(begun);
      drop(logins, now, config.waitMax(), tooLate);
      drop(handshakes, now, config.handshakeWaitMax(), tooLate);
      retries = new long[tooLate.size()];
      for (int i = 0; i < retries.length; i++) {
        retries[i] = refuse(tooLate.get(i));
      }
      if (waiting() > 0) {
        arm();
      }
    }
    begun.forEach(turn -> turn.begin.run());
    for (int i = 0; i < retries.length; i++) {
      LongConsumer refused = tooLate.get(i).refused;
      if (refused != null) {
        refused.accept(retries[i]);
      }
    }
  }

  private void end(Turn turn, boolean used) {
    var begun = new ArrayList<Turn>(1);
    synchronized (this) {
      if (turn.over) {
        return;
      }
      turn.over = true;
      if (!turn.begun) {
        // It stays in its queue and is passed over.
        turn.line.waiting--;
        return;
      }
      underWay--;
      if (!used) {
        tokens = Math.min(burst(), tokens + 1);
      }
      if (waiting() > 0) {
        if (!ticks) {
          refill(nanoTime.getAsLong());
        }
        grant(begun);
      }
    }
    begun.forEach(next -> next.begin.run());
  }

  // ---- under the lock --------------------------------------------------------------------------

  private boolean beginsAtOnce(Turn turn) {
    for (Line line : lines) {
      if (line.waiting > 0) {
        return false;
      }
      if (line == turn.line) {
        break;
      }
    }
    if (!ticks) {
      refill(turn.asked);
    }
    if (underWay >= config.underWayMax() || tokens < 1) {
      return false;
    }
    begin(turn);
    return true;
  }

  private void wait(Turn turn) {
    turn.line.turns.add(turn);
    turn.line.waiting++;
    counters.add(turn.line.waited);
    arm();
  }

  private int waiting() {
    return pages.waiting + logins.waiting + handshakes.waiting;
  }

  private void begin(Turn turn) {
    turn.begun = true;
    underWay++;
    tokens--;
  }

  private void grant(List<Turn> begun) {
    while (underWay < config.underWayMax() && tokens >= 1) {
      Turn turn = poll();
      if (turn == null) {
        return;
      }
      if (!turn.over) {
        turn.line.waiting--;
        begin(turn);
        begun.add(turn);
      }
    }
  }

  private @Nullable Turn poll() {
    for (Line line : lines) {
      Turn turn = line.turns.poll();
      if (turn != null) {
        return turn;
      }
    }
    return null;
  }

  /// Takes those that have waited too long out of `line`.
  private void drop(Line line, long now, Duration waitMax, List<Turn> tooLate) {
    for (Turn turn = line.turns.peek(); turn != null; turn = line.turns.peek()) {
      if (!turn.over) {
        if (now - turn.asked < waitMax.toNanos()) {
          break;
        }
        turn.over = true;
        line.waiting--;
        tooLate.add(turn);
      }
      line.turns.remove();
    }
  }

  private void refill(long now) {
    tokens = Math.min(burst(), tokens + (now - filledAt) * rate / 1e9);
    filledAt = now;
  }

  private double burst() {
    double brought = rate * BURST_NANOS / 1e9;
    return Math.max(brought, Math.clamp(2 * brought, 1, BURST_FEW));
  }

  private void beginWindow(long now) {
    windowBegan = now;
    sends.clear();
    ticksLate.clear();
  }

  private void adapt() {
    double target = Math.max((double) config.delayTarget().toNanos(), AMBIENT_FACTOR * ambient);
    if (sends.median() > target || ticksLate.median() > target) {
      counters.add(Count.TURNS_SLOWED);
      rate = Math.max(config.rateMin(), rate * SLOWER);
    } else {
      rate = Math.min(config.rateMax(), rate * FASTER);
    }
  }

  private double waitNanos(int turns) {
    return turns * 1e9 / rate;
  }

  private long refuse(Turn turn) {
    counters.add(turn.line == logins ? Count.LOGINS_PUT_OFF : Count.HANDSHAKES_PUT_OFF);
    return retryMillis();
  }

  /// When those who wait now should be through, and as long again: who was refused together does
  /// not come back together.
  private long retryMillis() {
    long wait = (long) (waitNanos(logins.waiting) / 1e6);
    long spread = Math.max(RETRY_MILLIS_MIN, wait);
    return Math.clamp(wait + random.nextLong(spread), RETRY_MILLIS_MIN, RETRY_MILLIS_MAX);
  }

  private void arm() {
    Timer by = timer;
    if (by == null || ticks) {
      return;
    }
    ticks = true;
    long now = nanoTime.getAsLong();
    tickDue = now + TimeUnit.MILLISECONDS.toNanos(TICK_MILLIS);
    if (waiting() == 1) {
      // The first that waits begins a window.
      beginWindow(now);
    }
    by.in(TICK_MILLIS, this::tick);
  }
}

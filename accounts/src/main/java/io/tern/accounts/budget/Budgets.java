package io.tern.accounts.budget;

import io.github.bucket4j.Bandwidth;
import io.github.bucket4j.Bucket;
import io.github.bucket4j.TimeMeter;
import io.github.bucket4j.local.SynchronizationStrategy;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;

/// One kind of budget, for many keys: whoever takes more than every [Budget] of it allows is told
/// how long to wait. Any thread; a take locks its key's bin of the map for less than a microsecond,
/// so two takes of the same key never get more than there is.
///
/// ```java
/// var codes = new Budgets<Block>(100_000, System::nanoTime, perHour(5), perDay(20));
/// long wait = codes.take(Block.of(address));   // 0: taken; else milliseconds
/// ```
///
/// Bounds: at most `keysMax` keys are told apart. A key whose buckets are full again is forgotten,
/// which changes nothing. When all places are in use, newcomers share [#SHARED] buckets by their
/// hash: too many keys make the budget tighter, never wider.
///
/// @param <K> a value with a good `hashCode`: [Block], a string, a user or chat id
public final class Budgets<K> {

  /// Buckets that the keys without a place of their own share.
  static final int SHARED = 1024;

  /// How often it is looked for keys to forget, at most.
  static final long FORGET_NANOS = 1_000_000_000L;

  private final int keysMax;
  private final LongSupplier nanoTime;
  private final List<Budget> budgets;
  private final long capacity;

  private final ConcurrentHashMap<K, Bucket> own = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<Integer, Bucket> shared = new ConcurrentHashMap<>();
  private final AtomicInteger keys = new AtomicInteger();
  private final AtomicLong forgetAt;
  private final LongAdder refused = new LongAdder();

  /// @param keysMax keys told apart; 1 or more
  /// @param nanoTime a monotonic clock
  /// @param budgets one or more; a take has to fit all
  public Budgets(int keysMax, LongSupplier nanoTime, Budget... budgets) {
    if (keysMax < 1 || budgets.length == 0) {
      throw new IllegalArgumentException("keysMax " + keysMax + ", budgets " + budgets.length);
    }
    this.keysMax = keysMax;
    this.nanoTime = nanoTime;
    this.budgets = List.of(budgets);
    this.capacity = this.budgets.stream().mapToLong(Budget::amount).min().orElseThrow();
    this.forgetAt = new AtomicLong(nanoTime.getAsLong() + FORGET_NANOS);
  }

  /// Takes one: 0, or the milliseconds after which there is one again; then nothing was taken.
  public long take(K key) {
    return take(key, 1);
  }

  /// Takes `amount` or nothing: 0, or the milliseconds after which there is as much;
  /// `Long.MAX_VALUE` when there never is.
  public long take(K key, long amount) {
    if (amount > capacity) {
      refused.increment();
      return Long.MAX_VALUE;
    }
    long wait = taken(key, amount);
    if (wait > 0) {
      refused.increment();
    }
    return wait;
  }

  /// What `key` could take at once.
  public long left(K key) {
    Bucket bucket = own.get(key);
    if (bucket != null) {
      long[] left = new long[1];
      own.computeIfPresent(
          key,
          (k, b) -> {
            left[0] = b.getAvailableTokens();
            return b;
          });
      return Math.max(0, left[0]);
    }
    return capacity;
  }

  /// Gives back what was taken for something that did not happen after all.
  public void giveBack(K key, long amount) {
    own.computeIfPresent(
        key,
        (k, bucket) -> {
          bucket.addTokens(amount);
          return bucket;
        });
  }

  /// Keys told apart now.
  public int keys() {
    return own.size();
  }

  /// Takes refused so far.
  public long refused() {
    return refused.sum();
  }

  private long taken(K key, long amount) {
    long[] wait = {-1};
    own.computeIfPresent(key, (k, bucket) -> tried(bucket, amount, wait));
    if (wait[0] >= 0) {
      return wait[0];
    }
    if (hasPlace()) {
      own.compute(
          key,
          (k, bucket) -> {
            if (bucket == null) {
              keys.incrementAndGet();
            }
            return tried(bucket == null ? bucket() : bucket, amount, wait);
          });
    } else {
      shared.compute(
          Math.floorMod(key.hashCode() * 0x9E3779B9, SHARED),
          (k, bucket) -> tried(bucket == null ? bucket() : bucket, amount, wait));
    }
    return wait[0];
  }

  private static Bucket tried(Bucket bucket, long amount, long[] wait) {
    var probe = bucket.tryConsumeAndReturnRemaining(amount);
    wait[0] = probe.isConsumed() ? 0 : Math.ceilDiv(probe.getNanosToWaitForRefill(), 1_000_000L);
    return bucket;
  }

  /// A few more than `keysMax` may get in at once: as many as there are threads.
  private boolean hasPlace() {
    if (keys.get() < keysMax) {
      return true;
    }
    long now = nanoTime.getAsLong();
    long at = forgetAt.get();
    if (now - at >= 0 && forgetAt.compareAndSet(at, now + FORGET_NANOS)) {
      for (K key : own.keySet()) {
        own.computeIfPresent(
            key,
            (k, bucket) -> {
              if (!isFull(bucket)) {
                return bucket;
              }
              keys.decrementAndGet();
              return null;
            });
      }
    }
    return keys.get() < keysMax;
  }

  /// Whether every budget of it is full again.
  private boolean isFull(Bucket bucket) {
    var tokens = bucket.asVerbose().getAvailableTokens().getState();
    for (int i = 0; i < budgets.size(); i++) {
      if (tokens.getCurrentSize(i) < budgets.get(i).amount()) {
        return false;
      }
    }
    return true;
  }

  private Bucket bucket() {
    var builder =
        Bucket.builder()
            .withCustomTimePrecision(new Meter(nanoTime))
            // The map's bin is the lock.
            .withSynchronizationStrategy(SynchronizationStrategy.NONE);
    for (Budget budget : budgets) {
      builder.addLimit(
          Bandwidth.builder()
              .capacity(budget.amount())
              .refillGreedy(budget.amount(), budget.per())
              .build());
    }
    return builder.build();
  }

  private record Meter(LongSupplier nanoTime) implements TimeMeter {
    @Override
    public long currentTimeNanos() {
      return nanoTime.getAsLong();
    }

    @Override
    public boolean isWallClockBased() {
      return false;
    }
  }
}

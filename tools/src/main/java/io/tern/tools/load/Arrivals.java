package io.tern.tools.load;

import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// What one recipient has got of the numbers 1, 2, 3… of one sender: a number that comes twice is
/// doubled, one that comes after a later one is reordered.
///
/// Plain object; confined to the load's event loop. Bounded by the missing numbers, at most
/// `MISSING_MAX` of which are told apart.
final class Arrivals {

  static final int MISSING_MAX = 100_000;

  /// The highest number that arrived.
  private long last;

  private @Nullable TreeSet<Long> missing;
  private long missingNotKept;
  private long doubled;
  private long reordered;

  /// `number` arrived; false when it had arrived before.
  boolean arrive(long number) {
    if (number > last) {
      for (long n = last + 1; n < number; n++) {
        miss(n);
      }
      last = number;
      return true;
    }
    if (missing != null && missing.remove(number)) {
      reordered++;
      return true;
    }
    doubled++;
    return false;
  }

  private void miss(long number) {
    var numbers = missing;
    if (numbers == null) {
      numbers = missing = new TreeSet<>();
    }
    if (numbers.size() < MISSING_MAX) {
      numbers.add(number);
    } else {
      missingNotKept++;
    }
  }

  /// How many of the numbers up to `acked` have not arrived, so far.
  long lost(long acked) {
    long holes = missing == null ? 0 : missing.headSet(acked, true).size();
    return holes + missingNotKept + Math.max(0, acked - last);
  }

  long doubled() {
    return doubled;
  }

  long reordered() {
    return reordered;
  }
}

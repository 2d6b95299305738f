package io.tern.edge.logging;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// An exception to be logged: where it happened and of what kind it and its causes are, without
/// their messages, which may quote what somebody sent. Its own message is the kind of what it
/// stands for. Immutable; never thrown.
///
/// Bound: [#CAUSES_MAX] causes, and as many suppressed of each.
public final class Wordless extends Exception {
  private static final long serialVersionUID = 1;

  static final int CAUSES_MAX = 8;

  private Wordless(Throwable what, @Nullable Wordless cause) {
    super(what.getClass().getName(), cause, true, true);
    setStackTrace(what.getStackTrace());
  }

  /// The kinds of `thrown` and its causes, as one word: for a line without a stack.
  public static String kinds(Throwable thrown) {
    var kinds = new StringBuilder(thrown.getClass().getSimpleName());
    Throwable cause = thrown.getCause();
    for (int i = 0; cause != null && i < CAUSES_MAX; i++) {
      kinds.append('<').append(cause.getClass().getSimpleName());
      cause = cause.getCause();
    }
    return kinds.toString();
  }

  /// `thrown` without words.
  public static Wordless of(Throwable thrown) {
    return of(thrown, 0, Collections.newSetFromMap(new IdentityHashMap<>()));
  }

  private static Wordless of(Throwable thrown, int depth, Set<Throwable> seen) {
    seen.add(thrown);
    Throwable cause = thrown.getCause();
    var wordless =
        new Wordless(
            thrown,
            cause == null || depth >= CAUSES_MAX || seen.contains(cause)
                ? null
                : of(cause, depth + 1, seen));
    Throwable[] suppressed = thrown.getSuppressed();
    for (int i = 0; i < Math.min(suppressed.length, CAUSES_MAX) && depth < CAUSES_MAX; i++) {
      if (!seen.contains(suppressed[i])) {
        wordless.addSuppressed(of(suppressed[i], depth + 1, seen));
      }
    }
    return wordless;
  }
}

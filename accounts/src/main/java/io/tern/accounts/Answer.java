package io.tern.accounts;

import io.tern.protocol.ErrorCode;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What the user service answers: what was asked for, or why not.
public sealed interface Answer<T> {

  /// It is done, durably.
  record Ok<T>(T value) implements Answer<T> {}

  /// Final or for later, by the code's class.
  ///
  /// @param field what of the request it is about; empty = all of it
  /// @param retryMillis in how long it may be tried again; 0 = the code says
  /// @param challenge with the proof of which it may be tried at once; null = there is none
  record Refused<T>(ErrorCode code, String field, long retryMillis, @Nullable Challenge challenge)
      implements Answer<T> {}

  /// Nothing more to say.
  enum Done {
    DONE
  }

  /// A refusal on its way out: cheap, and never seen outside this module.
  final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final ErrorCode code;
    private final String field;
    private final long retryMillis;
    private final transient @Nullable Challenge challenge;

    Refusal(ErrorCode code, String field, long retryMillis) {
      this(code, field, retryMillis, null);
    }

    Refusal(ErrorCode code, String field, long retryMillis, @Nullable Challenge challenge) {
      super(code + " " + field, null, false, false);
      this.code = code;
      this.field = field;
      this.retryMillis = retryMillis;
      this.challenge = challenge;
    }

    Refusal(ErrorCode code, String field) {
      this(code, field, 0);
    }
  }

  /// Runs what may refuse.
  static <T> Answer<T> of(Supplier<T> asked) {
    try {
      return new Ok<>(asked.get());
    } catch (Refusal refusal) {
      return new Refused<>(refusal.code, refusal.field, refusal.retryMillis, refusal.challenge);
    }
  }

  /// [#of] for what has nothing to tell.
  static Answer<Done> done(Runnable asked) {
    return of(() -> {
      asked.run();
      return Done.DONE;
    });
  }
}

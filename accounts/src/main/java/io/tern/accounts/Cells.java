package io.tern.accounts;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import io.tern.protocol.ErrorCode;
import io.tern.store.RecordKey;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Records as messages, and how one is changed: read, decide, compare and set, and again from the
/// start if somebody was faster. Any thread; blocks.
final class Cells {

  /// Losing so often says that too many want the same record.
  private static final int ROUNDS_MAX = 64;

  /// What a decision comes to.
  ///
  /// @param after null = delete it
  /// @param write false = leave the record as it is
  /// @param result for the caller, when that has gone through
  record Step<T, R>(@Nullable T after, boolean write, long expiresMillis, R result) {
    static <T, R> Step<T, R> keep(R result) {
      return new Step<>(null, false, 0, result);
    }

    static <T, R> Step<T, R> put(T after, R result) {
      return new Step<>(after, true, 0, result);
    }

    static <T, R> Step<T, R> put(T after, long expiresMillis, R result) {
      return new Step<>(after, true, expiresMillis, result);
    }

    static <T, R> Step<T, R> delete(R result) {
      return new Step<>(null, true, 0, result);
    }
  }

  private final Records records;

  Cells(Records records) {
    this.records = records;
  }

  <T extends MessageLite> @Nullable T get(RecordKey key, Parser<T> parser) {
    Records.Versioned found = records.get(key);
    return found == null ? null : parse(parser, found.value());
  }

  /// Decides on what the record says until the decision goes through. `decide` may be asked more
  /// than once; what it throws leaves the record as it is.
  <T extends MessageLite, R> R change(
      RecordKey key, Parser<T> parser, Function<@Nullable T, Step<T, R>> decide) {
    for (int i = 0; i < ROUNDS_MAX; i++) {
      Records.Versioned found = records.get(key);
      Step<T, R> step = decide.apply(found == null ? null : parse(parser, found.value()));
      long expected = found == null ? 0 : found.version();
      T after = step.after;
      boolean through =
          !step.write
              || (after == null
                  ? records.delete(key, expected)
                  : records.put(key, expected, after.toByteArray(), step.expiresMillis));
      if (through) {
        return step.result;
      }
    }
    throw new Unavailable(ErrorCode.BUSY, 1_000, key + " is changed by too many");
  }

  private static <T> T parse(Parser<T> parser, byte[] bytes) {
    try {
      return parser.parseFrom(bytes);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("damaged record of " + bytes.length + " bytes", e);
    }
  }
}

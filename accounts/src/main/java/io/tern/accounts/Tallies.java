package io.tern.accounts;

import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Tally;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.RecordKey;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// How often something was done in the last 24 hours, and what is refused because of that. In
/// records, so that a restart forgives nothing. A tally begins with the first time and ends with
/// its window; then nothing is left of it. Any thread.
final class Tallies {

  static final Duration WINDOW = Duration.ofHours(24);

  private final Context context;

  Tallies(Context context) {
    this.context = context;
  }

  /// Refuses an address that has done something too often. Races let a few more through.
  void check(String what, String field, Caller caller, int max) {
    Tally tally = current(context.cells.get(key(what, caller.host()), Tally.parser()));
    if (tally.getSent() >= max) {
      context.meter.add(AccountsEvent.CODES_EXHAUSTED);
      throw new Refusal(ErrorCode.RATE, field, millisLeft(tally));
    }
  }

  void count(String what, Caller caller) {
    context.cells.change(
        key(what, caller.host()), Tally.parser(), found -> put(oneMore(current(found)), true));
  }

  /// Takes one of the `max` that a user has.
  ///
  /// @throws Refusal there is none left
  void take(String what, String field, UserId user, int max) {
    context.cells.change(
        key(what, Pepper.bytes(user.value())),
        Tally.parser(),
        found -> {
          Tally tally = current(found);
          if (tally.getSent() >= max) {
            throw new Refusal(ErrorCode.RATE, field, millisLeft(tally));
          }
          return put(oneMore(tally), true);
        });
  }

  /// Gives back one that [#take] took: it came to nothing.
  void giveBack(String what, UserId user) {
    giveBack(key(what, Pepper.bytes(user.value())));
  }

  void giveBack(RecordKey key) {
    context.cells.change(
        key,
        Tally.parser(),
        found -> {
          Tally tally = current(found);
          return tally.getSent() == 0
              ? Step.keep(true)
              : put(tally.toBuilder().setSent(tally.getSent() - 1).build(), true);
        });
  }

  /// What counts of a tally that was found: all of it, or nothing.
  Tally current(@Nullable Tally found) {
    long now = context.now();
    return found == null || found.getBeganMs() + WINDOW.toMillis() <= now
        ? Tally.newBuilder().setBeganMs(now).build()
        : found;
  }

  long millisLeft(Tally tally) {
    return Math.max(1, tally.getBeganMs() + WINDOW.toMillis() - context.now());
  }

  static Tally oneMore(Tally tally) {
    return tally.toBuilder().setSent(tally.getSent() + 1).build();
  }

  static <R> Step<Tally, R> put(Tally tally, R result) {
    return Step.put(tally, tally.getBeganMs() + WINDOW.toMillis(), result);
  }

  /// @param about whom; not to be read in the record
  RecordKey key(String what, byte[] about) {
    return RecordKey.ofHash(Kinds.TALLY, context.pepper.mac("tally " + what, about));
  }
}

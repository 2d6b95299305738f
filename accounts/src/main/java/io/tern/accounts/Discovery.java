package io.tern.accounts;

import com.google.protobuf.ByteString;
import io.tern.accounts.Answer.Done;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.number.PhoneNumbers;
import io.tern.accounts.number.PhoneNumbers.PhoneNumber;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.Lookups;
import io.tern.accounts.v1.NumberOwner;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// Finds out which of the numbers in an address book are users.
///
/// Each number looked up costs one from the account's bucket, found or not, so that all an account
/// can learn is bounded. A number of nobody, of one who is hidden from who asks and one that is no
/// number have the same answer, and the same is read for each, so that it takes the same time;
/// answers leave in steps of [#STEP], in which the rest disappears. Any thread; blocks.
public final class Discovery {

  /// Who finds this user by the number.
  public enum By {
    EVERYONE(0),
    /// Those whom the user has as contacts.
    CONTACTS(1),
    NOBODY(2);

    /// In the account's record.
    final int number;

    By(int number) {
      this.number = number;
    }
  }

  /// The answer to a look-up.
  ///
  /// @param users in the order of the numbers
  /// @param left how many numbers more may be looked up now
  public record Found(List<Optional<UserId>> users, long left) {}

  public static final int NUMBERS_MAX = 500;

  /// Answers leave in steps of this.
  static final Duration STEP = Duration.ofMillis(20);

  /// A bucket counts in thousandths.
  private static final long ONE = 1_000;

  private final Context context;
  private final Usernames usernames;
  private final Duration step;

  /// Passes over what is left of a step.
  ///
  /// @param step zero = no waiting
  Discovery(Context context, Usernames usernames, Duration step) {
    this.step = step;
    this.context = context;
    this.usernames = usernames;
  }

  /// Looks numbers up. All or none: RATE when the bucket has too few left.
  public Answer<Found> lookUp(DeviceId by, List<String> numbers) {
    return Answer.of(() -> {
      if (numbers.isEmpty() || numbers.size() > NUMBERS_MAX) {
        throw new Refusal(ErrorCode.ARGUMENT, "numbers");
      }
      long began = System.nanoTime();
      long left = charge(by.user(), context.require(by), numbers.size());
      var users = new ArrayList<Optional<UserId>>(numbers.size());
      for (String number : numbers) {
        users.add(find(by.user(), number));
      }
      context.meter.add(AccountsEvent.LOOKUPS);
      pad(began);
      return new Found(List.copyOf(users), left);
    });
  }

  /// The user with exactly this name. Off unless the operator switches it on.
  public Answer<Optional<UserId>> byUsername(DeviceId by, String username) {
    return Answer.of(() -> {
      if (!context.config.search()) {
        throw new Refusal(ErrorCode.UNSUPPORTED, "username");
      }
      long began = System.nanoTime();
      charge(by.user(), context.require(by), 1);
      UserId found = usernames.owner(username);
      UserId user = found == null ? by.user() : found;
      boolean blocked =
          context.shards.read(
              snapshots -> Reads.isBlocked(snapshots.of(Slots.of(user)), user, by.user()));
      pad(began);
      return found == null || blocked ? Optional.empty() : Optional.of(found);
    });
  }

  public Answer<Done> setDiscoverable(DeviceId by, By who) {
    return Answer.done(() ->
        context.change(
            by,
            account -> Step.put(account.toBuilder().setDiscoverable(who.number).build(), true)));
  }

  private Optional<UserId> find(UserId by, String text) {
    PhoneNumber number = PhoneNumbers.parse(text);
    byte[] hash = context.pepper.number(number == null ? text : number.e164());
    NumberOwner owner = context.cells.get(Context.numberKey(hash), NumberOwner.parser());
    // Somebody is looked at in any case: who asks, if there is nobody else.
    UserId user = owner == null ? by : new UserId(owner.getUser());
    Account account = context.account(user);
    boolean[] contactAndBlocked =
        context.shards.read(snapshots -> {
          var shard = snapshots.of(Slots.of(user));
          return new boolean[] {
            Reads.contact(shard, user, by) != null, Reads.isBlocked(shard, user, by)
          };
        });
    boolean found =
        owner != null
            && account != null
            && number != null
            && Context.holds(account, ByteString.copyFrom(hash))
            && (user.equals(by) || (!contactAndBlocked[1] && shows(account, contactAndBlocked[0])));
    return found ? Optional.of(user) : Optional.empty();
  }

  private static boolean shows(Account account, boolean isContact) {
    int by = account.getDiscoverable();
    return by == By.EVERYONE.number || (by == By.CONTACTS.number && isContact);
  }

  /// Waits for the next step since `began`, so that what little time may still differ does not
  /// show.
  private void pad(long began) {
    long step = this.step.toNanos();
    if (step > 0) {
      long end = began + ((System.nanoTime() - began) / step + 1) * step;
      for (long left = step; left > 0; left = end - System.nanoTime()) {
        LockSupport.parkNanos(left);
      }
    }
  }

  private long charge(UserId user, Account account, int numbers) {
    AccountsConfig config = context.config;
    return context.cells.change(
        Context.key(Kinds.LOOKUPS, user),
        Lookups.parser(),
        found -> {
          long now = context.now();
          long left = left(found, account, now) - numbers * ONE;
          if (left < 0) {
            context.meter.add(AccountsEvent.LOOKUPS_REFUSED);
            throw new Refusal(ErrorCode.RATE, "numbers", millisFor(-left));
          }
          long full = now + millisFor(config.lookupsMax() * ONE - left);
          return Step.put(
              Lookups.newBuilder().setLeft(left).setAtMs(now).build(), full, left / ONE);
        });
  }

  private long left(@Nullable Lookups found, Account account, long now) {
    long before = found == null ? context.config.lookupsYoung() * ONE : found.getLeft();
    long since = found == null ? account.getCreatedMs() : found.getAtMs();
    double more =
        (double) Math.max(0, now - since)
            * ONE
            * context.config.lookupsPerDay()
            / Duration.ofDays(1).toMillis();
    return (long) Math.min((double) context.config.lookupsMax() * ONE, before + more);
  }

  private long millisFor(long thousandths) {
    return 1 + thousandths * Duration.ofDays(1).toMillis() / (ONE * context.config.lookupsPerDay());
  }
}

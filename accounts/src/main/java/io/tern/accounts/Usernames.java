package io.tern.accounts;

import io.tern.accounts.Answer.Done;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.UsernameOwner;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.RecordKey;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Names by which users may be found instead of by number. 3 to 32 of a-z, 0-9, `_` and `.`, a
/// letter first, no two of `_` and `.` in a row or at the end; capitals are the same. One user has
/// one at most. A name that was given up is kept for who had it for `usernameHold`; so that nobody
/// keeps all good names like this, a user takes [#IN_A_DAY_MAX] in 24 hours.
///
/// As with numbers, a name is a user's when its record and their account say so. Any thread;
/// blocks.
public final class Usernames {

  private static final int CHARACTERS_MIN = 3;
  private static final int CHARACTERS_MAX = 32;
  private static final Pattern NAME = Pattern.compile("[a-z](?:[._]?[a-z0-9])*");

  /// What could pass for the operator.
  private static final Set<String> RESERVED =
      Set.of(
          "admin",
          "administrator",
          "help",
          "info",
          "moderator",
          "official",
          "root",
          "security",
          "support",
          "system",
          "team",
          "tern");

  /// How long a name is kept for one who is about to have it.
  private static final Duration CLAIM = Duration.ofMinutes(10);

  /// Names that one user takes in 24 hours.
  static final int IN_A_DAY_MAX = 10;

  private final Context context;
  private final Erasing erasing;
  private final Tallies tallies;

  Usernames(Context context, Erasing erasing) {
    this.context = context;
    this.erasing = erasing;
    this.tallies = new Tallies(context);
  }

  /// Gives the account this name; the one before is given up.
  public Answer<Done> set(DeviceId by, String username) {
    return Answer.done(() -> {
      String name = checked(username);
      Account account = context.require(by);
      if (account.getUsername().equals(name)) {
        return;
      }
      tallies.take("names", "username", by.user(), IN_A_DAY_MAX);
      if (!claim(by.user(), name)) {
        // Looking for one that is free is not what is counted.
        tallies.giveBack("names", by.user());
        throw new Refusal(ErrorCode.CONFLICT, "username");
      }
      String before =
          context.change(
              by,
              found -> Step.put(found.toBuilder().setUsername(name).build(), found.getUsername()));
      if (!before.equals(name)) {
        erasing.freeUsername(by.user(), before);
      }
      // Once more: who gave the name up in between has set the claim an end.
      claim(by.user(), name);
      context.meter.add(AccountsEvent.USERNAMES_SET);
    });
  }

  /// Gives the name up.
  public Answer<Done> release(DeviceId by) {
    return Answer.done(() -> {
      String before =
          context.change(
              by,
              found -> Step.put(found.toBuilder().clearUsername().build(), found.getUsername()));
      erasing.freeUsername(by.user(), before);
    });
  }

  private boolean claim(UserId user, String name) {
    return context.cells.change(
        key(context, name),
        UsernameOwner.parser(),
        found -> {
          boolean others = found != null && found.getUser() != user.value();
          if (others && found != null && isTaken(found, name)) {
            return Step.keep(false);
          }
          return Step.put(
              UsernameOwner.newBuilder()
                  .setUser(user.value())
                  .setHeldUntilMs(context.now() + CLAIM.toMillis())
                  .build(),
              true);
        });
  }

  private boolean isTaken(UsernameOwner owner, String name) {
    if (owner.getHeldUntilMs() > context.now()) {
      return true;
    }
    Account account = context.account(new UserId(owner.getUser()));
    return account != null && account.getUsername().equals(name);
  }

  /// Whose name it is; null when it is nobody's.
  @Nullable UserId owner(String username) {
    String name = username.toLowerCase(Locale.ROOT);
    UsernameOwner owner = context.cells.get(key(context, name), UsernameOwner.parser());
    if (owner == null) {
      return null;
    }
    var user = new UserId(owner.getUser());
    Account account = context.account(user);
    return account != null && account.getUsername().equals(name) ? user : null;
  }

  static String checked(String username) {
    String name = username.toLowerCase(Locale.ROOT);
    if (name.length() < CHARACTERS_MIN
        || name.length() > CHARACTERS_MAX
        || !NAME.matcher(name).matches()
        || RESERVED.contains(name)) {
      throw new Refusal(ErrorCode.ARGUMENT, "username");
    }
    return name;
  }

  static RecordKey key(Context context, String name) {
    return RecordKey.ofHash(Kinds.USERNAME, context.pepper.mac("username", Pepper.bytes(name)));
  }
}

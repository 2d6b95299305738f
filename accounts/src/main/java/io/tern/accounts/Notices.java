package io.tern.accounts;

import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.Announcement;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.Outcome;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// Those with whom a user talks learn that the account was opened on another device: by its owner
/// with a new phone, or by somebody who has number and PIN, or the recovery key. Each direct chat
/// gets one entry that says so ([Command.TellRegistered]).
///
/// ```
/// 1 account: registered at T, on device D, to be announced     one write, with the new device
/// 2 each piece of the chat list: the shard owes it to the chats
/// 3 account: nothing to be announced
/// ```
///
/// A process that ends in between leaves a note ([Kinds#WORK]), and the next one does the second
/// step from the start: a chat tells of T once.
///
/// Bounds: [#IN_A_DAY_MAX] announcements of an account in 24 hours, so that nobody fills the chats
/// of others by coming back again and again, and [#PIECES_MAX] pieces of the chat list in one.
/// Profiles tell of every registration.
final class Notices {

  /// Announced in 24 hours; what comes after is not.
  static final int IN_A_DAY_MAX = 10;

  /// With 256 chats in each: 16,384 chats.
  static final int PIECES_MAX = 64;

  private static final long DAY_MILLIS = Duration.ofDays(1).toMillis();

  private Notices() {}

  /// Notes in the account that it has been opened anew, on `device`.
  static void note(Account.Builder account, int device, long nowMillis) {
    long at = Math.max(nowMillis, registeredMillis(account.build()) + 1);
    Announcement before = account.getAnnouncement();
    boolean sameDay = nowMillis < before.getSinceMs() + DAY_MILLIS;
    int count = sameDay ? before.getCount() : 0;
    account.setRegisteredMs(at);
    if (count < IN_A_DAY_MAX) {
      account.setAnnouncement(
          Announcement.newBuilder()
              .setAtMs(at)
              .setDevice(device)
              .setSinceMs(sameDay ? before.getSinceMs() : nowMillis)
              .setCount(count + 1));
    }
  }

  /// When the account was last opened by a registration.
  static long registeredMillis(Account account) {
    return Math.max(account.getCreatedMs(), account.getRegisteredMs());
  }

  /// Does the rest, if something waits.
  static void announce(Context context, UserId user) {
    Account account = context.account(user);
    if (account == null || account.getAnnouncement().getAtMs() == 0) {
      return;
    }
    Announcement waiting = account.getAnnouncement();
    var device = new DeviceId(user, waiting.getDevice());
    @Nullable ChatId next = null;
    int pieces = 0;
    do {
      Outcome outcome =
          context.shards.execute(new Command.Announce(device, waiting.getAtMs(), next));
      if (!(outcome instanceof Outcome.Announced announced)) {
        throw new IllegalStateException("announce answered " + outcome);
      }
      next = announced.next();
      pieces++;
    } while (next != null && pieces < PIECES_MAX);
    context.change(
        user,
        found ->
            found.getAnnouncement().getAtMs() == waiting.getAtMs()
                ? Step.put(
                    found.toBuilder()
                        .setAnnouncement(found.getAnnouncement().toBuilder().clearAtMs())
                        .build(),
                    true)
                : Step.keep(true));
  }
}

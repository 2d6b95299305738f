package io.tern.accounts;

import io.tern.accounts.Answer.Done;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Privacy;
import io.tern.store.KeyValues;
import io.tern.store.Reads;
import io.tern.store.Slots;
import org.jspecify.annotations.Nullable;

/// Who somebody is: name, about, photo. Photo and about are for whom the user's privacy names for
/// photos; who is blocked sees the name only, as a stranger does. When the account was last opened
/// by a registration is for those with whom the user talks: both have written, and neither has
/// blocked the other. Any thread; blocks.
public final class Profiles {

  /// A user as somebody sees them.
  ///
  /// @param number their own, for themselves; else empty
  /// @param registeredMillis when a registration last opened the account, for themselves and for
  ///   whom they talk with; else 0
  public record Profile(
      UserId user,
      String name,
      String about,
      String photo,
      String username,
      String number,
      long registeredMillis) {

    /// Names and numbers are nobody's business.
    @Override
    public String toString() {
      return "Profile[" + user + "]";
    }
  }

  /// What of it is for the one who asks.
  private record Shown(boolean photo, boolean registered, boolean number) {
    static final Shown OWN = new Shown(true, true, true);
  }

  private final Context context;

  Profiles(Context context) {
    this.context = context;
  }

  public Answer<Profile> own(DeviceId by) {
    return Answer.of(() -> profile(by.user(), context.require(by), Shown.OWN));
  }

  /// Another's. One who does not exist (any more) is NOT_FOUND.
  public Answer<Profile> of(DeviceId by, UserId user) {
    return Answer.of(() -> {
      Account own = context.require(by);
      if (user.equals(by.user())) {
        return profile(user, own, Shown.OWN);
      }
      Account account = context.account(user);
      if (account == null) {
        throw new Refusal(ErrorCode.NOT_FOUND, "user");
      }
      Shown shown =
          context.shards.read(snapshots -> {
            var chat = ChatId.direct(user, by.user());
            return new Shown(
                showsPhoto(snapshots.of(Slots.of(user)), user, by.user()),
                Reads.talk(snapshots.of(Slots.of(chat)), chat),
                false);
          });
      return profile(user, account, shown);
    });
  }

  private static boolean showsPhoto(KeyValues shard, UserId user, UserId to) {
    if (Reads.isBlocked(shard, user, to)) {
      return false;
    }
    Privacy privacy = Reads.privacy(shard, user);
    boolean contact = Reads.contact(shard, user, to) != null;
    return switch (privacy.getPhoto()) {
      case AUDIENCE_UNSPECIFIED, AUDIENCE_EVERYONE -> true;
      case AUDIENCE_CONTACTS -> contact;
      case AUDIENCE_CONTACTS_EXCEPT -> contact && !privacy.getExceptList().contains(to.value());
      case AUDIENCE_NOBODY, UNRECOGNIZED -> false;
    };
  }

  private static Profile profile(UserId user, Account account, Shown shown) {
    return new Profile(
        user,
        account.getName(),
        shown.photo ? account.getAbout() : "",
        shown.photo ? account.getPhoto() : "",
        account.getUsername(),
        shown.number ? account.getNumber() : "",
        shown.registered ? Notices.registeredMillis(account) : 0);
  }

  /// Changes what is not null.
  ///
  /// @param photo reference that the media service gave; empty = none
  public Answer<Done> set(
      DeviceId by, @Nullable String name, @Nullable String about, @Nullable String photo) {
    return Answer.done(() -> {
      String newName =
          name == null ? null : Context.text(name, "name", Context.NAME_BYTES_MAX, false);
      String newAbout =
          about == null ? null : Context.lines(about, "about", Context.ABOUT_BYTES_MAX);
      String newPhoto =
          photo == null ? null : Context.text(photo, "photo", Context.PHOTO_BYTES_MAX, true);
      context.change(
          by,
          account -> {
            var after = account.toBuilder();
            if (newName != null) {
              after.setName(newName);
            }
            if (newAbout != null) {
              after.setAbout(newAbout);
            }
            if (newPhoto != null) {
              after.setPhoto(newPhoto);
            }
            return Step.put(after.build(), true);
          });
    });
  }
}

package io.tern.edge.session;

import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.Privacy;
import io.tern.router.Readers.Shards;
import io.tern.store.Reads;
import io.tern.store.Slots;

/// What one user may see of another, by both users' privacy and blocks. Pure functions of the
/// snapshots; readers only.
final class Visibility {

  /// What `viewer` may see of a user: nothing at all where either has blocked the other.
  ///
  /// @param known whether there is such a user, and no block between the two
  record Seen(boolean known, boolean online, boolean lastSeen) {
    static final Seen NOTHING = new Seen(false, false, false);
  }

  private Visibility() {}

  /// What one does not show one does not see: each part needs both users' consent.
  static Seen of(Shards shards, UserId viewer, UserId other) {
    if (!Reads.userExists(shards.of(Slots.of(other)), other) || isBlocked(shards, viewer, other)) {
      return Seen.NOTHING;
    }
    if (viewer.equals(other)) {
      return new Seen(true, true, true);
    }
    Privacy own = Reads.privacy(shards.of(Slots.of(viewer)), viewer);
    Privacy others = Reads.privacy(shards.of(Slots.of(other)), other);
    return new Seen(
        true,
        shows(shards, other, others, others.getOnline(), viewer)
            && shows(shards, viewer, own, own.getOnline(), other),
        shows(shards, other, others, others.getLastSeen(), viewer)
            && shows(shards, viewer, own, own.getLastSeen(), other));
  }

  /// Whether `user` exists and lets `by` add them to groups.
  static boolean mayAdd(Shards shards, UserId by, UserId user) {
    var shard = shards.of(Slots.of(user));
    if (!Reads.userExists(shard, user) || Reads.isBlocked(shard, user, by)) {
      return false;
    }
    Privacy privacy = Reads.privacy(shard, user);
    return shows(shards, user, privacy, privacy.getGroups(), by);
  }

  static boolean hidesReads(Shards shards, UserId user) {
    return Reads.privacy(shards.of(Slots.of(user)), user).getHideReadReceipts();
  }

  private static boolean isBlocked(Shards shards, UserId one, UserId other) {
    return Reads.isBlocked(shards.of(Slots.of(one)), one, other)
        || Reads.isBlocked(shards.of(Slots.of(other)), other, one);
  }

  private static boolean shows(
      Shards shards, UserId owner, Privacy privacy, Audience audience, UserId to) {
    return switch (audience) {
      case AUDIENCE_UNSPECIFIED, AUDIENCE_EVERYONE -> true;
      case AUDIENCE_CONTACTS -> isContact(shards, owner, to);
      case AUDIENCE_CONTACTS_EXCEPT ->
          !privacy.getExceptList().contains(to.value()) && isContact(shards, owner, to);
      // What a later version means by it is not known: show nothing.
      case AUDIENCE_NOBODY, UNRECOGNIZED -> false;
    };
  }

  private static boolean isContact(Shards shards, UserId owner, UserId other) {
    return Reads.contact(shards.of(Slots.of(owner)), owner, other) != null;
  }
}

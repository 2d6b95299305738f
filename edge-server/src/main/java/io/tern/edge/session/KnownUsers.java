package io.tern.edge.session;

import java.util.concurrent.atomic.AtomicLongArray;

/// Users that are known to exist, so that a SEND to one of them needs no look at the store. One for
/// the whole edge; any thread; no locks.
///
/// A fixed table with one place per hash: a newcomer takes the place of whoever was there, which
/// costs the other one a look at the store. Whoever has a user erased takes them out ([#remove]);
/// an id is never given again. 8 bytes a place.
public final class KnownUsers {

  private final AtomicLongArray places;

  /// @param places number of places, a power of two
  public KnownUsers(int places) {
    if (Integer.bitCount(places) != 1) {
      throw new IllegalArgumentException("not a power of two: " + places);
    }
    this.places = new AtomicLongArray(places);
  }

  public boolean contains(long user) {
    return places.getOpaque(placeOf(user)) == user;
  }

  public void add(long user) {
    places.setOpaque(placeOf(user), user);
  }

  /// The user does not exist any more.
  public void remove(long user) {
    places.compareAndExchange(placeOf(user), user, 0);
  }

  private int placeOf(long user) {
    return (int) ((user * 0x9E37_79B9_7F4A_7C15L) >>> 32) & (places.length() - 1);
  }
}

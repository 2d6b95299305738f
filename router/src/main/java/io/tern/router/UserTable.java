package io.tern.router;

import io.tern.protocol.UserId;
import io.tern.router.Directory.Routes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Objects;

/// The users of one round, each once, numbered in the order they came, with their routes. Open
/// addressing over the ids: the inner loop of dispatch neither boxes nor hashes strings.
///
/// Confined to its owner; reused after [#clear]. Grows with the largest round and shrinks back.
final class UserTable {

  private static final int CAPACITY_MIN = 256;
  private static final int CAPACITY_KEPT_MAX = 16_384;

  private long[] keys = new long[CAPACITY_MIN];
  private int[] numbers = new int[CAPACITY_MIN];
  private final ArrayList<UserId> users = new ArrayList<>();
  private Routes[] routes = new Routes[CAPACITY_MIN / 2];

  /// The number of `user`, given now if it has none.
  int add(UserId user) {
    int at = find(user.value());
    if (keys[at] != 0) {
      return numbers[at];
    }
    int number = users.size();
    keys[at] = user.value();
    numbers[at] = number;
    users.add(user);
    if (users.size() * 2 > keys.length) {
      grow();
    }
    return number;
  }

  /// The number of `user`; -1 when it has none.
  int number(UserId user) {
    int at = find(user.value());
    return keys[at] == 0 ? -1 : numbers[at];
  }

  Routes routes(UserId user) {
    int at = find(user.value());
    return keys[at] == 0 ? Routes.NONE : Objects.requireNonNull(routes[numbers[at]]);
  }

  boolean isEmpty() {
    return users.isEmpty();
  }

  /// Asks for the routes of all.
  void lookUp(Directory directory) {
    if (users.isEmpty()) {
      return;
    }
    var found = directory.lookup(users);
    for (int i = 0; i < found.size(); i++) {
      routes[i] = found.get(i);
    }
  }

  /// Gives all no route, until they are asked for again.
  void nowhere() {
    Arrays.fill(routes, 0, users.size(), Routes.NONE);
  }

  /// The routes of `user` have turned out to be others.
  void correct(UserId user, Routes now) {
    routes[add(user)] = now;
  }

  void clear() {
    if (keys.length > CAPACITY_KEPT_MAX) {
      keys = new long[CAPACITY_MIN];
      numbers = new int[CAPACITY_MIN];
      routes = new Routes[CAPACITY_MIN / 2];
    } else {
      Arrays.fill(keys, 0);
      Arrays.fill(routes, 0, Math.min(users.size(), routes.length), null);
    }
    users.clear();
  }

  // Of the user, or of the free place where it belongs.
  private int find(long key) {
    int mask = keys.length - 1;
    long h = key * 0x9E37_79B9_7F4A_7C15L;
    int at = (int) (h >>> 40) & mask;
    while (keys[at] != 0 && keys[at] != key) {
      at = (at + 1) & mask;
    }
    return at;
  }

  private void grow() {
    long[] oldKeys = keys;
    int[] oldNumbers = numbers;
    keys = new long[oldKeys.length * 2];
    numbers = new int[keys.length];
    routes = Arrays.copyOf(routes, keys.length / 2);
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] != 0) {
        int at = find(oldKeys[i]);
        keys[at] = oldKeys[i];
        numbers[at] = oldNumbers[i];
      }
    }
  }
}

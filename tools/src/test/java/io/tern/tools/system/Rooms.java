package io.tern.tools.system;

import io.tern.client.Body;
import io.tern.client.GroupChange;
import io.tern.client.Groups.Changed;
import io.tern.client.Invite;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Users;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// The groups of a campaign, and what happens in them: people are added and removed, leave, join by
/// a link, get roles; sending is for admins only for a while; titles and links change; groups are
/// founded. It knows about who is in a group what somebody was told last, so that some of what it
/// asks for is refused.
///
/// Founders stay, so that somebody can read all of a group in the end, and so does whoever was
/// named as staying.
///
/// Acts on the campaign's thread; [#onChange] may come from any.
final class Rooms {

  private static final int PEOPLE_MIN = 5;

  /// The last of the changes by number that bring somebody in.
  private static final int BRINGING_IN = 7;

  private final Random random;
  private final List<Talker> talkers;
  private final List<UserId> staying;
  private final int groupsMax;
  private final String name;
  private final Map<ChatId, Room> rooms = new ConcurrentHashMap<>();
  private final List<ChatId> ids = new ArrayList<>();
  private int titles;

  /// One group, as it is believed to be.
  private static final class Room {
    final ChatId id;
    final UserId founder;

    /// Everyone who may be in it.
    final List<UserId> people;

    // Guarded by this.
    private final Set<UserId> inside = new HashSet<>();
    private long known;
    private UserId owner;

    volatile @Nullable Invite invite;
    volatile boolean isAdminOnly;

    Room(ChatId id, UserId founder, List<UserId> people, Collection<UserId> inside) {
      this.id = id;
      this.founder = founder;
      this.people = List.copyOf(people);
      this.inside.addAll(inside);
      owner = founder;
    }

    synchronized UserId owner() {
      return owner;
    }

    synchronized boolean isInside(UserId user) {
      return inside.contains(user);
    }

    synchronized void onChange(long seq, UserId by, Body.Group group) {
      if (seq <= known) {
        return;
      }
      known = seq;
      switch (group.change()) {
        case GroupChange.Added(List<UserId> users) -> inside.addAll(users);
        case GroupChange.Removed(UserId user) -> inside.remove(user);
        case GroupChange.Left l -> inside.remove(by);
        case GroupChange.Joined j -> inside.add(by);
        case GroupChange.RoleGiven(UserId user, Role role) -> {
          if (role == Role.ROLE_OWNER) {
            owner = user;
          }
        }
        default -> {}
      }
      if (group.newOwner() != null) {
        owner = group.newOwner();
      }
    }
  }

  /// @param talkers may grow until the first group is founded
  /// @param staying are never removed, and are in no groups but those that they found and the first
  Rooms(String name, Random random, List<Talker> talkers, List<UserId> staying, int groupsMax) {
    this.name = name;
    this.random = random;
    this.talkers = talkers;
    this.staying = List.copyOf(staying);
    this.groupsMax = groupsMax;
  }

  List<ChatId> ids() {
    synchronized (ids) {
      return List.copyOf(ids);
    }
  }

  boolean isFull() {
    return ids().size() >= groupsMax;
  }

  /// Founds a group of at least five people; the first also has everyone who stays.
  CompletableFuture<Changed> found(Talker founder) {
    boolean isFirst = titles == 0;
    var people = new ArrayList<UserId>();
    for (var talker : talkers) {
      var user = talker.user();
      boolean mayJoin = !user.equals(founder.user()) && !staying.contains(user);
      if (mayJoin && !people.contains(user)) {
        people.add(user);
      }
    }
    Collections.shuffle(people, random);
    int size =
        isFirst
            ? people.size()
            : Math.min(people.size(), PEOPLE_MIN + random.nextInt(people.size()));
    var chosen = new ArrayList<>(people.subList(0, size));
    var members = new ArrayList<>(chosen.subList(0, Math.max(1, size * 2 / 3)));
    if (isFirst) {
      staying.stream().filter(user -> !user.equals(founder.user())).forEach(members::add);
    }
    return founder
        .found("%s group %d".formatted(name, ++titles), members)
        .whenComplete((changed, failure) -> {
          if (changed != null) {
            var inside = new ArrayList<>(members);
            inside.add(founder.user());
            rooms.put(changed.group(), new Room(changed.group(), founder.user(), chosen, inside));
            synchronized (ids) {
              ids.add(changed.group());
            }
          }
        });
  }

  /// A device of a member of some group, and the group; null when there is none.
  @Nullable Seat anySeat() {
    var room = anyRoom();
    if (room == null) {
      return null;
    }
    var talker = any(talkers);
    return room.isInside(talker.user()) ? new Seat(talker, room.id) : null;
  }

  record Seat(Talker talker, ChatId group) {}

  private @Nullable Room anyRoom() {
    var all = ids();
    return all.isEmpty() ? null : rooms.get(any(all));
  }

  private <T> T any(List<T> all) {
    return all.get(random.nextInt(all.size()));
  }

  /// Somebody asks for some change; nobody, if who should is away.
  void change() {
    if (random.nextInt(50) == 0 && !isFull()) {
      var founder = any(talkers);
      if (founder.mayChange() && !staying.contains(founder.user())) {
        var _ = found(founder);
      }
      return;
    }
    var room = anyRoom();
    if (room == null) {
      return;
    }
    // Mostly one who may.
    var by = random.nextInt(3) > 0 ? deviceOf(room.owner()) : any(talkers);
    int what = random.nextInt(24);
    // Most changes are about one who is in it, some bring one in who is not.
    var whom = somebody(room, what > BRINGING_IN);
    if (by == null || !by.mayChange()) {
      return;
    }
    if (room.isAdminOnly && random.nextBoolean()) {
      adminOnlySend(room, by, false);
      return;
    }
    switch (what) {
      case 0, 1, 2, 3, 4 -> add(room, by, whom);
      case 5, 6, 7 -> join(room, deviceOf(whom));
      case 8, 9, 10 -> remove(room, by, whom);
      case 11, 12 -> leave(room, deviceOf(whom));
      case 13, 14 -> role(room, by, whom, Role.ROLE_ADMIN);
      case 15 -> role(room, by, whom, Role.ROLE_MEMBER);
      case 16 -> role(room, by, whom, Role.ROLE_OWNER);
      case 17 -> adminOnlySend(room, by, true);
      case 18, 19 -> invite(room, by);
      case 20 -> {
        var event = GroupEvent.newBuilder().setInvite(false).build();
        var _ = by.change(room.id, event, groups -> groups.revokeInvite(room.id));
      }
      default -> {
        var title = "%s title %d".formatted(name, ++titles);
        var event = GroupEvent.newBuilder().setTitle(title).build();
        var _ = by.change(room.id, event, groups -> groups.setTitle(room.id, title));
      }
    }
  }

  /// Somebody of a group who is in it as far as is known, or not; now and then, anybody.
  private UserId somebody(Room room, boolean inside) {
    var fitting = room.people.stream().filter(user -> room.isInside(user) == inside).toList();
    return fitting.isEmpty() || random.nextInt(6) == 0 ? any(room.people) : any(fitting);
  }

  private @Nullable Talker deviceOf(UserId user) {
    var theirs = talkers.stream().filter(talker -> talker.user().equals(user)).toList();
    var one = theirs.isEmpty() ? null : any(theirs);
    return one != null && one.mayChange() ? one : null;
  }

  private static void add(Room room, Talker by, UserId whom) {
    var event = GroupEvent.newBuilder().setAdded(Users.newBuilder().addUsers(whom.value())).build();
    var _ = by.change(room.id, event, groups -> groups.add(room.id, List.of(whom)));
  }

  private static void remove(Room room, Talker by, UserId whom) {
    var event = GroupEvent.newBuilder().setRemoved(whom.value()).build();
    var _ = by.change(room.id, event, groups -> groups.remove(room.id, whom));
  }

  private static void leave(Room room, @Nullable Talker who) {
    if (who != null && !who.user().equals(room.founder)) {
      var event = GroupEvent.newBuilder().setLeft(true).build();
      var _ = who.change(room.id, event, groups -> groups.leave(room.id));
    }
  }

  private static void join(Room room, @Nullable Talker who) {
    var invite = room.invite;
    if (who != null && invite != null) {
      var event = GroupEvent.newBuilder().setJoined(true).build();
      var _ = who.change(room.id, event, groups -> groups.join(invite));
    }
  }

  private static void role(Room room, Talker by, UserId whom, Role role) {
    var event =
        GroupEvent.newBuilder()
            .setRole(RoleChange.newBuilder().setUser(whom.value()).setRole(role))
            .build();
    var _ = by.change(room.id, event, groups -> groups.setRole(room.id, whom, role));
  }

  private static void adminOnlySend(Room room, Talker by, boolean on) {
    var event = GroupEvent.newBuilder().setAdminOnlySend(on).build();
    var _ =
        by.change(room.id, event, groups -> groups.setAdminOnlySend(room.id, on))
            .thenAccept(changed -> room.isAdminOnly = on);
  }

  private static void invite(Room room, Talker by) {
    var _ = by.invite(room.id).thenAccept(invite -> room.invite = invite);
  }

  /// Somebody has heard of a change.
  void onChange(ChatId group, long seq, UserId by, Body.Group change) {
    var room = rooms.get(group);
    if (room != null) {
      room.onChange(seq, by, change);
    }
  }
}

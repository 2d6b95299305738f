package io.tern.tools.history;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Users;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A history of a group told by hand: a perfect server, and recorders for the devices of Ann (two),
/// Ben and Cat, of whom Ann founds the group with Ben. A test tells a bug by recording what the
/// buggy server would have shown.
///
/// The clock moves by one with each event.
final class GroupStory {

  static final UserId ANN = new UserId(10);
  static final UserId BEN = new UserId(20);
  static final UserId CAT = new UserId(30);
  static final ChatId GROUP = ChatId.group(77);

  /// A committed entry.
  ///
  /// @param event what it does to the group; null for a message
  record Line(
      long seq, DeviceId sender, long hash, long tsMillis, long csn, @Nullable GroupEvent event) {}

  private long now;
  private long hashes = 1000;
  final History history = new History(() -> now++);
  final List<Line> log = new ArrayList<>();
  private final Map<DeviceRecorder, Long> csns = new HashMap<>();
  private final Map<UserId, Role> roles = new HashMap<>();
  private final Map<UserId, long[]> stays = new HashMap<>();

  final DeviceRecorder ann = device(ANN, 1);
  final DeviceRecorder annTablet = device(ANN, 2);
  final DeviceRecorder ben = device(BEN, 1);
  final DeviceRecorder cat = device(CAT, 1);
  final List<DeviceRecorder> all = List.of(ann, annTablet, ben, cat);

  private final Map<DeviceRecorder, Set<Long>> withheld = new HashMap<>();

  /// Who is not told of what: the hole in a test's story.
  final Set<DeviceRecorder> deaf = new HashSet<>();

  GroupStory() {
    int n = ann.founding(GroupFacts.fingerprint(founded()));
    var line = commitChange(ann, founded());
    ann.changed(GROUP, n, line.seq);
    showAll(line);
  }

  private DeviceRecorder device(UserId user, int index) {
    var device = history.device(new DeviceId(user, index));
    device.opened(true);
    return device;
  }

  static GroupEvent founded() {
    var birth = GroupBirth.newBuilder().setTitle("hike").addMembers(BEN.value());
    return GroupEvent.newBuilder().setCreated(birth).build();
  }

  static GroupEvent added(UserId user) {
    return GroupEvent.newBuilder().setAdded(Users.newBuilder().addUsers(user.value())).build();
  }

  static GroupEvent removed(UserId user) {
    return GroupEvent.newBuilder().setRemoved(user.value()).build();
  }

  static GroupEvent titled(String title) {
    return GroupEvent.newBuilder().setTitle(title).build();
  }

  static GroupEvent role(UserId user, Role role) {
    var change = RoleChange.newBuilder().setUser(user.value()).setRole(role);
    return GroupEvent.newBuilder().setRole(change).build();
  }

  /// A change that is made, acknowledged and shown to everyone who may see it.
  Line change(DeviceRecorder by, GroupEvent event) {
    var line = changeUnseen(by, event);
    showAll(line);
    return line;
  }

  /// A change that is made and acknowledged, and shown to nobody yet.
  Line changeUnseen(DeviceRecorder by, GroupEvent event) {
    int n = by.changing(GROUP, GroupFacts.fingerprint(event));
    var line = commitChange(by, event);
    by.changed(GROUP, n, line.seq);
    return line;
  }

  Line commitChange(DeviceRecorder by, GroupEvent event) {
    var line =
        new Line(
            log.size() + 1,
            by.id(),
            ContentHash.of(event.toByteArray()),
            5000 + log.size(),
            0,
            event);
    log.add(line);
    for (var fact : GroupFacts.of(by.id().user(), event).facts()) {
      switch (fact.effect()) {
        case NONE -> {}
        case JOINS -> {
          stays.put(fact.user(), new long[] {line.seq, Long.MAX_VALUE});
          roles.put(fact.user(), Role.ROLE_MEMBER);
        }
        case LEAVES -> {
          stays.getOrDefault(fact.user(), new long[2])[1] = line.seq;
          roles.remove(fact.user());
        }
        case MEMBER, ADMIN, OWNER -> roles.put(fact.user(), fact.effect().role());
      }
    }
    return line;
  }

  /// A message that is committed, acknowledged and shown to everyone who may see it.
  Line tell(DeviceRecorder from) {
    var line = say(from);
    showAll(line);
    return line;
  }

  /// A message that is committed and acknowledged.
  Line say(DeviceRecorder from) {
    return say(from, ++hashes);
  }

  Line say(DeviceRecorder from, long hash) {
    int n = from.sending(GROUP, hash);
    return sent(from, n, hash);
  }

  Line sent(DeviceRecorder from, int n, long hash) {
    long csn = csns.merge(from, 1L, Long::sum);
    var line = new Line(log.size() + 1, from.id(), hash, 5000 + log.size(), csn, null);
    log.add(line);
    from.sent(GROUP, n, line.seq, csn, line.tsMillis, false);
    return line;
  }

  long newHash() {
    return ++hashes;
  }

  /// To all who may see it and have ears, but for a message's own sender.
  void showAll(Line line) {
    for (var device : all) {
      boolean isOwn = device.id().equals(line.sender) && line.event == null;
      if (!isOwn && !deaf.contains(device) && sees(device, line.seq)) {
        show(device, line);
      }
    }
  }

  void show(DeviceRecorder to, Line line) {
    boolean own = to.id().user().equals(line.sender.user());
    to.delivered(GROUP, line.seq, line.sender, line.hash, line.tsMillis, own ? line.csn : 0);
    if (line.event != null) {
      to.facts(GROUP, line.seq, GroupFacts.of(line.sender.user(), line.event), false);
    }
  }

  private boolean sees(DeviceRecorder device, long seq) {
    var stay = stays.get(device.id().user());
    return stay != null && stay[0] <= seq && seq <= stay[1];
  }

  void refuse(DeviceRecorder by, GroupEvent event, ErrorCode code) {
    by.changeRefused(by.changing(GROUP, GroupFacts.fingerprint(event)), code);
  }

  /// What the log holds at `seq` from now on.
  void rewrite(long seq, long hash) {
    var old = log.get((int) seq - 1);
    log.set((int) seq - 1, new Line(seq, old.sender, hash, old.tsMillis, old.csn, old.event));
  }

  /// In the end `device` reads a tombstone there, whatever others read.
  void withhold(DeviceRecorder device, long seq) {
    withheld.computeIfAbsent(device, d -> new HashSet<>()).add(seq);
  }

  /// The end of a good run: everyone reads what they may, and is at head.
  Report end() {
    for (var device : all) {
      readLog(device);
      tellMembers(device);
      device.online();
    }
    return check();
  }

  void readLog(DeviceRecorder device) {
    for (var line : log) {
      if (sees(device, line.seq)) {
        read(device, line);
      }
    }
    device.historyEnd(GROUP);
  }

  void read(DeviceRecorder device, Line line) {
    boolean isGone = withheld.getOrDefault(device, Set.of()).contains(line.seq);
    long hash = isGone ? ContentHash.TOMBSTONE : line.hash;
    device.entry(GROUP, line.seq, line.sender, hash, line.tsMillis);
    if (line.event != null) {
      device.facts(GROUP, line.seq, GroupFacts.of(line.sender.user(), line.event), true);
    }
  }

  void tellMembers(DeviceRecorder device) {
    if (roles.containsKey(device.id().user())) {
      roles.forEach((user, role) -> device.member(GROUP, user, role));
    }
    device.membersEnd(GROUP);
  }

  /// The server's list says so, whatever the entries say.
  void list(UserId user, Role role) {
    roles.put(user, role);
  }

  void unlist(UserId user) {
    roles.remove(user);
  }

  Report check() {
    return HistoryChecker.check(history);
  }
}

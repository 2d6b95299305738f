package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Role;
import io.tern.store.v1.BlockSnapshot;
import io.tern.store.v1.ChatSnapshot;
import io.tern.store.v1.MemberSnapshot;
import io.tern.store.v1.SenderSnapshot;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A chat as its shard holds it in memory: what its entries up to [#head] have made of it, and as
/// much of its watermarks as somebody has asked for. Confined to its shard.
///
/// It can always be made again from storage, so it may be dropped once a snapshot covers its
/// entries: see [#load].
final class ChatState {

  /// A member, former ones included. Watermarks are read from storage when first needed: a chat
  /// that is only written to never asks.
  static final class Member {
    final UserId user;

    /// First entry the member sees; `leftSeq` is the last one, 0 while they are in.
    long joinedSeq;

    long leftSeq;

    /// Newest entry the member sent, and newest of those that are no events.
    long lastOwnSeq;

    long lastMessageSeq;

    /// In groups: the newest entries in a row that are by this member, sends and what the server
    /// made of other requests of theirs. Both inclusive; 0 = none is known.
    long ownFromSeq;

    long ownToSeq;

    /// How far the marks had reached when that row began.
    long deliveredBefore;

    long readBefore;

    /// In groups.
    Role role = Role.ROLE_UNSPECIFIED;

    /// In direct chats: the newest registration of theirs that the chat tells of; 0 = of none.
    long registeredMillis;

    /// -1 until loaded.
    long delivered = -1;

    long read = -1;

    /// What others may know of these two; at most as much.
    long shownDelivered;

    long shownRead;

    /// Which watermarks moved in the open batch, and when the last one did.
    boolean deliveredMoved;

    boolean readMoved;
    boolean shownDeliveredMoved;
    boolean shownReadMoved;
    long movedMillis;

    /// In the list of members whose watermarks moved in the open batch.
    boolean moved;

    /// What was told of the member's newest message; null until something was.
    GroupProgress.@Nullable Author told;

    /// Few: an account has at most 10 devices at a time.
    final List<Sender> devices = new ArrayList<>(1);

    /// Everyone else of the chat; null until asked for.
    @Nullable List<UserId> others;

    Member(UserId user) {
      this.user = user;
    }

    boolean isIn() {
      return leftSeq == 0;
    }

    boolean isAdmin() {
      return role == Role.ROLE_ADMIN || role == Role.ROLE_OWNER;
    }

    boolean sees(long seq) {
      return ChatState.sees(joinedSeq, leftSeq, seq);
    }

    /// How far the member has got and read in a group, as others may know it: nobody acknowledges
    /// or reads what is by themselves, or what was there before they came. To write is neither:
    /// what others wrote before waits for the mark.
    long reachedDelivered() {
      return reach(Math.max(deliveredBefore, shownDelivered));
    }

    long reachedRead() {
      return reach(Math.max(readBefore, shownRead));
    }

    private long reach(long mark) {
      long reached = Math.max(joinedSeq - 1, mark);
      return reached >= ownFromSeq - 1 ? Math.max(reached, ownToSeq) : reached;
    }

    /// Entry `seq` is by this member. While the marks are not loaded, less is known of them.
    private void wrote(long seq) {
      if (seq != ownToSeq + 1) {
        deliveredBefore = reachedDelivered();
        readBefore = reachedRead();
        ownFromSeq = seq;
      }
      ownToSeq = seq;
    }

    @Nullable Sender device(int index) {
      for (int i = 0; i < devices.size(); i++) {
        Sender device = devices.get(i);
        if (device.index == index) {
          return device;
        }
      }
      return null;
    }

    Sender deviceOrNew(int index) {
      Sender device = device(index);
      if (device == null) {
        device = new Sender(index);
        devices.add(device);
      }
      return device;
    }
  }

  /// A member's device: its sends and what it has acknowledged.
  static final class Sender {
    final int index;
    long lastCsn;
    long lastSeq;

    /// -1 until loaded.
    long position = -1;

    boolean positionMoved;

    Sender(int index) {
      this.index = index;
    }
  }

  /// Former members who are remembered; of more, those who left first are strangers again.
  static final int FORMER_MEMBERS_MAX = 1_024;

  /// From so many members on they are found by their ids.
  private static final int INDEXED_MEMBERS = 16;

  final ChatId id;
  final int slot;

  /// Former ones too. In groups those who are in it stand in the order of joining.
  final List<Member> members;

  /// Null in direct chats.
  final @Nullable GroupState group;

  long head;
  long tsMillis;

  /// How many entries up to `head` do not count as unread.
  long uncounted;

  /// Messages disappear after so many seconds; 0 = never.
  long ttlSeconds;

  /// What the snapshot on disk covers.
  long snapshotSeq;

  /// Something changed that entries alone do not tell: the next commit writes a snapshot.
  boolean snapshotDue;

  /// In a direct chat: who has blocked whom; null while nobody ever did.
  private @Nullable List<Block> blocks;

  /// One of the two has blocked the other.
  boolean blocked;

  /// What was told of the group's progress, and where among its authors the telling goes on.
  long toldDelivered;

  long toldRead;
  int nextAuthor;
  int authorsToLookAt;

  /// It is noted that its progress is to be counted.
  boolean noted;

  /// Members whose watermarks moved in the open batch.
  final List<Member> moved = new ArrayList<>(1);

  /// Nothing of it is on disk: no watermark needs to be looked for.
  boolean fresh;

  /// In the open batch's list of touched chats.
  boolean touched;

  /// First seq given in the open batch, 0 when none was.
  long openFromSeq;

  private @Nullable List<UserId> everyone;
  private @Nullable Map<UserId, Member> byUser;

  /// What one side of a direct chat has said about the other, as of a version of theirs.
  private record Block(UserId by, boolean on, long version) {}

  private ChatState(ChatId id, List<Member> members, @Nullable GroupState group) {
    this.id = id;
    this.slot = Slots.of(id);
    this.members = members;
    this.group = group;
  }

  /// A group that is being made: without members and entries.
  static ChatState newGroup(ChatId id, GroupState group) {
    var chat = new ChatState(id, new ArrayList<>(), group);
    chat.fresh = true;
    return chat;
  }

  /// What storage knows: the snapshot, and the entries after it on top. A direct chat nobody has
  /// written to is an empty one; a group that was never made is null.
  static @Nullable ChatState load(KeyValues storage, ChatId id) {
    byte[] snapshot = storage.get(Keys.chat(id));
    ChatState chat;
    if (snapshot != null) {
      chat = ofSnapshot(id, snapshot);
    } else if (id.isGroup()) {
      return null;
    } else {
      chat = new ChatState(id, directMembers(id), null);
    }
    var header = new EntryCodec.Header();
    storage.scan(
        Keys.entry(id, chat.slot, chat.head + 1),
        Keys.entriesEnd(id),
        (key, value) -> {
          header.read(value);
          chat.replay(Keys.entrySeq(key), header);
          return true;
        });
    chat.fresh = chat.head == 0;
    return chat;
  }

  /// The chat as far as its members go, without loading more of it than that needs.
  static @Nullable ChatState members(KeyValues storage, ChatId id) {
    if (!id.isGroup()) {
      return new ChatState(id, directMembers(id), null);
    }
    byte[] snapshot = storage.get(Keys.chat(id));
    return snapshot == null ? null : ofSnapshot(id, snapshot);
  }

  private static List<Member> directMembers(ChatId id) {
    var low = new Member(new UserId(id.low()));
    low.joinedSeq = 1;
    if (id.isSelf()) {
      return List.of(low);
    }
    var high = new Member(new UserId(id.high()));
    high.joinedSeq = 1;
    return List.of(low, high);
  }

  private static ChatState ofSnapshot(ChatId id, byte[] bytes) {
    ChatSnapshot snapshot = Protos.chatSnapshot(bytes);
    var members = new ArrayList<Member>(snapshot.getMembersCount());
    for (MemberSnapshot from : snapshot.getMembersList()) {
      var member = new Member(new UserId(from.getUser()));
      member.joinedSeq = from.getJoinedSeq();
      member.leftSeq = from.getLeftSeq();
      member.lastOwnSeq = from.getLastOwnSeq();
      member.lastMessageSeq = from.getLastMessageSeq();
      if (id.isGroup()) {
        // An earlier version's snapshot knows no row: the newest send is one.
        boolean isKnown = from.getOwnToSeq() > 0;
        member.ownFromSeq = isKnown ? from.getOwnFromSeq() : member.lastOwnSeq;
        member.ownToSeq = isKnown ? from.getOwnToSeq() : member.lastOwnSeq;
        member.deliveredBefore = from.getDeliveredBefore();
        member.readBefore = from.getReadBefore();
      }
      member.registeredMillis = from.getRegisteredMs();
      Role role = Role.forNumber(from.getRole());
      member.role = role == null ? Role.ROLE_UNSPECIFIED : role;
      for (SenderSnapshot sender : from.getSendersList()) {
        Sender device = member.deviceOrNew(sender.getDevice());
        device.lastCsn = sender.getLastCsn();
        device.lastSeq = sender.getLastSeq();
      }
      members.add(member);
    }
    if (members.isEmpty()) {
      members.addAll(directMembers(id));
    }
    GroupState group = id.isGroup() ? GroupState.of(snapshot) : null;
    var chat = new ChatState(id, members, group);
    for (BlockSnapshot block : snapshot.getBlocksList()) {
      chat.setBlock(new UserId(block.getBy()), block.getOn(), block.getVersion());
    }
    chat.ttlSeconds = Integer.toUnsignedLong(snapshot.getTtlS());
    chat.head = snapshot.getSeq();
    chat.snapshotSeq = chat.head;
    chat.tsMillis = snapshot.getTsMs();
    chat.uncounted = chat.head - snapshot.getOrdinal();
    return chat;
  }

  /// Whether a member of these times sees entry `seq`.
  static boolean sees(long joinedSeq, long leftSeq, long seq) {
    return seq >= joinedSeq && (leftSeq == 0 || seq <= leftSeq);
  }

  byte[] snapshot() {
    ChatSnapshot.Builder snapshot =
        ChatSnapshot.newBuilder()
            .setSeq(head)
            .setTsMs(tsMillis)
            .setOrdinal(head - uncounted)
            .setTtlS((int) ttlSeconds);
    if (group != null) {
      group.writeTo(snapshot, membersIn());
    }
    if (blocks != null) {
      for (Block block : blocks) {
        snapshot
            .addBlocksBuilder()
            .setBy(block.by.value())
            .setOn(block.on)
            .setVersion(block.version);
      }
    }
    for (Member member : members) {
      MemberSnapshot.Builder to =
          snapshot
              .addMembersBuilder()
              .setUser(member.user.value())
              .setJoinedSeq(member.joinedSeq)
              .setLeftSeq(member.leftSeq)
              .setLastOwnSeq(member.lastOwnSeq)
              .setLastMessageSeq(member.lastMessageSeq)
              .setOwnFromSeq(member.ownFromSeq)
              .setOwnToSeq(member.ownToSeq)
              .setDeliveredBefore(member.deliveredBefore)
              .setReadBefore(member.readBefore)
              .setRole(member.role.getNumber())
              .setRegisteredMs(member.registeredMillis);
      for (Sender device : member.devices) {
        if (device.lastCsn > 0) {
          to.addSendersBuilder()
              .setDevice(device.index)
              .setLastCsn(device.lastCsn)
              .setLastSeq(device.lastSeq);
        }
      }
    }
    return snapshot.build().toByteArray();
  }

  private void replay(long seq, EntryCodec.Header entry) {
    if (seq != head + 1) {
      throw new IllegalStateException(id + ": entry " + seq + " follows " + head);
    }
    head = seq;
    tsMillis = entry.tsMillis;
    boolean isMessage = entry.uncounted == uncounted;
    uncounted = entry.uncounted;
    // What the server made of another command is nobody's send, and changes by it come with a
    // snapshot.
    if (entry.csn != 0) {
      Member member = member(entry.sender);
      if (member == null) {
        throw new IllegalStateException(id + ": entry " + seq + " is by a stranger");
      }
      sent(member, member.deviceOrNew(entry.device), entry.csn, seq, isMessage);
    }
  }

  /// Notes that entry `seq` is the device's send `csn`.
  void sent(Member member, Sender device, long csn, long seq, boolean isMessage) {
    wrote(member, seq);
    member.lastOwnSeq = seq;
    if (isMessage) {
      member.lastMessageSeq = seq;
    }
    device.lastCsn = csn;
    device.lastSeq = seq;
  }

  /// Notes that entry `seq` is by the member. Only groups ask.
  void wrote(Member member, long seq) {
    if (group != null) {
      member.wrote(seq);
    }
  }

  @Nullable Member member(UserId user) {
    return members.size() > INDEXED_MEMBERS ? index().get(user) : member(user.value());
  }

  private @Nullable Member member(long user) {
    if (members.size() > INDEXED_MEMBERS) {
      return member(new UserId(user));
    }
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      if (member.user.value() == user) {
        return member;
      }
    }
    return null;
  }

  private Map<UserId, Member> index() {
    if (byUser == null) {
      byUser = new HashMap<>(members.size() * 2);
      for (Member member : members) {
        byUser.put(member.user, member);
      }
    }
    return byUser;
  }

  // ---- groups ---------------------------------------------------------------------------------

  int membersIn() {
    return everyone().size();
  }

  /// Lets `user` in, from entry `seq` on. Not for one who is in.
  void join(UserId user, Role role, long seq) {
    Member member = member(user);
    if (member == null) {
      member = new Member(user);
    } else {
      members.remove(member);
    }
    member.joinedSeq = seq;
    member.leftSeq = 0;
    member.role = role;
    members.add(member);
    membersChanged();
  }

  /// `member` sees entry `seq` and nothing after it.
  void leave(Member member, long seq) {
    member.leftSeq = seq;
    member.role = Role.ROLE_UNSPECIFIED;
    membersChanged();
    if (members.size() - membersIn() > FORMER_MEMBERS_MAX) {
      members.stream()
          .filter(other -> !other.isIn())
          .min(Comparator.comparingLong(other -> other.leftSeq))
          .ifPresent(members::remove);
      membersChanged();
      // The marks of the forgotten one are on disk, should they come back.
      fresh = false;
    }
  }

  private void membersChanged() {
    everyone = null;
    byUser = null;
  }

  /// Who follows an owner who leaves: the eldest admin, else the eldest member; null when nobody is
  /// left.
  @Nullable Member successor() {
    Member successor = null;
    for (Member member : members) {
      if (member.isIn() && (successor == null || (member.isAdmin() && !successor.isAdmin()))) {
        successor = member;
      }
    }
    return successor;
  }

  /// Those who see entry `seq`: in a group while it is the newest, everyone and whom it removed.
  List<UserId> seers(long seq) {
    return members.stream().filter(m -> m.sees(seq)).map(m -> m.user).toList();
  }

  // ---- blocks ---------------------------------------------------------------------------------

  /// Notes what `by` says about the other side; returns whether that is news.
  boolean setBlock(UserId by, boolean on, long version) {
    var all = new ArrayList<Block>(2);
    if (blocks != null) {
      for (Block block : blocks) {
        if (!block.by.equals(by)) {
          all.add(block);
        } else if (block.version >= version) {
          return false;
        }
      }
    }
    all.add(new Block(by, on, version));
    blocks = all;
    blocked = all.stream().anyMatch(Block::on);
    return true;
  }

  /// Whether every member has sent something.
  boolean bothHaveWritten() {
    for (int i = 0; i < members.size(); i++) {
      if (members.get(i).lastOwnSeq == 0) {
        return false;
      }
    }
    return true;
  }

  // ---- who is here ----------------------------------------------------------------------------

  /// How much memory it takes, in members.
  int weight() {
    return members.size();
  }

  /// Those who are in the chat now. Immutable.
  List<UserId> everyone() {
    if (everyone == null) {
      everyone = users(null);
    }
    return everyone;
  }

  /// Those who are in the direct chat, but for one. Immutable.
  List<UserId> othersThan(Member member) {
    if (member.others == null) {
      member.others = users(member);
    }
    return member.others;
  }

  private List<UserId> users(@Nullable Member without) {
    return members.stream().filter(m -> m.isIn() && m != without).map(m -> m.user).toList();
  }
}

package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.store.v1.ChatSnapshot;
import io.tern.store.v1.MemberSnapshot;
import io.tern.store.v1.SenderSnapshot;
import java.util.ArrayList;
import java.util.List;
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
    long joinedSeq;
    long leftSeq;
    long lastOwnSeq;

    /// -1 until loaded.
    long delivered = -1;

    long read = -1;

    /// Which watermarks moved in the open batch, and when the last one did.
    boolean deliveredMoved;

    boolean readMoved;
    long movedMillis;

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

  final ChatId id;
  final int slot;
  final List<Member> members;

  long head;
  long tsMillis;

  /// How many entries up to `head` do not count as unread.
  long uncounted;

  /// What the snapshot on disk covers.
  long snapshotSeq;

  /// Nothing of it is on disk: no watermark needs to be looked for.
  boolean fresh;

  /// In the open batch's list of touched chats.
  boolean touched;

  /// First seq given in the open batch, 0 when none was.
  long openFromSeq;

  private @Nullable List<UserId> everyone;

  private ChatState(ChatId id, List<Member> members) {
    this.id = id;
    this.slot = Slots.of(id);
    this.members = members;
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
      chat = new ChatState(id, directMembers(id));
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

  /// Those who are in the chat now, without loading more of it than that needs. Immutable.
  static List<UserId> everyone(KeyValues storage, ChatId id) {
    if (id.isGroup()) {
      ChatState chat = load(storage, id);
      return chat == null ? List.of() : chat.everyone();
    }
    return directMembers(id).stream().map(member -> member.user).toList();
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
      for (SenderSnapshot sender : from.getSendersList()) {
        Sender device = member.deviceOrNew(sender.getDevice());
        device.lastCsn = sender.getLastCsn();
        device.lastSeq = sender.getLastSeq();
      }
      members.add(member);
    }
    var chat = new ChatState(id, members);
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
        ChatSnapshot.newBuilder().setSeq(head).setTsMs(tsMillis).setOrdinal(head - uncounted);
    for (Member member : members) {
      MemberSnapshot.Builder to =
          snapshot
              .addMembersBuilder()
              .setUser(member.user.value())
              .setJoinedSeq(member.joinedSeq)
              .setLeftSeq(member.leftSeq)
              .setLastOwnSeq(member.lastOwnSeq);
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
    uncounted = entry.uncounted;
    Member member = member(entry.sender);
    if (member == null) {
      throw new IllegalStateException(id + ": entry " + seq + " is by a stranger");
    }
    sent(member, member.deviceOrNew(entry.device), entry.csn, seq);
  }

  /// Notes that entry `seq` is the device's send `csn`.
  void sent(Member member, Sender device, long csn, long seq) {
    member.lastOwnSeq = seq;
    device.lastCsn = csn;
    device.lastSeq = seq;
  }

  @Nullable Member member(UserId user) {
    return member(user.value());
  }

  private @Nullable Member member(long user) {
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      if (member.user.value() == user) {
        return member;
      }
    }
    return null;
  }

  /// Those who are in the chat now. Immutable.
  List<UserId> everyone() {
    if (everyone == null) {
      everyone = users(null);
    }
    return everyone;
  }

  /// Those who are in the chat now, but for one. Immutable.
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

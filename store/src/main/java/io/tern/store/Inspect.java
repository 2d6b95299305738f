package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Role;
import io.tern.store.v1.Outbox;
import io.tern.store.v1.Position;
import io.tern.store.v1.User;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// A shard's keys and values as records for a person to read. Pure functions of a [KeyValues];
/// lists go to a visitor one by one, until it returns false, so that a large folder needs no
/// memory.
public final class Inspect {

  /// How far a shard is.
  public record ShardView(int schema, long n, long epoch) {}

  /// A chat and who is or was in it.
  ///
  /// @param snapshotSeq what the chat's snapshot covers; entries after it are replayed at a load
  /// @param title of a group, else empty
  /// @param ttlSeconds messages disappear after so many seconds; 0 = never
  /// @param blocked one side of a direct chat has blocked the other
  public record ChatView(
      ChatId chat,
      int slot,
      long head,
      long lastMillis,
      long snapshotSeq,
      String title,
      long ttlSeconds,
      boolean blocked,
      List<MemberView> members) {
    @Override
    public String toString() {
      return "ChatView[" + chat + ", head=" + head + "]";
    }
  }

  /// A member's place in a chat.
  ///
  /// @param role UNSPECIFIED in direct chats and for former members
  /// @param leftSeq 0 = is in the chat
  public record MemberView(
      UserId user,
      Role role,
      long joinedSeq,
      long leftSeq,
      long lastOwnSeq,
      long delivered,
      long read,
      List<DeviceView> devices) {}

  /// A member's device, as far as the chat has heard of it.
  ///
  /// @param lastCsn last send accepted, at `lastSeq`; 0 = none
  /// @param position what the device has acknowledged
  public record DeviceView(DeviceId device, long lastCsn, long lastSeq, long position) {}

  /// One step of a member's watermarks.
  public record StepView(UserId user, boolean read, long seq, long timeMillis) {}

  /// A user, their devices and their chat list.
  ///
  /// @param devices without those that were removed
  public record UserView(
      UserId user, long createdMillis, List<DeviceId> devices, List<ChatId> chats) {}

  /// What a batch still owes: runs of entries, and what other shards are to do.
  public record OutboxView(long n, List<RunView> runs, List<Command> duties) {}

  public record RunView(ChatId chat, long firstSeq, long count) {}

  private Inspect() {}

  public static ShardView shard(KeyValues shard) {
    Position position = Shard.position(shard);
    return new ShardView(position.getSchema(), position.getN(), position.getEpoch());
  }

  /// Every chat that has entries or a snapshot, by slot.
  public static void chats(KeyValues shard, Predicate<ChatView> visitor) {
    // Chats are found by their entries, from one to the next without reading those between.
    byte[] from = Keys.tagFrom('M', 0);
    while (true) {
      byte[] key = firstKey(shard, from);
      if (key == null) {
        return;
      }
      int slot = Keys.slotOf(key);
      if (Keys.tagOf(key) == 'M') {
        ChatId chat = Keys.chatOf(key);
        ChatView view = chat(shard, chat);
        if (view != null && !visitor.test(view)) {
          return;
        }
        from = Keys.entriesEnd(chat);
      } else {
        from = Keys.tagFrom('M', Keys.tagOf(key) < 'M' ? slot : slot + 1);
      }
    }
  }

  /// Null when the shard knows nothing of it.
  public static @Nullable ChatView chat(KeyValues shard, ChatId id) {
    ChatState chat = ChatState.load(shard, id);
    if (chat == null || chat.head == 0) {
      return null;
    }
    for (DeviceId device : positions(shard, id)) {
      ChatState.Member member = chat.member(device.user());
      if (member != null) {
        member.deviceOrNew(device.index());
      }
    }
    var members = new ArrayList<MemberView>();
    for (ChatState.Member member : chat.members) {
      var devices = new ArrayList<DeviceView>();
      for (ChatState.Sender device : member.devices) {
        var deviceId = new DeviceId(member.user, device.index);
        devices.add(
            new DeviceView(
                deviceId,
                device.lastCsn,
                device.lastSeq,
                Watermarks.position(shard, id, deviceId)));
      }
      Watermarks.Marks marks = Watermarks.of(shard, id, member.user);
      members.add(
          new MemberView(
              member.user,
              member.role,
              member.joinedSeq,
              member.leftSeq,
              member.lastOwnSeq,
              marks.delivered(),
              marks.read(),
              List.copyOf(devices)));
    }
    return new ChatView(
        id,
        chat.slot,
        chat.head,
        chat.tsMillis,
        chat.snapshotSeq,
        chat.group == null ? "" : chat.group.title,
        chat.ttlSeconds,
        chat.blocked,
        List.copyOf(members));
  }

  private static List<DeviceId> positions(KeyValues shard, ChatId chat) {
    var devices = new ArrayList<DeviceId>();
    shard.scan(
        Keys.ofChatFrom('V', chat),
        Keys.ofChatEnd('V', chat),
        (key, value) -> devices.add(Keys.positionDevice(key)));
    return devices;
  }

  /// A chat's entries from `fromSeq` on.
  public static void entries(KeyValues shard, ChatId chat, long fromSeq, Predicate<Entry> visitor) {
    shard.scan(
        Keys.entry(chat, fromSeq),
        Keys.entriesEnd(chat),
        (key, value) -> visitor.test(EntryCodec.decode(chat, Keys.entrySeq(key), value)));
  }

  /// The watermark series of a chat's members.
  public static void steps(KeyValues shard, ChatId chat, Predicate<StepView> visitor) {
    shard.scan(
        Keys.ofChatFrom('W', chat),
        Keys.ofChatEnd('W', chat),
        (key, value) ->
            visitor.test(
                new StepView(
                    Keys.watermarkUser(key),
                    Keys.watermarkKind(key) == Keys.READ
                        || Keys.watermarkKind(key) == Keys.READ_HIDDEN,
                    Keys.watermarkSeq(key),
                    Watermarks.time(value))));
  }

  /// Every user whose slot is here.
  public static void users(KeyValues shard, Predicate<UserView> visitor) {
    byte[] from = Keys.tagFrom('U', 0);
    while (true) {
      byte[] key = firstKey(shard, from);
      if (key == null) {
        return;
      }
      int slot = Keys.slotOf(key);
      if (Keys.tagOf(key) == 'U') {
        UserView user = user(shard, Keys.userOf(key));
        if (user != null && !visitor.test(user)) {
          return;
        }
        from = Arrays.copyOf(key, key.length + 1);
      } else {
        from = Keys.tagFrom('U', Keys.tagOf(key) < 'U' ? slot : slot + 1);
      }
    }
  }

  /// Null when there is no such user here.
  public static @Nullable UserView user(KeyValues shard, UserId user) {
    byte[] value = shard.get(Keys.user(user));
    if (value == null) {
      return null;
    }
    List<DeviceId> devices =
        Reads.devices(shard, user).stream()
            .map(device -> new DeviceId(user, device.index()))
            .toList();
    List<ChatId> chats = Reads.chatsOf(shard, user, null, Integer.MAX_VALUE);
    return new UserView(user, Protos.parse(User.parser(), value).getCreatedMs(), devices, chats);
  }

  /// The outbox, oldest first.
  public static void outbox(KeyValues shard, Predicate<OutboxView> visitor) {
    shard.scan(
        Keys.outbox(0),
        Keys.outbox(-1),
        (key, value) -> {
          Outbox outbox = Protos.outbox(value);
          var runs = new ArrayList<RunView>();
          for (int i = 0; i < outbox.getEntriesCount(); i += 4) {
            runs.add(
                new RunView(
                    new ChatId(outbox.getEntries(i), outbox.getEntries(i + 1)),
                    outbox.getEntries(i + 2),
                    outbox.getEntries(i + 3)));
          }
          return visitor.test(
              new OutboxView(Keys.outboxN(key), List.copyOf(runs), OutboxRecords.duties(outbox)));
        });
  }

  /// The first key at or after `from` that belongs to a slot; null when there is none.
  private static byte @Nullable [] firstKey(KeyValues shard, byte[] from) {
    byte[][] found = {null};
    shard.scan(
        from,
        Keys.tagFrom((char) 0, Keys.SHARD),
        (key, value) -> {
          found[0] = key;
          return false;
        });
    return found[0];
  }
}

package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.Setting;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a shard is asked to do. Immutable; made by edges, by the dispatcher of another shard, or by
/// the shard's own housekeeping. A command never throws in [Shard#prepare]: a refusal is an
/// [Outcome].
public sealed interface Command {

  /// The slot whose shard executes this.
  int slot();

  /// Whether it adds to what is owed to others, an entry for which there are members to be served,
  /// and may wait for that. What one shard owes another adds too, but waits for nothing: two shards
  /// that waited for each other would for ever.
  default boolean isOwedToOthers() {
    return false;
  }

  /// About how much memory it holds, where a client decides that.
  default int bodyBytes() {
    return 0;
  }

  /// Append a message. `body` is the SEND frame's body as it came, unparsed: the shard scans and
  /// checks it. The array is owned by the command and must not be changed.
  record Send(DeviceId from, ChatId chat, byte[] body) implements Command {
    @Override
    public boolean isOwedToOthers() {
      return true;
    }

    @Override
    public int bodyBytes() {
      return body.length;
    }

    @Override
    public int slot() {
      return Slots.of(chat);
    }
  }

  /// The device has stored every entry up to `seq`.
  record Ack(DeviceId from, ChatId chat, long seq) implements Command {
    @Override
    public int slot() {
      return Slots.of(chat);
    }
  }

  /// The user has seen every entry up to `seq`.
  ///
  /// @param hidden the user shows nobody what they have read: own devices are told, others never
  record Read(DeviceId from, ChatId chat, long seq, boolean hidden) implements Command {
    @Override
    public int slot() {
      return Slots.of(chat);
    }
  }

  /// Create the user and the device where absent. A device that was removed is refused with
  /// REVOKED, as is any of an erased user; a banned user's with BANNED.
  record Enrol(DeviceId device) implements Command {
    @Override
    public int slot() {
      return Slots.of(device.user());
    }
  }

  /// Put `chat` into the user's chat list: the other half of a chat's first entry, sent by the
  /// chat's shard until the user's shard has committed it. For an erased user the chat is to be
  /// left ([Outcome.UserErased]).
  record ListChat(UserId user, ChatId chat) implements Command {
    @Override
    public int slot() {
      return Slots.of(user);
    }
  }

  /// Make the group `group` with `from` as its owner. The id is made from the creator and `opId`,
  /// so the same again is the same group and gets the first answer.
  ///
  /// @param opId [Limits#OP_ID_BYTES] random bytes
  /// @param birth its members are those whom the creator may add; the creator need not be among
  ///   them
  record GroupCreate(DeviceId from, ChatId group, byte[] opId, GroupBirth birth)
      implements Command {
    @Override
    public boolean isOwedToOthers() {
      return true;
    }

    @Override
    public int bodyBytes() {
      return birth.getSerializedSize();
    }

    @Override
    public int slot() {
      return Slots.of(group);
    }

    @Override
    public String toString() {
      return "GroupCreate[" + from + ", " + group + "]";
    }
  }

  /// Change the group. The same user's same `opId` again has no second effect and gets the first
  /// answer, for the last [Limits#GROUP_OPS_MAX] changes of the group.
  ///
  /// @param opId [Limits#OP_ID_BYTES] random bytes
  record GroupEdit(DeviceId from, ChatId group, byte[] opId, GroupChange change)
      implements Command {
    @Override
    public boolean isOwedToOthers() {
      return true;
    }

    @Override
    public int bodyBytes() {
      return change.bodyBytes();
    }

    @Override
    public int slot() {
      return Slots.of(group);
    }
  }

  /// Change settings of the user: absolute values, the last one of a key wins. They become one
  /// entry of the self chat, whose shard is the user's.
  ///
  /// @param set at least one; not to be changed
  record ChangeSettings(DeviceId from, List<Setting> set) implements Command {
    @Override
    public boolean isOwedToOthers() {
      return true;
    }

    @Override
    public int bodyBytes() {
      return set.stream().mapToInt(Setting::getSerializedSize).sum();
    }

    @Override
    public int slot() {
      return Slots.of(from.user());
    }

    @Override
    public String toString() {
      return "ChangeSettings[" + from + ", " + set.size() + "]";
    }
  }

  /// Let `by` block the other side of the direct chat, or end that: the other half of a changed
  /// setting, sent by the user's shard until the chat's shard has committed it.
  ///
  /// @param version the setting's seq in the self chat of `by`: the newest wins
  record SetBlock(ChatId chat, UserId by, boolean on, long version) implements Command {
    @Override
    public int slot() {
      return Slots.of(chat);
    }
  }

  /// The device `device` of the same user is not theirs any more.
  record RemoveDevice(DeviceId by, int device) implements Command {
    @Override
    public int slot() {
      return Slots.of(by.user());
    }
  }

  /// The device `device` is not its user's any more, says the user service. Also when it has never
  /// been there: then it never will. For a user who does not exist too.
  record Revoke(DeviceId device) implements Command {
    @Override
    public int slot() {
      return Slots.of(device.user());
    }
  }

  /// Put, replace or delete a record of the user service if it is as it was read: `expected` is the
  /// version that was read, 0 = there was none (an expired one is none).
  ///
  /// @param value at most [#VALUE_BYTES_MAX]; null = delete. Not to be changed
  /// @param expiresMillis when it ends; 0 = never
  record PutRecord(RecordKey key, long expected, byte @Nullable [] value, long expiresMillis)
      implements Command {

    /// A longer one is refused with BODY_TOO_LARGE.
    public static final int VALUE_BYTES_MAX = 16 * 1024;

    @Override
    public int bodyBytes() {
      return value == null ? 0 : value.length;
    }

    @Override
    public int slot() {
      return key.slot();
    }
  }

  /// The user is deleted: devices, settings, chat list, self chat. Their groups lose a member,
  /// their direct chats are shut: these are other shards' halves ([Leave]). The id is not given
  /// again. A long chat list is done in pieces: to be repeated while [Outcome.UserErased#more].
  record EraseUser(UserId user) implements Command {
    @Override
    public int slot() {
      return Slots.of(user);
    }
  }

  /// The erased `user` is not in `chat` any more: the other half of [EraseUser], sent by the user's
  /// shard until the chat's shard has committed it. In a direct chat the peer keeps what there is
  /// and can no longer write.
  record Leave(ChatId chat, UserId user) implements Command {
    @Override
    public int slot() {
      return Slots.of(chat);
    }
  }

  /// The user has registered anew, on this device: those with whom they talk are to see it. What
  /// the direct chats do about it is other shards' half ([TellRegistered]). A long chat list is
  /// done in pieces: to be repeated with [Outcome.Announced#next].
  ///
  /// @param atMillis when; later than any time before
  /// @param after null = from the start of the chat list
  record Announce(DeviceId device, long atMillis, @Nullable ChatId after) implements Command {
    @Override
    public int slot() {
      return Slots.of(device.user());
    }
  }

  /// The direct chat is to tell that the device's user has registered anew: the other half of
  /// [Announce], sent by the user's shard until the chat's shard has committed it. Nothing is told
  /// where the two do not talk ([Reads#talk]), and no time twice.
  record TellRegistered(ChatId chat, DeviceId device, long atMillis) implements Command {
    @Override
    public int slot() {
      return Slots.of(chat);
    }
  }

  /// The user may not log in until then; what sessions there are end.
  ///
  /// @param untilMillis 0 = may again
  record Ban(UserId user, long untilMillis) implements Command {
    @Override
    public int slot() {
      return Slots.of(user);
    }
  }

  /// The device was there at this time. Not synced: a power cut may take it. A device that was
  /// removed is refused with REVOKED: that is how one finds out which was logging in meanwhile.
  ///
  /// @param atMillis 0 = only connected, nobody looked at it: nothing is written down
  record Seen(DeviceId device, long atMillis) implements Command {
    @Override
    public int slot() {
      return Slots.of(device.user());
    }
  }

  /// Housekeeping of the shard that owns `slot`: erase what has expired, count what groups have
  /// read ([Outcome.Ticked]), prove that the log works. Always commits a synced batch when `probe`
  /// is set.
  ///
  /// @param onlyExpired no more than to go on erasing ([Outcome.Ticked#more]): groups are counted
  ///   about once a second
  record Tick(int slot, boolean probe, boolean onlyExpired) implements Command {
    public Tick(int slot, boolean probe) {
      this(slot, probe, false);
    }
  }
}

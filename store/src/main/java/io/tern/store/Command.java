package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;

/// What a shard is asked to do. Immutable; made by edges, by the dispatcher of another shard, or by
/// the shard's own housekeeping. A command never throws in [Shard#prepare]: a refusal is an
/// [Outcome].
public sealed interface Command {

  /// The slot whose shard executes this.
  int slot();

  /// Append a message. `body` is the SEND frame's body as it came, unparsed: the shard scans and
  /// checks it. The array is owned by the command and must not be changed.
  record Send(DeviceId from, ChatId chat, byte[] body) implements Command {
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
  record Read(DeviceId from, ChatId chat, long seq) implements Command {
    @Override
    public int slot() {
      return Slots.of(chat);
    }
  }

  /// Create the user and the device where absent.
  record Enrol(DeviceId device) implements Command {
    @Override
    public int slot() {
      return Slots.of(device.user());
    }
  }

  /// Put `chat` into the user's chat list: the other half of a chat's first entry, sent by the
  /// chat's shard until the user's shard has committed it.
  record ListChat(UserId user, ChatId chat) implements Command {
    @Override
    public int slot() {
      return Slots.of(user);
    }
  }

  /// Housekeeping of the shard that owns `slot`: erase what has expired, write snapshots that are
  /// due, prove that the log works. Always commits a synced batch when `probe` is set.
  record Tick(int slot, boolean probe) implements Command {}
}

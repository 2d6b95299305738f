package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.store.Outcome.Refused;
import io.tern.store.v1.Device;
import io.tern.store.v1.ListedChat;
import io.tern.store.v1.User;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Users of a shard: their devices, their chat lists, whether they are banned or erased. They are
/// created when their first device comes, and are not kept in memory.
///
/// Confined to its shard. Bounds: [Limits#DEVICES_PER_USER_MAX] devices of a user that are not
/// removed; an erasure takes [#CHATS_LEFT_MAX] chats at a time.
final class Users {

  /// Chats that one [Command.EraseUser] takes from the list.
  static final int CHATS_LEFT_MAX = 256;

  /// What there may be of a self chat, by the tags of [Keys].
  private static final String SELF_TAGS = "CMWVR@E";

  private static final Refused BANNED = new Refused(ErrorCode.BANNED, "");
  private static final Refused NO_USER = new Refused(ErrorCode.NOT_FOUND, "user");
  private static final Refused WRONG_DEVICE = new Refused(ErrorCode.ARGUMENT, "device");
  private static final Refused NO_DEVICE = new Refused(ErrorCode.NOT_FOUND, "device");
  private static final Refused DEVICES_FULL =
      new Refused(ErrorCode.QUOTA, "more than " + Limits.DEVICES_PER_USER_MAX + " devices");

  private final Round round;
  private final HotChats chats;

  Users(Round round, HotChats chats) {
    this.round = round;
    this.chats = chats;
  }

  /// The user, as `storage` has it; null when there is none.
  static @Nullable User find(KeyValues storage, UserId user) {
    byte[] value = storage.get(Keys.user(user));
    return value == null ? null : Protos.parse(User.parser(), value);
  }

  /// As [#find], but the default instance when there is none.
  static User of(KeyValues storage, UserId user) {
    User found = find(storage, user);
    return found == null ? User.getDefaultInstance() : found;
  }

  private void put(UserId user, User.Builder value) {
    round.put(Keys.user(user), value.build().toByteArray());
  }

  // ---- devices --------------------------------------------------------------------------------

  /// A device logs in. What it is told of may be of this very batch, which is synced then.
  Outcome enrol(DeviceId device, long nowMillis) {
    User user = find(round, device.user());
    Outcome refusal = user == null ? null : refusal(user, nowMillis);
    if (refusal != null) {
      return refusal;
    }
    Device found = device(device);
    if (found != null) {
      return found.getRemoved() ? Refusals.REVOKED : new Outcome.Enrolled(false, true);
    }
    if (devicesOf(device.user()) >= Limits.DEVICES_PER_USER_MAX) {
      return DEVICES_FULL;
    }
    if (user == null) {
      put(device.user(), User.newBuilder().setCreatedMs(nowMillis));
    }
    put(device, Device.newBuilder().setCreatedMs(nowMillis));
    round.sync = true;
    return new Outcome.Enrolled(true, user != null);
  }

  /// Why the user may not be here; null when they may.
  private static @Nullable Outcome refusal(User user, long nowMillis) {
    if (user.getErased()) {
      return Refusals.REVOKED;
    }
    return user.getBannedUntilMs() > nowMillis ? BANNED : null;
  }

  private int devicesOf(UserId user) {
    int[] count = {0};
    round.scan(
        Keys.device(user, 0),
        Keys.device(user, 0xFFFFFF),
        (key, value) -> {
          count[0] += Protos.parse(Device.parser(), value).getRemoved() ? 0 : 1;
          return count[0] < Limits.DEVICES_PER_USER_MAX;
        });
    return count[0];
  }

  private @Nullable Device device(DeviceId device) {
    byte[] value = round.get(Keys.device(device));
    return value == null ? null : Protos.parse(Device.parser(), value);
  }

  private void put(DeviceId device, Device.Builder value) {
    round.put(Keys.device(device), value.build().toByteArray());
  }

  /// A device was here: nothing of it needs to be synced.
  Outcome seen(Command.Seen command, long nowMillis) {
    Device found = device(command.device());
    if (found != null && found.getRemoved()) {
      return Refusals.REVOKED;
    }
    UserId id = command.device().user();
    User user = find(round, id);
    Outcome refusal = user == null ? null : refusal(user, nowMillis);
    if (refusal != null) {
      return refusal;
    }
    if (found != null && command.atMillis() > found.getLastSeenMs()) {
      put(command.device(), found.toBuilder().setLastSeenMs(command.atMillis()));
      if (user != null && command.atMillis() > user.getLastSeenMs()) {
        put(id, user.toBuilder().setLastSeenMs(command.atMillis()));
      }
    }
    return Outcome.Done.DONE;
  }

  /// One of the user's devices removes another one.
  Outcome removeDevice(Command.RemoveDevice command) {
    if (!DeviceId.isValid(command.device()) || command.device() == command.by().index()) {
      return WRONG_DEVICE;
    }
    var device = new DeviceId(command.by().user(), command.device());
    Device found = device(device);
    if (found == null) {
      return NO_DEVICE;
    }
    return removed(device, found);
  }

  /// The user service removes a device, also one that has never been here.
  Outcome revoke(DeviceId device) {
    Device found = device(device);
    boolean isErased = of(round, device.user()).getErased();
    return removed(device, found == null && !isErased ? Device.getDefaultInstance() : found);
  }

  private Outcome removed(DeviceId device, @Nullable Device found) {
    if (found != null && !found.getRemoved()) {
      put(device, found.toBuilder().setRemoved(true));
    }
    // Even when it was: perhaps by this very batch.
    round.sync = true;
    return new Outcome.DeviceRemoved(device);
  }

  // ---- users ----------------------------------------------------------------------------------

  Outcome ban(Command.Ban command, long nowMillis) {
    User before = find(round, command.user());
    if (before == null || before.getErased()) {
      return NO_USER;
    }
    long until = Math.max(0, command.untilMillis());
    put(command.user(), before.toBuilder().setBannedUntilMs(until));
    round.sync = true;
    return until > nowMillis ? new Outcome.UserBanned(command.user()) : Outcome.Done.DONE;
  }

  /// Erases a user: devices, settings, self chat, and a piece of the chat list, whose chats are to
  /// be left.
  Outcome erase(UserId user, long nowMillis) {
    User before = of(round, user);
    round.sync = true;
    if (!before.getErased()) {
      // Also for one who was never here: then the id never will be given.
      put(
          user,
          User.newBuilder()
              .setCreatedMs(before.getCreatedMs() == 0 ? nowMillis : before.getCreatedMs())
              .setErased(true));
    }
    eraseDevices(user);
    round.batch.deleteRange(Keys.settingFrom(user), Keys.settingEnd(user));
    eraseSelf(ChatId.direct(user, user));
    List<ChatId> all = Reads.chatsOf(round, user, null, CHATS_LEFT_MAX + 1);
    List<ChatId> some = all.subList(0, Math.min(all.size(), CHATS_LEFT_MAX));
    var leaves = new ArrayList<Command>(some.size());
    for (ChatId chat : some) {
      round.delete(Keys.listed(user, chat));
      if (!chat.isSelf()) {
        leaves.add(new Command.Leave(chat, user));
      }
    }
    return new Outcome.UserErased(
        user, round.owe(List.copyOf(leaves)), all.size() > CHATS_LEFT_MAX);
  }

  private void eraseDevices(UserId user) {
    var devices = new ArrayList<byte[]>();
    round.scan(Keys.device(user, 0), Keys.device(user, 0xFFFFFF), (key, value) -> devices.add(key));
    devices.forEach(round::delete);
  }

  /// The self chat lies in the slot of its user. What names it among the expiries finds nothing.
  private void eraseSelf(ChatId self) {
    chats.erase(self);
    round.erasures.forget(self);
    for (int i = 0; i < SELF_TAGS.length(); i++) {
      char tag = SELF_TAGS.charAt(i);
      round.batch.deleteRange(Keys.ofChatFrom(tag, self), Keys.ofChatEnd(tag, self));
    }
  }

  /// A chat comes into the user's list. An erased user is to leave it: it began, or they were added
  /// to it, by somebody who did not know yet.
  Outcome list(Command.ListChat command, long nowMillis) {
    UserId user = command.user();
    ChatId chat = command.chat();
    if (of(round, user).getErased()) {
      return chat.isSelf() ? Outcome.Done.DONE : leave(user, chat);
    }
    byte[] key = Keys.listed(user, chat);
    if (round.get(key) == null) {
      round.put(key, ListedChat.newBuilder().setSinceMs(nowMillis).build().toByteArray());
      round.sync = true;
    }
    return Outcome.Done.DONE;
  }

  private Outcome leave(UserId user, ChatId chat) {
    round.sync = true;
    return new Outcome.UserErased(user, round.owe(List.of(new Command.Leave(chat, user))), false);
  }
}

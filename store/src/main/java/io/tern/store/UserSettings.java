package io.tern.store;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.store.Outcome.Refused;
import io.tern.store.v1.User;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A change of a user's settings, from the request to the keys: what it says about each key at
/// last, whether there is room for it, and the puts. One for each [Command.ChangeSettings].
final class UserSettings {

  private static final Refused TOO_LONG = new Refused(ErrorCode.ARGUMENT, "contact.name");

  /// A setting, where it belongs.
  ///
  /// @param kept whether there is something to keep: a setting like that of one who never set
  ///   anything leaves no key
  private record Keyed(byte[] key, Setting setting, boolean kept) {
    @Override
    public String toString() {
      return "Keyed[kept=" + kept + "]";
    }
  }

  private final UserId user;
  private final List<Keyed> settings = new ArrayList<>();

  private UserSettings(UserId user) {
    this.user = user;
  }

  /// What the request says, the last one of each key; null when it says something that cannot be.
  static @Nullable UserSettings of(UserId user, List<Setting> set) {
    if (set.isEmpty() || set.size() > Limits.SETTINGS_MAX) {
      return null;
    }
    Map<ByteString, Keyed> last = new LinkedHashMap<>();
    for (Setting setting : set) {
      Keyed keyed = keyed(user, setting);
      if (keyed == null) {
        return null;
      }
      ByteString key = ByteString.copyFrom(keyed.key);
      last.remove(key);
      last.put(key, keyed);
    }
    var settings = new UserSettings(user);
    settings.settings.addAll(last.values());
    return settings;
  }

  private static @Nullable Keyed keyed(UserId user, Setting setting) {
    return switch (setting.getWhatCase()) {
      case CHAT -> {
        ChatSetting chat = setting.getChat();
        ChatId id = chat(user, chat.getChat(), chat.getGroup());
        boolean kept = chat.getMuteUntilMs() != 0 || chat.getPin() || chat.getArchive();
        yield id == null ? null : new Keyed(Keys.chatSetting(user, id), setting, kept);
      }
      case STAR -> {
        ChatId id = chat(user, setting.getStar().getChat(), setting.getStar().getGroup());
        long seq = setting.getStar().getSeq();
        yield id == null || seq <= 0
            ? null
            : new Keyed(Keys.star(user, id, seq), setting, setting.getStar().getOn());
      }
      case HIDE -> {
        ChatId id = chat(user, setting.getHide().getChat(), setting.getHide().getGroup());
        long seq = setting.getHide().getSeq();
        yield id == null || seq <= 0 ? null : new Keyed(Keys.hide(user, id, seq), setting, true);
      }
      case CONTACT -> {
        UserId other = other(user, setting.getContact().getUser());
        yield other == null
            ? null
            : new Keyed(Keys.contact(user, other), setting, !setting.getContact().getRemoved());
      }
      case PRIVACY ->
          setting.getPrivacy().getExceptCount() > Limits.PRIVACY_EXCEPT_MAX
              ? null
              : new Keyed(Keys.privacy(user), setting, true);
      case BLOCK -> {
        UserId other = other(user, setting.getBlock().getUser());
        yield other == null
            ? null
            : new Keyed(Keys.block(user, other), setting, setting.getBlock().getOn());
      }
      case WHAT_NOT_SET -> null;
    };
  }

  private static @Nullable ChatId chat(UserId user, long id, boolean group) {
    return UserId.isValid(id) ? ChatId.fromWire(user, id, group) : null;
  }

  private static @Nullable UserId other(UserId user, long id) {
    return UserId.isValid(id) && id != user.value() ? new UserId(id) : null;
  }

  /// Why it cannot be; null when it can.
  @Nullable Outcome refusal(KeyValues storage) {
    for (Keyed keyed : settings) {
      String name = keyed.setting.getContact().getName();
      if (name.length() > Limits.CONTACT_NAME_BYTES_MAX
          || name.getBytes(StandardCharsets.UTF_8).length > Limits.CONTACT_NAME_BYTES_MAX) {
        return TOO_LONG;
      }
    }
    User before = Users.of(storage, user);
    if (before.getErased()) {
      return Refusals.REVOKED;
    }
    for (var more : more(storage).entrySet()) {
      Counted counted = more.getKey();
      if (more.getValue() > 0 && counted.of(before) + more.getValue() > counted.max) {
        return new Refused(ErrorCode.QUOTA, counted.name());
      }
    }
    return null;
  }

  /// What the entry in the self chat says.
  ByteString body() {
    var body = Settings.newBuilder();
    settings.forEach(keyed -> body.addSet(keyed.setting));
    return body.build().toByteString();
  }

  /// Puts it all.
  void apply(Round round, long nowMillis) {
    Map<Counted, Integer> more = more(round);
    for (Keyed keyed : settings) {
      if (keyed.kept) {
        round.put(keyed.key, keyed.setting.toByteArray());
      } else {
        round.delete(keyed.key);
      }
    }
    more.values().removeIf(change -> change == 0);
    if (!more.isEmpty()) {
      User.Builder after = Users.of(round, user).toBuilder();
      if (after.getCreatedMs() == 0) {
        after.setCreatedMs(nowMillis);
      }
      more.forEach((counted, change) -> counted.add(after, change));
      round.put(Keys.user(user), after.build().toByteArray());
    }
  }

  /// What direct chats are to know of it.
  ///
  /// @param version seq of the entry in the self chat
  List<Command> duties(long version) {
    var duties = new ArrayList<Command>();
    for (Keyed keyed : settings) {
      if (keyed.setting.hasBlock()) {
        var chat = ChatId.direct(user, new UserId(keyed.setting.getBlock().getUser()));
        duties.add(new Command.SetBlock(chat, user, keyed.kept, version));
      }
    }
    return List.copyOf(duties);
  }

  /// How many settings more (or fewer) of each kind the user has with this.
  private Map<Counted, Integer> more(KeyValues storage) {
    var more = new EnumMap<Counted, Integer>(Counted.class);
    for (Keyed keyed : settings) {
      Counted counted = Counted.of(keyed.setting);
      if (counted != null) {
        boolean before = storage.get(keyed.key) != null;
        more.merge(counted, (keyed.kept ? 1 : 0) - (before ? 1 : 0), Integer::sum);
      }
    }
    return more;
  }

  /// Kinds of settings of which a user may have many.
  private enum Counted {
    CHAT(Limits.CHAT_SETTINGS_MAX),
    STAR(Limits.STARS_MAX),
    HIDE(Limits.HIDES_MAX),
    CONTACT(Limits.CONTACTS_MAX),
    BLOCK(Limits.BLOCKS_MAX);

    final int max;

    Counted(int max) {
      this.max = max;
    }

    static @Nullable Counted of(Setting setting) {
      return switch (setting.getWhatCase()) {
        case CHAT -> CHAT;
        case STAR -> STAR;
        case HIDE -> HIDE;
        case CONTACT -> CONTACT;
        case BLOCK -> BLOCK;
        case PRIVACY, WHAT_NOT_SET -> null;
      };
    }

    int of(User user) {
      return switch (this) {
        case CHAT -> user.getChatSettings();
        case STAR -> user.getStars();
        case HIDE -> user.getHides();
        case CONTACT -> user.getContacts();
        case BLOCK -> user.getBlocks();
      };
    }

    void add(User.Builder user, int change) {
      switch (this) {
        case CHAT -> user.setChatSettings(user.getChatSettings() + change);
        case STAR -> user.setStars(user.getStars() + change);
        case HIDE -> user.setHides(user.getHides() + change);
        case CONTACT -> user.setContacts(user.getContacts() + change);
        case BLOCK -> user.setBlocks(user.getBlocks() + change);
      }
    }
  }
}

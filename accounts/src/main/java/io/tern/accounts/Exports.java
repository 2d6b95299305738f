package io.tern.accounts;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.AccountDevice;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Setting;
import io.tern.store.Entry;
import io.tern.store.KeyValues;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Everything that is kept of a user and that the user may see, as lines of JSON: the account, its
/// devices, settings, chats, what was said in them, and the references of media to be fetched. A
/// page at a time; any thread; blocks.
///
/// A cursor says where the next page begins: settings (`s`), the chat list (`c`), a chat (`h`). It
/// opens nothing: what it names is read as the asking user.
public final class Exports {

  /// Lines, each ended by a newline.
  ///
  /// @param next cursor of the next page; empty = this was the last
  public record Page(String lines, String next) {
    @Override
    public String toString() {
      return "Page[" + lines.length() + " characters]";
    }
  }

  private static final int ITEMS_MAX = 100;
  private static final int BYTES_MAX = 256 * 1024;
  private static final int CURSOR_CHARACTERS_MAX = 128;

  private final Context context;

  Exports(Context context) {
    this.context = context;
  }

  /// One page; the first for an empty cursor.
  public Answer<Page> page(DeviceId by, String cursor) {
    return Answer.of(() -> {
      Account account = context.require(by);
      if (cursor.isEmpty()) {
        return new Page(account(by.user(), account), "s:");
      }
      if (cursor.length() > CURSOR_CHARACTERS_MAX) {
        throw wrong();
      }
      try {
        return page(by.user(), cursor.split(":", -1));
      } catch (IllegalArgumentException e) {
        // Numbers and base64 that are none.
        throw wrong();
      }
    });
  }

  private Page page(UserId user, String[] cursor) {
    if (cursor.length == 2 && cursor[0].equals("s")) {
      return settings(user, Base64.getUrlDecoder().decode(cursor[1]));
    }
    if (cursor.length == 2 && cursor[0].equals("c")) {
      return chats(user, cursor[1].isEmpty() ? null : chat(cursor[1]));
    }
    if (cursor.length == 3 && cursor[0].equals("h")) {
      return history(user, chat(cursor[1]), Long.parseLong(cursor[2]));
    }
    throw wrong();
  }

  private static String account(UserId user, Account account) {
    var lines = new StringBuilder();
    line(
        lines,
        new Json()
            .put("type", "account")
            .put("user", user.value())
            .put("number", account.getNumber())
            .put("name", account.getName())
            .put("about", account.getAbout())
            .put("photo", account.getPhoto())
            .put("username", account.getUsername())
            .put("created_ms", account.getCreatedMs())
            .put("registered_ms", Notices.registeredMillis(account))
            .put("has_pin", account.hasPin()));
    for (AccountDevice device : account.getDevicesList()) {
      line(
          lines,
          new Json()
              .put("type", "device")
              .put("device", device.getIndex())
              .put("name", device.getName())
              .put("created_ms", device.getCreatedMs())
              .put("last_used_ms", device.getUsedMs()));
    }
    media(lines, account.getPhoto(), "profile");
    return lines.toString();
  }

  private Page settings(UserId user, byte[] after) {
    Reads.SettingsPage page =
        context.shards.read(snapshots ->
            Reads.settings(snapshots.of(Slots.of(user)), user, after, ITEMS_MAX, BYTES_MAX));
    var lines = new StringBuilder();
    for (Setting setting : page.settings()) {
      line(
          lines,
          new Json()
              .put("type", "setting")
              .put("what", setting.getWhatCase().name())
              .put("value", setting.toString()));
    }
    String next = Base64.getUrlEncoder().withoutPadding().encodeToString(page.next());
    return new Page(lines.toString(), page.next().length == 0 ? "c:" : "s:" + next);
  }

  /// The next chat of the list; its history follows.
  private Page chats(UserId user, @Nullable ChatId after) {
    return context.shards.read(snapshots -> {
      List<ChatId> chats = Reads.chatsOf(snapshots.of(Slots.of(user)), user, after, 1);
      if (chats.isEmpty()) {
        return new Page("", "");
      }
      ChatId chat = chats.getFirst();
      KeyValues shard = snapshots.of(Slots.of(chat));
      var lines = new StringBuilder();
      var json =
          new Json()
              .put("type", "chat")
              .put("chat", chat.wireId(user))
              .put("group", chat.isGroup());
      Reads.GroupInfo group =
          chat.isGroup() && Reads.isMember(shard, chat, user) ? Reads.groupInfo(shard, chat) : null;
      if (group != null) {
        json.put("title", group.title()).put("description", group.description());
      }
      line(lines, json);
      if (group != null) {
        media(lines, group.picture(), "group");
      }
      return new Page(lines.toString(), "h:" + text(chat) + ":1");
    });
  }

  private Page history(UserId user, ChatId chat, long from) {
    return context.shards.read(snapshots -> {
      Reads.Page page =
          Reads.after(
              snapshots.of(Slots.of(chat)), chat, user, Math.max(1, from), ITEMS_MAX, BYTES_MAX);
      List<Entry> entries = page.entries();
      if (entries.isEmpty()) {
        return new Page("", "c:" + text(chat));
      }
      long first = entries.getFirst().seq();
      long last = entries.getLast().seq();
      Set<Long> hidden = Reads.hidden(snapshots.of(Slots.of(user)), user, chat, first, last);
      var lines = new StringBuilder();
      for (Entry entry : entries) {
        if (!hidden.contains(entry.seq())) {
          line(lines, entry(user, entry));
        }
      }
      return new Page(
          lines.toString(), page.more() ? "h:" + text(chat) + ":" + (last + 1) : "c:" + text(chat));
    });
  }

  private static Json entry(UserId user, Entry entry) {
    Content content;
    try {
      content = Content.parseFrom(entry.content());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("damaged entry " + entry.seq() + " of " + entry.chat(), e);
    }
    var json =
        new Json()
            .put("type", "entry")
            .put("chat", entry.chat().wireId(user))
            .put("group", entry.chat().isGroup())
            .put("seq", entry.seq())
            .put("sender", entry.sender().user().value())
            .put("ts_ms", entry.tsMillis())
            .put("kind", content.getKindValue());
    if (content.getReplyTo() != 0) {
      json.put("reply_to", content.getReplyTo());
    }
    if (content.getTarget() != 0) {
      json.put("target", content.getTarget());
    }
    boolean isText = content.getKind() == Kind.KIND_TEXT && content.getBody().isValidUtf8();
    return isText
        ? json.put("text", content.getBody().toStringUtf8())
        : json.put("body", Base64.getEncoder().encodeToString(content.getBody().toByteArray()));
  }

  private static void media(StringBuilder lines, String reference, String of) {
    if (!reference.isEmpty()) {
      line(lines, new Json().put("type", "media").put("reference", reference).put("of", of));
    }
  }

  private static void line(StringBuilder lines, Json json) {
    lines.append(json).append('\n');
  }

  private static String text(ChatId chat) {
    return chat.low() + "-" + chat.high();
  }

  private static ChatId chat(String text) {
    int dash = text.indexOf('-');
    return new ChatId(
        Long.parseLong(text.substring(0, Math.max(0, dash))),
        Long.parseLong(text.substring(dash + 1)));
  }

  private static Refusal wrong() {
    return new Refusal(ErrorCode.ARGUMENT, "cursor");
  }

  /// One object.
  private static final class Json {
    private final StringBuilder text = new StringBuilder("{");

    Json put(String key, String value) {
      key(key).append('"');
      for (int i = 0; i < value.length(); i++) {
        char c = value.charAt(i);
        if (c == '"' || c == '\\') {
          text.append('\\').append(c);
        } else if (c < ' ' || Character.isSurrogate(c) || c == '\u2028' || c == '\u2029') {
          text.append("\\u%04x".formatted((int) c));
        } else {
          text.append(c);
        }
      }
      text.append('"');
      return this;
    }

    Json put(String key, long value) {
      key(key).append(value);
      return this;
    }

    Json put(String key, boolean value) {
      key(key).append(value);
      return this;
    }

    private StringBuilder key(String key) {
      if (text.length() > 1) {
        text.append(',');
      }
      return text.append('"').append(key).append("\":");
    }

    @Override
    public String toString() {
      return text + "}";
    }
  }
}

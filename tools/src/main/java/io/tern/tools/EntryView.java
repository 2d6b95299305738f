package io.tern.tools;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.client.Body;
import io.tern.client.ClientListener.Message;
import io.tern.client.GroupChange;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Reaction;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Setting;
import io.tern.store.Entry;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// An entry as commands show it: one JSON object with stable keys, or one line of fields with tabs
/// between (seq, time, sender, text), both safe to print whatever the sender wrote.
///
/// @param chat name of the other side, or the group's
/// @param from name of the sender
/// @param editedMillis when it got to be as it is; 0 when it was never edited
/// @param reactions sums; only pages have them
/// @param names of the users in it
public record EntryView(
    String chat,
    String from,
    boolean own,
    long seq,
    long tsMillis,
    Content content,
    long editedMillis,
    List<Reaction> reactions,
    Names names) {

  private static final DateTimeFormatter CLOCK = DateTimeFormatter.ofPattern("HH:mm");

  public static EntryView of(Message message, UserId self, Names names) {
    return new EntryView(
        names.of(message.chat(), self),
        names.of(message.sender()),
        message.own(),
        message.seq(),
        message.tsMillis(),
        message.content(),
        message.editedMillis(),
        List.of(),
        names);
  }

  public static EntryView of(PageEntry entry, ChatId chat, UserId self, Names names) {
    Deliver deliver = entry.getEntry();
    return new EntryView(
        names.of(chat, self),
        sender(entry, chat, self, names),
        entry.getOwn(),
        entry.getSeq(),
        deliver.getTsMs(),
        deliver.getContent(),
        deliver.getEditedMs(),
        entry.getReactionsList(),
        names);
  }

  /// What this person has sent just now.
  public static EntryView sent(long seq, long tsMillis, Content content, UserId self, Names names) {
    return new EntryView("", names.of(self), true, seq, tsMillis, content, 0, List.of(), names);
  }

  /// An entry as the store has it, seen by nobody in particular.
  ///
  /// @throws Failure when its content is not one
  static EntryView of(Entry entry, Names names) {
    try {
      return new EntryView(
          entry.chat().toString(),
          names.of(entry.sender().user()),
          false,
          entry.seq(),
          entry.tsMillis(),
          Content.parseFrom(entry.content()),
          0,
          List.of(),
          names);
    } catch (InvalidProtocolBufferException e) {
      throw new Failure(ExitCode.FAILED, entry.chat() + " #" + entry.seq() + " is damaged", e);
    }
  }

  private static String sender(PageEntry entry, ChatId chat, UserId self, Names names) {
    if (entry.getOwn()) {
      return names.of(self);
    }
    if (!chat.isGroup()) {
      return names.of(chat.peerOf(self));
    }
    return name(entry.getEntry().getSender(), names);
  }

  private static String name(long user, Names names) {
    return UserId.isValid(user) ? names.of(new UserId(user)) : "nobody";
  }

  /// Messages are said, events happen.
  public boolean isMessage() {
    return Body.isMessage(content.getKindValue());
  }

  public Json json() {
    var json =
        Json.object()
            .put("chat", chat)
            .put("seq", seq)
            .put("from", from)
            .put("own", own)
            .put("time", time(tsMillis))
            .put("kind", kind());
    switch (Body.of(content)) {
      case Body.Text text -> json.put("text", text.text());
      case Body.Edited edited -> json.put("target", edited.target()).put("text", edited.text());
      case Body.Revoked revoked -> json.put("target", revoked.target());
      case Body.Reacted reacted -> json.put("target", reacted.target()).put("text", reacted.text());
      case Body.Opened opened -> json.put("target", opened.target());
      case Body.Timer timer -> json.put("ttl_s", timer.after().toSeconds());
      case Body.Contact contact -> json.put("name", contact.card().getName()).put("text", phrase());
      case Body.Place place ->
          json.put("latitude", place.location().getLatitude())
              .put("longitude", place.location().getLongitude())
              .put("text", place.location().getName());
      case Body.Group group -> put(json, group);
      case Body.SettingsChanged settings ->
          json.put("settings", settings.settings().stream().map(s -> json(s, names)).toList());
      case Body.Registered registered -> json.put("registered_ms", registered.atMillis());
      case Body.Removed removed -> json.put("body_base64", "");
      case Body.Binary binary -> json.put("body_base64", base64(binary.bytes().toByteArray()));
      case Body.Unknown unknown -> json.put("body_base64", base64(unknown.bytes().toByteArray()));
    }
    if (content.getReplyTo() > 0) {
      json.put("reply_to", content.getReplyTo());
    }
    if (content.getMentionsCount() > 0) {
      json.putStrings("mentions", content.getMentionsList().stream().map(this::name).toList());
    }
    if (content.getForwarded() > 0) {
      json.put("forwarded", Integer.toUnsignedLong(content.getForwarded()));
    }
    if (content.getViewOnce()) {
      json.put("view_once", true);
    }
    if (content.getTtlS() > 0 && isMessage()) {
      json.put("ttl_s", Integer.toUnsignedLong(content.getTtlS()));
    }
    if (editedMillis > 0) {
      json.put("edited", time(editedMillis));
    }
    if (!reactions.isEmpty()) {
      json.put(
          "reactions",
          reactions.stream()
              .map(r ->
                  Json.object()
                      .put("text", r.getText())
                      .put("count", Integer.toUnsignedLong(r.getCount()))
                      .put("own", r.getOwn()))
              .toList());
    }
    return json;
  }

  private void put(Json json, Body.Group group) {
    switch (group.change()) {
      case GroupChange.Created created ->
          json.put("change", "created")
              .put("title", created.title())
              .putStrings("users", names(created.members()));
      case GroupChange.Added added ->
          json.put("change", "added").putStrings("users", names(added.users()));
      case GroupChange.Removed removed ->
          json.put("change", "removed").putStrings("users", names(List.of(removed.user())));
      case GroupChange.Left left -> json.put("change", "left");
      case GroupChange.Joined joined -> json.put("change", "joined");
      case GroupChange.RoleGiven given ->
          json.put("change", "role")
              .putStrings("users", names(List.of(given.user())))
              .put("role", role(given.role()));
      case GroupChange.Titled titled -> json.put("change", "title").put("title", titled.title());
      case GroupChange.Pictured pictured ->
          json.put("change", "picture").put("picture", pictured.picture());
      case GroupChange.Described described ->
          json.put("change", "description").put("description", described.description());
      case GroupChange.AdminOnlySend only ->
          json.put("change", "admin_only_send").put("on", only.on());
      case GroupChange.AdminOnlyEdit only ->
          json.put("change", "admin_only_edit").put("on", only.on());
      case GroupChange.Linked linked -> json.put("change", "invite").put("on", linked.on());
      case GroupChange.Unknown unknown -> json.put("change", "unknown");
    }
    if (group.newOwner() != null) {
      json.put("new_owner", names.of(group.newOwner()));
    }
  }

  public String line() {
    return seq + "\t" + time(tsMillis) + "\t" + from + "\t" + text();
  }

  /// The text on one line; what is no text in brackets, with what belongs to it behind.
  public String text() {
    var text = new StringBuilder();
    if (content.getForwarded() > 0) {
      text.append("(forwarded) ");
    }
    if (content.getViewOnce()) {
      text.append("(view once) ");
    }
    text.append(
        Body.of(content) instanceof Body.Text said
            ? TerminalText.line(said.text())
            : "(" + phrase() + ")");
    if (editedMillis > 0) {
      text.append(" (edited)");
    }
    if (!reactions.isEmpty()) {
      text.append(
          reactions.stream()
              .map(r -> TerminalText.line(r.getText()) + " " + Integer.toUnsignedLong(r.getCount()))
              .collect(Collectors.joining(", ", " [", "]")));
    }
    return text.toString();
  }

  /// What happened, to be read behind the sender's name.
  public String phrase() {
    return switch (Body.of(content)) {
      case Body.Text text -> TerminalText.line(text.text());
      case Body.Binary binary -> binary.bytes().size() + " bytes";
      case Body.Removed removed -> "removed";
      case Body.Contact contact ->
          "contact: "
              + TerminalText.line(
                  contact.card().getName()
                      + " "
                      + String.join(", ", contact.card().getPhonesList()));
      case Body.Place place ->
          String.format(
              Locale.ROOT,
              "location: %s %.5f, %.5f",
              TerminalText.line(place.location().getName()),
              place.location().getLatitude(),
              place.location().getLongitude());
      case Body.Edited edited when edited.target() == 0 -> "an edit of what was taken back";
      case Body.Edited edited ->
          "edits #" + edited.target() + ": " + TerminalText.line(edited.text());
      case Body.Revoked revoked -> "takes #" + revoked.target() + " back";
      case Body.Reacted reacted ->
          reacted.text().isEmpty()
              ? "takes their reaction to #" + reacted.target() + " back"
              : TerminalText.line(reacted.text()) + " to #" + reacted.target();
      case Body.Opened opened -> "has opened #" + opened.target();
      case Body.Timer timer ->
          timer.after().isZero()
              ? "lets messages stay"
              : "lets messages disappear after " + duration(timer.after());
      case Body.Group group -> phrase(group);
      case Body.SettingsChanged settings ->
          settings.settings().stream()
              .map(setting -> "sets " + phrase(setting, names))
              .collect(Collectors.joining(", "));
      case Body.Registered registered ->
          "has registered anew, on another device, at " + time(registered.atMillis());
      case Body.Unknown unknown ->
          "kind " + unknown.kind() + ", " + unknown.bytes().size() + " bytes";
    };
  }

  private String phrase(Body.Group group) {
    var what =
        switch (group.change()) {
          case GroupChange.Created created ->
              "creates the group “"
                  + TerminalText.line(created.title())
                  + "”"
                  + (created.members().isEmpty() ? "" : " with " + list(created.members()));
          case GroupChange.Added added -> "adds " + list(added.users());
          case GroupChange.Removed removed -> "removes " + names.of(removed.user());
          case GroupChange.Left left -> "leaves";
          case GroupChange.Joined joined -> "joins by the link";
          case GroupChange.RoleGiven given ->
              given.role() == Role.ROLE_OWNER
                  ? "hands the group over to " + names.of(given.user())
                  : "makes " + names.of(given.user()) + " " + role(given.role());
          case GroupChange.Titled titled ->
              "calls the group “" + TerminalText.line(titled.title()) + "”";
          case GroupChange.Pictured pictured -> "changes the picture";
          case GroupChange.Described described ->
              "describes the group: " + TerminalText.line(described.description());
          case GroupChange.AdminOnlySend only ->
              only.on() ? "lets only admins send" : "lets everyone send";
          case GroupChange.AdminOnlyEdit only ->
              only.on() ? "lets only admins change the group" : "lets everyone change the group";
          case GroupChange.Linked linked ->
              linked.on() ? "makes a new link to the group" : "makes the group's link void";
          case GroupChange.Unknown unknown -> "changes the group";
        };
    return group.newOwner() == null
        ? what
        : what + "; " + names.of(group.newOwner()) + " owns it now";
  }

  private List<String> names(List<UserId> users) {
    return users.stream().map(names::of).toList();
  }

  private String list(List<UserId> users) {
    return String.join(", ", names(users));
  }

  private String name(long user) {
    return name(user, names);
  }

  /// A role as a word.
  public static String role(Role role) {
    return switch (role) {
      case ROLE_OWNER -> "owner";
      case ROLE_ADMIN -> "admin";
      case ROLE_MEMBER -> "member";
      case ROLE_UNSPECIFIED, UNRECOGNIZED -> "none";
    };
  }

  /// A setting for programs.
  static Json json(Setting setting, Names names) {
    return switch (setting.getWhatCase()) {
      case CHAT ->
          Json.object()
              .put("setting", "chat")
              .put("chat", chat(setting.getChat().getChat(), setting.getChat().getGroup(), names))
              .put("mute_until_ms", setting.getChat().getMuteUntilMs())
              .put("pin", setting.getChat().getPin())
              .put("archive", setting.getChat().getArchive());
      case STAR ->
          Json.object()
              .put("setting", "star")
              .put("chat", chat(setting.getStar().getChat(), setting.getStar().getGroup(), names))
              .put("seq", setting.getStar().getSeq())
              .put("on", setting.getStar().getOn());
      case HIDE ->
          Json.object()
              .put("setting", "hide")
              .put("chat", chat(setting.getHide().getChat(), setting.getHide().getGroup(), names))
              .put("seq", setting.getHide().getSeq());
      case CONTACT ->
          Json.object()
              .put("setting", "contact")
              .put("user", name(setting.getContact().getUser(), names))
              .put("name", setting.getContact().getName())
              .put("removed", setting.getContact().getRemoved());
      case PRIVACY -> PrivacyWords.json(setting.getPrivacy(), names);
      case BLOCK ->
          Json.object()
              .put("setting", "block")
              .put("user", name(setting.getBlock().getUser(), names))
              .put("on", setting.getBlock().getOn());
      case WHAT_NOT_SET -> Json.object().put("setting", "unknown");
    };
  }

  /// A setting for a person.
  static String phrase(Setting setting, Names names) {
    return switch (setting.getWhatCase()) {
      case CHAT -> {
        var chat = setting.getChat();
        yield chat(chat.getChat(), chat.getGroup(), names)
            + ": "
            + mute(chat.getMuteUntilMs())
            + (chat.getPin() ? ", pinned" : "")
            + (chat.getArchive() ? ", archived" : "");
      }
      case STAR ->
          (setting.getStar().getOn() ? "a star at #" : "no star at #")
              + setting.getStar().getSeq()
              + " of "
              + chat(setting.getStar().getChat(), setting.getStar().getGroup(), names);
      case HIDE ->
          "#"
              + setting.getHide().getSeq()
              + " of "
              + chat(setting.getHide().getChat(), setting.getHide().getGroup(), names)
              + ": deleted for you";
      case CONTACT ->
          "contact "
              + name(setting.getContact().getUser(), names)
              + ": "
              + (setting.getContact().getRemoved()
                  ? "removed"
                  : TerminalText.line(setting.getContact().getName()));
      case PRIVACY -> "privacy: " + PrivacyWords.phrase(setting.getPrivacy(), names);
      case BLOCK ->
          name(setting.getBlock().getUser(), names)
              + ": "
              + (setting.getBlock().getOn() ? "blocked" : "not blocked");
      case WHAT_NOT_SET -> "something unknown";
    };
  }

  /// Whether, and until when, a chat is muted.
  public static String mute(long untilMillis) {
    if (untilMillis <= 0) {
      return "not muted";
    }
    return untilMillis == Long.MAX_VALUE ? "muted" : "muted until " + time(untilMillis);
  }

  private static String chat(long id, boolean group, Names names) {
    if (!UserId.isValid(id)) {
      return "nobody";
    }
    return group ? Names.GROUP_MARK + ChatId.group(id).toString() : names.of(new UserId(id));
  }

  private static String duration(Duration time) {
    if (time.toSeconds() % 86_400 == 0) {
      return time.toDays() + " d";
    }
    return time.toSeconds() % 3_600 == 0 ? time.toHours() + " h" : time.toSeconds() + " s";
  }

  /// Hour and minute of the person's day.
  public String clock() {
    return clock(tsMillis);
  }

  /// Hour and minute of the person's day.
  public static String clock(long millis) {
    return CLOCK.format(Instant.ofEpochMilli(millis).atZone(ZoneId.systemDefault()));
  }

  static String time(long millis) {
    return Instant.ofEpochMilli(millis).truncatedTo(ChronoUnit.MILLIS).toString();
  }

  private static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }

  private String kind() {
    return switch (content.getKind()) {
      case KIND_TEXT -> "text";
      case KIND_BINARY -> "binary";
      case KIND_TOMBSTONE -> "removed";
      case KIND_CONTACT -> "contact";
      case KIND_LOCATION -> "location";
      case KIND_EDIT -> "edit";
      case KIND_REVOKE -> "revoke";
      case KIND_REACTION -> "reaction";
      case KIND_OPENED -> "opened";
      case KIND_TIMER -> "timer";
      case KIND_GROUP -> "group";
      case KIND_SETTING -> "setting";
      case KIND_REGISTERED -> "registered";
      case KIND_UNSPECIFIED, UNRECOGNIZED -> "unknown";
    };
  }
}
